"""`ichdet classify`, `ichdet models recipes` and `ichdet models make`: what they write, and how they refuse."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from PIL import Image

from command_line import refused

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "result.schema.json").read_text())

RECIPE = """
recipe: 1
name: tiny
title: a test
citation: none
task: slice classification
architecture: {name: ResNet18, options: {in_chans: 1, num_classes: 2}}
input: {size: [64, 64], orientation: LPS, fit: resize, levels: truncate, channels: [{clip_hu: [0, 80], mean: 0.5, std: 0.5}]}
classes: [{name: none, blood: false}, {name: hemorrhage, blood: true}]
output: {activation: softmax}
decision: {rule: percent, percent: 10, slice_threshold: 0.5}
heat_map: {method: grad-cam, aug_smooth: false, eigen_smooth: false}
"""
EXAM = RECIPE.replace("slice classification", "exam classification").replace(
    "{rule: percent, percent: 10, slice_threshold: 0.5}", "{case_threshold: 0.5}").replace(
    "levels: truncate,", "levels: truncate, exam_slices: 5,").replace(
    "{name: ResNet18, options: {in_chans: 1, num_classes: 2}}", "{name: MobileNetLSTM, options: {num_classes: 2}}").replace(
    "[{clip_hu: [0, 80], mean: 0.5, std: 0.5}]",
    "[" + ", ".join(["{clip_hu: [0, 80], mean: 0.5, std: 0.5}"] * 3) + "]")


@pytest.fixture(scope="module")
def bundles(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    for name, text in (("tiny", RECIPE), ("exam", EXAM)):
        (folder / f"{name}.yaml").write_text(text)
        made = run("models", "make", "--recipe", folder / f"{name}.yaml", "--untrained", 3, "--out", folder / name)
        assert made.returncode == 0, made.stderr
        assert "UNTRAINED" in made.stdout
    return folder


@pytest.fixture(scope="module")
def classified(run, study, bundles, tmp_path_factory):
    out = tmp_path_factory.mktemp("classified") / "out"
    done = run("classify", study, "--bundle", bundles / "tiny", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, done


def test_the_result_follows_its_schema_and_is_not_trusted(classified):
    out, done = classified
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, SCHEMA)
    assert json.loads(done.stdout) == result and done.stderr == ""
    assert result["bundle"]["name"] == "untrained-tiny"
    assert result["trust"]["ok"] is False and "UNTRAINED" in result["trust"]["reasons"][0]
    assert result["classes"] == ["none", "hemorrhage"]
    assert result["slice_threshold"] == 0.5 and not result["calibrated"]
    assert len(result["slices"]) == 6
    for s in result["slices"]:
        assert s["computed"] and s["probability"] == pytest.approx(s["classes"][1]) and sum(s["classes"]) == pytest.approx(1)


def test_the_table_and_the_decision_are_the_results(classified):
    out, _ = classified
    result = json.loads((out / "result.json").read_text())
    with open(out / "slices.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["probability"]) for r in rows] == [s["probability"] for s in result["slices"]]
    assert [r["sop_instance_uid"] for r in rows] == [s["sop_instance_uid"] for s in result["slices"]]
    positive = [r["positive"] == "1" for r in rows]
    assert positive == [s["probability"] > 0.5 for s in result["slices"]]
    assert result["decision"] is (sum(positive) >= 1)
    assert result["probability"] == max(s["probability"] for s in result["slices"])  # 10 % of 6: one slice
    with Image.open(out / "figure.png") as figure:
        assert min(figure.size) > 500


def test_options_change_the_rule(run, study, bundles, tmp_path):
    def result(*options):
        done = run("classify", study, "--bundle", bundles / "tiny", "--out", tmp_path / "out", "--json",
                   "--no-heat-maps", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    percent = result("--threshold", 0.3, "--percent", 50)
    probabilities = sorted((s["probability"] for s in percent["slices"]), reverse=True)
    assert percent["probability"] == probabilities[2] and percent["threshold"] == 0.3
    assert "3 or more (50 %)" in percent["rule"]
    mean = result("--rule", "top-mean", "--top", 2, "--case-threshold", 0.4)
    assert mean["probability"] == pytest.approx(sum(probabilities[:2]) / 2) and mean["threshold"] == 0.4


def test_an_exam_classifier_reads_the_study_whole(run, study, bundles, tmp_path):
    done = run("classify", study, "--bundle", bundles / "exam", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    jsonschema.validate(result, SCHEMA)
    assert result["slices"] == [] and sum(result["class_probabilities"]) == pytest.approx(1)
    assert result["probability"] == pytest.approx(result["class_probabilities"][1])
    assert not (tmp_path / "out" / "slices.csv").exists() and (tmp_path / "out" / "figure.png").exists()
    wrong = run("classify", study, "--bundle", bundles / "exam", "--out", tmp_path / "out", "--percent", 5)
    assert "reads the exam as a whole" in refused(wrong, 2, "options")


def test_a_bundle_for_another_task_is_refused(run, study, bundles, tmp_path):
    wrong = run("classify", study, "--bundle", "blast-ct-v1", "--out", tmp_path / "out")
    assert "expected a bundle for slice classification, found one for segmentation (`ichdet detect`)" in refused(
        wrong, 2, "options")
    wrong = run("detect", study, "--bundle", bundles / "tiny", "--out", tmp_path / "out")
    assert "expected a bundle for segmentation, found one for slice classification (`ichdet classify`)" in refused(
        wrong, 2, "options")
    wrong = run("classify", study, "--bundle", bundles / "tiny", "--bundle", bundles / "exam", "--out", tmp_path / "out")
    refused(wrong, 2, "options")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options,part", [
    (["--rule", "vote"], "--rule"),
    (["--threshold", "1"], "--threshold: expected a number between 0 and 1"),
    (["--percent", "0"], "--percent: expected above 0"),
    (["--precision", "adaptive"], "--precision"),
    (["--heat-map", "xrai"], "--heat-map"),
    (["--rule", "logistic"], "logistic is learned"),
    (["--rule", "maximum", "--percent", "5"], "--percent: belongs to the rule percent"),
    (["--top", "3"], "--top: belongs to the rule top-mean"),
    (["--case-threshold", "0.5"], "--case-threshold: the rule percent has none"),
])
def test_options_that_make_no_sense_are_refused(run, study, bundles, tmp_path, options, part):
    wrong = run("classify", study, "--bundle", bundles / "tiny", "--out", tmp_path / "out", *options)
    assert part in refused(wrong, 2, "options")
    assert not (tmp_path / "out").exists()


def test_inputs_and_outputs_are_refused_as_by_detect(run, study, bundles, tmp_path):
    wrong = run("classify", tmp_path / "nowhere", "--bundle", bundles / "tiny", "--out", tmp_path / "out")
    assert "nowhere" in refused(wrong, 3, "io")
    (tmp_path / "file").touch()
    wrong = run("classify", study, "--bundle", bundles / "tiny", "--out", tmp_path / "file" / "out")
    assert "--out" in refused(wrong, 3, "io")
    wrong = run("classify", study, "--bundle", tmp_path, "--out", tmp_path / "out")
    assert "bundle.json" in refused(wrong, 4, "weights")
    none_shipped = run("classify", study, "--out", tmp_path / "out", ICHDET_BUNDLES=str(tmp_path))
    assert "--bundle" in refused(none_shipped, 2, "options")


def test_recipes_are_listed_as_their_files_say(run):
    done = run("models", "recipes", "--json")
    assert done.returncode == 0, done.stderr
    listed = {recipe["name"]: recipe for recipe in json.loads(done.stdout)}
    files = sorted((ROOT / "recipes").glob("*.yaml"))
    assert len(files) == len(listed)
    for file in files:
        recipe = yaml.safe_load(file.read_text())
        found = listed[recipe["name"]]
        for key, value in recipe.items():
            if key != "recipe":
                assert found[key] == value, (file.name, key)
    text = run("models", "recipes", "s1").stdout
    assert "unknown: The published weights are not to be had." in text


def test_make_refuses_what_does_not_fit(run, bundles, tmp_path):
    make = ["models", "make", "--recipe", bundles / "tiny.yaml", "--out", tmp_path / "made"]
    assert "--weights FILE or --untrained SEED" in refused(run(*make), 2, "options")
    assert "s3-vgg19" in refused(run(*make[:3], "s3", *make[4:], "--untrained", 1), 4, "weights")
    (tmp_path / "bad.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    message = refused(run(*make, "--weights", tmp_path / "bad.safetensors"), 4, "weights")
    assert "bad.safetensors" in message and "missing" in message
    assert not (tmp_path / "made").exists()
    wrong = run("models", "make", "--recipe", bundles / "tiny.yaml", "--untrained", 1, "--out", bundles / "tiny")
    assert "is not empty" in refused(wrong, 3, "io")


def test_own_weights_make_a_bundle_that_is_trusted(run, study, bundles, tmp_path):
    made = run("models", "make", "--recipe", bundles / "tiny.yaml", "--weights", bundles / "tiny" / "weights.safetensors",
               "--licence", "CC-BY-4.0", "--name", "mine", "--out", tmp_path / "mine", "--json")
    assert made.returncode == 0, made.stderr
    bundle = json.loads((tmp_path / "mine" / "bundle.json").read_text())
    assert bundle["licence"]["spdx"] == "CC-BY-4.0" and "untrained" not in bundle
    done = run("classify", study, "--bundle", tmp_path / "mine", "--out", tmp_path / "out", "--json", "--no-heat-maps")
    assert json.loads(done.stdout)["trust"]["ok"]


@pytest.mark.parametrize("name", ["03_classify.cpp", "03_classify.py"])
def test_the_example_runs(ichdet, study, bundles, tmp_path, name):
    if name.endswith(".py"):
        command = [sys.executable, ROOT / "examples" / name]
    else:
        command = [ichdet.parent / "examples" / "03_classify"]
        if not command[0].exists():
            pytest.skip(f"SKIPPED: no {command[0]}: examples are not built")
    environment = {**os.environ, "PYTHONPATH": str(ichdet.parent / "python")}
    done = subprocess.run([*command, study, bundles / "tiny", tmp_path / "out"], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 %: ") and done.stdout.count("of 6 slices above 0.5") == 3
    assert (tmp_path / "out" / "figure.png").exists()
