"""A trained nnU-Net v2's folder, as nnU-Net 2.8 writes one (nnUNetTrainer.save_checkpoint, plans_handler.py), of a small
network after one step of training."""

import json

import numpy as np
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet

STRIDES = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
KERNELS = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
FEATURES = [4, 8, 10]
PATCH = [16, 48, 40]  # in the network's order of axes
SPACING = [3.0, 1.0, 1.0]
INTENSITY = {
    "max": 310.0,
    "mean": 33.25,
    "median": 32.0,
    "min": -40.0,
    "percentile_00_5": -12.5,
    "percentile_99_5": 95.0,
    "std": 17.5,
}


def network_of(residual=False, classes=4):
    blocks = {"n_blocks_per_stage": [1, 2, 1]} if residual else {"n_conv_per_stage": [2, 1, 2]}
    make = ResidualEncoderUNet if residual else PlainConvUNet
    return make(
        input_channels=1, n_stages=3, features_per_stage=FEATURES, conv_op=torch.nn.Conv3d, kernel_sizes=KERNELS,
        strides=STRIDES, num_classes=classes, n_conv_per_stage_decoder=[1, 2], conv_bias=True,
        norm_op=torch.nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True}, dropout_op=None,
        nonlin=torch.nn.LeakyReLU, nonlin_kwargs={"inplace": True}, deep_supervision=True, **blocks,
    )  # fmt: skip


def plans(residual=False, old=False):
    kind, counts = ("ResidualEncoderUNet", [1, 2, 1]) if residual else ("PlainConvUNet", [2, 1, 2])
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": PATCH,
        "median_image_size_in_voxels": [40.0, 200.0, 180.0],
        "spacing": SPACING,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "batch_dice": False,
    }
    if old:
        configuration.update(
            UNet_class_name=kind, UNet_base_num_features=4, unet_max_num_features=10, n_conv_per_stage_encoder=counts,
            n_conv_per_stage_decoder=[1, 2], num_pool_per_axis=[1, 2, 2], pool_op_kernel_sizes=STRIDES,
            conv_kernel_sizes=KERNELS,
        )  # fmt: skip
    else:
        where = "residual_unet" if residual else "unet"
        configuration["architecture"] = {
            "network_class_name": f"dynamic_network_architectures.architectures.{where}.{kind}",
            "arch_kwargs": {
                "n_stages": 3,
                "features_per_stage": FEATURES,
                "conv_op": "torch.nn.modules.conv.Conv3d",
                "kernel_sizes": KERNELS,
                "strides": STRIDES,
                ("n_blocks_per_stage" if residual else "n_conv_per_stage"): counts,
                "n_conv_per_stage_decoder": [1, 2],
                "conv_bias": True,
                "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        }
    return {
        "dataset_name": "Dataset901_Blood",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [5.0, 0.5, 0.5],
        "original_median_shape_after_transp": [30, 512, 512],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {
            "base": configuration,
            "3d_fullres": {"inherits_from": "base", "batch_dice": True},
            "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
            "2d": {**configuration, "patch_size": PATCH[1:], "spacing": SPACING[1:]},
        },
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": INTENSITY},
    }


def dataset():
    return {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "oedema": 1, "iph": 2, "ivh": 3, "ignore": 4},
        "numTraining": 12,
        "file_ending": ".nii.gz",
    }


def checkpoint(network, configuration="3d_fullres", mirrors=(0, 1, 2), trainer="nnUNetTrainer"):
    optimizer = torch.optim.SGD(network.parameters(), 1e-3, weight_decay=3e-5, momentum=0.99, nesterov=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network.train()
        sum(head.square().mean() for head in network(torch.randn(1, 1, *PATCH))).backward()
    optimizer.step()
    network.eval()
    losses = [np.float32(0.5), np.float64(-0.25)]
    return {
        "network_weights": network.state_dict(),
        "optimizer_state": optimizer.state_dict(),
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": losses, "dice_per_class_or_region": [losses], "epoch_start_timestamps": [1.5e9]},
        "_best_ema": np.float64(0.75),
        "current_epoch": 1000,
        "init_args": {
            "plans": plans(),
            "configuration": configuration,
            "fold": 0,
            "dataset_json": dataset(),
            "device": torch.device("cpu"),
        },
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": mirrors,
    }


def write(folder, network, old=False, residual=False, folds=("0",), plans_change=None, dataset_change=None, **options):
    """As nnU-Net lays it out; `..._change` edits a file's content before it is written."""
    folder.mkdir(parents=True, exist_ok=True)
    content, data = plans(residual, old), dataset()
    if plans_change:
        plans_change(content)
    if dataset_change:
        dataset_change(data)
    (folder / "plans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps(data))
    for fold in folds:
        (folder / f"fold_{fold}").mkdir()
        torch.save(checkpoint(network, **options), folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder
