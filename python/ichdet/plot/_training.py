from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import cycle
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._errors import IoError, OptionsError
from ._style import LINES, diagram, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def learning_curve(
    folder: str | PathLike[str], measures: Sequence[str] | None = None, *, figure: Figure | None = None
) -> Figure:
    """How a training went: a diagram for each measure of its metrics.csv, a line for each place it was taken at.

    Parameters
    ----------
    folder : path
        That `ichdet train` wrote to, or its metrics.csv (step, seconds, name, value).
    measures : list of str or None
        Such as "loss" and "dice", the part of a name behind "/". None: all.
    figure : matplotlib.figure.Figure or None

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    IoError
        No such file, or not a training's log.
    OptionsError
        No such measure.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with open(f"{folder}/metrics.csv", "w") as file:
    ...         print("step,seconds,name,value\\n10,1.5,train/loss,0.9\\n20,3.0,validation/auc,0.8", file=file)
    ...     figure = ichdet.plot.learning_curve(folder)
    >>> [ax.get_title() for ax in figure.axes]
    ['loss', 'auc']
    """
    rows = _read(Path(folder))
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for step, name, value in rows:
        place, _, measure = name.rpartition("/")
        found.setdefault(measure, {}).setdefault(place, []).append((step, value))
    wanted = list(found) if measures is None else list(measures)
    for measure in wanted:
        if measure not in found:
            raise OptionsError(f"measure: expected one of {', '.join(found)}, found {measure}")
    colors = dict(zip(dict.fromkeys(place for lines in found.values() for place in lines), cycle(LINES)))
    columns = min(3, len(wanted))
    lines = -(-len(wanted) // columns)
    if figure is None:
        figure = new_figure(4 * columns, 2.8 * lines)
    for i, measure in enumerate(wanted):
        ax = diagram(figure.add_subplot(lines, columns, i + 1))
        for place, points in found[measure].items():
            steps, values = np.array(points).T
            ax.plot(steps, values, color=colors[place], marker="o" if len(steps) < 40 else "", markersize=3,
                    linewidth=1.2, label=place)
        drawn = np.concatenate([np.array(points)[:, 1] for points in found[measure].values()])
        drawn = drawn[np.isfinite(drawn)]
        spans = len(drawn) > 0 and drawn.min() > 0 and drawn.max() > 10 * drawn.min()
        if spans and ("loss" in measure or "rate" in measure):
            ax.set_yscale("log")
        ax.set(title=measure, xlabel="step")
        ax.legend(frameon=False, fontsize=8)
    return figure


def _read(path: Path) -> list[tuple[int, str, float]]:
    path = path / "metrics.csv" if path.is_dir() else path
    try:
        with open(path, newline="") as file:
            rows = list(csv.reader(file))
        if rows[0] != ["step", "seconds", "name", "value"] or len(rows) < 2:
            raise ValueError("expected the columns step, seconds, name, value and rows below")
        return [(int(row[0]), row[2], float(row[3])) for row in rows[1:] if len(row) == 4]
    except (OSError, ValueError, IndexError) as e:
        raise IoError(f"{path}: no training's log: {e}") from e
