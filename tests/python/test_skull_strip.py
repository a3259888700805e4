"""MindGrab and the skull-strip stage against plain PyTorch, NumPy and SimpleITK."""

import json

import numpy as np
import pytest
import torch
from command_line import refused
from mindgrab_oracle import DILATIONS, MeshNet, extract
from safetensors.torch import save_file

import ichdet
from ichdet import nn


def layers(dilations):
    convolutions = [
        {"in_channels": 5, "out_channels": 5, "kernel_size": 3, "padding": d, "stride": 1, "dilation": d}
        for d in dilations
    ]
    last = {"in_channels": 5, "out_channels": -1, "kernel_size": 1, "padding": 0, "stride": 1, "dilation": 1}
    return {"header": "a test's", "bnorm": True, "gelu": True, "dropout_p": 0, "layers": [*convolutions, last]}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder as brainchop-models keeps one, and its network."""
    folder = tmp_path_factory.mktemp("mindgrab")
    torch.manual_seed(3)
    network = MeshNet(channels=3, dilations=[4, 2, 1]).eval()
    torch.save(network.state_dict(), folder / "model.pth")
    (folder / "model.json").write_text(json.dumps(layers([4, 2, 1])))
    return folder, network


@pytest.fixture(scope="module")
def bundle(small, run, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundles") / "small"
    assert run("import", "mindgrab", small[0], "-o", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def head():
    """Odd sizes, axes that run to R, A and S, spacing of 1.1 x 1.2 x 2.5 mm."""
    stack = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack
    affine = np.diag([-1.1, -1.2, 2.5, 1.0])
    grid = ichdet.segmentation_grid(stack.geometry, (1.1, 1.2, 2.5))
    affine[:3, 3] = grid.affine[:3, :3] @ np.array([grid.size[0] - 1, grid.size[1] - 1, 0]) + grid.affine[:3, 3]
    return ichdet.resample_to(stack, ichdet.Geometry((181, 187, 61), affine))


def agree(found, expected):
    return 2 * np.logical_and(found, expected).sum() / (found.sum() + expected.sum())


def largest_difference(found, expected):
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("shape", [(40, 33, 36), (5, 70, 9)])
def test_network_equals_pytorch(shape, tmp_path):
    torch.manual_seed(1)
    network = MeshNet().eval()
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    ours = nn.create("MindGrab")
    ours.load_state_dict(tmp_path / "weights.safetensors")
    x = torch.rand(1, 1, *shape)
    with torch.inference_mode():
        expected = network(x).numpy()
    assert largest_difference(ours.forward(x.numpy()), expected) < 1e-4


def test_published_weights(real_data, tmp_path):
    folder = real_data("mindgrab")
    network = MeshNet().eval()
    network.load_state_dict(torch.load(folder / "model.pth", weights_only=True, map_location="cpu"))
    assert [layer["dilation"] for layer in json.loads((folder / "model.json").read_text())["layers"]][:-1] == DILATIONS
    ours = nn.create("MindGrab")
    ours.load_state_dict(folder / "model.pth")
    x = torch.rand(1, 1, 48, 40, 44)
    with torch.inference_mode():
        expected = network(x).numpy()
    assert largest_difference(ours.forward(x.numpy()), expected) < 1e-4


def test_stage_equals_plain_statement(head, small, bundle):
    found = nn.skull_strip(head, engine="mindgrab", bundle=bundle, threads=2)
    expected = extract(head, small[1])
    assert found.mask.shape == expected.shape and 0.01 < expected.mean() < 0.99
    assert agree(found.mask, expected) > 0.9995
    assert found.engine == "mindgrab" and found.assumptions == []


def test_clipped_scan_is_taken_without_cormack_units(head, small, bundle):
    clipped = ichdet.Volume(np.clip(head.hu, 0, 80), head.geometry)
    found = nn.skull_strip(clipped, engine="mindgrab", bundle=bundle)
    assert agree(found.mask, extract(clipped, small[1])) > 0.9995
    assert len(found.assumptions) == 1 and "Cormack" in found.assumptions[0]


def test_classical_is_brain_mask(head):
    found = nn.skull_strip(head)
    assert np.array_equal(found.mask, ichdet.brain_mask(head)) and found.engine == "classical"


def test_short_scan_and_empty_mask_are_said(head, bundle):
    slab = ichdet.crop(head, (0, 0, 30), (181, 187, 4))
    assert any("covers 10 mm" in text for text in nn.skull_strip(slab, engine="mindgrab", bundle=bundle).assumptions)
    air = ichdet.Volume(np.full_like(head.hu, -1000), head.geometry)
    assert nn.skull_strip(air).assumptions == ["No brain was found: the mask is empty."]
    with pytest.raises(ichdet.Error, match="same value"):
        nn.skull_strip(air, engine="mindgrab", bundle=bundle)


def test_command(run, tmp_path):
    study = ichdet.phantom(seed=3).stack
    ichdet.write_nifti(tmp_path / "head.nii.gz", ichdet.resample_to(study, ichdet.segmentation_grid(study.geometry, (2, 2, 4))))
    result = run("strip", tmp_path / "head.nii.gz", "-o", tmp_path / "out", "--json")
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    mask = ichdet.read_nifti_labels(tmp_path / "out" / "brain_mask.nii.gz")
    brain = ichdet.read_nifti(tmp_path / "out" / "brain.nii.gz")
    brain = brain[0] if isinstance(brain, tuple) else brain
    inside = np.asarray(mask.labels) == 1
    assert mask.names == ["background", "brain"] and said["engine"] == "classical"
    assert said["volume_ml"] == pytest.approx(inside.sum() * 16 / 1000, rel=0.03)
    hu = np.asarray(getattr(brain, "volume", brain).hu)
    assert (hu[~inside] == -1024).all() and hu[inside].min() > -100
    assert (tmp_path / "out" / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--engine", "mindgrab"), "--bundle: expected one, for --engine mindgrab, found none"),
        (("--bundle", "x"), "--bundle: expected none, for --engine classical, found x"),
    ],
)
def test_command_refuses(run, tmp_path, arguments, message):
    assert message in refused(run("strip", tmp_path, "-o", tmp_path / "out", *arguments), 2, "options")


def test_bundles_for_something_else_are_refused(run, bundle, head, tmp_path):
    with pytest.raises(ichdet.Error, match="a bundle for segmentation, found one for brain extraction"):
        nn.skull_strip(head, engine="unet3d", bundle=bundle)
    ichdet.write_nifti(tmp_path / "head.nii.gz", head)
    found = refused(run("detect", tmp_path / "head.nii.gz", "-o", tmp_path / "out", "-b", bundle), 2, "options")
    assert "found one for brain extraction (`ichdet strip`)" in found


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda m: m.update(gelu=False), "/gelu: expected true, found false"),
        (lambda m: m["layers"][1].update(kernel_size=5), "/layers/1/kernel_size: expected 3, found 5"),
        (lambda m: m["layers"][0].update(padding=1), "/layers/0/padding: expected 4, found 1"),
        (lambda m: m.update(layers=[]), "/layers: expected a list of at least 2, found []"),
        (lambda m: m["layers"].pop(0), "missing"),
    ],
)
def test_import_refuses(small, run, tmp_path, change, message):
    model = layers([4, 2, 1])
    change(model)
    (tmp_path / "model.json").write_text(json.dumps(model))
    (tmp_path / "model.pth").write_bytes((small[0] / "model.pth").read_bytes())
    result = run("import", "mindgrab", tmp_path, "-o", tmp_path / "out")
    assert result.returncode == 4 and (message == "missing" or message in result.stderr), result.stderr
    assert not (tmp_path / "out").exists()


def test_import_of_missing_files(run, small, tmp_path):
    refused(run("import", "mindgrab", tmp_path, "-o", tmp_path / "out"), 3, "io")


def test_student_finds_a_phantoms_brain_in_clipped_hu_too():
    """Of another seed, size and tilt than those that it learned from."""
    made = ichdet.phantom(seed=41, rows=256, columns=256, pixel_mm=0.9, tilt_degrees=10,
                          hemorrhages=[ichdet.Hemorrhage("subdural", 40)])
    inside = (np.asarray(made.anatomy.depth_mm) > 0).astype(np.uint8)
    grid = ichdet.segmentation_grid(made.stack.geometry, (1, 1, 1))
    truth = ichdet.resample_to(ichdet.SliceLabels(inside, ["background", "brain"], made.stack.geometry), grid)
    volume = ichdet.resample_to(made.stack, grid)
    found = nn.skull_strip(volume, engine="unet3d", threads=1)
    assert found.engine == "unet3d" and found.assumptions == []
    assert agree(found.mask, np.asarray(truth.labels)) > 0.97
    clipped = nn.skull_strip(ichdet.Volume(np.clip(volume.hu, 0, 80), grid), engine="unet3d", threads=1)
    assert np.array_equal(clipped.mask, found.mask)


def test_student_on_a_real_scan(real_data):
    """Full-range HU, tilted, of a scanner that it never saw: it agrees with thresholds and morphology."""
    stack = ichdet.read_study(real_data("head_ct_ge_tilt")).stack
    volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, (1, 1, 1)))
    found = nn.skull_strip(volume, engine="unet3d", threads=1)
    assert agree(found.mask, nn.skull_strip(volume).mask) > 0.95


def test_student_came_with_ichdet(run, study, tmp_path):
    strip = ["strip", study, "-o", tmp_path / "out", "--engine", "unet3d", "--threads", 1, "--json"]
    found = run(*strip)
    assert found.returncode == 0, found.stderr
    assert [bundle["name"] for bundle in json.loads(found.stdout)["bundles"]] == ["brain"]
    without = run(*strip, ICHDET_BUNDLES=str(tmp_path))
    assert "engine unet3d needs a bundle" in refused(without, 2, "options")


def test_student_gives_s3_its_fourth_channel(run, study, tmp_path):
    made = run("models", "make", "--recipe", "s3-mobilenet-v2", "--untrained", 1, "--out", tmp_path / "s3")
    assert made.returncode == 0, made.stderr
    probabilities = {}
    for engine in ("classical", "unet3d"):
        result = run("classify", study, "--bundle", tmp_path / "s3", "--out", tmp_path / engine, "--json",
                     "--no-heat-maps", "--skull-strip", engine)
        assert result.returncode == 0, result.stderr
        said = json.loads(result.stdout)
        assert any("found by unet3d" in text for text in said["assumptions"]) == (engine == "unet3d")
        probabilities[engine] = [one["probability"] for one in said["slices"]]
    assert probabilities["classical"] != probabilities["unet3d"]
