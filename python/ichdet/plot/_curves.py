from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from .. import evaluate
from .._errors import OptionsError, ShapeError
from ._style import CURVE, LINES, POSITIVE, QUIET, diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = np.linspace(0, 1, 201)


def roc(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float | None = None,
    patients: npt.ArrayLike | None = None,
    interval: Literal["delong", "bootstrap", "none"] = "delong",
    band: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    name: str = "",
    color: str = CURVE,
    ax: Axes | None = None,
) -> Axes:
    """A ROC curve with its area, the area's interval, a band and an operating point.

    Parameters
    ----------
    truth : array (case)
        0 or 1.
    scores : array (case)
        The higher, the likelier 1.
    threshold : float or None
        Marks sensitivity and specificity of the decisions ``scores >= threshold``.
    patients : array (case) or None
        Whose case it is; the bootstrap draws patients. None: each case a patient.
    interval : 'delong', 'bootstrap' or 'none'
        Of the area. DeLong's takes the cases for independent.
    band : bool
        Bootstrap percentiles of the sensitivity at each false positive rate.
    resamples, seed, confidence
        Of the bootstrap, and of interval and band.
    name : str
        In the legend.
    color : str
    ax : matplotlib.axes.Axes or None
        Several curves may share one.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionsError
        Labels other than 0 and 1, another interval.
    ShapeError
        Lengths that differ.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    DeLong, DeLong and Clarke-Pearson, Biometrics 1988; `ichdet.evaluate.delong`, `bootstrap_areas`.

    Examples
    --------
    >>> ax = ichdet.plot.roc([0, 0, 1, 0, 1, 1], [0.1, 0.3, 0.35, 0.4, 0.8, 0.9], threshold=0.5, resamples=100)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['AUC 0.889 (95 % CI 0.581 to 1.000)', 'threshold 0.5: sensitivity 67 %, specificity 100 %']
    """
    truth, scores = _cases(truth, scores)
    if interval not in ("delong", "bootstrap", "none"):
        raise OptionsError(f"interval: expected 'delong', 'bootstrap' or 'none', found {interval!r}")
    false, true, _ = evaluate.roc_curve(truth, scores)
    label = f"AUC {evaluate.roc_auc(truth, scores):.3f}"
    if interval == "delong":
        areas, covariance = evaluate.delong(truth, [scores])
        label += _ci(evaluate.delong_interval(float(areas[0]), float(np.ravel(covariance)[0]), confidence), confidence)
    elif interval == "bootstrap":
        label += _ci(_bootstrap_interval("roc_auc", truth, scores, patients, resamples, seed, confidence), confidence)
    new = ax is None
    ax = diagram(ax)
    if new or not ax.lines:
        ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    if band:
        low, high = _band(truth, scores, patients, resamples, seed, confidence, roc=True)
        ax.fill_between(GRID, low, high, color=color, alpha=0.15, linewidth=0)
    ax.plot(false, true, color=color, linewidth=1.8, label=f"{name}: {label}" if name else label)
    if threshold is not None:
        counts = evaluate.confusion(truth, scores, threshold)
        sensitivity, specificity = float(counts.sensitivity), float(counts.specificity)
        ax.plot([1 - specificity], [sensitivity], "o", color=color, markeredgecolor="white", markersize=8, zorder=4,
                label=f"threshold {threshold:g}: sensitivity {100 * sensitivity:.0f} %, "
                      f"specificity {100 * specificity:.0f} %")
    ax.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set_aspect("equal")
    ax.legend(frameon=False, fontsize=8, loc="lower right")
    return ax


