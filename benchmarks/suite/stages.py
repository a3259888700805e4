"""The stages in C++, by Google Benchmark (benchmarks/stages.cpp)."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

from .contest import duration

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def run(program: Path, repetitions: int, shortest_s: float) -> list[dict[str, Any]]:
    """Each stage's name and the seconds of its repetitions, on one thread."""
    done = subprocess.run(
        [program, "--benchmark_format=json", f"--benchmark_repetitions={repetitions}",
         f"--benchmark_min_time={shortest_s}", "--benchmark_enable_random_interleaving=true"],
        check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    stages: dict[str, list[float]] = {}
    for one in json.loads(done.stdout)["benchmarks"]:
        if one["run_type"] == "iteration":
            stages.setdefault(one["run_name"], []).append(one["real_time"] * SECONDS[one["time_unit"]])
    return [{"stage": name, "s": seconds} for name, seconds in stages.items()]


def lines(stages: list[dict[str, Any]]) -> list[str]:
    """What the terminal shows of them."""
    width = max(len(one["stage"]) for one in stages)
    return [f"  {one['stage']:{width}} {duration(min(one['s']))}, median {duration(statistics.median(one['s']))}"
            for one in stages]


def table(stages: list[dict[str, Any]]) -> str:
    """What the page shows of them."""
    rows = ["| stage | time | median |", "|---|---|---|"]
    for one in stages:
        times = duration(min(one["s"])).strip(), duration(statistics.median(one["s"])).strip()
        rows.append(f"| {one['stage'].replace('_', ' ')} | {times[0]} | {times[1]} |")
    return "\n".join(rows)
