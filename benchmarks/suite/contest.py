"""A case run: outputs compared, then all contenders in turn."""

from __future__ import annotations

import json
import os
import pickle
import select
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .case import Case, LeftOut, Work

BENCHMARKS = Path(__file__).resolve().parents[1]
READY = 30 * 60  # seconds for a contender's opening and first call: compilers and published packages take minutes


class Process:
    """A contender at work: `ask` lets it do the task."""

    def __init__(self, case: str, who: str, folder: Path, threads: int, output: Path) -> None:
        count = str(threads)
        limits = {key: count for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        search = os.pathsep.join([str(BENCHMARKS), str(BENCHMARKS.parent / "tests" / "python"),
                                  os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "suite.serve", case, who, folder, count, output], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **limits, "PYTHONPATH": search})
        self.about = self._answer() if self._says_something(READY) else self._given_up()

    def _says_something(self, within_s: float) -> bool:
        return bool(select.select([self._process.stdout], [], [], within_s)[0])

    def _given_up(self) -> dict[str, Any]:
        self._process.kill()
        return {"left_out": f"not ready after {READY // 60} minutes"}

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return json.loads(line) if line else {"failed": f"ended with code {self._process.wait()} and said nothing"}

    def ask(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def run(case: Case, threads: int, rounds: int, who: Callable[[str], bool], say: Callable[[str], None]) -> dict[str, Any]:
    """What benchmarks/results hold of a case. Raises AssertionError where outputs differ or one of ours fails."""
    threads = threads or len(os.sched_getaffinity(0))
    names = [name for name in case.contenders if who(name) or name == case.ours]
    with tempfile.TemporaryDirectory(prefix="ichdet-bench-") as name:
        folder = Path(name)
        case.prepare(folder)
        rows: dict[str, dict[str, Any]] = {}
        running: dict[str, Process] = {}
        outputs: dict[str, Any] = {}
        for i, one in enumerate(names):
            output = folder / f"output-{i}.pickle"
            process = Process(case.name, one, folder, threads, output)
            rows[one] = dict(process.about)
            if "failed" in process.about or "left_out" in process.about:
                process.end()
                said = process.about.get("left_out") or process.about["failed"].strip().splitlines()[-1]
                say(f"  {one}: {'left out' if 'left_out' in process.about else 'FAILED'}: {said}")
                continue
            outputs[one] = pickle.loads(output.read_bytes())
            output.unlink()
            running[one] = process
        assert case.ours in running, f"{case.name}: {case.ours} did not run: {rows[case.ours]}"
        try:
            differences = case.compare(outputs)
        except KeyError as e:
            raise LeftOut(f"outputs are compared with those of {e}, which did not run") from e
        outputs.clear()
        machine = Process(case.name, "machine", folder, threads, folder / "none")
        rates: dict[str, float] = {}
        for _ in range(rounds):
            for one, process in running.items():
                told = process.ask()
                assert "s" in told, f"{case.name}: {one}: {told}"
                rows[one].setdefault("s", []).append(told["s"])
                rows[one].setdefault("cpu_s", []).append(told["cpu_s"])
            rates = machine.ask()
        for process in [machine, *running.values()]:
            process.end()
        work = case.work(folder) if callable(case.work) else case.work
    return {"case": case.name, "title": case.title, "threads": threads, "items": case.items, "ours": case.ours,
            "precision": case.precision, "flop": work.flop, "bytes": work.bytes, "rates": rates,
            "differences": differences, "contenders": rows, "limit_s": limit(work, case.precision, rates)}


def limit(work: Work, precision: str, rates: dict[str, float]) -> float:
    """Seconds below which the machine cannot do the task: its products at its own rate, or its bytes."""
    return max(work.flop / rates[precision], work.bytes / rates["copy"])


def ran(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The contenders that have times."""
    return {name: row for name, row in result["contenders"].items() if "s" in row}


def ratio(result: dict[str, Any], who: str) -> tuple[float, float, float]:
    """How many times as fast as `who` we are: of the least times, and the extremes of the rounds' ratios."""
    ours, theirs = (result["contenders"][name]["s"] for name in (result["ours"], who))
    each = [b / a for a, b in zip(ours, theirs)]
    return min(theirs) / min(ours), min(each), max(each)


def fraction(result: dict[str, Any]) -> float | None:
    """Of the machine's limit, by our least time; none where the case knows no limit."""
    return result["limit_s"] / min(result["contenders"][result["ours"]]["s"]) if result["limit_s"] else None


def lines(result: dict[str, Any]) -> list[str]:
    """What the terminal shows of a result."""
    rows = ran(result)
    width = max(map(len, rows))
    shown = []
    for name, row in rows.items():
        text = f"  {name:{width}} {duration(min(row['s']))}, median {duration(statistics.median(row['s']))}, " \
               f"{row['peak_mib']:6.0f} MiB"
        if name != result["ours"]:
            best, low, high = ratio(result, name)
            text += f"   {best:6.2f} x as long ({low:.2f} to {high:.2f})"
        elif (part := fraction(result)) is not None:
            text += f"   {part:.0%} of the machine's limit"
        shown.append(text + (f"   {row['note']}" if row.get("note") else ""))
    return shown


def duration(seconds: float) -> str:
    for unit, size in (("s ", 1), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:8.2f} {unit}"
    return f"{seconds * 1e6:8.2f} us"
