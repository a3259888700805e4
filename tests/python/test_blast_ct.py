"""BLAST-CT v1 against the Python package blast-ct.

Probabilities of two tiles are compared with the package's network where it is installed; volumes end to end with the
package's, computed once by tools/make_blast_reference.py. ICHDET_BLAST_SCANS names the scans (default: all).
"""
import hashlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

nn = pytest.importorskip("ichdet.nn")
torch = pytest.importorskip("torch")
import ichdet  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "blast_ct_v1.json").read_text())
CLASSES = ["background", "IPH", "EAH", "oedema", "IVH"]


@pytest.fixture(scope="module")
def bundles(real_data, tmp_path_factory):
    """Bundles of members 1 and 2, converted from the published weights."""
    data = real_data("blast_ct_v1")
    out = tmp_path_factory.mktemp("bundles")
    subprocess.run([sys.executable, ROOT / "python/ichdet/convert/blast_ct.py", data / "model_1.pt", data / "model_2.pt",
                    "--config", data / "config.json", "--licence", data / "LICENSE.txt", "--out", out], check=True)
    return [out / "blast-ct-v1-01", out / "blast-ct-v1-02"]


def package_network(data, member):
    # Only the package's training hooks use tensorboard; it need not be installed.
    sys.modules.setdefault("torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=None))
    read_config = pytest.importorskip("blast_ct.read_config")
    network = read_config.get_model(json.loads((data / "config.json").read_text()))
    state = torch.load(data / f"model_{member}.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    return network.eval()


def package_probabilities(network, x):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the switch is this thread's alone; others would crawl through denormals
    torch.set_flush_denormal(True)
    try:
        with torch.inference_mode():
            return torch.softmax(network(torch.from_numpy(x))[0], 1).numpy()
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def real_volume(real_data, study="0014"):
    volume, _ = ichdet.read_nifti(real_data("phe_sich") / f"{study}_ct.nii.gz")
    return ichdet.resample_to(volume, volume.geometry.with_spacing([1, 1, 1]), outside=float(volume.hu.min()))


@pytest.mark.parametrize("size,member", [(140, 1), (110, 2)])
def test_tile_probabilities_equal_the_packages(real_data, bundles, size, member):
    data = real_data("blast_ct_v1")
    hu = real_volume(real_data).hu
    tile = hu[10:10 + size, 50:50 + size, 50:50 + size]
    x = ((2 * np.clip(tile, -15, 100) + 15 - 100) / 115).astype(np.float32)[None, None]
    expected = package_probabilities(package_network(data, member), x)
    assert expected[:, 1:].max() > 0.3  # there is something to agree on
    network = nn.Network(bundles[member - 1])
    np.testing.assert_allclose(softmax(network(x)), expected, atol=1e-4)
    np.testing.assert_allclose(softmax(network.forward(x)), expected, atol=1e-4)


def test_segmenter_equals_the_packages_patches(real_data, bundles):
    """Whole-volume probabilities, ensemble of two, against one patch of the package at the volume's border."""
    data = real_data("blast_ct_v1")
    volume = real_volume(real_data)
    small = ichdet.Volume(np.ascontiguousarray(volume.hu[:40, 60:160, 60:150]), volume.geometry.crop([60, 60, 0], [90, 100, 40]))
    segmenter = nn.Segmenter(bundles, precision="float32")
    assert segmenter.classes == CLASSES
    found = segmenter(small).probabilities
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    x = ((2 * np.clip(small.hu, -15, 100) + 15 - 100) / 115).astype(np.float32)
    x = np.pad(x, ((40, 40 + 20), (40, 40), (40, 40)), mode="edge")  # the output is 30 voxels and more: 60, then cut
    patch = np.ascontiguousarray(x[:140, 30:170, 15:155])[None, None]  # output starts at voxel (0, 30, 15)
    expected = np.mean([package_probabilities(package_network(data, m), patch)[0] for m in (1, 2)], axis=0)
    np.testing.assert_allclose(found[:, :40, 30:90, 15:75], expected[:, :40], atol=1e-4)


@pytest.fixture(scope="module")
def bleeding_phantom():
    stack = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack
    return ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [1, 1, 1]))


