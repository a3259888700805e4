"""Segmenter and Detector with published procedures, against the libraries that those were made with."""

import itertools
import json

import numpy as np
import pytest

nn = pytest.importorskip("ichdet.nn")
torch = pytest.importorskip("torch")
nets = pytest.importorskip("monai.networks.nets")
import ichdet  # noqa: E402
import oracle_s2  # noqa: E402
from segmentation_bundles import S2_CHANNELS, write_bundle  # noqa: E402

FLOAT32 = {"precision": "float32", "engine": "torch", "region": "everywhere"}
TINY = {"kernel_size": [[3, 3, 1], [3, 3, 3], [3, 3, 3]], "strides": [[1, 1, 1], [2, 2, 1], [2, 2, 2]],
        "filters": [4, 6, 8]}


def dynunet(seed, channels, classes, **changes):
    """MONAI's, with logits of natural size, and the options of a bundle for it."""
    torch.manual_seed(seed)
    options = {**TINY, **changes, "in_channels": channels, "out_channels": classes}
    options["upsample_kernel_size"] = options["strides"][1:]
    network = nets.DynUNet(3, norm_name=("INSTANCE", {"affine": True}), res_block=True, trans_bias=True, **options).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.uniform_(-0.3, 0.3)
                if name.endswith("norm1.weight") or name.endswith("norm2.weight"):
                    parameter += 1
    return network, {**options, "norm": "instance", "res_block": True, "trans_bias": True, "deep_supervision": False}


def shift_to(network, logits_of, images, blood_voxels):
    """Moves the last bias so that about so many voxels of the images are blood."""
    with torch.no_grad():
        logits = logits_of(network, images)[0]
        lead = (logits[1] - logits[0]).flatten()
        network.output_block.conv.conv.bias[1] -= torch.topk(lead, blood_voxels).values[-1]


@pytest.fixture(scope="module")
def phantom():
    return ichdet.phantom(seed=3, rows=112, columns=96, pixel_mm=1.7, slices=15, thickness_mm=6, subsamples=1,
                          hemorrhages=[ichdet.Hemorrhage("iph", 20)]).stack


@pytest.fixture(scope="module")
def volume(phantom):
    """On S2's grid."""
    return ichdet.resample_to(phantom, ichdet.segmentation_grid(phantom.geometry, [1, 1, 3]))


ROI, RESCUE_ROI = (64, 64, 16), (32, 48, 16)  # x, y, z


def s2_members(folder, networks):
    procedure = {"crop": "foreground", "merge": "logits", "inversion": "probabilities",
                 "rescue": {"below_ml": 0.1, "patch": RESCUE_ROI[::-1], "overlap": 0.25, "flips": [["y"], ["z"]],
                            "vote": "union"}}
    return [write_bundle(folder / f"member{i}", network, "DynUNet", options,
                         input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                         patch={"input": ROI[::-1], "output": ROI[::-1], "step": 0, "padding": "zero", "overlap": 0.5},
                         procedure=procedure) for i, (network, options) in enumerate(networks)]


@pytest.fixture(scope="module")
def s2(tmp_path_factory, volume):
    """Two networks of different form: the first one finds blood, the second one some 20 voxels of it at first."""
    networks = [dynunet(1, 3, 2), dynunet(2, 3, 2, filters=[6, 6, 10], kernel_size=[[3, 3, 3]] * 3)]
    image = oracle_s2.MetaTensor(torch.from_numpy(volume.hu.transpose(2, 1, 0).copy())[None],
                                 affine=np.diag([-1., -1., 1., 1.]) @ volume.geometry.affine)
    images = oracle_s2.before((1., 1., 3.), "RAS")({"image": image})["image"].as_tensor()[None]
    for (network, _), voxels in zip(networks, (20000, 20)):
        shift_to(network, lambda n, x: oracle_s2.look(x, n, ROI, 0.5), images, voxels)
    bundles = s2_members(tmp_path_factory.mktemp("s2"), networks)
    return [network for network, _ in networks], bundles


def dice(a, b):
    return 2 * np.logical_and(a, b).sum() / max(1, a.sum() + b.sum())


