"""Calibration, stacking and case rules as scikit-learn estimators, fitted by ichdet's own code.

Needs scikit-learn (``pip install scikit-learn``); ``import ichdet`` alone does not. Not for clinical use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as missing:
    raise ImportError("ichdet.sklearn needs scikit-learn 1.6 or later: pip install scikit-learn") from missing

from ._core import CaseRule, Error, LogisticModel, case_features, case_scores, fit_logistic
from ._core._ensemble import clipped_logit, fit_calibrator, fit_nonnegative, fit_stacking
from ._core._evaluate import roc_auc

__all__ = ["CaseRuleClassifier", "LogisticStacking", "NonnegativeStacking", "ProbabilityCalibrator", "case_feature_table"]

Floats = NDArray[np.float64]
Result = TypeVar("Result")
_RULE = CaseRule()


def _value_errors(call: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
    """What scikit-learn expects of an estimator that refuses its input."""
    try:
        return call(*arguments, **options)
    except Error as error:
        raise ValueError(str(error)) from error


def _sigmoid(x: Floats) -> Floats:
    e = np.exp(-np.abs(x))
    p: Floats = np.where(x >= 0, 1, e) / (1 + e)
    return p


def _probabilities(values: Any, input: str) -> Floats:
    """Values as probabilities; scores (logits, a decision function) through the sigmoid."""
    if input == "score":
        return _sigmoid(values)
    if input != "probability":
        raise ValueError(f"input: expected probability or score, found {input!r}")
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError('expected probabilities from 0 to 1; for a decision function\'s values use input="score"')
    return np.asarray(values)


class _Binary(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the estimators of two classes have in common."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def _truth(self, y: ArrayLike) -> NDArray[np.uint8]:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        self.classes_, rows = np.unique(y, return_inverse=True)
        if kind != "binary" or len(self.classes_) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(self.classes_) < 2:
            raise ValueError("Classifier can't train when only one class is present.")
        return rows.astype(np.uint8)

    def _positive(self, X: Any) -> Floats:
        raise NotImplementedError

    def predict_proba(self, X: Any) -> Floats:
        """(cases, 2) float64: how probable each of `classes_` is."""
        positive = self._positive(X)
        return np.column_stack([1 - positive, positive])

    def predict(self, X: Any) -> NDArray[Any]:
        """(cases,): the class of each case, the second of `classes_` above one half."""
        positive = self._positive(X)
        return np.asarray(self.classes_[(positive > 0.5).astype(int)])


class ProbabilityCalibrator(_Binary):
    """Turns a column of probabilities or scores into how often they are true.

    Parameters
    ----------
    method : str
        "platt", "temperature" or "isotonic", as `ichdet.ensemble.fit_calibrator`.
    soft_targets : bool
        Of platt: Platt's own targets.
    column : int
        Which column of X is calibrated; -1: the last, which of `predict_proba` is the positive class.
    input : str
        "probability": X is in [0, 1]. "score": X holds logits or a decision function's values, and goes through the
        sigmoid first.
    increasing : bool or "auto"
        True: the truth must rise with the column. "auto": whichever way it does, by the ROC area.

    Attributes
    ----------
    calibrator_ : ichdet.ensemble.Calibrator
    classes_ : (2,) array
    n_features_in_ : int
    increasing_ : bool

    Notes
    -----
    As `final_estimator` of StackingClassifier([("model", model)], ...) it calibrates the model's out-of-fold
    probabilities, which is what CalibratedClassifierCV(ensemble=False) does. `fit` raises ValueError where the column
    does not rise with the truth, or tells the cases apart without an error (temperature; platt without soft targets).

    Examples
    --------
    >>> from ichdet.sklearn import ProbabilityCalibrator
    >>> p = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.7, 0.9, 0.95]).reshape(-1, 1)
    >>> calibrator = ProbabilityCalibrator("isotonic").fit(p, [0, 0, 0, 1, 0, 1, 1, 1])
    >>> calibrator.predict_proba([[0.1], [0.5], [0.9]])[:, 1].round(2)
    array([0. , 0.5, 1. ])
    >>> ProbabilityCalibrator().get_params()["method"]
    'platt'
    """

    def __init__(self, method: str = "platt", *, soft_targets: bool = True, column: int = -1,
                 input: str = "probability", increasing: bool | str = True) -> None:
        self.method = method
        self.soft_targets = soft_targets
        self.column = column
        self.input = input
        self.increasing = increasing

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # it reads one column
        return tags

    def _column(self, X: Any, reset: bool) -> Floats:
        values = validate_data(self, X, dtype=np.float64, reset=reset)
        return _probabilities(np.ascontiguousarray(values[:, self.column]), self.input)

    def fit(self, X: ArrayLike, y: ArrayLike) -> ProbabilityCalibrator:
        """Fits to (cases, columns) X and the truth y of each case, two classes in any words."""
        if self.increasing not in (True, False, "auto"):
            raise ValueError(f"increasing: expected True, False or 'auto', found {self.increasing!r}")
        X, y = validate_data(self, X, y, dtype=np.float64)
        truth = self._truth(y)
        p = self._column(X, reset=False)
        self.increasing_ = bool(roc_auc(truth, p) >= 0.5) if self.increasing == "auto" else bool(self.increasing)
        self.calibrator_ = _value_errors(fit_calibrator, self.method, p if self.increasing_ else 1 - p, truth,
                                         soft_targets=self.soft_targets)
        return self

    def _positive(self, X: Any) -> Floats:
        check_is_fitted(self)
        p = self._column(X, reset=False)
        return self.calibrator_(p if self.increasing_ else 1 - p)


class LogisticStacking(_Binary):
    """Logistic regression of members' logits: what they say, weighed by how much each is worth.

    Parameters
    ----------
    l2 : float
        Strength of the penalty l2 / 2 |weights|^2; the intercept is free. scikit-learn's C is 1 / l2.
    max_iterations, tolerance
        Of Newton's method, as for `ichdet.ensemble.fit_stacking`.
    input : str
        "probability": X is (cases, members) in [0, 1], whose clipped logits count. "score": X holds logits, or any
        features, which count as they are.

    Attributes
    ----------
    model_ : ichdet.LogisticModel
    coef_ : (1, members) array
    intercept_ : (1,) array
    classes_ : (2,) array
    n_features_in_ : int

    Notes
    -----
    With "probability" `ichdet.ensemble.fit_stacking`, whose weights `combine(rule="stacking")` takes; with "score"
    `ichdet.fit_logistic`. As `final_estimator` of StackingClassifier it stacks scikit-learn's classifiers.

    Examples
    --------
    >>> from ichdet.sklearn import LogisticStacking
    >>> members = np.array([[0.9, 0.2], [0.8, 0.7], [0.1, 0.6], [0.3, 0.1]])
    >>> stacking = LogisticStacking(l2=0.5).fit(members, ["yes", "yes", "no", "no"])
    >>> stacking.predict(members)
    array(['yes', 'yes', 'no', 'no'], dtype='<U3')
    >>> bool(stacking.coef_[0, 0] > stacking.coef_[0, 1])
    True
    """

    def __init__(self, l2: float = 1.0, *, max_iterations: int = 100, tolerance: float = 1e-10,
                 input: str = "probability") -> None:
        self.l2 = l2
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.input = input

    def fit(self, X: ArrayLike, y: ArrayLike) -> LogisticStacking:
        """Fits to (cases, members) X and the truth y of each case, two classes in any words."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        truth = self._truth(y)
        fit = fit_stacking if self.input == "probability" else fit_logistic
        values = X if self.input == "score" else _probabilities(X, self.input)
        self.model_: LogisticModel = _value_errors(fit, values, truth, self.l2, self.max_iterations, self.tolerance)
        self.coef_ = np.array([self.model_.weights])
        self.intercept_ = np.array([self.model_.intercept])
        return self

    def decision_function(self, X: ArrayLike) -> Floats:
        """(cases,) float64: the logit of the second class."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        if self.input != "score":
            values = clipped_logit(_probabilities(values, self.input))
        return np.asarray(values @ self.coef_[0] + self.intercept_[0])

    def _positive(self, X: Any) -> Floats:
        return _sigmoid(self.decision_function(X))


class NonnegativeStacking(_Binary):
    """The weighted mean of members' probabilities, by non-negative least squares to the truth.

    Parameters
    ----------
    input : str
        "probability": X is (cases, members) in [0, 1]. "score": X goes through the sigmoid first.

    Attributes
    ----------
    weights_ : (members,) array
        From 0 on, as `ichdet.ensemble.fit_nonnegative` gives them: what `combine(rule="mean")` takes.
    classes_ : (2,) array
    n_features_in_ : int

    Examples
    --------
    >>> from ichdet.sklearn import NonnegativeStacking
    >>> members = np.array([[0.9, 0.2], [0.8, 0.7], [0.1, 0.6], [0.3, 0.1]])
    >>> stacking = NonnegativeStacking().fit(members, [1, 1, 0, 0])
    >>> stacking.weights_.round(2), stacking.predict_proba(members)[:, 1].round(2)
    (array([1.1, 0. ]), array([0.9, 0.8, 0.1, 0.3]))
    """

    def __init__(self, *, input: str = "probability") -> None:
        self.input = input

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # a mean has no intercept
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> NonnegativeStacking:
        """Fits to (cases, members) X and the truth y of each case, two classes in any words."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        truth = self._truth(y)
        self.weights_ = _value_errors(fit_nonnegative, _probabilities(X, self.input), truth)
        if not self.weights_.any():
            raise ValueError("no member says anything: every weight is 0")
        return self

    def _positive(self, X: Any) -> Floats:
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(_probabilities(values, self.input) @ (self.weights_ / self.weights_.sum()))


