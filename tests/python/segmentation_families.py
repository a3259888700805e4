"""The segmentation networks that are held against MONAI's, dynamic-network-architectures' and the tests' own."""

from typing import NamedTuple

import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from monai.networks.nets import DynUNet
from oracle_inception import InceptionUNet
from oracle_viola import ViolaUnet

INSTANCE, BATCH = ("INSTANCE", {"affine": True}), ("BATCH", {"affine": True})
SLIM = [[3, 3, 1], [3, 3, 1], [3, 3, 3], [3, 3, 3]]
STEPS = [[1, 1, 1], [2, 2, 1], [2, 2, 2], [1, 1, 1]]


class Family(NamedTuple):
    architecture: str
    options: dict
    oracle: callable
    size: tuple  # of a small input
    heads: int = 0


def dynunet(size, norm=INSTANCE, spatial_dims=3, **options):
    """Ours, and MONAI's with the same arguments."""
    options.setdefault("upsample_kernel_size", options["strides"][1:])
    own = dict(options, norm="instance" if norm == INSTANCE else "batch", spatial_dims=spatial_dims)
    heads = options.get("deep_supr_num", 1) if options.get("deep_supervision") else 0
    return Family("DynUNet", own, lambda: DynUNet(spatial_dims, norm_name=norm, **options), size, heads)


def viola(size, norm=BATCH, heads=0, **options):
    own = dict(options, norm="instance" if norm == INSTANCE else "batch")
    if heads:
        own.update(deep_supervision=True, deep_supr_num=heads)
    return Family("ViolaUnet", own, lambda: ViolaUnet(norm=norm, heads=heads, **options), size, heads)


def nnunet(make, size, norm="instance", **options):
    """Ours, and that of dynamic-network-architectures with the same arguments."""
    dimensions = options.get("spatial_dims", 3)
    own = dict(options, norm=norm, norm_eps=1e-5)
    theirs = {k: v for k, v in options.items() if k not in ("spatial_dims", "negative_slope")}
    theirs.update(
        n_stages=len(options["strides"]),
        conv_op=getattr(torch.nn, f"Conv{dimensions}d"),
        norm_op=getattr(torch.nn, f"{'Instance' if norm == 'instance' else 'Batch'}Norm{dimensions}d"),
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True, "negative_slope": options.get("negative_slope", 0.01)},
        # What plans.json holds where there is dropout; in evaluation it does nothing, but it takes an index.
        dropout_op=getattr(torch.nn, f"Dropout{dimensions}d") if norm == "batch" else None,
        dropout_op_kwargs={"p": 0.2},
    )
    return Family(make.__name__, own, lambda: make(**theirs), size, len(options["strides"]) - 2)


FAMILIES = {
    "dynunet": dynunet(
        (16, 8, 6), in_channels=2, out_channels=3, kernel_size=SLIM, strides=STEPS, filters=[6, 8, 10, 12]
    ),
    "dynunet_s2": dynunet(
        (16, 12, 8),
        in_channels=3,
        out_channels=2,
        kernel_size=SLIM,
        strides=STEPS,
        filters=[8, 12, 16, 20],
        res_block=True,
        trans_bias=True,
        deep_supervision=True,
        deep_supr_num=2,
    ),
    "dynunet_batch": dynunet(
        (16, 12, 16),
        norm=BATCH,
        in_channels=1,
        out_channels=2,
        kernel_size=[3, [5, 3, 1], 3],
        strides=[1, 2, [2, 2, 4]],
        filters=[4, 4, 8],
        trans_bias=True,
        deep_supervision=True,
    ),
    "dynunet_2d": dynunet(
        (24, 16),
        spatial_dims=2,
        in_channels=3,
        out_channels=2,
        kernel_size=[3, 3, 3],
        strides=[1, 2, 2],
        filters=[8, 8, 16],
        res_block=True,
    ),
    "dynunet_strided": dynunet(
        (16, 16, 16), in_channels=1, out_channels=2, kernel_size=[3] * 3, strides=[2, 2, 2], filters=[4, 8, 8]
    ),
    "viola": viola((32, 16, 16)),
    "viola_wide": viola(
        (8, 24, 4),
        norm=INSTANCE,
        heads=1,
        in_channels=1,
        out_channels=4,
        kernel_size=SLIM[1:],
        strides=[[1, 1, 1], [2, 2, 1], [2, 2, 2]],
        filters=(18, 40, 48),
        dec_filters=(14, 60),
        trans_bias=False,
    ),
    "nnunet": nnunet(
        PlainConvUNet,
        (6, 16, 8),
        input_channels=1,
        num_classes=3,
        features_per_stage=[6, 8, 12],
        kernel_sizes=[[1, 3, 3], [3, 3, 3], 3],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        n_conv_per_stage=[2, 1, 3],
        n_conv_per_stage_decoder=[1, 2],
        conv_bias=True,
    ),
    "nnunet_2d": nnunet(
        PlainConvUNet,
        (16, 24),
        norm="batch",
        spatial_dims=2,
        input_channels=3,
        num_classes=2,
        features_per_stage=[6, 8, 12, 12],
        kernel_sizes=[3, 5, 3, 3],
        strides=[1, 2, 2, 2],
        n_conv_per_stage=[2, 2, 2, 2],
        n_conv_per_stage_decoder=[2, 2, 2],
        conv_bias=False,
        nonlin_first=True,
        negative_slope=0.2,
    ),
    "nnunet_residual": nnunet(
        ResidualEncoderUNet,
        (6, 16, 8),
        input_channels=2,
        num_classes=2,
        features_per_stage=[6, 8, 8, 12],
        kernel_sizes=[[1, 3, 3], 3, 3, 3],
        strides=[[1, 1, 1], [1, 2, 2], [2, 2, 2], [1, 1, 1]],
        n_blocks_per_stage=[1, 3, 2, 2],
        n_conv_per_stage_decoder=[1, 1, 1],
        conv_bias=True,
    ),
    "nnunet_residual_2d": nnunet(
        ResidualEncoderUNet,
        (16, 24),
        norm="batch",
        spatial_dims=2,
        input_channels=1,
        num_classes=2,
        features_per_stage=[6, 8],
        kernel_sizes=[3, 3],
        strides=[1, 2],
        n_blocks_per_stage=[2, 1],
        n_conv_per_stage_decoder=[2],
        conv_bias=False,
    ),
    "inception": Family(
        "InceptionUNet",
        {"in_channels": 4, "filters": [8, 12, 16]},
        lambda: InceptionUNet(4, 2, [8, 12, 16]),
        (24, 36),
    ),
}