def test_s2_on_its_own_grid(s2, volume):
    networks, bundles = s2
    labels, probabilities, volumes = oracle_s2.segment(volume.hu, volume.geometry.affine, networks[:1], roi=ROI,
                                                       rescue_roi=RESCUE_ROI)
    found = nn.Segmenter(bundles[:1], **FLOAT32)(volume)
    assert len(probabilities) == 1 and volumes[0] > 10 and not found.assumptions
    np.testing.assert_allclose(found.probabilities[1], probabilities[0], atol=1e-4)
    assert (found.probabilities.argmax(0) != labels).sum() <= 2


def test_s2_mean_of_two_networks(s2, volume):
    networks, bundles = s2
    changed = []
    for bundle in bundles:  # a rescue that is never needed
        spec = json.loads((bundle / "bundle.json").read_text())
        spec["procedure"]["rescue"]["below_ml"] = 1e-9
        other = bundle.with_name(bundle.name + "-never")
        other.mkdir()
        for file in ("weights.safetensors", "LICENSE"):
            (other / file).write_bytes((bundle / file).read_bytes())
        (other / "bundle.json").write_text(json.dumps(spec))
        changed.append(other)
    _, probabilities, _ = oracle_s2.segment(volume.hu, volume.geometry.affine, networks, roi=ROI, rescue_roi=RESCUE_ROI,
                                            below_ml=0)
    found = nn.Segmenter(changed, **FLOAT32)(volume)
    np.testing.assert_allclose(found.probabilities[1], probabilities[0], atol=1e-4)


def test_s2_rescue_and_union(s2, volume):
    networks, bundles = s2
    labels, probabilities, volumes = oracle_s2.segment(volume.hu, volume.geometry.affine, networks, roi=ROI,
                                                       rescue_roi=RESCUE_ROI)
    assert volumes[0] > 10 and 0 < volumes[1] < 0.1 and len(probabilities) == 4
    found = nn.Segmenter(bundles, **FLOAT32)(volume)
    assert len(found.assumptions) == 1 and "looked again" in found.assumptions[0]
    np.testing.assert_allclose(found.probabilities[1], np.max(probabilities, axis=0), atol=1e-4)
    assert (found.probabilities.argmax(0) != labels).sum() <= 4
    assert labels.sum() > np.sum(probabilities[0] > 0.5) + 5  # the union adds something


def test_s2_from_slices_to_slices(s2, phantom):
    """MONAI resamples to 1 x 1 x 3 mm by its own interpolation; everything else is the same."""
    networks, bundles = s2
    grid = phantom.geometry
    first = grid.planes[0]
    affine = np.eye(4)
    affine[:3, 0] = np.array(first.along_row) * first.column_spacing_mm
    affine[:3, 1] = np.array(first.along_column) * first.row_spacing_mm
    affine[:3, 2] = np.array(grid.normal) * grid.nominal_gap_mm
    affine[:3, 3] = first.position_mm
    labels, probabilities, volumes = oracle_s2.segment(phantom.hu, affine, networks[:1], roi=ROI, rescue_roi=RESCUE_ROI)
    found = nn.Detector(bundles[:1], precision="float32", engine="torch", region="everywhere")(phantom)
    print("Dice", dice(found.labels.labels, labels), "mL", found.result.volumes_ml, volumes)
    assert volumes[0] > 10
    assert dice(found.labels.labels, labels) > 0.98


def nnunet_procedure(hu, network, patch, clip, mean, std, library):
    """nnU-Net 2.8's prediction: clip, z-score, zero padding, Gaussian weights, mean of logits over 8 mirrors. Its loop
    (predict_from_raw_data.py) around its own padding, steps and Gaussian, in float32."""
    x = (np.clip(hu, *clip) - mean) / std
    padded, inside = library.pad_nd_image(torch.from_numpy(x.astype("f4"))[None], patch, "constant", {"value": 0}, True, None)
    weights = library.compute_gaussian(tuple(patch), sigma_scale=1. / 8, value_scaling_factor=10, dtype=torch.float32,
                                       device=torch.device("cpu"))
    mirrors = [axes for n in range(4) for axes in itertools.combinations((2, 3, 4), n)]
    sums, total = None, torch.zeros(padded.shape[1:])
    with torch.no_grad():
        for start in itertools.product(*library.compute_steps_for_sliding_window(padded.shape[1:], patch, 0.5)):
            at = (slice(None), *(slice(i, i + n) for i, n in zip(start, patch)))
            work = padded[at][None]
            logits = sum(torch.flip(network(torch.flip(work, axes)), axes) for axes in mirrors)[0] / len(mirrors)
            sums = torch.zeros(logits.shape[0], *padded.shape[1:]) if sums is None else sums
            sums[at] += logits * weights
            total[at[1:]] += weights
    return torch.softmax((sums / total)[(slice(None), *inside[1:])], 0).numpy()


