"""HEADS UP (S4): its four pictures, its repair of RSNA's slices and its recipes, against NumPy and pydicom."""

import json
from pathlib import Path

import ichdet
import nibabel
import numpy as np
import pydicom
import pytest
import small_training
import yaml
from dicom_files import ct, save

from ichdet import train
from ichdet.nn import SliceClassifier, make_bundle

RECIPES = Path(__file__).parents[2] / "recipes"
WINDOWS = ((0, 80), (-20, 180), (-150, 230))
STORED = (1 + 16 * np.arange(256, dtype=np.uint16)).reshape(16, 16)


def levels(hu, low, high):
    """A window in 8 bits, as a PNG file is read: over 255."""
    scaled = (np.clip(hu, low, high) - np.float32(low)) / np.float32(high - low) * np.float32(255)
    return scaled.astype(np.uint8).astype(np.float32) / np.float32(255)


def pictures(hu, variant, weights=(1, 0.25, 0.25)):
    """(channel, z, y, x), float64 but for what goes through 8 bits."""
    exact = np.stack([(np.clip(hu.astype(np.float64), low, high) - low) / (high - low) for low, high in WINDOWS])
    if variant == "e1":
        return levels(hu, *WINDOWS[0])[None]
    if variant == "e2":
        return exact
    if variant == "e3":
        return np.stack([levels(hu, *window) for window in WINDOWS])
    coloured = np.stack([np.stack([window * weight for weight in weights]) for window in exact])  # window, colour
    return coloured.mean(0)


def check(hu, variant):
    expected = pictures(hu, variant)
    found = ichdet.heads_up(hu, variant)
    assert found.dtype == np.float32 and found.shape == expected.shape
    if variant in ("e1", "e3"):
        np.testing.assert_array_equal(found, expected)
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=6e-8)  # float32's own rounding
    by_slice = ichdet.heads_up(hu, variant, order="slice_first", threads=2)
    np.testing.assert_array_equal(by_slice, found.transpose(1, 0, 2, 3))


@pytest.fixture(scope="module")
def phantom():
    return ichdet.phantom(rows=96, columns=96, slices=4, pixel_mm=2.4, thickness_mm=30).stack


@pytest.mark.parametrize("variant", ["e1", "e2", "e3", "e4"])
def test_variants_on_a_phantom(phantom, variant):
    check(phantom.hu, variant)


@pytest.mark.parametrize("variant", ["e1", "e2", "e3", "e4"])
def test_variants_on_real_slices(real_data, variant):
    for file in sorted(real_data("ich_slices").glob("*.dcm"))[:3]:
        read = pydicom.dcmread(file)
        hu = (read.pixel_array * float(read.RescaleSlope) + float(read.RescaleIntercept)).astype(np.float32)[None]
        np.testing.assert_array_equal(ichdet.read_study(file).stack.hu, hu)
        check(hu, variant)


def test_mixtures_are_numpys_in_float64_bit_for_bit():
    rng = np.random.default_rng(1)
    hu = rng.uniform(-300, 400, (3, 31, 17)).astype(np.float32)
    weights = rng.normal(size=3)
    expected = np.zeros(hu.shape)
    for (low, high), weight in zip(WINDOWS, weights):
        expected += weight * ((np.clip(hu.astype(np.float64), low, high) - low) / (high - low))
    found = ichdet.mix_windows(hu, [(ichdet.Window(*w), k) for w, k in zip(WINDOWS, weights)], threads=2)
    np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_colour_weights_and_wrong_variants():
    hu = np.full((1, 2, 2), 40, np.float32)
    grey = np.mean([40 / 80, 60 / 200, 190 / 380])
    found = ichdet.heads_up(hu, "e4", colour_weights=(0.6, 0.3, 0.1))[:, 0, 0, 0]
    np.testing.assert_allclose(found, grey * np.array([0.6, 0.3, 0.1]), atol=6e-8)
    with pytest.raises(ichdet.Error, match="e1, e2, e3 or e4"):
        ichdet.heads_up(hu, "e5")
    with pytest.raises(ichdet.Error, match="finite"):
        ichdet.heads_up(hu, "e4", colour_weights=(np.inf, 0, 0))


def small_recipe(variant, size):
    """The recipe with a small network, which reads slices of the phantom's size."""
    recipe = yaml.safe_load((RECIPES / f"s4_heads_up_{variant}.yaml").read_text())
    assert recipe["architecture"] == {"name": "InceptionResNetV2",
                                      "options": {"in_chans": len(recipe["input"]["channels"]), "num_classes": 2}}
    recipe["architecture"]["name"] = "ResNet18"
    recipe["input"]["size"] = [size, size]
    return recipe


