"""S3's procedure against the same steps in plain PyTorch and NumPy: maps of 2D networks, their weights, the slices."""

from pathlib import Path

import ichdet
import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from oracle_inception import InceptionUNet
from oracle_segmenters import settled
from safetensors.torch import save_file

from ichdet.nn import SliceSegmenter, make_bundle

MEMBERS, SIZE = 3, 64
WINDOWS = [(20, 60), (0, 80), (-1000, 2000)]


def published(name):
    return yaml.safe_load((Path(__file__).parents[2] / "recipes" / f"{name}.yaml").read_text())


def recipe(folder, of, **changes):
    """The published one's YAML, made small."""
    found = published(of)
    found.update(changes)
    file = folder / f"{found['name']}.yaml"
    file.write_text(yaml.safe_dump(found))
    return file


class Weigher(torch.nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.convs = torch.nn.ModuleList()
        for into, out in [(maps, 8), (8, 8)]:
            unit = torch.nn.Module()
            unit.conv = torch.nn.Conv2d(into, out, 3, 2, 1, bias=False)
            unit.norm = torch.nn.BatchNorm2d(out)
            self.convs.append(unit)
        self.fc = torch.nn.Linear(8, maps)

    def forward(self, x):
        for unit in self.convs:
            x = torch.relu(unit.norm(unit.conv(x)))
        return self.fc(x.mean((2, 3)))


@pytest.fixture(scope="module")
def stack():
    """A coarse phantom of 64 x 64 pixels with blood and, around the head, slices of air."""
    made = ichdet.phantom(rows=SIZE, columns=SIZE, pixel_mm=3.6, slices=7, thickness_mm=22, subsamples=1).stack
    hu = made.hu.copy()
    hu[-1] = -1000
    return ichdet.SliceStack(made.geometry, hu)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """Three members and their weight model: ([bundle], [module]), (bundle, module)."""
    folder = tmp_path_factory.mktemp("s3")
    options = {"in_channels": 4, "num_classes": 2, "filters": [8, 8, 12]}
    ours = published("s3_weighted_ensemble")
    file = recipe(
        folder,
        "s3_weighted_ensemble",
        name="member",
        architecture={"name": "InceptionUNet", "options": options},
        input={**ours["input"], "size": [SIZE, SIZE]},
    )
    bundles, modules = [], []
    for seed in range(MEMBERS):
        module = settled(InceptionUNet(4, 2, options["filters"]), torch.randn(4, 4, SIZE, SIZE), seed)
        save_file({k: v.contiguous() for k, v in module.state_dict().items()}, folder / f"{seed}.safetensors")
        make_bundle(str(file), folder / f"member{seed}", weights=folder / f"{seed}.safetensors", name=f"member{seed}")
        bundles.append(folder / f"member{seed}")
        modules.append(module)
    weigher = settled(Weigher(MEMBERS), torch.rand(6, MEMBERS, SIZE, SIZE), 9)
    save_file(weigher.state_dict(), folder / "weigher.safetensors")
    file = recipe(
        folder,
        "s3_weight_model",
        name="weigher",
        architecture={
            "name": "WeightModel",
            "options": {"in_chans": MEMBERS, "num_classes": MEMBERS, "filters": [8, 8]},
        },
        classes=[{"name": name, "blood": True} for name in "abc"],
    )
    make_bundle(str(file), folder / "weigher", weights=folder / "weigher.safetensors", name="weigher")
    return (bundles, modules), (folder / "weigher", weigher)


@pytest.fixture(scope="module")
def expected(stack, ensemble):
    """Images, maps and weights of all slices."""
    (bundles, modules), (_, weigher) = ensemble
    images = SliceSegmenter(bundles).images(stack, list(range(len(stack.hu))))
    with torch.no_grad():
        x = torch.from_numpy(images)
        maps = torch.stack([torch.softmax(module(x), 1)[:, 1] for module in modules], 1)
        weights = torch.softmax(weigher(maps), 1)
    return images, maps.numpy(), weights.numpy()


def test_images_are_three_windows_and_the_brain_alone(stack, expected):
    images, hu = expected[0], np.maximum(stack.hu, -1024)
    for channel, (low, high) in enumerate(WINDOWS):
        shown = (np.clip(hu, low, high) - low) / (high - low)
        np.testing.assert_allclose(images[:, channel], (shown - 0.5) / 0.5, atol=1e-5)
    brain, whole = images[:, 3], images[:, 1]
    assert ((brain == whole) | (brain == -1)).all() and 0.02 < (brain != whole).mean() < 0.6


def test_maps_and_weights_are_the_networks(stack, ensemble, expected):
    (bundles, _), (weigher, _) = ensemble
    images, maps, weights = expected
    segmenter = SliceSegmenter(bundles, weigher, engine="torch")
    np.testing.assert_allclose(segmenter.maps(images), maps, atol=1e-5)
    np.testing.assert_allclose(segmenter.weights(maps), weights, atol=1e-5)
    assert weights.std(0).max() > 1e-3, "the weight model gives every slice the same"


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("given", [None, [0, 2, 0], [1, 1, 2], "learned"])
def test_the_weighted_sum_is_the_slice_s_map(given, batch, stack, ensemble, expected):
    (bundles, _), (weigher, _) = ensemble
    _, maps, learned = expected
    fixed = [1, 1, 1] if given in (None, "learned") else given
    weights = learned if given == "learned" else np.tile(np.array(fixed) / sum(fixed), (7, 1))
    segmenter = SliceSegmenter(
        bundles,
        weigher if given == "learned" else None,
        weights=[] if given in (None, "learned") else given,
        engine="torch",
        batch=batch,
        skip_empty=False,
    )
    found = segmenter(stack)
    blood = np.einsum("smrc,sm->src", maps, weights)
    np.testing.assert_allclose(found.blood, blood, atol=1e-5)
    np.testing.assert_allclose(np.array(found.weights), weights, atol=1e-5)
    labels = np.asarray(found.detection.labels.labels)
    np.testing.assert_array_equal(labels, found.blood > 0.5)
    assert 0 < labels.mean() < 1
    result = found.detection.result
    slices = [s.probability for s in result.slices]
    np.testing.assert_allclose(slices, blood.reshape(7, -1).max(1), atol=1e-5)
    assert result.decision.probability == max(slices) and result.decision.positive == (max(slices) > 0.5)
    spacing = [p.column_spacing_mm * p.row_spacing_mm for p in stack.geometry.planes]
    volume = sum(area * labels[k].sum() * 22 / 1000 for k, area in enumerate(spacing))
    assert result.volumes_ml["hemorrhage"] == pytest.approx(volume, rel=1e-4)
    asked = ["member0", "member1", "member2"] + (["weigher"] if given == "learned" else [])
    assert [b.name for b in result.bundles] == asked


def test_slices_without_head_are_left_alone(stack, ensemble):
    (bundles, _), (weigher, _) = ensemble
    found = SliceSegmenter(bundles, weigher)(stack)
    assert found.weights[-1] == [] and found.blood[-1].max() == 0
    result = found.detection.result
    assert result.slices[-1].probability == 0 < result.slices[3].probability and found.weights[3]
    assert any("show no head" in text for text in result.assumptions)


def test_other_sizes_return_to_the_slice_s_own_pixels(ensemble):
    (bundles, modules), _ = ensemble
    fine = ichdet.phantom(rows=96, columns=128, pixel_mm=2, slices=3, thickness_mm=40, subsamples=1).stack
    segmenter = SliceSegmenter(bundles[:1], engine="torch", skip_empty=False)
    found = segmenter(fine)
    assert found.blood.shape == (3, 96, 128)
    with torch.no_grad():
        maps = torch.softmax(modules[0](torch.from_numpy(segmenter.images(fine, [0, 1, 2]))), 1)[:, 1:]
    inner = maps[:, :, 8:56]  # 96 x 128 fits as 48 x 64, in the middle
    back = F.interpolate(inner, (96, 128), mode="bilinear")[:, 0].numpy()
    np.testing.assert_allclose(found.blood, back, atol=1e-5)


def test_the_result_is_a_detection_s(stack, ensemble):
    (bundles, _), _ = ensemble
    found = SliceSegmenter(bundles, rule=ichdet.CaseRule(kind="top-mean", slice_threshold=0.5, top=2))(stack)
    result = found.detection.result
    slices = sorted(s.probability for s in result.slices)
    assert result.decision.probability == pytest.approx(np.mean(slices[-2:]))
    assert result.labels == {1: "hemorrhage"} and "hemorrhage" in str(found.detection)
    assert all(lesion.volume_ml >= 0.1 for lesion in result.lesions)


def test_what_does_not_belong_together_is_refused(ensemble, tmp_path):
    (bundles, _), (weigher, _) = ensemble
    for call, message in [
        (lambda: SliceSegmenter([]), "no bundle was given"),
        (lambda: SliceSegmenter(bundles, weights=[1, 2]), "weights: expected 3, one for each member, found 2"),
        (lambda: SliceSegmenter(bundles, weights=[1, -1, 1]), "weights: expected numbers of 0 or more"),
        (lambda: SliceSegmenter(bundles, weights=[0, 0, 0]), "weights: expected numbers of 0 or more"),
        (lambda: SliceSegmenter(bundles[:2], weigher), "maps that it weighs: expected 2, one for each member, found 3"),
        (lambda: SliceSegmenter([weigher]), "expected a bundle for slice segmentation, found one for map weights"),
        (lambda: SliceSegmenter(bundles, bundles[0]), "a bundle for map weights, found one for slice segmentation"),
        (lambda: ichdet.nn.SliceClassifier(bundles[:1]), "one for slice segmentation (SliceSegmenter)"),
        (lambda: SliceSegmenter(bundles, min_lesion_ml=-1), "min_lesion_ml: expected 0 or more"),
        (lambda: SliceSegmenter(bundles, batch=0), "batch: expected at least 1"),
    ]:
        with pytest.raises(ichdet.Error) as error:
            call()
        assert message in str(error.value)


def test_untrained_bundles_of_both_recipes(stack, tmp_path):
    ours = published("s3_weighted_ensemble")
    options = {"in_channels": 4, "num_classes": 2, "filters": [8, 16]}
    file = recipe(
        tmp_path,
        "s3_weighted_ensemble",
        architecture={"name": "InceptionUNet", "options": options},
        input={**ours["input"], "size": [SIZE, SIZE]},
    )
    for seed in range(5):
        make_bundle(str(file), tmp_path / str(seed), untrained=seed)
    make_bundle("s3-weight-model", tmp_path / "weigher", untrained=1)
    found = SliceSegmenter([tmp_path / str(seed) for seed in range(5)], tmp_path / "weigher")(stack)
    assert found.detection.result.trust.ok is False
    inside = found.blood[2]
    assert inside.std() > 0.01, "random weights whose map does not depend on the image"
