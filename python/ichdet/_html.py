"""What notebooks show of ichdet's objects. Attached to the classes when ichdet is imported; needs no matplotlib.

Nothing that names the patient is shown: no name, number, date or free text of the files.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _core
from ._core import Geometry, LabelMap, ProbabilityMap, SliceGeometry, SliceLabels, SliceStack, StudyResult, Volume
from .plot._style import PALETTE, label_color
from .plot._views import Planes, head_of, label_volumes, planes_of, view_of

TILES, TILE_PX, MOST_ROWS = 12, 120, 10
WARNING = '<div style="font-size:smaller;opacity:0.7">Not for clinical use.</div>'


def slice_stack(stack: SliceStack) -> str:
    return _page("SliceStack", _stack_facts(stack), _montage(planes_of(stack)))


def study(of: Any) -> str:
    facts = [("source", "NIfTI" if of.source_grid is not None else "DICOM"), *_stack_facts(of.stack)]
    return _page("Study", facts, _montage(planes_of(of.stack)))


def volume(of: Volume) -> str:
    return _page("Volume", [*_grid_facts(of.geometry), ("HU", _range(of.hu))], _montage(planes_of(of)))


def label_map(of: LabelMap) -> str:
    return _page("LabelMap", _grid_facts(of.geometry), label_table(label_volumes(of), of.names), _label_montage(of))


def probability_map(of: ProbabilityMap) -> str:
    return _page("ProbabilityMap", [*_grid_facts(of.geometry), ("classes", ", ".join(of.classes))])


def slice_labels(of: SliceLabels) -> str:
    table = label_table(label_volumes(of), of.names)
    return _page("SliceLabels", _slice_facts(of.geometry), table, _label_montage(of))


def study_result(of: StudyResult) -> str:
    return _page("StudyResult", *_result_parts(of))


def detection(of: Any) -> str:
    return _page("Detection", *_result_parts(of.result), _label_montage(of.labels))


def bundle(of: Any) -> str:
    spec = of.spec
    facts = [
        ("name", f"{spec.name} {spec.version}"),
        ("task", spec.task),
        ("architecture", spec.architecture),
        ("classes", ", ".join(one.name for one in spec.classes)),
        ("learned from", spec.training_data),
        ("licence", spec.licence),
        ("SHA-256", of.sha256),
    ]
    if spec.untrained:
        facts.insert(1, ("UNTRAINED", "its weights are random numbers: no result means anything"))
    return _page("Bundle", facts)


def attach(module: Any) -> None:
    """Gives the classes of an extension module their _repr_html_."""
    functions: dict[str, Callable[[Any], str]] = {
        "Study": study, "SliceStack": slice_stack, "Volume": volume, "LabelMap": label_map, "SliceLabels": slice_labels,
        "ProbabilityMap": probability_map, "StudyResult": study_result, "Detection": detection, "Bundle": bundle,
    }
    for name, function in functions.items():
        kind = vars(module).get(name)
        if kind is not None:
            kind._repr_html_ = _shown(function)


def _shown(function: Callable[[Any], str]) -> Callable[[Any], str]:
    def _repr_html_(self: Any) -> str:
        return function(self)

    _repr_html_.__doc__ = "What a notebook shows: a table and a small picture, nothing that names the patient."
    return _repr_html_


def _page(title: str, facts: Sequence[tuple[str, Any]], *parts: str) -> str:
    return (f'<div class="ichdet"><b>ichdet.{escape(title)}</b>{_facts(facts)}{"".join(parts)}{WARNING}</div>')


def _facts(facts: Iterable[tuple[str, Any]]) -> str:
    left = 'style="text-align:left"'
    rows = "".join(f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(str(value))}</td></tr>"
                   for name, value in facts if str(value))
    return f"<table>{rows}</table>"


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _grid_facts(grid: Geometry) -> list[tuple[str, Any]]:
    facts = [
        ("voxels x, y, z", " × ".join(map(str, grid.size))),
        ("spacing", _mm(grid.spacing_mm)),
        ("origin, LPS", _mm(grid.origin_mm, ", ")),
    ]
    if not np.allclose(grid.direction, np.eye(3), atol=1e-6):
        facts.append(("axes run to", "; ".join(_mm(axis, ", ", "") for axis in grid.direction.T)))
    return facts


def _slice_facts(geometry: SliceGeometry) -> list[tuple[str, Any]]:
    plane, gaps = geometry.planes[0], np.diff(geometry.offsets_mm)
    count, rows, columns = geometry.shape
    facts = [
        ("slices", f"{count} of {rows} × {columns}"),
        ("pixel", _mm((plane.column_spacing_mm, plane.row_spacing_mm))),
        ("thickness", _mm(sorted({round(one.thickness_mm, 3) for one in geometry.planes}), ", ")),
    ]
    if len(gaps):
        even = np.ptp(gaps) < 0.02
        facts.append(("steps", _mm(gaps[:1]) if even else f"{gaps.min():.4g} to {gaps.max():.4g} mm"))
        facts.append(("tilt", f"{geometry.tilt_degrees:.1f}°"))
    return facts


def _stack_facts(stack: SliceStack) -> list[tuple[str, Any]]:
    facts = [*_slice_facts(stack.geometry), ("HU", _range(stack.hu))]
    if stack.padding is not None:
        facts.append(("padding", f"{100 * float(np.mean(stack.padding != 0)):.0f} % of the pixels"))
    if stack.assumptions:
        facts.append(("assumptions", f"{len(stack.assumptions)}, see .assumptions"))
    return facts


def _result_parts(result: StudyResult) -> list[Any]:
    decision = result.decision
    facts: list[tuple[str, Any]] = [
        ("finding", result.finding()),
        ("probability", f"{decision.probability:.3f}{' (calibrated)' if decision.calibrated else ''}, "
                        f"positive from {decision.threshold:g}"),
        ("bundles", ", ".join(f"{one.name} {one.version}" for one in result.bundles)),
    ]
    facts += [("look again", sentence) for sentence in result.review]
    facts += [("not to be trusted", sentence) for sentence in result.trust.reasons]
    if result.assumptions:
        facts.append(("assumptions", f"{len(result.assumptions)}, see .assumptions"))
    parts: list[Any] = [facts]
    names = [result.labels.get(i, "") for i in range(max(result.labels, default=0) + 1)]
    parts.append(label_table(dict(result.volumes_ml), names))
    if result.lesions:
        header = ("lesion", "mL", "longest, mm", "centre, LPS mm", "slices", "confidence")
        parts.append(_table(header, [
            (one.label, f"{one.volume_ml:.1f}", f"{one.diameter_mm:.0f}", _mm(one.centroid_mm, ", ", "", 0),
             f"{one.slices[0]}-{one.slices[-1]}" if len(one.slices) else "", f"{one.confidence:.2f}")
            for one in result.lesions[:MOST_ROWS]
        ]))
        if len(result.lesions) > MOST_ROWS:
            parts.append(f"<div>and {len(result.lesions) - MOST_ROWS} smaller ones</div>")
    if result.slices:
        threshold = decision.threshold if decision.slice_threshold is None else decision.slice_threshold
        parts.append(_bars([one.probability for one in result.slices], threshold))
    return parts


def label_table(volumes: dict[str, float], names: Sequence[str]) -> str:
    """Of the labels that are there."""
    rows = "".join(
        f'<tr><td style="background:{label_color(i)};width:1em"></td><td style="text-align:left">{escape(name)}</td>'
        f"<td>{volumes[name]:.1f} mL</td></tr>"
        for i, name in enumerate(names) if volumes.get(name, 0) > 0
    )
    return f"<table>{rows}</table>" if rows else ""


def _bars(probabilities: Sequence[float], threshold: float) -> str:
    """Each slice's probability, from the first slice on."""
    width, height = max(2, min(10, 480 // max(len(probabilities), 1))), 40
    bars = "".join(
        f'<rect x="{i * width}" y="{height - height * p:.1f}" width="{width - 1}" height="{height * p:.1f}" '
        f'fill="{PALETTE[0] if p >= threshold else "#8a8a8a"}"/>'
        for i, p in enumerate(float(np.clip(p, 0, 1)) for p in probabilities)
    )
    y, wide = height - height * min(max(threshold, 0), 1), width * len(probabilities)
    return (f'<div><svg width="{wide}" height="{height}" role="img" aria-label="probability of each slice">{bars}'
            f'<line x1="0" x2="{wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" stroke-dasharray="4"/></svg>'
            "<br>probability of each slice</div>")


def _montage(planes: Planes) -> str:
    """Slices with head in the brain's window."""
    head, coarse = head_of(planes)
    rows, columns = (_span(np.asarray(head.any(axis=axes)), coarse) for axes in ((0, 2), (0, 1)))
    chosen = _chosen(head)
    grey = (np.clip(planes.values[chosen, rows, columns], 0, 80) * (255 / 80)).astype(np.uint8)
    return _tiles(np.stack([grey] * 3, axis=-1), planes, chosen, "0 to 80 HU")


def _label_montage(labels: LabelMap | SliceLabels) -> str:
    """Slices with labels, in the labels' colours."""
    if isinstance(labels, LabelMap):
        planes = planes_of(Volume(np.zeros(labels.labels.shape, np.float32), labels.geometry))
    else:
        plane = labels.geometry.planes[0]
        u, v = np.asarray(plane.along_row), np.asarray(plane.along_column)
        spacing = (plane.column_spacing_mm, plane.row_spacing_mm)
        planes = Planes(labels.labels, view_of(u, v, spacing), np.zeros((1, 3)), u, v, spacing)
    if not labels.labels.any():
        return ""
    colors = np.zeros((256, 3), np.uint8)
    for label in range(1, 256):
        colors[label] = [int(label_color(label)[i:i + 2], 16) for i in (1, 3, 5)]
    chosen = _chosen(labels.labels > 0)
    return _tiles(colors[labels.labels[chosen]], planes, chosen)


def _span(shows: npt.NDArray[Any], coarse: int) -> slice:
    """Of head, and a little more."""
    where = np.flatnonzero(shows)
    return slice(max(0, (where[0] - 2) * coarse), (where[-1] + 3) * coarse) if len(where) else slice(None)


def _chosen(shows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    wanted = np.flatnonzero(shows.any(axis=(1, 2)))
    wanted = wanted if len(wanted) else np.arange(len(shows))
    chosen: npt.NDArray[Any] = wanted[np.unique(np.linspace(0, len(wanted) - 1, TILES).round().astype(int))]
    return chosen


def _tiles(pictures: npt.NDArray[np.uint8], planes: Planes, chosen: npt.NDArray[Any], *more: str) -> str:
    """(slice, row, column, 3) as one picture, thinned to small tiles; the page gives pixels their shape."""
    shown = np.stack([planes.view.shown(one) for one in pictures])
    rows_mm, columns_mm = shown.shape[1] * planes.view.row_mm, shown.shape[2] * planes.view.column_mm
    shown = _thinned(_thinned(shown, 1), 2)
    across = min(6, len(shown))
    blank = np.zeros((-len(shown) % across, *shown.shape[1:]), np.uint8)
    grid = np.concatenate([shown, blank]).reshape(-1, across, *shown.shape[1:])
    sheet = grid.transpose(0, 2, 1, 3, 4).reshape(grid.shape[0] * grid.shape[2], -1, 3)
    high = round(TILE_PX * rows_mm / columns_mm) * grid.shape[0]
    data = base64.b64encode(png(sheet)).decode()
    left, _, above, _ = planes.view.letters()
    words = [f"slices {', '.join(map(str, chosen))}", f"{left} at the left, {above} above", *more]
    return (f'<div><img alt="slices" width="{TILE_PX * across}" height="{high}" style="max-width:none" '
            f'src="data:image/png;base64,{data}"><br>{"; ".join(words)}</div>')


def _thinned(pictures: npt.NDArray[np.uint8], axis: int) -> npt.NDArray[np.uint8]:
    """About TILE_PX along an axis, by means of neighbours."""
    size = pictures.shape[axis]
    step = min(max(1, round(size / TILE_PX)), size)
    cut = np.take(pictures, np.arange(size // step * step), axis)
    blocks = cut.reshape(*pictures.shape[:axis], -1, step, *pictures.shape[axis + 1:])
    return np.asarray(blocks.mean(axis=axis + 1), np.uint8)


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(rows, columns, 3) as a PNG file."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1).tobytes()

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 6)) + chunk(b"IEND", b"")


def _mm(values: Iterable[float], between: str = " × ", unit: str = " mm", digits: int = 3) -> str:
    return between.join(f"{round(float(value), digits):g}" for value in values) + unit


def _range(hu: npt.NDArray[Any]) -> str:
    return f"{hu.min():g} to {hu.max():g}"


attach(_core)
