from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._core import Geometry, SliceLabels, SliceStack
from .._errors import GeometryError, ShapeError
from ._content import Grid, Kind, content_of, kind_of, made, package

if TYPE_CHECKING:
    import xarray

EVEN = 1e-4  # of a step: how far coordinates may be from even ones


def to_xarray(thing: Grid | SliceStack | SliceLabels) -> xarray.DataArray:
    """An xarray DataArray that shares the voxels.

    Parameters
    ----------
    thing : Volume, LabelMap, ProbabilityMap, SliceStack or SliceLabels
        Of slices: where they are a regular grid.

    Returns
    -------
    xarray.DataArray, (z, y, x), or (class, z, y, x) of probabilities
        Where the grid runs along the LPS axes, the coordinates x, y, z are LPS millimetres, descending where an axis
        runs backwards. Else they are millimetres along each axis from the first voxel, and attrs["direction"] (3 x 3,
        row by row) and attrs["origin_mm"] bring them to LPS: ``origin + direction @ (x, y, z)``. Either way sel, isel,
        flips and strides give arrays that `from_xarray` places right. attrs also hold spacing_mm,
        frame_of_reference_uid and label_names: numbers, strings and lists of them.

    Raises
    ------
    GeometryError
        Slices whose steps vary.
    ImportError
        xarray is not installed.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([4, 3, 2], [0.5, 0.5, 5.0], [-10, 20, 30])
    >>> array = ichdet.interop.to_xarray(ichdet.Volume(np.zeros((2, 3, 4)), grid))
    >>> array.sel(z=33, method="nearest").z.item(), array.x.values.tolist()
    (35.0, [-10.0, -9.5, -9.0, -8.5])
    >>> array.attrs["units"], array.attrs["space"]
    ('HU', 'LPS')
    """
    xr = package("xarray", "to_xarray")
    content = content_of(thing)
    geometry = content.geometry
    linear = geometry.affine[:3, :3]
    attrs: dict[str, Any] = {"space": "LPS", "spacing_mm": geometry.spacing_mm.tolist()}
    if np.array_equal(linear, np.diag(np.diag(linear))):
        start, step = geometry.origin_mm, np.diag(linear)
    else:
        start, step = np.zeros(3), geometry.spacing_mm
        attrs["direction"] = geometry.direction.ravel().tolist()
        attrs["origin_mm"] = geometry.origin_mm.tolist()
    coords: dict[str, Any] = {
        axis: (axis, start[i] + step[i] * np.arange(geometry.size[i]), {"units": "mm"}) for i, axis in enumerate("xyz")
    }
    if geometry.frame_of_reference_uid:
        attrs["frame_of_reference_uid"] = geometry.frame_of_reference_uid
    dims: tuple[str, ...] = ("z", "y", "x")
    if content.kind == "probabilities":
        dims, coords["class"] = ("class", *dims), content.names
    elif content.kind == "labels":
        attrs["label_names"] = content.names
    else:
        attrs["units"] = "HU"
    array: xarray.DataArray = xr.DataArray(content.values, coords, dims, attrs=attrs)
    return array


def from_xarray(array: xarray.DataArray, kind: Kind | None = None, *, names: Sequence[str] | None = None) -> Grid:
    """A Volume, LabelMap or ProbabilityMap from an xarray DataArray.

    Parameters
    ----------
    array : xarray.DataArray
        With dimensions z, y, x, and class for probabilities, in any order, and evenly spaced coordinates in
        millimetres, as `to_xarray` makes them. A single coordinate's spacing is taken from attrs["spacing_mm"] (x, y,
        z). Voxels are shared where they are z, y, x contiguous and of ichdet's type.
    kind : 'volume', 'labels', 'probabilities' or None
        None: 'probabilities' with a dimension class, 'labels' with attrs["label_names"], else 'volume'.
    names : list of str or None
        Of labels or classes. None: attrs["label_names"] or the coordinate class, else "background", "label 1", ...

    Returns
    -------
    Volume, LabelMap or ProbabilityMap

    Raises
    ------
    ShapeError
        Other dimensions.
    GeometryError
        No coordinates, uneven ones, attrs["space"] other than LPS.
    OptionsError
        Another kind.
    ImportError
        xarray is not installed.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([4, 3, 2], [0.5, 0.5, 5.0])
    >>> array = ichdet.interop.to_xarray(ichdet.Volume(np.zeros((2, 3, 4)), grid))
    >>> part = ichdet.interop.from_xarray(array.isel(x=slice(1, None, 2), y=[2, 1, 0]))
    >>> part.geometry.spacing_mm.tolist(), part.geometry.origin_mm.tolist()
    ([1.0, 0.5, 5.0], [0.5, 1.0, 0.0])
    """
    package("xarray", "from_xarray")
    attrs = array.attrs
    class_names = None
    if "class" in array.dims:
        class_names = [str(name) for name in array["class"].values]
    label_names = attrs.get("label_names")
    kind = kind_of(kind, label_names, class_names)
    dims = ("class", "z", "y", "x") if kind == "probabilities" else ("z", "y", "x")
    if set(array.dims) != set(dims):
        found_dims = ", ".join(map(str, array.dims))
        raise ShapeError(f"DataArray: expected the dimensions {', '.join(dims)}, found {found_dims}")
    if attrs.get("space", "LPS") != "LPS":
        raise GeometryError(f"DataArray, attrs['space']: expected LPS, found {attrs['space']}")
    affine = _affine(array)
    found = label_names if kind == "labels" else class_names
    return made(array.transpose(*dims).values, affine, kind, names if names is not None else found,
                str(attrs.get("frame_of_reference_uid", "")), "DataArray")


def _affine(array: xarray.DataArray) -> npt.NDArray[np.float64]:
    start, step = np.zeros(3), np.zeros(3)
    for i, axis in enumerate("xyz"):
        if axis not in array.coords:
            raise GeometryError(f"DataArray: expected coordinates of {axis} in mm, found none")
        places = np.asarray(array.coords[axis].values, np.float64)
        start[i] = places[0]
        if len(places) > 1:
            step[i] = (places[-1] - places[0]) / (len(places) - 1)
        elif "spacing_mm" in array.attrs:
            step[i] = array.attrs["spacing_mm"][i]
        else:
            raise GeometryError(f"DataArray: expected attrs['spacing_mm'] for a single coordinate of {axis}")
        if not np.allclose(places, start[i] + step[i] * np.arange(len(places)), rtol=0, atol=EVEN * abs(step[i])):
            raise GeometryError(f"DataArray, coordinates of {axis}: expected even steps, found {np.diff(places)}")
    direction = np.reshape(array.attrs.get("direction", np.eye(3)), (3, 3))
    affine = np.eye(4)
    affine[:3, :3] = direction * step
    affine[:3, 3] = np.asarray(array.attrs.get("origin_mm", np.zeros(3))) + direction @ start
    return affine
