"""Studies to page through in a notebook: NiiVue (ipyniivue) where it is installed, else ipywidgets and matplotlib.

Both work offline: what runs in the browser is in the Python packages. Not for clinical use.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ._core import Geometry, LabelMap, SliceLabels, SliceStack, Volume, named_windows, resample_to, segmentation_grid
from ._core import write_nifti
from ._errors import OptionsError, ShapeError
from ._html import WARNING, label_table
from .plot._planes import usual_point
from .plot._slices import slice_view, usual_slice
from .plot._style import WindowLike, as_window, label_color
from .plot._views import Mask, Picture, label_volumes, labels_of, planes_of

__all__ = ["Viewer", "view"]

NIIVUE_PX, PICTURE_PX = 360, 600


@dataclass
class Viewer:
    """A viewer as a notebook shows it, and its controls, whose `value` can be set and observed from Python.

    Examples
    --------
    >>> viewer = ichdet.viewer.view(np.zeros((3, 32, 32)), backend="slices")
    >>> viewer.slice.max, viewer.window.value
    (2, 'brain')
    """

    #: ipywidgets.VBox: all of it
    box: Any
    #: ipywidgets.Dropdown: the window, by name
    window: Any
    #: ipywidgets.FloatSlider: opacity of labels and map, 0 to 1; None where there is neither
    opacity: Any
    #: ipywidgets.IntSlider: the slice; None with NiiVue, which has its own
    slice: Any
    #: ipyniivue.NiiVue, or ipywidgets.Image with the picture
    picture: Any

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.box._repr_mimebundle_(**kwargs)


def view(
    image: Any,
    labels: Any = None,
    heat_map: Any = None,
    *,
    window: WindowLike = "brain",
    opacity: float = 0.5,
    backend: Literal["niivue", "slices"] | None = None,
) -> Viewer:
    """A study, a stack or a volume in a notebook, with labels and a map over it.

    Parameters
    ----------
    image : Study, SliceStack, Volume or array (slice, row, column)
    labels : Detection, SliceLabels, LabelMap or array, or None
        Of the image's shape.
    heat_map : array or tensor (slice, row, column), or None
        Of the image's shape.
    window : str, (centre, width) or Window
        That is shown first. The others to choose from are `ichdet.named_windows`.
    opacity : float
        Of labels and map, 0 to 1.
    backend : 'niivue', 'slices' or None
        niivue: three planes through the largest piece of the labels, by ipyniivue. A stack that is no regular
        grid is resampled to one of 1 mm. slices: the stack's own slices with a slider, from the one with most of the
        labels, by ipywidgets and matplotlib. None: niivue where it is installed and the image has a geometry, else
        slices.

    Returns
    -------
    Viewer
        Shown by the notebook where it is a cell's last value.

    Raises
    ------
    ShapeError
        Labels or a map of another shape.
    OptionsError
        No such window or backend; niivue for an array.
    ImportError
        The packages of the backend are not installed.

    Examples
    --------
    >>> volume = ichdet.Volume(np.zeros((6, 32, 32)), ichdet.Geometry.aligned([32, 32, 6], [6, 6, 5]))
    >>> viewer = ichdet.viewer.view(volume, labels=volume.hu > 60, window="subdural", backend="slices")
    >>> before = viewer.picture.value
    >>> viewer.slice.value = 5
    >>> viewer.picture.value != before
    True
    """
    image = getattr(image, "stack", image)
    labels = labels.labels if hasattr(labels, "result") else labels
    planes = planes_of(image)
    values, names, _ = labels_of(labels, planes)
    heat = None
    if heat_map is not None:
        heat = np.asarray(heat_map.detach().cpu() if hasattr(heat_map, "detach") else heat_map, np.float32)
        if heat.shape != planes.values.shape:
            raise ShapeError(f"heat_map: expected {planes.values.shape}, found {heat.shape}")
    placed = isinstance(image, (SliceStack, Volume))
    if backend is None:
        backend = "niivue" if placed and importlib.util.find_spec("ipyniivue") is not None else "slices"
    if backend == "niivue":
        if not placed:
            raise OptionsError("backend: expected 'slices' for an array, which has no geometry, found 'niivue'")
        return _niivue(image, values, names, heat, window, opacity)
    if backend == "slices":
        return _slices(image, labels, heat, window, opacity)
    raise OptionsError(f"backend: expected 'niivue' or 'slices', found {backend!r}")


def _package(name: str, packages: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        raise ImportError(
            f"this viewer needs the Python package {name.split('.')[0]}, which cannot be imported ({missing}); "
            f"pip install {packages}", name=name
        ) from missing


def _controls(widgets: Any, window: WindowLike, opacity: float, overlaid: bool) -> tuple[Any, Any, dict[str, Any]]:
    first = as_window(window)
    windows = dict(named_windows())
    name = window if isinstance(window, str) and window in windows else f"{first.centre_hu:g}, {first.width_hu:g}"
    windows.setdefault(name, first)
    chooser = widgets.Dropdown(options=list(windows), value=name, description="window")
    slider = widgets.FloatSlider(opacity, min=0, max=1, step=0.05, description="opacity") if overlaid else None
    return chooser, slider, windows


def _slices(image: Picture, labels: Mask | None, heat: npt.NDArray[np.float32] | None, window: WindowLike,
            opacity: float) -> Viewer:
    widgets = _package("ipywidgets", "ipywidgets matplotlib")
    figures = _package("matplotlib.figure", "ipywidgets matplotlib")

    overlaid = labels is not None or heat is not None
    chooser, slider, windows = _controls(widgets, window, opacity, overlaid)
    planes = planes_of(image)
    first, last = usual_slice(planes, labels_of(labels, planes)[0]), len(planes.values) - 1
    number = widgets.IntSlider(first, min=0, max=last, description="slice")
    picture = widgets.Image(format="png", layout={"width": f"{PICTURE_PX}px", "max_width": "100%"})

    def draw(_: Any = None) -> None:
        figure = figures.Figure(figsize=(PICTURE_PX / 100, PICTURE_PX / 100), facecolor="black")
        seen = slider.value if slider is not None else 0.0
        slice_view(image, number.value, labels=labels if seen else None, heat=heat, window=windows[chooser.value],
                   fill=0.6 * seen, heat_opacity=seen, ax=figure.add_axes((0, 0, 1, 1)))
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=100)
        picture.value = file.getvalue()

    controls = [one for one in (number, chooser, slider) if one is not None]
    for control in controls:
        control.observe(draw, "value")
    draw()
    box = widgets.VBox([widgets.HBox(controls), picture, widgets.HTML(WARNING)])
    return Viewer(box, chooser, slider, number, picture)


def _niivue(image: SliceStack | Volume, labels: npt.NDArray[Any] | None, names: list[str],
            heat: npt.NDArray[np.float32] | None, window: WindowLike, opacity: float) -> Viewer:
    niivue = _package("ipyniivue", "ipyniivue")
    widgets = _package("ipywidgets", "ipyniivue")
    chooser, slider, windows = _controls(widgets, window, opacity, labels is not None or heat is not None)
    grid = _grid(image)
    shown = windows[chooser.value]
    volume, legend = _on(grid, image), ""
    masks: Any = None
    layers = [niivue.Volume(name="image.nii.gz", data=_nifti(volume), colormap="gray", cal_min=shown.low_hu,
                            cal_max=shown.high_hu, colorbar_visible=False)]
    if heat is not None:
        high = float(heat.max()) or 1.0
        over = SliceStack(image.geometry, heat) if isinstance(image, SliceStack) else Volume(heat, image.geometry)
        layers.append(niivue.Volume(name="map.nii.gz", data=_nifti(_on(grid, over, 0.0)), colormap="plasma",
                                    cal_min=0.2 * high, cal_max=high, opacity=opacity))
    if labels is not None:
        named = (SliceLabels(labels, names, image.geometry) if isinstance(image, SliceStack)
                 else LabelMap(labels, names, image.geometry))
        masks, legend = _on(grid, named), label_table(label_volumes(named), names)
        layers.append(niivue.Volume(name="labels.nii.gz", data=_nifti(masks), opacity=opacity, colorbar_visible=False))
        layers[-1].set_colormap_label(_colors(names))
    nv = niivue.NiiVue(height=NIIVUE_PX, is_radiological_convention=True, sagittal_nose_left=True,
                       multiplanar_show_render=niivue.ShowRender.NEVER, is_corner_orientation_text=True,
                       crosshair_color=(0.6, 0.6, 0.6, 1))
    nv.load_volumes(layers)
    nv.scene.crosshair_pos = _share(grid, usual_point(volume, masks))

    def change_window(_: Any) -> None:
        limits = windows[chooser.value]
        layers[0].cal_min, layers[0].cal_max = limits.low_hu, limits.high_hu

    def change_opacity(_: Any) -> None:
        for layer in layers[1:]:
            layer.opacity = slider.value

    chooser.observe(change_window, "value")
    if slider is not None:
        slider.observe(change_opacity, "value")
    controls = [one for one in (chooser, slider) if one is not None]
    return Viewer(widgets.VBox([widgets.HBox(controls), nv, widgets.HTML(legend + WARNING)]), chooser, slider, None, nv)


def _share(grid: Geometry, point_mm: npt.NDArray[np.float64]) -> list[float]:
    """A point as NiiVue has it: the share of the way to the right, the front and the top of the grid."""
    turned = grid.reoriented_to_lps()
    index = np.linalg.inv(turned.affine) @ [*point_mm, 1]
    left, back, up = ((index[:3] + 0.5) / turned.size).tolist()
    return [1 - left, 1 - back, up]


def _grid(image: SliceStack | Volume) -> Geometry:
    if isinstance(image, Volume):
        return image.geometry
    return image.geometry.regular() or segmentation_grid(image.geometry, [1.0, 1.0, 1.0])


def _on(grid: Geometry, thing: Any, outside: float | None = None) -> Any:
    if isinstance(thing, (Volume, LabelMap)):
        return thing
    even = thing.geometry.regular() is not None
    if isinstance(thing, SliceLabels):
        return LabelMap(thing.labels, thing.names, grid) if even else resample_to(thing, grid)
    return Volume(thing.hu, grid) if even else resample_to(thing, grid, outside=outside)


def _nifti(thing: Volume | LabelMap) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ichdet-") as folder:
        path = Path(folder) / "image.nii.gz"
        write_nifti(path, thing, compression_level=1)
        return path.read_bytes()


def _colors(names: list[str]) -> dict[str, Any]:
    """NiiVue's table of label colours; background is clear."""
    colors = [[0, 0, 0]] + [[int(label_color(i)[c:c + 2], 16) for c in (1, 3, 5)] for i in range(1, len(names))]
    red, green, blue = zip(*colors)
    return {"R": list(red), "G": list(green), "B": list(blue), "A": [0] + [255] * (len(names) - 1),
            "I": list(range(len(names))), "labels": names}
