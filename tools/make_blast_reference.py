#!/usr/bin/env python3
"""Reference volumes of the Python package blast-ct, stored in tests/golden/blast_ct_v1.json.

Run by hand (minutes a scan) with a Python that has blast-ct, torch, SimpleITK and pydicom:

    .venv-oracles/bin/python tools/make_blast_reference.py [--scans NAME ...] [--members 1] [--patch 140]

The package's own classes do everything from the NIfTI file on: its dataset reorients, resamples to 1 mm, normalises and
cuts patches, its inference runs the network, its saver maps labels back (nearest) and counts volumes. Three choices
are ours, and none changes the network's answer:
- the input is a float32 NIfTI along the LPS axes (the package flips other orientations with a shift of one voxel, and
  resamples integer files to integers);
- patches of 140 voxels in place of 110 (both start at multiples of 15, so the probabilities are the same);
- denormal numbers are flushed.
head_ct_ge_tilt becomes a 1 mm grid first, without ichdet: see `tilted_series`.
"""
import argparse
import csv
import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data"))
GOLDEN = ROOT / "tests" / "golden" / "blast_ct_v1.json"
OUTSIDE_HU = -1024.0


def choose_patients():
    """Of the patients with blood, those at the 10th, 50th and 90th percentile of blood voxels."""
    with open(DATA / "phe_sich" / "studies.csv") as file:
        rows = [r for r in csv.DictReader(file) if int(r["blood_voxels"]) > 0]
    rows.sort(key=lambda r: (int(r["blood_voxels"]), r["study"]))
    return {size: rows[round(q * (len(rows) - 1))]["study"] for size, q in (("small", 0.1), ("middle", 0.5), ("large", 0.9))}


def patient(study):
    image = sitk.Cast(sitk.ReadImage(str(DATA / "phe_sich" / f"{study}_ct.nii.gz")), sitk.sitkFloat32)
    return sitk.DICOMOrient(image, "LPS")


def tilted_series(folder):
    """The tilted slices on a 1 mm grid along their own rows, columns and normal, the smallest that holds every pixel.

    A voxel's value is linear between the two slices around it, each read at the foot of the normal through the voxel
    by bilinear interpolation. What neither holds is air, and so is padding (below -1024 HU).
    """
    import pydicom
    from scipy.ndimage import map_coordinates

    slices = [pydicom.dcmread(f) for f in sorted(Path(folder).glob("*.dcm"))]
    row, column = (np.array(slices[0].ImageOrientationPatient[i : i + 3], float) for i in (0, 3))
    axes = np.stack([row, column, np.cross(row, column)], 1)
    slices.sort(key=lambda s: np.dot(axes[:, 2], np.array(s.ImagePositionPatient, float)))
    hu = np.stack([s.pixel_array * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in slices])
    hu = np.maximum(hu, OUTSIDE_HU).astype(np.float64)
    corner = np.array([s.ImagePositionPatient for s in slices], float) @ axes  # along row, column, normal
    row_mm, column_mm = (float(v) for v in slices[0].PixelSpacing)
    extent = np.array([column_mm * (hu.shape[2] - 1), row_mm * (hu.shape[1] - 1), 0])
    low, high = corner.min(0), (corner + extent).max(0)
    size = np.round(np.round(high - low + 1, 6)).astype(int)
    out = np.empty(size[::-1], np.float32)
    y, x = np.meshgrid(low[1] + np.arange(size[1]), low[0] + np.arange(size[0]), indexing="ij")
    for z in range(size[2]):
        depth = min(low[2] + z, corner[-1, 2])
        upper = np.clip(np.searchsorted(corner[:, 2], depth, side="right"), 1, len(corner) - 1)
        w = (depth - corner[upper - 1, 2]) / (corner[upper, 2] - corner[upper - 1, 2])
        read = [map_coordinates(hu[i], [(y - corner[i, 1]) / row_mm, (x - corner[i, 0]) / column_mm], order=1,
                                mode="constant", cval=OUTSIDE_HU) for i in (upper - 1, upper)]
        out[z] = read[0] * (1 - w) + read[1] * w
    image = sitk.GetImageFromArray(out)
    image.SetOrigin((axes @ low).tolist())
    image.SetDirection(axes.flatten().tolist())
    return image


def run_package(image, members, patch, work):
    """The package's volumes (mL), label counts at 1 mm, and seconds."""
    import types
    import pandas as pd

    # Only the package's training hooks use it; it need not be installed.
    sys.modules.setdefault("torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=None))
    from blast_ct.nifti.savers import NiftiPatchSaver
    from blast_ct.read_config import get_model, get_test_loader
    from blast_ct.trainer.inference import ModelInference, ModelInferenceEnsemble

    config = json.loads((DATA / "blast_ct_v1" / "config.json").read_text())
    config["test"].update(input_patch_size=[patch] * 3, batch_size=1, num_workers=0)
    path = Path(work) / "scan.nii.gz"
    sitk.WriteImage(image, str(path))
    pd.DataFrame({"id": ["scan"], "image": [str(path)]}).to_csv(Path(work) / "scans.csv", index=False)
    model = get_model(config)
    loader = get_test_loader(config, model, str(Path(work) / "scans.csv"), use_cuda=False)
    saver = NiftiPatchSaver(work, loader, write_prob_maps=False)
    weights = [str(DATA / "blast_ct_v1" / f"model_{i}.pt") for i in range(1, members + 1)]
    start = time.time()
    if members == 1:
        ModelInference(work, torch.device("cpu"), model, saver, weights[0], "segmentation")(loader)
    else:
        ModelInferenceEnsemble(work, torch.device("cpu"), model, saver, weights, "segmentation")(loader)
    seconds = time.time() - start
    row = pd.read_csv(Path(work) / "predictions" / "prediction.csv", index_col="id").loc["scan"]
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(Path(work) / "predictions" / "scan_prediction.nii.gz")))
    voxel_ml = float(np.prod(image.GetSpacing())) / 1000
    names = ["IPH", "EAH", "oedema", "IVH"]
    counts = [int((label == i + 1).sum()) for i in range(4)]
    for name, count in zip(names, counts):  # the package rounds to 0.01 mL
        assert abs(row[f"{name.lower()}_predicted_volume_ml"] - count * voxel_ml) < 0.006
    return {"volumes_ml": {n: c * voxel_ml for n, c in zip(names, counts)},
            "native_voxels": dict(zip(names, counts)), "seconds": round(seconds, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    chosen = choose_patients()
    parser.add_argument("--scans", nargs="*", default=["head_ct_ge_tilt", *chosen.values()])
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--patch", type=int, default=140)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    torch.set_num_threads(args.threads)
    import importlib.metadata as metadata

    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    golden["versions"] = {p: metadata.version(p) for p in ("blast-ct", "torch", "SimpleITK", "numpy")}
    golden["chosen"] = chosen
    for name in args.scans:
        image = tilted_series(DATA / name) if name == "head_ct_ge_tilt" else patient(name)
        array = sitk.GetArrayFromImage(image).astype("<f4")
        with tempfile.TemporaryDirectory() as work:
            result = run_package(image, args.members, args.patch, work)
        entry = golden.setdefault("scans", {}).setdefault(name, {})
        entry.update(size_xyz=image.GetSize(), spacing_mm=image.GetSpacing(), origin_mm=image.GetOrigin(),
                     input_sha256=hashlib.sha256(array.tobytes()).hexdigest())
        entry[f"members_{args.members}"] = result
        print(name, entry, file=sys.stderr, flush=True)
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
