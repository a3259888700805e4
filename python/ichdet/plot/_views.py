"""Slices, turned by quarter turns and mirrored until they lie as radiologists read them (report/view.hpp)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core import Geometry, LabelMap, SliceLabels, SliceStack, Volume, head_mask, volumes_ml
from .._errors import OptionsError, ShapeError

Picture: TypeAlias = SliceStack | Volume | npt.NDArray[Any]
Mask: TypeAlias = SliceLabels | LabelMap | npt.NDArray[Any]

READING = {0: ((0, 1, 0), (0, 0, -1)), 1: ((1, 0, 0), (0, 0, -1)), 2: ((1, 0, 0), (0, 1, 0))}


@dataclass
class View:
    """How (row, column) planes are shown, and where their pixels lie along the picture's two directions, in mm."""

    transposed: bool
    flip_rows: bool
    flip_columns: bool
    right: npt.NDArray[np.float64]  # LPS unit vectors along which the picture runs right and down
    down: npt.NDArray[np.float64]
    column_mm: float
    row_mm: float
    lettered: bool = True

    def shown(self, plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
        plane = np.swapaxes(plane, 0, 1) if self.transposed else plane
        return plane[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def letters(self) -> tuple[str, str, str, str]:
        """Of the left, right, upper and lower edge."""
        return _letter(-self.right), _letter(self.right), _letter(-self.down), _letter(self.down)


@dataclass
class Planes:
    """HU (slice, row, column), how to show them, and each slice's first pixel in LPS mm."""

    values: npt.NDArray[Any]
    view: View
    first: npt.NDArray[np.float64]
    along_row: npt.NDArray[np.float64]
    along_column: npt.NDArray[np.float64]
    spacing: tuple[float, float]  # along a row, along a column
    gap_mm: float | None = None  # between slices; None: not known

    def extent(self, slice_index: int) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edge of the picture: millimetres along its directions, LPS where they are LPS."""
        rows, columns = self.values.shape[1:]
        corner = self.first[slice_index]
        far = (corner + self.along_row * self.spacing[0] * (columns - 1)
               + self.along_column * self.spacing[1] * (rows - 1))
        edges = []
        for direction, size in ((self.view.right, self.view.column_mm), (self.view.down, self.view.row_mm)):
            a, b = sorted((float(corner @ direction), float(far @ direction)))
            edges.append((a - size / 2, b + size / 2))
        return edges[0][0], edges[0][1], edges[1][1], edges[1][0]


def _letter(direction: npt.NDArray[np.float64]) -> str:
    axis = int(np.abs(direction).argmax())
    return ("RAI" if direction[axis] < 0 else "LPS")[axis]


def view_of(u: npt.NDArray[np.float64], v: npt.NDArray[np.float64], spacing: tuple[float, float]) -> View:
    """Of planes whose columns run along u and rows along v."""
    right, down = READING[int(np.abs(np.cross(u, v)).argmax())]
    transposed = bool(abs(u @ right) < abs(v @ right))
    across, along = (v, u) if transposed else (u, v)
    flip_columns, flip_rows = bool(across @ right < 0), bool(along @ down < 0)
    across_mm, along_mm = spacing[::-1] if transposed else spacing
    return View(transposed, flip_rows, flip_columns, -across if flip_columns else across,
                -along if flip_rows else along, across_mm, along_mm)


def planes_of(picture: Picture, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> Planes:
    """An array is (slice, row, column) or (row, column), shown as it lies; spacing_mm between columns, rows."""
    if isinstance(picture, SliceStack):
        planes = picture.geometry.planes
        u, v = np.asarray(planes[0].along_row), np.asarray(planes[0].along_column)
        spacing = (planes[0].column_spacing_mm, planes[0].row_spacing_mm)
        first = np.array([plane.position_mm for plane in planes])
        return Planes(picture.hu, view_of(u, v, spacing), first, u, v, spacing, picture.geometry.nominal_gap_mm)
    if isinstance(picture, Volume):
        affine, spacing3 = picture.geometry.affine, picture.geometry.spacing_mm
        u, v = affine[:3, 0] / spacing3[0], affine[:3, 1] / spacing3[1]
        spacing = (float(spacing3[0]), float(spacing3[1]))
        first = affine[:3, 3] + np.outer(np.arange(picture.hu.shape[0]), affine[:3, 2])
        return Planes(picture.hu, view_of(u, v, spacing), first, u, v, spacing, float(spacing3[2]))
    values = np.asarray(picture)
    values = values[None] if values.ndim == 2 else values
    if values.ndim != 3:
        raise ShapeError(f"picture: expected (slice, row, column) or (row, column), found shape {values.shape}")
    x, y = np.eye(3)[0], np.eye(3)[1]
    view = View(False, False, False, x, y, *spacing_mm, lettered=False)
    return Planes(values, view, np.zeros((len(values), 3)), x, y, spacing_mm)


def head_of(planes: Planes) -> tuple[npt.NDArray[Any], int]:
    """Where the head is, on every n-th row and column, and n; without the table where the geometry is known."""
    coarse = max(1, round(3 / max(planes.spacing))) if planes.gap_mm is not None else 1
    values = np.ascontiguousarray(planes.values[:, ::coarse, ::coarse], np.float32)
    if planes.gap_mm is not None and len(values) > 1:
        across, along = planes.spacing
        grid = Geometry.aligned(values.shape[::-1], [across * coarse, along * coarse, planes.gap_mm])
        return np.asarray(head_mask(Volume(values, grid))) > 0, coarse
    lowest = float(values.min())
    return values > (-300.0 if lowest < -400 else lowest + 5), coarse


def check_slice(planes: Planes, index: int) -> None:
    if not 0 <= index < len(planes.values):
        raise OptionsError(f"slice: expected 0 to {len(planes.values) - 1}, found {index}")


def labels_of(mask: Mask | None, planes: Planes) -> tuple[npt.NDArray[Any] | None, list[str], dict[str, float]]:
    """Labels of the picture's shape, their names, and the volume of each in mL where the geometry tells it."""
    if mask is None:
        return None, [], {}
    if isinstance(mask, (SliceLabels, LabelMap)):
        labels, names, measured = mask.labels, list(mask.names), label_volumes(mask)
    else:
        labels = np.asarray(mask)
        labels = labels[None] if labels.ndim == 2 else labels
        labels = labels.astype(np.uint8) if labels.dtype == bool else labels
        names = ["background"] + [f"label {i}" for i in range(1, int(labels.max(initial=0)) + 1)]
        names = ["background", "mask"] if len(names) == 2 else names
        measured = {}
    if labels.shape != planes.values.shape:
        raise ShapeError(f"labels: expected the picture's shape {planes.values.shape}, found {labels.shape}; "
                         "ichdet.resample_to(labels, picture.geometry) brings them there")
    return labels, names, measured


def label_volumes(labels: SliceLabels | LabelMap) -> dict[str, float]:
    """Of each label but background, in mL."""
    if isinstance(labels, SliceLabels):
        return dict(volumes_ml(labels))
    voxel_ml = abs(float(np.linalg.det(labels.geometry.affine[:3, :3]))) / 1000
    counts = np.bincount(labels.labels.ravel(), minlength=len(labels.names))
    return {name: float(counts[i]) * voxel_ml for i, name in enumerate(labels.names) if i > 0}
