"""ichdet.sklearn: scikit-learn's own checks of estimators, and its methods as references."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from ichdet import ensemble
from ichdet.sklearn import (
    CaseRuleClassifier,
    LogisticStacking,
    NonnegativeStacking,
    ProbabilityCalibrator,
    case_feature_table,
)
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

ESTIMATORS = [
    ProbabilityCalibrator("platt", input="score", increasing="auto"),
    ProbabilityCalibrator("isotonic", input="score"),
    ProbabilityCalibrator("temperature", input="score", increasing="auto"),
    LogisticStacking(input="score"),
    NonnegativeStacking(input="score"),
]


CERTAIN = "its X lies near 100: read as logits, every case is certain, and nothing is left to calibrate"
NO_INTERCEPT = "one number cannot move where the probability is 0.5, and truth at random may fall with every column"
EXPECTED = {
    "platt": {name: CERTAIN for name in ("check_fit_idempotent", "check_fit_check_is_fitted", "check_n_features_in")},
    "temperature": {name: NO_INTERCEPT for name in (
        "check_fit_score_takes_y", "check_positive_only_tag_during_fit", "check_classifiers_classes",
        "check_supervised_y_2d", "check_fit2d_1feature", "check_fit_idempotent", "check_n_features_in")},
}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda e: EXPECTED.get(getattr(e, "method", ""), {}))
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def column():
    random = np.random.default_rng(7)
    p = np.round(random.beta(0.6, 0.8, 800), 3).reshape(-1, 1)
    truth = (random.uniform(size=800) < expit(0.6 * logit(np.clip(p[:, 0], 1e-6, 1 - 1e-6)) - 0.4)).astype(int)
    return p, truth


@pytest.fixture(scope="module")
def table():
    return make_classification(400, 8, n_informative=4, flip_y=0.1, random_state=0)


@pytest.mark.parametrize("method", ["platt", "isotonic", "temperature"])
def test_the_calibrator_is_that_of_the_ensemble(column, method):
    p, truth = column
    fitted = ProbabilityCalibrator(method).fit(p, truth)
    plain = ensemble.fit_calibrator(method, p[:, 0], truth)
    assert fitted.calibrator_ == plain
    np.testing.assert_array_equal(fitted.predict_proba(p)[:, 1], plain(p[:, 0]))
    both = ProbabilityCalibrator(method).fit(np.hstack([1 - p, p]), truth)  # as predict_proba gives it
    np.testing.assert_array_equal(both.predict_proba(np.hstack([1 - p, p])), fitted.predict_proba(p))
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(p), fitted.predict_proba(p))


def test_isotonic_is_scikit_learns_to_1e_9(column):
    p, truth = column
    asked = np.linspace(0, 1, 1001).reshape(-1, 1)
    reference = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p[:, 0], truth)
    found = ProbabilityCalibrator("isotonic").fit(p, truth).predict_proba(asked)[:, 1]
    np.testing.assert_allclose(found, reference.predict(asked[:, 0]), atol=1e-9)


def test_logistic_regression_is_scikit_learns_to_1e_7(table):
    x, y = table
    found = LogisticStacking(l2=0.5, input="score").fit(x, y)
    reference = LogisticRegression(C=2, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(found.coef_, reference.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.predict_proba(x), reference.predict_proba(x), atol=1e-7)
    assert LogisticStacking(input="score").fit(x, y).intercept_[0] == pytest.approx(
        LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y).intercept_[0], rel=1e-6)


@pytest.mark.parametrize("method, theirs, tolerance", [("platt", "sigmoid", 2e-3), ("isotonic", "isotonic", 1e-9)])
def test_out_of_fold_calibration_is_calibrated_classifier_cvs(table, method, theirs, tolerance):
    """scikit-learn's own Platt stops at a slope of the loss of about 1e-5: hence 2e-3."""
    x, y = table
    folds = StratifiedKFold(5)
    members = [("regression", LogisticRegression())]
    ours = StackingClassifier(members, ProbabilityCalibrator(method), cv=folds).fit(x, y)
    if method == "platt":  # on logits, which are what a regression decides by
        theirs = CalibratedClassifierCV(LogisticRegression(), method=theirs, cv=folds, ensemble=False).fit(x, y)
        expected = theirs.predict_proba(x)
    else:
        held_out = cross_val_predict(LogisticRegression(), x, y, cv=folds, method="predict_proba")[:, 1]
        isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(held_out, y)
        positive = isotonic.predict(LogisticRegression().fit(x, y).predict_proba(x)[:, 1])
        expected = np.column_stack([1 - positive, positive])
    np.testing.assert_allclose(ours.predict_proba(x), expected, atol=tolerance)


