from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._core import StudyResult
from .._errors import ShapeError
from ._style import POSITIVE, QUIET, diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def probability_along_z(
    result: Any, z_mm: npt.ArrayLike | None = None, *, threshold: float | None = None, ax: Axes | None = None
) -> Axes:
    """Each slice's probability of blood over z, with the threshold; positive slices are marked.

    Parameters
    ----------
    result : StudyResult, Detection, list of SliceScore, or array (slice)
        An array holds probabilities, at the places `z_mm`.
    z_mm : array (slice) or None
        LPS z of each slice. None: the scores' own; of an array the slice's number.
    threshold : float or None
        From which a slice counts as positive. None: the result's slice threshold, else its decision's, else none.
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ShapeError
        Another number of places.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> ax = ichdet.plot.probability_along_z([0.1, 0.7, 0.9, 0.2], [0, 5, 10, 15], threshold=0.5)
    >>> [line.get_xdata().tolist() for line in ax.lines if line.get_label() == "2 positive slices"]
    [[5, 10]]
    """
    study = result_of(result)
    scores: Any = study.slices if study is not None else result
    computed = np.array([getattr(score, "computed", True) for score in scores])
    probability = np.array([float(score.probability if hasattr(score, "probability") else score) for score in scores])
    title = ""
    if study is not None:
        decision = study.decision
        title = f"{'positive' if decision.positive else 'negative'}, probability {decision.probability:.3f}"
        if threshold is None:
            threshold = decision.threshold if decision.slice_threshold is None else decision.slice_threshold
    label = "z, mm"
    if z_mm is None:
        has_places = len(scores) > 0 and hasattr(scores[0], "z_mm")
        z_mm, label = ([score.z_mm for score in scores], label) if has_places else (np.arange(len(scores)), "slice")
    places = np.asarray(z_mm)
    if places.shape != probability.shape:
        raise ShapeError(f"z_mm: expected {probability.shape}, found {places.shape}")
    ax = diagram(ax, 6.5, 3.2)
    order = np.argsort(places)
    positive = computed & (probability >= threshold) if threshold is not None else np.zeros(len(probability), bool)
    ax.plot(places[order], probability[order], color="0.6", linewidth=1, zorder=2)
    for which, color, face, words in (
        (~computed, QUIET, "white", "no head, not asked"),
        (computed & ~positive, QUIET, QUIET, "slices" if threshold is None else "negative"),
        (positive, POSITIVE, POSITIVE, f"{int(positive.sum())} positive slice{'s' if positive.sum() != 1 else ''}"),
    ):
        if which.any():
            ax.plot(places[which], probability[which], "o", color=color, markerfacecolor=face, markersize=5, zorder=3,
                    label=words)
    if threshold is not None:
        ax.axhline(threshold, color="0.3", linewidth=1, linestyle="--", label=f"threshold {threshold:.2f}")
    ax.set(xlabel=label, ylabel="probability of blood", ylim=(-0.03, 1.03), title=title)
    if len(places):
        ax.legend(frameon=False, fontsize=8, loc="best")
    return ax


def result_of(thing: Any) -> StudyResult | None:
    """The StudyResult of a result, a detection or a parsed result.json; None of anything else."""
    found = getattr(thing, "result", thing)
    if isinstance(found, dict):
        found = StudyResult.from_json(json.dumps(found))
    return found if isinstance(found, StudyResult) else None
