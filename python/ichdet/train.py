"""Data sets to train on, and who of them is in which split. Needs the part of ichdet that is built with LibTorch."""

from ._nn._train import *  # noqa: F401,F403