def _slices(cases: Iterable[ArrayLike]) -> tuple[Floats, NDArray[np.int64]]:
    """Ragged cases as one array and the offsets of each; NaN pads."""
    rows = [np.asarray(case, np.float64).ravel() for case in cases]
    rows = [row[~np.isnan(row)] for row in rows]
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return (np.concatenate(rows) if rows else np.zeros(0)), offsets


def case_feature_table(cases: Iterable[ArrayLike]) -> Floats:
    """What the learned case rule reads of each case's slices, as a table for any classifier.

    Parameters
    ----------
    cases : list of (slices,) arrays, or (cases, slices) array
        Probabilities in [0, 1], of any number of slices; NaN pads.

    Returns
    -------
    (cases, 4) float64 array
        In the order of `ichdet.case_feature_names`.

    Examples
    --------
    >>> from ichdet.sklearn import case_feature_table
    >>> case_feature_table([[0.1, 0.2, 0.9, 0.6], [0.3]]).round(3)
    array([[0.9  , 0.567, 0.5  , 0.45 ],
           [0.3  , 0.3  , 0.   , 0.3  ]])
    """
    values, offsets = _slices(cases)
    rows = [case_features(values[a:b]) for a, b in zip(offsets, offsets[1:])]
    return np.array(rows).reshape(-1, 4)


