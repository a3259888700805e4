"""ichdet finds intracranial hemorrhage on head CT. Not for clinical use."""

from importlib import import_module as _import_module
from types import ModuleType as _ModuleType

from . import _html as _html
from . import _tables as _tables
from . import ensemble as ensemble
from . import evaluate as evaluate
from . import interop as interop
from . import plot as plot
from . import viewer as viewer
from ._core import *  # noqa: F401,F403
from ._core import __version__ as __version__
from ._errors import Cancelled as Cancelled
from ._errors import DicomError as DicomError
from ._errors import Error as Error
from ._errors import GeometryError as GeometryError
from ._errors import IoError as IoError
from ._errors import LimitError as LimitError
from ._errors import OptionsError as OptionsError
from ._errors import ShapeError as ShapeError
from ._errors import WeightsError as WeightsError
from .viewer import view as view


def __getattr__(name: str) -> _ModuleType:
    """What needs torch or scikit-learn is imported when it is asked for."""
    if name in ("attribution", "nn", "sklearn", "train"):
        return _import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
