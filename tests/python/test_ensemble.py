"""Combination and calibration: NumPy, SciPy, scikit-learn and SimpleITK as references."""

import ichdet
import numpy as np
import pytest
import SimpleITK as sitk
from ichdet import ensemble
from scipy.optimize import minimize, nnls
from scipy.special import expit, log_softmax, logit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve


def members(count=3, classes=4, shape=(5, 17, 23), seed=0):
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, classes, *shape)).astype(np.float32)
    return [softmax(x, axis=0) for x in logits], logits


# ---------------------------------------------------------------- combination


@pytest.mark.parametrize("weights", [None, [1, 0.5, 3]])
def test_mean_is_numpys(weights):
    maps, _ = members()
    expected = np.average(np.stack(maps).astype(np.float64), axis=0, weights=weights)
    np.testing.assert_allclose(ensemble.combine(maps, "mean", weights), expected, atol=1e-6)


@pytest.mark.parametrize("weights", [None, [1, 0.5, 3]])
def test_logits_is_the_softmax_of_the_networks_mean_logits(weights):
    maps, logits = members()
    expected = softmax(np.average(logits.astype(np.float64), axis=0, weights=weights), axis=0)
    np.testing.assert_allclose(ensemble.combine(maps, "logits", weights), expected, atol=2e-6)


def test_weights_by_slice_are_s3s():
    maps, _ = members()
    weights = np.random.default_rng(1).uniform(0, 1, (3, 5))
    weights[1, 2] = 0  # one model is not asked about one slice
    shared = weights / weights.sum(axis=0)
    expected = sum(w[None, :, None, None] * m for w, m in zip(shared, maps))
    np.testing.assert_allclose(ensemble.combine(maps, "mean", weights.tolist()), expected, atol=1e-6)


def test_weights_are_any_numbers_and_labels_bytes():
    maps, _ = members(2)
    expected = ensemble.combine(maps, "mean", [1.0, 3.0])
    for weights in ([1, 3], np.array([1, 3]), [np.int64(1), np.float32(3)], [np.ones(5, int), [3] * 5]):
        np.testing.assert_array_equal(ensemble.combine(maps, "mean", weights), expected)
    with pytest.raises(TypeError, match="incompatible"):
        ensemble.combine(maps, "mean", ["much", 1])
    with pytest.raises(ichdet.Error, match="a number, or one for each z"):
        ensemble.combine(maps, "mean", [np.ones((5, 2)), 1])
    labels = np.array([0, 1, 255]).reshape(1, 1, 3)
    np.testing.assert_array_equal(ensemble.vote([labels, labels], "majority"), labels)
    for wrong in (256, -1, 0.5):
        for function in (ensemble.vote, ensemble.staple):
            with pytest.raises(ichdet.Error, match="labels: expected integers from 0 to 255"):
                function([np.full((1, 1, 3), wrong)] * 2)
    with pytest.raises(ichdet.Error, match="stacking: probability 1: expected 0 to 1"):
        ensemble.fit_stacking(np.array([[0.2], [1.5]]), np.array([0, 1]))


def test_majority_and_union_are_those_of_the_label_maps():
    maps, _ = members(5)
    labels = np.stack([m.argmax(axis=0) for m in maps])
    shares = np.stack([(labels == c).mean(axis=0) for c in range(4)])
    np.testing.assert_allclose(ensemble.combine(maps, "majority"), shares, atol=1e-6)
    voted = ensemble.vote([x.astype(np.uint8) for x in labels], "majority")
    np.testing.assert_array_equal(voted, shares.argmax(axis=0))  # ties to the lower label
    union = ensemble.combine(maps, "union")
    np.testing.assert_array_equal(union.argmax(axis=0) > 0, (labels > 0).any(axis=0))
    np.testing.assert_allclose(union.sum(axis=0), 1, atol=1e-5)
    claims = np.stack([m[1:].max(axis=0) - m[0] for m in maps])
    strongest = np.take_along_axis(np.stack(maps), claims.argmax(axis=0)[None, None], axis=0)[0]
    np.testing.assert_array_equal(union, strongest)
    one_hot = ensemble.vote([x.astype(np.uint8) for x in labels], "union")
    first = labels[(labels > 0).argmax(axis=0), *np.indices(labels.shape[1:])]
    np.testing.assert_array_equal(one_hot, first)


