"""The package's types, as mypy sees them: they are complete, they are what the extensions have, and they help."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ichdet

SITE = Path(ichdet.__file__).absolute().parents[1]
SETTINGS = Path(__file__).parents[2] / "pyproject.toml"

RIGHT = """
import numpy as np
import numpy.typing as npt
import ichdet
from ichdet.nn import open_detector

study = ichdet.read_study("folder")
found = open_detector(threads=1)(study.stack)
positive: bool = found.result.decision.positive
hu: npt.NDArray[np.float32] = study.stack.hu
windowed: npt.NDArray[np.float32] = ichdet.window(np.zeros((1, 4, 4), np.float32), ichdet.Window(0, 80))
volumes: dict[str, float] = found.result.volumes_ml
"""
WRONG = {
    "ichdet.read_study(7)": "arg-type",
    "ichdet.Window(0, 80).low": "attr-defined",
    "ichdet.window(ichdet.Window(0, 80))": "call-arg",
    "x: str = ichdet.phantom().stack": "assignment",
}
# What stubtest says of all that pybind11 and scikit-learn make, and of names for checkers alone.
OTHERWISE = [
    "is inconsistent, metaclass differs$",
    r"__init__ is inconsistent, stub does not have \*args parameter",  # classes that only ichdet makes
    r"^ichdet\._(core|nn)\.(_\w+\.|attribution\.)?__all__ is not present at runtime",
    r"^ichdet\.\w+\.\w+\.(Kind|WindowLike) is not a Union$",
    r"set_score_request is not present in stub$",
    r"^ichdet\.(_tables\.pandas|sklearn\.missing) is not present at runtime$",
]


def mypy(*arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(SITE), "MYPYPATH": str(SITE), "MYPY_CACHE_DIR": str(folder / "cache")}
    return subprocess.run([sys.executable, "-m", *map(str, arguments)], capture_output=True, text=True,
                          env=environment, cwd=folder, timeout=600)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


def test_complete(folder):
    told = mypy("mypy", "--config-file", SETTINGS, "--strict", "-p", "ichdet", folder=folder)
    assert told.returncode == 0, told.stdout + told.stderr


def test_stubtest(folder):
    told = mypy("mypy.stubtest", "--mypy-config-file", SETTINGS, "--concise", "--ignore-disjoint-bases", "ichdet",
                folder=folder)  # fmt: skip
    lines = told.stdout.splitlines()
    assert any("metaclass differs" in line for line in lines), told.stdout + told.stderr  # it ran to the end
    assert not [line for line in lines if not re.search("|".join(OTHERWISE), line)]


def test_a_user(folder):
    (folder / "right.py").write_text(RIGHT)
    told = mypy("mypy", "--strict", "--follow-imports=silent", "right.py", folder=folder)
    assert told.returncode == 0, told.stdout
    (folder / "wrong.py").write_text("import ichdet\n" + "\n".join(WRONG) + "\n")
    told = mypy("mypy", "--strict", "--follow-imports=silent", "wrong.py", folder=folder)
    for line, kind in enumerate(WRONG.values(), start=2):
        assert any(text.startswith(f"wrong.py:{line}:") and f"[{kind}]" in text for text in told.stdout.splitlines()), told.stdout
