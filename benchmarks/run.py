#!/usr/bin/env python3
"""The performance suite: ichdet beside its peers, on the same inputs, outputs compared before anything is timed.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/run.py [--quick] [--only dicom network/resnet18 ...]

`make bench` runs all, `make bench-quick` those that take less than five minutes together. Each contender lives in a
process of its own, pinned to as many cores as it has threads; all do the task once in turn, `--rounds` times. The least
time counts, ratios are given with the extremes of the rounds; peak memory is that of the process, or of a program that
it runs. The machine's own rates of products and of copies, measured in the same rounds, say how much faster it could be
at most.
"""

import argparse
import fnmatch
import json
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS.parent / "tests" / "python")]
from suite import contest, machine, stages  # noqa: E402
from suite.case import LeftOut, all_cases  # noqa: E402


def chosen(cases, patterns, quick):
    """Those whose name is, begins with or matches a pattern."""
    found = [case for case in cases.values() if (not quick or case.quick) and (not patterns or any(
        case.name == p or case.name.startswith(p + "/") or fnmatch.fnmatch(case.name, p) for p in patterns))]
    if not found:
        sys.exit(f"no case is called {' or '.join(patterns)}; there are: {', '.join(cases)}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the quick cases alone, on one thread, three rounds")
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="names, groups or patterns of cases")
    parser.add_argument("--who", nargs="+", metavar="NAME", help="these contenders alone, beside ichdet's first")
    parser.add_argument("--without", nargs="+", default=[], metavar="PATTERN", help="contenders to leave out: '*compile*'")
    parser.add_argument("--threads", type=int, nargs="+", metavar="N", help="in place of the cases' own; 0: all cores")
    parser.add_argument("--rounds", type=int, help="default: 5, with --quick 3")
    parser.add_argument("--stages", type=Path, metavar="PROGRAM", help="bench_stages, to run it too")
    parser.add_argument("--out", type=Path, default=Path("build/bench/results.json"), help="default: %(default)s")
    parser.add_argument("--resume", action="store_true", help="leave out what --out holds already")
    parser.add_argument("--list", action="store_true", help="names and titles, and nothing run")
    args = parser.parse_args()
    if args.stages and not args.stages.exists():
        parser.error(f"--stages: {args.stages}: not found; `make bench-setup` builds bench_stages")
    cases = all_cases()
    todo = chosen(cases, args.only, args.quick)
    if args.list:
        for case in todo:
            print(f"{case.name:50} {case.title}   [{', '.join(case.contenders)}]")
        return 0
    rounds = args.rounds or (3 if args.quick else 5)
    before = json.loads(args.out.read_text()) if args.resume and args.out.exists() else {}
    results, in_cpp = before.get("results", []), before.get("stages", [])
    known = {(r["case"], r["asked"]) for r in results}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    about = machine.describe()
    print(f"{about['cpu']}, {about['cores']} cores, {', '.join(about['isa'])}; {rounds} rounds", flush=True)
    # Quick: peers alone, but for torch.compile, which takes minutes to get ready.
    without = [*args.without, *(["ichdet*", "*compile*"] if args.quick else [])]

    def wanted(name):
        return (not args.who or name in args.who) and not any(fnmatch.fnmatch(name, p) for p in without)

    def save():
        told = {"machine": about, "rounds": rounds, "results": results, "stages": in_cpp}
        args.out.write_text(json.dumps(told, indent=1) + "\n")

    failed = []
    start = time.perf_counter()
    if args.stages and not in_cpp:
        print("\nstages in C++, by Google Benchmark", flush=True)
        in_cpp = stages.run(args.stages, rounds, 0.1 if args.quick else 0.5)
        print("\n".join(stages.lines(in_cpp)), flush=True)
        save()
    for case in todo:
        for threads in args.threads or (case.threads[:1] if args.quick else case.threads):
            if (case.name, threads) in known:
                continue
            print(f"\n{case.name}, {threads or 'all'} thread{'' if threads == 1 else 's'}: {case.title}", flush=True)
            try:
                result = contest.run(case, threads, rounds, wanted, lambda text: print(text, flush=True))
            except LeftOut as e:
                print(f"  SKIPPED: {e}")
                continue
            except AssertionError as e:
                failed.append(case.name)
                print(f"  FAILED: {e}", flush=True)
                continue
            results.append(result | {"asked": threads})
            print("\n".join(contest.lines(result)), flush=True)
            save()
    print(f"\n{time.perf_counter() - start:.0f} s; results in {args.out}")
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
