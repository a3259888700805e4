"""Slice segmenters in `ichdet detect`, alone and beside slice classifiers: how a slice's probability and outlines follow
from what the members say, against NumPy and scikit-learn; the fit of that rule; bundles that come with ichdet."""

import csv
import json
import shutil
from pathlib import Path

import ichdet
import jsonschema
import numpy as np
import pytest
import yaml
from safetensors.torch import load_file
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from command_line import refused
from ichdet.nn import EnsembleDetector, SliceClassifier, SliceSegmenter, make_bundle

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text())
CHANNELS = [{"clip_hu": [0, 80], "mean": 0.4, "std": 0.3, "slice": n} for n in (-1, 0, 1)]
COMMON = {
    "recipe": 1, "title": "a test", "citation": "none",
    "input": {"size": [64, 64], "orientation": "LPS", "fit": "crop", "spacing_mm": 3.6, "centre": "head",
              "clip_hu": [0, 80], "slice_mm": 5, "levels": "float", "channels": CHANNELS},
    "output": {"activation": "softmax"},
    "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5},
    "classes": [{"name": "none", "blood": False}, {"name": "hemorrhage", "blood": True}],
}
SEGMENTER = COMMON | {
    "name": "small-viola", "task": "slice segmentation", "thresholds": {"pixel": 0.5},
    "architecture": {"name": "ViolaUnet", "options": {
        "in_channels": 3, "out_channels": 2, "kernel_size": [[3, 3]] * 3, "strides": [[1, 1], [2, 2], [2, 2]],
        "upsample_kernel_size": [[2, 2]] * 2, "filters": [16, 16, 32], "dec_filters": [16, 16]}},
}
CLASSIFIER = COMMON | {
    "name": "small-resnet", "task": "slice classification",
    "architecture": {"name": "ResNet18", "options": {"in_chans": 3, "num_classes": 2}},
    "heat_map": {"method": "grad-cam", "aug_smooth": False, "eigen_smooth": False},
}
RULE = {"intercept": -0.3, "weights": {"map": 0.4, "area": 0.2, "classifier": 0.7}, "fade_below": 0.4}
NAMES = ["map", "area", "classifier"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Bundles as they are shipped: an ensemble's folder, and S1's name for a classifier."""
    folder = tmp_path_factory.mktemp("bundles")
    for recipe in (SEGMENTER, CLASSIFIER):
        (folder / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe))
    make_bundle(str(folder / "small-viola.yaml"), folder / "pair" / "segmenter", untrained=5)
    make_bundle(str(folder / "small-resnet.yaml"), folder / "pair" / "classifier", untrained=1)
    shutil.copytree(folder / "pair" / "classifier", folder / "s1")
    write(folder / "pair", slices=RULE)
    return folder


def write(folder, name="ensemble", **changes):
    spec = {"ensemble": 1, "name": "pair", "rule": "mean", **changes}
    spec.setdefault("members", [{"bundle": "segmenter", "kind": "slice segmentation"},
                                {"bundle": "classifier", "kind": "slice classification"}])
    file = folder / f"{name}.yaml"
    file.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in spec.items()))
    return file


@pytest.fixture(scope="module")
def stack(study):
    return ichdet.read_study(study).stack


@pytest.fixture(scope="module")
def said(home, stack):
    """What the members say: blood on the native pixels, and each slice's probability."""
    blood = np.asarray(SliceSegmenter([home / "pair" / "segmenter"], threads=1).read(stack).blood)
    slices = SliceClassifier([home / "pair" / "classifier"], threads=1)(stack).slices
    return blood, np.array([s.probability for s in slices])


def evidence(blood, classifier, pixel_mm2):
    top = np.sort(blood.reshape(len(blood), -1))[:, -round(20 / pixel_mm2):].mean(axis=1)
    area = (blood > 0.5).sum(axis=(1, 2)) * pixel_mm2
    return np.stack([top, (1 + area) / (101 + area), classifier], axis=1)


def clipped_logit(p):
    return logit(np.clip(p, 1e-6, 1 - 1e-6))


def test_a_slice_segmenter_in_detect(run, home, study, stack):
    done = run("detect", study, "--bundle", home / "pair" / "segmenter", "--out", home / "one", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    found = SliceSegmenter([home / "pair" / "segmenter"])(stack)
    assert result["volumes_ml"] == pytest.approx(found.detection.result.volumes_ml)
    assert [s["probability"] for s in result["slices"]] == pytest.approx(
        [s.probability for s in found.detection.result.slices], abs=1e-6)
    assert (home / "one" / "sheet.png").exists() and not (home / "one" / "slices.csv").exists()


def test_a_slices_probability_and_outlines(run, home, study, stack, said):
    blood, classifier = said
    plane = stack.geometry.planes[0]
    expected = evidence(blood, classifier, plane.row_spacing_mm * plane.column_spacing_mm)
    p = expit(RULE["intercept"] + clipped_logit(expected) @ [RULE["weights"][n] for n in NAMES])
    faded = blood * np.minimum(1, p / RULE["fade_below"])[:, None, None]
    assert (p < 0.4).any() and ((blood > 0.5) & (faded < 0.5)).any() and (faded > 0.5).any()

    found = EnsembleDetector(home / "pair", threads=1)(stack)
    np.testing.assert_allclose(found.evidence, expected, atol=1e-6)
    clear = np.abs(faded - 0.5) > 1e-5
    np.testing.assert_array_equal(np.asarray(found.labels.labels)[clear], (faded > 0.5)[clear])
    done = run("detect", study, "--bundle", home / "pair", "--out", home / "out", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    assert [s["probability"] for s in result["slices"]] == pytest.approx(list(p), abs=1e-5)
    assert result["probability"] == pytest.approx(p.max(), abs=1e-5) and len(result["bundles"]) == 2
    assert any("slices by a logistic of what they say; outlines fade on slices less likely than 0.4" in a
               for a in result["assumptions"])
    assert result["classes"] == ["none", "hemorrhage"]
    assert [s["classes"][1] for s in result["slices"]] == pytest.approx(list(classifier), abs=1e-5)
    assert " mL" in str(found).splitlines()[0]
    with open(home / "out" / "slices.csv") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([[float(r[n]) for n in NAMES] for r in rows], expected, atol=1e-5)
    again = run("detect", study, "--ensemble", home / "pair" / "ensemble.yaml", "--out", home / "again", "--json")
    assert json.loads(again.stdout)["slices"] == result["slices"]


def test_without_a_rule_the_classifier_scales_the_map(home, stack, said):
    blood, classifier = said
    found = EnsembleDetector(write(home / "pair", "plain"), threads=1)(stack)
    scaled = blood * classifier[:, None, None]
    top = np.sort(scaled.reshape(len(blood), -1))[:, -20:].mean(axis=1)
    assert [s.probability for s in found.result.slices] == pytest.approx(list(top), abs=1e-6)
    clear = np.abs(scaled - 0.5) > 1e-5
    np.testing.assert_array_equal(np.asarray(found.labels.labels)[clear], (scaled > 0.5)[clear])


def test_slices_without_head_and_uneven_ones(home, stack):
    hu = stack.hu.copy()
    hu[-1] = -1000
    planes = stack.geometry.planes
    places = [np.array(p.position_mm) + [0, 0, 1.5 * (i > 2)] for i, p in enumerate(planes)]
    for plane, place in zip(planes, places, strict=True):
        plane.position_mm = place
    moved = ichdet.SliceStack(ichdet.SliceGeometry(planes, *hu.shape[1:]), hu)
    found = EnsembleDetector(home / "pair" / "ensemble.yaml", threads=1)(moved)
    assert found.result.slices[-1].probability == 0 and not np.asarray(found.labels.labels)[-1].any()
    assert any("1 of 6 slices show no head" in a for a in found.result.assumptions)
    assert any("not evenly spaced" in a for a in found.result.assumptions)


def cohort(folder, patients=40, slices=12):
    """Results of `detect` as the fit reads them, and the truth; returns (evidence, truth)."""
    random = np.random.default_rng(2)
    truth = random.random((patients, slices)) < 0.3
    logits = truth[..., None] * [2.0, 1.0, 3.0] + random.standard_normal((patients, slices, 3)) * 1.5 - 1
    values = expit(logits)
    lines = ["study,slice,hemorrhage"]
    for i in range(patients):
        result = folder / "results" / f"p{i:02}"
        result.mkdir(parents=True)
        (result / "result.json").write_text("{}")
        rows = [f"{k},{','.join(map(repr, values[i, k].tolist()))},0.5" for k in range(slices)]
        (result / "slices.csv").write_text("slice,map,area,classifier,probability\n" + "\n".join(rows) + "\n")
        lines += [f"p{i:02},{k},{int(truth[i, k])}" for k in range(slices)]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return values.reshape(-1, 3), truth.ravel()


def test_the_rule_is_fitted(run, home, tmp_path):
    values, truth = cohort(tmp_path)
    plain, out = write(home / "pair", "unfitted"), home / "pair" / "fitted.yaml"
    done = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", "--stack", "--fade-below", 0.3, "--ensemble", plain,
               "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    oracle = LogisticRegression(C=1, tol=1e-10).fit(logit(values), truth)
    assert [made["slices"]["weights"][n] for n in NAMES] == pytest.approx(list(oracle.coef_[0]), abs=1e-5)
    assert made["slices"]["intercept"] == pytest.approx(oracle.intercept_[0], abs=1e-5)
    assert made["slices"]["fade_below"] == 0.3 and "480 slices of 40 patients" in made["slices"]["fitted_on"]
    assert made["map"]["roc_auc"] == pytest.approx(roc_auc_score(truth, values[:, 0]))
    assert made["stacked"]["roc_auc"] > max(made["map"]["roc_auc"], made["classifier"]["roc_auc"])
    assert yaml.safe_load(out.read_text())["slices"] == made["slices"]
    twice = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", "--stack", "--ensemble", out, "--out",
                home / "pair" / "no.yaml")
    assert "expected no slices, calibration and thresholds" in refused(twice, 2, "options")
    other = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", "--stack", "--ensemble", plain, "--out",
                home / "pair" / "no.yaml", "--youden")
    assert "--stack excludes --youden" in refused(other, 2, "options")


def test_slices_of_one_file_alone_are_named(run, home, tmp_path):
    cohort(tmp_path)
    lines = (tmp_path / "truth.csv").read_text().splitlines()
    (tmp_path / "truth.csv").write_text("\n".join([*lines[:-2], "nobody,3,0"]) + "\n")
    for options in (["--stack", "--ensemble", write(home / "pair", "plain"), "--out", home / "pair" / "named.yaml"],
                    ["--target", "slice", "--model", "map"]):
        done = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", *options)
        assert done.returncode == 0, done.stderr
        assert "only in the truth: 1 of unit slice: nobody / 3" in done.stderr
        assert "only in the predictions: 2 of unit slice: p39 / " in done.stderr


def test_what_has_no_fold_writes_nothing(run, home, tmp_path):
    cohort(tmp_path)
    lines = (tmp_path / "truth.csv").read_text().splitlines()
    one = [line if line.startswith("p00,") else line[:-1] + "0" for line in lines[1:]]
    (tmp_path / "truth.csv").write_text("\n".join([lines[0], *one]) + "\n")
    done = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", "--stack", "--ensemble", write(home / "pair", "plain"),
               "--out", home / "pair" / "none.yaml")
    assert done.returncode != 0 and not (home / "pair" / "none.yaml").exists()


