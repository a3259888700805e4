"""Masks: ichdet.evaluate against MONAI and SciPy."""

import ichdet
import numpy as np
import pytest
import torch
from ichdet import evaluate
from monai.metrics import compute_dice, compute_froc_curve_data, compute_froc_score, compute_hausdorff_distance
from monai.metrics import compute_iou, compute_surface_dice
from scipy import ndimage

SPACING = (0.45, 0.5, 4.0)  # x, y, z


def blobs(seed, shape=(9, 40, 36), part=0.2, border=False):
    """Two related masks of a few pieces each, some of which touch the border if asked to."""
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(2, *shape)), (0, 0.8, 3, 3))
    field[1] = 0.6 * field[0] + 0.4 * field[1]
    if not border:
        field[:, :, :3] = field[:, :, -3:] = field[:, :, :, :3] = field[:, :, :, -3:] = -9
        field[:, 0] = field[:, -1] = -9
    return (field > np.quantile(field, 1 - part, axis=(1, 2, 3), keepdims=True)).astype(np.uint8)


def batched(mask):
    return torch.from_numpy(mask)[None, None].float()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("border", [False, True])
def test_overlap_and_surfaces_equal_monai(seed, border):
    predicted, truth = blobs(seed, border=border)
    found = evaluate.overlap(predicted, truth)
    assert found.dice == pytest.approx(compute_dice(batched(predicted), batched(truth)).item(), abs=1e-6)
    assert found.iou == pytest.approx(compute_iou(batched(predicted), batched(truth)).item(), abs=1e-6)
    assert found.dice == 2 * (predicted & truth).sum() / (predicted.sum() + truth.sum())
    assert found.iou == (predicted & truth).sum() / (predicted | truth).sum()

    distances = evaluate.surface_distances(predicted, truth, SPACING)
    arguments = {"include_background": True, "spacing": SPACING[::-1]}
    for percentile in (50, 95, 100):
        expected = compute_hausdorff_distance(batched(predicted), batched(truth), percentile=percentile, **arguments)
        assert distances.hausdorff_mm(percentile) == pytest.approx(expected.item(), rel=1e-5)  # it interpolates in float32
    for tolerance in (0.0, 0.5, 1.0, 4.0):
        expected = compute_surface_dice(batched(predicted), batched(truth), [tolerance], **arguments)
        assert distances.surface_dice(tolerance) == pytest.approx(expected.item(), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_distances_equal_scipy(seed):
    predicted, truth = blobs(seed, part=0.05 + 0.1 * seed, border=True)
    distances = evaluate.surface_distances(predicted, truth, SPACING)
    edges = [mask.astype(bool) & ~ndimage.binary_erosion(mask) for mask in (predicted, truth)]
    for ours, (here, there) in zip((distances.from_predicted_mm, distances.from_truth_mm), (edges, edges[::-1])):
        expected = ndimage.distance_transform_edt(~there, sampling=SPACING[::-1])[here]
        np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    directed = [np.percentile(d, 95) for d in (distances.from_predicted_mm, distances.from_truth_mm)]
    assert distances.hausdorff_mm() == pytest.approx(max(directed), rel=1e-12)
    assert distances.mean_mm() == pytest.approx(np.concatenate([distances.from_predicted_mm, distances.from_truth_mm]).mean())


def test_one_voxel_far_away():
    predicted, truth = np.zeros((2, 8, 30, 50), np.uint8)
    predicted[1, 2, 3], truth[6, 25, 47] = 1, 1
    expected = np.linalg.norm([5 * 4.0, 23 * 0.5, 44 * 0.45])
    distances = evaluate.surface_distances(predicted, truth, SPACING)
    assert distances.hausdorff_mm() == pytest.approx(expected, rel=1e-12)
    assert distances.surface_dice(expected - 1e-6) == 0 and distances.surface_dice(expected + 1e-6) == 1


def test_empty_masks():
    """MONAI's surfaces as they are; its Dice and IoU leave out every case without truth, or count two empty masks as 1."""
    nothing = np.zeros((4, 6, 6), np.uint8)
    something = nothing.copy()
    something[1:3, 2:4, 2:4] = 1
    arguments = {"include_background": True, "spacing": SPACING[::-1]}
    for predicted, truth in ((nothing, nothing), (nothing, something), (something, nothing)):
        found = evaluate.overlap(predicted, truth)
        theirs = [compute_dice(batched(predicted), batched(truth), ignore_empty=ignore).item() for ignore in (True, False)]
        if predicted is truth:
            assert np.isnan([found.dice, found.iou, theirs[0]]).all() and theirs[1] == 1
        else:
            assert found.dice == found.iou == theirs[1] == 0
        distances = evaluate.surface_distances(predicted, truth, SPACING)
        # Without a percentile: MONAI's quantile of infinite distances is NaN.
        hausdorff = compute_hausdorff_distance(batched(predicted), batched(truth), **arguments).item()
        dice = compute_surface_dice(batched(predicted), batched(truth), [1.0], **arguments).item()
        np.testing.assert_equal([distances.hausdorff_mm(), distances.hausdorff_mm(100)], [hausdorff] * 2)
        np.testing.assert_equal(distances.surface_dice(1.0), dice)
        assert np.isnan(distances.mean_mm()) == (predicted is truth)
    error = evaluate.volume_error(evaluate.overlap(something, nothing), SPACING)
    assert error.error_ml == pytest.approx(8 * np.prod(SPACING) / 1000) and np.isnan(error.relative)


def test_volume_error():
    predicted, truth = blobs(3)
    found = evaluate.volume_error(evaluate.overlap(predicted, truth), SPACING)
    per_voxel = np.prod(SPACING) / 1000
    assert (found.predicted_ml, found.truth_ml) == pytest.approx((predicted.sum() * per_voxel, truth.sum() * per_voxel))
    assert found.relative == pytest.approx(predicted.sum() / truth.sum() - 1)


def match_in_words(predicted, truth, probability, min_overlap=0.0, min_voxels=1):
    """(voxels, covered, matched, score) of the predicted and of the true pieces."""
    corners = np.ones((3, 3, 3))
    pieces, count = ndimage.label(predicted, corners)
    lesions, lesion_count = ndimage.label(truth, corners)
    kept = [i for i in range(1, count + 1) if (pieces == i).sum() >= min_voxels]
    prediction = np.isin(pieces, kept)

    def covered(inside, other):
        part = (inside & other).sum()
        return inside.sum(), part, bool(part > 0 and part >= min_overlap * inside.sum())

    ours = [(*covered(pieces == i, truth > 0), probability[pieces == i].max()) for i in kept]
    theirs = []
    for i in range(1, lesion_count + 1):
        voxels, part, matched = covered(lesions == i, prediction)
        touching = [ours[kept.index(p)][3] for p in np.unique(pieces[(lesions == i) & prediction])]
        theirs.append((voxels, part, matched, max(touching) if matched else 0))
    return ours, theirs


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("min_overlap, min_voxels", [(0.0, 1), (0.3, 1), (0.0, 15)])
def test_lesions_equal_their_definition(seed, min_overlap, min_voxels):
    predicted, truth = blobs(seed, part=0.04, border=True)
    probability = np.random.default_rng(seed).random(truth.shape).astype(np.float32)
    found = evaluate.match_lesions(predicted, truth, probability, min_overlap, min_voxels)
    expected = match_in_words(predicted, truth, probability, min_overlap, min_voxels)
    assert len(expected[0]) > 1 and len(expected[1]) > 2
    for ours, theirs in zip((found.predicted, found.truth), expected, strict=True):
        assert [(o.voxels, o.covered, o.matched) for o in ours] == [t[:3] for t in theirs]
        np.testing.assert_allclose([o.score for o in ours], [t[3] for t in theirs])
    assert found.sensitivity.value == np.mean([t[2] for t in expected[1]])
    assert found.precision.value == np.mean([t[2] for t in expected[0]])


@pytest.mark.parametrize("seed", range(4))
def test_froc_equals_monai(seed):
    images, false, found, lesions = [], [], [], 0
    for i in range(8):
        predicted, truth = blobs(100 * seed + i, part=0.03, border=True)
        probability = np.round(np.random.default_rng(i).random(truth.shape), 2).astype(np.float32)
        image = evaluate.match_lesions(predicted, truth, probability)
        images.append(image)
        false += [p.score for p in image.predicted if not p.matched]
        found += [t.score for t in image.truth]
        lesions += len(image.truth)
    assert false and min(found) == 0 and max(found) > 0
    rate, sensitivity, _ = evaluate.froc(images)
    expected = compute_froc_curve_data(np.array(false), np.array(found), lesions, len(images))
    np.testing.assert_allclose(rate[::-1], expected[0], rtol=1e-12)
    np.testing.assert_allclose(sensitivity[::-1], expected[1], rtol=1e-12)
    assert evaluate.froc_score(images) == pytest.approx(compute_froc_score(*expected), rel=1e-12)
    assert evaluate.froc_score(images, [0.1, 0.3]) == pytest.approx(compute_froc_score(*expected, (0.1, 0.3)), rel=1e-12)


def test_lesions_of_empty_masks():
    nothing = np.zeros((3, 5, 5), np.uint8)
    found = evaluate.match_lesions(nothing, nothing)
    assert np.isnan([found.sensitivity.value, found.precision.value]).all()
    rate, sensitivity, thresholds = evaluate.froc([found])
    assert list(rate) == [0] and np.isnan(sensitivity[0]) and thresholds[0] == np.inf
    something = nothing.copy()
    something[1, 2, 2] = 7  # anything but 0 is inside
    missed, false = evaluate.match_lesions(nothing, something), evaluate.match_lesions(something, nothing)
    assert (missed.sensitivity.value, false.precision.value, false.predicted[0].score) == (0, 0, 1)


def test_what_does_not_fit_is_refused():
    a, b = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 5), np.uint8)
    for call in (evaluate.overlap, evaluate.match_lesions, lambda p, t: evaluate.surface_distances(p, t, SPACING)):
        with pytest.raises(ichdet.Error, match="predicted mask"):
            call(a, b)
    with pytest.raises(ichdet.Error, match="spacing_mm: expected three numbers above 0"):
        evaluate.surface_distances(a, a, (1, 0, 1))
    with pytest.raises(ichdet.Error, match="percentile"):
        evaluate.surface_distances(a, a, (1, 1, 1)).hausdorff_mm(101)
    with pytest.raises(ichdet.Error, match="FROC"):
        evaluate.froc([])
