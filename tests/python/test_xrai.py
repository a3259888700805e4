"""Felzenszwalb's segmentation against scikit-image, XRAI's segments, regions and whole against the package saliency."""

from unittest import mock

import numpy as np
import oracles  # noqa: F401
import pytest
import saliency.core as saliency
import torch
from saliency.core import xrai as reference
from scipy import ndimage
from skimage import segmentation

import ichdet
from ichdet import attribution as xrai

pytestmark = pytest.mark.usefixtures("one_thread")

SCALES = [50, 100, 150, 250, 500, 1200]


def smooth(y, x, channel=1, sigma=2.0, seed=0, dtype=np.float32):
    """Noise without ties or flat parts, (y, x, channel), of deviation 1."""
    values = np.random.default_rng(seed).standard_normal((y, x, channel))
    values = ndimage.gaussian_filter(values, (sigma, sigma, 0))
    return (values / values.std()).astype(dtype)


def windows(hu):
    """Blood, subdural and soft tissue, (y, x, channel): saturated parts are flat."""
    return np.stack([np.clip((hu - low) / width, 0, 1) for low, width in ((0, 80), (-20, 200), (-150, 380))],
                    -1).astype(np.float32)


@pytest.fixture(scope="module")
def phantom():
    hu = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack.hu
    return windows(hu[len(hu) // 2])


@pytest.fixture(scope="module")
def scan(real_data):
    return ichdet.read_study(real_data("head_ct_ge_tilt")).stack.hu


def channels_first(image):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0)))


def masks_of(image):
    return np.array(reference._get_segments_felzenszwalb(image))


def signed_attribution(shape, dtype, seed=5):
    """Fine structure of either sign, which is strong in places."""
    fine, coarse = smooth(*shape, sigma=2, seed=seed, dtype=dtype), smooth(*shape, sigma=20, seed=seed + 1, dtype=dtype)
    return (fine * np.abs(coarse))[..., 0]


def expected_regions(attribution, masks, algorithm, **options):
    call = {"full": reference.XRAI._xrai, "fast": reference.XRAI._xrai_fast}[algorithm]
    return call(attribution, list(masks), **options)


def assert_regions_equal(found, heat_map, ranks):
    """Order, areas and even the roundings of the heat map."""
    assert np.array_equal(found.ranks.numpy(), ranks)
    assert np.array_equal(found.heat_map.numpy(), heat_map)
    assert found.areas == np.bincount(ranks.ravel())[1:].tolist()
    assert found.gains == [heat_map[ranks == i + 1][0] for i in range(ranks.max())]


# Felzenszwalb


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(224, 224, 3), (96, 130, 1), (33, 17, 2), (1, 40, 1), (40, 1, 3), (1, 1, 1)])
def test_labels_equal_scikit_images(shape, dtype):
    image = smooth(*shape, dtype=dtype) if shape[0] > 1 else np.random.default_rng(0).random(shape).astype(dtype)
    for scale, sigma, min_size in ((1, 0.8, 20), (100, 0.8, 150), (1200, 0.8, 150), (50, 2.3, 5), (3, 0, 1)):
        expected = segmentation.felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size)
        found = xrai.felzenszwalb(channels_first(image), scale, sigma, min_size)
        assert np.array_equal(found.numpy(), expected), (scale, sigma, min_size)


def test_plane_and_one_channel_are_the_same():
    image = channels_first(smooth(50, 60))
    assert torch.equal(xrai.felzenszwalb(image, 30), xrai.felzenszwalb(image[0], 30))


def stable_sort():
    """NumPy's argsort as Felzenszwalb's edges of one cost need it for an order that can be told."""
    return mock.patch("numpy.argsort", lambda values, *_, **__: values.argsort(kind="stable"))


@pytest.mark.parametrize("levels", [4, 16, 200])
def test_ties_go_to_the_earlier_edge(levels):
    """Images of few levels, symmetric at that: most edges cost what others cost."""
    quarter = np.round(smooth(40, 50, seed=levels, dtype=np.float64) * levels) / levels
    image = np.concatenate([quarter, quarter[::-1]])
    image = np.concatenate([image, image[:, ::-1]], 1)
    for scale, sigma in ((1, 0), (20, 0.8), (300, 0.8)):
        with stable_sort():
            expected = segmentation.felzenszwalb(image, scale=scale, sigma=sigma, min_size=20)
        found = xrai.felzenszwalb(channels_first(image), scale, sigma, 20).numpy()
        assert expected.max() > 3 and np.array_equal(found, expected), (scale, sigma)
        unstable = segmentation.felzenszwalb(image, scale=scale, sigma=sigma, min_size=20)
        print("levels", levels, "scale", scale, "sigma", sigma, "segments", expected.max() + 1,
              "as scikit-image sorts:", unstable.max() + 1)


