"""Integrated gradients and its kin against the Python package saliency, and against what is known in closed form."""

import math
import threading
from unittest import mock

import numpy as np
import oracles  # noqa: F401
import pytest
import saliency.core as saliency
import timm
import torch
from oracle_networks import trained
from safetensors.torch import save_file
from saliency.core import base
from scipy import ndimage

import ichdet
from ichdet import attribution as paths
from ichdet import nn

pytestmark = pytest.mark.usefixtures("one_thread")

FLOAT64, FLOAT32 = 1e-5, 1e-4  # largest difference by the largest magnitude


def images(*shape, seed=1, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def conv_net(axes, dtype):
    """A small classifier whose path attributions are neither linear nor small."""
    torch.manual_seed(3)
    conv, norm = (torch.nn.Conv2d, torch.nn.BatchNorm2d) if axes == 2 else (torch.nn.Conv3d, torch.nn.BatchNorm3d)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.nn.Sequential(conv(2, 8, 3, 2, 1), norm(8), torch.nn.SiLU(), conv(8, 12, 3, 2, 1),
                                            torch.nn.Softplus())
            self.fc = torch.nn.Linear(12, 3)

        def forward(self, x):
            return self.fc(self.body(x).flatten(2).mean(2)) ** 2

    return Net().to(dtype).eval()


@pytest.fixture(scope="module")
def resnet():
    return trained(timm.create_model("resnet18", num_classes=5), images(4, 3, 64, 64))


def channels_last(x):
    return np.moveaxis(x.numpy(), 0, -1)


def call_model(model, target):
    """saliency's way to a model: images (y, x, channel)."""

    def call(batch, call_model_args=None, expected_keys=None):
        weight = next(model.parameters())
        x = torch.as_tensor(np.ascontiguousarray(np.moveaxis(batch, -1, 1))).to(weight.dtype).requires_grad_()
        scores = model(x)[:, target]
        if expected_keys == [base.OUTPUT_LAYER_VALUES]:
            return {base.OUTPUT_LAYER_VALUES: scores.detach().numpy()}
        gradient, = torch.autograd.grad(scores.sum(), x)
        return {base.INPUT_OUTPUT_GRADIENTS: np.moveaxis(gradient.numpy(), 1, -1)}

    return call


def expect_equal(found, expected, tolerance):
    """`expected`: one array (y, x, channel) for each image."""
    expected = np.stack([np.moveaxis(e, -1, 0) for e in expected])
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0 and np.isfinite(expected).all(), "the reference says something"
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=tolerance * np.abs(expected).max())


# A quadratic, whose integrated gradients from 0 are x * (A x + b) with symmetric A.


def quadratic(*shape, seed=4):
    size = int(np.prod(shape))
    a = images(size, size, seed=seed, dtype=torch.float64)
    a, b = a + a.T, images(size, seed=seed + 1, dtype=torch.float64)

    def scores(x):
        flat = x.flatten(1)
        return ((flat @ a) * flat).sum(1) / 2 + flat @ b

    def gradients(x):
        return (x.flatten(1) @ a + b).view_as(x)

    return scores, gradients


def quadratic_attributions(gradients, x, baseline):
    return (x - baseline) * gradients((x + baseline) / 2)


def numpy_functions():
    """sum of x**4 / 4, by NumPy."""
    return lambda x: (x.numpy() ** 4).sum((1, 2, 3)) / 4, lambda x: x.numpy() ** 3


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 64, 199])
def test_gauss_legendre_nodes_are_numpys(steps):
    places, weights = paths.quadrature_nodes("gauss-legendre", steps)
    expected_places, expected_weights = np.polynomial.legendre.leggauss(steps)
    np.testing.assert_allclose(places, (1 + expected_places) / 2, rtol=0, atol=4e-16)
    np.testing.assert_allclose(weights, expected_weights / 2, rtol=1e-10, atol=0)  # numpy's own err by 4e-11
    for degree in range(min(2 * steps, 60)):
        assert np.dot(weights, np.array(places) ** degree) == pytest.approx(1 / (degree + 1), rel=1e-14)


