"""What ichdet.evaluate, ichdet.ensemble and the case rules hand over: arrays in place, threads, Ctrl-C, progress."""

import os
import pickle
import signal
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import ichdet
import numpy as np
import pytest
from ichdet import ensemble, evaluate


def test_curves_are_arrays_in_the_object_itself():
    truth, score = np.arange(50) % 2, np.random.default_rng(0).random(50)
    for curve in (evaluate.roc_curve(truth, score), evaluate.pr_curve(truth, score)):
        assert curve.thresholds.ctypes.data == curve.thresholds.ctypes.data == curve[2].ctypes.data == curve[-1].ctypes.data
        first, second, third = curve
        assert len(first) == len(second) == len(third) and len(curve) == 3
        kept = curve.thresholds
        before = kept.copy()
        del curve, first, second, third
        np.testing.assert_array_equal(kept, before)  # it keeps the object alive
    assert evaluate.roc_curve(truth, score).to_dict()["thresholds"][0] == np.inf


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8])
def test_masks_and_labels_are_read_in_place(kind):
    mask = np.zeros((16, 1024, 1024), kind)
    mask[4:8, 100:300, 100:300] = 1
    labels = (np.arange(10_000_000) % 2).astype(kind)
    scores = np.zeros(10_000_000)
    tracemalloc.start()
    assert evaluate.overlap(mask, mask).dice == 1
    if kind is not np.int8:
        assert evaluate.confusion(labels, scores).true_negatives == 5_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize("inside", [np.int64(256), np.float32(0.25), np.uint16(300), True])
def test_whatever_is_not_0_is_inside(inside):
    mask = np.zeros((2, 3, 4), np.asarray(inside).dtype)
    mask[1, 1] = inside
    assert evaluate.overlap(mask, mask[:, :, ::-1]).both == 4
    assert evaluate.StudyOutcome("s", [0.1, 0.9], predicted=mask, truth=mask).truth_ml == pytest.approx(0.004)


def test_a_map_whose_classes_stay_keeps_its_memory():
    mapping = ensemble.map_classes("m", ["background", "a"], ["background", "a"])
    p = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    assert np.shares_memory(ensemble.to_classes(p, mapping), p)


def test_a_combiner_and_a_staple_in_parts_are_the_whole():
    random = np.random.default_rng(0)
    maps = [random.dirichlet(np.ones(3), (4, 5, 6)).transpose(3, 0, 1, 2).astype(np.float32) for _ in range(3)]
    combiner = ensemble.Combiner(["b", "x", "y"], (4, 5, 6), "logits")
    for i, p in enumerate(maps):
        combiner.add(str(i), p, weights=i + 1)
    np.testing.assert_array_equal(combiner.finish(), ensemble.combine(maps, "logits", [1, 2, 3]))
    labels = [p.argmax(axis=0) for p in maps]
    posterior, rates, iterations = ensemble.staple(labels)
    parts = ensemble.Staple(3, 3)
    for z in range(4):
        parts.count([x[z] for x in labels])
    parts.fit()
    np.testing.assert_allclose(parts.rates, rates, atol=1e-9)
    assert parts.iterations == iterations
    np.testing.assert_allclose(parts.posterior([x[2] for x in labels]), posterior[:, 2], atol=1e-6)


