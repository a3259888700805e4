"""Fits the default ensemble's slice rule and calibrations on the split `select`, which nothing learnt from.

    .venv-oracles/bin/python tools/calibrate_default_bundle.py ../training --ichdet build/ichdet

`../training` holds the manifests of tools/make_manifests.py. Fitted on: the split's patients and slices as they are,
runs of their blood-free slices (tools/make_blood_free_runs.py), and both again with each type of hemorrhage painted
into them (`ichdet paint`), half of them with what is bright and not blood beside it. Without the painted ones nothing
but intraparenchymal blood would have a say. Results are kept in ../training/calibration; a second call goes on.
"""

import argparse
import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parent.parent
TYPES = ["iph", "ivh", "sdh", "edh", "sah"]
CLEAR = range(1, 6)  # what `ichdet paint` marks; 6 is blood that hardly stands out
BLOOD = [1]          # of the data set's masks; 2 is oedema
FEWEST_PIXELS = 4    # of painted blood, for a slice to show it, as in training


def rows_of(manifest, split):
    """(study, scan, mask or None) of a split."""
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                mask = manifest.parent / row["mask"] if row["mask"] else None
                yield row["study"], (manifest.parent / row["scan"]).resolve(), mask


def slices_with(mask, labels, fewest=1):
    volume = np.asarray(nibabel.load(mask).dataobj)
    return np.isin(volume, list(labels)).sum(axis=(0, 1)) >= fewest


def write_lesions(work, answers, masks):
    """Each lesion's confidence, and whether the true mask shows blood in it (what hardly stands out counts)."""
    with (work / "lesions_found.csv").open("w") as found, (work / "lesions_true.csv").open("w") as true:
        found.write("study,patient,lesion\n")
        true.write("study,patient,lesion\n")
        for folder in sorted(answers.iterdir()):
            lesions = json.loads((folder / "result.json").read_text())["lesions"]
            if not lesions:
                continue
            image = nibabel.load(folder / "labels.nii.gz")
            pieces, count = ndimage.label(np.asarray(image.dataobj), np.ones((3, 3, 3)))
            middles = np.array(ndimage.center_of_mass(pieces > 0, pieces, range(1, count + 1)))
            places = nibabel.affines.apply_affine(image.affine, middles) * [-1, -1, 1]
            mask = masks[folder.name]
            labels = list(BLOOD) if "painted" not in str(mask) else [*CLEAR, 6]
            blood = np.isin(np.asarray(nibabel.load(mask).dataobj), labels) if mask else np.zeros(pieces.shape, bool)
            for number, lesion in enumerate(lesions):
                piece = 1 + np.argmin(np.linalg.norm(places - lesion["centroid_mm"], axis=1))
                case = f"{folder.name}-{number},{patient(folder.name)}"
                found.write(f"{case},{lesion.get('raw_confidence', lesion['confidence'])}\n")
                true.write(f"{case},{int(blood[pieces == piece].any())}\n")


def print_types(results, truth):
    """ROC AUC of slices that each painted type makes positive, against all that show none."""
    with truth.open(newline="") as file:
        labels = {(row["study"], int(row["slice"])): int(row["label"]) for row in csv.DictReader(file)}
    cases = []
    for (study, k), label in labels.items():
        slices = json.loads((results / study / "result.json").read_text())["slices"]
        cases.append((study.rsplit("_", 1)[-1], study.startswith("ID_"), label, slices[k]["probability"]))
    print("| painted | clipped scans | full-range slices |\n|---|---|---|")
    for kind in TYPES:
        figures = []
        for full in (False, True):
            shown = [p for name, of, label, p in cases if name == kind and of == full and label]
            plain = [p for name, of, label, p in cases if of == full and not label]
            figures.append(f"{roc_auc_score([1] * len(shown) + [0] * len(plain), shown + plain):.3f} ({len(shown)})")
        print(f"| {kind} | {' | '.join(figures)} |")


