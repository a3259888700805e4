"""The field's chains in Python, from a DICOM folder to files: what whole systems are held against.

python -m suite.chains s1 DICOM BUNDLE OUT THREADS        pydicom, NumPy, effdet and timm
python -m suite.chains s2 DICOM BUNDLES OUT THREADS       pydicom and MONAI; a folder of each network in BUNDLES
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np


def read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """HU (z, y, x) from the feet up, and the affine from voxels to LPS."""
    import pydicom
    from pydicom.pixels import apply_rescale

    slices = sorted(map(pydicom.dcmread, folder.iterdir()), key=lambda ds: float(ds.ImagePositionPatient[2]))
    hu = np.stack([apply_rescale(ds.pixel_array, ds).astype(np.float32) for ds in slices])
    first, last = (np.array(ds.ImagePositionPatient, float) for ds in (slices[0], slices[-1]))
    cosines, (row_mm, column_mm) = np.array(slices[0].ImageOrientationPatient, float), slices[0].PixelSpacing
    affine = np.eye(4)
    affine[:3] = np.stack([cosines[:3] * column_mm, cosines[3:] * row_mm, (last - first) / (len(slices) - 1), first], 1)
    return hu, affine


def s1(dicom: Path, bundle: Path, out: Path) -> None:
    """Windows to 8 bits, ToTensor, Normalize; eight slices at a time; the n % rule."""
    import torch
    from oracle_networks import EfficientClassification
    from safetensors.torch import load_file

    spec = json.loads((bundle / "bundle.json").read_text())
    network = EfficientClassification().eval()
    network.load_state_dict(load_file(bundle / "weights.safetensors"))
    hu = read(dicom)[0]
    windows = np.float32([channel["clip_hu"] for channel in spec["input"]["channels"]])
    levels = np.stack([(np.clip(hu, low, high) - low) / (high - low) * np.float32(255) for low, high in windows], 1)
    images = (torch.from_numpy(levels.astype(np.uint8)).float().div(255) - 0.5) / 0.5
    with torch.inference_mode():
        p = torch.cat([torch.softmax(network(batch), 1)[:, 1] for batch in images.split(8)]).tolist()
    rule = spec["decision"]
    needed = max(1, round(rule["percent"] / 100 * len(p)))
    (out / "result.json").write_text(json.dumps({
        "decision": sum(one > rule["slice_threshold"] for one in p) >= needed,
        "probability": sorted(p)[-needed], "slices": [{"probability": one} for one in p]}))
    with open(out / "slices.csv", "w", newline="") as file:
        csv.writer(file).writerows([["slice", "probability"], *enumerate(p)])


def s2(dicom: Path, bundles: Path, out: Path) -> None:
    import nibabel
    from oracle_s2 import segment

    from .viola_ai import RESCUE_ROI, ROI, member

    hu, affine = read(dicom)
    members = [member(folder.name, bundles) for folder in sorted(bundles.iterdir())]
    labels, _, _ = segment(hu, affine, members, roi=ROI, rescue_roi=RESCUE_ROI)
    ras = np.diag([-1, -1, 1, 1]) @ affine
    nibabel.save(nibabel.Nifti1Image(labels.transpose(2, 1, 0), ras), out / "labels.nii.gz")
    ml = float(labels.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000)
    (out / "result.json").write_text(json.dumps({"blood_labels": [1], "volumes_ml": {"ICH": ml}}))


if __name__ == "__main__":
    import torch

    which, dicom, bundle, out, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    Path(out).mkdir(exist_ok=True)
    {"s1": s1, "s2": s2}[which](Path(dicom), Path(bundle), Path(out))
