"""ichdet.evaluate.figures, choose_model and the tests behind `ichdet monitor`, against scikit-learn, SciPy and NumPy."""

import ichdet
import numpy as np
import pytest
from ichdet import evaluate
from scipy import ndimage, stats
from sklearn.metrics import average_precision_score, precision_score, roc_auc_score, roc_curve

PIXEL_ML = 0.9 * 0.9 * 5 / 1000


def study(rng, name, blood, skill=1.0, types=None):
    """A study of 12 slices of 40 x 40, a bleed on slices 3 to 7 where there is one, and a model that sees most of it."""
    truth = np.zeros((12, 40, 40), np.uint8)
    if blood:
        truth[3:8, 10:10 + rng.integers(6, 16), 12:12 + rng.integers(6, 16)] = 1
    predicted = truth.copy()
    predicted[:, 10:12] = 0  # misses an edge
    for s in rng.integers(0, 12, 2):
        predicted[s, 30:30 + rng.integers(0, 9), 30:36] = 1  # false lesions
    shows = truth.any((1, 2))
    probabilities = 1 / (1 + np.exp(-(skill * (2 * shows - 1) + rng.normal(size=12))))
    outcome = evaluate.StudyOutcome(name, probabilities, None, predicted, truth, PIXEL_ML, patient=name[:2],
                                    probability=float(probabilities.max()), types=types or {})
    return outcome, predicted, truth, probabilities


@pytest.fixture(scope="module")
def cases():
    rng = np.random.default_rng(3)
    made = []
    for i in range(14):
        shows = np.zeros(12, np.uint8)
        shows[3:8] = i % 2 == 0
        types = {"subdural": shows * (i % 4 == 0), "epidural": shows * (i % 4 == 2)}
        made.append(study(rng, f"p{i:02d}"[-2:] + "-a", i % 2 == 0, 1.2, types))
    return made


def together(cases):
    truth = np.concatenate([c[2].any((1, 2)) for c in cases])
    return truth, np.concatenate([c[3] for c in cases])


def test_figures_equal_scikit_learn_and_numpy(cases):
    figures = evaluate.figures([c[0] for c in cases], resamples=200)
    truth, probabilities = together(cases)
    assert figures["slices"] == 168 and figures["slices_with_blood"] == truth.sum() == 35
    assert figures["slice_auc"]["value"] == pytest.approx(roc_auc_score(truth, probabilities), abs=1e-12)
    dice = [2 * (p & t).sum() / (p.sum() + t.sum()) for _, p, t, _ in cases if t.any()]
    assert figures["dice"]["value"] == pytest.approx(np.mean(dice), abs=1e-12)
    assert figures["dice_median"] == pytest.approx(np.median(dice), abs=1e-12)
    called = probabilities >= 0.5
    assert figures["sensitivity"]["of"] == [int((called & truth).sum()), int(truth.sum())]
    assert figures["specificity"]["value"] == pytest.approx((~called & ~truth).sum() / (~truth).sum())
    assert figures["slice_average_precision"]["value"] == pytest.approx(
        average_precision_score(truth, probabilities), abs=1e-12)
    assert figures["ppv"]["value"] == pytest.approx(precision_score(truth, called), abs=1e-12)
    assert figures["ppv"]["of"] == [int((called & truth).sum()), int(called.sum())]
    for name in ("slice_average_precision", "ppv"):
        low, high = figures[name]["bootstrap"]["interval"]
        assert low < figures[name]["value"] < high
    false, true, thresholds = roc_curve(truth, probabilities, drop_intermediate=False)
    allowed = false <= 0.05 + 1e-12
    assert figures["sensitivity_at_specificity"]["value"] == pytest.approx(true[allowed].max())
    assert figures["threshold_at_specificity"] == pytest.approx(thresholds[allowed][-1])
    study_truth = [c[2].any() for c in cases]
    assert figures["study_auc"]["value"] == pytest.approx(roc_auc_score(study_truth, [c[3].max() for c in cases]))
    error = [p.sum() * PIXEL_ML - t.sum() * PIXEL_ML for _, p, t, _ in cases]
    assert figures["volumes"]["bias_ml"] == pytest.approx(np.mean(error))
    assert figures["volumes"]["standard_deviation_ml"] == pytest.approx(np.std(error, ddof=1))


