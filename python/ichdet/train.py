"""Data sets, their splits, losses; training, judging, refining and watching models (docs/training.md).

Needs the part of ichdet that is built with LibTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from . import nn as _nn  # noqa: F401  brings torch
from ._core import Geometry as _Geometry
from ._core import LabelMap as _LabelMap
from ._core import Volume as _Volume
from ._core import write_nifti as _write_nifti
from ._nn._train import *  # noqa: F401,F403
from ._nn._train import Dataset, read_manifest

_SMALL_RECIPE = {
    "recipe": 1,
    "name": "small",
    "title": "Blood in slices of 32 x 32 pixels",
    "citation": "none",
    "task": "slice segmentation",
    "architecture": {"name": "InceptionUNet", "options": {"in_channels": 1, "num_classes": 2, "filters": [4, 8]}},
    "input": {
        "size": [32, 32],
        "orientation": "LPS",
        "fit": "resize",
        "levels": "float",
        "channels": [{"clip_hu": [0, 80], "mean": 0.5, "std": 0.5}],
    },
    "classes": [{"name": "other", "blood": False}, {"name": "blood", "blood": True}],
    "output": {"activation": "softmax"},
    "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5},
    "thresholds": {"pixel": 0.5},
    "training": {
        "steps": 2,
        "batch": 4,
        "optimizer": {"name": "adamw", "learning_rate": 0.003},
        "loss": {"name": "dice + cross entropy"},
        "augment": {"flip_columns": 0.5},
        "validate": {"split": "train"},
    },
    "stated": [],
    "unknown": [],
}


def sample_data(folder: str | Path) -> Dataset:
    """Two heads of a few voxels, one with blood, and a recipe: to try `train` and its parts on in a moment.

    Parameters
    ----------
    folder : str or path
        Gets bleed.nii.gz and sound.nii.gz (4 slices of 32 x 32), their masks, manifest.csv and small.yaml. Made where
        it is not there.

    Returns
    -------
    Dataset
        Of the manifest; both studies are of the split "train".

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dataset = ichdet.train.sample_data(folder)
    >>> [(study.study, study.labels) for study in dataset.studies]
    [('bleed', [1.0]), ('sound', [0.0])]
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    z, y, x = np.mgrid[-37.5:38:25, -108.5:109:7, -108.5:109:7]
    depth = 85 - np.sqrt(x**2 + y**2 + z**2)  # a ball of brain in a shell of bone, in mm
    noise = np.random.default_rng(0).normal(0, 3, depth.shape)
    head = np.where(depth > 0, 35 + noise, np.where(depth > -8, 1000, -1000)).round().astype(np.float32)
    grid = _Geometry.aligned(size=depth.shape[::-1], spacing_mm=(7, 7, 25))
    lines = ["study,scan,mask,split,any"]
    for name, radius in [("bleed", 35), ("sound", 0)]:
        blood = (x - 30) ** 2 + y**2 + z**2 < radius**2
        _write_nifti(folder / f"{name}.nii.gz", _Volume(np.where(blood, head + 35, head), grid))
        _write_nifti(folder / f"{name}_mask.nii.gz", _LabelMap(blood, ["other", "blood"], grid))
        lines.append(f"{name},{name}.nii.gz,{name}_mask.nii.gz,train,{int(radius > 0)}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(json.dumps(_SMALL_RECIPE, indent=1))
    return read_manifest(folder / "manifest.csv")
