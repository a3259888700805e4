"""Data sets, their splits, losses; training, judging, refining and watching models (docs/training.md).

Needs the part of ichdet that is built with LibTorch.
"""

from ._nn._train import *  # noqa: F401,F403