class CaseRuleClassifier(_Binary):
    """From the probabilities of a study's slices to a decision about the patient: the n % rule and its kin.

    Parameters
    ----------
    kind : str
        "percent" (S1's n % rule), "maximum", "noisy-or", "top-mean" or "logistic", which alone learns from `fit`.
    slice_threshold, case_threshold, percent, top
        As for `ichdet.CaseRule`: what GridSearchCV may choose.
    l2 : float
        Of "logistic": strength of the penalty.

    Attributes
    ----------
    rule_ : ichdet.CaseRule
    classes_ : (2,) array

    Notes
    -----
    X is a list of (slices,) arrays, one for each case and of any lengths, or a (cases, slices) array padded with NaN;
    probabilities are in [0, 1]. A case is of the second class where its score is above `rule_.threshold`, strictly,
    as in S1; `predict_proba` has the score itself.

    Examples
    --------
    >>> from ichdet.sklearn import CaseRuleClassifier
    >>> cases = [[0.1, 0.2, 0.3], [0.9, 0.95, 0.2, 0.1], [0.4], [0.85, 0.1]]
    >>> rule = CaseRuleClassifier(percent=50, slice_threshold=0.8).fit(cases, [0, 1, 0, 1])
    >>> rule.predict(cases), rule.predict_proba(cases)[:, 1]
    (array([0, 1, 0, 1]), array([0.2 , 0.9 , 0.4 , 0.85]))
    """

    def __init__(self, kind: str = _RULE.kind, *, slice_threshold: float = _RULE.slice_threshold,
                 case_threshold: float = _RULE.case_threshold, percent: float = _RULE.percent, top: int = _RULE.top,
                 l2: float = 1.0) -> None:
        self.kind = kind
        self.slice_threshold = slice_threshold
        self.case_threshold = case_threshold
        self.percent = percent
        self.top = top
        self.l2 = l2

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # ragged
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Sequence[ArrayLike], y: ArrayLike) -> CaseRuleClassifier:
        """Takes the classes from y, one of two for each case; "logistic" learns its weights too."""
        truth = self._truth(y)
        if len(X) != len(truth):
            raise ValueError(f"expected as many cases as labels, found {len(X)} and {len(truth)}")
        model = LogisticModel()
        if self.kind == "logistic":
            model = _value_errors(fit_logistic, case_feature_table(X), truth, self.l2)
        self.rule_: CaseRule = _value_errors(
            CaseRule, self.kind, slice_threshold=self.slice_threshold, case_threshold=self.case_threshold,
            percent=self.percent, top=self.top, logistic=model)
        return self

    def _positive(self, X: Any) -> Floats:
        check_is_fitted(self)
        return _value_errors(case_scores, *_slices(X), self.rule_)

    def decision_function(self, X: Sequence[ArrayLike]) -> Floats:
        """(cases,) float64: the score minus the rule's threshold."""
        return self._positive(X) - self.rule_.threshold

    def predict(self, X: Sequence[ArrayLike]) -> NDArray[Any]:
        """(cases,): the second of `classes_` where the score is above the rule's threshold."""
        return np.asarray(self.classes_[(self.decision_function(X) > 0).astype(int)])
