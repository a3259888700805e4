"""Networks of Python beside, and in place of, bundles."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

nn = pytest.importorskip("ichdet.nn")
torch = pytest.importorskip("torch")
nets = pytest.importorskip("monai.networks.nets")
import oracles  # noqa: E402, F401
timm = pytest.importorskip("timm")
import ichdet  # noqa: E402
from ichdet import attribution  # noqa: E402
from oracle_networks import trained  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from segmentation_bundles import S2_CHANNELS, write_bundle  # noqa: E402
from test_classify import recipe  # noqa: E402
from test_segmentation import FLOAT32, dynunet, phantom, volume  # noqa: E402, F401


@pytest.fixture(scope="module")
def segmenters(tmp_path_factory):
    """Two networks as plain MONAI modules, and their bundles."""
    made = []
    for seed in (1, 2):
        network, options = dynunet(seed, 3, 2)
        folder = write_bundle(
            tmp_path_factory.mktemp("members") / f"m{seed}", network, "DynUNet", options,
            input={"spacing_mm": [1, 1, 3], "orientation": "LPS", "axes": "xyz", "channels": S2_CHANNELS},
            patch={"input": [16, 64, 64], "output": [16, 64, 64], "step": 0, "padding": "zero", "overlap": 0.5})
        made.append((network, folder))
    return made


class Parts(torch.nn.Module):
    """timm's, in the two parts that class activation maps need."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward_features(self, x):
        return self.model.forward_features(x)

    def forward_head(self, features):
        return self.model.forward_head(features)

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    """Two networks as plain torch modules, and their bundles."""
    folder, made = tmp_path_factory.mktemp("classifiers"), []
    for seed in (1, 2):
        network = trained(
            timm.create_model("resnet18", in_chans=1, num_classes=2), torch.randn(4, 1, 64, 64), seed).eval()
        save_file(network.state_dict(), folder / f"{seed}.safetensors")
        nn.make_bundle(str(recipe(folder)), folder / f"c{seed}", weights=folder / f"{seed}.safetensors")
        made.append((Parts(network).eval(), folder / f"c{seed}"))
    return made


def test_a_module_is_its_bundle(segmenters, volume):  # noqa: F811
    network, folder = segmenters[0]
    asked = []

    def watched(patches):
        asked.append((tuple(patches.shape), patches.dtype, torch.is_grad_enabled()))
        return network(patches)

    own = nn.Segmenter(nn.Member(watched, folder), **FLOAT32)(volume)
    bundle = nn.Segmenter(folder, **FLOAT32)(volume)
    np.testing.assert_allclose(own.probabilities, bundle.probabilities, atol=1e-5)
    assert set(asked) == {((1, 3, 64, 64, 16), torch.float32, False)}
    assert own.inference.form == "a callable"


@pytest.mark.parametrize("region", ["everywhere", "head"])
def test_mixed_members_are_averaged(segmenters, volume, region):  # noqa: F811
    options = FLOAT32 | {"region": region}
    (one, first), (_, second) = segmenters
    mixed = nn.Segmenter([nn.Member(one, first, name="own"), second], **options)
    both = nn.Segmenter([first, second], **options)
    assert [who.name for who in mixed.identities] == ["own", "m2"]
    np.testing.assert_allclose(mixed(volume).probabilities, both(volume).probabilities, atol=1e-5)
    found = mixed.label(volume)
    np.testing.assert_allclose(found.blood, both.label(volume).blood, atol=1e-5)


def test_in_adaptive_precision_it_stays_itself(segmenters, volume):  # noqa: F811
    (one, first), (_, second) = segmenters
    exact = nn.Segmenter([first, second], **FLOAT32)(volume).probabilities
    mixed = nn.Segmenter([nn.Member(one, first), second], **FLOAT32 | {"precision": "adaptive"})(volume)
    assert np.abs(mixed.probabilities - exact).mean() < 0.01


def test_in_an_ensemble_s_file(segmenters, phantom):  # noqa: F811
    (one, first), (two, second) = segmenters
    spec = {"ensemble": 1, "name": "e", "rule": "mean", "members": [{"bundle": "mine"}, {"bundle": str(second)}]}
    mixed = nn.EnsembleDetector(spec, threads=1, networks={"mine": nn.Member(one, first)}, precision="float32")
    spec["members"][0]["bundle"] = str(first)
    bundles = nn.EnsembleDetector(spec, threads=1, precision="float32")
    found, expected = mixed(phantom), bundles(phantom)
    assert [s.probability for s in found.result.slices] == pytest.approx(
        [s.probability for s in expected.result.slices], abs=1e-5)
    assert [member.bundle for member in mixed.spec.members] == ["mine", str(second)]
    with pytest.raises(ichdet.Error, match="no member is named other"):
        nn.EnsembleDetector(spec, networks={"other": nn.Member(two, second)})


def test_a_classifier_with_scores_and_maps(classifiers, phantom):  # noqa: F811
    members = [nn.Member(classifiers[0][0], classifiers[0][1], name="own"), classifiers[1][1]]
    mixed, bundles = nn.SliceClassifier(members), nn.SliceClassifier([folder for _, folder in classifiers])
    images = bundles.images(phantom)
    np.testing.assert_allclose(mixed.probabilities(images), bundles.probabilities(images), atol=1e-5)
    np.testing.assert_allclose(mixed.probabilities(torch.from_numpy(images)), bundles.probabilities(images), atol=1e-5)
    assert [s.probability for s in mixed.scores(phantom)] == pytest.approx(
        [s.probability for s in bundles.scores(phantom)], abs=1e-5)
    found, expected = mixed.heat_maps(phantom, [3]), bundles.heat_maps(phantom, [3])
    np.testing.assert_allclose(found[3], expected[3], atol=1e-3)
    alone = nn.SliceClassifier(nn.Member(classifiers[0][0].forward, classifiers[0][1]))
    with pytest.raises(ichdet.Error, match="two parts"):
        alone.heat_maps(phantom, [3])