def test_false_lesions_are_the_largest_pieces_on_blood_free_slices(cases):
    figures = evaluate.figures([c[0] for c in cases], resamples=50, worst=1000)
    sizes = {}
    for outcome, predicted, truth, _ in cases:
        for s in np.flatnonzero(~truth.any((1, 2))):
            pieces, count = ndimage.label(predicted[s], np.ones((3, 3)))
            sizes[outcome.study, int(s)] = max(np.bincount(pieces.ravel())[1:]) * PIXEL_ML if count else 0
    assert figures["largest_false_lesion_ml"] == pytest.approx(max(sizes.values()))
    assert figures["clean"]["of"] == [sum(v <= 0.2 for v in sizes.values()), len(sizes)]
    listed = {(c["study"], c["slice"]): c["value"] for c in figures["false_lesions"]}
    assert listed == pytest.approx({k: v for k, v in sizes.items() if v > 0})
    assert [c["value"] for c in figures["false_lesions"]] == sorted(listed.values(), reverse=True)
    worst = evaluate.figures([c[0] for c in cases], resamples=50, worst=2)["lowest_dice"]
    assert [c["study"] for c in worst] == [o.study for o, *_ in sorted(
        (c for c in cases if c[2].any()), key=lambda c: c[0].dice)[:2]]


def test_types_are_told_from_blood_free_slices(cases):
    figures = evaluate.figures([c[0] for c in cases], resamples=50)
    truth, probabilities = together(cases)
    for one in figures["types"]:
        first = 0 if one["type"] == "subdural" else 2
        shows = np.concatenate([c[2].any((1, 2)) & (i % 4 == first) for i, c in enumerate(cases)])
        asked = shows | ~truth
        assert one["slices"] == shows.sum()
        assert one["auc"]["value"] == pytest.approx(roc_auc_score(shows[asked], probabilities[asked]))
    assert [one["type"] for one in figures["types"]] == ["epidural", "subdural"]


def test_the_bootstrap_draws_patients(cases):
    """A patient's interval of Dice against a plain bootstrap of the patients' values."""
    figures = evaluate.figures([c[0] for c in cases], resamples=4000, seed=1)
    dice = np.array([c[0].dice if c[2].any() else np.nan for c in cases])
    drawn = np.random.default_rng(0).integers(0, len(dice), (4000, len(dice)))
    expected = np.quantile(np.nanmean(dice[drawn], axis=1), [0.025, 0.975])
    assert figures["dice"]["bootstrap"]["interval"] == pytest.approx(expected, abs=0.004)
    again = evaluate.figures([c[0] for c in cases], resamples=4000, seed=1, threads=1)
    assert again == figures


def test_figures_without_masks_and_of_one_class():
    rng = np.random.default_rng(0)
    healthy = [evaluate.StudyOutcome(f"h{i}", rng.uniform(size=5), np.zeros(5)) for i in range(3)]
    figures = evaluate.figures(healthy, resamples=20)
    assert figures["slice_auc"]["value"] is None and figures["dice"]["value"] is None
    assert figures["clean"]["value"] is None and figures["largest_false_lesion_ml"] is None
    assert figures["specificity"]["of"][1] == 15
    text = evaluate.figures_markdown(figures)
    assert "| slice AUC | - | - |" in text and "nan" not in text


def test_a_card_has_the_figures_tables_and_the_worst_cases_names(cases):
    figures = evaluate.figures([c[0] for c in cases], resamples=50)
    card = evaluate.model_card("Test", bundles=[{"name": "m", "version": "3"}], trainings=[{"seed": 4, "hours": 2}],
                               figures={"here": figures}, data=["Phantoms."], limits=["All."])
    assert evaluate.figures_markdown(figures) in card
    assert "| seed | 4 |" in card and "- Phantoms." in card and "- All." in card
    assert f"| {figures['lowest_dice'][0]['study']} |" in card


def test_wrong_outcomes_are_refused(cases):
    with pytest.raises(ichdet.Error, match="twice"):
        evaluate.figures([cases[0][0], cases[0][0]])
    with pytest.raises(ichdet.Error, match="at least one study"):
        evaluate.figures([])
    with pytest.raises(ichdet.Error, match="from 0 to 1"):
        evaluate.figures([evaluate.StudyOutcome("a", np.array([1.5]), np.array([1]))])
    with pytest.raises(ichdet.Error, match="slices"):
        evaluate.StudyOutcome("a", np.zeros(3), None, np.zeros((4, 2, 2), np.uint8))
    with pytest.raises(ichdet.Error, match="12 slices"):
        evaluate.StudyOutcome("a", np.zeros(12), np.zeros(3))


