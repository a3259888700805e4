#!/usr/bin/env python3
"""Where a program's time goes, as a flame graph: perf's samples, callers below, what they call above, width by time.

    tools/flame.py -o detect.svg -- build/ichdet detect study -o out --threads 1 -q

Needs perf (Debian: linux-perf). Frames below half a per cent are left out. Open the picture in a browser: what is
under the pointer is named in full.
"""

import argparse
import html
import re
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, ROW, LEAST = 1200, 17, 0.005
NOISE = re.compile(r"^(\[unknown\]|_start|__libc_start.*|main|_dl_.*|std::_Function_handler.*|std::__invoke.*|"
                   r"std::function<.*)$")


class Frame:
    def __init__(self):
        self.samples, self.inner = 0, {}

    def add(self, names):
        self.samples += 1
        if names:
            self.inner.setdefault(names[0], Frame()).add(names[1:])


def short(name):
    """Without what templates and arguments add."""
    depth, kept = 0, []
    for character in name.replace("(anonymous namespace)::", "").replace("operator()", "call"):
        depth += character in "<("
        if depth == 0:
            kept.append(character)
        depth -= character in ">)"
    return "".join(kept).removeprefix("void ").strip() or name


def stacks(script):
    """Names from the outermost caller inwards, of each sample."""
    for sample in script.split("\n\n"):
        names = [line.split(None, 1)[1] for line in sample.splitlines()[1:] if len(line.split(None, 1)) == 2]
        names = [short(name) for name in reversed(names) if not NOISE.match(name)]
        if names:
            yield names


def colour(name):
    if "ichdet" in name:
        return "#7fb2e5" if "native" in name else "#a8cbec"
    return "#f0c27b" if name.startswith(("at::", "c10::", "torch::", "dnnl")) else "#dddddd"


def draw(root, title):
    """The whole as SVG."""
    rows, deepest = [], 0
    total = root.samples

    def place(frame, left, level):
        nonlocal deepest
        for name, inner in sorted(frame.inner.items(), key=lambda item: -item[1].samples):
            width = inner.samples / total * WIDTH
            if inner.samples < LEAST * total:
                continue
            deepest = max(deepest, level)
            rows.append((left, level, width, name, inner.samples / total))
            place(inner, left, level + 1)
            left += width

    place(root, 0, 0)
    height = (deepest + 2) * ROW + 8
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
             f'font-size="11">', f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             f'<text x="4" y="13">{html.escape(title)}: {total} samples</text>']
    for left, level, width, name, share in rows:
        y = height - (level + 1) * ROW
        label = name if len(name) * 6 < width else name.rsplit("::", 1)[-1]
        label = label[: int(width / 6)] if width > 24 else ""
        parts.append(f'<g><title>{html.escape(name)}, {share:.1%}</title>'
                     f'<rect x="{left:.1f}" y="{y}" width="{max(0.5, width - 0.5):.1f}" height="{ROW - 1}" '
                     f'fill="{colour(name)}"/><text x="{left + 3:.1f}" y="{y + 12}">{html.escape(label)}</text></g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=Path("flame.svg"), help="default: %(default)s")
    parser.add_argument("--title", help="default: the command")
    parser.add_argument("--hertz", type=int, default=299, help="samples a second, each of 32 KiB; default: %(default)s")
    parser.add_argument("command", nargs="+", help="after --")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "perf.data"
        try:
            subprocess.run(["perf", "record", "-q", "-F", str(args.hertz), "--call-graph", "dwarf,32768", "-o", data, *args.command],
                           check=True)
        except FileNotFoundError:
            sys.exit("flame: perf is not installed (Debian: apt-get install linux-perf)")
        except subprocess.CalledProcessError as e:
            sys.exit(f"flame: perf record {' '.join(args.command)} ended with code {e.returncode}")
        # Without --no-inline it asks for the source line of each frame, which takes minutes.
        script = subprocess.run(["perf", "script", "--no-inline", "-i", data, "-F", "comm,ip,sym"], check=True, text=True,
                                capture_output=True).stdout
    root = Frame()
    for names in stacks(script):
        root.add(names)
    args.out.write_text(draw(root, args.title or " ".join(args.command)))
    print(args.out)


if __name__ == "__main__":
    main()
