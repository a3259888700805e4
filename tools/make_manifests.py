"""Writes manifests of the data sets that the default bundle is trained on.

    python tools/make_manifests.py ../shared/data -o ../training

makes ../training/phe_sich.csv and rsna_plain.csv for `ichdet train`. Who is in which split stands in recipes/splits,
by study and patient; where a list is not there it is made, as ichdet::train::split_patients does it with `SEED`.
`validation` and `proof` are never trained on, nor tuned to; `select` chooses checkpoints and calibrates.
"""

import argparse
import csv
import hashlib
import os
from pathlib import Path

SEED = 7
SPLITS = Path(__file__).resolve().parent.parent / "recipes" / "splits"


def deal(patients, parts, seed=SEED):
    """The part of each patient: sorted by SHA-256 of "seed:patient", dealt out by the largest remainder."""
    order = sorted(set(patients), key=lambda patient: hashlib.sha256(f"{seed}:{patient}".encode()).hexdigest())
    exact = [len(order) * share / sum(parts.values()) for share in parts.values()]
    counts = [int(share + 1e-9) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: len(order) - sum(counts)]:
        counts[i] += 1
    names = [name for name, count in zip(parts, counts) for _ in range(count)]
    return dict(zip(order, names))


def splits(name, rows, parts):
    """The committed list's split of each patient; the list is made where there is none."""
    path = SPLITS / f"{name}.csv"
    if not path.exists():
        by_patient = deal([row["patient"] for row in rows], parts)
        path.parent.mkdir(exist_ok=True)
        write(path, sorted(({"study": row["study"], "patient": row["patient"], "split": by_patient[row["patient"]]}
                            for row in rows), key=lambda row: tuple(row.values())))
    with path.open(newline="") as file:
        return {row["patient"]: row["split"] for row in csv.DictReader(file)}


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def phe_sich(folder):
    """A study a patient; blood is where the mask says."""
    with (folder / "studies.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            yield {"study": row["study"], "patient": row["study"], "scan": folder / f"{row['study']}_ct.nii.gz",
                   "mask": folder / f"{row['study']}_label.nii.gz", "any": ""}


def rsna_plain(folder):
    """Each slice is a study, without blood."""
    with (folder / "slices.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            yield {"study": Path(row["file"]).stem, "patient": row["patient"], "scan": folder / row["file"], "mask": "",
                   "any": 0}


SETS = {
    "phe_sich": (phe_sich, {"train": 62, "select": 8, "validation": 17}),
    "rsna_plain": (rsna_plain, {"train": 68, "select": 15, "proof": 40}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of phe_sich and rsna_plain")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder that the manifests are written to")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, (read, parts) in SETS.items():
        rows = list(read(arguments.data.resolve() / name))
        by_patient = splits(name, rows, parts)
        for row in rows:
            row["split"] = by_patient[row["patient"]]
            for column in ("scan", "mask"):
                row[column] = row[column] and os.path.relpath(row[column], arguments.output.resolve())
        write(arguments.output / f"{name}.csv", rows)
        counts = {split: sum(row["split"] == split for row in rows) for split in parts}
        print(f"{name}: " + ", ".join(f"{count} studies to {split}" for split, count in counts.items()))


if __name__ == "__main__":
    main()
