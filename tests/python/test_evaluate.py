"""ichdet.evaluate against scikit-learn, SciPy and statsmodels, or against plain statements of the formulas."""

import ichdet
import numpy as np
import pytest
from ichdet import evaluate
from scipy import special, stats
from sklearn import metrics
from sklearn.calibration import calibration_curve
from statsmodels.stats import inter_rater
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def cases(seed, n=400, ties=False):
    """Truth and a score that is somewhat related to it."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < rng.uniform(0.1, 0.9)).astype(int)
    score = special.expit(rng.normal(truth * 1.2 - 0.4, 1.0))
    return truth, np.round(score, 1) if ties else score


both_kinds = pytest.mark.parametrize("seed, ties", [(s, t) for s in range(8) for t in (False, True)])


def test_special_functions_equal_scipy():
    rng = np.random.default_rng(0)
    a, b = 10 ** rng.uniform(-1, 5, (2, 2000))
    x = np.clip(rng.beta(a, b), 1e-9, 1 - 1e-9)
    np.testing.assert_allclose(evaluate.incomplete_beta(a, b, x), special.betainc(a, b, x), rtol=1e-12)
    k, n = np.ceil(a), np.ceil(b)
    for p in (0.005, 0.025, 0.3, 0.975):
        found = evaluate.incomplete_beta_inverse(k, n, p)
        np.testing.assert_allclose(found, special.betaincinv(k, n, p), rtol=4e-12)
        np.testing.assert_allclose(special.betainc(k, n, found), p, atol=2e-13)
    p = np.concatenate([10 ** rng.uniform(-300, 0, 500), 1 - 10 ** rng.uniform(-15, 0, 500), [0.5]])
    np.testing.assert_allclose(evaluate.normal_quantile(p), special.ndtri(p), rtol=1e-12, atol=1e-15)
    assert evaluate.normal_quantile(0) == -np.inf and evaluate.normal_quantile(1) == np.inf
    for degrees in (1, 2, 3, 30, 1e5):
        p = rng.uniform(1e-3, 1 - 1e-3, 200)
        np.testing.assert_allclose(evaluate.student_t_quantile(p, degrees), stats.t.ppf(p, degrees), rtol=1e-11)
    assert [evaluate.incomplete_beta(2, 3, x) for x in (0, 1)] == [0, 1]
    with pytest.raises(ichdet.Error, match="expected a number above 0, up to 1e15, found -1"):
        evaluate.incomplete_beta(-1, 2, 0.5)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_intervals_of_proportions_equal_statsmodels(confidence):
    rng = np.random.default_rng(1)
    trials = np.concatenate([np.arange(1, 40), rng.integers(40, 100000, 200)])
    for n in trials:
        for k in {0, 1, n // 2, n - 1, n, rng.integers(0, n + 1)}:
            exact = proportion_confint(k, n, 1 - confidence, "beta")
            np.testing.assert_allclose(evaluate.clopper_pearson(k, n, confidence), exact, rtol=1e-10, atol=1e-15)
            score = proportion_confint(k, n, 1 - confidence, "wilson")
            np.testing.assert_allclose(evaluate.wilson(k, n, confidence), score, rtol=1e-10, atol=1e-14)
    assert np.isnan(evaluate.clopper_pearson(0, 0)).all() and np.isnan(evaluate.wilson(0, 0)).all()
    with pytest.raises(ichdet.Error, match="proportion: expected 0 <= successes <= trials, found 4 of 3"):
        evaluate.clopper_pearson(4, 3)
    with pytest.raises(ichdet.Error, match="confidence"):
        evaluate.wilson(1, 3, 95)


# Table 2 of the EfficientClassification paper: 371 of 947 patients with hemorrhage, 47 of 55 in the clinical data. Left
# out: the sensitivity at 10 %, whose upper end 91.249 it prints as 91.3, and predictive values, whose intervals are narrower
# than binomial ones (PPV at 5 %: 90.8 to 95.6, exact 90.7 to 95.9).
@pytest.mark.parametrize("k, n, printed", [
    (352, 371, (94.9, 92.1, 96.9)),  # 5 %: sensitivity
    (552, 576, (95.8, 93.9, 97.3)),  # specificity
    (904, 947, (95.5, 93.9, 96.7)),  # accuracy
    (559, 576, (97.0, 95.3, 98.3)),  # 10 %: specificity
    (886, 947, (93.6, 91.8, 95.0)),  # accuracy
    (55, 55, (100.0, 93.5, 100.0)),  # clinical data
    (47, 47, (100.0, 92.5, 100.0)),
    (8, 8, (100.0, 63.1, 100.0)),
])
def test_the_intervals_that_a_paper_printed(k, n, printed):
    low, high = evaluate.clopper_pearson(k, n)
    assert np.round([100 * k / n, 100 * low, 100 * high], 1) == pytest.approx(printed)


@both_kinds
def test_counts_and_rates_equal_scikit_learn(seed, ties):
    truth, score = cases(seed, ties=ties)
    for threshold in (0.0, 0.3, 0.5, 1.1):
        decision = score >= threshold
        found = evaluate.confusion(truth, score, threshold)
        (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, decision, labels=[0, 1])
        assert (found.true_negatives, found.false_positives, found.false_negatives, found.true_positives) == (tn, fp, fn, tp)
        rates = {
            "accuracy": metrics.accuracy_score(truth, decision),
            "sensitivity": metrics.recall_score(truth, decision, zero_division=np.nan),
            "specificity": metrics.recall_score(truth, decision, pos_label=0, zero_division=np.nan),
            "positive_predictive_value": metrics.precision_score(truth, decision, zero_division=np.nan),
            "negative_predictive_value": metrics.precision_score(truth, decision, pos_label=0, zero_division=np.nan),
            "f1": metrics.f1_score(truth, decision, zero_division=np.nan),
        }
        for name, expected in rates.items():
            np.testing.assert_allclose(float(getattr(found, name)), expected, **EXACT, err_msg=name)


def test_rates_without_cases_are_nan():
    found = evaluate.confusion([0, 0], [0.1, 0.2])
    assert np.isnan([found.sensitivity.value, found.positive_predictive_value.value, found.f1]).all()
    assert found.specificity.value == found.negative_predictive_value.value == 1
    assert np.isnan(evaluate.confusion([], []).accuracy.value)


@both_kinds
def test_curves_and_areas_equal_scikit_learn(seed, ties):
    truth, score = cases(seed, ties=ties)
    expected = metrics.roc_curve(truth, score, drop_intermediate=False)
    for ours, theirs in zip(evaluate.roc_curve(truth, score), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, **EXACT)
    precision, recall, thresholds = metrics.precision_recall_curve(truth, score)
    found = evaluate.pr_curve(truth, score)
    for ours, theirs in zip(found, (recall[::-1], precision[::-1], np.append(thresholds, np.inf)[::-1]), strict=True):
        np.testing.assert_allclose(ours, theirs, **EXACT)
    assert evaluate.roc_auc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score), rel=1e-12)
    assert evaluate.average_precision(truth, score) == pytest.approx(metrics.average_precision_score(truth, score), rel=1e-12)
    assert evaluate.pr_auc(truth, score) == pytest.approx(metrics.auc(recall, precision), rel=1e-12)


def test_curves_of_degenerate_cases():
    for truth in ([0, 0, 0], [1, 1, 1]):
        assert np.isnan(evaluate.roc_auc(truth, [0.1, 0.2, 0.3]))
    assert np.isnan(evaluate.average_precision([0, 0], [0.1, 0.2]))
    assert evaluate.average_precision([1, 1], [0.1, 0.2]) == 1
    assert evaluate.roc_auc([0, 1, 0, 1], [0.5] * 4) == 0.5  # ties alone
    assert evaluate.roc_auc([0, 1], [0.1, 0.2]) == 1
    fpr, tpr, _ = evaluate.roc_curve([1, 1], [0.1, 0.2])
    assert np.isnan(fpr).all() and list(tpr) == [0, 0.5, 1]
    assert np.isnan(evaluate.roc_auc([], []))
    with pytest.raises(ichdet.Error, match="scores, row 1: expected a finite number, found nan"):
        evaluate.roc_auc([0, 1], [0.1, np.nan])
    with pytest.raises(ichdet.Error, match="scores: expected 2 rows, as the truth has, found 3"):
        evaluate.roc_auc([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ichdet.Error, match="labels, row 1: expected 0 or 1, found 2"):
        evaluate.roc_auc([0, 2], [0.1, 0.2])


def delong_in_words(truth, scores):
    """DeLong, DeLong and Clarke-Pearson (1988), equations 3 to 6: every positive against every negative case."""
    x, y = scores[:, truth == 1], scores[:, truth == 0]
    m, n = x.shape[1], y.shape[1]
    psi = (x[:, :, None] > y[:, None, :]) + 0.5 * (x[:, :, None] == y[:, None, :])
    auc, v10, v01 = psi.mean((1, 2)), psi.mean(2), psi.mean(1)
    s10 = (v10 - auc[:, None]) @ (v10 - auc[:, None]).T / (m - 1)
    s01 = (v01 - auc[:, None]) @ (v01 - auc[:, None]).T / (n - 1)
    return auc, s10 / m + s01 / n


@both_kinds
def test_delong_equals_its_definition(seed, ties):
    truth, a = cases(seed, 150, ties)
    rng = np.random.default_rng(seed)
    b = np.round(a + rng.normal(0, 0.2, a.size), 1 if ties else 15)
    c = rng.random(a.size)
    auc, covariance = evaluate.delong(truth, [a, b, c])
    expected_auc, expected = delong_in_words(truth, np.array([a, b, c]))
    np.testing.assert_allclose(auc, expected_auc, rtol=1e-12)
    np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-15)
    test = evaluate.delong_test(truth, a, b, 0.9)
    error = np.sqrt(expected[0, 0] + expected[1, 1] - 2 * expected[0, 1])
    z = (expected_auc[0] - expected_auc[1]) / error
    assert (test.difference, test.standard_error) == pytest.approx((expected_auc[0] - expected_auc[1], error), rel=1e-9)
    assert (test.z, test.p_value) == pytest.approx((z, 2 * stats.norm.sf(abs(z))), rel=1e-8)
    assert test.interval == pytest.approx(test.difference + stats.norm.ppf([0.05, 0.95]) * error)
    interval = evaluate.delong_interval(auc[0], covariance[0, 0])
    np.testing.assert_allclose(interval, np.clip(auc[0] + stats.norm.ppf([0.025, 0.975]) * np.sqrt(expected[0, 0]), 0, 1))


def test_delong_of_degenerate_cases():
    same = evaluate.delong_test([0, 1, 0, 1, 1], [0.1, 0.7, 0.8, 0.6, 0.9], [0.2, 1.4, 1.6, 1.2, 1.8])
    assert (same.difference, same.z, same.p_value, *same.interval) == (0, 0, 1, 0, 0)
    auc, covariance = evaluate.delong([0, 1, 0], [[0.1, 0.2, 0.3]])
    assert auc[0] == 0.5 and np.isnan(covariance[0, 0])  # one positive case alone
    assert np.isnan(evaluate.delong([1, 1], [[0.1, 0.2]])[0][0])
    assert np.isnan(evaluate.delong_test([0, 1], [0, 1], [1, 0]).p_value)


@pytest.mark.parametrize("seed", range(3))
def test_bootstrap_areas_are_those_of_the_resampled_rows(seed):
    """The weighted areas, resample by resample, against scikit-learn on the very rows that were drawn."""
    truth, score = cases(seed, 120, ties=True)
    patients = np.sort(np.random.default_rng(seed).integers(0, 40, truth.size)).astype(str)
    drawn = []

    def auc(rows):
        drawn.append(rows)
        return metrics.roc_auc_score(truth[rows], score[rows])

    ours = evaluate.bootstrap_areas(truth, score, patients, resamples=60, seed=seed)
    theirs = evaluate.bootstrap(auc, truth.size, patients, resamples=60, seed=seed)
    assert ours["roc_auc"].interval == pytest.approx(theirs.interval, rel=1e-12)
    for name, metric in (("roc_auc", metrics.roc_auc_score), ("average_precision", metrics.average_precision_score)):
        values = np.array([metric(truth[rows], score[rows]) for rows in drawn])
        np.testing.assert_allclose(ours[name].interval, np.quantile(values, [0.025, 0.975]), rtol=1e-12)
        assert ours[name].standard_error == pytest.approx(values.std(ddof=1), rel=1e-9)
    for rows in drawn:  # as many patients as there are, each with all of its rows
        names, times = np.unique(patients[rows], return_counts=True)
        whole = np.array([np.sum(patients == name) for name in names])
        assert np.all(times % whole == 0) and np.sum(times // whole) == len(np.unique(patients))
    assert len({tuple(rows) for rows in drawn}) == len(drawn)


def test_bootstrap_does_not_depend_on_threads_and_counts_degenerate_resamples():
    truth, score = np.array([1, 0, 0, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.3, 0.4, 0.5])
    runs = [evaluate.bootstrap_areas(truth, score, resamples=5000, seed=7, threads=t)["roc_auc"] for t in (1, 2, 5)]
    assert len({(r.interval, r.standard_error, r.degenerate) for r in runs}) == 1
    # No positive case with (5/6)^6, no negative one with (1/6)^6.
    expected = (5 / 6) ** 6 + (1 / 6) ** 6
    assert runs[0].degenerate / 5000 == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 5000))
    assert runs[0].resamples + runs[0].degenerate == 5000
    other = evaluate.bootstrap_areas(truth, np.array([3, 1, 2, 4, 5, 6.0]), resamples=5000, seed=8)["roc_auc"]
    assert other.degenerate != runs[0].degenerate
    nothing = evaluate.bootstrap_areas([1, 1], [0.1, 0.2], resamples=10)["roc_auc"]
    assert nothing.degenerate == 10 and np.isnan(nothing.interval).all()
    with pytest.raises(ichdet.Error, match="resamples"):
        evaluate.bootstrap_areas(truth, score, resamples=0)


def test_bootstrap_has_the_width_of_theory():
    rng = np.random.default_rng(3)
    values = rng.normal(size=200)
    found = evaluate.bootstrap(lambda rows: values[rows].mean(), 200, resamples=4000)
    assert found.standard_error == pytest.approx(values.std() / np.sqrt(200), rel=0.05)
    # Patients of ten equal rows: as wide as the patients alone, not as the rows.
    wide = evaluate.bootstrap(lambda rows: np.repeat(values, 10)[rows].mean(), 2000, np.repeat(np.arange(200), 10), 2000)
    assert wide.standard_error == pytest.approx(found.standard_error, rel=0.05)


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_equals_statsmodels(seed):
    rng = np.random.default_rng(seed)
    b, c = rng.integers(0, 10 ** rng.integers(1, 5), 2)
    table = [[5, b], [c, 7]]
    found = evaluate.mcnemar(b, c)
    np.testing.assert_allclose(found.exact_p, mcnemar(table, exact=True).pvalue, rtol=1e-9, atol=1e-300)
    if b != c:
        expected = mcnemar(table, exact=False, correction=True)
        np.testing.assert_allclose([found.chi2, found.chi2_p], [expected.statistic, expected.pvalue], **EXACT)
    truth, first, second = rng.integers(0, 2, (3, 100))
    found = evaluate.mcnemar(truth, first, second)
    assert found.only_a == np.sum((first == truth) & (second != truth))
    assert found.only_b == np.sum((first != truth) & (second == truth))


def test_mcnemar_of_degenerate_counts():
    equal, none = evaluate.mcnemar(4, 4), evaluate.mcnemar(0, 0)
    assert (equal.exact_p, equal.chi2, equal.chi2_p) == (1, 0, 1)  # as R; statsmodels corrects beyond 0
    assert none.exact_p == 1 and np.isnan(none.chi2) and np.isnan(none.chi2_p)
    assert evaluate.mcnemar(0, 5).exact_p == pytest.approx(2 * 0.5**5)


@pytest.mark.parametrize("weights, theirs", [("none", None), ("linear", "linear"), ("quadratic", "quadratic")])
@pytest.mark.parametrize("categories", [2, 5])
def test_cohen_kappa_equals_statsmodels_and_scikit_learn(weights, theirs, categories):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, categories, 200)
        b = np.where(rng.random(200) < 0.6, a, rng.integers(0, categories, 200))
        table = evaluate.rating_table(a, b, categories)
        np.testing.assert_array_equal(table, metrics.confusion_matrix(a, b))
        found = evaluate.cohen_kappa(table, weights)
        expected = inter_rater.cohens_kappa(table, wt=theirs)
        np.testing.assert_allclose([found.value, found.standard_error], [expected.kappa, expected.std_kappa], **EXACT)
        np.testing.assert_allclose(found.interval, [expected.kappa_low, expected.kappa_upp], **EXACT)
        assert found.value == pytest.approx(metrics.cohen_kappa_score(a, b, weights=theirs), rel=1e-12)
    assert np.isnan(evaluate.cohen_kappa(np.diag([5, 0])).value)
    assert evaluate.cohen_kappa(np.diag([5, 3]), weights).value == 1
    with pytest.raises(ichdet.Error, match="2 x 3"):
        evaluate.cohen_kappa(np.ones((2, 3)))


@pytest.mark.parametrize("raters, categories", [(2, 2), (6, 2), (5, 4)])
def test_fleiss_kappa_equals_statsmodels(raters, categories):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, categories, 161)
        ratings = np.where(rng.random((161, raters)) < 0.6, truth[:, None], rng.integers(0, categories, (161, raters)))
        counts, _ = inter_rater.aggregate_raters(ratings, categories)
        assert evaluate.fleiss_kappa(counts) == pytest.approx(inter_rater.fleiss_kappa(counts), rel=1e-9)
    assert np.isnan(evaluate.fleiss_kappa([[3, 0], [3, 0]]))
    with pytest.raises(ichdet.Error, match="same number of ratings"):
        evaluate.fleiss_kappa([[3, 0], [1, 1]])


@pytest.mark.parametrize("bins", [1, 5, 10, 15])
@both_kinds
def test_calibration_equals_scikit_learn_and_its_formula(seed, ties, bins):
    truth, score = cases(seed, ties=ties)
    score[:2] = 0, 1
    found = evaluate.calibration(truth, score, bins)
    assert found.brier == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-12)
    if not ties or bins != 15:  # numpy.linspace puts some edges an ulp beside the decimal scores
        frequency, mean = calibration_curve(truth, score, n_bins=bins)
        filled = [b for b in found.bins if b.observed.trials > 0]
        np.testing.assert_allclose([b.observed.value for b in filled], frequency, **EXACT)
        np.testing.assert_allclose([b.mean_probability for b in filled], mean, **EXACT)
    expected, worst = 0, 0
    for i in range(bins):
        inside = (score > i / bins) & (score <= (i + 1) / bins) | ((i == 0) & (score == 0))
        assert found.bins[i].observed.trials == inside.sum()
        if inside.any():
            error = abs(truth[inside].mean() - score[inside].mean())
            expected, worst = expected + inside.mean() * error, max(worst, error)
    assert (found.expected_error, found.largest_error) == pytest.approx((expected, worst), rel=1e-9)
    with pytest.raises(ichdet.Error, match="probabilities, row 0: expected 0 to 1"):
        evaluate.calibration([1], [1.5])
    assert np.isnan(evaluate.calibration([], []).brier)


def test_bland_altman_equals_its_formulas():
    rng = np.random.default_rng(0)
    truth = rng.gamma(1, 20, 60)
    measured = truth * 1.1 + rng.normal(0, 3, 60)
    found = evaluate.bland_altman(measured, truth)
    difference = measured - truth
    sd, z, t = difference.std(ddof=1), stats.norm.ppf(0.975), stats.t.ppf(0.975, 59)
    assert (found.cases, found.bias, found.standard_deviation) == pytest.approx((60, difference.mean(), sd), rel=1e-12)
    assert found.mean_absolute_error == pytest.approx(np.abs(difference).mean(), rel=1e-12)
    np.testing.assert_allclose(found.limits, difference.mean() + np.array([-z, z]) * sd, rtol=1e-9)
    np.testing.assert_allclose(found.bias_interval, stats.t.interval(0.95, 59, difference.mean(), stats.sem(difference)), rtol=1e-9)
    half = t * sd * np.sqrt(1 / 60 + z**2 / (2 * 59))
    np.testing.assert_allclose(found.low_limit_interval, found.limits[0] + np.array([-half, half]), rtol=1e-9)
    np.testing.assert_allclose(found.high_limit_interval, found.limits[1] + np.array([-half, half]), rtol=1e-9)
    assert np.isnan(evaluate.bland_altman([1.0], [2.0]).standard_deviation)
    assert np.isnan(evaluate.bland_altman([], []).bias)