@pytest.mark.parametrize("variant", ["e1", "e2", "e3", "e4"])
def test_a_recipes_network_reads_the_variants_picture(phantom, variant, tmp_path):
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(small_recipe(variant, 96)))
    make_bundle(str(tmp_path / "recipe.yaml"), tmp_path / "bundle", untrained=1)
    found = SliceClassifier([tmp_path / "bundle"]).images(phantom)
    expected = ichdet.heads_up(np.maximum(phantom.hu, -1024), variant, order="slice_first")
    np.testing.assert_array_equal(found, (expected - np.float32(0.5)) / np.float32(0.5))


def wrapped(bits=12, intercept="0", slope="1"):
    """A slice of 256 stored values from 1 to 4081, and what S4's public code makes of it."""
    dataset = ct(STORED, bits, intercept=intercept)
    dataset.RescaleSlope = slope
    values = STORED.astype(np.int64)
    if bits == 12 and float(intercept) > -100:
        values = values + 1000
        values[values >= 4096] -= 4096
        intercept = -1000
    return dataset, (values * float(slope) + float(intercept)).astype(np.float32)


@pytest.mark.parametrize("bits,intercept,slope,mended", [(12, "0", "1", True), (12, "-99", "1", True),
                                                         (12, "24", "2", True), (12, "-100", "1", False),
                                                         (12, "-1024", "1", False), (16, "0", "1", False)])
def test_the_repair_of_rsnas_slices_is_s4s(tmp_path, bits, intercept, slope, mended):
    dataset, expected = wrapped(bits, intercept, slope)
    file = save(dataset, tmp_path / "a.dcm")
    stack = ichdet.read_study(file).stack
    np.testing.assert_array_equal(stack.hu[0], expected)
    assert any("repair_wrapped_12bit" in line for line in stack.assumptions) is mended
    kept = ichdet.read_study(file, repair_wrapped_12bit=False).stack
    np.testing.assert_array_equal(kept.hu[0], (STORED * float(slope) + float(intercept)).astype(np.float32))
    assert not any("repair_wrapped_12bit" in line for line in kept.assumptions)


def test_the_command_line_mends_unless_told_not_to(run, tmp_path):
    dataset, expected = wrapped()
    file = save(dataset, tmp_path / "a.dcm")
    for options, values in (([], expected), (["--keep-wrapped-12bit"], STORED.astype(np.float32))):
        done = run("convert", file, tmp_path / "a.nii.gz", *options)
        assert done.returncode == 0, done.stderr
        assert ("repair_wrapped_12bit" in done.stdout + done.stderr) is not bool(options)
        np.testing.assert_array_equal(ichdet.read_study(tmp_path / "a.nii.gz").stack.hu[0], values)
        (tmp_path / "a.nii.gz").unlink()


@pytest.fixture(scope="module")
def heads(run, tmp_path_factory):
    """Two heads of 64 x 64 pixels and 6 slices to learn from, one to select by, and their manifest."""
    folder = tmp_path_factory.mktemp("heads")
    lines = ["study,scan,mask,split,any"]
    for seed, split in enumerate(["train", "train", "select"]):
        small_training.phantom(run, folder / f"head{seed}", seed, "none" if seed == 1 else "iph:40")
        lines.append(f"head{seed},head{seed}/dicom,head{seed}/truth.nii.gz,{split},")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("variant", ["e1", "e2", "e3", "e4"])
def test_a_trained_recipe_classifies_as_its_training_validated(run, heads, variant, tmp_path):
    """A few steps with a small network: the loss on the split that chose the weights, from classify's probabilities."""
    recipe = small_recipe(variant, 64)
    recipe["training"] |= {"steps": 4, "batch": 6, "schedule": {"name": "constant"}, "precision": "float32",
                           "sampling": {"balance": "undersampled", "images": 6},
                           "validate": {"every": 2, "split": "select"}}
    del recipe["training"]["epochs"]
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    made = train.train(str(tmp_path / "recipe.yaml"), tmp_path / "out", data=[heads / "manifest.csv"], threads=1,
                       mask_classes={value: int(0 < value < 6) for value in range(7)})
    done = run("classify", heads / "head2" / "dicom", "--bundle", made["bundle"], "--out", tmp_path / "result",
               "--all-slices", "--no-heat-maps", "--json", "--threads", 1)
    assert done.returncode == 0, done.stderr
    slices = json.loads(done.stdout)["slices"]
    found = np.array([s.get("raw_probability", s["probability"]) for s in slices])
    blood = np.isin(np.asarray(nibabel.load(heads / "head2" / "truth.nii.gz").dataobj), range(1, 6)).any(axis=(0, 1))
    assert 0 < blood.sum() < 6
    loss = -np.log(np.where(blood, found, 1 - found)).mean()
    assert loss == pytest.approx(made["best"]["validation/loss"], rel=2e-4)
