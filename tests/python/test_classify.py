"""Classifiers of slices and exams: the whole chain against pydicom, NumPy, effdet, timm and grad-cam, stage by stage."""

import ichdet
import nibabel
import numpy as np
import oracles  # noqa: F401
import pydicom
import pytest
import timm
import torch
import torch.nn.functional as F
import yaml
from oracle_networks import EfficientClassification, MobileNetLSTM, trained
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from safetensors.torch import save_file

from ichdet.nn import ExamClassifier, SliceClassifier, make_bundle

SLICES = 5


@pytest.fixture(scope="module")
def dicom(ichdet, tmp_path_factory):
    """A phantom of 512 x 512 and 5 slices, as DICOM files."""
    import subprocess

    folder = tmp_path_factory.mktemp("classify") / "phantom"
    subprocess.run(
        [ichdet, "phantom", "--out", folder, "--slices", str(SLICES), "--hemorrhage", "iph:25", "--quiet"], check=True
    )
    return folder / "dicom"


@pytest.fixture(scope="module")
def hu(dicom):
    """(slice, row, column) from the feet up, by pydicom."""
    files = sorted((pydicom.dcmread(f) for f in dicom.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))
    return np.stack([f.pixel_array * float(f.RescaleSlope) + float(f.RescaleIntercept) for f in files]).astype("f4")


@pytest.fixture(scope="module")
def stack(dicom):
    return ichdet.read_study(dicom).stack


def png_levels(hu, low, high):
    return ((np.clip(hu, low, high) - np.float32(low)) / np.float32(high - low) * np.float32(255)).astype(np.uint8)


def s1_images(hu):
    """As S1: windows to 8 bits, then ToTensor and Normalize(0.5, 0.5)."""
    levels = np.stack([png_levels(hu, *w) for w in ((0, 80), (-20, 180), (-150, 230))], 1)
    return (torch.from_numpy(levels).to(torch.float32).div(255) - 0.5) / 0.5


def recipe(folder, name="test", **changes):
    """A YAML file: ResNet-18 on one window of 64 x 64, changed as told."""
    content = {
        "recipe": 1,
        "name": name,
        "title": "a test",
        "citation": "none",
        "task": "slice classification",
        "architecture": {"name": "ResNet18", "options": {"in_chans": 1, "num_classes": 2}},
        "input": {
            "size": [64, 64],
            "orientation": "LPS",
            "fit": "resize",
            "levels": "float",
            "channels": [{"clip_hu": [0, 80], "mean": 0.4, "std": 0.25}],
        },
        "classes": [{"name": "none", "blood": False}, {"name": "hemorrhage", "blood": True}],
        "output": {"activation": "softmax"},
        "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5},
        "heat_map": {"method": "grad-cam", "aug_smooth": False, "eigen_smooth": False},
    }
    for key, value in changes.items():
        content[key] = {**content[key], **value} if isinstance(value, dict) and key == "input" else value
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def bundle(folder, recipe_file, model, name="bundle"):
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / f"{name}.safetensors")
    make_bundle(str(recipe_file), folder / name, weights=folder / f"{name}.safetensors", name=name)
    return folder / name


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A ResNet-18 of ours and of timm with the same weights: (bundle, module)."""
    folder = tmp_path_factory.mktemp("resnet")
    model = trained(timm.create_model("resnet18", in_chans=1, num_classes=2), torch.randn(8, 1, 64, 64), seed=4)
    return bundle(folder, recipe(folder), model), model


def small(stack, rows=64, columns=64, step=4):
    """A stack of other numbers of pixels, from the middle, every `step`th pixel of the phantom's."""
    top, left = (512 - rows * step) // 2, (512 - columns * step) // 2
    hu = stack.hu[:, top : top + step * rows : step, left : left + step * columns : step]
    planes = stack.geometry.planes
    for plane in planes:
        plane.column_spacing_mm *= step
        plane.row_spacing_mm *= step
    return ichdet.SliceStack(ichdet.SliceGeometry(planes, rows, columns), np.ascontiguousarray(hu))


# --- S1 as a whole ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s1(hu, tmp_path_factory):
    folder = tmp_path_factory.mktemp("s1")
    model = trained(EfficientClassification(), s1_images(hu[::2]), seed=1)
    with torch.no_grad():  # spread the answers over both sides of the threshold, P = 0.8 amid two of them
        logits = model(s1_images(hu))
        difference = logits[:, 1] - logits[:, 0]
        scale = 2 / difference.std()
        shift = np.log(4) - (scale * difference).sort().values[2:4].mean()
        model.resnet.fc.weight *= scale
        model.resnet.fc.bias *= scale
        model.resnet.fc.bias[1] += shift
        expected = (scale * difference + shift).sigmoid().numpy()
    weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(weights, folder / "s1.safetensors")
    make_bundle("s1", folder / "bundle", weights=folder / "s1.safetensors", name="s1-test")
    return folder / "bundle", expected


