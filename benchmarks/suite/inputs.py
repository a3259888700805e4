"""What cases read: studies, published weights, and ichdet's command line, which makes phantoms and bundles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .case import LeftOut

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data")).resolve()
BINARY = Path(os.environ.get("ICHDET_BINARY", ROOT / "build" / "ichdet")).resolve()


def real_data(name: str) -> Path:
    """A folder of published scans or weights."""
    if not (DATA / name).exists():
        raise LeftOut(f"no {DATA / name}; set ICHDET_DATA")
    return DATA / name


def run(*command: object) -> None:
    """A program that is to end well and whose words nobody reads."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr}")


def cli(*arguments: object) -> None:
    """ichdet's."""
    run(BINARY, *arguments)


def blast_ct_bundles(folder: Path, members: int = 1) -> list[Path]:
    """Of the published weights."""
    data = real_data("blast_ct_v1")
    run(sys.executable, ROOT / "python/ichdet/convert/blast_ct.py",
        *(data / f"model_{i}.pt" for i in range(1, members + 1)), "--config", data / "config.json", "--licence",
        data / "LICENSE.txt", "--out", folder / "bundles")
    return sorted((folder / "bundles").iterdir())
