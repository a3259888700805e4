"""StudyResult.to_pandas, attached when ichdet is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ._core import StudyResult
from ._errors import OptionsError

if TYPE_CHECKING:
    import pandas


def to_pandas(self: StudyResult, table: Literal["lesions", "slices", "study"] = "lesions") -> pandas.DataFrame:
    """A part of the result as a pandas table.

    Parameters
    ----------
    table : 'lesions', 'slices' or 'study'
        lesions: one row each, largest first: label, volume_ml, diameter_mm, x_mm, y_mm, z_mm (LPS, of the centroid),
        first_slice, last_slice, confidence, calibrated, raw_confidence. slices: one row each: index, z_mm, probability,
        computed, raw_probability, sop_instance_uid, and a column for each class. study: one row: finding, positive,
        probability, calibrated, threshold, blood_ml, lesions, and "<label>_ml" for each label.

    Returns
    -------
    pandas.DataFrame
        Columns are there where there are no rows, too.

    Raises
    ------
    OptionsError
        Another table.
    ImportError
        pandas is not installed.

    Examples
    --------
    >>> result = ichdet.StudyResult()
    >>> score = ichdet.SliceScore()
    >>> score.index, score.z_mm, score.probability = 0, -12.5, 0.75
    >>> result.slices = [score]
    >>> result.to_pandas("slices")[["index", "z_mm", "probability"]]
       index  z_mm  probability
    0      0 -12.5         0.75
    >>> len(result.to_pandas("lesions"))
    0
    """
    try:
        import pandas
    except ImportError as missing:
        raise ImportError(
            f"StudyResult.to_pandas needs the Python package pandas, which cannot be imported ({missing}); "
            "pip install pandas", name="pandas"
        ) from missing
    makers = {"lesions": _lesions, "slices": _slices, "study": _study}
    if table not in makers:
        raise OptionsError(f"table: expected 'lesions', 'slices' or 'study', found {table!r}")
    return pandas.DataFrame(makers[table](self))


def _lesions(result: StudyResult) -> dict[str, list[Any]]:
    found = result.lesions
    centres = [one.centroid_mm for one in found]
    return {
        "label": [one.label for one in found],
        "volume_ml": [one.volume_ml for one in found],
        "diameter_mm": [one.diameter_mm for one in found],
        **{f"{axis}_mm": [float(centre[i]) for centre in centres] for i, axis in enumerate("xyz")},
        "first_slice": [one.slices[0] if len(one.slices) else None for one in found],
        "last_slice": [one.slices[-1] if len(one.slices) else None for one in found],
        "confidence": [one.confidence for one in found],
        "calibrated": [one.calibrated for one in found],
        "raw_confidence": [one.raw_confidence for one in found],
    }


def _slices(result: StudyResult) -> dict[str, list[Any]]:
    scores = result.slices
    columns: dict[str, list[Any]] = {
        name: [getattr(score, name) for score in scores]
        for name in ("index", "z_mm", "probability", "computed", "raw_probability", "sop_instance_uid")
    }
    for i, name in enumerate(result.classes):
        columns[name] = [score.classes[i] if len(score.classes) > i else None for score in scores]
    return columns


def _study(result: StudyResult) -> dict[str, list[Any]]:
    decision, volumes = result.decision, dict(result.volumes_ml)
    blood = [name for label, name in result.labels.items() if not result.blood_labels or label in result.blood_labels]
    return {
        "finding": [result.finding()],
        "positive": [decision.positive],
        "probability": [decision.probability],
        "calibrated": [decision.calibrated],
        "threshold": [decision.threshold],
        "blood_ml": [sum(volumes.get(name, 0.0) for name in blood)],
        "lesions": [len(result.lesions)],
        **{f"{name}_ml": [ml] for name, ml in volumes.items()},
    }


setattr(StudyResult, "to_pandas", to_pandas)
