"""The package's types, as mypy sees them: they are complete, they are what the extensions have, and they help."""

import os
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


def mypy(*arguments, folder):
    environment = {**os.environ, "MYPYPATH": str(SITE), "MYPY_CACHE_DIR": str(folder / "cache")}
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
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-2000:]


def test_a_user(folder):
    (folder / "right.py").write_text(RIGHT)
    told = mypy("mypy", "--strict", "right.py", folder=folder)
    assert told.returncode == 0, told.stdout
    (folder / "wrong.py").write_text("import ichdet\n" + "\n".join(WRONG) + "\n")
    told = mypy("mypy", "--strict", "wrong.py", folder=folder)
    for line, kind in enumerate(WRONG.values(), start=2):
        assert any(text.startswith(f"wrong.py:{line}:") and f"[{kind}]" in text for text in told.stdout.splitlines()), told.stdout