def test_a_cohort_in_memory_is_that_of_the_files(tmp_path):
    random = np.random.default_rng(2)
    truth, a, b = random.integers(0, 2, 40), random.random(40).round(3), random.random(40).round(3)
    patients = [f"p{i // 2}" for i in range(40)]
    with open(tmp_path / "truth.csv", "w") as file:
        file.write("patient,study,any\n" + "".join(f"{p},s{i},{t}\n" for i, (p, t) in enumerate(zip(patients, truth))))
    with open(tmp_path / "said.csv", "w") as file:
        file.write("study,a,b\n" + "".join(f"s{i},{x},{y}\n" for i, (x, y) in enumerate(zip(a, b))))
    from_files = evaluate.evaluate_files(tmp_path / "said.csv", tmp_path / "truth.csv", resamples=100)
    cohort = evaluate.Cohort({"any": truth}, {"a": {"any": a}, "b": {"any": b}}, patients=patients)
    found = evaluate.evaluate_cohort(cohort, resamples=100)
    assert found.patients == 20
    for ours, theirs in zip(found.models, from_files.models, strict=True):
        assert ours.model == theirs.model and ours.areas.keys() == theirs.areas.keys()
        np.testing.assert_array_equal(ours.roc.thresholds, theirs.roc.thresholds)
        assert ours.areas["roc_auc"].exact == theirs.areas["roc_auc"].exact
    assert found.models[0].areas["roc_auc"].value == pytest.approx(evaluate.roc_auc(truth, a))
    joined = evaluate.read_cohort(tmp_path / "said.csv", tmp_path / "truth.csv", models=["b"])
    assert joined.models == ["b"] and joined.truth("any").tolist() == truth.tolist()
    for wrong in ({"c": {"any": a[1:]}}, {"c": {"other": a}}, {"c": {"any": a + 1}}):
        with pytest.raises(ichdet.Error, match="model c"):
            evaluate.Cohort({"any": truth}, wrong)


def test_reliability_as_arrays():
    random = np.random.default_rng(0)
    p = random.random(500)
    truth = random.random(500) < p
    found = evaluate.calibration(truth, p, bins=5)
    inside = np.digitize(p, found.edges[1:-1], right=True)
    np.testing.assert_array_equal(found.cases, np.bincount(inside))
    np.testing.assert_allclose(found.frequency, np.bincount(inside, truth) / found.cases)
    np.testing.assert_allclose(found.mean_probability, np.bincount(inside, p) / found.cases)
    low, high = found.interval()
    assert (low < found.frequency).all() and (found.frequency < high).all()


def test_progress_is_told_and_what_it_raises_is_raised():
    truth, score = np.arange(500) % 2, np.random.default_rng(0).random(500)
    seen = []
    evaluate.bootstrap_areas(truth, score, resamples=500, progress=lambda stage, done: seen.append((stage, done)))
    assert seen and seen[-1][1] == pytest.approx(1) and all(0 <= done <= 1 for _, done in seen)

    def refuse(stage, done):
        raise LookupError(stage)

    with pytest.raises(LookupError):
        evaluate.bootstrap_areas(truth, score, resamples=500, progress=refuse)


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals go to the main thread")
def test_ctrl_c_stops_a_bootstrap_within_a_second():
    truth, score = np.arange(20_000) % 2, np.random.default_rng(0).random(20_000)
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.5, interrupt)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            evaluate.bootstrap_areas(truth, score, resamples=10_000_000 // 20)
        assert time.monotonic() - sent[0] < 1
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


def test_threads_agree():
    random = np.random.default_rng(0)
    truth, score = random.integers(0, 2, 3000), random.random(3000)
    masks = [np.ascontiguousarray(random.random((8, 64, 64)) < 0.2) for _ in range(2)]

    def work(_):
        areas = evaluate.bootstrap_areas(truth, score, resamples=50)
        return (areas["roc_auc"].interval, evaluate.surface_distances(*masks, (1, 1, 5)).mean_mm(),
                ensemble.staple(masks)[2])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(work, range(8)))) == 1


def test_what_is_fitted_can_be_pickled():
    p, truth = np.linspace(0.05, 0.95, 30), np.arange(30) % 7 > 3
    for method in ("platt", "isotonic"):
        fitted = ensemble.fit_calibrator(method, p, truth)
        again = pickle.loads(pickle.dumps(fitted))
        assert again == fitted and again(0.3) == fitted(0.3)
        np.testing.assert_array_equal(fitted(p.reshape(5, 6)), [[fitted(float(x)) for x in row] for row in p.reshape(5, 6)])
    rule = pickle.loads(pickle.dumps(ichdet.CaseRule("logistic", logistic=ichdet.LogisticModel(1, [1, 2, 3, 4]))))
    assert rule.kind == "logistic" and rule.logistic.weights == [1, 2, 3, 4]
