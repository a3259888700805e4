"""Bundles of small random segmentation networks, from the state dict of a plain PyTorch module."""

import hashlib
import json

from safetensors.torch import save

S2_CHANNELS = [
    {"clip_hu": [15, 85], "scale_to": [0, 1]},
    {"clip_hu": [-15, 200], "scale_to": [0, 1]},
    {"clip_hu": [-100, 1300], "scale_to": [0, 1]},
]


def write_bundle(folder, module, architecture, options, *, input, patch, procedure=None, classes=("background", "ICH"),
                 name=None):
    """A bundle of which class 0 is background and all others are blood."""
    weights = save({key: value.detach().clone().contiguous() for key, value in module.state_dict().items()})
    folder.mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "LICENSE").write_text("Random numbers.\n")
    spec = {
        "schema": 1,
        "name": name or folder.name,
        "version": "1",
        "untrained": True,
        "architecture": {"name": architecture, "options": options},
        "input": input,
        "classes": [{"name": c, "blood": i > 0} for i, c in enumerate(classes)],
        "patch": patch,
        "provenance": {"source": "random", "authors": "none", "citation": "none", "converted_by": "a test", "files": {}},
        "licence": {"spdx": "CC0-1.0", "file": "LICENSE"},
        "not_for_clinical_use": True,
        "training_data": "none",
        "metrics": {},
        "weights": {"file": "weights.safetensors", "sha256": hashlib.sha256(weights).hexdigest()},
    }
    if procedure:
        spec["procedure"] = procedure
    (folder / "bundle.json").write_text(json.dumps(spec))
    return folder
