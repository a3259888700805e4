"""scikit-build-core's hooks for pip, with a wheel that needs no system package: GDCM and its like move in, their
copyright files with them. What torch and OpenVINO bring stays theirs."""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from auditwheel.wheeltools import InWheel
from scikit_build_core import build as base
from scikit_build_core.build import *  # noqa: F401,F403

OTHERS = ["libtorch*", "libc10*", "libgomp*", "libshm*", "libopenvino*"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / base.build_wheel(folder, config_settings, metadata_directory)
        repaired = Path(folder) / "repaired"
        command = [sys.executable, "-m", "auditwheel", "repair", str(raw), "-w", str(repaired)]
        subprocess.run(command + [f"--exclude={name}" for name in OTHERS], check=True)
        (wheel,) = repaired.glob("*.whl")
        with InWheel(wheel, Path(wheel_directory) / wheel.name):
            add_copyrights(Path("ichdet.libs"), next(Path().glob("*.dist-info")) / "licenses" / "bundled")
        return wheel.name


def add_copyrights(libraries, folder):
    folder.mkdir(parents=True)
    for library in sorted(libraries.glob("*.so*")):
        name = re.sub(r"-[0-9a-f]{8}(?=\.so)", "", library.name)
        owner = subprocess.run(["dpkg-query", "-S", f"*/{name}"], capture_output=True, text=True)
        if owner.returncode != 0:
            raise SystemExit(f"{name}: bundled into the wheel, but of no Debian package: its licence is not known")
        package = owner.stdout.split(":")[0]
        shutil.copy(f"/usr/share/doc/{package}/copyright", folder / f"{package}.txt")