def test_labels_of_a_windowed_scan(scan):
    """Saturated parts are flat: their edges tie, but cost nothing and change nothing."""
    for z in (4, 20):
        image = windows(scan[z])
        for scale in (50, 1200):
            expected = segmentation.felzenszwalb(image, scale=scale, sigma=0.8, min_size=150)
            assert np.array_equal(xrai.felzenszwalb(channels_first(image), scale, 0.8, 150).numpy(), expected)


# segments


@pytest.mark.parametrize("shape,dtype", [((224, 224, 3), np.float32), ((224, 224, 1), np.float64),
                                         ((96, 130, 1), np.float32), ((96, 130, 3), np.float64),
                                         ((300, 260, 1), np.float32)])
def test_segments_equal_saliencys(shape, dtype):
    image = smooth(*shape, dtype=dtype)
    expected = masks_of(image)
    assert len(expected) > 100
    assert np.array_equal(xrai.xrai_segments(channels_first(image)).tensor().numpy(), expected)


@pytest.mark.parametrize("size", [224, 160])
def test_segments_of_a_phantom(phantom, size):
    image = ndimage.zoom(phantom, (size / phantom.shape[0], size / phantom.shape[1], 1), order=1)
    assert np.array_equal(xrai.xrai_segments(channels_first(image)).tensor().numpy(), masks_of(image))


@pytest.mark.parametrize("z,channels", [(5, 1), (14, 1), (20, 3)])
def test_segments_of_a_scan(scan, z, channels):
    image = np.ascontiguousarray(windows(scan[z])[..., :channels])
    assert np.array_equal(xrai.xrai_segments(channels_first(image)).tensor().numpy(), masks_of(image))


