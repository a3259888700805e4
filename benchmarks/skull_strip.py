"""The engines of skull strip on real scans and a phantom: millilitres, Dice between them, seconds, peak memory.

    benchmarks/skull_strip.py MINDGRAB_BUNDLE INPUT...

MINDGRAB_BUNDLE is what `ichdet import mindgrab` made; each INPUT a DICOM folder, a DICOM file or a NIfTI file. A picture
of each mask is left in --out. Seconds and memory are those of a whole `ichdet strip`, reading and writing included.
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import ichdet


def strip(binary, source, engine, bundle, out, threads):
    """What `ichdet strip` says, its mask, and what it took."""
    command = [binary, "strip", source, "-o", out, "--engine", engine, "--threads", str(threads), "--json"]
    if engine != "classical":
        command += ["--bundle", bundle]
    start = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{source}: ichdet strip --engine {engine} failed")
    seconds = time.perf_counter() - start
    mask = np.asarray(ichdet.read_nifti_labels(out / "brain_mask.nii.gz").labels) == 1
    return json.loads(text), mask, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--binary", default="build/ichdet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp(prefix="skull_strip_")))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"{'scan':24} {'engine':10} {'mL':>7} {'Dice':>7} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9}")
    for source in options.inputs:
        masks = {}
        for engine in ("classical", "mindgrab"):
            out = options.out / f"{source.name}-{engine}"
            said, masks[engine], wall, cpu, peak = strip(
                options.binary, source, engine, options.bundle, out, options.threads
            )
            both = masks["classical"] & masks[engine]
            dice = 2 * both.sum() / max(1, masks["classical"].sum() + masks[engine].sum())
            print(f"{source.name:24} {engine:10} {said['volume_ml']:7.0f} {dice:7.4f} {wall:8.1f} {cpu:8.1f} {peak:9.0f}")
    print(f"pictures: {options.out}/*/sheet.png")


if __name__ == "__main__":
    main()
