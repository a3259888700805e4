"""MindGrab in plain PyTorch, and what brainchop-cli does around it, in NumPy and SimpleITK."""

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

DILATIONS = [16, 8, 4, 2, 1] * 5


class MeshNet(nn.Module):
    """Convolutions without bias, group norm with as many groups as channels and no parameters, GELU."""

    def __init__(self, channels=15, dilations=DILATIONS, classes=2):
        super().__init__()
        blocks, inputs = [], 1
        for d in dilations:
            conv = nn.Conv3d(inputs, channels, 3, padding=d, dilation=d, bias=False)
            blocks.append(nn.Sequential(conv, nn.GroupNorm(channels, channels, affine=False), nn.GELU()))
            inputs = channels
        self.model = nn.Sequential(*blocks, nn.Conv3d(channels, classes, 1))

    def forward(self, x):
        return self.model(x)


def cormack(hu):
    """niimath -h2c"""
    if hu.max() < 100 or hu.min() > -500:
        return hu
    hu = np.maximum(hu, -1024)
    hu = hu - hu.min()
    return hu + 9 * np.clip(hu - 900, 0, 200)


def robust(values):
    """niimath -conform's intensities: from the minimum to the 98 % of those that are not 0, in 1000 bins."""
    low, width = values.min(), (values.max() - values.min()) / 1000
    counts = np.bincount(np.minimum(((values - low) / width).astype(int), 999).ravel(), minlength=1000).cumsum()
    wanted = values.size - int((1 - 0.98) * np.count_nonzero(np.abs(values) >= 1e-15))
    top = 0
    while top < 999 and counts[top + 1] < wanted:
        top += 1
    return np.clip(255 / (top * width) * (values - low), 0, 255)


def image(values, geometry):
    made = sitk.GetImageFromArray(values.astype(np.float32))
    made.SetSpacing([float(s) for s in geometry.spacing_mm])
    made.SetOrigin([float(o) for o in np.asarray(geometry.affine)[:3, 3]])
    made.SetDirection((np.asarray(geometry.affine)[:3, :3] / np.asarray(geometry.spacing_mm)).ravel().tolist())
    return made


def extract(volume, network):
    """uint8 (z, y, x) on the volume's grid."""
    levels = robust(cormack(np.array(volume.hu, np.float64)))
    source = image(levels, volume.geometry)
    grid = sitk.Image(256, 256, 256, sitk.sitkUInt8)
    axes = np.array([[1, 0, 0], [0, 0, -1], [0, -1, 0]], float)  # columns: L, I, A
    grid.SetDirection(axes.ravel().tolist())
    affine = np.asarray(volume.geometry.affine)
    middle = affine[:3, :3] @ (np.array(volume.geometry.size) / 2) + affine[:3, 3]
    grid.SetOrigin((middle - axes @ np.full(3, 128.0)).tolist())
    conformed = np.rint(sitk.GetArrayFromImage(sitk.Resample(source, grid, sitk.Transform(), sitk.sitkLinear, 0.0)))
    low, high = np.quantile(conformed, 0.02), np.quantile(conformed, 0.98)
    x = np.clip((conformed - low) / (high - low + 1e-3), 0, 1).astype(np.float32)
    with torch.inference_mode():
        brain = network(torch.from_numpy(x).permute(2, 1, 0)[None, None]).argmax(1)[0].permute(2, 1, 0).numpy()
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(brain.astype(np.uint8)), True)
    largest = sitk.GetArrayFromImage(sitk.RelabelComponent(pieces)) == 1
    mask = sitk.GetImageFromArray(largest.astype(np.uint8))
    mask.CopyInformation(grid)
    return sitk.GetArrayFromImage(
        sitk.Resample(mask, image(levels, volume.geometry), sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    )
