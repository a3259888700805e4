"""`ichdet detect --ensemble` and bundles with a calibration, on a phantom, with the published BLAST-CT weights."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import ichdet
import ichdet.nn
import jsonschema
import numpy as np
import pytest
import yaml
from ichdet import ensemble
from PIL import Image
from scipy.special import expit, logit

from command_line import refused
from test_classify_cli import RECIPE

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "result.schema.json").read_text())
BLOOD = {"IPH": "ICH", "EAH": "ICH", "IVH": "ICH", "oedema": "background"}
CLASSES = [{"name": "background", "blood": False}, {"name": "ICH", "blood": True}]


@pytest.fixture(scope="module")
def home(run, real_data, tmp_path_factory):
    """A folder with bundles: two of BLAST-CT's members, and an untrained slice classifier."""
    folder = tmp_path_factory.mktemp("ensembles")
    data = real_data("blast_ct_v1")
    subprocess.run([sys.executable, ROOT / "python/ichdet/convert/blast_ct.py", data / "model_1.pt", data / "model_2.pt",
                    "--config", data / "config.json", "--licence", data / "LICENSE.txt", "--out", folder], check=True)
    (folder / "tiny.yaml").write_text(RECIPE)
    made = run("models", "make", "--recipe", folder / "tiny.yaml", "--untrained", 3, "--out", folder / "tiny")
    assert made.returncode == 0, made.stderr
    return folder


def write(home, name="e", **changes):
    spec = {"ensemble": 1, "name": name, "classes": CLASSES, "rule": "mean",
            "members": [{"bundle": "blast-ct-v1-01", "classes": BLOOD}, {"bundle": "blast-ct-v1-02", "classes": BLOOD}]}
    spec.update(changes)
    file = home / f"{name}.yaml"
    file.write_text(yaml.safe_dump(spec))
    return file


def members_on_slices(home, stack, names):
    """Each member's probability of blood on the native pixels, put together from single functions."""
    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 1])
    volume = ichdet.resample_to(stack, grid, outside=float(stack.hu.min()))
    maps = []
    for name in names:
        said = ichdet.nn.Segmenter([home / name], precision="float32", threads=1)(volume).probabilities
        blood = np.ascontiguousarray(said[1] + said[2] + said[4])
        native = ichdet.resample_to(blood, grid, stack.geometry)
        maps.append(np.stack([1 - native, native]))
    return maps


@pytest.fixture(scope="module")
def stack(study):
    return ichdet.read_study(study).stack


@pytest.fixture(scope="module")
def maps(home, stack):
    return members_on_slices(home, stack, ["blast-ct-v1-01", "blast-ct-v1-02"])


def test_members_are_combined_on_the_native_slices(home, stack, maps):
    file = write(home, "logits", rule="logits")
    found = ichdet.nn.EnsembleDetector(file, precision="float32", threads=1)(stack)
    expected = ensemble.combine(maps, "logits")
    labels = np.asarray(found.labels.labels)
    clear = np.abs(expected[1] - 0.5) > 1e-4
    np.testing.assert_array_equal(labels[clear], expected.argmax(axis=0)[clear])
    assert labels.any() and found.result.labels == {1: "ICH"}
    for s in found.result.slices:
        top = np.sort(expected[1][s.index].ravel())[-20:].mean()
        assert s.probability == pytest.approx(min(top, 1), abs=1e-4)


