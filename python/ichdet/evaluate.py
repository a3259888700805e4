"""Metrics, confidence intervals and tests on NumPy arrays. What is not defined (0 / 0, one class) is NaN, never 0."""

from ._core._evaluate import *  # noqa: F401,F403
