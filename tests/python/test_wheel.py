"""The wheel that `make wheel` makes, in an environment that has torch and NumPy and nothing else of ours."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("ICHDET_BUILD", ROOT / "build"))
PYTHON = ROOT / ".venv" / "bin" / "python"
# What every Linux with glibc and Python has: auditwheel's own list for manylinux, as far as it is used here.
SYSTEM = r"linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s|z|expat)\.so"
TORCH = r"lib(torch.*|c10|gomp)\.so|lib(openvino|tbb)\.so"


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(PYTHON, "-m", "pip", "wheel", ROOT, "-q", "--no-deps", "--no-build-isolation", "-C", f"build-dir={BUILD}",
        "-w", folder)  # fmt: skip
    (made,) = folder.glob("ichdet-*.whl")
    return made


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    run(PYTHON, "-m", "venv", folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    torch = run(PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (packages / "torch.pth").write_text(torch)
    run(folder / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", wheel)
    return folder


def apart(folder):
    """Variables of a shell that knows nothing of the source tree."""
    return {"PATH": f"{folder}/bin:/usr/bin:/bin", "HOME": str(folder), "ICHDET_CACHE": f"{folder}/cache"}


def test_brings_what_it_needs(wheel, environment):
    (package,) = environment.glob("lib/python*/site-packages/ichdet")
    programs = [package / "ichdet", *package.glob("*.so")]
    assert len(programs) >= 3
    for program in programs:
        for line in run("ldd", program, env={"PATH": "/usr/bin:/bin"}).splitlines():
            name, _, place = line.strip().partition(" => ")
            at_home = "/ichdet.libs/" in place
            assert at_home or re.match(f"(.*/)?({SYSTEM}|{TORCH})", name), f"{program.name} needs {line}"
        dynamic = run("readelf", "-d", program)
        assert str(ROOT) not in dynamic, dynamic
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for part in ("py.typed", "_core/__init__.pyi", "_nn/__init__.pyi", "bundles/ichdet/ensemble.yaml"):
        assert f"ichdet/{part}" in names
    assert any(re.search("licenses/bundled/libgdcm", name) for name in names)


def test_finds_a_hemorrhage(environment):
    program = """
import ichdet, ichdet.nn
from pathlib import Path
assert Path(ichdet.__file__).is_relative_to(%r), ichdet.__file__
phantom = ichdet.phantom(hemorrhages=[ichdet.Hemorrhage(volume_ml=30)], rows=128, columns=128, pixel_mm=1.8, slices=8, thickness_mm=18)
found = ichdet.nn.open_detector(threads=1)(phantom.stack)
print(found.result.decision.positive)
"""
    python = environment / "bin" / "python"
    told = run(python, "-c", program % str(environment), env=apart(environment), cwd=environment)
    assert told.strip() == "True"


def test_command_line_is_the_program(environment, ichdet):
    version = run(ichdet, "--version")
    for command in ([environment / "bin" / "python", "-m", "ichdet"], [environment / "bin" / "ichdet"]):
        assert run(*command, "--version", env=apart(environment), cwd=environment) == version
        asked = [*map(str, command), "detect", "/nowhere"]
        wrong = subprocess.run(asked, capture_output=True, text=True, env=apart(environment))
        there = subprocess.run([ichdet, "detect", "/nowhere"], capture_output=True, text=True)
        assert (wrong.returncode, wrong.stderr) == (there.returncode, there.stderr) and wrong.returncode != 0
        models = run(*command, "models", "list", env=apart(environment))
        assert "ichdet" in models and str(ROOT) not in models


def test_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert re.findall(r"Programming Language :: Python :: ([\d.]+)", metadata) == [here]
    assert "Requires-Dist: torch==2.13.0" in metadata


def test_sdist_configures(tmp_path):
    hook = "import sys; sys.path.insert(0, 'tools/wheel'); import backend; backend.build_sdist(sys.argv[1])"
    run(PYTHON, "-c", hook, tmp_path, cwd=ROOT)
    (archive,) = tmp_path.glob("ichdet-*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.glob("ichdet-*/")
    tracked = run("git", "ls-files", "src", "include", "python", "cmake", "bundles", "recipes", "tools", cwd=ROOT)
    missing = [name for name in tracked.splitlines() if not (folder / name).exists()]
    assert not missing
    run("cmake", "-S", folder, "-B", tmp_path / "build", "-G", "Ninja", "-DSKBUILD=2", f"-DPython_EXECUTABLE={PYTHON}")