def test_other_nodes():
    np.testing.assert_allclose(paths.quadrature_nodes("riemann", 7), [np.linspace(0, 1, 7), np.full(7, 1 / 7)])
    places, weights = paths.quadrature_nodes("trapezoid", 7)
    np.testing.assert_allclose(places, np.linspace(0, 1, 7))
    values = np.random.default_rng(0).normal(size=7)
    assert np.dot(weights, values) == pytest.approx(np.trapezoid(values, places))


@pytest.mark.parametrize("shape", [(3, 2, 5, 4), (2, 2, 3, 4, 2)])
@pytest.mark.parametrize("quadrature, steps", [("gauss-legendre", 1), ("gauss-legendre", 2), ("trapezoid", 2)])
def test_a_quadratic_is_integrated_exactly(shape, quadrature, steps):
    scores, gradients = quadratic(*shape[1:])
    x, baseline = images(*shape, dtype=torch.float64), images(*shape, seed=9, dtype=torch.float64)
    found = paths.integrated_gradients(paths.Explained.from_functions(scores, gradients, batch=3), x, baseline,
                                       steps=steps, quadrature=quadrature, completeness=True)
    expected = quadratic_attributions(gradients, x, baseline)
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-12 * expected.abs().max().item())
    torch.testing.assert_close(found.completeness.difference, scores(x) - scores(baseline))
    assert found.completeness.share.max() < 1e-12
    torch.testing.assert_close(found.completeness.sum, expected.flatten(1).sum(1))


def test_riemann_keeps_a_gap_that_is_reported():
    scores, gradients = numpy_functions()
    x = images(2, 1, 4, 4, dtype=torch.float64)
    found = paths.integrated_gradients(paths.Explained.from_functions(scores, gradients, batch=4), x, "zero", steps=11,
                                       completeness=True)
    mean = (np.linspace(0, 1, 11) ** 3).mean()
    torch.testing.assert_close(found.values, x**4 * mean)
    torch.testing.assert_close(found.completeness.gap, (x**4).sum((1, 2, 3)) * (mean - 0.25))
    torch.testing.assert_close(found.completeness.share, torch.full((2,), mean * 4 - 1, dtype=torch.float64))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, FLOAT64), (torch.float32, FLOAT32)])
@pytest.mark.parametrize("batch", [1, 7])
def test_integrated_gradients_equal_saliency(dtype, tolerance, batch):
    model, x = conv_net(2, dtype), images(2, 2, 20, 16, dtype=dtype)
    start = images(2, 2, 20, 16, seed=2, dtype=dtype)
    expected = [saliency.IntegratedGradients().GetMask(channels_last(i), call_model(model, 1), x_steps=30,
                                                       x_baseline=channels_last(b)) for i, b in zip(x, start)]
    found = paths.integrated_gradients(paths.Explained(model, 1, batch=batch), x, start, steps=30)
    assert found.values.dtype == dtype and found.completeness is None
    expect_equal(found.values, expected, tolerance)


@pytest.mark.parametrize("name, value", [("zero", None), ("black", np.min), ("white", np.max)])
def test_integrated_gradients_of_resnet18_equal_saliency(resnet, name, value):
    x = images(1, 3, 64, 64)
    image = channels_last(x[0])
    baseline = None if value is None else np.full_like(image, value(image))
    expected = saliency.IntegratedGradients().GetMask(image, call_model(resnet, 2), x_steps=20, x_baseline=baseline,
                                                      batch_size=20)
    found = paths.integrated_gradients(paths.Explained(resnet, 2), x, name, steps=20)
    expect_equal(found.values, [expected], FLOAT32)


