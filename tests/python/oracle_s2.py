"""VIOLA-AI's segmentation (S2) in plain MONAI and PyTorch, from methods.md and the public code's order of steps:
spacing, windows, orientation, foreground crop, sliding windows, mean of logits or rescue and union, softmax, inversion.
"""

import numpy as np
import torch
from monai.data import MetaTensor
from monai.inferers import sliding_window_inference
from monai.transforms import (Compose, ConcatItemsd, CopyItemsd, CropForegroundd, DeleteItemsd, Invertd, Orientationd,
                              ScaleIntensityRanged, Spacingd)
from monai.transforms.utils import map_spatial_axes

WINDOWS = [(15, 85), (-15, 200), (-100, 1300)]


def before(spacing, orientation):
    """The network's input from a scan in HU."""
    names = ["image", "second", "third"]
    windows = [ScaleIntensityRanged(keys=[name], a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True)
               for name, (low, high) in zip(names, WINDOWS)]
    return Compose([
        Spacingd(keys=["image"], pixdim=spacing, mode="bilinear"),
        CopyItemsd(keys=["image"], times=2, names=names[1:]),
        *windows,
        ConcatItemsd(names, name="image"),
        DeleteItemsd(names[1:]),
        Orientationd(keys=["image"], axcodes=orientation, labels=(("L", "R"), ("P", "A"), ("I", "S"))),
        CropForegroundd(keys=["image"], source_key="image", allow_smaller=True),
    ])


def look(images, network, roi, overlap, flip=None):
    """Logits; of the whole image flipped along one axis of space, and flipped back."""
    def flipped(batch):
        if flip is None:
            return batch
        return torch.stack([torch.flip(one, map_spatial_axes(one.ndim, flip)) for one in batch])

    return flipped(sliding_window_inference(flipped(images), roi, 1, network, overlap=overlap))


@torch.no_grad()
def segment(hu, lps_affine, networks, *, spacing=(1., 1., 3.), orientation="RAS", roi, rescue_roi, below_ml=0.1):
    """Of a scan (z, y, x): labels (z, y, x), blood probability (one for each united answer), and the volumes in mL that
    each network found at first."""
    ras = np.diag([-1., -1., 1., 1.]) @ lps_affine
    image = MetaTensor(torch.from_numpy(np.ascontiguousarray(hu.transpose(2, 1, 0)))[None], affine=torch.from_numpy(ras))
    steps = before(spacing, orientation)
    data = steps({"image": image})
    images = data["image"][None]

    answers, volumes = [], []
    for network in networks:
        logits = look(images, network, roi, 0.5)
        answers.append(logits)
        volumes.append(float(torch.argmax(logits, 1).sum()) * np.prod(spacing) / 1000)
        if volumes[-1] < below_ml:
            answers += [look(images, network, rescue_roi, 0.25, flip=axis) for axis in (1, 2)]
    if len(answers) == len(networks):
        answers = [torch.stack(answers).mean(0)]

    invert = Invertd(keys="pred", transform=steps, orig_keys="image", nearest_interp=False, to_tensor=True)
    probabilities = []
    for logits in answers:
        pred = MetaTensor(torch.softmax(logits[0], 0).as_tensor(), meta=data["image"].meta,
                          applied_operations=data["image"].applied_operations)
        back = invert({"pred": pred, "image": data["image"]})["pred"]
        probabilities.append(back.as_tensor().numpy().transpose(0, 3, 2, 1))
    labels = np.any([p.argmax(0) == 1 for p in probabilities], axis=0).astype(np.uint8)
    return labels, [p[1] for p in probabilities], volumes
