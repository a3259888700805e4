"""Splits and manifests beside Python's own hashlib and csv, and beside the script that made the committed lists."""

import csv
import hashlib
import importlib.util
import math
from pathlib import Path

import pytest

import ichdet
from ichdet import train

ROOT = Path(__file__).resolve().parents[2]
PARTS = {"train": 0.9, "validation": 0.05, "test": 0.05}


def make_manifests():
    spec = importlib.util.spec_from_file_location("make_manifests", ROOT / "tools" / "make_manifests.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def manifest(tmp_path):
    """40 studies of 25 patients; every fifth is without blood."""
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["study", "patient", "scan", "any", "note"])
        for i in range(40):
            writer.writerow([f"s{i}", f"p, {i % 25}", "scan.nii.gz", 0 if i % 5 == 0 else "", "x"])
    return tmp_path / "mine.csv"


@pytest.mark.parametrize("seed", [0, 7, 2**40])
@pytest.mark.parametrize("count", [3, 87, 122])
def test_patients_are_dealt_out_as_the_script_does(count, seed):
    patients = [f"patient {i}" for i in range(count)]
    expected = make_manifests().deal(patients, PARTS, seed)
    assert train.split_patients(set(patients), list(PARTS.items()), seed) == expected


def test_a_data_sets_splits_hash_and_file(manifest, tmp_path):
    data = train.read_manifest(manifest)
    data.assign_splits(list(PARTS.items()), seed=5)
    by_patient = {}
    for entry in data.studies:
        assert by_patient.setdefault(entry.patient, entry.split) == entry.split
    assert sorted(set(by_patient.values())) == sorted(PARTS)

    lines = sorted(f'{entry.study},"{entry.patient}",{entry.split}\n' for entry in data.studies)
    assert data.split_hash == hashlib.sha256("".join(lines).encode()).hexdigest()
    data.write_split(tmp_path / "split.csv")
    with (tmp_path / "split.csv").open(newline="") as file:
        assert {row["patient"]: row["split"] for row in csv.DictReader(file)} == by_patient
    assert train.read_split(tmp_path / "split.csv") == by_patient

    again = train.read_manifest(manifest)
    again.assign_splits_from(tmp_path / "split.csv")
    assert again.split_hash == data.split_hash


def test_a_manifests_labels_and_notes(manifest):
    data = train.read_manifest(manifest, ["subdural", "any"])
    assert data.label_names == ["subdural", "any"]
    assert data.studies[5].labels == [0, 0]
    assert all(math.isnan(label) for label in data.studies[6].labels)
    assert "note" in data.notes[0]
    with pytest.raises(ichdet.Error, match="no column"):
        manifest.write_text("study\nx\n")
        train.read_manifest(manifest)


def test_permuted_is_a_permutation():
    assert sorted(train.permuted(i, 37, 1, 2) for i in range(37)) == list(range(37))