@pytest.mark.parametrize("rule", ["mean", "logits", "majority", "union", "stacking"])
def test_a_slab_alone_is_that_part_of_the_whole_and_threads_change_nothing(rule):
    maps, _ = members()
    whole = ensemble.combine(maps, rule, threads=1)
    np.testing.assert_array_equal(ensemble.combine(maps, rule, threads=3), whole)
    np.testing.assert_array_equal(ensemble.combine([m[:, 2:4] for m in maps], rule), whole[:, 2:4])
    np.testing.assert_allclose(whole.sum(axis=0), 1, atol=1e-5)


def test_experts_answer_their_class_alone():
    maps, _ = members(3, classes=3)
    answers = [[True, True, True], [True, True, False], [True, False, True]]
    combined = ensemble.combine(maps, "mean", [1, 2, 3], answers=answers)
    one = (maps[0][1] + 2 * maps[1][1]) / 3
    two = (maps[0][2] + 3 * maps[2][2]) / 4
    over = np.maximum(one + two, 1)
    np.testing.assert_allclose(combined[1], one / over, atol=1e-6)
    np.testing.assert_allclose(combined[2], two / over, atol=1e-6)
    np.testing.assert_allclose(combined[0], np.maximum(1 - one - two, 0), atol=1e-6)


def test_refusals_name_member_and_class():
    maps, _ = members()
    refusals = {
        "member 1: weight: expected a number from 0 on, found -1": lambda: ensemble.combine(maps, weights=[1, -1, 1]),
        "member 2: weights: expected 1, or one for each of 5 slices, found 2": lambda: ensemble.combine(
            maps, weights=[1, 1, [1, 2]]
        ),
        "member 1: probabilities: expected": lambda: ensemble.combine([maps[0], maps[1][:, :3], maps[2]]),
        "member 1: classes: expected 4, found 3": lambda: ensemble.combine([maps[0], maps[1][:3], maps[2]]),
        "class SDH: expected a member that answers it": lambda: ensemble.combine(
            maps, answers=[[True, True, True, False]] * 3, classes=["background", "IPH", "IVH", "SDH"]
        ),
        "mean, logits, majority, union or stacking, found median": lambda: ensemble.combine(maps, "median"),
        "no member was given": lambda: ensemble.combine([]),
    }
    for words, call in refusals.items():
        with pytest.raises(ichdet.Error) as error:
            call()
        assert words in str(error.value)


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("seed", range(20))
def test_nonnegative_weights_are_scipys(seed):
    random = np.random.default_rng(seed)
    rows, columns = int(random.integers(3, 400)), int(random.integers(1, 9))
    a, b = random.normal(0.3, 1, (rows, columns)), random.normal(0, 1, rows)
    np.testing.assert_allclose(ensemble.fit_nonnegative(a, b), nnls(a, b)[0], atol=1e-9)


def test_nonnegative_weights_of_equal_members_are_no_worse_than_scipys():
    random = np.random.default_rng(0)
    a = random.uniform(0, 1, (50, 3))
    a = np.hstack([a, a[:, :1], np.zeros((50, 1))])  # one twice, one that says nothing
    b = random.uniform(0, 1, 50)
    found = ensemble.fit_nonnegative(a, b)
    assert (found >= 0).all() and found[4] == 0
    assert np.linalg.norm(a @ found - b) <= np.linalg.norm(a @ nnls(a, b)[0] - b) + 1e-12


def test_stacking_is_scikit_learns_and_is_applied_to_maps():
    random = np.random.default_rng(4)
    truth = random.integers(0, 2, 500)
    p = expit(random.normal(0, 1, (500, 3)) + (truth[:, None] - 0.5) * [2.0, 1.0, 0.2])
    model = ensemble.fit_stacking(p, truth, l2=0.5)
    sklearn = LogisticRegression(C=2, tol=1e-12, max_iter=10_000).fit(logit(p), truth)
    np.testing.assert_allclose(model.weights, sklearn.coef_[0], atol=1e-6)
    np.testing.assert_allclose(model.intercept, sklearn.intercept_[0], atol=1e-6)
    maps = [np.stack([1 - x, x]).reshape(2, 500, 1, 1).astype(np.float32) for x in p.T]
    combined = ensemble.combine(maps, "stacking", model.weights, intercept=model.intercept)
    np.testing.assert_allclose(combined[1, :, 0, 0], sklearn.predict_proba(logit(p))[:, 1], atol=1e-5)


