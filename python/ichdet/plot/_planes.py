from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._core import Geometry, LabelMap, SliceLabels, SliceStack, Volume, connected_components, resample_to
from .._errors import GeometryError, ShapeError
from ._slices import DARK, LETTER, MARGIN_MM, draw_labels, draw_legend, draw_slice
from ._style import WindowLike, new_figure
from ._views import Planes, head_of, planes_of, label_volumes, view_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def three_planes(
    image: SliceStack | Volume,
    point_mm: Sequence[float] | None = None,
    *,
    labels: SliceLabels | LabelMap | None = None,
    window: WindowLike = "brain",
    fill: float = 0.0,
    spacing_mm: float = 1.0,
    cross: bool = True,
    figure: Figure | None = None,
) -> Figure:
    """The axial, coronal and sagittal plane through a point, in patient space and true proportions.

    Parameters
    ----------
    image : SliceStack or Volume
        Tilted, oblique and unevenly spaced ones are first resampled to a grid along the patient's axes.
    point_mm : (x, y, z) or None
        LPS millimetres. None: inside the largest connected piece of `labels`, else the middle.
    labels : SliceLabels, LabelMap or None
        On the image's planes or grid.
    window, fill : as of `slice_view`
    spacing_mm : float
        Of that grid.
    cross : bool
        Lines through the point.
    figure : matplotlib.figure.Figure or None

    Returns
    -------
    matplotlib.figure.Figure
        Its three axes are in LPS millimetres: x and y, x and z, y and z.

    Raises
    ------
    GeometryError
        The point is outside.
    ShapeError
        Labels of another shape.
    OptionsError
        No such window.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([40, 50, 8], [1, 1, 5])
    >>> figure = ichdet.plot.three_planes(ichdet.Volume(np.zeros((8, 50, 40)), grid), [10, 20, 15])
    >>> [ax.get_title() for ax in figure.axes]
    ['axial, z = 15 mm', 'coronal, y = 20 mm', 'sagittal, x = 10 mm']
    """
    volume, masks = _straight(image, labels, spacing_mm)
    grid = volume.geometry
    origin, step = grid.origin_mm, np.diag(grid.affine)[:3]
    point = np.asarray(usual_point(volume, masks) if point_mm is None else point_mm, float)
    index = np.rint((point - origin) / step).astype(int)
    if (index < 0).any() or (index >= grid.size).any():
        last = origin + step * (np.array(grid.size) - 1)
        limits = f"{np.round(origin, 1)} to {np.round(last, 1)}"
        raise GeometryError(f"point_mm: expected a point from {limits}, found {point}")
    values = np.zeros(volume.hu.shape, np.uint8) if masks is None else masks.labels
    low, high = _head(volume, values)
    sizes = high - low
    if figure is None:
        width = 2 * sizes[0] + sizes[1]
        figure = new_figure(10.0, 10.0 * max(sizes[1], sizes[2]) / width + 0.6)
    figure.set_facecolor(DARK)
    figure.set_layout_engine("constrained", w_pad=0.03, h_pad=0.03)
    shown: set[int] = set()
    axes = figure.subplots(1, 3, width_ratios=[sizes[0], sizes[0], sizes[1]])
    for ax, name, normal, (a, b) in zip(axes, ("axial", "coronal", "sagittal"), (2, 1, 0), ((0, 1), (0, 2), (1, 2))):
        planes = _cut(volume.hu, origin, step, normal, a, b)
        draw_slice(ax, planes, index[normal], window, number=False)
        shown |= draw_labels(ax, planes, index[normal], _moved(values, normal), fill)
        sign = [-1 if axis == 2 else 1 for axis in (a, b)]  # z grows upwards
        ax.set_xlim(low[a], high[a])
        ax.set_ylim((high[b], low[b]) if sign[1] > 0 else (-low[b], -high[b]))
        if cross:
            ax.axvline(sign[0] * point[a], color=LETTER["color"], linewidth=0.6, linestyle=(0, (4, 4)))
            ax.axhline(sign[1] * point[b], color=LETTER["color"], linewidth=0.6, linestyle=(0, (4, 4)))
        ax.set_title(f"{name}, {'xyz'[normal]} = {point[normal]:.0f} mm", color="0.95", fontsize=9)
    if labels is not None and masks is not None:
        draw_legend(figure, shown, masks.names, label_volumes(labels))
    return figure


