"""Results as people read them: tables for docs/benchmarks.md and its plots.

    python -m suite.page build/bench/results.json ../docs/benchmarks.md    (in benchmarks/)

The prose of the page is written by hand; what stands between `<!-- table: GROUP -->` and `<!-- end -->` is made here,
and so are the pictures docs/images/bench-*.png.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from . import stages
from .contest import duration, fraction, ran, ratio

BLOCK = re.compile(r"<!-- table: (?P<group>[\w/*-]+) -->\n.*?<!-- end -->", re.DOTALL)


def best_peer(result: dict[str, Any]) -> str | None:
    """The fastest contender that is not ours, nor does nothing."""
    peers = [name for name in ran(result) if not name.startswith("ichdet") and name != "nothing"]
    return min(peers, key=lambda name: min(result["contenders"][name]["s"]), default=None)


def machine_lines(machine: dict[str, Any]) -> str:
    """The machine in a paragraph."""
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (f"{machine['cpu']} ({', '.join(machine['isa'])}), {machine['cores']} cores, governor {machine['governor']}, "
            f"{machine['memory_gib']} GiB, Linux {machine['kernel']}, Python {machine['python']}; {packages}.")


def table(results: list[dict[str, Any]]) -> str:
    """A row for each contender of each case."""
    rows = ["| case | threads | who | time | median | of ichdet's time | peak MiB | of the limit |",
            "|---|---|---|---|---|---|---|---|"]
    for result in results:
        label = f"**{result['case']}**: {result['title']}"
        for name, row in result["contenders"].items():
            if "s" not in row:
                told = row.get("left_out") or row["failed"].strip().splitlines()[-1]
                rows.append(f"| {label} | | {name} | {told[:90]} | | | | |")
                label = ""
                continue
            seconds = sorted(row["s"])
            times = "1"
            if name != result["ours"]:
                middle, low, high = ratio(result, name)
                times = f"{middle:.2f} ({low:.2f} to {high:.2f})"
            part = fraction(result) if name == result["ours"] else None
            note = f" ({row['note']})" if row.get("note") and row.get("part", 1) != 1 else ""
            rows.append(f"| {label} | {result['threads']} | {name}{note} | {duration(seconds[0]).strip()} | "
                        f"{duration(seconds[len(seconds) // 2]).strip()} | {times} | {row['peak_mib']:.0f} | "
                        f"{f'{part:.0%}' if part is not None else ''} |")
            label = ""
    return "\n".join(rows)


def plots() -> Any:
    """pyplot, without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def draw(results: list[dict[str, Any]], folder: Path) -> None:
    """Speed beside the fastest peer, and the part of the machine's limit."""
    pyplot = plots()
    single = [r for r in results if r["threads"] == 1 and best_peer(r) is not None]
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.24 * len(single)), layout="constrained")
    for i, result in enumerate(reversed(single)):
        middle, low, high = ratio(result, best_peer(result) or "")
        axes.barh(i, middle - 1, left=1, color="#2b6cb0" if middle >= 1 else "#c05621",
                  xerr=[[max(0, middle - low)], [max(0, high - middle)]], error_kw={"lw": 0.8, "ecolor": "#444"})
        times = f"{middle:.0f}" if middle >= 10 else f"{middle:.2g}"
        axes.text(max(middle, high, 1) * 1.06, i, f"{times} x  {best_peer(result)}", va="center", fontsize=7)
    axes.set_yticks(range(len(single)), [r["case"] for r in reversed(single)], fontsize=7)
    axes.axvline(1, color="#444", lw=0.8)
    axes.set_xscale("log")
    axes.set_xlim(right=axes.get_xlim()[1] * 6)
    axes.set_xlabel("times as fast as the fastest peer, which is named; one thread; line: extremes of the rounds", fontsize=8)
    axes.margins(y=0.01)
    figure.savefig(folder / "bench-peers.png", dpi=110)
    pyplot.close(figure)

    limited = [r for r in single if fraction(r) is not None]
    figure, axes = pyplot.subplots(figsize=(8, 0.8 + 0.24 * len(limited)), layout="constrained")
    for i, result in enumerate(reversed(limited)):
        peer = best_peer(result) or ""
        ours, theirs = (result["limit_s"] / min(result["contenders"][name]["s"]) for name in (result["ours"], peer))
        axes.barh(i, ours, color="#2b6cb0")
        axes.plot(theirs, i, "o", color="#c05621", ms=4)
    axes.set_yticks(range(len(limited)), [r["case"] for r in reversed(limited)], fontsize=7)
    axes.axvline(0.5, color="#444", lw=0.8, ls=":")
    axes.set_xlabel("part of the machine's own rate of products or copies; bar: ichdet, dot: fastest peer; one thread",
                    fontsize=8)
    axes.margins(y=0.01)
    figure.savefig(folder / "bench-limits.png", dpi=110)
    pyplot.close(figure)


def draw_scaling(results: list[dict[str, Any]], folder: Path) -> None:
    """Seconds by the number of slices and of members, a line for each number of threads."""
    pyplot = plots()
    labels = {"slices": "slices, `ichdet detect`", "members": "members, BLAST-CT"}
    measured = {name: found for name in labels
                if (found := [r for r in results if r["case"].startswith(f"scaling/{name}-")])}
    if not measured:
        return
    figure, panels = pyplot.subplots(1, len(measured), figsize=(4 * len(measured), 3), layout="constrained", squeeze=False)
    for axes, (name, found) in zip(panels[0], measured.items()):
        for threads in sorted({r["threads"] for r in found}):
            points = sorted((r["items"], min(r["contenders"][r["ours"]]["s"])) for r in found if r["threads"] == threads)
            axes.plot(*zip(*points), "o-", label=f"{threads} thread{'s' * (threads > 1)}")
        axes.set(xlabel=labels[name], ylabel="seconds", xlim=(0, None), ylim=(0, None))
        axes.legend(fontsize=8)
    figure.savefig(folder / "bench-scaling.png", dpi=110)
    pyplot.close(figure)


def filled(page: str, told: dict[str, Any]) -> str:
    """The page with its blocks made anew; a block without results stays as it is."""

    def block(match: re.Match[str]) -> str:
        group = match["group"]
        chosen = [r for r in told["results"] if r["case"] == group or r["case"].split("/")[0] == group]
        if group == "machine":
            content = machine_lines(told["machine"])
        elif group == "stages":
            content = stages.table(told["stages"]) if told.get("stages") else None
        else:
            content = table(chosen) if chosen else None
        return match[0] if content is None else f"<!-- table: {group} -->\n{content}\n<!-- end -->"

    return BLOCK.sub(block, page)


if __name__ == "__main__":
    results_file, page_file = map(Path, sys.argv[1:])
    read = json.loads(results_file.read_text())
    page_file.write_text(filled(page_file.read_text(), read))
    (page_file.parent / "images").mkdir(exist_ok=True)
    draw(read["results"], page_file.parent / "images")
    draw_scaling(read["results"], page_file.parent / "images")
