import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """`real_data(name)`: a folder of real scans; the test is skipped, saying so, where it is not there."""
    root = Path(os.environ.get("ICHDET_DATA", Path(__file__).parents[3] / "shared" / "data")).resolve()

    def find(name):
        path = root / name
        if not path.exists():
            pytest.skip(f"SKIPPED: no {path}; set ICHDET_DATA")
        return path

    return find


@pytest.fixture(scope="session")
def ichdet():
    """The command line's binary: $ICHDET_BINARY, else build/ichdet."""
    binary = Path(os.environ.get("ICHDET_BINARY", Path(__file__).parents[2] / "build" / "ichdet"))
    assert binary.exists(), f"no {binary}; build it, or set ICHDET_BINARY"
    return binary
