"""UNet3D against MONAI's UNet: the same weights, the same logits."""

import numpy as np
import pytest
import torch
from monai.networks.nets import UNet
from safetensors.torch import save_file

import ichdet
from ichdet import nn

CASES = {
    "default": (dict(channels=(8, 16, 32, 64), strides=(2, 2, 2)), {}),
    "residual": (
        dict(channels=(4, 6, 8), strides=((2, 2, 1), 2), num_res_units=2, act="relu", in_channels=2, out_channels=3),
        {"strides": [[2, 2, 1], 2]},
    ),
    "batch": (
        dict(channels=(4, 8), strides=(2,), num_res_units=1, norm="batch", act=("leakyrelu", {"negative_slope": 0.2})),
        {"act": "leakyrelu", "negative_slope": 0.2, "norm": "batch"},
    ),
    "affine": (
        dict(channels=(4, 6), strides=(3,), norm=("instance", {"affine": True}), bias=False, up_kernel_size=5),
        {"norm": "instance", "affine": True},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_monai(name, tmp_path):
    theirs, changes = CASES[name]
    theirs = {"in_channels": 1, "out_channels": 2, **theirs}
    torch.manual_seed(2)
    network = UNet(spatial_dims=3, **theirs)
    x = torch.randn(1, theirs["in_channels"], 24, 16, 8) if name != "affine" else torch.randn(1, 1, 9, 12, 6)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.rand_like(parameter) * 0.4 - 0.2)
        network.train()(x)  # statistics of batch norm
        expected = network.eval()(x).numpy()
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "weights.safetensors")
    ours = nn.create("UNet3D", {**theirs, **changes})
    ours.load_state_dict(tmp_path / "weights.safetensors")
    found = ours.forward(x.numpy())
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    prepared = ours(x.numpy())
    assert np.abs(prepared - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"channels": [8]}, "channels"),
        ({"channels": [8, 16], "strides": [2, 2]}, "strides: expected 1 of them"),
        ({"act": "gelu"}, "act: expected prelu, relu or leakyrelu, found gelu"),
        ({"norm": "batch", "affine": False}, "affine"),
        ({"kernel_size": 4}, "kernel_size"),
        ({"depth": 3}, "depth: unknown key"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ichdet.Error, match=message):
        nn.create("UNet3D", options)


def test_refuses_sizes_it_does_not_take():
    with pytest.raises(ichdet.Error, match="multiple of 8"):
        nn.create("UNet3D").forward(np.zeros((1, 1, 16, 16, 12), np.float32))
