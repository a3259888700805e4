"""ichdet finds intracranial hemorrhage on head CT. Not for clinical use."""

from . import _html, _tables, ensemble, evaluate, interop, plot, viewer  # noqa: F401
from ._core import *  # noqa: F401,F403
from ._core import __version__  # noqa: F401
from ._errors import (  # noqa: F401
    Cancelled,
    DicomError,
    Error,
    GeometryError,
    IoError,
    LimitError,
    OptionsError,
    ShapeError,
    WeightsError,
)
from .viewer import view  # noqa: F401
