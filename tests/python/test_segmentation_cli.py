"""A published segmentation system from its recipe, with random weights, through the command line."""

import json

import pytest


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "viola"
    made = run("models", "make", "--recipe", "s2-viola-unet", "--untrained", 1, "--out", folder)
    assert made.returncode == 0, made.stderr
    assert "UNTRAINED" in made.stdout and "give `ichdet detect` as many" in made.stdout
    return folder


def test_a_recipe_becomes_a_bundle_that_detect_applies(run, study, bundle, tmp_path):
    done = run("detect", study, "--bundle", bundle, "--out", tmp_path / "out", "--json", "--region", "everywhere")
    assert done.returncode in (0, 1), done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert not result["trust"]["ok"]
    assert list(result["labels"].values()) == ["ICH"]
    assert result["inference"]["patches"] >= 1 and result["inference"]["patches_skipped"] == 0


def test_the_same_seed_gives_the_same_weights(run, bundle, tmp_path):
    again = tmp_path / "again"
    assert run("models", "make", "--recipe", "s2-viola-unet", "--untrained", 1, "--out", again).returncode == 0
    assert (again / "weights.safetensors").read_bytes() == (bundle / "weights.safetensors").read_bytes()


def test_recipes_of_segmenters_say_what_is_unknown(run):
    told = run("models", "recipes", "s2-dynunet")
    assert told.returncode == 0 and "unknown: The orientation of the published weights" in told.stdout
