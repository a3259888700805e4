"""VIOLA-AI's networks (S2) on phantoms of 1 x 1 x 3 mm, with random weights but for their last layer.

That one is fitted (logistic regression on the features of other phantoms), so that they find the phantoms' blood: how
much adaptive precision computes again depends on how sure a network is, and masks of noise say little of agreement.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .networks import NETWORKS

if TYPE_CHECKING:
    from torch import nn

ROI, RESCUE_ROI = (160, 160, 32), (96, 96, 32)  # x, y, z
PROCEDURE = {
    "crop": "foreground", "merge": "logits", "inversion": "probabilities",
    "rescue": {"below_ml": 0.1, "patch": RESCUE_ROI[::-1], "overlap": 0.25, "flips": [["y"], ["z"]], "vote": "union"},
}


def phantom(seed: int, hemorrhages: list[tuple[str, float]], slices: int) -> tuple[np.ndarray, np.ndarray]:
    """HU (z, y, x), and where there is blood."""
    import ichdet

    made = ichdet.phantom(seed=seed, rows=230, columns=230, pixel_mm=1, slices=slices, thickness_mm=3, subsamples=1,
                          hemorrhages=[ichdet.Hemorrhage(*h) for h in hemorrhages])
    grid = ichdet.segmentation_grid(made.stack.geometry, [1, 1, 3])
    return np.asarray(ichdet.resample_to(made.stack, grid).hu), np.asarray(made.truth.labels) > 0


def volume(hu: np.ndarray) -> Any:
    import ichdet

    return ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 3]))


def windows(hu: np.ndarray) -> tuple[np.ndarray, tuple[slice, ...]]:
    """(channel, x, y, z), each axis as RAS has it, the foreground alone; and the foreground's box."""
    from oracle_s2 import WINDOWS

    image = np.stack([np.clip((hu - low) / (high - low), 0, 1) for low, high in WINDOWS]).transpose(0, 3, 2, 1)
    image = image[:, ::-1, ::-1]
    used = np.argwhere((image > 0).any(0))
    box = tuple(slice(a, b + 1) for a, b in zip(used.min(0), used.max(0)))
    return np.ascontiguousarray(image[(slice(None), *box)], np.float32), box


def to_box(mask: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
    return mask.transpose(2, 1, 0)[::-1, ::-1][box]


def from_box(inside: np.ndarray, box: tuple[slice, ...], shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape[::-1], inside.dtype)
    mask[box] = inside
    return mask[::-1, ::-1].transpose(2, 1, 0)


def write_member(name: str, folder: Path, procedure: dict[str, Any] = PROCEDURE) -> Path:
    """A bundle of dynunet or viola_unet."""
    import torch
    from oracle_segmenters import settled
    from segmentation_bundles import S2_CHANNELS, write_bundle

    torch.manual_seed(1)
    network = settled(NETWORKS[name].reference(), torch.randn(1, 3, 64, 64, 32))
    _fit_last_layer(network)
    patch = {"input": ROI[::-1], "output": ROI[::-1], "step": 0, "padding": "zero", "overlap": 0.5}
    return write_bundle(folder / name, network, NETWORKS[name].architecture, {"in_channels": 3, "out_channels": 2},
                        input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                        patch=patch, procedure=procedure)


def member(name: str, folder: Path) -> nn.Module:
    """The reference with the bundle's weights."""
    from safetensors.torch import load_file

    network = NETWORKS[name].reference()
    network.load_state_dict(load_file(folder / name / "weights.safetensors"))
    return network.eval()


def _fit_last_layer(network: nn.Module) -> None:
    import torch
    from sklearn.linear_model import LogisticRegression

    features: dict[str, Any] = {}
    hook = network.output_block.register_forward_pre_hook(lambda module, given: features.update(x=given[0]))
    rows, truth = [], []
    random = np.random.default_rng(0)
    for seed, hemorrhages in ((11, [("iph", 50), ("sdh", 30)]), (12, [("iph", 5), ("ivh", 10)])):
        hu, blood = phantom(seed, hemorrhages, 40)
        image, box = windows(hu)
        blood = to_box(blood, box)
        middle = [min(max(0, int(np.argwhere(blood)[:, a].mean()) - r // 2), n - r)
                  for a, (r, n) in enumerate(zip(ROI, blood.shape))]
        part = tuple(slice(m, m + r) for m, r in zip(middle, ROI))
        with torch.inference_mode():
            network(torch.from_numpy(image[(slice(None), *part)])[None])
        found, is_blood = features["x"][0].flatten(1).numpy().T, blood[part].flatten()
        keep = (random.random(is_blood.size) < 0.1) | (is_blood & (random.random(is_blood.size) < 0.5))
        rows.append(found[keep])
        truth.append(is_blood[keep])
    hook.remove()
    rows, truth = np.concatenate(rows), np.concatenate(truth)
    mean, std = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(C=10, max_iter=300).fit((rows - mean) / std, truth)
    weight = model.coef_[0] / std
    bias = model.intercept_[0] - weight @ mean
    last = network.output_block.conv.conv
    with torch.no_grad():
        for sign, c in ((-0.5, 0), (0.5, 1)):
            last.weight[c] = sign * torch.from_numpy(weight).float().reshape(-1, 1, 1, 1)
            last.bias[c] = sign * float(bias)
