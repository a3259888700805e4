"""Makes what `ichdet train skull-strip-unet3d` learns from: scans, and brain masks by a teacher.

    ichdet import mindgrab ../shared/data/mindgrab -o ../mindgrab
    python tools/make_brain_masks.py ../shared/data --mindgrab ../mindgrab -o ../brain

writes ../brain/brain.csv and the masks beside it:

- phe_sich: MindGrab's masks. `select` first, then `train`, then `validation`, each in a seeded order; 80 s of processor
  time a scan, so --train and --validation may ask for fewer. Stop it when you like: the same command goes on.
- phantoms: full-range HU, with and without blood; what lies inside the inner table is known.
- rsna_plain, `train` alone: single full-range slices with the classical masks.

A mask that MIN_ML, MAX_ML or the slices' SHARE rule out is left out, and told.
"""

import argparse
import csv
import os
import random
import subprocess
from pathlib import Path

import numpy as np
from make_manifests import SPLITS, write

import ichdet

SEED = 6
MIN_ML, MAX_ML = 900, 1900
SHARE = (0.45, 0.85)  # of a slice's head that the brain may be
BLEEDS = ["intraparenchymal", "intraventricular", "subdural", "epidural", "subarachnoid"]


def listed(name, split):
    """Rows of a committed split, in a seeded order."""
    with (SPLITS / f"{name}.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    random.Random(SEED).shuffle(rows)
    return rows


def strip(arguments, scan, folder, engine):
    """The mask's file, made where it is not there."""
    mask = folder / "brain_mask.nii.gz"
    if not mask.exists():
        bundle = ["--bundle", arguments.mindgrab] if engine == "mindgrab" else []
        command = [arguments.binary, "strip", scan, "-o", folder, "--engine", engine, "--threads", "1", "-q", *bundle]
        subprocess.run([str(word) for word in command], check=True)
    return mask


def brain(mask):
    """The labels and their millilitres."""
    found = ichdet.read_nifti_labels(mask)
    labels = np.asarray(found.labels) == 1
    return labels, labels.sum() * float(np.prod(found.geometry.spacing_mm)) / 1000


def phe_sich(arguments):
    counts = {"select": None, "train": arguments.train, "validation": arguments.validation}
    for split, count in counts.items():
        for row in listed("phe_sich", split)[:count]:
            scan = arguments.data / "phe_sich" / f"{row['study']}_ct.nii.gz"
            mask = strip(arguments, scan, arguments.output / "phe_sich" / row["study"], "mindgrab")
            ml = brain(mask)[1]
            if MIN_ML <= ml <= MAX_ML:
                yield row | {"scan": scan, "mask": mask}
            else:
                print(f"phe_sich {row['study']}: left out, {ml:.0f} mL")


def write_phantom(seed, dice, scan, mask):
    thickness = dice.choice([3.0, 4.0, 5.0])
    made = ichdet.phantom(
        seed=SEED * 1000 + seed,
        hemorrhages=[ichdet.Hemorrhage(dice.choice(BLEEDS), dice.uniform(5, 40))] if seed % 2 else [],
        rows=256, columns=256, pixel_mm=dice.uniform(0.85, 1.0), slices=round(160 / thickness),
        thickness_mm=thickness, noise_hu=dice.uniform(2, 6), threads=1,
    )
    inside = np.asarray(made.anatomy.depth_mm) > 0
    grid = made.stack.geometry.nominal()
    ichdet.write_nifti(scan, ichdet.Volume(made.stack.hu, grid))
    ichdet.write_nifti(mask, ichdet.LabelMap(inside.astype(np.uint8), ["background", "brain"], grid))


def phantoms(arguments):
    """Every second one with blood, of sizes, tilts and noises that scanners have."""
    for seed in range(arguments.phantoms):
        dice = random.Random(SEED * 1000 + seed)
        name = f"phantom-{seed}"
        scan, mask = (arguments.output / f"{name}_{what}.nii.gz" for what in ("ct", "brain"))
        if not mask.exists():
            write_phantom(seed, dice, scan, mask)
        yield {"study": name, "patient": name, "split": "train", "scan": scan, "mask": mask}


def rsna_plain(arguments):
    """Slices whose classical mask is a plausible part of the head."""
    kept = 0
    for row in listed("rsna_plain", "train"):
        scan = arguments.data / "rsna_plain" / f"{row['study']}.dcm"
        mask = strip(arguments, scan, arguments.output / "rsna_plain" / row["study"], "classical")
        stack = ichdet.read_study(scan).stack
        head = np.asarray(ichdet.head_mask(ichdet.Volume(stack.hu, stack.geometry.nominal()))).sum()
        share = brain(mask)[0].sum() / max(1, head)
        if kept < arguments.slices and SHARE[0] <= share <= SHARE[1]:
            kept += 1
            yield row | {"scan": scan, "mask": mask}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of phe_sich and rsna_plain")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the manifest and the masks")
    parser.add_argument("--mindgrab", type=Path, required=True, help="the teacher's bundle")
    parser.add_argument("--binary", default="build/ichdet")
    parser.add_argument("--train", type=int, help="of phe_sich's patients; all")
    parser.add_argument("--validation", type=int, help="of phe_sich's patients; all")
    parser.add_argument("--phantoms", type=int, default=6)
    parser.add_argument("--slices", type=int, default=14, help="of rsna_plain")
    arguments = parser.parse_args()
    arguments.data, arguments.output = arguments.data.resolve(), arguments.output.resolve()
    arguments.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for read in (phe_sich, phantoms, rsna_plain):
        before = len(rows)
        for row in read(arguments):
            files = {column: os.path.relpath(row[column], arguments.output) for column in ("scan", "mask")}
            rows.append({"study": row["study"], "patient": row["patient"], **files, "split": row["split"]})
        print(f"{read.__name__}: {len(rows) - before} studies")
    write(arguments.output / "brain.csv", rows)


if __name__ == "__main__":
    main()