# ---------------------------------------------------------------- STAPLE


def raters(count, labels, shape=(12, 40, 40), seed=0):
    """A truth with round regions, and raters that get parts of it wrong, each in its own measure."""
    random = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    truth = np.zeros(shape, np.uint8)
    for label in range(1, labels):
        centre = random.uniform(0.3, 0.7, 3) * shape
        truth[((np.stack([z, y, x], -1) - centre) ** 2 @ [4.0, 1, 1]) < 90] = label
    said = []
    for m in range(count):
        wrong = random.uniform(size=shape) < 0.02 + 0.06 * m
        said.append(np.where(wrong, random.integers(0, labels, shape), truth).astype(np.uint8))
    return truth, said


@pytest.mark.parametrize("count", [2, 3, 5])
def test_staple_is_simpleitks(count):
    truth, said = raters(count, 2)
    reference = sitk.STAPLEImageFilter()
    reference.SetForegroundValue(1)
    reference.SetMaximumIterations(10_000)
    expected = sitk.GetArrayFromImage(reference.Execute([sitk.GetImageFromArray(x) for x in said]))
    posterior, rates, iterations = ensemble.staple(said)
    np.testing.assert_allclose(posterior[1], expected, atol=1e-6)
    np.testing.assert_allclose(rates[:, 1, 1], reference.GetSensitivity(), atol=1e-6)
    np.testing.assert_allclose(rates[:, 0, 0], reference.GetSpecificity(), atol=1e-6)
    assert ((posterior[1] > 0.5) == truth).mean() >= max((x == truth).mean() for x in said)


def test_staple_of_many_labels_is_simpleitks():
    truth, said = raters(5, 4)
    reference = sitk.MultiLabelSTAPLEImageFilter()
    reference.SetTerminationUpdateThreshold(1e-9)
    expected = sitk.GetArrayFromImage(reference.Execute([sitk.GetImageFromArray(x) for x in said]))
    posterior, rates, _ = ensemble.staple(said, tolerance=1e-9)
    np.testing.assert_array_equal(posterior.argmax(axis=0), expected)
    for k in range(5):
        matrix = np.reshape(reference.GetConfusionMatrix(k), (5, 4))[:4]  # (said, truth), a row for "undecided" left out
        np.testing.assert_allclose(rates[k], matrix, atol=1e-6)
    assert (posterior.argmax(axis=0) == truth).mean() > max((x == truth).mean() for x in said)


def test_staple_refuses_what_it_cannot_count():
    with pytest.raises(ichdet.Error, match="STAPLE: no member"):
        ensemble.staple([])
    with pytest.raises(ichdet.Error, match="still change after max_iterations = 2"):
        ensemble.staple(raters(4, 2)[1], max_iterations=2)


# ---------------------------------------------------------------- calibration


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(7)
    p = np.round(random.beta(0.6, 0.8, 800), 3)
    p[:3] = [0, 1, 1]
    truth = (random.uniform(size=800) < expit(0.6 * logit(np.clip(p, 1e-6, 1 - 1e-6)) - 0.4)).astype(np.uint8)
    return p, truth


def clipped_logit(p):
    return logit(np.clip(p, 1e-6, 1 - 1e-6))


