"""Data sets, their splits, losses; training, judging, refining and watching models (docs/training.md).

Needs the part of ichdet that is built with LibTorch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from . import LabelMap, Volume, phantom, write_nifti
from . import nn as _nn  # noqa: F401  brings torch
from ._core import Hemorrhage
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
    """Two phantoms of a few pixels and a recipe to try `train` and its parts on, in well under a second.

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
    ...     sorted(os.listdir(folder))  # doctest: +NORMALIZE_WHITESPACE
    ['bleed.nii.gz', 'bleed_mask.nii.gz', 'manifest.csv', 'small.yaml', 'sound.nii.gz', 'sound_mask.nii.gz']
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["study,scan,mask,split"]
    for seed, (name, hemorrhages) in enumerate({"bleed": [Hemorrhage(volume_ml=60)], "sound": []}.items()):
        head = phantom(seed=seed, hemorrhages=hemorrhages, rows=32, columns=32, pixel_mm=7, slices=4, thickness_mm=25)
        grid = head.stack.geometry.regular()
        write_nifti(folder / f"{name}.nii.gz", Volume(head.stack.hu, grid))
        blood = (head.truth.labels > 0).astype(np.uint8)
        write_nifti(folder / f"{name}_mask.nii.gz", LabelMap(blood, ["other", "blood"], grid))
        lines.append(f"{name},{name}.nii.gz,{name}_mask.nii.gz,train")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(json.dumps(_SMALL_RECIPE, indent=1))
    return read_manifest(folder / "manifest.csv")
