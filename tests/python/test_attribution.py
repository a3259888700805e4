"""Grad-CAM, Grad-CAM++ and EigenCAM against the Python package grad-cam."""

import contextlib
import itertools
import threading
from typing import NamedTuple
from unittest import mock

import numpy as np
import oracles  # noqa: F401
import pytest
import pytorch_grad_cam as reference
import timm
import torch
from oracle_networks import EfficientClassification, trained
from pytorch_grad_cam import base_cam, eigen_cam
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection
from safetensors.torch import save_file

from ichdet import attribution as cam
from ichdet import nn

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = {"grad-cam": reference.GradCAM, "grad-cam++": reference.GradCAMPlusPlus, "eigen-cam": reference.EigenCAM}
SMOOTHING = list(itertools.product([False, True], repeat=2))
TOLERANCE, NATIVE_TOLERANCE = 1e-4, 2e-3


def with_fixed_sign(maps):
    """grad-cam's projection, with the sign that ichdet promises: that of the summed channels' covariance with it."""
    found = get_2d_projection(maps)
    sums = np.nansum(maps, 1)
    for projection, total in zip(found, sums):
        if (projection * (total - total.mean())).sum() < 0:
            projection *= -1
    return found


@contextlib.contextmanager
def fixed_sign():
    with mock.patch.object(base_cam, "get_2d_projection", with_fixed_sign), \
         mock.patch.object(eigen_cam, "get_2d_projection", with_fixed_sign):
        yield


def expected(model, layer, x, method, aug_smooth, eigen_smooth, targets=None):
    with METHODS[method](model=model, target_layers=[layer]) as package:
        return package(x.clone(), targets, aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)


def images(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Volumes(torch.nn.Module):
    """A small 3D classifier."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv3d(2, 12, 3, 2, 1), torch.nn.BatchNorm3d(12), torch.nn.ReLU(),
            torch.nn.Conv3d(12, 20, 3, 2, 1), torch.nn.BatchNorm3d(20), torch.nn.ReLU())
        self.fc = torch.nn.Linear(20, 3)

    def forward_features(self, x):
        return self.layers(x)

    def forward_head(self, features):
        return self.fc(features.mean((2, 3, 4)))

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


@pytest.fixture(scope="module")
def resnet():
    return trained(timm.create_model("resnet18", num_classes=5), images(4, 3, 96, 96))


@pytest.fixture(scope="module")
def volumes():
    torch.manual_seed(0)
    model = Volumes()
    for norm in (model.layers[1], model.layers[4]):
        norm.momentum = 1.0
    model(images(4, 2, 24, 32, 40))  # batch norm's statistics
    return model.eval()


def check(model, layer, x, method, aug_smooth, eigen_smooth):
    with fixed_sign():
        reference_map = expected(model, layer, x, method, aug_smooth, eigen_smooth)
    found = cam.grad_cam(model.forward_features, model.forward_head, x, method=method, aug_smooth=aug_smooth,
                         eigen_smooth=eigen_smooth)
    assert found.dtype == torch.float32 and found.shape == x[:, 0].shape and not found.requires_grad
    assert reference_map.std() > 0.05, "the reference says something"
    np.testing.assert_allclose(found.numpy(), reference_map, atol=TOLERANCE)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("aug_smooth, eigen_smooth", SMOOTHING)
def test_resnet18_equals_grad_cam(resnet, method, aug_smooth, eigen_smooth):
    check(resnet, resnet.layer4[-1], images(3, 3, 64, 96), method, aug_smooth, eigen_smooth)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("aug_smooth, eigen_smooth", SMOOTHING)
def test_volumes_equal_grad_cam(volumes, method, aug_smooth, eigen_smooth):
    check(volumes, volumes.layers, images(2, 2, 24, 32, 40), method, aug_smooth, eigen_smooth)


class Ours(NamedTuple):
    """A network of models/, and the reference one with grad-cam's target layer."""

    architecture: str
    oracle: callable
    layer: callable
    shape: tuple
    engine: str = "torch"  # float32 itself; the native engine splits values in two bfloat16 numbers


OURS = [
    Ours("ResNet18", lambda: timm.create_model("resnet18", num_classes=2), lambda m: m.layer4[-1], (3, 3, 96, 128)),
    Ours("DenseNet121", lambda: timm.create_model("densenet121", num_classes=2), lambda m: m.features.norm5,
         (2, 3, 64, 96)),
    Ours("MobileNetV2", lambda: timm.create_model("mobilenetv2_100", num_classes=2), lambda m: m.bn2, (2, 3, 64, 96)),
    Ours("EfficientClassification", EfficientClassification, lambda m: m.resnet.layer4[-1], (1, 3, 512, 512),
         "openvino"),
]


@pytest.mark.parametrize("ours", OURS, ids=lambda ours: ours.architecture)
def test_networks_of_ichdet_equal_grad_cam(ours, tmp_path):
    x = images(*ours.shape)
    model = trained(ours.oracle(), images(2, *ours.shape[1:], seed=8))
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, tmp_path / "weights.safetensors")
    model.requires_grad_(False)  # or the package goes back through the whole network
    ours.layer(model).requires_grad_()
    network = nn.create(ours.architecture, {"num_classes": 2}, engine=ours.engine)
    network.load_state_dict(tmp_path / "weights.safetensors")
    for method in METHODS:
        for aug_smooth, eigen_smooth in [(False, False), (True, True)]:
            with fixed_sign():
                package = expected(model, ours.layer(model), x, method, aug_smooth, eigen_smooth)
            found = cam.grad_cam(network, x, method=method, aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)
            assert package.std() > 0.05
            np.testing.assert_allclose(found.numpy(), package, atol=TOLERANCE)
            network.prepare(engine="native")
            found = cam.grad_cam(network, x, method=method, aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)
            np.testing.assert_allclose(found.numpy(), package, atol=NATIVE_TOLERANCE)
            network.prepare(engine=ours.engine)