def test_calibrations_are_added_one_by_one(run, home, study, tmp_path):
    cohort(tmp_path)
    file = write(home / "pair", "raw", slices=RULE)
    done = run("calibrate", tmp_path / "results", tmp_path / "truth.csv", "--target", "slice", "--model", "map", "--ensemble",
               file, "--out", home / "pair" / "slice.yaml")
    assert done.returncode == 0, done.stderr
    rows = [(i, i % 2, 0.2 + 0.6 * (i % 2) + 0.3 * (i % 3 == 0) * (1 - 2 * (i % 2))) for i in range(30)]
    (tmp_path / "p.csv").write_text("study,p\n" + "".join(f"{i},{p}\n" for i, _, p in rows))
    (tmp_path / "t.csv").write_text("study,hemorrhage\n" + "".join(f"{i},{t}\n" for i, t, _ in rows))
    done = run("calibrate", tmp_path / "p.csv", tmp_path / "t.csv", "--youden", "--ensemble", home / "pair" / "slice.yaml",
               "--out", home / "pair" / "both.yaml")
    assert done.returncode == 0, done.stderr
    both = yaml.safe_load((home / "pair" / "both.yaml").read_text())
    assert set(both["calibration"]) == {"slice", "study"} and "study" in both["thresholds"] and both["slices"] == RULE
    found = run("detect", study, "--ensemble", home / "pair" / "both.yaml", "--out", home / "calibrated", "--json")
    result = json.loads(found.stdout)
    assert result["calibrated"] and result["threshold"] == both["thresholds"]["study"]
    assert all("raw_probability" in s for s in result["slices"])


def test_bundles_that_come_with_ichdet(run, home, study):
    shipped = {"ICHDET_BUNDLES": str(home)}
    rows = json.loads(run("models", "list", "--json", **shipped).stdout)
    pair = next(row for row in rows if row["name"] == "pair")
    assert pair["members"] == ["segmenter", "classifier"] and "UNTRAINED" in pair["title"]
    assert any(row["name"] == "s1" for row in rows) and any(row["name"] == "blast-ct-v1" for row in rows)
    assert "slice segmentation (ViolaUnet)" in run("models", "show", "pair", **shipped).stdout
    assert run("models", "verify", "pair", **shipped).stdout.count("ok ") == 2
    named = run("detect", study, "--bundle", "pair", "--out", home / "named", "--json", **shipped)
    assert len(json.loads(named.stdout)["bundles"]) == 2
    said = run("classify", study, "--out", home / "s1-said", "--no-heat-maps", "--json", **shipped)
    assert json.loads(said.stdout)["bundle"]["name"] == "untrained-small-resnet"
    none = run("classify", study, "--out", home / "no", ICHDET_BUNDLES=str(home / "one"))
    assert "expected --bundle" in refused(none, 2, "options")
    wrong = run("classify", study, "--bundle", "pair", "--out", home / "no", **shipped)
    assert "expected a bundle, found an ensemble" in refused(wrong, 2, "options")


def test_refusals(run, home, study):
    def refusal(code=2, kind="weights", **changes):
        file = write(home / "pair", "wrong", **changes)
        return refused(run("detect", study, "--ensemble", file, "--out", home / "no"), code, kind)

    assert "/slices/weights/skull: unknown key" in refusal(4, slices=RULE | {"weights": {"skull": 1}})
    assert "fade_below" in refusal(4, slices=RULE | {"fade_below": 2})
    assert "/slices/intercept: is missing" in refusal(4, slices={"weights": {}})
    alone = [{"bundle": "segmenter", "kind": "slice segmentation"}]
    assert "expected 0, as no member is a slice classifier" in refusal(kind="options", slices=RULE, members=alone)
    mixed = [{"bundle": "segmenter", "kind": "segmentation"}]
    assert "one for slice segmentation" in refusal(kind="options", members=mixed)


@pytest.mark.parametrize("dtype,bits", [("bfloat16", 16), ("float16", 16)])
def test_weights_in_16_bits(run, home, tmp_path, dtype, bits):
    full = load_file(home / "pair" / "segmenter" / "weights.safetensors")
    done = run("models", "make", "--recipe", home / "small-viola.yaml", "--untrained", 5, "--dtype", dtype, "--out",
               tmp_path / "small")
    assert done.returncode == 0, done.stderr
    small = load_file(tmp_path / "small" / "weights.safetensors")
    assert full.keys() == small.keys()
    for name, value in full.items():
        narrow = value.dtype.is_floating_point and value.dim() > 1
        assert small[name].dtype.itemsize * 8 == (bits if narrow else value.dtype.itemsize * 8), name
        assert small[name].equal(value.to(small[name].dtype)), name
    assert (tmp_path / "small" / "weights.safetensors").stat().st_size < 0.6 * (
        home / "pair" / "segmenter" / "weights.safetensors").stat().st_size