@pytest.mark.parametrize("engine", ["auto", "torch", "openvino"])
@pytest.mark.parametrize("precision,tolerance", [("float32", 1e-4), ("bfloat16", 3e-2)])
def test_every_engine_agrees_with_the_plain_network(bundles, bleeding_phantom, engine, precision, tolerance):
    hu = bleeding_phantom.hu[30:140, 60:170, 60:170]
    x = ((2 * np.clip(hu, -15, 100) + 15 - 100) / 115).astype(np.float32)[None, None]
    network = nn.Network(bundles[0], precision=precision, engine=engine)
    made = network.preparation(x.shape)
    if engine == "openvino" and made.engine != engine:
        pytest.skip(made.reason)
    assert made.precision == precision and made.reason == ""
    difference = network.verify(x)
    print(engine, precision, made.form, difference)
    assert difference.largest <= tolerance * difference.range


def test_adaptive_gives_float32s_volumes_for_a_part_of_its_work(bundles, bleeding_phantom):
    volumes, voxels = {}, {}
    for precision in ("float32", "bfloat16", "adaptive"):
        found = nn.Segmenter(bundles[:1], precision=precision, region="brain")(bleeding_phantom)
        labels = found.probabilities.argmax(0)
        volumes[precision] = [int((labels == i).sum()) for i in range(1, len(CLASSES))]
        voxels[precision] = (found.inference.voxels, found.inference.float32_again)
        assert found.inference.precision == precision and not found.assumptions
    print(volumes, voxels)
    assert volumes["float32"][0] > 5000
    assert volumes["adaptive"] == pytest.approx(volumes["float32"], rel=0.005, abs=2)
    if not nn.has_fast_bfloat16():
        pytest.skip("volumes agree; the share of the work was not looked at: this CPU has no AMX, and DeepMedic in bfloat16 "
                    "goes by fixed patches")
    assert voxels["float32"] == voxels["bfloat16"] == (voxels["adaptive"][0], 0)
    assert 0 < voxels["adaptive"][1] < voxels["adaptive"][0] / 2


def test_an_engine_with_fixed_patches_gives_the_same_volumes(bundles, bleeding_phantom):
    """LibTorch's traced graph takes the bundle's own patches, the native kernels boxes cut to fit."""
    lesion = nn.Segmenter(bundles[:1], region="brain")(bleeding_phantom).probabilities[1] > 0.5
    begin = [max(0, int(i.mean()) - 30) for i in np.nonzero(lesion)]
    crop = ichdet.crop(bleeding_phantom, begin[::-1], [60, 60, 60])
    counts = {}
    for engine in ("auto", "torch"):
        found = nn.Segmenter(bundles[:1], precision="adaptive", engine=engine)(crop)
        labels = found.probabilities.argmax(0)
        counts[engine] = [int((labels == i).sum()) for i in range(1, len(CLASSES))]
        assert found.inference.float32_again > 0
    print(counts)
    assert counts["auto"][0] > 3000
    assert counts["torch"] == pytest.approx(counts["auto"], rel=0.005, abs=2)


@pytest.mark.parametrize("name", os.environ.get("ICHDET_BLAST_SCANS", " ".join(sorted(GOLDEN["scans"]))).split())
def test_volumes_equal_the_packages(name, real_data, run, tmp_path):
    """End to end, as a user runs it: from files to result.json, against what tools/make_blast_reference.py stored."""
    entry = GOLDEN["scans"][name]
    if name == "head_ct_ge_tilt":
        scan = real_data(name)
    else:
        scan = real_data("phe_sich") / f"{name}_ct.nii.gz"
        hu = ichdet.read_nifti(scan)[0].hu
        assert hashlib.sha256(np.ascontiguousarray(hu, "<f4").tobytes()).hexdigest() == entry["input_sha256"]
    done = run("detect", scan, "--bundle", "blast-ct-v1", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for label, expected in entry["members_1"]["volumes_ml"].items():
        print(name, label, round(result["volumes_ml"][label], 3), "mL, package", round(expected, 3))
        assert result["volumes_ml"][label] == pytest.approx(expected, rel=0.01, abs=0.05), label
    # phe_sich's HU end at 80, so that bone looks like blood to this network: the figures are for parity alone.
    assert result["trust"]["ok"] is (name == "head_ct_ge_tilt")
