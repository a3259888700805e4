"""Judging explanations: against NumPy, SciPy, scikit-learn, RISE's definition and saliency's information curve."""

import numpy as np
import oracles  # noqa: F401
import pytest
import torch
from saliency.metrics import pic
from scipy import interpolate, ndimage, stats
from sklearn.metrics import auc, roc_auc_score

from ichdet import attribution as a

pytestmark = pytest.mark.usefixtures("one_thread")


def draw(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["distinct", "tied", "negative"])
def map_and_mask(request):
    values = draw(60, 50) - 0.1
    if request.param == "tied":
        values = (values * 8).round() / 8
    if request.param == "negative":
        values = values - 0.8
    mask = torch.zeros(60, 50, dtype=torch.uint8)
    mask[20:33, 5:30] = 1
    mask[50:52, 44] = 3
    return values, mask


def test_pointing_game_is_the_distance_transforms(map_and_mask):
    values, mask = map_and_mask
    distance = ndimage.distance_transform_edt(mask.numpy() == 0)
    highest = values.numpy() == values.numpy().max()
    for tolerance in (0, 1, 4.3, 15):
        found = a.pointing_game(values, mask, tolerance=tolerance)
        assert found.maxima == highest.sum()
        assert found.hit == pytest.approx((distance[highest] <= tolerance).mean())
        assert found.chance == pytest.approx((distance <= tolerance).mean())
    in_mm = ndimage.distance_transform_edt(mask.numpy() == 0, sampling=(0.4, 0.7))
    found = a.pointing_game(values, mask, tolerance=3, spacing=(0.7, 0.4, 1))
    assert found.chance == pytest.approx((in_mm <= 3).mean())


def test_a_volumes_pointing_game():
    mask = draw(5, 20, 20, seed=1) > 0.995
    values = draw(5, 20, 20, seed=2)
    distance = ndimage.distance_transform_edt(~mask.numpy(), sampling=(5, 1, 2))
    found = a.pointing_game(values, mask, tolerance=6, spacing=(2, 1, 5))
    assert found.chance == pytest.approx((distance <= 6).mean())
    assert found.hit == (distance.flat[values.argmax()] <= 6)


def test_energy_area_and_auc(map_and_mask):
    values, mask = map_and_mask
    v, m = values.numpy().astype(float), mask.numpy() > 0
    positive = np.maximum(v, 0)
    expected = positive[m].sum() / positive.sum() if positive.sum() > 0 else m.mean()
    assert a.energy_inside(values, mask) == pytest.approx(expected, rel=1e-6)
    assert a.pixel_auc(values, mask) == pytest.approx(roc_auc_score(m.ravel(), v.ravel()), abs=1e-12)
    # The mean over random orders of what is equal.
    random = np.random.default_rng(0)
    precision = [m.ravel()[np.lexsort((random.random(v.size), -v.ravel()))[:m.sum()]].mean() for _ in range(400)]
    found = a.equal_area(values, mask)
    assert found.precision == pytest.approx(np.mean(precision), abs=max(1e-12, 4 * np.std(precision) / 20))
    assert found.iou == pytest.approx(found.precision / (2 - found.precision))


def test_rank_correlation(map_and_mask):
    values, _ = map_and_mask
    other = (draw(60, 50, seed=5) + values).round(decimals=1)
    expected = stats.spearmanr(values.numpy().ravel(), other.numpy().ravel()).statistic
    assert a.rank_correlation(values, other) == pytest.approx(expected, abs=1e-12)


def network():
    torch.manual_seed(4)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 6, 5, 2), torch.nn.Softplus(), torch.nn.Conv2d(6, 4, 3, 2),
                               torch.nn.Flatten(), torch.nn.LazyLinear(1), torch.nn.Sigmoid()).eval()


def scores_of(net):
    def scores(x):
        with torch.no_grad():
            return net(x.float())[:, 0]
    return scores


def test_curves_are_those_of_rise_and_their_area_scikit_learns():
    net, image, values = network(), draw(2, 3, 40, 40), draw(2, 40, 40, seed=3)
    net(image)
    explained = a.Explained.from_functions(scores=scores_of(net), batch=7)
    substitute = a.blurred(image, 3)
    reference = ndimage.gaussian_filter(image.numpy(), (0, 0, 3, 3), mode="nearest")
    assert np.abs(substitute.numpy() - reference).max() < 1e-6
    for curves, start, end in ((a.insertion_curves, substitute, image), (a.deletion_curves, image, substitute)):
        found = curves(explained, image, values, substitute, steps=40)
        for i in range(2):
            now, order = start[i].clone().flatten(1), values[i].flatten().argsort(descending=True)
            expected = [scores_of(net)(now.view(1, 3, 40, 40)).item()]
            for step in range(40):
                pixels = order[40 * step:40 * (step + 1)]
                now[:, pixels] = end[i].flatten(1)[:, pixels]
                expected.append(scores_of(net)(now.view(1, 3, 40, 40)).item())
            assert np.allclose(found[i].score, expected, atol=1e-6)
            assert found[i].area == pytest.approx(auc(found[i].share, expected), abs=1e-6)