def test_segments_of_a_flat_border_in_float64(scan):
    """Where zeros beyond a flat border are resized in, edges cost the same but for scikit-image's roundings, and at the
    finest scale its labels change with them, by noise of 1e-14 as by ichdet's. At the others they are equal."""
    image = windows(scan[14])[..., :1].astype(np.float64)
    small = reference._normalize_image(image, [-1, 1], (224, 224))
    for scale in SCALES:
        first = segmentation.felzenszwalb(small, scale=scale, sigma=0.8, min_size=150)
        found = xrai.xrai_segments(channels_first(image), scales=[scale], dilation=0).tensor().numpy().argmax(0)
        equal = (found == first[np.ix_(*((2 * np.arange(512) + 1) * 224 // 1024,) * 2)]).mean()
        moved = 0
        for seed in range(3):
            noise = 1e-14 * np.random.default_rng(seed).standard_normal(small.shape)
            noisy = segmentation.felzenszwalb(np.clip(small + noise, -1, 1), scale=scale, sigma=0.8, min_size=150)
            moved = max(moved, (noisy != first).mean())
        print("scale", scale, "labels equal", equal, "moved by noise", moved)
        assert equal == 1 if moved == 0 else found.max() == first.max()


def test_segments_as_options_ask():
    image = smooth(120, 100, 3, dtype=np.float64)
    scales, dilation = [30, 400], 2
    with mock.patch.object(reference, "_FELZENSZWALB_SCALE_VALUES", scales), \
         mock.patch.object(reference, "_FELZENSZWALB_SIGMA_VALUES", [1.5]), \
         mock.patch.object(reference, "_FELZENSZWALB_MIN_SEGMENT_SIZE", 40):
        expected = np.array(reference._get_segments_felzenszwalb(image, resize_image=False, scale_range=[-2, 5],
                                                                 dilation_rad=dilation))
    found = xrai.xrai_segments(channels_first(image), scales=scales, sigma=1.5, min_size=40, value_range=(-2, 5),
                               side=0, dilation=dilation)
    assert len(found) == len(expected) and np.array_equal(found.tensor().numpy(), expected)


def test_image_of_one_value_is_one_segment():
    masks = xrai.xrai_segments(torch.full((1, 40, 30), 5.0)).tensor()
    assert masks.shape == (6, 40, 30) and masks.all()


def test_refusals():
    with pytest.raises(ichdet.Error, match="NaN or infinity"):
        xrai.xrai_segments(torch.full((1, 9, 9), float("nan")))
    with pytest.raises(ichdet.Error, match="y, x"):
        xrai.xrai_segments(torch.zeros(1, 1, 9, 9, 9))
    with pytest.raises(ichdet.Error, match="full, fast"):
        xrai.xrai_regions(torch.zeros(9, 9), torch.ones(1, 9, 9, dtype=torch.bool), algorithm="quick")


# regions


def overlapping(y, x):
    """Segments of smooth noise, bool (mask, y, x)."""
    return xrai.xrai_segments(channels_first(smooth(y, x))).tensor().numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize("shape", [(224, 224), (96, 130), (300, 260)])
def test_regions_equal_saliencys(shape, algorithm, dtype):
    masks = overlapping(*shape)
    attribution = signed_attribution(shape, dtype)
    heat_map, ranks = expected_regions(attribution, masks, algorithm)
    assert ranks.max() > 20
    assert_regions_equal(xrai.xrai_regions(torch.from_numpy(attribution), torch.from_numpy(masks), algorithm=algorithm),
                         heat_map, ranks)


@pytest.mark.parametrize("algorithm", ["full", "fast"])
def test_regions_where_many_gains_are_the_same(algorithm):
    """Attributions of few values, most of them 0: the first of equals comes first."""
    masks = overlapping(150, 140)
    for seed in range(4):
        attribution = np.round(signed_attribution((150, 140), np.float32, seed) / 2)
        assert (attribution == 0).mean() > 0.5
        heat_map, ranks = expected_regions(attribution, masks, algorithm)
        assert_regions_equal(xrai.xrai_regions(torch.from_numpy(attribution), torch.from_numpy(masks),
                                               algorithm=algorithm), heat_map, ranks)


def test_regions_with_options():
    masks = overlapping(150, 140)
    attribution = signed_attribution((150, 140), np.float64)
    for threshold, least in ((0.05, 50), (0.3, 1), (1, 400), (0, 50)):
        expected = expected_regions(attribution, masks, "full", area_perc_th=threshold, min_pixel_diff=least)
        found = xrai.xrai_regions(torch.from_numpy(attribution), xrai.RegionMasks(torch.from_numpy(masks)),
                                  area_threshold=threshold, min_pixel_diff=least)
        assert_regions_equal(found, *expected)


def test_masks_that_leave_pixels_out():
    masks = overlapping(150, 140)[:20]
    masks[:, :, :50] = False
    attribution = signed_attribution((150, 140), np.float32)
    for algorithm in ("full", "fast"):
        found = xrai.xrai_regions(torch.from_numpy(attribution), torch.from_numpy(masks), algorithm=algorithm)
        assert_regions_equal(found, *expected_regions(attribution, masks, algorithm))


def test_top_regions():
    masks = overlapping(150, 140)
    found = xrai.xrai_regions(torch.from_numpy(signed_attribution((150, 140), np.float32)), torch.from_numpy(masks))
    for share in (0.05, 0.1, 0.2):
        top = found.top(share)
        last = int(found.ranks[top].max())
        assert torch.equal(top, found.ranks <= last)
        assert top.float().mean() >= share > (found.ranks < last).float().mean()


# the whole


def call_model(model, target):
    def call(batch, call_model_args=None, expected_keys=None):
        x = torch.as_tensor(np.moveaxis(np.asarray(batch), -1, 1).copy()).to(next(model.parameters()))
        x.requires_grad_()
        gradient, = torch.autograd.grad(model(x)[:, target].sum(), x)
        return {saliency.INPUT_OUTPUT_GRADIENTS: np.moveaxis(gradient.numpy(), 1, -1)}

    return call


@pytest.mark.parametrize("algorithm", ["full", "fast"])
@pytest.mark.parametrize("dtype,tolerance", [(np.float64, 1e-5), (np.float32, 1e-4)])
def test_whole_equals_saliency(dtype, tolerance, algorithm):
    """Two images at once. saliency sums gradients in float32, whatever the image."""
    torch.manual_seed(3)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 8, 3, 2, 1), torch.nn.SiLU(), torch.nn.Conv2d(8, 12, 3, 2, 1), torch.nn.SiLU(),
        torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(192, 3)).eval()
    model = model.double() if dtype == np.float64 else model
    images = [smooth(96, 110, 2, sigma=3, seed=seed, dtype=dtype) for seed in (1, 2)]
    x = torch.stack([channels_first(i) for i in images])
    found = xrai.xrai(xrai.Explained(model, 1), x, steps=20, algorithm=algorithm, completeness=True)
    parameters = saliency.XRAIParameters(steps=20, return_xrai_segments=True, algorithm=algorithm)
    for i, image in enumerate(images):
        expected = saliency.XRAI().GetMaskWithDetails(image, call_model(model, 1), batch_size=8,
                                                      extra_parameters=parameters)
        heat_map = expected.attribution_mask
        gap = np.abs(found.regions[i].heat_map.numpy() - heat_map).max() / np.abs(heat_map).max()
        print(algorithm, dtype.__name__, "heat map", gap, "regions", expected.segments.max())
        assert expected.segments.max() > 20 and gap < tolerance
        assert np.array_equal(found.regions[i].ranks.numpy(), expected.segments)
    assert found.attribution.shape == (2, 96, 110) and len(found.completeness) == 2


def test_whole_from_other_baselines():
    x = channels_first(smooth(40, 50, 2)).unsqueeze(0)
    explained = xrai.Explained(lambda x: (x**2).sum((2, 3)), 0)
    found = xrai.xrai(explained, x, baselines=[torch.zeros(1)], quadrature="gauss-legendre", steps=3, completeness=True)
    assert found.completeness[0].share.max() < 1e-5
    assert torch.allclose(found.attribution[0], (x[0] ** 2 * torch.tensor([1.0, 0]).view(2, 1, 1)).amax(0), atol=1e-6)
