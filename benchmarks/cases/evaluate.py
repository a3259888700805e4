"""Bootstrap, curves, DeLong's test and distances, against scikit-learn, SciPy and MONAI."""

import numpy as np

from suite.arrays import differences
from suite.case import Case, Contender

ROWS, RESAMPLES, OF_THEM = 100_000, 2000, 8
SPACING = (0.45, 0.45, 4.0)


def write_scores(folder):
    random = np.random.default_rng(0)
    truth = (random.random(ROWS) < 0.3).astype(np.uint8)
    first = random.normal(truth, 1.0)
    np.savez(folder / "scores.npz", truth=truth, first=first, second=first + random.normal(0, 1, ROWS),
             patient=random.integers(0, ROWS // 30, ROWS))


def scores(folder):
    stored = np.load(folder / "scores.npz")
    return stored["truth"], stored["first"], stored["second"], stored["patient"]


def write_masks(folder):
    from scipy import ndimage

    field = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(2, 40, 256, 256)), (0, 2, 12, 12))
    field[1] = 0.7 * field[0] + 0.3 * field[1]
    np.save(folder / "masks.npy", (field > np.quantile(field, 0.97, axis=(1, 2, 3), keepdims=True)).astype(np.uint8))


def intervals_agree(outputs):
    """Of different resamples, 2000 of ours and few of scikit-learn's: theirs scatter about the middle of our interval."""
    low, high = outputs["ichdet"]
    theirs = np.asarray(outputs["scikit-learn"])
    gap = abs(theirs.mean() - (low + high) / 2)
    assert gap < 3 * (high - low) / 4 / np.sqrt(theirs.size) + 1e-6, (low, high, theirs)
    return {"scikit-learn": float(gap)}


bootstrap = Case("evaluate/bootstrap", f"ROC AUC and average precision of {ROWS:,} scores, {RESAMPLES} resamples of "
                 "patients, interval", write_scores, intervals_agree, threads=(1, 0), quick=True)


@bootstrap.contender("ichdet")
def bootstrap_ichdet(folder, threads):
    from ichdet import evaluate

    truth, score, _, patient = scores(folder)

    def run():
        areas = evaluate.bootstrap_areas(truth, score, patient, resamples=RESAMPLES, threads=threads)
        return areas["roc_auc"].interval

    return run


@bootstrap.contender("scikit-learn")
def bootstrap_sklearn(folder, threads):
    from sklearn import metrics

    truth, score, _, patient = scores(folder)
    order = np.argsort(patient, kind="stable")
    rows_of = np.split(order, np.searchsorted(patient[order], np.arange(1, patient.max() + 1)))

    def run():
        random = np.random.default_rng(1)
        areas = []
        for _ in range(OF_THEM):
            rows = np.concatenate([rows_of[i] for i in random.integers(0, len(rows_of), len(rows_of))])
            areas.append(metrics.roc_auc_score(truth[rows], score[rows]))
            metrics.average_precision_score(truth[rows], score[rows])
        return areas

    return Contender(run, f"{OF_THEM} resamples, scaled up", OF_THEM / RESAMPLES)


delong = Case("evaluate/delong", f"two ROC areas of {ROWS:,} scores and DeLong's test of their difference", write_scores,
              lambda outputs: differences(outputs, "SciPy", 1e-9), quick=True)


@delong.contender("ichdet")
def delong_ichdet(folder, threads):
    from ichdet import evaluate

    truth, first, second, _ = scores(folder)

    def run():
        test = evaluate.delong_test(truth, first, second)
        return [test.difference, test.p_value]

    return run


@delong.contender("SciPy")
def delong_scipy(folder, threads):
    """Sun and Xu 2014 on SciPy's midranks: what Python users of DeLong's test have."""
    from scipy import stats

    truth, first, second, _ = scores(folder)

    def run():
        positive, negative = truth == 1, truth == 0
        m, n = positive.sum(), negative.sum()
        areas, v01, v10 = [], [], []
        for score in (first, second):
            whole = stats.rankdata(score)
            inside, outside = stats.rankdata(score[positive]), stats.rankdata(score[negative])
            areas.append((whole[positive].sum() - m * (m + 1) / 2) / (m * n))
            v01.append((whole[positive] - inside) / n)
            v10.append(1 - (whole[negative] - outside) / m)
        variance = np.cov(v01) / m + np.cov(v10) / n
        gap = areas[0] - areas[1]
        z = gap / np.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1])
        return [gap, 2 * stats.norm.sf(abs(z))]

    return run


area = Case("evaluate/roc-auc", f"ROC AUC of {ROWS:,} scores", write_scores,
            lambda outputs: differences(outputs, "scikit-learn", 1e-12))


@area.contender("ichdet")
def area_ichdet(folder, threads):
    from ichdet import evaluate

    truth, first, _, _ = scores(folder)
    return lambda: evaluate.roc_auc(truth, first)


@area.contender("scikit-learn")
def area_sklearn(folder, threads):
    from sklearn import metrics

    truth, first, _, _ = scores(folder)
    return lambda: metrics.roc_auc_score(truth, first)


curve = Case("evaluate/roc-curve", f"ROC curve of {ROWS:,} scores, each threshold", write_scores,
             lambda outputs: differences(outputs, "scikit-learn", 1e-12))


@curve.contender("ichdet")
def curve_ichdet(folder, threads):
    from ichdet import evaluate

    truth, first, _, _ = scores(folder)

    def run():
        made = evaluate.roc_curve(truth, first)
        return np.stack([np.asarray(column) for column in made][:2])

    return run


@curve.contender("scikit-learn")
def curve_sklearn(folder, threads):
    from sklearn import metrics

    truth, first, _, _ = scores(folder)
    return lambda: np.stack(metrics.roc_curve(truth, first, drop_intermediate=False)[:2])


surface = Case("evaluate/hd95", "95th percentile of surface distances, 40 x 256 x 256 voxels, 3 % inside", write_masks,
               lambda outputs: differences(outputs, "MONAI", 1e-4), quick=True)


@surface.contender("ichdet")
def surface_ichdet(folder, threads):
    from ichdet import evaluate

    predicted, truth = np.load(folder / "masks.npy")
    return lambda: evaluate.surface_distances(predicted, truth, SPACING).hausdorff_mm()


@surface.contender("MONAI")
def surface_monai(folder, threads):
    import torch
    from monai.metrics import compute_hausdorff_distance

    predicted, truth = (torch.from_numpy(mask)[None, None].float() for mask in np.load(folder / "masks.npy"))
    return lambda: compute_hausdorff_distance(predicted, truth, include_background=True, percentile=95,
                                              spacing=SPACING[::-1]).item()


@surface.contender("SciPy")
def surface_scipy(folder, threads):
    from scipy import ndimage

    masks = [mask.astype(bool) for mask in np.load(folder / "masks.npy")]

    def run():
        edges = [mask & ~ndimage.binary_erosion(mask) for mask in masks]
        return max(np.percentile(ndimage.distance_transform_edt(~b, sampling=SPACING[::-1])[a], 95)
                   for a, b in (edges, edges[::-1]))

    return run


CASES = [bootstrap, delong, area, curve, surface]
