"""Writes the type stubs of the extensions beside them, from the signatures and docstrings that pybind11 gave them.

Run as: PYTHONPATH=build/python python tools/make_stubs.py build/python/ichdet
The build runs it; what pybind11-stubgen cannot put into valid Python is an error.
"""

import ast
import re
import subprocess
import sys
import tempfile
from pathlib import Path

# torch comes first, whose types _nn's functions take.
STUBGEN = """
import contextlib
with contextlib.suppress(ImportError):
    import torch
from pybind11_stubgen import main
main()
"""
OPTIONS = ["--numpy-array-wrap-with-annotated", "--ignore-unresolved-names", r"pandas\..*", "--exit-code"]
# What pybind11 leaves out, and mypy --strict wants.
BETTER = [
    (r"\bos\.PathLike \|", "os.PathLike[str] |"),
    (r"(def __(?:eq|ne)__\(self, \w+: )[^)]*\)", r"\1object)"),
    (r"__hash__: .*", "__hash__: typing.ClassVar[None]  # type: ignore[assignment]"),
    (r"def __exit__\(self, \*args\)", "def __exit__(self, *args: object)"),
    (r"(?m)^(\w+): tuple = ", r"\1: tuple[str, ...] = "),
    # One point, or a row for each of several: the shape alone tells the overloads apart.
    (r'(def to_(?:index|lps)\(.*"\[m, 3\]"\]\) -> .*:)\n', r"\1  # type: ignore[overload-cannot-match]\n"),
]


def told_optional(text):
    """With `| None` in the types of parameters whose default is None."""
    lines = text.splitlines(keepends=True)
    places = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef):
            continue
        listed = node.args
        defaults = [None] * (len(listed.args) - len(listed.defaults)) + listed.defaults
        for argument, default in [*zip(listed.args, defaults), *zip(listed.kwonlyargs, listed.kw_defaults)]:
            kind = argument.annotation
            if isinstance(default, ast.Constant) and default.value is None and kind is not None:
                if not re.search(r"\bNone\b|\bAny\b", ast.unparse(kind)):
                    places.append((kind.end_lineno - 1, kind.end_col_offset))
    for line, column in sorted(places, reverse=True):
        raw = lines[line].encode()
        lines[line] = (raw[:column] + b" | None" + raw[column:]).decode()
    return "".join(lines)


def finished(text):
    for wrong, right in BETTER:
        text = re.sub(wrong, right, text)
    if "pandas." in text:
        text = text.replace("import typing\n", "import pandas\nimport typing\n", 1)
    return told_optional(text)


def main(package):
    with tempfile.TemporaryDirectory() as folder:
        for extension in sorted(package.glob("_*.so")):
            command = [sys.executable, "-c", STUBGEN, "ichdet." + extension.name.split(".")[0], "-o", folder, *OPTIONS]
            told = subprocess.run(command, capture_output=True, text=True)
            if told.returncode != 0:
                sys.exit(told.stderr)
        made = Path(folder) / "ichdet"
        for stub in made.rglob("*.pyi"):
            place = package / stub.relative_to(made)
            place.parent.mkdir(exist_ok=True)
            place.write_text(finished(stub.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
