#!/usr/bin/env python3
"""Converts published BLAST-CT v1 weights (.pt) to ichdet bundles. Needs PyTorch and nothing else.

    blast_ct.py model_1.pt [model_2.pt ...] --config config.json --licence LICENSE.txt --out DIR [--name NAME]

Each model becomes DIR/NAME (or, with several or without --name, DIR/blast-ct-v1-NN, NN being the file's number) with
bundle.json, weights.safetensors and LICENSE. The same input gives the same bytes. Pickles are read with
weights_only=True, so they cannot run code.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from torch import Tensor

CONVERTER = "ichdet.convert.blast_ct 1"
SOURCE = "github.com/biomedia-mira/blast-ct at 361e8c79"
AUTHORS = "Biomedical Image Analysis Group, Imperial College London, and collaborators"
CITATION = ("Monteiro M, Newcombe VFJ, Mathieu F, et al. Multiclass semantic segmentation and quantification of traumatic "
            "brain injury lesions on head CT using deep learning. Lancet Digital Health 2020; 2(6): e314-e322.")
TRAINING_DATA = "Head CT of patients with traumatic brain injury (CENTER-TBI and others); see the citation."
# The published config calls class 0 'foreground'; it is background.
CLASSES = [("background", False), ("IPH", True), ("EAH", True), ("oedema", False), ("IVH", True)]
DTYPES = {"torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.int64": "I64"}


def fail(message: str) -> NoReturn:
    sys.exit(f"blast_ct.py: {message}")


def safetensors_bytes(tensors: dict[str, Tensor]) -> bytes:
    """The safetensors format: header length (u64), JSON header padded to 8 bytes with spaces, data."""
    header: dict[str, dict[str, Any]] = {}
    blobs, at = [], 0
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous().cpu()
        if str(tensor.dtype) not in DTYPES:
            fail(f"tensor {name}: no bundle type for {tensor.dtype}")
        blob = ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() else b""
        header[name] = {"dtype": DTYPES[str(tensor.dtype)], "shape": list(tensor.shape),
                        "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blobs)


def spec(name: str, config: dict[str, Any], published: dict[str, str], weights: bytes) -> dict[str, Any]:
    data = config["data"]
    ((architecture, options),) = config["model"].items()
    window = data["transformation"]["IntensityWindowNormalization"]
    if len(data["class_names"]) != len(CLASSES) or data["input_channels"] != 1:
        fail(f"config: expected 1 channel and {len(CLASSES)} classes, found {data['class_names']}")
    return {
        "schema": 1,
        "name": name,
        "version": "1.0",
        "architecture": {
            "name": architecture,
            "options": {"input_channels": data["input_channels"], "num_classes": data["num_classes"],
                        "scale_factors": [[5, 5, 5], [3, 3, 3], [1, 1, 1]], **options},
        },
        "input": {
            "spacing_mm": data["resolution"],
            "orientation": "LPS",
            "channels": [{"clip_hu": [window["lower_bound"], window["upper_bound"]], "scale_to": [-1.0, 1.0]}],
        },
        "classes": [{"name": n, "blood": blood} for n, blood in CLASSES],
        "patch": {"input": [140, 140, 140], "output": [60, 60, 60], "step": 15, "padding": "edge"},
        "thresholds": {},
        "calibration": None,
        "provenance": {"source": SOURCE, "authors": AUTHORS, "citation": CITATION, "converted_by": CONVERTER,
                       "files": published},
        "licence": {"spdx": "Apache-2.0", "file": "LICENSE"},
        "not_for_clinical_use": True,
        "training_data": TRAINING_DATA,
        "metrics": {},
        "weights": {"file": "weights.safetensors", "sha256": hashlib.sha256(weights).hexdigest()},
    }


def convert(model: Path, config_file: Path, licence: Path, folder: Path, name: str) -> None:
    """Writes the bundle `folder` from one published file. A half-written bundle is never left behind."""
    import torch

    try:
        state = torch.load(model, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a broken file
        fail(f"{model}: cannot be read as weights: {error}")
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        fail(f"{model}: expected a dictionary of tensors")
    weights = safetensors_bytes(state)
    published = {Path(f).name: hashlib.sha256(Path(f).read_bytes()).hexdigest() for f in (model, config_file)}
    text = json.dumps(spec(name, json.loads(Path(config_file).read_text()), published, weights), indent=2) + "\n"
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "weights.safetensors").write_bytes(weights)
    shutil.copyfile(licence, partial / "LICENSE")
    (partial / "bundle.json").write_text(text)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--config", required=True, type=Path)
    parser.add_argument("--licence", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--name")
    args = parser.parse_args(arguments)
    for file in (*args.models, args.config, args.licence):
        if not file.is_file():
            fail(f"{file}: no such file")
    if args.name and len(args.models) > 1:
        fail("--name: is for one model")
    for model in args.models:
        name = args.name
        if not name:
            number = re.search(r"(\d+)$", model.stem)
            if not number:
                fail(f"{model}: its name has no number; say --name")
            name = f"blast-ct-v1-{int(number[1]):02d}"
        convert(model, args.config, args.licence, args.out / name, name)
        print(args.out / name)


if __name__ == "__main__":
    main()
