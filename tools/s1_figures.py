"""S1's table: the n % rule on patients with blood beside runs of blood-free slices, and the slices' AUC.

    .venv-oracles/bin/python tools/s1_figures.py ../training --split validation

classifies the split's patients and their blood-free runs (tools/make_blood_free_runs.py) with the S1 that comes with
ichdet, keeps the results in ../training/s1/SPLIT, and prints the figures as Markdown. ROC AUC is scikit-learn's.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

ROOT = Path(__file__).resolve().parent.parent
THRESHOLDS, PERCENTS = [0.5, 0.7, 0.8, 0.9], [5, 7.5, 10]  # those that S1 studied
BLOOD = 1


def studies(manifest, split):
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] == split:
                truth = np.array([False])
                if row["mask"]:
                    mask = np.asarray(nibabel.load(manifest.parent / row["mask"]).dataobj)
                    truth = (mask == BLOOD).any(axis=(0, 1))
                yield row["study"], manifest.parent / row["scan"], truth


def probabilities(ichdet, scan, folder):
    if not (folder / "slices.csv").exists():
        subprocess.run([ichdet, "classify", scan, "--no-heat-maps", "--out", folder, "-q"], check=True)
    with (folder / "slices.csv").open(newline="") as file:
        return np.array([float(row["probability"]) for row in csv.DictReader(file)])


def positive(slices, threshold, percent):
    """S1's rule, halves to even, as in the authors' code."""
    return (slices > threshold).sum() >= max(1, round(percent / 100 * len(slices)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--ichdet", type=Path, default=ROOT / "build" / "ichdet")
    arguments = parser.parse_args()
    work = arguments.training / "s1" / arguments.split
    runs = arguments.training / f"runs_{arguments.split}" / "manifest.csv"
    if not runs.exists():
        subprocess.run([sys.executable, ROOT / "tools" / "make_blood_free_runs.py", arguments.training / "phe_sich.csv",
                        "-o", runs.parent, "--split", arguments.split], check=True)
    plain = "proof" if arguments.split == "validation" else arguments.split

    def answers(manifest, split):
        return [(probabilities(arguments.ichdet, scan, work / study), truth)
                for study, scan, truth in studies(manifest, split)]

    sick = answers(arguments.training / "phe_sich.csv", arguments.split)
    free = answers(runs, arguments.split)
    single = answers(arguments.training / "rsna_plain.csv", plain)
    scores = np.concatenate([p for p, _ in sick])
    truth = np.concatenate([t for _, t in sick])
    print(f"{len(sick)} patients, {len(scores)} slices, {truth.sum()} with blood: ROC AUC "
          f"{roc_auc_score(truth, scores):.4f}, average precision {average_precision_score(truth, scores):.4f}")
    for threshold in THRESHOLDS:
        print(f"slices above {threshold}: sensitivity {np.mean(scores[truth] > threshold):.3f}, "
              f"specificity {np.mean(scores[~truth] <= threshold):.3f}; of {len(single)} plain single slices "
              f"{sum(p[0] > threshold for p, _ in single)} positive")
    print(f"\n| slice threshold | n % | sensitivity ({len(sick)} patients) | "
          f"specificity ({len(free)} blood-free runs) |")
    print("|---|---|---|---|")
    for threshold in THRESHOLDS:
        for percent in PERCENTS:
            found = sum(positive(p, threshold, percent) for p, _ in sick)
            clean = sum(not positive(p, threshold, percent) for p, _ in free)
            print(f"| {threshold} | {percent} | {found} of {len(sick)} | {clean} of {len(free)} |")


if __name__ == "__main__":
    main()