def test_the_sign_is_the_only_freedom(resnet):
    """Without the fixed sign, each of grad-cam's maps is ours or that of the opposite sign."""
    x = images(3, 3, 128, 128)
    features = resnet.forward_features(x).detach()
    plain = expected(resnet, resnet.layer4[-1], x, "eigen-cam", False, False)
    ours = cam.unscaled_map(features, features, method="eigen-cam")
    for sample in range(3):
        both = [cam.scaled_map(sign * ours[sample:sample + 1], (128, 128))[0].numpy() for sign in (1, -1)]
        assert min(np.abs(map_ - plain[sample]).max() for map_ in both) < TOLERANCE


@pytest.mark.parametrize("channels, positions", [(40, 12), (12, 40), (1, 9), (9, 1), (6, 6)])
def test_first_component_equals_the_svd(channels, positions):
    maps = images(4, channels, positions, seed=channels).double()
    found = cam.first_component(maps)
    centred = (maps - maps.mean(2, keepdim=True)).mT
    _, singular, v = torch.linalg.svd(centred, full_matrices=False)
    projection = (centred @ v[:, :1].mT).squeeze(2)
    torch.testing.assert_close(found.abs(), projection.abs(), atol=1e-10, rtol=1e-9)
    torch.testing.assert_close(found.norm(dim=1), singular[:, 0], atol=1e-10, rtol=1e-9)
    sums = centred.sum(2)
    assert ((found * sums).sum(1) >= -1e-9).all()


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
@pytest.mark.parametrize("aug_smooth", [False, True])
def test_targets(resnet, method, aug_smooth):
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    x = images(3, 3, 96, 96)
    call = dict(method=method, aug_smooth=aug_smooth)

    def found(target):
        return cam.grad_cam(resnet.forward_features, resnet.forward_head, x, target, **call).numpy()

    def package(targets):
        return expected(resnet, resnet.layer4[-1], x, method, aug_smooth, False, targets)

    np.testing.assert_allclose(found([4, 0, 2]), package([ClassifierOutputTarget(k) for k in (4, 0, 2)]),
                               atol=TOLERANCE)
    np.testing.assert_allclose(found(3), package([ClassifierOutputTarget(3)] * 3), atol=TOLERANCE)
    np.testing.assert_allclose(found(lambda y: y.softmax(1)[:, 1] - y[:, 0] ** 2),
                               package([lambda y: y.softmax(0)[1] - y[0] ** 2] * 3), atol=TOLERANCE)
    one_by_one = [cam.grad_cam(resnet.forward_features, resnet.forward_head, x[k:k + 1], (4, 0, 2)[k], **call)[0]
                  for k in range(3)]
    np.testing.assert_allclose(found([4, 0, 2]), torch.stack(one_by_one).numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("size", [(5, 7), (32, 48), (224, 224), (97, 131), (3, 2), (1, 1)])
def test_planes_are_resized_as_by_opencv(size):
    from pytorch_grad_cam.utils.image import scale_cam_image

    maps = images(2, 6, 9).clamp(min=0)
    np.testing.assert_allclose(cam.scaled_map(maps, size).numpy(),
                               scale_cam_image(scale_cam_image(maps.numpy(), size[::-1])), atol=2e-6)


@pytest.mark.parametrize("size", [(4, 5, 6), (8, 20, 24), (31, 40, 17), (2, 3, 4), (1, 9, 9)])
@pytest.mark.parametrize("start", [(4, 5, 6), (2, 3, 5), (1, 4, 7)])
def test_volumes_are_resized_as_by_scipy(start, size):
    from pytorch_grad_cam.utils.image import scale_cam_image

    maps = images(2, *start).clamp(min=0)
    package = scale_cam_image(np.maximum(scale_cam_image(maps.numpy(), size[::-1]), 0))
    np.testing.assert_allclose(cam.scaled_map(maps, size).numpy(), package, atol=2e-6)


class Counting(torch.autograd.Function):
    """The identity, which counts or refuses to be differentiated."""

    backwards = 0

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        Counting.backwards += 1
        return gradient


@pytest.mark.parametrize("method, head_calls", [("grad-cam", 1), ("grad-cam++", 1), ("eigen-cam", 0)])
def test_the_gradient_ends_at_the_features(resnet, method, head_calls):
    seen = []

    def features(x):
        seen.append(torch.is_grad_enabled())
        return Counting.apply(resnet.forward_features(x))

    calls = []

    def head(f):
        calls.append(f.requires_grad)
        return resnet.forward_head(f)

    Counting.backwards = 0
    resnet.zero_grad()
    found = cam.grad_cam(features, head, images(2, 3, 64, 64).requires_grad_(), 1, method=method)
    assert seen == [False] and calls == [True] * head_calls
    assert Counting.backwards == 0 and not found.requires_grad
    assert all(p.grad is None for p in resnet.parameters()), "nothing is accumulated in the head either"
    if head_calls:
        cam.grad_cam(features, head, images(2, 3, 64, 64), 1, method=method, create_graph=True).sum().backward()
        assert Counting.backwards == 1, "the counter counts"
        resnet.zero_grad()


def small(axes, seed=3):
    """A double-precision network in two parts, smooth, so that differences can be taken."""
    torch.manual_seed(seed)
    conv = (torch.nn.Conv2d if axes == 2 else torch.nn.Conv3d)
    body = torch.nn.Sequential(conv(2, 4, 3, 2, 1), torch.nn.Softplus()).double()
    fc = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    return body, fc, lambda f: fc(f.flatten(2).square().mean(2))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("aug_smooth, eigen_smooth", SMOOTHING)
def test_maps_are_differentiable(axes, method, aug_smooth, eigen_smooth):
    body, fc, head = small(axes)
    parameters = [*body.parameters(), *fc.parameters()]
    x = images(2, 2, *((9, 8) if axes == 2 else (5, 6, 7))).double()
    weights = images(*x[:, 0].shape, seed=5).double()

    def loss(create_graph):
        found = cam.grad_cam(body, head, x, [2, 0], method=method, aug_smooth=aug_smooth, eigen_smooth=eigen_smooth,
                             create_graph=create_graph)
        return (found * weights).sum()

    gradients = torch.autograd.grad(loss(True), parameters, allow_unused=True)
    assert loss(False).grad_fn is None
    assert (gradients[-2] is None) == (method == "eigen-cam")
    for parameter, gradient in zip(parameters, gradients):
        direction = images(*parameter.shape, seed=7).double()
        values = []
        for step in (1e-7, -1e-7):
            parameter.data += step * direction
            values.append(loss(False))
            parameter.data -= step * direction
        numerical = float(values[0] - values[1]) / 2e-7
        analytic = 0.0 if gradient is None else float((gradient * direction).sum())
        assert analytic == pytest.approx(numerical, rel=2e-5, abs=2e-6)


def test_gradients_equal_torchs_own():
    """A loss on a map, through ichdet and through the definition written out in torch."""
    body, fc, head = small(2)
    x = images(3, 2, 12, 12).double()
    features = body(x)
    score = head(features)[:, 1].sum()
    gradient, = torch.autograd.grad(score, features, create_graph=True)
    map_ = (gradient.mean((2, 3), keepdim=True) * features).sum(1).relu()
    map_ = map_ - map_.amin((1, 2), keepdim=True)
    map_ = map_ / (map_.amax((1, 2), keepdim=True) + 1e-7)
    map_ = torch.nn.functional.interpolate(map_[:, None], (12, 12), mode="bilinear", align_corners=False)[:, 0]
    map_ = map_ - map_.amin((1, 2), keepdim=True)
    map_ = map_ / (map_.amax((1, 2), keepdim=True) + 1e-7)
    found = cam.grad_cam(body, head, x, 1, create_graph=True)
    torch.testing.assert_close(found, map_, atol=1e-12, rtol=1e-12)
    parameters = [*body.parameters(), *fc.parameters()][:-1]
    for a, b in zip(torch.autograd.grad(found.square().sum(), parameters),
                    torch.autograd.grad(map_.square().sum(), parameters)):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-8)