@pytest.mark.parametrize("method", attribution.attribution_methods())
def test_every_method_explains_it(classifiers, phantom, method):  # noqa: F811
    network, folder = classifiers[0]
    options = {"steps": 4, "samples": 3, "masks": 20, "occlusion_size": 16, "occlusion_stride": 16}
    own = nn.SliceExplainer(nn.Member(network, folder), **options)
    bundle = nn.SliceExplainer(folder, engine="torch", **options)
    found, expected = own(phantom, [3], method)[0], bundle(phantom, [3], method)[0]
    assert found.score == pytest.approx(expected.score, abs=1e-4)
    scale = expected.map.abs().max()
    assert scale > 0 and (found.map - expected.map).abs().max() < 1e-2 * scale
    by_hand = nn.SliceExplainer(folder, engine="torch", **options).images(phantom, [3])
    again = own.explain(by_hand.numpy(), method)
    np.testing.assert_array_equal(again.map, found.map)


def test_what_it_raises_comes_through(segmenters, classifiers, volume, phantom):  # noqa: F811
    class Own(Exception):
        pass

    def broken(x):
        raise Own("here")

    with pytest.raises(Own, match="here"):
        nn.Segmenter(nn.Member(broken, segmenters[0][1]))(volume)
    with pytest.raises(Own, match="here"):
        nn.SliceClassifier(nn.Member(broken, classifiers[0][1]))(phantom)
    with pytest.raises(Own, match="here"):
        nn.SliceClassifier(nn.Member(broken, classifiers[0][1])).probabilities(np.zeros((1, 1, 64, 64), np.float32))
    with pytest.raises(ichdet.Error, match="answered another size"):
        nn.Segmenter(nn.Member(lambda x: x[:, :2, 1:], segmenters[0][1]))(volume)
    with pytest.raises(ichdet.Error, match="one for each of its 2 classes"):
        nn.SliceClassifier(nn.Member(lambda x: torch.zeros(len(x), 3), classifiers[0][1]))(phantom)


def test_what_does_not_fit_is_refused(segmenters, classifiers):
    network, folder = segmenters[0]
    with pytest.raises(ichdet.Error, match="training mode"):
        nn.Member(network.train(), folder)
    network.eval()
    with pytest.raises(ichdet.Error, match="differ"):
        nn.Segmenter([folder, nn.Member(network, {**bundle_spec(folder), "classes": [
            {"name": "background", "blood": False}, {"name": "other", "blood": True}]})])
    with pytest.raises(ichdet.Error, match="a bundle for slice classification"):
        nn.SliceClassifier(nn.Member(network, folder))
    with pytest.raises(ichdet.Error, match="/patch/output"):
        nn.Member(network, {**bundle_spec(folder), "patch": {**bundle_spec(folder)["patch"], "output": "large"}})


def bundle_spec(folder):
    return json.loads((folder / "bundle.json").read_text())


def test_a_spec_without_weights(segmenters, volume):  # noqa: F811
    network, folder = segmenters[0]
    spec = {key: value for key, value in bundle_spec(folder).items() if key in ("input", "classes", "patch")}
    member = nn.Member(network, {"name": "mine", **spec}, sha256="0" * 64)
    assert (member.identity.name, member.identity.sha256, member.task) == ("mine", "0" * 64, "segmentation")
    found = nn.Segmenter(member, **FLOAT32)(volume)
    np.testing.assert_allclose(found.probabilities, nn.Segmenter(folder, **FLOAT32)(volume).probabilities, atol=1e-5)


def test_arrays_and_tensors_share_memory(classifiers):
    seen = []

    def look(images):
        seen.append(images)
        return torch.zeros(len(images), 2)

    images = np.random.default_rng(0).random((2, 1, 64, 64), np.float32)
    classifier = nn.SliceClassifier(nn.Member(look, classifiers[0][1]))
    explained = attribution.Explained.from_functions(lambda x: look(x)[:, 0], batch=2)
    for given in (images, torch.from_numpy(images)):
        classifier.probabilities(given)
        explained.scores(given)
    assert [tensor.data_ptr() for tensor in seen] == [images.ctypes.data] * 4
    expected = images.copy()
    del images, given
    np.testing.assert_array_equal(seen[0], expected)  # kept by whoever keeps the tensor


def test_the_example_runs(ichdet, study):
    example = Path(__file__).parents[2] / "examples" / "06_own_network.py"
    environment = {**os.environ, "PYTHONPATH": str(ichdet.parent / "python")}
    done = subprocess.run([sys.executable, example, study], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("map (512, 512)") == 3


SLOW = """
import signal, time, torch
signal.signal(signal.SIGINT, signal.default_int_handler)
import ichdet, ichdet.nn as nn
def slow(images):
    print("asked", flush=True)
    time.sleep(0.3)
    return torch.zeros(len(images), 2)
stack = ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.5, slices=40, thickness_mm=4, subsamples=1).stack
try:
    nn.SliceClassifier(nn.Member(slow, "s1"))(stack)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def test_ctrl_c_between_its_answers():
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(ichdet.__file__))}
    child = subprocess.Popen([sys.executable, "-c", SLOW], env=environment, text=True, stdout=subprocess.PIPE)
    try:
        lines = [child.stdout.readline().strip()]
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        while lines[-1] not in ("stopped", ""):
            lines.append(child.stdout.readline().strip())
        took = time.monotonic() - sent
    finally:
        child.kill()
        child.wait()
    assert lines[-1] == "stopped" and took < 1, (lines, took)
