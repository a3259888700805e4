"""Bootstrap, curves, DeLong and distances against scikit-learn, SciPy and MONAI, on one thread unless it says otherwise.

Run as: OMP_NUM_THREADS=1 PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/evaluate.py
Outputs are compared before anything is timed; contenders run in turn, and the least of the runs counts.
"""

import time

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage
from sklearn import metrics

from ichdet import evaluate


def least(calls, repeats):
    """The least seconds of each call, run in turn."""
    seconds = np.full(len(calls), np.inf)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.perf_counter()
            call()
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return seconds


def show(what, rows):
    print(what)
    for name, seconds in rows:
        print(f"  {name:58s} {seconds * 1e3:10.2f} ms   1 / {rows[0][1] / seconds:.1f}")


def cases(n=10_000, patients=2_000, seed=0):
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(np.uint8)
    return truth, rng.normal(truth, 1.0), rng.integers(0, patients, n)


def bench_bootstrap(resamples=2000, of_them=40):
    truth, score, patient = cases()
    drawn = []

    def record(rows):
        drawn.append(rows)
        return 0.0

    evaluate.bootstrap(record, truth.size, patient, resamples=of_them)
    values = np.array([[metrics.roc_auc_score(truth[r], score[r]), metrics.average_precision_score(truth[r], score[r])]
                       for r in drawn])
    found = evaluate.bootstrap_areas(truth, score, patient, resamples=of_them)
    for name, column in (("roc_auc", 0), ("average_precision", 1)):
        np.testing.assert_allclose(found[name].interval, np.quantile(values[:, column], [0.025, 0.975]), rtol=1e-12)

    def sklearn_areas():
        for rows in drawn:
            metrics.roc_auc_score(truth[rows], score[rows])
            metrics.average_precision_score(truth[rows], score[rows])

    theirs, ours, both = least([sklearn_areas] + [
        lambda t=t: evaluate.bootstrap_areas(truth, score, patient, resamples=resamples, threads=t) for t in (1, 2)], 5)
    show(f"bootstrap by patient: ROC AUC and average precision, {truth.size} rows, {resamples} resamples",
         [(f"scikit-learn ({of_them} resamples, drawn beforehand, scaled up)", theirs * resamples / of_them),
          ("ichdet, PR AUC too", ours), ("ichdet, two threads", both)])


def bench_curves():
    truth, score, _ = cases(100_000)
    assert np.isclose(metrics.roc_auc_score(truth, score), evaluate.roc_auc(truth, score), rtol=1e-12)
    for ours, theirs in zip(evaluate.roc_curve(truth, score), metrics.roc_curve(truth, score, drop_intermediate=False)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    show("100000 rows: ROC AUC", list(zip(("scikit-learn", "ichdet"), least(
        [lambda: metrics.roc_auc_score(truth, score), lambda: evaluate.roc_auc(truth, score)], 7))))
    other = score + np.random.default_rng(1).normal(0, 1, score.size)
    show("100000 rows: two scores, their curves and DeLong's test",
         list(zip(("scikit-learn, the curves alone", "ichdet"), least(
             [lambda: [metrics.roc_curve(truth, s) for s in (score, other)],
              lambda: ([evaluate.roc_curve(truth, s) for s in (score, other)], evaluate.delong_test(truth, score, other))], 5))))


def bench_surfaces():
    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2, 40, 256, 256)), (0, 2, 12, 12))
    field[1] = 0.7 * field[0] + 0.3 * field[1]
    predicted, truth = (field > np.quantile(field, 0.97, axis=(1, 2, 3), keepdims=True)).astype(np.uint8)
    spacing = (0.45, 0.45, 4.0)
    batch = [torch.from_numpy(m)[None, None].float() for m in (predicted, truth)]

    def monai():
        return compute_hausdorff_distance(*batch, include_background=True, percentile=95, spacing=spacing[::-1]).item()

    def ichdet():
        return evaluate.surface_distances(predicted, truth, spacing).hausdorff_mm()

    def edt():
        edges = [m.astype(bool) & ~ndimage.binary_erosion(m) for m in (predicted, truth)]
        return max(np.percentile(ndimage.distance_transform_edt(~b, sampling=spacing[::-1])[a], 95)
                   for a, b in (edges, edges[::-1]))

    assert np.isclose(monai(), ichdet(), rtol=1e-5) and np.isclose(edt(), ichdet(), rtol=1e-9)
    show(f"HD95, {' x '.join(map(str, truth.shape))} voxels, {truth.sum()} of them inside",
         list(zip(("MONAI", "SciPy, distance transforms of the whole array", "ichdet"), least([monai, edt, ichdet], 5))))


if __name__ == "__main__":
    torch.set_num_threads(1)
    bench_bootstrap()
    bench_curves()
    bench_surfaces()
