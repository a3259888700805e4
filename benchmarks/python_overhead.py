"""What Python costs: the import of ichdet beyond torch's own, and a bound call of a small stage beyond its work.

Run as: PYTHONPATH=build/python python benchmarks/python_overhead.py
Imports are timed in processes of their own, in turn; all figures are the least of the runs.
"""

import subprocess
import sys
import timeit

import numpy as np
import torch

import ichdet
import ichdet.nn
from process import mib

RUNS = 7
MODULES = "ichdet, ichdet.nn, ichdet.attribution, ichdet.train"
PROGRAM = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(first, then=""):
    program = f"import {first}; {PROGRAM.format(then)}" if then else PROGRAM.format(first)
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def imports():
    cases = {
        "numpy": ("numpy",),
        "torch": ("torch",),
        "ichdet, after numpy": ("numpy", "ichdet"),
        f"{MODULES}, after torch": ("torch", MODULES),
    }
    seconds = {name: min(import_seconds(*case) for _ in range(RUNS)) for name, case in cases.items()}
    for name, value in seconds.items():
        print(f"import {name:60} {value:6.3f} s")


def calls():
    hu = np.zeros((1, 4, 4), np.float32)
    mask = np.ones((2, 4, 4), np.uint8)
    geometry = ichdet.Geometry.aligned([4, 4, 2], [1, 1, 1])
    volume = ichdet.Volume(np.zeros((2, 4, 4), np.float32), geometry)
    brain = ichdet.Window(0, 80)
    truth, scores = np.array([0, 1, 0, 1, 1, 0, 0, 1], bool), np.linspace(0, 1, 8)
    logits, classes = torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.int64)
    small = {
        "Volume.hu": lambda: volume.hu,
        "Geometry.spacing_mm": lambda: geometry.spacing_mm,
        "Volume(array, geometry)": lambda: ichdet.Volume(hu.repeat(2, 0), geometry),
        "window, 16 pixels": lambda: ichdet.window(hu, brain),
        "fill_holes, 32 voxels": lambda: ichdet.fill_holes(mask),
        "evaluate.confusion, 8 scores": lambda: ichdet.evaluate.confusion(truth, scores, 0.5),
        "np.clip, 16 pixels, for comparison": lambda: np.clip(hu, 0, 80),
        "torch.relu, 32 values, for comparison": lambda: torch.relu(logits),
    }
    for name, call in small.items():
        repeats = 20_000
        least = min(timeit.repeat(call, number=repeats, repeat=RUNS)) / repeats
        print(f"{name:40} {least * 1e6:8.2f} microseconds")


if __name__ == "__main__":
    torch.set_num_threads(1)
    imports()
    calls()
    print(f"resident memory of a process with torch and ichdet: {mib('VmRSS'):.0f} MiB")
