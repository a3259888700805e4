"""A published segmentation system from its recipe, with random weights, through the command line."""

import json

import pytest
from segmentation_bundles import S2_CHANNELS


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "viola"
    made = run("models", "make", "--recipe", "s2-viola-unet", "--untrained", 1, "--out", folder)
    assert made.returncode == 0, made.stderr
    assert "UNTRAINED" in made.stdout and "give `ichdet detect` as many" in made.stdout
    return folder


def test_a_recipe_becomes_a_bundle_that_detect_applies(run, study, bundle, tmp_path):
    done = run("detect", study, "--bundle", bundle, "--out", tmp_path / "out", "--json", "--region", "everywhere")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert not result["trust"]["ok"]
    assert list(result["labels"].values()) == ["ICH"]
    assert result["inference"]["patches"] >= 1 and result["inference"]["patches_skipped"] == 0


def test_the_same_seed_gives_the_same_weights(run, bundle, tmp_path):
    again = tmp_path / "again"
    assert run("models", "make", "--recipe", "s2-viola-unet", "--untrained", 1, "--out", again).returncode == 0
    assert (again / "weights.safetensors").read_bytes() == (bundle / "weights.safetensors").read_bytes()


STRIDES, KERNELS = [[1, 1, 1], [2, 2, 2], [2, 2, 2]], [[3, 3, 3]] * 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """S2's DynUNet, small."""
    recipe = {
        "recipe": 1, "name": "tiny", "title": "A small DynUNet", "citation": "none", "task": "segmentation", "members": 2,
        "architecture": {"name": "DynUNet", "options": {
            "in_channels": 3, "out_channels": 2, "kernel_size": KERNELS, "strides": STRIDES, "filters": [4, 6, 8],
            "norm": "instance", "res_block": True}},
        "input": {"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
        "classes": [{"name": "background", "blood": False}, {"name": "ICH", "blood": True}],
        "patch": {"input": [16, 64, 64], "output": [16, 64, 64], "step": 0, "padding": "zero", "overlap": 0.25},
        "stated": ["nothing"], "unknown": ["everything"],
    }
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(json.dumps(recipe))
    return path


def test_several_bundles_are_averaged(run, study, tiny, tmp_path):
    for seed in (1, 2):
        made = run("models", "make", "--recipe", tiny, "--untrained", seed, "--name", f"m{seed}", "--out", tmp_path / f"m{seed}")
        assert made.returncode == 0, made.stderr
    done = run("detect", "--bundle", tmp_path / "m1", "-b", tmp_path / "m2", study, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [b["name"] for b in result["bundles"]] == ["m1", "m2"]


def test_weights_as_monai_saves_them(run, tiny, tmp_path):
    torch = pytest.importorskip("torch")
    nets = pytest.importorskip("monai.networks.nets")
    torch.manual_seed(1)
    network = nets.DynUNet(3, 3, 2, KERNELS, STRIDES, STRIDES[1:], filters=[4, 6, 8], res_block=True)
    torch.save(network.state_dict(), tmp_path / "monai.pt")
    made = run("models", "make", "--recipe", tiny, "--weights", tmp_path / "monai.pt", "--out", tmp_path / "bundle")
    assert made.returncode == 0, made.stderr
    source = json.loads((tmp_path / "bundle" / "bundle.json").read_text())["provenance"]["source"]
    assert source.startswith("monai.pt; ") and "second names of tensors left out" in source


def test_recipes_of_segmenters_say_what_is_unknown(run):
    told = run("models", "recipes", "s2-dynunet")
    assert told.returncode == 0 and "unknown: The orientation of the published weights" in told.stdout
