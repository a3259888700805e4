"""The 2D networks against timm and effdet: the same weights, the same features, pre-logits and logits."""

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import oracles  # noqa: F401
import pytest
import timm
import torch
from oracle_networks import EfficientClassification, MobileNetLSTM, trained
from parity import BFLOAT16, FLOAT32, relative
from safetensors.torch import save_file

import ichdet
from ichdet import nn

pytestmark = pytest.mark.usefixtures("one_thread")


class Family(NamedTuple):
    architecture: str
    options: dict
    oracle: callable
    size: tuple
    odd: tuple = (97, 131)


def timm_model(name, **options):
    return lambda: timm.create_model(name, **options)


FAMILIES = {
    "resnet18": Family("ResNet18", {}, timm_model("resnet18"), (96, 96)),
    "resnet18-1-channel": Family(
        "ResNet18", {"num_classes": 5, "in_chans": 1}, timm_model("resnet18", num_classes=5, in_chans=1), (64, 96)
    ),
    "efficientnet_b0": Family("EfficientNetB0", {}, timm_model("efficientnet_b0"), (96, 96)),
    "tf_efficientnet_b0": Family(
        "EfficientNetB0",
        {"num_classes": 0, "tf_same_padding": True},
        timm_model("tf_efficientnet_b0", num_classes=0),
        (96, 96),
    ),
    "efficient_classification": Family("EfficientClassification", {}, EfficientClassification, (512, 512), (507, 510)),
    "tf_efficient_classification": Family(
        "EfficientClassification",
        {"tf_same_padding": True, "in_chans": 1},
        lambda: EfficientClassification(detector="tf_efficientdet_d0", in_chans=1),
        (512, 512),
        None,
    ),
    "densenet121": Family("DenseNet121", {"num_classes": 6}, timm_model("densenet121", num_classes=6), (64, 64)),
    "inception_resnet_v2": Family(
        "InceptionResNetV2", {"num_classes": 2}, timm_model("inception_resnet_v2", num_classes=2), (139, 139), (97, 131)
    ),
    "mobilenetv1": Family("MobileNetV1", {"num_classes": 3}, timm_model("mobilenetv1_100", num_classes=3), (96, 96)),
    "mobilenetv2": Family("MobileNetV2", {}, timm_model("mobilenetv2_100"), (96, 96)),
    "vgg19": Family("VGG19", {"num_classes": 2}, timm_model("vgg19", num_classes=2), (64, 64), (97, 70)),
    "mobilenet_lstm": Family("MobileNetLSTM", {"hidden_size": 32}, lambda: MobileNetLSTM(hidden_size=32), (64, 64)),
}
AVX512_BF16 = Path("/proc/cpuinfo").exists() and "avx512_bf16" in Path("/proc/cpuinfo").read_text()
SLICES = 5  # of an exam, for the recurrent network
every_family = pytest.mark.parametrize("name", FAMILIES)
every_family_once = pytest.mark.parametrize(
    "name",
    [name for name in FAMILIES if not name.startswith("tf_") and name not in ("mobilenetv1", "resnet18-1-channel")],
)


def image(name, batch, size=None, seed=1):
    """Blobs and noise of different brightness and contrast."""
    generator = torch.Generator().manual_seed(seed)
    channels = FAMILIES[name].options.get("in_chans", 3)
    size = size or FAMILIES[name].size
    if name == "mobilenet_lstm":
        slices = [image("mobilenetv1", batch, size, seed + 10 * i) for i in range(SLICES)]
        return torch.stack(slices, 1)
    fine = torch.randn(batch, channels, *size, generator=generator)
    if batch == 0:
        return fine
    coarse = torch.randn(batch, channels, 7, 7, generator=generator)
    brightness = torch.randn(batch, channels, 1, 1, generator=generator)
    contrast = torch.rand(batch, 1, 1, 1, generator=generator)
    blobs = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return brightness + 2 * contrast * blobs + (1 - contrast) * fine


@lru_cache(maxsize=None)
def oracle(name):
    return trained(FAMILIES[name].oracle(), image(name, 4))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")

    def path(name):
        file = folder / f"{name}.safetensors"
        if not file.exists():
            save_file({k: v.contiguous() for k, v in oracle(name).state_dict().items()}, file)
        return file

    return path


@pytest.fixture(scope="session")
def network(weights):
    @lru_cache(maxsize=None)
    def made(name):
        ours = nn.create(FAMILIES[name].architecture, FAMILIES[name].options)
        assert ours.load_state_dict(weights(name)) == []
        return ours

    return made


@every_family
def test_features_pre_logits_and_logits_are_the_reference_s(name, network):
    theirs, ours, x = oracle(name), network(name), image(name, 2)
    with torch.no_grad():
        features = theirs.forward_features(x)
        pooled = theirs.forward_head(features, pre_logits=True)
        logits = theirs(x)
    assert (logits[0] - logits[1]).abs().max() > 0.05 * logits.abs().max(), "the oracle's output is all bias"
    assert relative(ours.forward_features(x.numpy()), features) < FLOAT32
    assert relative(ours.forward_pool(features.numpy()), pooled) < FLOAT32
    assert relative(ours.forward_head(features.numpy()), logits) < FLOAT32
    assert relative(ours.forward(x.numpy()), logits) < FLOAT32