def test_s1_images_are_numpys_bit_for_bit(s1, stack, hu):
    np.testing.assert_array_equal(SliceClassifier([s1[0]]).images(stack), s1_images(hu).numpy())


def test_s1_from_dicom_to_patient(s1, stack):
    folder, expected = s1
    classifier = SliceClassifier([folder], engine="torch")
    assert expected.std() > 0.05 and (expected > 0.8).any() and (expected < 0.8).any()
    result = classifier(stack)
    found = np.array([s.probability for s in result.slices])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    positive = int((expected > 0.8).sum())
    assert result.decision.positive is (positive >= max(1, round(0.1 * SLICES)))
    assert result.decision.rule.startswith(f"{positive} of {SLICES} slices above 0.8; 1 or more (10 %)")
    assert result.classes == ["no hemorrhage", "hemorrhage"]
    assert result.slices[0].classes[1] == pytest.approx(found[0], abs=1e-7)
    assert result.trust.ok and all(s.computed for s in result.slices)


def test_s1_by_the_fastest_engine(s1, stack):
    """Own kernels split float32 in two bfloat16 numbers; these logits were spread, errors and all, to tell slices apart."""
    folder, expected = s1
    found = np.array([s.probability for s in SliceClassifier([folder])(stack).slices])
    np.testing.assert_allclose(found, expected, atol=5e-4)


# --- what a network reads -----------------------------------------------------------------------------------------------


def reading(tmp_path, stack, **input_):
    """What a bundle with this input reads of a stack."""
    channels = len(input_.get("channels", [0]))
    file = recipe(tmp_path, input=input_,
                  architecture={"name": "ResNet18", "options": {"in_chans": channels, "num_classes": 2}})
    if not (tmp_path / "made").exists():
        make_bundle(str(file), tmp_path / "made", untrained=1)
    return SliceClassifier([tmp_path / "made"]).images(stack)


def normalised(window):
    return (window - 0.4) / 0.25


@pytest.mark.parametrize("rows,columns", [(90, 90), (40, 70), (70, 40)])
def test_other_sizes_are_resized_with_antialiasing_and_padded_with_air(tmp_path, stack, rows, columns):
    part = small(stack, rows, columns)
    factor = min(64 / rows, 64 / columns)
    size = round(rows * factor), round(columns * factor)
    scaled = F.interpolate(torch.from_numpy(part.hu)[:, None], size, mode="bilinear", antialias=True)
    top, left = (64 - size[0]) // 2, (64 - size[1]) // 2
    padded = F.pad(scaled, (left, 64 - size[1] - left, top, 64 - size[0] - top), value=-1024)
    expected = normalised(padded.clamp(0, 80) / 80)
    np.testing.assert_allclose(reading(tmp_path, part), expected.numpy(), atol=1e-5)


def test_crop_at_a_spacing(tmp_path, stack):
    part = small(stack, 90, 80)
    spacing = part.geometry.planes[0].row_spacing_mm
    size = round(90 * spacing / 2), round(80 * spacing / 2)
    assert size[0] > 64 and size[1] > 64
    scaled = F.interpolate(torch.from_numpy(part.hu)[:, None], size, mode="bilinear", antialias=True)
    top, left = int((size[0] - 64) / 2), int((size[1] - 64) / 2)
    expected = normalised(scaled[..., top : top + 64, left : left + 64].clamp(0, 80) / 80)
    np.testing.assert_allclose(reading(tmp_path, part, fit="crop", spacing_mm=2), expected.numpy(), atol=1e-5)


def test_hu_are_clipped_before_they_are_resized(tmp_path, stack):
    part = small(stack, 90, 90)
    channels = [{"clip_hu": [0, 80], "mean": 0, "std": 1}, {"clip_hu": [20, 70], "mean": 0, "std": 1}]
    found = reading(tmp_path, part, channels=channels, clip_hu=[0, 80])
    scaled = F.interpolate(torch.from_numpy(part.hu)[:, None].clamp(0, 80), (64, 64), mode="bilinear", antialias=True)
    np.testing.assert_allclose(found[:, :1], scaled.numpy() / 80, atol=1e-5)
    np.testing.assert_allclose(found[:, 1:], (scaled.numpy().clip(20, 70) - 20) / 50, atol=1e-5)
    late = F.interpolate(torch.from_numpy(part.hu)[:, None], (64, 64), mode="bilinear", antialias=True).clamp(0, 80)
    assert np.abs(found[:, :1] - late.numpy() / 80).max() > 0.1