def test_several_baselines_share_the_end_of_their_paths(resnet):
    model, x = conv_net(3, torch.float64), images(2, 2, 6, 8, 7, dtype=torch.float64)
    seen = []

    def gradients(inputs):
        seen.append(len(inputs))
        return paths.Explained(model, 0).gradients(inputs)

    counting = paths.Explained.from_functions(gradients=gradients, batch=4)
    names = ["black", "white", images(2, 6, 8, 7, dtype=torch.float64)]
    together = paths.integrated_gradients(counting, x, names, steps=10)
    assert sum(seen) == 2 * (3 * 9 + 1) and max(seen) == 4
    for name, found in zip(names, together):
        alone = paths.integrated_gradients(counting, x, name, steps=10)
        torch.testing.assert_close(found.values, alone.values, rtol=1e-12, atol=1e-14)
    seen.clear()
    paths.integrated_gradients(counting, x, names[:2], steps=10, quadrature="gauss-legendre")
    assert sum(seen) == 2 * 2 * 10


@pytest.mark.parametrize("engine", ["torch", "native"])
@pytest.mark.parametrize("target", [1, None, lambda output: output[:, 1:3]])
def test_a_network_of_ichdet_is_explained(resnet, tmp_path, engine, target):
    save_file({k: v.contiguous() for k, v in resnet.state_dict().items()}, tmp_path / "weights.safetensors")
    network = nn.create("ResNet18", {"num_classes": 5}, engine=engine, threads=1)
    network.load_state_dict(tmp_path / "weights.safetensors")
    x, same = images(2, 3, 64, 64), dict(steps=20, quadrature="gauss-legendre", completeness=True)
    found = paths.integrated_gradients(paths.Explained(network, target), x, **same)
    expected = paths.integrated_gradients(paths.Explained(resnet, target), x, **same)
    for image, reference in zip(found.values, expected.values):  # gradients jump where a value before a ReLU crosses 0
        assert np.corrcoef(image.flatten().numpy(), reference.flatten().numpy())[0, 1] > 0.9999
    torch.testing.assert_close(found.completeness.difference, expected.completeness.difference, rtol=1e-3, atol=0)