@every_family
def test_odd_sizes(name, network):
    if FAMILIES[name].odd is None:
        pytest.skip("covered by the other padding")
    x = image(name, 1, FAMILIES[name].odd)
    theirs = oracle(name)
    if name == "efficient_classification":  # effdet is made for one size of image
        theirs = EfficientClassification(image_size=FAMILIES[name].odd).eval()
        theirs.load_state_dict(oracle(name).state_dict())
    with torch.no_grad():
        assert relative(network(name).forward(x.numpy()), theirs(x)) < FLOAT32


@every_family_once
@pytest.mark.parametrize("batch", [0, 7])
def test_batches(name, batch, network):
    ours, x = network(name), image(name, batch)
    plain, prepared = ours.forward(x.numpy()), ours(x.numpy())
    assert plain.shape[0] == batch
    assert prepared.shape == plain.shape
    if batch:
        assert relative(prepared, plain) < FLOAT32
        assert relative(ours.forward(x[-1:].numpy()), plain[-1:]) < FLOAT32


@every_family_once
def test_gradients_flow_to_every_parameter_and_are_the_reference_s(name, network):
    theirs, ours = oracle(name), network(name)
    x = image(name, 1)
    cotangent = torch.randn(theirs(x).shape, generator=torch.Generator().manual_seed(2))
    theirs.zero_grad()
    (theirs(x) * cotangent).sum().backward()
    expected = {n: p.grad for n, p in theirs.named_parameters()}
    found = ours.gradients(x.numpy(), cotangent.numpy())
    assert found.keys() == expected.keys()
    for parameter, gradient in found.items():
        scale = expected[parameter].abs().max()
        assert gradient is not None, parameter
        gap = np.abs(gradient - expected[parameter].numpy()).max()
        assert gap <= 2e-2 * scale + 1e-6, parameter  # some are float32 sums of 100,000 numbers that nearly cancel
    theirs.zero_grad(set_to_none=True)


@every_family_once
@pytest.mark.parametrize("engine", ["torch", "openvino", "native"])
def test_prepared_networks_agree_with_plain_ones(name, engine, network):
    if engine == "native" and not AVX512_BF16:
        pytest.skip("the native engine needs a CPU with AVX-512 and its products of bfloat16")
    own_size = (224, 224) if name == "vgg19" else None  # of smaller maps VGG19 makes larger ones, on LibTorch alone
    ours, x = network(name), image(name, 2, own_size)
    plain = ours.forward(x.numpy())
    try:
        for precision, tolerance in [("float32", FLOAT32), ("bfloat16", BFLOAT16)]:
            ours.prepare(precision=precision, engine=engine)
            made = ours.preparation(x.shape)
            if "not installed" in made.reason:
                pytest.skip(made.reason)
            assert made.engine == engine and not made.reason, made
            found = ours(x.numpy())
            assert relative(found, plain) < tolerance, precision
            np.testing.assert_array_equal(found, ours(x.numpy()))
    finally:
        ours.prepare()


@every_family_once
def test_two_threads_at_once_give_what_one_gives(name, network):
    ours = network(name)
    images = [image(name, 1, seed=seed).numpy() for seed in (3, 4)]
    plain, prepared = [ours.forward(x) for x in images], [ours(x) for x in images]
    for call, expected in [(ours.forward, plain), (ours, prepared)]:
        with ThreadPoolExecutor(2) as pool:
            for found, one in zip(pool.map(call, images), expected):
                np.testing.assert_array_equal(found, one)


@pytest.mark.parametrize("detector", ["efficientdet_d0", "tf_efficientdet_d0"])
def test_efficient_classification_step_by_step(detector, network):
    name = "efficient_classification" if detector == "efficientdet_d0" else "tf_efficient_classification"
    theirs, ours, x = oracle(name), network(name), image(name, 1)
    with torch.no_grad():
        maps = theirs.pyramid(x)
        fused = theirs.fuse(maps)
    found = ours.pyramid(x.numpy())
    assert [m.shape[2] for m in found] == [64, 32, 16, 8, 4]
    for ours_map, theirs_map in zip(found, maps):
        assert relative(ours_map, theirs_map) < FLOAT32
    assert relative(ours.fuse([m.numpy() for m in maps]), fused) < FLOAT32
    assert fused.shape == (1, 3, 224, 224)


def test_sizes_that_a_network_does_not_take_are_refused():
    for architecture, shape, message in [
        ("EfficientClassification", (1, 3, 224, 224), "505 to 512"),
        ("EfficientClassification", (1, 1, 512, 512), "(N, 3, H, W)"),
        ("InceptionResNetV2", (1, 3, 74, 99), "75 or more"),
        ("MobileNetLSTM", (1, 3, 96, 96), "slices"),
        ("ResNet18", (3, 96, 96), "(N, 3, H, W)"),
    ]:
        with pytest.raises(ichdet.Error) as error:
            nn.create(architecture).forward(np.zeros(shape, np.float32))
        assert message in str(error.value)
