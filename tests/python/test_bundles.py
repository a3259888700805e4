"""Bundles, recipes and the registry from Python: what is there, what it says, whether it is whole."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import ichdet


@pytest.fixture(scope="module")
def bundle():
    return ichdet.open_bundle("s1")


def test_a_bundle_says_what_its_file_says(bundle):
    told = json.loads((bundle.folder / "bundle.json").read_text())
    spec = bundle.spec
    assert (bundle.name, bundle.version) == (told["name"], told["version"])
    assert bundle.sha256 == ichdet.sha256_of_file(bundle.folder / "bundle.json")
    assert spec.architecture == told["architecture"]["name"] and spec.options == told["architecture"]["options"]
    assert [[c.low_hu, c.high_hu] for c in spec.channels] == [c["clip_hu"] for c in told["input"]["channels"]]
    assert [(c.name, c.blood) for c in spec.classes] == [(c["name"], c["blood"]) for c in told["classes"]]
    assert spec.rule.percent == told["decision"]["percent"] and spec.metrics == told["metrics"]
    assert spec.provenance.files == told["provenance"]["files"] and spec.licence == told["licence"]["spdx"]
    again = ichdet.ModelSpec.from_dict(told)
    assert repr(again) == repr(spec)
    with pytest.raises(ichdet.WeightsError, match="surprise"):
        ichdet.ModelSpec.from_dict({**told, "surprise": 1})


def test_weights_are_views_of_the_file(bundle):
    expected = load_file(bundle.folder / bundle.spec.weights_file)
    assert sorted(expected) == bundle.weights.keys() == list(bundle.weights)
    expected = {name: (values.float() if values.dtype == torch.bfloat16 else values).numpy()
                for name, values in expected.items()}
    for name, values in expected.items():
        found = bundle.weights[name]
        assert found.dtype == values.dtype and np.array_equal(found, values) and not found.flags.writeable
    name = bundle.weights.keys()[0]
    view = ichdet.SafeTensors(bundle.folder / bundle.spec.weights_file)[name]
    assert np.array_equal(view, expected[name])  # the file's mapping lives as long as the view
    with pytest.raises(KeyError):
        bundle.weights["nothing"]
    assert "nothing" not in bundle.weights and name in bundle.weights


def test_a_damaged_bundle_is_refused(bundle, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(bundle.folder, copy)
    weights = copy / bundle.spec.weights_file
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    with pytest.raises(ichdet.WeightsError, match="weights.safetensors") as raised:
        ichdet.open_bundle(copy)
    assert raised.value.code == "weights"


def test_names(monkeypatch, tmp_path):
    monkeypatch.setenv("ICHDET_CACHE", str(tmp_path))
    assert ichdet.cache_folder() == tmp_path
    states = {model.name: model.state for model in ichdet.models()}
    assert states["ichdet"] == "shipped" and states["blast-ct-v1"] == "not fetched"
    with pytest.raises(ichdet.WeightsError, match="models get blast-ct-v1"):
        ichdet.open_bundle("blast-ct-v1")
    with pytest.raises(ichdet.OptionsError, match="ensemble"):
        ichdet.open_bundle("ichdet")
    ensemble = next(model for model in ichdet.models() if model.name == "blast-ct-v1-ensemble")
    assert ensemble.is_ensemble and len(ensemble.members) == 12 and ensemble.size_bytes > 0


def test_fetch_takes_progress_and_a_mirror(monkeypatch, tmp_path):
    """From a mirror whose file is not the published one: refused by its hash, the report called on the way."""
    monkeypatch.setenv("ICHDET_CACHE", str(tmp_path / "cache"))
    entry = next(model for model in ichdet.models() if model.name == "blast-ct-v1")
    mirror = tmp_path / "mirror" / entry.mirror_folder
    mirror.mkdir(parents=True)
    for file in entry.files:
        (mirror / file.name).write_bytes(b"\0" * file.size_bytes)
    seen = []
    with pytest.raises(ichdet.WeightsError, match="SHA-256|hash"):
        ichdet.fetch_bundle("blast-ct-v1", mirror=str(tmp_path / "mirror"), progress=lambda *told: seen.append(told))
    assert seen and all(isinstance(stage, str) and 0 <= fraction <= 1 for stage, fraction in seen)

    def stop(stage, fraction):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        ichdet.fetch_bundle("blast-ct-v1", mirror=str(tmp_path / "mirror"), progress=stop)


def test_verify_names_the_file(tmp_path):
    (tmp_path / "LICENSE").write_text("free\n")
    sums = f"{ichdet.sha256_of_file(tmp_path / 'LICENSE')}  LICENSE\n"
    (tmp_path / "SHA256SUMS").write_text(sums)
    assert ichdet.verify_bundle(tmp_path) == []
    (tmp_path / "SHA256SUMS").write_text(sums + "0" * 64 + "  weights.safetensors\n")
    (fault,) = ichdet.verify_bundle(tmp_path)
    assert (fault.file, fault.expected, fault.found) == ("weights.safetensors", "0" * 64, "missing")


def test_every_recipe_can_be_read():
    for recipe in ichdet.recipes():
        spec = recipe.model_spec()
        assert spec.architecture and spec.channels and recipe.members >= 1
        assert recipe.model["architecture"]["name"] == spec.architecture
    with pytest.raises(ichdet.WeightsError, match="s4-heads-up-e1"):
        ichdet.find_recipe("nothing-of-this-name")


def test_results_pickle_and_convert():
    result = ichdet.StudyResult(
        decision=ichdet.PatientDecision(positive=True, probability=0.9, slice_threshold=0.4),
        labels={1: "IPH"}, volumes_ml={"IPH": 1 / 3}, slices=[ichdet.SliceScore(index=1, probability=0.1)],
        lesions=[ichdet.Lesion(label="IPH", volume_ml=1 / 3, centroid_mm=(1, 2, 3), slices=[1])],
        inference=ichdet.Inference(engine="native", precision="float32", form="traced"),
        bundles=[ichdet.BundleIdentity("a", "1", "f" * 64)], timings_s=[("read", 0.25)], review=["look"],
    )
    for again in (
        pickle.loads(pickle.dumps(result)),
        ichdet.StudyResult.from_dict(result.to_dict()),
        ichdet.StudyResult.from_json(result.to_json()),
    ):
        assert again.to_json() == result.to_json()
    assert json.loads(result.to_json()) == result.to_dict()
    with pytest.raises(ichdet.IoError, match="version"):
        ichdet.StudyResult.from_dict({"schema": 1})
    with pytest.raises(TypeError):
        ichdet.StudyResult(volume=3)
