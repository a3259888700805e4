"""The networks that are measured: ichdet's, the reference implementation of each, weights and inputs for both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .case import LeftOut, Work

if TYPE_CHECKING:
    import ichdet.nn
    from torch import nn


class Network(NamedTuple):
    architecture: str  # ichdet's name, and its options
    options: dict[str, Any]
    shape: tuple[int, ...]  # of one input
    reference: Callable[[], nn.Module]  # the same in PyTorch, of tests/python or the package it comes from
    axes: int = 2  # of an image: 3 for volumes, whose networks segment


def of_timm(name: str, num_classes: int = 2) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import oracles  # noqa: F401  before timm
        import timm

        return timm.create_model(name, num_classes=num_classes)

    return make


def of_tests(module: str, name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        import importlib

        return getattr(importlib.import_module(module), name)()

    return make


def dynunet() -> nn.Module:
    """VIOLA-AI's nnU-Net (S2)."""
    from monai.networks.nets import DynUNet

    flat, deep = [3, 3, 1], [3, 3, 3]
    strides = [[1, 1, 1], [2, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1], [1, 1, 1]]
    return DynUNet(3, 3, 2, [flat] * 3 + [deep] * 4, strides, strides[1:], [32, 64, 96, 128, 192, 256, 320],
                   norm_name=("INSTANCE", {"affine": True}), deep_supervision=True, deep_supr_num=4, res_block=True,
                   trans_bias=True)


NNUNET = {  # as nnU-Net plans for thick slices of 0.5 mm pixels
    "input_channels": 1, "num_classes": 2, "features_per_stage": [32, 64, 128, 256, 320, 320],
    "kernel_sizes": [[1, 3, 3]] * 2 + [[3, 3, 3]] * 4,
    "strides": [[1, 1, 1], [1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]],
    "n_conv_per_stage": [2] * 6, "n_conv_per_stage_decoder": [2] * 5, "conv_bias": True,
}


def plain_conv_unet() -> nn.Module:
    from dynamic_network_architectures.architectures.unet import PlainConvUNet
    from segmentation_families import nnunet

    return nnunet(PlainConvUNet, (), **NNUNET).oracle()


TWO = {"num_classes": 2}
NETWORKS = {
    "efficient_classification": Network("EfficientClassification", {}, (3, 512, 512),
                                        of_tests("oracle_networks", "EfficientClassification")),
    "efficientnet_b0": Network("EfficientNetB0", TWO, (3, 512, 512), of_timm("efficientnet_b0")),
    "resnet18": Network("ResNet18", TWO, (3, 224, 224), of_timm("resnet18")),
    "densenet121": Network("DenseNet121", {"num_classes": 6}, (3, 224, 224), of_timm("densenet121", 6)),
    "inception_resnet_v2": Network("InceptionResNetV2", TWO, (3, 299, 299), of_timm("inception_resnet_v2")),
    "mobilenetv2": Network("MobileNetV2", TWO, (3, 224, 224), of_timm("mobilenetv2_100")),
    "vgg19": Network("VGG19", TWO, (3, 224, 224), of_timm("vgg19")),
    "mobilenet_lstm": Network("MobileNetLSTM", {}, (25, 3, 224, 224), of_tests("oracle_networks", "MobileNetLSTM")),
    "dynunet": Network("DynUNet", {}, (3, 160, 160, 32), dynunet, 3),
    "viola_unet": Network("ViolaUnet", {}, (3, 160, 160, 32), of_tests("oracle_viola", "ViolaUnet"), 3),
    "plain_conv_unet": Network("PlainConvUNet", NNUNET, (1, 32, 160, 160), plain_conv_unet, 3),
}


def write_weights(name: str, folder: Path) -> None:
    """weights.pt, random but of natural output size and seeded: see `trained` and `settled`."""
    import torch

    network = NETWORKS[name]
    torch.manual_seed(1)
    if network.axes == 3:
        from oracle_segmenters import settled

        model = settled(network.reference(), torch.randn(1, *(min(n, 64) for n in network.shape)))
    else:
        from oracle_networks import trained

        model = trained(network.reference(), torch.randn(4, *network.shape))
    torch.save(model.state_dict(), folder / "weights.pt")


def with_weights(name: str, folder: Path) -> nn.Module:
    """The reference."""
    import torch

    model = NETWORKS[name].reference()
    model.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    return model.eval()


def prepared(name: str, folder: Path, threads: int, batch: int, engine: str,
             precision: str) -> tuple[ichdet.nn.Network, str]:
    """ichdet's, and what runs; raises LeftOut where that is another engine than the one asked for."""
    import ichdet.nn

    architecture, options, shape, _, _ = NETWORKS[name]
    network = ichdet.nn.create(architecture, options, engine=engine, threads=threads, precision=precision)
    network.load_state_dict(folder / "weights.pt")
    made = network.preparation((batch, *shape))
    if engine not in ("auto", made.engine):
        raise LeftOut(made.reason)
    return network, f"{made.engine}: {made.form}" + (f"; {made.reason}" if made.reason else "")


def images(name: str, batch: int) -> np.ndarray:
    """Blobs, eight along each axis, and noise."""
    random = np.random.default_rng(7)
    _, _, shape, _, axes = NETWORKS[name]
    blobs = random.standard_normal((batch, *shape[:-axes], *[8] * axes))
    for axis in range(-axes, 0):
        blobs = np.repeat(blobs, -(-shape[axis] // 8), axis).take(range(shape[axis]), axis)
    return (blobs + 0.3 * random.standard_normal(blobs.shape)).astype(np.float32)


def work(name: str, batch: int, precision: str = "float32") -> Work:
    """Products of a forward of `batch` inputs; the weights and the input are read once."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = NETWORKS[name].reference().eval().to("meta")
    x = torch.empty(batch, *NETWORKS[name].shape, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    weights = sum(p.numel() for p in model.parameters())
    return Work(counter.get_total_flops(), weights * getattr(torch, precision).itemsize + x.nbytes)