def test_progress_and_errors_of_callables():
    scores, gradients = numpy_functions()
    x = images(1, 1, 4, 4, dtype=torch.float64)
    told = []
    paths.integrated_gradients(paths.Explained.from_functions(scores, gradients, batch=5), x, steps=10,
                               progress=lambda stage, done: told.append((stage, done)))
    assert told == [("integrated gradients", 0), ("integrated gradients", 0.5), ("integrated gradients", 1)]

    def stop(stage, done):
        raise KeyError(stage)

    with pytest.raises(KeyError):
        paths.integrated_gradients(paths.Explained.from_functions(scores, gradients), x, progress=stop)
    with pytest.raises(ZeroDivisionError):
        paths.integrated_gradients(paths.Explained.from_functions(gradients=lambda x: 1 // 0), x)


def test_threads_explain_at_once():
    model, x = conv_net(2, torch.float64), images(1, 2, 12, 12, dtype=torch.float64)
    explained = paths.Explained(model, 1)
    expected = paths.integrated_gradients(explained, x, steps=20).values
    found = [None] * 4

    def run(i):
        found[i] = paths.integrated_gradients(explained, x, steps=20).values

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in found:
        assert torch.equal(each, expected)


def unit_noise(samples, *shape):
    return images(samples, *shape, seed=11, dtype=torch.float64)


def saliency_smoothed(method, image, call, noise, **options):
    """GetSmoothedMask with the noise given, (sample, channel, y, x) of variance 1."""
    each = iter(noise)
    with mock.patch("numpy.random.normal", lambda mean, deviation, shape: channels_last(next(each)) * deviation):
        return method.GetSmoothedMask(image, call, nsamples=len(noise), **options)


def test_gradients_equal_saliency(resnet):
    x = images(2, 3, 64, 64)
    expected = [saliency.GradientSaliency().GetMask(channels_last(i), call_model(resnet, 3)) for i in x]
    expect_equal(paths.gradients(paths.Explained(resnet, 3), x), expected, FLOAT32)


@pytest.mark.parametrize("squares", [True, False])
@pytest.mark.parametrize("batch", [1, 4])
def test_smooth_gradients_equal_saliency(squares, batch):
    model, x, noise = conv_net(2, torch.float64), images(2, 2, 20, 16, dtype=torch.float64), unit_noise(6, 2, 20, 16)
    expected = [saliency_smoothed(saliency.GradientSaliency(), channels_last(i), call_model(model, 1), noise,
                                  stdev_spread=0.2, magnitude=squares) for i in x]
    found = paths.smooth_gradients(paths.Explained(model, 1, batch=batch), x, spread=0.2, squares=squares, noise=noise)
    expect_equal(found, expected, FLOAT64)


def test_smooth_gradients_of_resnet18_equal_saliency(resnet):
    x, noise = images(1, 3, 64, 64), unit_noise(5, 3, 64, 64)
    expected = saliency_smoothed(saliency.GradientSaliency(), channels_last(x[0]), call_model(resnet, 1), noise)
    expect_equal(paths.smooth_gradients(paths.Explained(resnet, 1), x, noise=noise), [expected], FLOAT32)


def test_any_method_is_smoothed():
    model, x, noise = conv_net(2, torch.float64), images(1, 2, 20, 16, dtype=torch.float64), unit_noise(4, 2, 20, 16)
    explained = paths.Explained(model, 1)
    expected = saliency_smoothed(saliency.IntegratedGradients(), channels_last(x[0]), call_model(model, 1), noise,
                                 x_steps=10)
    for batch in (1, 3):
        found = paths.smooth(lambda x: paths.integrated_gradients(explained, x, "zero", steps=10).values, x,
                             noise=noise, batch=batch)
        expect_equal(found, [expected], FLOAT64)


@pytest.mark.parametrize("shape", [(1, 3, 40, 40), (1, 2, 8, 20, 30)])
def test_seeded_noise_is_of_the_spread_and_stays_the_same(shape):
    x = images(2, *shape[1:], dtype=torch.float64)
    seen = []

    def keep(inputs):
        seen.append(inputs)
        return inputs

    smooth = paths.smooth(keep, x, samples=8, spread=0.1, squares=False, batch=3)
    noise = torch.cat(seen).view(2, 8, *shape[1:]) - x[:, None]
    for image, n in zip(x, noise):
        assert n.std() == pytest.approx(0.1 * (image.max() - image.min()).item(), rel=0.02)
        assert abs(n.mean()) < 0.02 * n.std()
        assert np.abs(np.corrcoef(n.flatten(1).numpy())[np.triu_indices(8, 1)]).max() < 0.1, "samples are independent"
    torch.testing.assert_close(smooth - x, noise.mean(1))
    alone = paths.smooth(lambda inputs: inputs, x[1:], samples=8, spread=0.1, squares=False)
    torch.testing.assert_close(alone[0], smooth[1])
    other = paths.smooth(lambda inputs: inputs, x[1:], samples=8, spread=0.1, squares=False, seed=1)
    assert not torch.allclose(alone, other)


def with_interpolation():
    """saliency's np.quantile(..., interpolation='lower') by the keyword's present name."""
    current = np.quantile
    return mock.patch("numpy.quantile", lambda values, q, interpolation: current(values, q, method=interpolation))


@pytest.fixture
def quantile():
    with with_interpolation():
        yield


@pytest.mark.parametrize("steps, fraction, max_dist",
                         [(30, 0.25, 0.02), (20, 0.1, 0.3), (10, 0.5, 1.0), (12, 0.25, 0.0), (1, 1.0, 0.5), (9, 0.0, 0.5)])
def test_guided_ig_equals_saliency(quantile, steps, fraction, max_dist):
    model, x = conv_net(2, torch.float64), images(2, 2, 12, 10, dtype=torch.float64)
    start = images(2, 2, 12, 10, seed=2, dtype=torch.float64)
    start[:, :, :3] = x[:, :, :3]  # values that have no way to go
    options = dict(fraction=fraction, max_dist=max_dist)
    expected = [saliency.GuidedIG().GetMask(channels_last(i), call_model(model, 1), x_baseline=channels_last(b),
                                            x_steps=steps, **options) for i, b in zip(x, start)]
    found = paths.guided_ig(paths.Explained(model, 1), x, start, steps=steps, **options)
    expect_equal(found.values, expected, FLOAT64)
    assert (found.values[:, :, :3] == 0).all()


def test_guided_ig_of_resnet18_equals_saliency(quantile, resnet):
    x = images(1, 3, 64, 64)
    image = channels_last(x[0])
    expected = saliency.GuidedIG().GetMask(image, call_model(resnet, 1), x_steps=20, max_dist=0.1,
                                           x_baseline=np.full_like(image, image.min()))
    found = paths.guided_ig(paths.Explained(resnet, 1), x, "black", steps=20, max_dist=0.1)
    expect_equal(found.values, [expected], FLOAT32)


@pytest.mark.parametrize("max_dist", [0, 0.02, 0.3, 1])
def test_guided_ig_is_complete_in_volumes(max_dist):
    """saliency knows no volumes, nor does the method know axes: a volume is an image whose planes lie side by side."""
    model, x = conv_net(3, torch.float64), images(2, 2, 5, 6, 7, dtype=torch.float64)
    explained = paths.Explained(model, 1)
    found = paths.guided_ig(explained, x, "zero", steps=400, max_dist=max_dist, completeness=True)
    assert found.completeness.share.max() < 0.02
    flat = paths.Explained.from_functions(gradients=lambda a: explained.gradients(a.view(-1, 2, 5, 6, 7)).flatten(2, 3))
    beside = paths.guided_ig(flat, x.flatten(2, 3), "zero", steps=400, max_dist=max_dist)
    torch.testing.assert_close(beside.values, found.values.flatten(2, 3))


def test_guided_ig_without_distance_is_integrated_gradients():
    scores, gradients = quadratic(1, 4, 5)
    explained = paths.Explained.from_functions(scores, gradients)
    x = images(1, 1, 4, 5, dtype=torch.float64)
    found = paths.guided_ig(explained, x, "zero", steps=50, max_dist=0)
    left = sum(gradients(x * i / 50) for i in range(50)) * x / 50  # each step's gradient is its beginning's
    torch.testing.assert_close(found.values, left)


@pytest.mark.parametrize("sigma", [0, 0.1, 0.7, 3.3, 50])
def test_gaussian_blur_equals_scipy(sigma):
    for shape in [(2, 2, 30, 17), (1, 2, 9, 30, 17)]:
        x = images(*shape, dtype=torch.float64)
        expected = ndimage.gaussian_filter(x.numpy(), [0, 0] + [sigma] * (len(shape) - 2), mode="constant")
        np.testing.assert_allclose(paths.gaussian_blur(x, sigma), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("sqrt", [False, True])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, FLOAT64), (torch.float32, FLOAT32)])
