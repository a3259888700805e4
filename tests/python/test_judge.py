"""`ichdet judge`: a bundle on a manifest's studies, against `ichdet detect`, NumPy and scikit-learn."""

import json

import nibabel
import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from command_line import refused

HEADS = {"bleeds": "iph:20", "healthy": "none", "subdural": "sdh:30"}
BLOOD_OF_BLAST, BLOOD_OF_PHANTOM = (1, 2, 4), (1, 2, 3, 4, 5)  # not oedema
MASK_CLASSES = [option for value in range(1, 7) for option in ("--mask-class", f"{value}={int(value < 6)}")]


@pytest.fixture(scope="module")
def cohort(run, tmp_path_factory):
    """A manifest of three heads, and what `ichdet detect` and NumPy say about each."""
    folder = tmp_path_factory.mktemp("cohort")
    lines = ["study,patient,scan,mask,split,subdural"]
    found = {}
    for seed, (name, hemorrhage) in enumerate(HEADS.items()):
        made = run("phantom", "--out", folder / name, "--slices", 6, "--size", 128, "--seed", seed, "--hemorrhage",
                   hemorrhage, "-q")
        assert made.returncode == 0, made.stderr
        done = run("detect", folder / name / "dicom", "--bundle", "blast-ct-v1",
                   "--out", folder / "results" / name, "-q")
        assert done.returncode == 0, done.stderr
        labels = nibabel.load(folder / "results" / name / "labels.nii.gz")
        truth = nibabel.load(folder / name / "truth.nii.gz")
        assert np.allclose(labels.affine, truth.affine, atol=1e-3)
        ml = abs(np.linalg.det(labels.affine[:3, :3])) / 1000
        result = json.loads((folder / "results" / name / "result.json").read_text())
        found[name] = (np.isin(labels.dataobj, BLOOD_OF_BLAST), np.isin(truth.dataobj, BLOOD_OF_PHANTOM), ml,
                       np.array([s["probability"] for s in result["slices"]]))
        lines.append(f"{name},{name},{name}/dicom,{name}/truth.nii.gz,{'validation' if seed else 'other'},"
                     f"{int(name == 'subdural')}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder, found


@pytest.fixture(scope="module")
def judged(run, cohort):
    folder, found = cohort
    done = run("judge", "blast-ct-v1", folder / "manifest.csv", *MASK_CLASSES, "--json", "--resamples", 50, "--out",
               folder / "figures.json", "--reference", folder / "reference.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "figures.json").read_text()) == json.loads(done.stdout)
    return json.loads(done.stdout), found, folder


def test_figures_are_those_of_detects_masks_and_scores(judged):
    figures, found, _ = judged
    dice = [2 * (p & t).sum() / (p.sum() + t.sum()) for p, t, *_ in found.values() if t.any()]
    assert len(dice) == figures["patients_with_masked_blood"] == 2
    assert figures["dice"]["value"] == pytest.approx(np.mean(dice), abs=1e-9)
    truth = np.concatenate([t.any((0, 1)) for _, t, *_ in found.values()])
    scores = np.concatenate([s for *_, s in found.values()])
    assert figures["slices"] == 18 and figures["slices_with_blood"] == truth.sum()
    assert figures["slice_auc"]["value"] == pytest.approx(roc_auc_score(truth, scores))
    differences = [(p.sum() - t.sum()) * ml for p, t, ml, *_ in found.values()]
    assert figures["volumes"]["bias_ml"] == pytest.approx(np.mean(differences), rel=1e-4)
    largest = [0.0]
    for p, t, ml, *_ in found.values():
        for s in np.flatnonzero(~t.any((0, 1))):
            pieces, count = ndimage.label(p[:, :, s], np.ones((3, 3)))
            largest += [(pieces == k + 1).sum() * ml for k in range(count)]
    assert figures["largest_false_lesion_ml"] == pytest.approx(max(largest), rel=1e-4)


def test_types_come_from_the_manifests_columns(judged):
    figures, found, _ = judged
    (subdural,) = figures["types"]
    assert subdural["type"] == "subdural"
    # A label of a whole study says which slices do not show it, not which do.
    assert subdural["slices"] == 0


def test_the_reference_serves_monitor(judged, run):
    _, found, folder = judged
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / "reference_scores.json").write_text((folder / "reference.json").read_text())
    report = json.loads(run("monitor", bundle, folder / "results", "--json").stdout)
    assert report["verdict"] == "none" and report["studies"] == report["reference_studies"] == 3
    assert all(q["ks"] == 0 and q["stability_index"] == 0 for q in report["quantities"])


def test_a_split_is_judged_alone_and_tables_are_printed(run, cohort):
    folder, _ = cohort
    done = run("judge", "blast-ct-v1", folder / "manifest.csv", *MASK_CLASSES, "--split", "validation", "--resamples", 20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 studies of 2 patients, 12 slices: ")
    assert "| Dice, mean over patients with blood |" in done.stdout


def test_what_cannot_be_judged_is_refused(run, cohort):
    folder, _ = cohort
    manifest = folder / "manifest.csv"
    assert 'split "proof"' in refused(run("judge", "blast-ct-v1", manifest, "--split", "proof"), 2, "options")
    assert "VALUE=CLASS" in refused(run("judge", "blast-ct-v1", manifest, "--mask-class", "2"), 2, "options")
    assert "mask_classes" in refused(run("judge", "blast-ct-v1", manifest, "--mask-class", "9=1"), 3, "shape")