@pytest.mark.parametrize("crop,patch", [((slice(1, 26), slice(20, 110), slice(30, 121)), (16, 48, 40)),
                                        ((slice(5, 16), slice(20, 110), slice(30, 61)), (16, 48, 40))])
def test_nnunet_on_its_own_grid(volume, tmp_path, crop, patch):
    """The second volume is smaller than the patch on two axes."""
    library = pytest.importorskip("nnunetv2.inference.sliding_window_prediction")
    strides = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]
    network, options = dynunet(5, 1, 4, strides=strides, kernel_size=[[1, 3, 3], [3, 3, 3], [3, 3, 3]])
    flips = [[axis for axis, flip in zip("zyx", bits) if flip] for bits in itertools.product((0, 1), repeat=3)]
    bundle = write_bundle(
        tmp_path / "nnunet", network, "DynUNet", options, classes=["background", "a", "b", "c"],
        input={"spacing_mm": [1, 1, 3], "orientation": "LPS",
               "channels": [{"clip_hu": [-12.5, 95], "scale_to": [-12.5, 95], "mean": 33.25, "std": 17.5}]},
        patch={"input": patch, "output": patch, "step": 0, "padding": "zero", "overlap": 0.5,
               "blending": "nnunet gaussian"},
        procedure={"merge": "logits", "test_time": [{"flip": flip} for flip in flips]})
    hu = np.ascontiguousarray(volume.hu[crop])
    part = ichdet.Volume(hu, volume.geometry.crop([s.start for s in crop][::-1], hu.shape[::-1]))
    expected = nnunet_procedure(hu, network, patch, (-12.5, 95), 33.25, 17.5, library)
    found = nn.Segmenter([bundle], **FLOAT32)(part)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert found.inference.patches_skipped == 0

    lean = nn.Segmenter([bundle], **FLOAT32).label(part)
    assert (lean.labels.labels == found.probabilities.argmax(0)).all()
    p = found.probabilities
    assert (lean.blood == (p[1] + p[2]) + p[3]).all()


def test_patches_beside_the_head_are_skipped(volume, tmp_path):
    """A volume with air around it: what is computed is the same, in fewer patches."""
    network, options = dynunet(1, 3, 2)
    bundle = write_bundle(
        tmp_path / "plain", network, "DynUNet", options,
        input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
        patch={"input": [8, 24, 24], "output": [8, 24, 24], "step": 0, "padding": "zero", "overlap": 0.25,
               "blending": "monai gaussian"})
    everywhere = nn.Segmenter([bundle], **FLOAT32)(volume)
    head = nn.Segmenter([bundle], **{**FLOAT32, "region": "head"})(volume)
    assert head.inference.patches + head.inference.patches_skipped == everywhere.inference.patches
    assert head.inference.patches_skipped > 0
    print("skipped", head.inference.patches_skipped, "of", everywhere.inference.patches)
    inside = volume.hu > 0
    same = np.abs(head.probabilities[1] - everywhere.probabilities[1])[inside] < 1e-6
    assert same.mean() > 0.98  # a skipped patch had a share in the blend at the head's border


@pytest.mark.parametrize("views", [[{}, {"rotate90": {"plane": "xy", "quarter_turns": 1}}],
                                   [{}, {"flip": ["x"], "rotate90": {"plane": "yx", "quarter_turns": 2}}, {"flip": ["z"]}]])
