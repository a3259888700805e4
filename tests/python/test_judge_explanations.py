"""`ichdet judge-explanations`: what it writes, on phantoms, and that its baselines are worth what they should be."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from command_line import refused

BUNDLE = Path(__file__).parents[2] / "bundles" / "ichdet"
BASELINES = ["uniform", "random", "head", "middle", "brightness", "brain", "mask"]
MASK_CLASSES = [option for value in range(1, 7) for option in ("--mask-class", f"{value}={int(value < 6)}")]
METHODS = ["grad-cam", "eigen-cam", "gradients"]


@pytest.fixture(scope="module")
def manifest(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    lines = ["study,scan,mask,split"]
    for seed, hemorrhage in enumerate(("iph:40", "none", "iph:25")):
        made = run("phantom", "--out", folder / f"head{seed}", "--slices", 12, "--size", 192, "--seed", seed,
                   "--hemorrhage", hemorrhage, "-q")
        assert made.returncode == 0, made.stderr
        lines.append(f"head{seed},head{seed}/dicom,head{seed}/truth.nii.gz,validation")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture(scope="module")
def judged(run, manifest):
    out = manifest.parent / "out"
    done = run("judge-explanations", BUNDLE, manifest, *MASK_CLASSES, "--methods", ",".join(METHODS), "--slices", 2,
               "--threshold", 0.2, "--steps", 5, "--resamples", 50, "--threads", 1, "--out", out, "--pictures",
               "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), list(csv.DictReader((out / "explanations.csv").open())), out, done.stderr


def test_files_and_notes(judged):
    figures, rows, out, notes = judged
    assert json.loads((out / "explanations.json").read_text()) == figures
    assert [m["method"] for m in figures["methods"]] == METHODS + BASELINES
    assert figures["target"] == "any" and figures["bundles"][0]["name"] == "ichdet-classifier"
    assert figures["studies"] == 2 and len(rows) == figures["slices"] * 10
    assert (out / "explanations.png").read_bytes().startswith(b"\x89PNG")
    assert len(list((out / "pictures").glob("*.png"))) == figures["slices"]
    assert "| grad-cam |" in (out / "explanations.md").read_text()
    assert "head1" in notes  # shows no blood


def test_figures_are_means_over_patients(judged):
    figures, rows, *_ = judged
    for method in figures["methods"]:
        mine = [r for r in rows if r["method"] == method["method"]]
        for name, found in method["figures"].items():
            by_patient = {}
            for row in mine:
                if row[name]:
                    by_patient.setdefault(row["patient"], []).append(float(row[name]))
            means = [np.mean(v) for v in by_patient.values()]
            if not means:
                assert found["value"] is None
                continue
            assert found["value"] == pytest.approx(np.mean(means), rel=1e-4, abs=1e-6), (method["method"], name)
            low, high = found["bootstrap"]["interval"]
            room = 1e-4 * max(map(abs, means)) + 1e-6
            assert min(means) - room <= low <= high <= max(means) + room


def test_what_knows_nothing_is_worth_chance_and_the_mask_everything(judged):
    _, rows, *_ = judged
    for row in rows:
        share = pytest.approx(float(row["mask_share"]), rel=1e-4)
        if row["method"] == "uniform":
            assert float(row["pointing"]) == float(row["energy"]) == float(row["precision"]) == share
            assert float(row["auc"]) == 0.5
        if row["method"] == "mask":
            assert row["pointing"] == row["near"] == row["energy"] == row["precision"] == row["auc"] == "1"
        assert float(row["probability"]) >= 0.2
        assert (row["random_weights"] != "") <= (row["method"] in METHODS)
        assert (row["seconds"] != "") == (row["method"] in METHODS)
    compared = [float(r["random_weights"]) for r in rows if r["random_weights"]]
    assert len(compared) == 2 * len(METHODS)  # on one slice of each patient
    assert max(compared) < 0.999


def test_the_models_own_maps_beat_chance(judged):
    figures, *_ = judged
    energy = {m["method"]: m["figures"]["energy"]["value"] for m in figures["methods"]}
    assert all(energy[m] > 2 * energy["uniform"] for m in METHODS)


def test_what_cannot_be_judged_is_refused(run, manifest):
    def call(*extra, bundle=BUNDLE):
        return run("judge-explanations", bundle, manifest, *MASK_CLASSES, "--threads", 1, *extra)

    assert "such as 2=0" in refused(run("judge-explanations", BUNDLE, manifest, "--threads", 1), 3, "shape")
    assert "grad-cam" in refused(call("--methods", "guess"), 2, "options")
    assert 'split "proof"' in refused(call("--split", "proof"), 2, "options")
    assert "slice classification" in refused(call(bundle="blast-ct-v1"), 2, "options")
