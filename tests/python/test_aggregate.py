"""From slices to patients: the rules against NumPy and Python's own exact arithmetic, the learned one against scikit-learn."""

from fractions import Fraction

import ichdet
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression


@pytest.mark.parametrize("percent", [5, 7.5, 10])
def test_positives_needed_is_the_papers_for_every_length(percent):
    for n in range(2000):
        assert ichdet.positives_needed(n, percent) == max(1, round(percent / 100 * n))  # as S1's authors wrote it


@pytest.mark.parametrize("percent", ["0.1", "3.3", "12.5", "35", "29", "57.5", "99.9"])
def test_positives_needed_is_exact_for_any_percentage(percent):
    for n in range(2000):
        assert ichdet.positives_needed(n, float(percent)) == max(1, round(Fraction(percent) * n / 100))


@pytest.fixture(scope="module")
def cohort():
    random = np.random.default_rng(3)
    lengths = random.integers(0, 60, 300)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return random.beta(0.4, 1.2, offsets[-1]), offsets


def numpy_score(p, kind):
    if len(p) == 0:
        return 0.0
    if kind == "percent":
        return np.sort(p)[::-1][max(1, round(0.075 * len(p))) - 1]
    return {"maximum": p.max(), "noisy-or": 1 - np.prod(1 - p), "top-mean": np.sort(p)[::-1][:5].mean()}[kind]


@pytest.mark.parametrize("kind", ["percent", "maximum", "noisy-or", "top-mean"])
def test_cohort_scores(cohort, kind):
    p, offsets = cohort
    rule = ichdet.CaseRule(kind, percent=7.5, top=5, slice_threshold=0.6)
    expected = [numpy_score(p[a:b], kind) for a, b in zip(offsets, offsets[1:])]
    np.testing.assert_allclose(ichdet.case_scores(p, offsets, rule), expected, rtol=0, atol=1e-14)
    assert ichdet.case_score(p[: offsets[1]], rule) == ichdet.case_scores(p, offsets, rule)[0]
    if kind == "percent":
        assert rule.threshold == 0.6
        counted = [(p[a:b] > 0.6).sum() >= max(1, round(0.075 * (b - a))) for a, b in zip(offsets, offsets[1:])]
        assert (ichdet.case_scores(p, offsets, rule) > rule.threshold).tolist() == counted


def features(p):
    top = np.sort(p)[::-1][:3]
    return [p.max(), top.mean(), (p > 0.5).mean(), p.mean()]


def test_case_features(cohort):
    p, offsets = cohort
    for a, b in zip(offsets[:50], offsets[1:51]):
        expected = features(p[a:b]) if b > a else np.zeros(4)
        np.testing.assert_allclose(ichdet.case_features(p[a:b]), expected, atol=1e-15)


@pytest.mark.parametrize("l2", [0.01, 1.0, 30.0])
def test_the_learned_rule_is_scikit_learns(cohort, l2):
    p, offsets = cohort
    x = np.array([ichdet.case_features(p[a:b]) for a, b in zip(offsets, offsets[1:])])
    random = np.random.default_rng(5)
    y = (x[:, 0] + 0.4 * random.normal(size=len(x)) > 0.9).astype(np.uint8)
    model = ichdet.fit_logistic(x, y, l2=l2)
    reference = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, y)
    np.testing.assert_allclose(model.weights, reference.coef_[0], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(model.intercept, reference.intercept_[0], rtol=1e-7, atol=1e-9)
    rule = ichdet.CaseRule("logistic", logistic=model)
    scores = ichdet.case_scores(p, offsets, rule)
    filled = np.diff(offsets) > 0
    np.testing.assert_allclose(scores[filled], reference.predict_proba(x[filled])[:, 1], atol=1e-9)
    assert (scores[~filled] == 0).all()


def test_separable_truth_has_a_finite_model():
    x = np.array([[0.0, 1], [0.2, 1], [0.8, 1], [1, 1]])
    model = ichdet.fit_logistic(x, np.array([0, 0, 1, 1], np.uint8), l2=1e-4)
    reference = LogisticRegression(C=1e4, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(x, [0, 0, 1, 1])
    assert model.weights[0] == pytest.approx(reference.coef_[0][0], rel=1e-6)


def test_refusals_name_the_field():
    with pytest.raises(ichdet.Error, match="rule: expected percent, maximum"):
        ichdet.CaseRule("vote")
    with pytest.raises(ichdet.Error, match="percent: expected above 0"):
        ichdet.CaseRule(percent=0)
    with pytest.raises(ichdet.Error, match="case offsets"):
        ichdet.case_scores(np.zeros(3), np.array([0, 4]), ichdet.CaseRule())
