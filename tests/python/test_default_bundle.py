"""The models that come with ichdet: on phantoms everywhere, on scans that they never learnt from where those are."""

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "bundles"
SPLITS = ROOT / "recipes" / "splits"


def detect(run, scan, out):
    done = run("detect", scan, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def members(split, name):
    with (SPLITS / f"{name}.csv").open(newline="") as file:
        return [row["study"] for row in csv.DictReader(file) if row["split"] == split]


def test_they_are_small_and_whole(run):
    size = sum(file.stat().st_size for file in (BUNDLES / "ichdet").rglob("*") if file.is_file())
    assert size <= 20 * 2**20
    for name in ("ichdet", "s1"):
        assert run("models", "verify", name).returncode == 0
    for bundle in ("ichdet/segmenter", "ichdet/classifier", "s1"):
        folder = BUNDLES / bundle
        stated = json.loads((folder / "bundle.json").read_text())
        assert stated["not_for_clinical_use"] is True
        assert "non-commercial research" in (folder / stated["licence"]["file"]).read_text()
        assert "phe_sich" in stated["training_data"] and "rsna_plain" in stated["training_data"]
        assert stated["provenance"]["split_sha256"] and stated["metrics"]["chosen by"]["split"] == "select"
        assert json.loads((folder / "record.json").read_text())["steps"] > 0


def test_the_splits_share_no_patient():
    for name in ("phe_sich", "rsna_plain"):
        with (SPLITS / f"{name}.csv").open(newline="") as file:
            sides = {}
            for row in csv.DictReader(file):
                assert sides.setdefault(row["patient"], row["split"]) == row["split"]


@pytest.fixture(scope="module")
def phantom(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    made = run("phantom", "--out", folder, "--slices", 16, "--thickness", 9, "--size", 256, "--seed", 21,
               "--hemorrhage", "iph:30", "--hemorrhage", "sdh:40:left", "-q")
    assert made.returncode == 0, made.stderr
    return folder


def test_a_phantoms_blood_is_found_and_measured(run, phantom, tmp_path):
    result = detect(run, phantom / "dicom", tmp_path / "out")
    assert result["decision"] is True and result["calibrated"] is True and result["trust"]["ok"] is True
    truth = np.asarray(nibabel.load(phantom / "truth.nii.gz").dataobj)
    found = np.asarray(nibabel.load(tmp_path / "out" / "labels.nii.gz").dataobj) == 1
    blood = np.isin(truth, range(1, 6))
    dice = 2 * (found & blood).sum() / (found.sum() + blood.sum())
    print("Dice", dice)
    assert dice > 0.6
    iph = truth == 1
    assert (found & iph).sum() > 0.8 * iph.sum()


def test_what_speaks_for_blood_lies_on_it(run, phantom, tmp_path):
    truth = np.asarray(nibabel.load(phantom / "truth.nii.gz").dataobj)
    fullest = int(np.argmax((truth == 1).sum(axis=(0, 1))))
    done = run("explain", phantom / "dicom", "--out", tmp_path, "--method", "smooth-gradients,xrai", "--slices", str(fullest),
               "--quadrature", "gauss-legendre", "--steps", 20, "--arrays", "nifti", "--json")
    assert done.returncode == 0, done.stderr
    for method in ("smooth-gradients", "xrai"):
        map_ = np.asarray(nibabel.load(tmp_path / f"{method}.nii.gz").dataobj)[:, :, fullest]
        blood = np.isin(truth[:, :, fullest], range(1, 6))
        best = map_ >= np.sort(map_.ravel())[-int((truth[:, :, fullest] == 1).sum() / 2)]
        print(method, (best & blood).sum() / best.sum(), blood.mean())
        assert (best & blood).sum() > 0.6 * best.sum()


def test_one_slice_is_enough(run, phantom, tmp_path):
    truth = np.asarray(nibabel.load(phantom / "truth.nii.gz").dataobj)
    fullest = int(np.argmax((truth == 1).sum(axis=(0, 1))))
    result = detect(run, sorted((phantom / "dicom").iterdir())[fullest], tmp_path / "out")
    assert result["decision"] is True and len(result["slices"]) == 1


def test_blood_in_slices_that_it_never_learnt_from(run, real_data, tmp_path):
    """Each of the real single slices shows blood; nothing was trained or tuned on them."""
    for file in sorted(real_data("ich_slices").glob("*.dcm")):
        result = detect(run, file, tmp_path / file.stem)
        print(file.stem, round(result["probability"], 3), {k: round(v, 2) for k, v in result["volumes_ml"].items()})
        assert result["decision"] is True, file.stem


def test_plain_slices_of_the_proof_split_stay_clean(run, real_data, tmp_path):
    """A tenth of them here; docs/default_bundle.md has the figure of all."""
    folder = real_data("rsna_plain")
    wrong = [study for study in members("proof", "rsna_plain")[::10]
             if detect(run, folder / f"{study}.dcm", tmp_path / study)["decision"]]
    assert not wrong


def test_patients_of_the_validation_split(run, real_data, tmp_path):
    """Two of the 17; docs/default_bundle.md has the figures of all."""
    folder = real_data("phe_sich")
    for study in members("validation", "phe_sich")[:2]:
        result = detect(run, folder / f"{study}_ct.nii.gz", tmp_path / study)
        true = np.asarray(nibabel.load(folder / f"{study}_label.nii.gz").dataobj) == 1
        found = np.asarray(nibabel.load(tmp_path / study / "labels.nii.gz").dataobj) == 1
        assert result["decision"] is True
        assert 2 * (found & true).sum() / (found.sum() + true.sum()) > 0.85


def test_s1_classifies_without_a_bundle_being_named(run, phantom, tmp_path):
    done = run("classify", phantom / "dicom", "--out", tmp_path / "out", "--no-heat-maps", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["bundle"]["name"] == "ichdet-s1" and result["trust"]["ok"] is True
    assert result["decision"] is True
