"""Cuts runs of blood-free slices out of patients with blood, for the patient level, where no patient without blood is.

    .venv-oracles/bin/python tools/make_blood_free_runs.py phe_sich.csv -o runs/ --split validation

writes for each patient of the split the runs of at least `--least` slices whose mask shows no blood, one slice away
from any that does, as NIfTI with a mask of zeros, and runs/manifest.csv for `ichdet judge`. These are no healthy
patients: the brain may be swollen and shifted, and the bleed lies a centimetre away.
"""

import argparse
import csv
import os
from pathlib import Path

import nibabel
import numpy as np

BLOOD = 1


def runs(free, least):
    """[first, end) of each run of at least `least` true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], free.astype(np.int8), [0]])))
    return [(first, end) for first, end in zip(edges[::2], edges[1::2]) if end - first >= least]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path, help="study, patient, scan, mask, split (tools/make_manifests.py)")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--least", type=int, default=6, metavar="N", help="fewest slices of a run (default: 6)")
    parser.add_argument("--with-patients", action="store_true", help="the manifest lists the whole patients too")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = []
    with arguments.manifest.open(newline="") as file:
        studies = [row for row in csv.DictReader(file) if row["split"] == arguments.split]
    for study in studies:
        scan = nibabel.load(arguments.manifest.parent / study["scan"])
        mask = np.asarray(nibabel.load(arguments.manifest.parent / study["mask"]).dataobj)
        if arguments.with_patients:
            here, there = arguments.manifest.parent, arguments.output.resolve()
            whole = {key: os.path.relpath((here / study[key]).resolve(), there) for key in ("scan", "mask")}
            rows.append({key: study[key] for key in ("study", "patient", "split")} | whole)
        blood = (mask == BLOOD).any(axis=(0, 1))
        near = np.convolve(blood, [1, 1, 1], "same") > 0
        for number, (first, end) in enumerate(runs(~near, arguments.least), 1):
            name = f"{study['study']}_free{number}"
            cut = scan.slicer[:, :, first:end]
            nibabel.save(cut, arguments.output / f"{name}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(np.zeros(cut.shape, np.uint8), cut.affine),
                         arguments.output / f"{name}_mask.nii.gz")
            rows.append({"study": name, "patient": study["patient"], "scan": f"{name}.nii.gz",
                         "mask": f"{name}_mask.nii.gz", "split": arguments.split})
    with (arguments.output / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["study", "patient", "scan", "mask", "split"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} studies of {len(studies)} patients")


if __name__ == "__main__":
    main()