def precision_recall(
    truth: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    threshold: float | None = None,
    patients: npt.ArrayLike | None = None,
    interval: Literal["bootstrap", "none"] = "bootstrap",
    band: bool = True,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    name: str = "",
    color: str = CURVE,
    ax: Axes | None = None,
) -> Axes:
    """A precision-recall curve with its average precision and interval, a band, and the share of positive cases.

    Parameters
    ----------
    truth, scores, threshold, patients, band, resamples, seed, confidence, name, color, ax
        As of `roc`; the band is of precision at each recall.
    interval : 'bootstrap' or 'none'
        Of the average precision.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    Error
        As of `roc`.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> scores = [0.1, 0.3, 0.35, 0.4, 0.8, 0.9]
    >>> ax = ichdet.plot.precision_recall([0, 0, 1, 0, 1, 1], scores, interval="none", band=False)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['positive cases: 50 %', 'AP 0.917']
    """
    truth, scores = _cases(truth, scores)
    if interval not in ("bootstrap", "none"):
        raise OptionsError(f"interval: expected 'bootstrap' or 'none', found {interval!r}")
    recall, precision, _ = evaluate.pr_curve(truth, scores)
    label = f"AP {evaluate.average_precision(truth, scores):.3f}"
    if interval == "bootstrap":
        found = _bootstrap_interval("average_precision", truth, scores, patients, resamples, seed, confidence)
        label += _ci(found, confidence)
    new = ax is None
    ax = diagram(ax)
    if new or not ax.lines:
        share = truth.mean()
        ax.axhline(share, color=QUIET, linewidth=1, linestyle=":", label=f"positive cases: {100 * share:.0f} %")
    if band:
        low, high = _band(truth, scores, patients, resamples, seed, confidence, roc=False)
        ax.fill_between(GRID, low, high, color=color, alpha=0.15, linewidth=0, step="pre")
    ax.step(recall, precision, where="pre", color=color, linewidth=1.8, label=f"{name}: {label}" if name else label)
    if threshold is not None:
        counts = evaluate.confusion(truth, scores, threshold)
        sensitivity, predictive = float(counts.sensitivity), float(counts.positive_predictive_value)
        ax.plot([sensitivity], [predictive], "o", color=color, markeredgecolor="white", markersize=8, zorder=4,
                label=f"threshold {threshold:g}: recall {100 * sensitivity:.0f} %, precision {100 * predictive:.0f} %")
    ax.set(xlabel="recall", ylabel="precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    ax.set_aspect("equal")
    ax.legend(frameon=False, fontsize=8, loc="lower left")
    return ax


def reliability(
    truth: npt.ArrayLike | evaluate.Calibration,
    probabilities: npt.ArrayLike | None = None,
    *,
    bins: int = 10,
    confidence: float = 0.95,
    name: str = "",
    color: str = CURVE,
    ax: Axes | None = None,
) -> Axes:
    """How often it was so where a model said so: observed frequencies over probabilities, with a histogram below.

    Parameters
    ----------
    truth : array (case) or ichdet.evaluate.Calibration
        0 or 1; or what `ichdet.evaluate.calibration` found.
    probabilities : array (case) or None
        In [0, 1].
    bins : int
        Of equal width.
    confidence : float
        Of the bars: Wilson's intervals.
    name : str
    color : str
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes
        The histogram is its inset, ``ax.child_axes[0]``.

    Raises
    ------
    OptionsError
        Labels other than 0 and 1, probabilities beyond [0, 1].
    ShapeError
        Lengths that differ.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> ax = ichdet.plot.reliability([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.9], bins=2)
    >>> [int(bar.get_height()) for bar in ax.child_axes[0].patches]
    [2, 2]
    >>> ax.get_legend().get_texts()[0].get_text()
    'ECE 0.175, Brier 0.038'
    """
    if probabilities is not None:
        found = evaluate.calibration(np.asarray(truth, float), np.asarray(probabilities, float), bins)
    elif isinstance(truth, evaluate.Calibration):
        found = truth
    else:
        raise TypeError("reliability: expected truth and probabilities, or an ichdet.evaluate.Calibration")
    ax = diagram(ax, 5.0, 5.2)
    filled = [one for one in found.bins if one.observed.trials > 0]
    x = np.array([one.mean_probability for one in filled])
    y = np.array([one.observed.value for one in filled])
    limits = np.array([evaluate.wilson(one.observed.successes, one.observed.trials, confidence) for one in filled])
    ax.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    label = f"ECE {found.expected_error:.3f}, Brier {found.brier:.3f}"
    ax.errorbar(x, y, np.clip(np.abs(limits.T - y), 0, None), color=color, marker="o", markersize=5, linewidth=1.2,
                elinewidth=1, capsize=2, label=f"{name}: {label}" if name else label)
    ax.set(ylabel="observed frequency", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.set_aspect("equal")
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    inset = ax.inset_axes((0, -0.26, 1, 0.18), sharex=ax)
    ax.tick_params(labelbottom=False)
    diagram(inset).bar([one.low for one in found.bins], [one.observed.trials for one in found.bins],
                       [one.high - one.low for one in found.bins], align="edge", color=color, alpha=0.6,
                       edgecolor="white")
    inset.set(xlabel="probability", ylabel="cases")
    return ax


def volumes(
    measured_ml: npt.ArrayLike,
    reference_ml: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    color: str = CURVE,
    ax: Axes | None = None,
) -> Axes:
    """A Bland-Altman diagram of volumes: differences over means, bias and limits of agreement with their intervals.

    Parameters
    ----------
    measured_ml, reference_ml : array (study)
    confidence : float
        Of the intervals.
    color : str
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ShapeError
        Lengths that differ.
    OptionsError
        Values that are not finite.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    Bland and Altman, Lancet 1986; `ichdet.evaluate.bland_altman`.

    Examples
    --------
    >>> ax = ichdet.plot.volumes([10, 22, 31, 38], [12, 20, 30, 42])
    >>> ax.collections[-1].get_offsets()[0].tolist()
    [11.0, -2.0]
    >>> [text.get_text() for text in ax.texts]
    ['bias -0.8 mL', '+1.96 SD 4.6 mL', '-1.96 SD -6.1 mL']
    """
    measured, reference = np.asarray(measured_ml, float), np.asarray(reference_ml, float)
    found = evaluate.bland_altman(measured, reference, confidence)
    ax = diagram(ax, 6.0, 4.2)
    low, high = found.limits
    lines = ((found.bias, found.bias_interval, "bias", color, "-"),
             (high, found.high_limit_interval, "+1.96 SD", POSITIVE, "--"),
             (low, found.low_limit_interval, "-1.96 SD", POSITIVE, "--"))
    for value, (bottom, top), words, line_color, style in lines:
        if not np.isfinite(value):
            continue
        ax.axhline(value, color=line_color, linewidth=1.2, linestyle=style)
        if np.isfinite([bottom, top]).all():
            ax.axhspan(bottom, top, color=line_color, alpha=0.1, linewidth=0)
        ax.annotate(f"{words} {value:.1f} mL", (1, value), (-2, 3), xycoords=("axes fraction", "data"),
                    textcoords="offset points", ha="right", va="bottom", fontsize=8, color=line_color)
    ax.axhline(0, color=QUIET, linewidth=0.8)
    ax.scatter((measured + reference) / 2, measured - reference, s=22, color=color, alpha=0.75, edgecolor="white",
               linewidth=0.5, zorder=3)
    ax.set(xlabel="mean of measured and reference, mL", ylabel="measured - reference, mL")
    return ax


def score_curves(curves: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Insertion and deletion curves: a score over the share of pixels put in or taken out, with the areas.

    Parameters
    ----------
    curves : dict of name to ScoreCurve or list of ScoreCurve
        As `ichdet.attribution.insertion_curves` and `deletion_curves` give them; of a list the mean is drawn over its
        single curves.
    ax : matplotlib.axes.Axes or None

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    OptionsError
        An empty list of curves.
    ImportError
        matplotlib is not installed.

    Notes
    -----
    Petsiuk, Das and Saenko, RISE, BMVC 2018.

    Examples
    --------
    >>> from types import SimpleNamespace as Curve
    >>> curve = Curve(share=[0, 0.5, 1], score=[0.1, 0.8, 0.9], area=0.65)
    >>> ax = ichdet.plot.score_curves({"insertion": curve})
    >>> ax.get_legend().get_texts()[0].get_text()
    'insertion, area 0.650'
    """
    ax = diagram(ax, 5.5, 4.0)
    for color, (name, given) in zip(cycle(LINES), curves.items()):
        several: Sequence[Any] = [given] if hasattr(given, "share") else list(given)
        if not several:
            raise OptionsError(f"{name}: expected at least one curve, found none")
        grid = np.asarray(several[0].share, float) if len(several) == 1 else GRID
        each = np.array([np.interp(grid, one.share, one.score) for one in several])
        if len(several) > 1:
            ax.plot(grid, each.T, color=color, linewidth=0.6, alpha=0.3)
        area = float(np.mean([one.area for one in several]))
        ax.plot(grid, each.mean(axis=0), color=color, linewidth=2, label=f"{name}, area {area:.3f}")
    ax.set(xlabel="share of pixels", ylabel="score", xlim=(0, 1))
    ax.legend(frameon=False, fontsize=8)
    return ax


def _cases(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    labels, values = np.asarray(truth, float).ravel(), np.asarray(scores, float).ravel()
    if len(labels) != len(values):
        raise ShapeError(f"scores: expected {len(labels)} cases, found {len(values)}")
    return labels, values


def _ci(limits: tuple[float, float], confidence: float) -> str:
    return f" ({100 * confidence:g} % CI {limits[0]:.3f} to {limits[1]:.3f})"


def _bootstrap_interval(area: str, truth: Any, scores: Any, patients: Any, resamples: int, seed: int,
                        confidence: float) -> tuple[float, float]:
    found = evaluate.bootstrap_areas(truth, scores, patients, resamples, seed, confidence)
    low, high = found[area].interval
    return low, high


def _band(truth: npt.NDArray[np.float64], scores: npt.NDArray[np.float64], patients: npt.ArrayLike | None,
          resamples: int, seed: int, confidence: float, roc: bool) -> npt.NDArray[np.float64]:
    """Percentiles over resamples of patients: sensitivity at each false positive rate, or precision at each recall."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # of cases of equal score
    owner = np.unique(np.arange(len(truth)) if patients is None else np.asarray(patients), return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    count = int(owner.max()) + 1
    drawn = []
    for _ in range(resamples):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[owner][order]
        true = np.cumsum(weight * truth[order])[ends]
        false = np.cumsum(weight * (1 - truth[order]))[ends]
        if true[-1] == 0 or (roc and false[-1] == 0):
            continue
        recall = np.append(0, true / true[-1])
        if roc:
            drawn.append(np.interp(GRID, np.append(0, false / false[-1]), recall))
        else:
            precision = np.append(1, true / np.maximum(true + false, 1))
            at = np.searchsorted(recall, GRID, side="left")
            drawn.append(precision[np.minimum(at, len(precision) - 1)])
    if not drawn:
        return np.full((2, len(GRID)), np.nan)
    tail = (1 - confidence) / 2
    limits: npt.NDArray[np.float64] = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return limits
