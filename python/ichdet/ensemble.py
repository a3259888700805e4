"""Several models as one, and probabilities that mean what they say. Arrays are (class, z, y, x), class 0 background."""

from ._core._ensemble import *  # noqa: F401,F403
