"""What every conversion is made of: values in ichdet's order, their grid, and what they are."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import Geometry, LabelMap, ProbabilityMap, SliceLabels, SliceStack, Volume
from .._errors import GeometryError, OptionsError, ShapeError

Grid: TypeAlias = Volume | LabelMap | ProbabilityMap
Kind: TypeAlias = Literal["volume", "labels", "probabilities"]

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # and back


def package(name: str, function: str) -> Any:
    """A package, or an ImportError that says which function wants it."""
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        distribution = name.split(".")[0]
        raise ImportError(
            f"ichdet.interop.{function} needs the Python package {distribution}, which cannot be imported ({missing}); "
            f"pip install {distribution.lower()}",
            name=name,
        ) from missing


@dataclass
class Content:
    """(z, y, x), or (class, z, y, x) for probabilities, on a grid in LPS millimetres."""

    values: npt.NDArray[Any]
    geometry: Geometry
    kind: Kind = "volume"
    names: list[str] = field(default_factory=list)  # of labels or classes


def content_of(thing: Grid | SliceStack | SliceLabels) -> Content:
    if isinstance(thing, Volume):
        return Content(thing.hu, thing.geometry)
    if isinstance(thing, LabelMap):
        return Content(thing.labels, thing.geometry, "labels", list(thing.names))
    if isinstance(thing, ProbabilityMap):
        return Content(thing.values, thing.geometry, "probabilities", list(thing.classes))
    if isinstance(thing, SliceStack):
        return Content(thing.hu, _regular(thing))
    if isinstance(thing, SliceLabels):
        return Content(thing.labels, _regular(thing), "labels", list(thing.names))
    raise TypeError(
        "expected a Volume, LabelMap, ProbabilityMap, SliceStack or SliceLabels of ichdet, "
        f"found {type(thing).__module__}.{type(thing).__qualname__}"
    )


def _regular(slices: SliceStack | SliceLabels) -> Geometry:
    grid = slices.geometry.regular()
    if grid is None:
        gaps = np.diff(slices.geometry.offsets_mm)
        raise GeometryError(
            f"slices: expected even steps, which an image needs, found {gaps.min():.3f} to {gaps.max():.3f} mm; "
            "resample first, for example ichdet.resample_to(x, ichdet.segmentation_grid(x.geometry, [1, 1, 1]))",
        )
    return grid


def made(values: npt.NDArray[Any], affine: npt.NDArray[np.float64], kind: Kind, names: Sequence[str] | None,
         frame_of_reference_uid: str, what: str) -> Grid:
    """A Volume, LabelMap or ProbabilityMap; nothing is copied that is of its type and C-contiguous."""
    axes = 4 if kind == "probabilities" else 3
    if values.ndim != axes or values.dtype.kind not in "biuf" or 0 in values.shape:
        wanted = "(class, z, y, x)" if axes == 4 else "(z, y, x)"
        raise ShapeError(f"{what}: expected real numbers {wanted}, found {values.dtype} of shape {values.shape}")
    grid = Geometry(values.shape[-3:][::-1], affine, frame_of_reference_uid)
    if kind == "volume":
        return Volume(values, grid)
    if kind == "labels":
        labels = _labels(values, what)
        return LabelMap(labels, _named(names, int(labels.max()) + 1, "label"), grid)
    if kind == "probabilities":
        return ProbabilityMap(values, _named(names, len(values), "class"), grid)
    raise OptionsError(f"kind: expected 'volume', 'labels' or 'probabilities', found {kind!r}")


def _named(names: Sequence[str] | None, count: int, word: str) -> list[str]:
    if names is not None:
        return list(names)
    return ["background"] + [f"{word} {i}" for i in range(1, count)]


def _labels(values: npt.NDArray[Any], what: str) -> npt.NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return values
    with np.errstate(invalid="ignore"):
        labels = values.astype(np.uint8)
        wrong = labels != values
    if wrong.any():
        raise ShapeError(f"{what}: expected labels, whole numbers from 0 to 255, found {values[wrong][0]}")
    return labels


def kind_of(kind: Kind | None, label_names: Any, class_names: Any) -> Kind:
    """What was asked for, else what the names that came with an image say."""
    if kind is None:
        return "labels" if label_names is not None else "probabilities" if class_names is not None else "volume"
    if kind not in ("volume", "labels", "probabilities"):
        raise OptionsError(f"kind: expected 'volume', 'labels' or 'probabilities', found {kind!r}")
    return kind
