import os
import subprocess
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


@pytest.fixture(scope="session")
def run(ichdet, real_data, tmp_path_factory):
    """Runs the command line with a cache of the tests' own, which holds the bundle."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ICHDET_")}
    environment["ICHDET_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    environment["ICHDET_MODEL_MIRROR"] = str(real_data("blast_ct_v1").parent)

    def call(*arguments, **extra):
        return subprocess.run(
            [ichdet, *map(str, arguments)], env={**environment, **extra}, capture_output=True, text=True, timeout=600
        )

    assert call("models", "get", "blast-ct-v1").returncode == 0
    call.environment = environment
    return call


@pytest.fixture(scope="session")
def study(run, tmp_path_factory):
    """A thin slab of head with a hemorrhage: enough to be found, small enough to be quick."""
    folder = tmp_path_factory.mktemp("study") / "phantom"
    made = run("phantom", "--out", folder, "--slices", 6, "--size", 128, "--hemorrhage", "iph:20", "--quiet")
    assert made.returncode == 0, made.stderr
    return folder / "dicom"


@pytest.fixture(scope="module")
def one_thread():
    """torch on one thread: small networks on the threads of a busy machine mostly wait for each other."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