class Saying(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is its input."""

    def fit(self, x, y):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, x):
        return x[:, 0]

    def predict(self, x):
        return (x[:, 0] > 0).astype(int)


def test_temperature_is_the_minimum_that_scipy_finds(cases):
    p, truth = cases
    z = clipped_logit(p)

    def loss(t):
        return -np.mean(log_softmax(np.stack([np.zeros_like(z), z / t[0]]), axis=0)[truth, np.arange(len(z))])

    best = minimize(loss, [1.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-15}).x[0]
    fitted = ensemble.fit_calibrator("temperature", p, truth)
    assert 1 / fitted.slope == pytest.approx(best, abs=1e-6) and fitted.intercept == 0
    np.testing.assert_allclose(fitted(p), expit(z / best), atol=1e-6)


def test_platt_is_scikit_learns(cases):
    p, truth = cases
    z = clipped_logit(p)[:, None]
    soft = ensemble.fit_calibrator("platt", p, truth)
    sklearn = CalibratedClassifierCV(FrozenEstimator(Saying().fit(z, truth)), method="sigmoid", cv=2).fit(z, truth)
    np.testing.assert_allclose(soft(p), expit_of(sklearn, z, truth), atol=1e-6)
    hard = ensemble.fit_calibrator("platt", p, truth, soft_targets=False)
    plain = LogisticRegression(penalty=None, tol=1e-12, max_iter=10_000).fit(z, truth)
    np.testing.assert_allclose([hard.slope, hard.intercept], [plain.coef_[0, 0], plain.intercept_[0]], atol=1e-6)


def expit_of(calibrated, z, truth):
    """scikit-learn's own minimum, its last digits polished: it stops at a slope of the loss of about 1e-5."""
    one = calibrated.calibrated_classifiers_[0].calibrators[0]
    n1 = truth.sum()
    target = np.where(truth == 1, (n1 + 1) / (n1 + 2), 1 / (len(truth) - n1 + 2))
    x = z[:, 0]

    def loss(w):
        s = w[0] * x + w[1]
        return np.mean(np.logaddexp(0, s) - target * s)

    start = np.array([-one.a_, -one.b_])
    end = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-16}).x
    np.testing.assert_allclose(start, end, atol=2e-4)  # it was the same minimum
    return expit(end[0] * x + end[1])


def test_isotonic_is_scikit_learns(cases):
    p, truth = cases
    fitted = ensemble.fit_calibrator("isotonic", p, truth)
    reference = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p, truth)
    asked = np.linspace(0, 1, 2001)
    np.testing.assert_allclose(fitted(asked), reference.predict(asked), atol=1e-9)
    inner = slice(100, 400)
    narrow = ensemble.fit_calibrator("isotonic", p[inner] * 0.5 + 0.2, truth[inner])  # beyond its points: clipped
    reference.fit(p[inner] * 0.5 + 0.2, truth[inner])
    np.testing.assert_allclose(narrow(asked), reference.predict(asked), atol=1e-9)


def test_calibration_lowers_the_error_that_it_is_for(cases):
    p, truth = cases
    for method in ["temperature", "platt", "isotonic"]:
        fitted = ensemble.fit_calibrator(method, p[::2], truth[::2])
        before = ichdet.evaluate.calibration(truth[1::2], p[1::2]).expected_error
        assert ichdet.evaluate.calibration(truth[1::2], fitted(p[1::2])).expected_error < before


# ---------------------------------------------------------------- thresholds and difficult cases


def test_thresholds_are_the_best_points_of_scikit_learns_curve(cases):
    p, truth = cases
    fpr, tpr, thresholds = roc_curve(truth, p, drop_intermediate=False)
    positives, negatives = truth.sum(), (1 - truth).sum()
    threshold, counts = ichdet.evaluate.choose_threshold(truth, p)
    youden = tpr - fpr
    assert counts.sensitivity.value - (1 - counts.specificity.value) == pytest.approx(youden.max(), abs=1e-12)
    assert ((p >= threshold) == (p > threshold)).all()
    for wanted in [0.5, 0.9, 0.99, 1.0]:
        threshold, counts = ichdet.evaluate.choose_threshold(truth, p, sensitivity=wanted)
        assert counts.sensitivity.value == ((p > threshold) & (truth == 1)).sum() / positives >= wanted
        assert 1 - counts.specificity.value == pytest.approx(fpr[tpr >= wanted].min(), abs=1e-12)
    for miss, alarm in [(1, 1), (10, 1), (1, 7)]:
        threshold, counts = ichdet.evaluate.choose_threshold(truth, p, cost=(miss, alarm))
        costs = miss * (1 - tpr) * positives + alarm * fpr * negatives
        assert miss * counts.false_negatives + alarm * counts.false_positives == pytest.approx(costs.min())
    with pytest.raises(ichdet.Error, match="positive and negative cases, found 0 and 4"):
        ichdet.evaluate.choose_threshold(np.zeros(4), p[:4])


def test_difficult_cases_are_s3s(cases):
    p, truth = cases
    expected = np.flatnonzero(np.where(truth == 1, p <= 0.6, p >= 0.4))
    assert list(ichdet.difficult_cases(truth, p)) == list(expected)