def _straight(image: SliceStack | Volume, labels: SliceLabels | LabelMap | None,
              spacing_mm: float) -> tuple[Volume, LabelMap | None]:
    """On a grid whose axes run to +L, +P, +S."""
    if labels is not None and labels.labels.shape != image.hu.shape:
        raise ShapeError(f"labels: expected the image's shape {image.hu.shape}, found {labels.labels.shape}")
    if isinstance(image, SliceStack):
        regular = image.geometry.regular()
        if regular is not None and _is_straight(regular):
            image = Volume(image.hu, regular)
    elif not isinstance(image, Volume):
        raise TypeError(f"image: expected a SliceStack or Volume, found {type(image).__qualname__}")
    if isinstance(image, Volume) and _is_straight(image.geometry):
        return image, None if labels is None else LabelMap(labels.labels, labels.names, image.geometry)
    grid = image.geometry if isinstance(image, Volume) else image.geometry.nominal()
    turned = grid.reoriented_to_lps()
    grid = turned if isinstance(image, Volume) and _is_straight(turned) else _box(grid, spacing_mm)
    return resample_to(image, grid), None if labels is None else resample_to(labels, grid)


def _is_straight(grid: Geometry) -> bool:
    linear = grid.affine[:3, :3]
    return np.array_equal(linear, np.diag(np.abs(np.diag(linear))))


def _box(grid: Geometry, spacing_mm: float) -> Geometry:
    """The straight grid around an oblique one."""
    corners = np.array([[i, j, k] for i in (0, grid.size[0] - 1) for j in (0, grid.size[1] - 1)
                        for k in (0, grid.size[2] - 1)])
    places = corners @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    low, high = places.min(axis=0), places.max(axis=0)
    size = np.floor((high - low) / spacing_mm).astype(int) + 1
    return Geometry.aligned(size.tolist(), [spacing_mm] * 3, low)


def _head(volume: Volume, labels: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lowest and highest x, y, z of head and labels, in LPS mm, with a margin; of all voxels where no head is seen."""
    origin, step = volume.geometry.origin_mm, np.diag(volume.geometry.affine)[:3]
    edges = origin - step / 2, origin + step * (np.array(volume.geometry.size) - 0.5)
    head, coarse = head_of(planes_of(volume))
    if not head.any():
        return edges
    inside = np.concatenate([np.argwhere(head) * [1, coarse, coarse], np.argwhere(labels)])[:, ::-1]
    return (np.maximum(edges[0], origin + step * inside.min(axis=0) - MARGIN_MM),
            np.minimum(edges[1], origin + step * (inside.max(axis=0) + [coarse - 1, coarse - 1, 0]) + MARGIN_MM))


def _moved(values: npt.NDArray[Any], normal: int) -> npt.NDArray[Any]:
    """(z, y, x) with the normal's axis first: the others keep their order, so that rows are z or y."""
    return np.moveaxis(values, 2 - normal, 0)


def _cut(hu: npt.NDArray[Any], origin: npt.NDArray[np.float64], step: npt.NDArray[np.float64], normal: int, a: int,
         b: int) -> Planes:
    unit = np.eye(3)
    spacing = (float(step[a]), float(step[b]))
    first = origin + np.outer(np.arange(hu.shape[2 - normal]), unit[normal] * step[normal])
    return Planes(_moved(hu, normal), view_of(unit[a], unit[b], spacing), first, unit[a], unit[b], spacing)


def usual_point(volume: Volume, labels: LabelMap | None) -> npt.NDArray[np.float64]:
    """In LPS mm: inside the largest connected piece of labels, else the middle."""
    index = np.array(volume.geometry.size) // 2
    if labels is not None and labels.labels.any():
        pieces = np.asarray(connected_components((labels.labels > 0).astype(np.uint8))[0])
        largest = np.argwhere(pieces == np.bincount(pieces.ravel())[1:].argmax() + 1)
        # A crescent's centre lies outside it.
        index = largest[((largest - largest.mean(axis=0)) ** 2).sum(axis=1).argmin()][::-1]
    affine = volume.geometry.affine
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3], np.float64)
