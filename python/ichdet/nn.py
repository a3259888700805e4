"""Networks: needs the part of ichdet that is built with LibTorch. Importing `ichdet` alone does not."""

from ._nn import *  # noqa: F401,F403