def test_blur_ig_equals_saliency(sqrt, batch, dtype, tolerance):
    model, x = conv_net(2, dtype), images(2, 2, 24, 20, dtype=dtype)
    # float64 in saliency, whose float32 images differ by rounding where grad_step is small
    expected = [saliency.BlurIG().GetMask(channels_last(i).astype(np.float64), call_model(model, 1), max_sigma=12,
                                          steps=23, sqrt=sqrt) for i in x]
    found = paths.blur_ig(paths.Explained(model, 1, batch=batch), x, max_sigma=12, steps=23, sqrt=sqrt)
    expect_equal(found.values, expected, tolerance)


def test_blur_ig_of_resnet18_equals_saliency(resnet):
    x = images(1, 3, 64, 64)
    expected = saliency.BlurIG().GetMask(channels_last(x[0]).astype(np.float64), call_model(resnet, 1), steps=20)
    expect_equal(paths.blur_ig(paths.Explained(resnet, 1), x, steps=20).values, [expected], FLOAT32)


def test_blur_ig_of_volumes():
    """The reference is SciPy's blur and the paper's sum, written here."""
    model, x = conv_net(3, torch.float64), images(1, 2, 6, 14, 9, dtype=torch.float64)
    explained = paths.Explained(model, 1, batch=4)

    def blur(sigma):
        return torch.as_tensor(ndimage.gaussian_filter(x.numpy(), [0, 0, sigma, sigma, sigma], mode="constant"))

    expected, steps, end, h = torch.zeros_like(x), 15, 6.0, 0.01
    for i in range(steps):
        sigma = i * end / steps
        expected -= explained.gradients(blur(sigma)) * (blur(sigma + h) - blur(sigma)) / h * end / steps
    found = paths.blur_ig(explained, x, max_sigma=end, steps=steps)
    torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-9 * expected.abs().max().item())
    fine = paths.blur_ig(explained, x, max_sigma=end, steps=3000, grad_step=1e-4, completeness=True)
    torch.testing.assert_close(fine.completeness.difference, explained.scores(x) - explained.scores(blur(end)))
    assert fine.completeness.share < 0.02