def test_turned_views_of_a_patch(volume, tmp_path, views):
    """One patch, so that PyTorch's own flip and rot90 on (X, Y, Z) are the oracle."""
    network, options = dynunet(4, 1, 2)
    bundle = write_bundle(
        tmp_path / "turned", network, "DynUNet", options,
        input={"spacing_mm": [1, 1, 3], "orientation": "LAS", "axes": "xyz",
               "channels": [{"clip_hu": [0, 100], "scale_to": [0, 1]}]},
        patch={"input": [16, 48, 48], "output": [16, 48, 48], "step": 0, "padding": "zero"},
        procedure={"test_time": views})
    hu = np.ascontiguousarray(volume.hu[10:26, 60:108, 50:98])
    part = ichdet.Volume(hu, volume.geometry.crop([50, 60, 10], [48, 48, 16]))
    x = torch.from_numpy(np.clip(hu.transpose(2, 1, 0) / 100, 0, 1).astype("f4"))[None, None].flip(3)
    total = 0
    for view in views:
        axes = ["xyz".index(a) + 2 for a in view.get("flip", [])]
        turn = view.get("rotate90", {"plane": "xy", "quarter_turns": 0})
        plane = ["xyz".index(a) + 2 for a in turn["plane"]]
        with torch.no_grad():
            answer = torch.softmax(network(torch.rot90(x.flip(axes), turn["quarter_turns"], plane)), 1)
        total = total + torch.rot90(answer, -turn["quarter_turns"], plane).flip(axes)
    expected = (total / len(views)).flip(3)[0].numpy().transpose(0, 3, 2, 1)
    found = nn.Segmenter([bundle], **FLOAT32)(part).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_adaptive_asks_some_patches_again(volume, tmp_path):
    network, options = dynunet(1, 3, 2)
    with torch.no_grad():  # a network that is sure of most voxels
        network.output_block.conv.conv.weight *= 8
    images = torch.from_numpy(np.stack([np.clip((volume.hu - c["clip_hu"][0]) / np.diff(c["clip_hu"]), 0, 1)
                                        for c in S2_CHANNELS]).transpose(0, 3, 2, 1)[:, ::-1, ::-1].astype("f4"))[None]
    shift_to(network, lambda n, x: oracle_s2.look(x, n, ROI, 0.5), images, 300)
    patch = {"input": [16, 64, 64], "output": [16, 64, 64], "step": 0, "padding": "zero", "overlap": 0.5}
    bundle = write_bundle(tmp_path / "bleeding", network, "DynUNet", options, patch=patch,
                          input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                          procedure={"merge": "logits"})
    exact = nn.Segmenter([bundle], precision="float32", engine="torch").label(volume)
    voxels = exact.labels.labels.sum()
    assert voxels > 200
    again = {}
    for share in (1, 0.5):
        found = nn.Segmenter([bundle], precision="adaptive", engine="torch", float32_share=share).label(volume)
        same = dice(found.labels.labels == 1, exact.labels.labels == 1)
        print("share", share, "Dice", same)
        assert same > 0.98  # scattered voxels at a random network's threshold: the hardest case
        assert found.inference.patches == exact.inference.patches
        again[share] = found.inference.float32_again / found.inference.voxels
    print("asked again", again, "blood voxels", voxels)
    assert 0 < again[0.5] < again[1]

    with torch.no_grad():
        network.output_block.conv.conv.bias[1] -= 100
    clear = write_bundle(tmp_path / "clear", network, "DynUNet", options, patch=patch,
                         input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                         procedure={"merge": "logits"})
    assert nn.Segmenter([clear], precision="adaptive", engine="torch").label(volume).inference.float32_again == 0


def test_probabilities_return_to_tilted_and_uneven_slices(tmp_path):
    """Interpolated linearly at each native pixel, then the likeliest class."""
    stack = ichdet.phantom(seed=4, rows=64, columns=64, pixel_mm=3, subsamples=1, tilt_degrees=14,
                           offsets_mm=[0, 5, 10, 15, 22, 29, 36, 43], thicknesses_mm=[5] * 8).stack
    network, options = dynunet(7, 3, 2)
    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 3])
    volume = ichdet.resample_to(stack, grid, outside=float(stack.hu.min()))

    def made(name):
        return write_bundle(
            tmp_path / name, network, "DynUNet", options,
            input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
            patch={"input": [16, 96, 96], "output": [16, 96, 96], "step": 0, "padding": "zero"},
            procedure={"merge": "logits", "inversion": "probabilities"})

    first = nn.Segmenter([made("first")], **FLOAT32)(volume).probabilities
    with torch.no_grad():  # every tenth voxel
        network.output_block.conv.conv.bias[1] -= float(np.quantile(np.log(first[1] / first[0]), 0.9))
    bundle = made("second")
    probabilities = nn.Segmenter([bundle], **FLOAT32)(volume).probabilities
    blood = ichdet.resample_to(probabilities[1], grid, stack.geometry)
    found = nn.Detector([bundle], **FLOAT32)(stack)
    assert 0.01 < found.labels.labels.mean() < 0.99
    clear = np.abs(blood - 0.5) > 1e-4
    assert (found.labels.labels == (blood > 0.5))[clear].all() and clear.mean() > 0.99
    assert any("not evenly spaced" in a for a in found.result.assumptions)