def test_windows_lie_within_what_is_kept(tmp_path, stack):
    with pytest.raises(ichdet.Error, match="/input/channels/0/clip_hu: expected a window within input's clip_hu"):
        reading(tmp_path, small(stack), clip_hu=[0, 70])


@pytest.mark.parametrize("rows,columns", [(0, 0), (-40, 25), (31, -60)])
def test_a_crop_follows_the_head(tmp_path, stack, rows, columns):
    """As many pixels of air as the head is moved by: the images stay the same, bit for bit."""
    part = small(stack, 64, 64, 8)
    planes = [ichdet.SlicePlane() for _ in range(5)]
    for i, plane in enumerate(planes):
        plane.position_mm, plane.row_spacing_mm, plane.column_spacing_mm = [0, 0, 5 * i], 4, 4
    hu = np.full((5, 256, 256), -1000, np.float32)
    hu[:, 96 + rows : 160 + rows, 96 + columns : 160 + columns] = part.hu
    moved = ichdet.SliceStack(ichdet.SliceGeometry(planes, 256, 256), hu)
    found = reading(tmp_path, moved, fit="crop", spacing_mm=4, centre="head")
    dense = part.hu.max(axis=0) > -250
    top, left = ((np.flatnonzero(dense.any(axis=a))[[0, -1]].sum() + 1) / 2 - 32 for a in (1, 0))
    best = min(np.abs(found[:, 0] - normalised(np.clip(np.roll(part.hu, (-dy, -dx), (1, 2)), 0, 80) / 80)).max()
               for dy in range(int(top) - 1, int(top) + 3) for dx in range(int(left) - 1, int(left) + 3))
    assert best < 1e-6


@pytest.mark.parametrize("spacing,step", [(5, 1), (4.9, 1), (2, 2), (1, 5), (8, 1)])
def test_thin_slices_are_averaged_and_neighbours_keep_their_distance(tmp_path, spacing, step):
    planes = [ichdet.SlicePlane() for _ in range(15)]
    for i, plane in enumerate(planes):
        plane.position_mm = [0, 0, spacing * i]
    hu = 30 + 20 * np.random.default_rng(1).standard_normal((15, 64, 64)).astype(np.float32)
    channels = [{"clip_hu": [0, 80], "mean": 0, "std": 1, "slice": n} for n in (-1, 0, 1)]
    found = reading(tmp_path, ichdet.SliceStack(ichdet.SliceGeometry(planes, 64, 64), hu), clip_hu=[0, 80], slice_mm=5,
                    channels=channels)
    # Each slice reaches half way to the next; the mean over 5 mm, from 50 samples.
    at = spacing * np.arange(15)[:, None] + (np.arange(50) + 0.5) / 10 - 2.5
    index = np.floor(at / spacing + 0.5).astype(int)
    seen = ((index >= 0) & (index <= 14))[..., None, None]
    mean = (np.clip(hu, 0, 80)[index.clip(0, 14)] * seen).sum(axis=1) / seen.sum(axis=1) / 80
    if spacing > 4.5:
        mean = np.clip(hu, 0, 80) / 80
    for channel, n in enumerate((-step, 0, step)):
        np.testing.assert_allclose(found[:, channel], mean[(np.arange(15) + n).clip(0, 14)], atol=1e-5)


def test_neighbours_levels_and_the_brain(tmp_path, stack):
    part = small(stack, step=8)
    channels = [
        {"clip_hu": [0, 80], "mean": 0, "std": 1, "slice": -1},
        {"clip_hu": [-20, 180], "mean": 0.5, "std": 0.5},
        {"clip_hu": [0, 80], "mean": 0, "std": 1, "slice": 1},
        {"clip_hu": [0, 80], "mean": 0, "std": 1, "brain": True},
    ]
    found = reading(tmp_path, part, channels=channels, levels="nearest")
    grey = np.floor(np.clip(part.hu, 0, 80) / 80 * 255 + 0.5) / 255
    wide = np.floor((np.clip(part.hu, -20, 180) + 20) / 200 * 255 + 0.5) / 255
    np.testing.assert_allclose(found[:, 0], grey[[0, 0, 1, 2, 3]], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], (wide - 0.5) / 0.5, atol=1e-6)
    np.testing.assert_allclose(found[:, 2], grey[[1, 2, 3, 4, 4]], atol=1e-6)
    mask = ichdet.brain_mask(ichdet.Volume(part.hu, part.geometry.nominal())) != 0
    assert mask.any() and not mask.all()
    np.testing.assert_allclose(found[:, 3], np.where(mask, grey, 0), atol=1e-6)


