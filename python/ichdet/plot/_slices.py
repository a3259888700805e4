from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._errors import ShapeError
from ._style import WindowLike, as_window, label_color, new_figure, picture
from ._views import Mask, Picture, Planes, check_slice, head_of, labels_of, planes_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

DARK = "#101010"
MARGIN_MM = 8.0  # of air around the head
LETTER: dict[str, Any] = {"color": "0.75", "fontsize": 8}


def slice_view(
    image: Picture,
    index: int | None = None,
    *,
    labels: Mask | None = None,
    heat: npt.ArrayLike | None = None,
    window: WindowLike = "brain",
    fill: float = 0.0,
    heat_range: tuple[float, float] | None = None,
    heat_opacity: float = 0.6,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    legend: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """One slice, upright, in its window, with masks as outlines and a map as colours.

    Parameters
    ----------
    image : SliceStack, Volume or array (slice, row, column) or (row, column)
        HU. An array is shown as it lies, with `spacing_mm` between its columns and between its rows.
    index : int or None
        The slice. None: the one that shows most of `labels`, else the middle.
    labels : SliceLabels, LabelMap or array, or None
        Of the image's shape; each label gets an outline, its name and its volume in the legend.
    heat : array or None
        (slice, row, column) or (row, column): a map over the slice, see `heat_map`.
    window : str, (centre, width) or Window
        In HU; names are those of `ichdet.named_windows`.
    fill : float
        Opacity of a tint inside the outlines, 0 to 1.
    heat_range : (low, high) or None
        The values at the ends of the colours. None: 0, or the lowest where that is less, to the highest.
    heat_opacity : float
    spacing_mm : (float, float)
        Of arrays: between columns, between rows.
    legend : bool
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes
        In millimetres: of LPS x and y where the slice is axial and straight.

    Raises
    ------
    ShapeError
        Labels or map of another shape.
    OptionsError
        No such slice, no such window.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> planes = ichdet.SliceGeometry(ichdet.Geometry.aligned([32, 32, 3], [6, 6, 5]))
    >>> hu = np.full((3, 32, 32), 30.0)
    >>> hu[1, 10:20, 5:9] = 70
    >>> blood = ichdet.SliceLabels(hu > 60, ["background", "blood"], planes)
    >>> ax = ichdet.plot.slice_view(ichdet.SliceStack(planes, hu), labels=blood)
    >>> ax.texts[0].get_text(), ax.get_legend().get_texts()[0].get_text()
    ('1', 'blood, 7.2 mL')
    >>> ax.images[0].get_extent()
    [-3.0, 189.0, 189.0, -3.0]
    """
    planes = planes_of(image, spacing_mm)
    values, names, measured = labels_of(labels, planes)
    index = usual_slice(planes, values) if index is None else index
    check_slice(planes, index)
    ax = picture(ax)
    draw_slice(ax, planes, index, window)
    if heat is not None:
        low, high = heat_limits(heat, heat_range)
        draw_heat(ax, planes, index, _plane(heat, index, planes), low, high, heat_opacity)
    if values is not None:
        shown = draw_labels(ax, planes, index, values, fill)
        if legend:
            draw_legend(ax, shown, names, measured)
    return ax


def montage(
    image: Picture,
    slices: Sequence[int] | None = None,
    *,
    labels: Mask | None = None,
    heat: npt.ArrayLike | None = None,
    window: WindowLike = "brain",
    fill: float = 0.0,
    heat_range: tuple[float, float] | None = None,
    heat_opacity: float = 0.6,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    columns: int | None = None,
    max_tiles: int = 20,
    tile_inches: float = 2.0,
    crop: bool = True,
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """Many slices from the feet up, with masks and maps as in `slice_view`, and one legend.

    Parameters
    ----------
    image, labels, heat, window, fill, heat_range, heat_opacity, spacing_mm
        As of `slice_view`; one range of colours for all slices.
    slices : list of int or None
        None: `max_tiles` of those that show head or labels, evenly spaced.
    columns : int or None
        Of the montage. None: as many as make it wider than high.
    max_tiles : int
        How many slices are chosen where `slices` is None.
    tile_inches : float
        Width of a tile.
    crop : bool
        Leave out the air around the head, table and head rest; of arrays, what all slices show of air.
    title : str
    figure : matplotlib.figure.Figure or None
        To draw into; None: a new one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    Error
        As of `slice_view`.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> volume = ichdet.Volume(np.zeros((6, 32, 32)), ichdet.Geometry.aligned([32, 32, 6], [6, 6, 5]))
    >>> figure = ichdet.plot.montage(volume, window=(80, 200), columns=3)
    >>> [ax.texts[0].get_text() for ax in figure.axes[:3]]
    ['0', '1', '2']
    """
    planes = planes_of(image, spacing_mm)
    values, names, measured = labels_of(labels, planes)
    head, coarse = head_of(planes)
    if slices is None:
        wanted = np.flatnonzero(head.any(axis=(1, 2)) | (False if values is None else values.any(axis=(1, 2))))
        wanted = wanted if len(wanted) else np.arange(len(planes.values))
        slices = wanted[np.unique(np.linspace(0, len(wanted) - 1, max_tiles).round().astype(int))].tolist()
    for index in slices:
        check_slice(planes, index)
    box = head_box(planes, head, coarse) if crop else None
    left, right, bottom, top = box or planes.extent(slices[0])
    ratio = abs((bottom - top) / (right - left))
    columns = columns or max(1, min(len(slices), round(float(np.sqrt(1.5 * len(slices) * ratio)))))
    rows = -(-len(slices) // columns)
    if figure is None:
        figure = new_figure(columns * tile_inches + (0.0 if heat is None else 0.8), rows * tile_inches * ratio + 0.35)
    figure.set_facecolor(DARK)
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    limits = None if heat is None else heat_limits(heat, heat_range)
    shown: set[int] = set()
    axes = []
    for place, index in enumerate(slices):
        ax = figure.add_subplot(rows, columns, place + 1)
        axes.append(ax)
        draw_slice(ax, planes, index, window, letters=place == 0)
        if heat is not None and limits is not None:
            mapped = draw_heat(ax, planes, index, _plane(heat, index, planes), *limits, heat_opacity)
        if values is not None:
            shown |= draw_labels(ax, planes, index, values, fill)
        if box:
            (x, _, y, _), (x0, _, y0, _) = planes.extent(index), planes.extent(0)
            ax.set_xlim(box[0] + x - x0, box[1] + x - x0)
            ax.set_ylim(box[2] + y - y0, box[3] + y - y0)
    if heat is not None:
        bar = figure.colorbar(mapped, ax=axes, shrink=0.6, pad=0.01)
        bar.ax.tick_params(colors="0.85", labelsize=8)
    if values is not None:
        draw_legend(figure, shown, names, measured)
    if title:
        figure.suptitle(title, color="0.95", fontsize=11)
    return figure


def heat_map(
    image: Picture,
    heat: Any,
    index: int | None = None,
    *,
    explainer: Any = None,
    window: WindowLike = "brain",
    heat_range: tuple[float, float] | None = None,
    opacity: float = 0.6,
    labels: Mask | None = None,
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    colorbar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """A slice under a map's colours, which fade in over the lower part of the scale, with the scale beside it.

    Parameters
    ----------
    image : SliceStack, Volume or array (slice, row, column) or (row, column)
    heat : SliceExplanation, tensor or array, (row, column) or (slice, row, column)
        An explanation's map lies over the network's image: `explainer` brings it to the slice.
    index : int or None
        The slice. None: the explanation's, else where the map has its maximum, else the middle.
    explainer : ichdet.attribution.SliceExplainer or None
        The one that made `heat`.
    window, heat_range, labels, spacing_mm : as of `slice_view`
    opacity : float
        Of the colours at the upper end, 0 to 1.
    colorbar : bool
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ShapeError
        A map of another shape than the slice.
    OptionsError
        No such slice.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> heat = np.zeros((32, 32)); heat[20:30, 10:25] = 0.8
    >>> ax = ichdet.plot.heat_map(np.full((32, 32), 40.0), heat)
    >>> ax.images[1].get_cmap().name, tuple(float(v) for v in ax.images[1].get_clim())
    ('plasma', (0.0, 0.8))
    """
    planes = planes_of(image, spacing_mm)
    explained = getattr(heat, "map", None)
    if explained is not None:
        index = heat.slice if index is None else index
        heat = explained if explainer is None else explainer.on_slices(image, explained)
    heat = np.asarray(heat.detach().cpu() if hasattr(heat, "detach") else heat)
    if index is None:
        index = int(heat.max(axis=(1, 2)).argmax()) if heat.ndim == 3 else len(planes.values) // 2
    check_slice(planes, index)
    plane = _plane(heat, index, planes)
    ax = picture(ax)
    draw_slice(ax, planes, index, window)
    mapped = draw_heat(ax, planes, index, plane, *heat_limits(heat, heat_range), opacity)
    if labels is not None:
        values, names, measured = labels_of(labels, planes)
        assert values is not None
        draw_legend(ax, draw_labels(ax, planes, index, values, 0), names, measured)
    if colorbar:
        ax.figure.colorbar(mapped, ax=ax, shrink=0.8)
    return ax


def draw_slice(ax: Axes, planes: Planes, index: int, window: WindowLike, letters: bool = True,
               number: bool = True) -> AxesImage:
    limits = as_window(window)
    drawn = ax.imshow(planes.view.shown(planes.values[index]), cmap="gray", vmin=limits.low_hu, vmax=limits.high_hu,
                      extent=planes.extent(index), interpolation="antialiased", aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_facecolor("black")
    for spine in ax.spines.values():
        spine.set_visible(False)
    if number:
        ax.text(0.02, 0.98, str(index), transform=ax.transAxes, ha="left", va="top", **{**LETTER, "color": "0.95"})
    if letters and planes.view.lettered:
        left, right, top, bottom = planes.view.letters()
        for x, y, letter in ((0.02, 0.5, left), (0.98, 0.5, right), (0.5, 0.98, top), (0.5, 0.02, bottom)):
            ax.text(x, y, letter, transform=ax.transAxes, ha={0.02: "left", 0.98: "right"}.get(x, "center"),
                    va={0.02: "bottom", 0.98: "top"}.get(y, "center"), **LETTER)
    return drawn


def draw_labels(ax: Axes, planes: Planes, index: int, labels: npt.NDArray[Any], fill: float) -> set[int]:
    """Outlines, and a tint inside; the labels that are there."""
    plane = planes.view.shown(labels[index])
    left, right, bottom, top = planes.extent(index)
    rows, columns = plane.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = top + (np.arange(rows) + 0.5) * (bottom - top) / rows
    present = {int(label) for label in np.unique(plane) if label != 0}
    for label in sorted(present):
        inside = plane == label
        if fill > 0:
            tint = np.zeros((*plane.shape, 4))
            tint[inside] = (*_rgb(label_color(label)), fill)
            ax.imshow(tint, extent=planes.extent(index), interpolation="nearest", aspect="equal")
        if min(rows, columns) > 1:
            ax.contour(x, y, inside.astype(float), levels=[0.5], colors=[label_color(label)], linewidths=1.3)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    return present


def draw_heat(ax: Axes, planes: Planes, index: int, plane: npt.NDArray[Any], low: float, high: float,
              opacity: float) -> AxesImage:
    shown = planes.view.shown(plane)
    alpha = opacity * np.clip((shown - low) / (0.4 * max(high - low, 1e-12)), 0, 1)
    return ax.imshow(shown, cmap="plasma", vmin=low, vmax=high, alpha=alpha, extent=planes.extent(index),
                     interpolation="nearest", aspect="equal")


def draw_legend(where: Axes | Figure, shown: Iterable[int], names: list[str], measured: dict[str, float]) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for label in sorted(shown):
        name = names[label] if label < len(names) else f"label {label}"
        volume = f", {measured[name]:.1f} mL" if name in measured else ""
        handles.append(Line2D([], [], color=label_color(label), linewidth=2, label=name + volume))
    if not handles:
        return
    if hasattr(where, "suptitle"):
        where.legend(handles=handles, loc="outside lower center", ncols=len(handles), labelcolor="0.95", frameon=False,
                     fontsize=9)
    else:
        where.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 0.06), labelcolor="0.95", fontsize=8,
                     facecolor="black", edgecolor="none", framealpha=0.5)


def heat_limits(heat: npt.ArrayLike, given: tuple[float, float] | None) -> tuple[float, float]:
    if given is not None:
        return given
    finite = np.asarray(heat)[np.isfinite(heat)]
    low, high = min(0.0, float(finite.min(initial=0))), float(finite.max(initial=0))
    return low, high if high > low else low + 1


def _plane(heat: npt.ArrayLike, index: int, planes: Planes) -> npt.NDArray[Any]:
    values = np.asarray(heat)
    if values.shape not in (planes.values.shape, planes.values.shape[1:]):
        raise ShapeError(f"map: expected {planes.values.shape[1:]} or {planes.values.shape}, found {values.shape}; "
                         "a map over a network's image is brought to the slice by its explainer")
    return values[index] if values.ndim == 3 else values


def usual_slice(planes: Planes, labels: npt.NDArray[Any] | None) -> int:
    if labels is not None and labels.any():
        return int(np.count_nonzero(labels, axis=(1, 2)).argmax())
    return len(planes.values) // 2


def head_box(planes: Planes, head: npt.NDArray[Any], coarse: int) -> tuple[float, float, float, float] | None:
    """Left, right, bottom and top in millimetres, on slice 0, of what is head on any slice, and 8 mm more."""
    if not head.any():
        return None
    shown = planes.view.shown(np.asarray(head.any(axis=0)))
    left, right, bottom, top = planes.extent(0)
    columns, rows = np.flatnonzero(shown.any(axis=0)), np.flatnonzero(shown.any(axis=1))
    across, along = (right - left) / shown.shape[1], (bottom - top) / shown.shape[0]
    return (
        max(left, left + columns[0] * across - MARGIN_MM),
        min(right, left + (columns[-1] + 1) * across + MARGIN_MM),
        min(bottom, top + (rows[-1] + 1) * along + MARGIN_MM),
        max(top, top + rows[0] * along - MARGIN_MM),
    )


def _rgb(color: str) -> tuple[float, float, float]:
    return tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]
