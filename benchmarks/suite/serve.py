"""One contender in a process of its own: it works when a line arrives, and answers in JSON.

python -m suite.serve CASE CONTENDER FOLDER THREADS OUTPUT    (the driver's; "machine" is a contender of every case)
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .case import Contender, LeftOut, all_cases

SHORTEST = 0.1  # seconds of work in a round: shorter calls are repeated
LONG = 20  # seconds of a first call: after one, whatever it prepared, a round is one call


def mib(field: str) -> float:
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(field + ":"))


def children_mib() -> float:
    """The peak of the largest program that this process ran and waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def processor_s() -> float:
    """Of this process and of those that it ran and waited for."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def tell(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=_answers, flush=True)


def serve(name: str, who: str, folder: Path, threads: int, output: Path) -> None:
    made = all_cases()[name].contenders[who](folder, threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
        sys.modules["torch"].set_flush_denormal(True)
    contender = made if isinstance(made, Contender) else Contender(made)
    before, compilers = mib("VmRSS"), children_mib()
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    start = time.perf_counter()
    found = contender.call()
    first = time.perf_counter() - start
    # What opening ran, such as torch.compile's compiler, is no part of the call.
    peak = max(mib("VmHWM"), children_mib() if children_mib() > compilers else 0)
    output.write_bytes(pickle.dumps(found))
    del found
    calls = 1
    if first < LONG:
        start = time.perf_counter()
        contender.call()
        once = time.perf_counter() - start
        calls = max(1, min(10_000, round(SHORTEST / max(once, 1e-7))))
    tell({"first_s": first, "peak_mib": peak, "added_mib": peak - before, "note": contender.note,
          "part": contender.part})
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), processor_s()
        for _ in range(calls):
            contender.call()
        tell({"s": (time.perf_counter() - start) / calls / contender.part,
              "cpu_s": (processor_s() - cpu) / calls / contender.part})


def serve_machine(threads: int) -> None:
    from .machine import Rates

    rates = Rates(threads)
    rates.measure()
    tell({})
    for _ in sys.stdin:
        rates.measure()
        tell(rates.best)


if __name__ == "__main__":
    _answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    name, who, folder, threads, output = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    try:
        serve_machine(int(threads)) if who == "machine" else serve(name, who, Path(folder), int(threads), Path(output))
    except LeftOut as e:
        tell({"left_out": str(e)})
    except ImportError as e:
        tell({"left_out": str(e)})
    except Exception:
        tell({"failed": traceback.format_exc()})