@pytest.mark.parametrize("final", [LogisticStacking(), NonnegativeStacking()])
def test_stacking_of_classifiers(table, final):
    x, y = table
    members = [("forest", RandomForestClassifier(20, random_state=0)), ("bayes", GaussianNB())]
    stacked = StackingClassifier(members, final, cv=4).fit(x[:300], y[:300])
    alone = [clone(m).fit(x[:300], y[:300]).score(x[300:], y[300:]) for _, m in members]
    assert stacked.score(x[300:], y[300:]) >= min(alone)
    held_out = np.column_stack([cross_val_predict(m, x[:300], y[:300], cv=4, method="predict_proba")[:, 1]
                                for _, m in members])
    by_itself = clone(final).fit(held_out, y[:300])
    np.testing.assert_allclose(stacked.final_estimator_.predict_proba(held_out), by_itself.predict_proba(held_out))


def test_pipelines_and_searches(column):
    p, truth = column
    pipe = make_pipeline(FunctionTransformer(logit, check_inverse=False), ProbabilityCalibrator(input="score"))
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    found = cross_val_predict(pipe, inside, truth, cv=5, method="predict_proba")
    assert found.shape == (800, 2) and np.allclose(found.sum(axis=1), 1)
    search = GridSearchCV(ProbabilityCalibrator(), {"method": ["platt", "temperature", "isotonic"]},
                          scoring="neg_brier_score", cv=5).fit(p, truth)
    assert search.best_params_["method"] in ("platt", "isotonic")  # the truth has an intercept


def ragged(seed=0, count=80):
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, count)
    cases = []
    for sick in truth:
        slices = random.beta(1, 6, random.integers(10, 40))
        slices[: int(sick * len(slices) * random.uniform(0.05, 0.4))] = random.uniform(0.6, 1)
        cases.append(slices)
    return cases, truth


def test_the_case_rule_is_a_classifier_of_ragged_cases():
    cases, truth = ragged()
    padded = np.full((len(cases), 40), np.nan)
    for row, case in zip(padded, cases):
        row[: len(case)] = case
    rule = CaseRuleClassifier(percent=10, slice_threshold=0.5).fit(cases, truth)
    expected = [(c > 0.5).sum() >= max(1, round(len(c) / 10)) for c in cases]
    assert rule.predict(cases).tolist() == np.array(expected, int).tolist()
    np.testing.assert_array_equal(rule.predict_proba(padded), rule.predict_proba(cases))
    assert pickle.loads(pickle.dumps(rule)).predict(cases).tolist() == rule.predict(cases).tolist()
    search = GridSearchCV(CaseRuleClassifier(), {"percent": [2.5, 30], "slice_threshold": [0.5, 0.95]}, cv=4)
    assert search.fit(cases, truth).best_params_ == {"percent": 2.5, "slice_threshold": 0.5}
    assert case_feature_table(cases).shape == (80, 4)


def test_the_learned_case_rule_is_a_regression_of_the_features():
    cases, truth = ragged()
    learned = CaseRuleClassifier("logistic", l2=0.1).fit(cases, truth)
    plain = LogisticStacking(0.1, input="score").fit(case_feature_table(cases), truth)
    np.testing.assert_allclose(learned.predict_proba(cases), plain.predict_proba(case_feature_table(cases)), atol=1e-12)
    assert cross_val_predict(learned, cases, truth, cv=4).shape == (80,)


def test_refusals():
    with pytest.raises(ValueError, match='use input="score"'):
        ProbabilityCalibrator().fit([[-1.0], [2.0]], [0, 1])
    with pytest.raises(ValueError, match="temperature, platt or isotonic"):
        ProbabilityCalibrator("histogram").fit([[0.1], [0.6], [0.4], [0.9]], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="slope"):
        ProbabilityCalibrator().fit([[0.9], [0.6], [0.4], [0.1]], [0, 0, 1, 1])
    with pytest.raises(ValueError, match="expected percent, maximum"):
        CaseRuleClassifier("vote").fit([[0.1], [0.2]], [0, 1])


def test_without_scikit_learn_the_message_says_what_to_do():
    hide = "import sys; sys.modules['sklearn'] = None; import ichdet; assert 'ichdet.sklearn' not in sys.modules; import ichdet.sklearn"
    run = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True)
    assert run.returncode != 0 and "pip install scikit-learn" in run.stderr
