"""What Python costs: imports, and bound calls beyond their work."""

import sys

import numpy as np

from suite.arrays import differences
from suite.case import Case
from suite.inputs import run


def nothing(folder):
    """Needs no input."""


def importing(modules):
    """In a process of its own, as every script does it."""
    return lambda folder, threads: lambda: run(sys.executable, "-c", f"import {modules}")


imports = Case("python/import", "a Python process that imports it and ends", nothing, lambda outputs: {})
for who, modules in {
    "ichdet": "ichdet",
    "ichdet with networks": "ichdet.nn, ichdet.attribution, ichdet.train",
    "nothing": "sys",
    "NumPy": "numpy",
    "torch": "torch",
    "MONAI": "monai.networks.nets, monai.inferers, monai.transforms",
}.items():
    imports.contender(who)(importing(modules))


window = Case("python/window", "16 pixels through a window: the cost of a bound call", nothing,
              lambda outputs: differences(outputs, "ichdet", 1e-7))
pixels = np.linspace(-50, 120, 16, dtype=np.float32).reshape(1, 4, 4)


@window.contender("ichdet")
def window_ichdet(folder, threads):
    import ichdet

    brain = ichdet.Window(0, 80)
    return lambda: ichdet.window(pixels, brain)


@window.contender("NumPy")
def window_numpy(folder, threads):
    return lambda: np.clip(pixels, 0, 80) / np.float32(80)


confusion = Case("python/confusion", "sensitivity of 8 scores: the cost of a bound call", nothing,
                 lambda outputs: differences(outputs, "ichdet", 1e-12))
truth, scores = np.array([0, 1, 0, 1, 1, 0, 0, 1], bool), np.linspace(0, 1, 8)


@confusion.contender("ichdet")
def confusion_ichdet(folder, threads):
    from ichdet import evaluate

    return lambda: float(evaluate.confusion(truth, scores, 0.5).sensitivity)


@confusion.contender("NumPy")
def confusion_numpy(folder, threads):
    return lambda: (scores[truth] >= 0.5).mean()


CASES = [imports, window, confusion]
