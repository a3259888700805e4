"""The regression guard: ratios of the quick cases beside those of the committed baseline.

    python -m suite.check build/bench/quick.json [--update]    (in benchmarks/)

A ratio is peer's time by ours, so that the machine's own speed falls out. What fell by more than 15 % is named, and run
a second time before it counts: a shared machine is noisy, and a real loss stays. Ratios are kept by family of CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .contest import ran, ratio
from .machine import kind

BASELINE = Path(__file__).resolve().parents[1] / "baseline.json"
ALLOWED = 0.85


def ratios(told: dict[str, Any]) -> dict[str, float]:
    """Case and peer to how many times as fast we are."""
    return {f"{r['case']} / {name}": ratio(r, name)[0]
            for r in told["results"] for name in ran(r) if not name.startswith("ichdet")}


def slower(now: dict[str, float], before: dict[str, float]) -> dict[str, tuple[float, float]]:
    """What fell below the allowed part of its baseline: before and now."""
    return {key: (before[key], value) for key, value in now.items() if key in before and value < ALLOWED * before[key]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--update", action="store_true", help="make these results the baseline of this family of CPUs")
    args = parser.parse_args()
    told = json.loads(args.results.read_text())
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    family = kind(told["machine"])
    now = ratios(told)
    if args.update:
        known[family] = {"cpu": told["machine"]["cpu"], "ratios": {key: round(value, 3) for key, value in now.items()}}
        BASELINE.write_text(json.dumps(known, indent=1) + "\n")
        print(f"baseline of {family}: {len(now)} ratios")
        return 0
    if family not in known:
        print(f"no baseline for CPUs of the family {family}; there are: {', '.join(known)}. "
              "`make bench-quick`, then python -m suite.check --update, makes one")
        return 2
    before = known[family]["ratios"]
    for key in sorted(set(before) - set(now)):
        print(f"not run, though the baseline has it: {key}")
    suspects = slower(now, before)
    if suspects:
        again = args.results.with_name("again.json")
        names = sorted({key.split(" / ")[0] for key in suspects})
        print(f"slower at first; once more: {', '.join(names)}", flush=True)
        run = Path(__file__).resolve().parents[1] / "run.py"
        subprocess.run([sys.executable, run, "--quick", "--rounds", "7", "--only", *names, "--out", again], check=True,
                       stdout=subprocess.DEVNULL)
        second = ratios(json.loads(again.read_text()))
        now |= {key: max(now[key], second.get(key, 0)) for key in suspects}
        suspects = slower(now, before)
    for key, value in now.items():
        if key in before:
            mark = "   SLOWER" if key in suspects else ""
            print(f"{key:60} {value:7.2f} x, baseline {before[key]:7.2f} x{mark}")
    if suspects:
        print(f"{len(suspects)} of {len(now)} ratios fell by more than {1 - ALLOWED:.0%}: {', '.join(suspects)}")
    return 1 if suspects else 0


if __name__ == "__main__":
    sys.exit(main())