def test_dead_features_give_an_empty_map_and_finite_gradients():
    body, fc, head = small(2)
    weight = torch.zeros(2, 4, 3, 3, dtype=torch.double, requires_grad=True)
    for method, eigen_smooth in itertools.product(METHODS, [False, True]):
        found = cam.grad_cam(lambda x: weight * 1, head, images(2, 2, 9, 9).double(), 0, method=method,
                             eigen_smooth=eigen_smooth, create_graph=True)
        assert (found == 0).all()
        gradient, = torch.autograd.grad(found.sum(), weight)
        assert torch.isfinite(gradient).all()


def test_heads_that_write_into_their_input(resnet):
    def head(features):
        return resnet.forward_head(features.mul_(0.5).relu_())

    x = images(2, 3, 64, 64)
    found = cam.grad_cam(resnet.forward_features, head, x, 0)
    plain = cam.grad_cam(resnet.forward_features, lambda f: resnet.forward_head((f * 0.5).relu()), x, 0)
    torch.testing.assert_close(found, plain)


def test_stages_give_the_whole(resnet):
    x = images(2, 3, 64, 64)
    with torch.inference_mode():
        features = resnet.forward_features(x)
    output, gradient = cam.head_gradient(resnet.forward_head, features, 1)
    torch.testing.assert_close(output, resnet(x).detach(), atol=1e-4, rtol=1e-4)
    whole = cam.grad_cam(resnet.forward_features, resnet.forward_head, x, 1, eigen_smooth=True)
    staged = cam.scaled_map(cam.unscaled_map(features, gradient, eigen_smooth=True), x.shape[2:])
    torch.testing.assert_close(staged, whole, atol=1e-5, rtol=0)
    with torch.inference_mode():
        inside = cam.grad_cam(resnet.forward_features, resnet.forward_head, x, 1, eigen_smooth=True)
    torch.testing.assert_close(inside, whole)