def test_s2_on_a_real_tilted_scan(real_data, tmp_path):
    """S2's own patches on a regular resample, since MONAI knows no tilt."""
    stack = ichdet.read_dicom(real_data("head_ct_ge_tilt"))
    volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [1, 1, 3]), outside=-1024.0)
    network, options = dynunet(1, 3, 2)
    bundle = write_bundle(
        tmp_path / "one", network, "DynUNet", options,
        input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
        patch={"input": [32, 160, 160], "output": [32, 160, 160], "step": 0, "padding": "zero", "overlap": 0.5},
        procedure={"crop": "foreground", "merge": "logits", "inversion": "probabilities"})
    _, probabilities, _ = oracle_s2.segment(volume.hu, volume.geometry.affine, [network], roi=(160, 160, 32),
                                            rescue_roi=RESCUE_ROI, below_ml=0)
    found = nn.Segmenter([bundle], **FLOAT32)(volume)
    print("patches", found.inference.patches, "of a volume of", volume.hu.shape)
    difference = np.abs(found.probabilities[1] - probabilities[0])
    assert (difference < 1e-4).mean() > 0.9999 and difference.max() < 1e-3, difference.max()


@pytest.mark.parametrize("change, message", [
    ({"patch": {"output": [8, 32, 32]}}, "/patch/output: expected the same as input"),
    ({"patch": {"input": [15, 32, 32], "output": [15, 32, 32]}}, "/patch/input: expected a multiple of 2 on axis 2"),
    ({"patch": {"step": 8}}, "/patch/step: expected 0"),
    ({"patch": {"output": [8, 32, 32], "blending": "nnunet gaussian"}}, "with nnU-Net's places"),
    ({"procedure": {"test_time": [{"rotate90": {"plane": "xz", "quarter_turns": 1}}]},
      "patch": {"input": [6, 32, 36], "output": [6, 32, 36]}}, "/patch/input: expected a multiple of 4 on axis 0"),
    ({"procedure": {"test_time": [{"scale": 1.5}]}}, "a view of scale 1 or less"),
    ({"procedure": {"rescue": {"below_ml": 1, "patch": [16, 30, 32], "overlap": 0, "flips": [["x"]], "vote": "union"}}},
     "/procedure/rescue/patch: expected a multiple of 4 on axis 1"),
    ({"thresholds": {"ICH": 0.3}}, "/thresholds/ICH: unknown key"),
])
def test_bundles_whose_patches_the_network_does_not_take(tmp_path, change, message):
    network, options = dynunet(1, 3, 2)
    write_bundle(tmp_path / "b", network, "DynUNet", options,
                 input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                 patch={"input": [16, 32, 32], "output": [16, 32, 32], "step": 0, "padding": "zero"})
    spec = json.loads((tmp_path / "b" / "bundle.json").read_text())
    for key, value in change.items():
        spec[key] = {**spec.get(key, {}), **value}
    (tmp_path / "b" / "bundle.json").write_text(json.dumps(spec))
    with pytest.raises(ichdet.Error) as error:
        nn.Segmenter([tmp_path / "b"], **FLOAT32)
    assert message in str(error.value) and "bundle.json" in str(error.value)


def test_a_network_of_half_the_size_is_refused(tmp_path):
    network, options = dynunet(1, 3, 2, strides=[[2, 2, 2], [2, 2, 1], [2, 2, 2]])
    bundle = write_bundle(tmp_path / "b", network, "DynUNet", options,
                          input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                          patch={"input": [16, 32, 32], "output": [8, 16, 16], "step": 0, "padding": "zero"})
    with pytest.raises(ichdet.Error, match="strides: expected 1 on the first level"):
        nn.Segmenter([bundle], **FLOAT32)


def test_answers_that_are_no_numbers_are_refused(volume, tmp_path):
    network, options = dynunet(1, 3, 2)
    with torch.no_grad():
        network.output_block.conv.conv.bias[1] = float("nan")
    bundle = write_bundle(tmp_path / "broken", network, "DynUNet", options,
                          input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                          patch={"input": [16, 32, 32], "output": [16, 32, 32], "step": 0, "padding": "zero"})
    with pytest.raises(ichdet.Error, match="broken: the network answered NaN"):
        nn.Segmenter([bundle], **FLOAT32)(volume)