def versions(skill_before, skill_after, studies=30):
    """The same studies seen by two versions."""
    lists = []
    for skill in (skill_before, skill_after):
        rng = np.random.default_rng(7)
        lists.append([study(rng, f"{i:02d}-a", i % 2 == 0, skill) for i in range(studies)])
    return lists


def test_a_better_version_is_kept_and_a_worse_one_is_not():
    before, after = versions(0.8, 2.5)
    choice = evaluate.choose_model([c[0] for c in before], [c[0] for c in after][::-1], resamples=300)
    assert choice["keep"] == "new", choice["reason"]
    truth, old = together(before)
    _, new = together(after)
    auc = next(f for f in choice["figures"] if f["figure"] == "slice_auc")
    assert auc["before"] == pytest.approx(roc_auc_score(truth, old))
    assert auc["after"] == pytest.approx(roc_auc_score(truth, new))
    low, high = auc["difference"]["interval"]
    assert 0 < low < auc["after"] - auc["before"] < high
    right_old, right_new = (old >= 0.5) == truth, (new >= 0.5) == truth
    mcnemar = choice["mcnemar"]["slices_with_blood"]
    assert mcnemar["only_a_right"] == (right_new & ~right_old & truth).sum()
    back = evaluate.choose_model([c[0] for c in after], [c[0] for c in before], resamples=300)
    assert back["keep"] == "old" and "slice_auc went from" in back["reason"] or "sensitivity" in back["reason"]


def test_an_equal_version_is_not_kept_and_other_studies_are_refused():
    before, _ = versions(1, 1, 6)
    outcomes = [c[0] for c in before]
    assert evaluate.choose_model(outcomes, outcomes, resamples=50)["keep"] == "old"
    with pytest.raises(ichdet.Error, match="only one of the two"):
        evaluate.choose_model(outcomes, outcomes[1:])
    other = evaluate.StudyOutcome(outcomes[0].study, np.zeros(12), np.zeros(12), patient=outcomes[0].study[:2])
    with pytest.raises(ichdet.Error, match="same slices and truth"):
        evaluate.choose_model(outcomes, [other, *outcomes[1:]])


@pytest.mark.parametrize("n, m, shift", [(5, 7, 0), (30, 41, 0.5), (200, 300, 0.1), (17, 17, 3), (1, 9, 0), (400, 50, 0.4)])
def test_kolmogorov_smirnov_equals_scipy(n, m, shift):
    rng = np.random.default_rng(n)
    a, b = rng.normal(size=n), rng.normal(size=m) + shift
    expected = stats.ks_2samp(a, b, method="exact")
    statistic, p = evaluate.kolmogorov_smirnov(a, b)
    assert statistic == pytest.approx(expected.statistic, abs=1e-14)
    assert p == pytest.approx(expected.pvalue, rel=1e-9)


def test_kolmogorov_smirnov_with_ties_and_at_the_limit():
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, 60) / 3, rng.integers(0, 5, 80) / 4
    expected = stats.ks_2samp(a, b, method="exact")
    assert evaluate.kolmogorov_smirnov(a, b) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-9)
    a, b = rng.normal(size=25000), rng.normal(size=20000) + 0.015
    statistic, p = evaluate.kolmogorov_smirnov(a, b)
    expected = stats.ks_2samp(a, b, method="asymp")
    assert statistic == pytest.approx(expected.statistic) and p == pytest.approx(expected.pvalue, rel=0.03)


@pytest.mark.parametrize("table", [(3, 10, 9, 12), (0, 5, 0, 7), (1, 40, 30, 60), (5, 5, 0, 4), (200, 900, 150, 800)])
def test_fisher_equals_scipy(table):
    a, of_a, b, of_b = table
    expected = stats.fisher_exact([[a, of_a - a], [b, of_b - b]]).pvalue
    assert evaluate.fisher_exact(*table) == pytest.approx(expected, rel=1e-7)


def test_the_stability_index_by_its_definition():
    rng = np.random.default_rng(5)
    reference, found = rng.normal(size=500), rng.normal(size=300) + 0.7
    edges = np.quantile(reference, np.arange(1, 10) / 10)
    before = np.bincount(np.searchsorted(edges, reference), minlength=10) / 500
    after = np.bincount(np.searchsorted(edges, found), minlength=10) / 300
    expected = ((after - before) * np.log(after / before)).sum()
    index = evaluate.population_stability(reference, found)
    assert index.value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(index.edges, edges, rtol=1e-12)
    np.testing.assert_allclose(index.found, after * 300)
    assert evaluate.population_stability(reference, reference).value == 0
    assert evaluate.population_stability(np.zeros(50), np.ones(50)).value > 5  # a value that never occurred