def test_slices_that_lie_otherwise_are_turned_upright(resnet, stack):
    part = small(stack)
    classifier = SliceClassifier([resnet[0]])
    expected = classifier.images(part)
    turned = part.geometry.planes
    for plane in turned:  # from the lower right corner, columns first
        plane.position_mm = plane.position_mm + 63 * np.array([plane.column_spacing_mm, plane.row_spacing_mm, 0])
        plane.along_row, plane.along_column = [0, -1, 0], [-1, 0, 0]
    geometry = ichdet.SliceGeometry(turned[::-1], 64, 64)
    hu = np.ascontiguousarray(part.hu[::-1, ::-1, ::-1].transpose(0, 2, 1))
    np.testing.assert_array_equal(classifier.images(ichdet.SliceStack(geometry, hu)), expected[::-1])


# --- probabilities, ensembles, exams, heat maps ---------------------------------------------------------------------------


def test_slices_without_head_are_not_computed(resnet, stack):
    part = small(stack)
    hu = part.hu.copy()
    hu[4] = -1000
    cut = ichdet.SliceStack(part.geometry, hu)
    result = SliceClassifier([resnet[0]])(cut)
    assert [s.computed for s in result.slices] == [True] * 4 + [False]
    assert result.slices[4].probability == 0 and result.slices[4].classes == []
    assert any("1 of 5 slices show no head" in a for a in result.assumptions)
    everything = SliceClassifier([resnet[0]], skip_empty=False, batch=2)(cut)
    assert all(s.computed for s in everything.slices) and everything.slices[4].probability > 0
    np.testing.assert_allclose([s.probability for s in everything.slices[:4]],
                               [s.probability for s in result.slices[:4]], atol=1e-6)


def test_an_ensemble_of_sigmoids_is_their_mean(tmp_path, stack):
    part = small(stack)
    names = ["any", "epidural", "subdural"]
    file = recipe(
        tmp_path,
        architecture={"name": "ResNet18", "options": {"in_chans": 1, "num_classes": 3}},
        classes=[{"name": n, "blood": n == "any"} for n in names],
        output={"activation": "sigmoid"},
    )
    models = [trained(timm.create_model("resnet18", in_chans=1, num_classes=3), torch.randn(8, 1, 64, 64), seed=i)
              for i in range(3)]
    classifier = SliceClassifier([bundle(tmp_path, file, model, f"m{i}") for i, model in enumerate(models)])
    with torch.no_grad():
        x = torch.from_numpy(classifier.images(part))
        expected = torch.stack([model(x).sigmoid() for model in models]).mean(0).numpy()
    np.testing.assert_allclose(classifier.probabilities(x.numpy()), expected, atol=1e-4)
    np.testing.assert_allclose([s.probability for s in classifier.scores(part)], expected[:, 0], atol=1e-4)
    assert len(classifier(part).bundles) == 3


def test_members_that_differ_are_no_ensemble(tmp_path, resnet):
    file = recipe(tmp_path, "other", input={"size": [32, 32]})
    make_bundle(str(file), tmp_path / "other", untrained=1)
    with pytest.raises(ichdet.Error, match="differ in what they make of a slice"):
        SliceClassifier([resnet[0], tmp_path / "other"])


def exam_images(stack, count):
    z = np.array([p.position_mm[2] for p in stack.geometry.planes])
    at = np.linspace(z[0], z[-1], count)
    flat = stack.hu.reshape(len(z), -1)
    below = np.clip(np.searchsorted(z, at, "right") - 1, 0, len(z) - 2)
    weight = ((at - z[below]) / (z[below + 1] - z[below]))[:, None]
    return (flat[below] * (1 - weight) + flat[below + 1] * weight).reshape(count, *stack.hu.shape[1:])