def test_a_classifier_scales_its_slices(run, home, study, stack, maps):
    members = [{"bundle": "blast-ct-v1-01", "classes": BLOOD, "weight": 3},
               {"bundle": "blast-ct-v1-02", "classes": BLOOD}, {"bundle": "tiny", "kind": "slice classification"}]
    file = write(home, "scaled", members=members)
    done = run("detect", study, "--ensemble", file, "--out", home / "out", "--precision", "float32", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    said = run("classify", study, "--bundle", home / "tiny", "--out", home / "said", "--json", "--no-heat-maps")
    slices = [s["probability"] for s in json.loads(said.stdout)["slices"]]
    expected = ensemble.combine(maps, "mean", [3, 1])[1] * np.array(slices)[:, None, None]
    for s in result["slices"]:
        assert s["probability"] == pytest.approx(np.sort(expected[s["index"]].ravel())[-20:].mean(), abs=1e-4)
    assert [b["name"] for b in result["bundles"]] == ["blast-ct-v1-01", "blast-ct-v1-02", "untrained-tiny"]
    assert "UNTRAINED" in result["trust"]["reasons"][0]
    sentence = ("The ensemble scaled: mean of segmenters, 2 (blast-ct-v1-01, blast-ct-v1-02), times the slice probability "
                "of classifiers, 1 (tiny).")
    assert sentence in result["assumptions"]
    empty = [k for k, s in enumerate(slices) if s > 0.5 and not (expected[k] > 0.5).any()]
    assert any("nothing is outlined" in reason for reason in result["review"]) == bool(empty)
    with Image.open(home / "out" / "sheet.png") as sheet:
        assert min(sheet.size) > 400


def test_one_member_says_what_its_bundle_says(run, home, study):
    file = write(home, "single", members=[{"bundle": "blast-ct-v1-01"}], classes=None)
    one = run("detect", study, "--ensemble", file, "--out", home / "a", "--precision", "float32", "--json")
    bundle = run("detect", study, "--bundle", home / "blast-ct-v1-01", "--out", home / "b", "--precision", "float32",
                 "--json")
    assert one.returncode == bundle.returncode == 0, one.stderr + bundle.stderr
    one, bundle = json.loads(one.stdout), json.loads(bundle.stdout)
    assert one["labels"] == bundle["labels"] and one["blood_labels"] == bundle["blood_labels"]
    for a, b in zip(one["slices"], bundle["slices"], strict=True):
        assert a["probability"] == pytest.approx(b["probability"], abs=1e-5)
    volumes = one["volumes_ml"], bundle["volumes_ml"]  # likeliest class of the native pixel, or of the nearest voxel
    assert volumes[0]["IPH"] == pytest.approx(volumes[1]["IPH"], rel=0.05)


def test_the_example_is_the_documentations_and_runs(run, study, home):
    file = ROOT / "examples" / "04_ensemble.yaml"
    assert f"```yaml\n{file.read_text()}```" in (ROOT / "docs" / "ensembles.md").read_text()
    assert run("models", "get", "blast-ct-v1-02").returncode == 0
    done = run("detect", study, "--ensemble", file, "--out", home / "example", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["decision"] and set(result["volumes_ml"]) == {"hemorrhage", "oedema"} and result["blood_labels"] == [1]
    path = str(Path(ichdet.__file__).parents[1])
    said = subprocess.run([sys.executable, ROOT / "examples" / "04_ensemble.py"], env={"PYTHONPATH": path},
                          capture_output=True, text=True, check=True).stdout
    assert "threshold" in said


def test_refusals(run, home, study):
    def refusal(file, code=2, kind="options"):
        return refused(run("detect", study, "--ensemble", file, "--out", home / "no"), code, kind)

    assert "member blast-ct-v1-01: class IPH: expected a class of the ensemble (background, ICH), found IPH" in refusal(
        write(home, "x", members=[{"bundle": "blast-ct-v1-01"}]))
    assert "class ICH: no member answers it" in refusal(
        write(home, "x", classes=[{"name": "none", "blood": False}, {"name": "SDH", "blood": True}, CLASSES[1]],
              members=[{"bundle": "blast-ct-v1-01", "classes": BLOOD | dict.fromkeys(["IPH", "IVH", "EAH"], "SDH")
                        | {"oedema": "none"}}]))
    assert "expected a bundle for segmentation, found one for slice classification" in refused(
        run("detect", study, "--ensemble", write(home, "x", members=[{"bundle": "tiny", "kind": "segmentation"}]),
            "--out", home / "no"), 2, "options").replace("member tiny: ", "")
    assert "expected at least one segmenter" in refusal(write(home, "x", members=[{"bundle": "tiny"}]))
    assert "x.yaml: /members/0/bundle: ./gone: expected a bundle" in refusal(
        write(home, "x", members=[{"bundle": "./gone"}]), 4, "weights")
    assert "x.yaml: /rule: expected one of mean, logits" in refusal(write(home, "x", rule="best"), 4, "weights")
    both = run("detect", study, "--ensemble", write(home, "x"), "--bundle", "blast-ct-v1", "--out", home / "no")
    assert "--ensemble" in refused(both, 2, "options") and not (home / "no").exists()


def test_a_bundles_calibration_is_applied_and_said(run, home, study):
    folder = home / "calibrated"
    shutil.copytree(home / "blast-ct-v1-01", folder, dirs_exist_ok=True)
    spec = json.loads((folder / "bundle.json").read_text())
    spec["calibration"] = {"study": {"method": "platt", "slope": 0.5, "intercept": -1.0},
                           "lesion": {"method": "temperature", "temperature": 3.0}}
    spec["thresholds"] = {"study": 0.9}
    (folder / "bundle.json").write_text(json.dumps(spec))

    def result(bundle, *options):
        done = run("detect", study, "--bundle", bundle, "--out", home / "c", "--precision", "float32", "--json", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    raw, calibrated = result(home / "blast-ct-v1-01"), result(folder)
    jsonschema.validate(calibrated, SCHEMA)
    p = min(raw["probability"], 1 - 1e-6)
    assert raw["probability"] == calibrated["raw_probability"] and "raw_probability" not in raw
    assert calibrated["probability"] == pytest.approx(expit(0.5 * logit(p) - 1)) and calibrated["calibrated"]
    assert calibrated["threshold"] == 0.9 and calibrated["decision"] is (calibrated["probability"] >= 0.9)
    for a, b in zip(raw["lesions"], calibrated["lesions"], strict=True):
        assert b["raw_confidence"] == a["confidence"] and b["calibrated"]
        assert b["confidence"] == pytest.approx(expit(logit(a["confidence"]) / 3))
    spec["calibration"]["study"]["intercept"] = -1.0 - logit(calibrated["probability"])  # now at one half
    (folder / "bundle.json").write_text(json.dumps(spec))
    undecided = run("detect", study, "--bundle", folder, "--out", home / "c", "--threshold", 0.2)
    result = json.loads((home / "c" / "result.json").read_text())
    assert result["threshold"] == 0.2 and result["decision"]
    assert result["review"] == ["undecided: the probability 0.50 lies in 0.4 to 0.6"]
    assert "REVIEW: undecided" in undecided.stdout and "calibrated from" in undecided.stdout


def test_a_classifiers_calibration_is_applied_and_said(run, home, study):
    folder = home / "tiny-calibrated"
    shutil.copytree(home / "tiny", folder)
    spec = json.loads((folder / "bundle.json").read_text())
    spec["calibration"] = {"study": {"method": "platt", "slope": 2.0, "intercept": 0.3},
                           "slice": {"method": "temperature", "temperature": 2.0}}
    (folder / "bundle.json").write_text(json.dumps(spec))

    def result(bundle):
        done = run("classify", study, "--bundle", bundle, "--out", home / "t", "--no-heat-maps", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    raw, calibrated = result(home / "tiny"), result(folder)
    jsonschema.validate(calibrated, SCHEMA)
    assert calibrated["raw_probability"] == raw["probability"] and calibrated["calibrated"]
    assert calibrated["probability"] == pytest.approx(expit(2 * logit(raw["probability"]) + 0.3))
    assert calibrated["threshold"] == pytest.approx(expit(0.3)) and calibrated["slice_threshold"] == 0.5
    assert calibrated["decision"] is raw["decision"]
    for a, b in zip(raw["slices"], calibrated["slices"], strict=True):
        assert b["raw_probability"] == a["probability"]
        assert b["probability"] == pytest.approx(expit(logit(a["probability"]) / 2))
    spec["thresholds"] = {"study": 0.999}
    (folder / "bundle.json").write_text(json.dumps(spec))
    assert result(folder)["threshold"] == 0.999 and not result(folder)["decision"]
