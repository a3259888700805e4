"""ichdet finds intracranial hemorrhage on head CT. Not for clinical use."""

from . import ensemble, evaluate  # noqa: F401
from ._core import *  # noqa: F401,F403
from ._core import Error  # noqa: F401
