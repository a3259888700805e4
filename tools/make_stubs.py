"""Writes the type stubs of the extensions beside them, from the signatures and docstrings that pybind11 gave them.

Run as: PYTHONPATH=build/python python tools/make_stubs.py build/python/ichdet
The build runs it; what pybind11-stubgen cannot put into valid Python is an error.
"""

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
WORDS = {
    "os.PathLike |": "os.PathLike[str] |",
    "from __future__ import annotations\n": "",
}


def stubs_of(extension, folder):
    options = ["-o", folder, "--numpy-array-wrap-with-annotated", "--exit-code"]
    told = subprocess.run([sys.executable, "-c", STUBGEN, extension, *options], capture_output=True, text=True)
    if told.returncode != 0:
        sys.exit(told.stderr)


def main(package):
    with tempfile.TemporaryDirectory() as folder:
        for extension in package.glob("_*.so"):
            stubs_of("ichdet." + extension.name.split(".")[0], folder)
        made = Path(folder) / "ichdet"
        for stub in made.rglob("*.pyi"):
            text = stub.read_text()
            for word, better in WORDS.items():
                text = text.replace(word, better)
            place = package / stub.relative_to(made)
            if stub.parent == made:  # a module without submodules: a folder all the same
                place = package / stub.stem / "__init__.pyi"
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