@pytest.fixture(scope="module")
def exam(stack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exam")
    part = small(stack)
    channels = [{"clip_hu": w, "mean": 0.5, "std": 0.5} for w in ([0, 80], [-20, 180], [-1000, 2000])]
    file = recipe(
        folder,
        task="exam classification",
        architecture={"name": "MobileNetLSTM", "options": {}},
        input={"channels": channels, "exam_slices": 7},
        classes=[{"name": "hemorrhage", "blood": True}, {"name": "none", "blood": False},
                 {"name": "other", "blood": False}],
        decision={"case_threshold": 0.3},
    )
    images = exam_images(part, 7)
    x = torch.from_numpy(np.stack(
        [((np.clip(images, *w["clip_hu"]) - w["clip_hu"][0]) / (w["clip_hu"][1] - w["clip_hu"][0]) - 0.5) / 0.5
         for w in channels], 1).astype("f4"))[None]
    model = trained(MobileNetLSTM(), x, seed=2)
    return ExamClassifier([bundle(folder, file, model)]), model, x, part


def test_an_exam_is_resliced_and_read_as_a_whole(exam):
    classifier, model, x, part = exam
    np.testing.assert_allclose(classifier.images(part), x.numpy(), atol=2e-4)
    with torch.no_grad():
        expected = model(x).softmax(1).numpy()[0]
    result = classifier(part)
    np.testing.assert_allclose(result.class_probabilities, expected, atol=1e-4)
    assert result.decision.probability == pytest.approx(expected[0], abs=1e-4)
    assert result.decision.positive is bool(expected[0] > 0.3) and result.slices == []


def test_the_best_images_of_an_exam_are_those_with_the_most_evidence(exam):
    classifier, model, x, part = exam
    features = model.forward_features(x).detach().requires_grad_()
    model.forward_head(features)[0, 0].backward()
    weights = features.grad[0].mean((2, 3), keepdim=True)
    evidence = (weights * features.detach()[0]).sum(1).clamp_min(0).sum((1, 2))
    share = (evidence / evidence.sum()).numpy()
    best = classifier.best_images(part, 3)
    order = np.argsort(-share, kind="stable")[:3]
    np.testing.assert_allclose([b.position for b in best], order * (SLICES - 1) / 6, atol=1e-6)
    np.testing.assert_allclose([b.share for b in best], share[order], rtol=1e-3)
    assert best[0].map.shape == part.hu.shape[1:] and best[0].map.max() <= 1


def test_heat_maps_are_grad_cams(resnet, stack):
    part = small(stack)
    classifier = SliceClassifier([resnet[0]])
    x = torch.from_numpy(classifier.images(part, [1, 3]))
    with GradCAM(resnet[1], [resnet[1].layer4[-1]]) as cam:
        expected = cam(x, [ClassifierOutputTarget(1)] * 2, aug_smooth=True)
    found = classifier.heat_maps(part, [1, 3], aug_smooth=True, eigen_smooth=False)
    assert list(found) == [1, 3]
    np.testing.assert_allclose(np.stack([found[1], found[3]]), expected, atol=1e-4)


def test_maps_return_to_the_slices_own_pixels(resnet, stack):
    part = small(stack, 90, 60)
    found = SliceClassifier([resnet[0]]).heat_maps(part, [2], aug_smooth=False, eigen_smooth=False)[2]
    assert found.shape == (90, 60) and 0 <= found.min() and found.max() <= 1 + 1e-6


def test_weights_that_do_not_fit_are_refused_and_nothing_is_left(tmp_path):
    save_file(timm.create_model("resnet18", in_chans=3, num_classes=2).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(ichdet.Error, match="conv1.weight"):
        make_bundle(str(recipe(tmp_path)), tmp_path / "b", weights=tmp_path / "w.safetensors")
    assert not (tmp_path / "b").exists() and not (tmp_path / "b.partial").exists()


def test_an_untrained_bundle_says_so_and_is_the_same_again(tmp_path, stack):
    part = small(stack)
    for name in ("a", "b"):
        make_bundle(str(recipe(tmp_path)), tmp_path / name, untrained=9)
    assert (tmp_path / "a" / "bundle.json").read_bytes() == (tmp_path / "b" / "bundle.json").read_bytes()
    result = SliceClassifier([tmp_path / "a"])(part)
    assert not result.trust.ok and "UNTRAINED" in result.trust.reasons[0]
    assert np.std([s.probability for s in result.slices]) > 1e-3  # it depends on the slice all the same


def test_nifti_reads_as_the_same_slices(resnet, stack, tmp_path):
    part = small(stack)
    affine = np.diag([-1.0, -1, 1, 1]) @ np.array(part.geometry.nominal().affine)
    image = nibabel.Nifti1Image(part.hu.transpose(2, 1, 0)[::-1], affine @ np.array(
        [[-1, 0, 0, 63], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    nibabel.save(image, tmp_path / "x.nii.gz")
    classifier = SliceClassifier([resnet[0]])
    again = ichdet.read_study(tmp_path / "x.nii.gz").stack
    np.testing.assert_allclose(classifier.images(again), classifier.images(part), atol=1e-5)
