"""Integrated gradients and its kin against the Python package saliency, and against what is known in closed form."""

import threading

import numpy as np
import oracles  # noqa: F401
import pytest
import saliency.core as saliency
import timm
import torch
from oracle_networks import trained
from safetensors.torch import save_file
from saliency.core import base

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
        x = torch.as_tensor(np.moveaxis(np.asarray(batch), -1, 1)).to(weight.dtype).requires_grad_()
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
    np.testing.assert_allclose(weights, expected_weights / 2, rtol=1e-10, atol=0)  # numpy's own err by 4e-11 at the ends
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


def test_a_network_of_ichdet_is_explained(resnet, tmp_path):
    save_file({k: v.contiguous() for k, v in resnet.state_dict().items()}, tmp_path / "weights.safetensors")
    network = nn.create("ResNet18", {"num_classes": 5}, engine="torch")
    network.load_state_dict(tmp_path / "weights.safetensors")
    x, same = images(2, 3, 64, 64), dict(steps=20, quadrature="gauss-legendre", completeness=True)
    found = paths.integrated_gradients(paths.Explained(network, 1), x, **same)
    expected = paths.integrated_gradients(paths.Explained(resnet, 1), x, **same)
    expect_equal(found.values, [channels_last(e) for e in expected.values], FLOAT32)
    torch.testing.assert_close(found.completeness.difference, expected.completeness.difference, rtol=1e-4, atol=0)


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