def test_a_head_may_join_the_images(resnet):
    """As an exam's classifier does: one output for all slices, a map for each."""
    x = images(4, 3, 64, 64)
    found = cam.grad_cam(resnet.forward_features, lambda f: resnet.forward_head(f).softmax(1).amax(0, True), x, 2)
    assert found.shape == (4, 64, 64)


def test_no_images(resnet):
    for aug_smooth, eigen_smooth in SMOOTHING:
        found = cam.grad_cam(lambda x: x.new_zeros(0, 8, 4, 4), lambda f: f.mean((2, 3)), images(0, 3, 16, 16), 0,
                             aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)
        assert found.shape == (0, 16, 16)


def test_threads_do_not_disturb_each_other(resnet):
    x = images(1, 3, 64, 64)
    alone = cam.grad_cam(resnet.forward_features, resnet.forward_head, x, 1, eigen_smooth=True)
    found = [None] * 4

    def work(k):
        found[k] = cam.grad_cam(resnet.forward_features, resnet.forward_head, x, 1, eigen_smooth=True)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for map_ in found:
        torch.testing.assert_close(map_, alone)


def test_what_makes_no_sense_is_refused(resnet):
    import ichdet

    f, h, x = resnet.forward_features, resnet.forward_head, images(2, 3, 64, 64)
    refused = [
        ("input: expected 4 or 5 axes, found 3", lambda: cam.grad_cam(f, h, x[0])),
        ("features: expected 4 axes, 2 images, found", lambda: cam.grad_cam(lambda y: f(y)[:1], h, x)),
        ("features: expected finite values", lambda: cam.grad_cam(lambda y: f(y) / 0, h, x)),
        ("gradient: expected finite values", lambda: cam.grad_cam(f, lambda y: (0 * y).sqrt().mean((2, 3)), x, 0)),
        ("found inference tensors", lambda: cam.grad_cam(torch.inference_mode()(f), h, x, 0, create_graph=True)),
        ("target: does not depend on the features", lambda: cam.grad_cam(f, h, x, lambda y: torch.ones(1))),
        ("target: does not depend", lambda: cam.grad_cam(f, lambda y: torch.ones(2, 5, requires_grad=True), x)),
        ("output of the head: expected .image, class., more than 5", lambda: cam.grad_cam(f, h, x, 5)),
        ("class: expected 0 or more, found -1", lambda: cam.grad_cam(f, h, x, -1)),
        ("classes to explain: expected 2, one an image, found 3", lambda: cam.grad_cam(f, h, x, [0, 1, 2])),
        ("method: expected grad-cam, grad-cam.. or eigen-cam, found cam", lambda: cam.grad_cam(f, h, x, method="cam")),
        ("mirrored_axis: expected 2 to 3", lambda: cam.grad_cam(f, h, x, aug_smooth=True, mirrored_axis=4)),
        ("gradient: expected", lambda: cam.unscaled_map(f(x), x)),
        ("size of the map: expected 2 numbers", lambda: cam.scaled_map(x[:, 0], (5, 6, 7))),
    ]
    for message, call in refused:
        with pytest.raises(ichdet.Error, match=message):
            call()
    with pytest.raises(ZeroDivisionError):
        cam.grad_cam(lambda y: 1 / 0, h, x)