@pytest.mark.parametrize("size, value", [(5, "zero"), (8, 0.7)])
def test_occlusion_equals_saliency(size, value):
    model, x = conv_net(2, torch.float64), images(2, 2, 14, 11, dtype=torch.float64)
    hidden = value if value == "zero" else torch.full((1,), value, dtype=torch.float64)
    expected = [saliency.Occlusion().GetMask(channels_last(i), call_model(model, 1), size=size,
                                             value=0 if value == "zero" else value)[..., :1] for i in x]
    found = paths.occlusion(paths.Explained(model, 1, batch=7), x, hidden, size=size, stride=1, mean=False)
    expect_equal(found[:, None], expected, FLOAT64)


def test_occlusion_of_resnet18_equals_saliency(resnet):
    x = images(1, 3, 36, 34)
    expected = saliency.Occlusion().GetMask(channels_last(x[0]), call_model(resnet, 1), size=30)[..., :1]
    found = paths.occlusion(paths.Explained(resnet, 1), x, "zero", size=30, stride=1, mean=False)
    expect_equal(found[:, None], [expected], FLOAT32)


def windows(length, size, stride):
    found = list(range(0, length - size + 1, stride))
    return found if found[-1] == length - size else [*found, length - size]


@pytest.mark.parametrize("mean", [True, False])
def test_occlusion_of_volumes(mean):
    """Against NumPy."""
    model, x = conv_net(3, torch.float64), images(2, 2, 6, 9, 10, dtype=torch.float64)
    explained = paths.Explained(model, 1, batch=16)
    size, stride = (3, 4, 5), (2, 3, 5)
    found = paths.occlusion(explained, x, "white", size=size, stride=stride, mean=mean)
    for image, map_ in zip(x, found):
        total, count = np.zeros(image.shape[1:]), np.zeros(image.shape[1:])
        for corner in np.array(np.meshgrid(*map(windows, image.shape[1:], size, stride))).reshape(3, -1).T:
            where = tuple(slice(c, c + s) for c, s in zip(corner, size))
            hidden = image.clone()
            hidden[(slice(None), *where)] = image.max()
            total[where] += (explained.scores(image[None]) - explained.scores(hidden[None])).item()
            count[where] += 1
        expected = total / count if mean else total
        np.testing.assert_allclose(map_, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def enlarged(grid, size, offsets):
    """RISE's section 3.2 by torch: cells enlarged bilinearly to one more than the image has, and cut."""
    cell = [math.ceil(s / g) for s, g in zip(size, grid.shape)]
    mode = "bilinear" if grid.ndim == 2 else "trilinear"
    large = torch.nn.functional.interpolate(grid[None, None], [(g + 1) * c for g, c in zip(grid.shape, cell)],
                                            mode=mode, align_corners=False)[0, 0]
    return large[tuple(slice(o, o + s) for o, s in zip(offsets, size))]


@pytest.mark.parametrize("size, grid", [((17, 26), 5), ((20, 24), (4, 6)), ((6, 8, 9), (2, 3, 4)), ((3, 8, 10), 4)])
def test_rise_masks_are_enlarged_grids_cut_somewhere(size, grid):
    """Cells are read off a mask by least squares, at every place where it may have been cut; one fits."""
    masks = paths.rise_masks(size, 0, 4, grid=grid, seed=3)
    assert masks.shape == (4, *size) and masks.min() >= 0 and masks.max() <= 1
    cells = grid if isinstance(grid, tuple) else (grid,) * len(size)
    cell = [math.ceil(s / g) for s, g in zip(size, cells)]
    basis = torch.eye(math.prod(cells), dtype=torch.float64).view(-1, *cells)
    places = []
    for mask in masks:
        fits = []
        for offsets in np.ndindex(*cell):
            columns = torch.stack([enlarged(b, size, offsets).flatten() for b in basis], 1).numpy()
            found, *_ = np.linalg.lstsq(columns, mask.double().flatten().numpy(), rcond=None)
            if np.abs(columns @ found - mask.flatten().numpy()).max() < 1e-5:
                fits.append(offsets)
        assert fits, "some place fits"
        places.append(fits[0])
    assert len(set(places)) > 1 or math.prod(cell) == 1


def test_rise_masks_are_random_and_a_function_of_seed_and_number():
    masks = paths.rise_masks((64, 64), 0, 400)
    assert masks.mean() == pytest.approx(0.5, abs=0.01)
    assert (masks.mean(0) - 0.5).abs().max() < 0.1, "everywhere"
    assert paths.rise_masks((64, 64), 0, 400, probability=0.2).mean() == pytest.approx(0.2, abs=0.01)
    assert torch.equal(paths.rise_masks((64, 64), 100, 50), masks[100:150])
    assert not torch.equal(paths.rise_masks((64, 64), 0, 400, seed=1), masks)
    centred = masks.flatten(1) - masks.flatten(1).mean(1, keepdim=True)
    assert np.abs(np.corrcoef(centred.numpy())[np.triu_indices(400, 1)]).mean() < 0.15, "masks are unlike each other"


@pytest.mark.parametrize("axes", [2, 3])
def test_rise_is_the_papers_mean(axes):
    """Equation 6 in NumPy, given the masks."""
    size = (20, 26) if axes == 2 else (6, 12, 14)
    model, x = conv_net(axes, torch.float64), images(2, 2, *size, dtype=torch.float64)
    hidden = paths.gaussian_blur(x, 2)
    explained = paths.Explained(model, 1, batch=7)
    found = paths.rise(explained, x, hidden, masks=50, grid=4, probability=0.3, seed=5)
    masks = paths.rise_masks(size, 0, 50, grid=4, probability=0.3, seed=5).double()
    for image, blurred, map_ in zip(x, hidden, found):
        with torch.no_grad():
            scores = model(image * masks[:, None] + blurred * (1 - masks[:, None]))[:, 1].numpy()
        expected = np.tensordot(scores, masks.numpy(), 1) / (0.3 * 50)
        np.testing.assert_allclose(map_, expected, rtol=0, atol=FLOAT64 * np.abs(expected).max())


def test_rise_finds_what_a_score_depends_on():
    scores = lambda x: x[:, 0, 20:26, 30:36].mean((1, 2))  # noqa: E731
    found = paths.rise(paths.Explained.from_functions(scores, batch=50), torch.ones(1, 1, 48, 64), "zero", masks=2000)
    y, x = np.unravel_index(found[0].argmax().item(), found[0].shape)
    assert 18 <= y < 28 and 28 <= x < 38


def test_maps_of_attributions():
    values = images(2, 3, 4, 5)
    for name, expected in {"sum-abs": values.abs().sum(1), "max": values.amax(1), "sum": values.sum(1),
                           "max-abs": values.abs().amax(1)}.items():
        torch.testing.assert_close(paths.to_map(values, name), expected)
    assert paths.to_map(values[:, :, None]).shape == (2, 1, 4, 5)
    with pytest.raises(ichdet.Error, match="sum-abs"):
        paths.to_map(values, "mean")


def test_method_names():
    assert paths.attribution_methods() == [
        "grad-cam", "grad-cam++", "eigen-cam", "gradients", "smooth-gradients", "integrated-gradients", "guided-ig",
        "blur-ig", "xrai", "xrai-fast", "occlusion", "rise"]