def patient(study):
    """0021 of 0021_free1_sdh; of a single slice its own name."""
    return "_".join(study.split("_")[:2]) if study.startswith("ID_") else study.split("_")[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path)
    parser.add_argument("--ichdet", type=Path, default=ROOT / "build" / "ichdet")
    parser.add_argument("--ensemble", type=Path, default=ROOT / "bundles" / "ichdet" / "ensemble.yaml")
    parser.add_argument("--split", default="select")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results-only", action="store_true",
                        help="fit nothing, print how well the painted types are told: for other splits")
    arguments = parser.parse_args()
    work = arguments.training / "calibration" / arguments.split
    work.mkdir(parents=True, exist_ok=True)

    def ichdet(*words):
        done = subprocess.run([arguments.ichdet, *map(str, words)], capture_output=True, text=True,
                              env={"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"})
        return done

    def must(*words):
        done = ichdet(*words)
        if done.returncode:
            sys.exit(f"ichdet {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    runs = arguments.training / f"runs_{arguments.split}"
    if not (runs / "manifest.csv").exists():
        subprocess.run([sys.executable, ROOT / "tools" / "make_blood_free_runs.py", arguments.training / "phe_sich.csv",
                        "-o", runs, "--split", arguments.split], check=True)
    plain_split = "proof" if arguments.split == "validation" else arguments.split
    whole = list(rows_of(arguments.training / "phe_sich.csv", arguments.split))
    free = list(rows_of(runs / "manifest.csv", arguments.split))
    single = list(rows_of(arguments.training / "rsna_plain.csv", plain_split))

    def paint(job):
        (study, scan, _), number, kind = job
        name = f"{study}_{kind}"
        if not (work / "painted" / name / "scan_mask.nii.gz").exists():
            words = ["paint", scan, "-o", work / "painted" / name, "--type", kind, "--seed", number, "-q"]
            if ichdet(*words, "--threads", 1, *(["--distract"] if number % 2 else [])).returncode:
                return None  # no room for this type
        return name, work / "painted" / name / "scan.nii.gz", work / "painted" / name / "scan_mask.nii.gz"

    with ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [(row, 100 * i + k, kind) for i, row in enumerate(free + single) for k, kind in enumerate(TYPES)]
        painted = [made for made in pool.map(paint, jobs) if made]
    # Of studies about as many with blood as without: each blood-free one comes once more, with a type in turn.
    balanced = {f"{row[0]}_{TYPES[i % len(TYPES)]}" for i, row in enumerate(free + single)}
    print(f"{len(whole)} patients, {len(free)} blood-free runs, {len(single)} single slices, {len(painted)} painted")

    with (work / "slices.csv").open("w") as slices, (work / "studies.csv").open("w") as studies:
        slices.write("study,patient,slice,label\n")
        studies.write("study,patient,label\n")
        for cases, labels, fewest in [(whole, BLOOD, 1), (free, BLOOD, 1), (single, BLOOD, 1),
                                      (painted, CLEAR, FEWEST_PIXELS)]:
            for study, _, mask in cases:
                shows = slices_with(mask, labels, fewest) if mask else np.array([False])
                unclear = (slices_with(mask, [*CLEAR, 6]) if cases is painted else shows) & ~shows
                slices.writelines(f"{study},{patient(study)},{k},{int(show)}\n"
                                  for k, show in enumerate(shows) if not unclear[k])
                counts = cases is not painted or study in balanced
                if counts and (shows.any() or not unclear.any()):
                    studies.write(f"{study},{patient(study)},{int(shows.any())}\n")

    def detect(folder):
        def one(case):
            study, scan, _ = case
            if not (folder / study / "result.json").exists():
                must("detect", scan, "--ensemble", arguments.ensemble, "--out", folder / study, "--threads", 1, "-q")
        folder.mkdir(exist_ok=True)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for number, _ in enumerate(pool.map(one, whole + free + single + painted), 1):
                print(f"\rdetect {number}", end="", flush=True)
        print()
        return folder

    if arguments.results_only:
        print_types(detect(work / "results"), work / "slices.csv")
        return
    fitted = arguments.ensemble.with_suffix(".fitted")

    def fit(folder, truth, *words):
        print(must("calibrate", folder, work / truth, "--ensemble", arguments.ensemble, "--out", fitted, *words))
        fitted.rename(arguments.ensemble)

    fit(detect(work / "evidence"), "slices.csv", "--stack")
    answers = detect(work / "answers")
    masks = {study: mask for study, _, mask in whole + free + single + painted}
    write_lesions(work, answers, masks)
    fit(answers, "slices.csv", "--target", "slice", "--model", "probability")
    fit(answers, "studies.csv", "--target", "study")
    fit(work / "lesions_found.csv", "lesions_true.csv", "--target", "lesion")


if __name__ == "__main__":
    main()