def crisp_image(seed):
    """(y, x, 3), uint8: shapes over noise."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 40, (48, 56, 3))
    for _ in range(6):
        y, x, size = random.integers(0, 40, 3)
        image[y:y + size // 3 + 4, x:x + size // 3 + 4] = random.integers(60, 255, 3)
    return image.astype(np.uint8)


def blur(image, known):
    """Any function of the known pixels does; this one is quick."""
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    return image[tuple(nearest)]


def bytes_of(image):
    return float(np.abs(np.diff(image.astype(int), axis=0)).sum() + np.abs(np.diff(image.astype(int), axis=1)).sum())


def to_array(image):
    return image.numpy().astype(np.uint8).transpose(1, 2, 0)


@pytest.mark.parametrize("monotone", [True, False])
@pytest.mark.parametrize("kind", ["distinct", "regions"])
def test_information_curve_is_saliencys(monkeypatch, monotone, kind):
    """The same blur and information given, within 1e-6."""
    monkeypatch.setattr(pic, "create_blurred_image", lambda full_img, pixel_mask: blur(full_img, pixel_mask))
    monkeypatch.setattr(pic, "estimate_image_entropy", bytes_of)
    monkeypatch.setattr(np, "trapz", np.trapezoid, raising=False)  # NumPy 2 took the name away
    ours, theirs = [], []
    for seed in range(6):
        image, random = crisp_image(seed), np.random.default_rng(seed)
        weight = random.random((48, 56))
        values = ndimage.gaussian_filter(random.random((48, 56)), 2).astype(np.float32)
        if kind == "regions":
            values = np.round(values * 40) / 40
        known = random.random((48, 56)) < 0.01

        def predict(images):
            x = np.asarray(images, float) / 255
            return 1 / (1 + np.exp(-30 * ((x[..., 0] - x[..., 2]) * weight).mean((1, 2)) - 1))

        shares = [0.005, 0.01, 0.02, 0.05, 0.1, 0.21, 0.34, 0.5, 0.75]
        explained = a.Explained.from_functions(
            scores=lambda x: predict(x.numpy().astype(np.uint8).transpose(0, 2, 3, 1)), batch=4)
        found = a.information_curve(
            explained, torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32)), torch.from_numpy(values),
            shares=shares, least_score=0, monotone=monotone, points=200, known=torch.from_numpy(known),
            information=lambda x: bytes_of(to_array(x)),
            reveal=lambda x, m: torch.from_numpy(blur(to_array(x), m.numpy()).transpose(2, 0, 1).astype(np.float32)))
        try:
            expected = pic.compute_pic_metric(image, values, known, predict, shares, 0, monotone, 200)
        except pic.ComputePicMetricError:
            assert found.skipped
            continue
        assert not found.skipped
        assert np.allclose(found.measured_score, expected.predictions, atol=1e-9)
        assert np.abs(np.array(found.information) - expected.curve_x).max() < 1e-12
        assert np.abs(np.array(found.score) - expected.curve_y).max() < 1e-6
        assert found.area == pytest.approx(expected.auc, abs=1e-6)
        ours.append(found)
        theirs.append(expected)
    assert len(ours) >= 2
    for how in ("mean", "median"):
        expected = pic.aggregate_individual_pic_results(theirs, how)
        found = a.joined_curves(ours, how=how)
        assert np.abs(np.array(found.score) - expected.curve_y).max() < 1e-6
        assert found.area == pytest.approx(expected.auc, abs=1e-6)


def test_an_image_below_the_least_score_is_skipped():
    explained = a.Explained.from_functions(scores=lambda x: x.flatten(1).mean(1).double())
    found = a.information_curve(explained, draw(1, 20, 20), draw(20, 20))
    assert "scores" in found.skipped and found.information == []


def test_residual_bytes_against_numpy():
    image = torch.from_numpy(crisp_image(3).transpose(2, 0, 1).astype(np.float32))
    expected = 0
    for channel in image.numpy().astype(int):
        p = np.pad(channel, ((1, 0), (1, 0)))
        left, up, corner = p[1:, :-1], p[:-1, 1:], p[:-1, :-1]
        guess = np.median([left, up, left + up - corner], axis=0)
        counts = np.unique((channel - guess).astype(int) % 256, return_counts=True)[1]
        expected += counts.sum() * stats.entropy(counts, base=2) / 8
    assert a.residual_bytes(image, 0, 255) == pytest.approx(expected, rel=1e-9)


def test_residual_bytes_go_with_the_size_of_webp_files():
    """saliency measures information by lossless WebP; the two rise together as an image comes into focus."""
    ours, theirs = [], []
    image = crisp_image(1)
    values = ndimage.gaussian_filter(np.random.default_rng(0).random((48, 56)), 3)
    for share in (0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1):
        known = values >= np.quantile(values, 1 - share)
        known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
        points, rest = np.argwhere(known), np.argwhere(~known)
        shown = image.copy()
        if len(rest):
            shown[~known] = interpolate.griddata(points, image[known].astype(float), rest, method="linear").round()
        ours.append(a.residual_bytes(torch.from_numpy(shown.transpose(2, 0, 1).astype(np.float32)), 0, 255))
        theirs.append(pic.estimate_image_entropy(shown))
    assert stats.pearsonr(ours, theirs).statistic > 0.98


def test_what_cannot_be_judged_is_refused():
    from ichdet import Error
    with pytest.raises(Error, match="inside and outside"):
        a.energy_inside(draw(4, 4), torch.zeros(4, 4))
    with pytest.raises(Error, match=r"\(y, x\) or \(z, y, x\)"):
        a.pixel_auc(draw(4), torch.ones(4))
    with pytest.raises(Error, match="mean or median"):
        a.joined_curves([], how="mode")
