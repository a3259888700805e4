"""Colours, axes and windows that all diagrams share."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

from .._core import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WindowLike: TypeAlias = "Window | str | tuple[float, float]"

# Okabe and Ito, in the order of ichdet's own overlays (report/draw.hpp).
PALETTE = ("#d55e00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#e69f00", "#0072b2")
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # those that show on white
POSITIVE, CURVE, QUIET = "#d55e00", "#0072b2", "#8a8a8a"


def pyplot() -> Any:
    return _matplotlib("matplotlib.pyplot")


def _matplotlib(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        raise ImportError(
            f"ichdet.plot needs the Python package matplotlib, which cannot be imported ({missing}); "
            "pip install matplotlib",
            name="matplotlib",
        ) from missing


def diagram(ax: Axes | None, width: float = 5.0, height: float = 4.5) -> Axes:
    """The axes given, or new ones, without the frame's upper and right side."""
    ax = picture(ax, width, height)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color="0.9", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def picture(ax: Axes | None, width: float = 5.0, height: float = 5.0) -> Axes:
    return new_figure(width, height).add_subplot() if ax is None else ax


def new_figure(width: float, height: float) -> Figure:
    figure: Figure = pyplot().figure(figsize=(width, height), layout="constrained")
    return figure


def label_color(label: int) -> str:
    return PALETTE[(max(label, 1) - 1) % len(PALETTE)]


def as_window(window: WindowLike) -> Window:
    if isinstance(window, Window):
        return window
    if isinstance(window, str):
        return Window.parse(window)
    return Window.centre_width(*window)
