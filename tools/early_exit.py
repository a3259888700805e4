#!/usr/bin/env python3
"""What the default bundle would lose if its segmenter were not asked about slices that the classifier finds clear.

    PYTHONPATH=build/python .venv-oracles/bin/python tools/early_exit.py [phe_sich] [--out FILE.json]

On the patients of recipes/splits/phe_sich.csv that the bundle neither learnt from nor was chosen by (split validation).
A slice is clear where the classifier's probability is below a bound; a bleed on it would be missed. Prints, for each
bound: slices spared (of those that show a head; the others are spared already), slices with blood among them, those of
them that the whole bundle finds, blood that it marks on them (mL).
"""

import argparse
import csv
import json
import os
import time
from pathlib import Path

import ichdet
import nibabel
import numpy as np
from ichdet import nn

ROOT = Path(__file__).resolve().parent.parent
BOUNDS = [0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2]


def validation():
    with (ROOT / "recipes/splits/phe_sich.csv").open(newline="") as file:
        return [row["study"] for row in csv.DictReader(file) if row["split"] == "validation"]


def read(folder, study, classifier, detector):
    """Of each slice: the classifier's probability, whether it shows blood, whether the bundle finds it, mL that it marks."""
    scan = nibabel.load(folder / f"{study}_ct.nii.gz")
    mask = np.asarray(nibabel.load(folder / f"{study}_label.nii.gz").dataobj) == 1
    stack = ichdet.read_study(folder / f"{study}_ct.nii.gz").stack
    start = time.perf_counter()
    said = classifier(stack)
    classified = time.perf_counter()
    found = detector(stack)
    whole = time.perf_counter()
    marked = np.asarray(found.labels.labels)
    assert marked.shape[0] == mask.shape[2] == len(said.slices), (study, marked.shape, mask.shape)
    ml = float(np.prod(scan.header.get_zooms()[:3])) / 1000
    blood = mask.any(axis=(0, 1))
    if scan.affine[2, 2] < 0:
        blood = blood[::-1]
    return {
        "study": study, "classifier_s": classified - start, "whole_s": whole - classified,
        "classifier": [s.probability for s in said.slices], "asked": [s.computed for s in said.slices], "blood": blood.tolist(),
        "found": [s.probability > found.result.decision.slice_threshold for s in found.result.slices],
        "marked_ml": ((marked > 0).sum(axis=(1, 2)) * ml).tolist(),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared/data"))
    parser.add_argument("folder", nargs="?", type=Path, default=data / "phe_sich")
    parser.add_argument("--out", type=Path, help="what was read of each slice, as JSON")
    args = parser.parse_args()
    missing = [name for study in validation() for kind in ("ct", "label")
               if not (args.folder / (name := f"{study}_{kind}.nii.gz")).exists()]
    if missing:
        parser.error(f"{args.folder}: expected the scans and masks of phe_sich, found no {missing[0]}")
    bundle = ROOT / "bundles/ichdet"
    classifier = nn.SliceClassifier(bundle / "classifier", threads=1)
    detector = nn.EnsembleDetector(bundle, threads=1)
    rows = [read(args.folder, study, classifier, detector) for study in validation()]
    if args.out:
        args.out.write_text(json.dumps(rows) + "\n")
    p, asked, blood, found, ml = (np.concatenate([row[key] for row in rows])
                                  for key in ("classifier", "asked", "blood", "found", "marked_ml"))
    print(f"{len(rows)} patients, {len(p)} slices, {asked.sum()} with a head, {blood.sum()} with blood, of which the bundle finds "
          f"{(blood & found).sum()}; {ml.sum():.0f} mL marked; classifier {sum(r['classifier_s'] for r in rows):.1f} s, "
          f"all {sum(r['whole_s'] for r in rows):.1f} s")
    print("bound   spared   with blood   of these found   mL marked there")
    for bound in BOUNDS:
        clear = (p < bound) & asked
        print(f"{bound:5.3f}   {clear.sum() / asked.sum():5.1%}   {(clear & blood).sum():9d}   {(clear & blood & found).sum():13d}   "
              f"{ml[clear].sum():12.2f}")


if __name__ == "__main__":
    main()
