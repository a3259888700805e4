"""Ensembles of small random segmenters that differ in spacing, classes and architecture."""

import json

import numpy as np
import pytest

nn = pytest.importorskip("ichdet.nn")
nets = pytest.importorskip("monai.networks.nets")
import ichdet  # noqa: E402
import yaml  # noqa: E402
from ichdet import ensemble  # noqa: E402
from scipy.ndimage import map_coordinates  # noqa: E402
from segmentation_bundles import S2_CHANNELS, write_bundle  # noqa: E402
from test_segmentation import FLOAT32, dynunet, phantom  # noqa: E402, F401


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Two networks: one at 1 x 1 x 3 mm that tells ICH, one at 2 x 2 x 5 mm that tells two kinds apart."""
    folder = tmp_path_factory.mktemp("segmenters")
    for name, spacing, classes, patch in (("fine", [1, 1, 3], ["background", "ICH"], [16, 64, 64]),
                                          ("coarse", [2, 2, 5], ["none", "IVH", "IPH"], [16, 32, 32])):
        network, options = dynunet(len(classes), 3, len(classes))
        write_bundle(folder / name, network, "DynUNet", options,
                     input={"spacing_mm": spacing, "orientation": "LPS", "axes": "xyz", "channels": S2_CHANNELS},
                     patch={"input": patch, "output": patch, "step": 0, "padding": "zero", "overlap": 0.5},
                     procedure={"inversion": "probabilities"}, classes=classes)
    return folder


def write(home, members, **changes):
    spec = {"ensemble": 1, "name": "e", "rule": "mean", "members": members} | changes
    (home / "e.yaml").write_text(yaml.safe_dump(spec))
    return home / "e.yaml"


def said(home, name, stack):
    """A member's probabilities on the native pixels, from single functions."""
    spec = json.loads((home / name / "bundle.json").read_text())
    grid = ichdet.segmentation_grid(stack.geometry, spec["input"]["spacing_mm"])
    volume = ichdet.resample_to(stack, grid, outside=float(stack.hu.min()))
    values = nn.Segmenter([home / name], **FLOAT32, threads=1)(volume).probabilities
    native = [ichdet.resample_to(np.ascontiguousarray(v), grid, stack.geometry) for v in values[1:]]
    return np.stack([1 - sum(native), *native])


def test_one_member_is_the_detector_itself(home, phantom):  # noqa: F811
    options = FLOAT32 | {"threads": 1}
    alone = nn.Detector([home / "fine"], **options)(phantom)
    one = nn.EnsembleDetector(write(home, [{"bundle": "fine"}]), **options)(phantom)
    np.testing.assert_array_equal(one.labels.labels, alone.labels.labels)
    for a, b in zip(one.result.slices, alone.result.slices, strict=True):
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
    assert one.result.volumes_ml == alone.result.volumes_ml


@pytest.mark.parametrize("rule", ["mean", "majority", "union", "staple"])
def test_spacings_and_classes_differ(home, phantom, rule):  # noqa: F811
    classes = [{"name": "none", "blood": False}, {"name": "ICH", "blood": True}]
    weight = {"weight": 2} if rule in ("mean", "majority") else {}
    file = write(home, [{"bundle": "fine"} | weight, {"bundle": "coarse", "classes": {"IVH": "none", "IPH": "ICH"}}],
                 classes=classes, rule=rule)
    found = nn.EnsembleDetector(file, **FLOAT32, threads=1)(phantom)
    coarse = said(home, "coarse", phantom)
    maps = [said(home, "fine", phantom), np.stack([coarse[0] + coarse[1], coarse[2]])]
    if rule == "staple":
        expected = ensemble.staple([m.argmax(axis=0).astype(np.uint8) for m in maps])[0]
    else:
        expected = ensemble.combine(maps, rule, [2, 1])
    clear = np.min([np.abs(m[1] - 0.5) for m in [*maps, expected]], axis=0) > 1e-4
    assert 0.001 < (expected[1] > 0.5).mean() < 0.999
    np.testing.assert_array_equal(found.labels.labels[clear], (expected[1] > 0.5)[clear])
    assert found.result.inference.patches > 0


def read_by_scipy(home, name, stack):
    """The same by SciPy's linear interpolation at each pixel's place; NaN beyond the grid's outermost voxels."""
    spec = json.loads((home / name / "bundle.json").read_text())
    grid = ichdet.segmentation_grid(stack.geometry, spec["input"]["spacing_mm"])
    volume = ichdet.resample_to(stack, grid, outside=float(stack.hu.min()))
    values = nn.Segmenter([home / name], **FLOAT32, threads=1)(volume).probabilities
    rows, columns = np.indices(stack.hu.shape[1:])
    places = np.stack([np.asarray(p.position_mm)[:, None, None]
                       + np.multiply.outer(np.asarray(p.along_row) * p.column_spacing_mm, columns)
                       + np.multiply.outer(np.asarray(p.along_column) * p.row_spacing_mm, rows)
                       for p in stack.geometry.planes], axis=1)
    inverse = np.linalg.inv(grid.affine)
    zyx = (np.tensordot(inverse[:3, :3], places, 1) + inverse[:3, 3, None, None, None])[::-1]
    return np.stack([map_coordinates(np.asarray(v, np.float64), zyx, order=1, cval=np.nan) for v in values])


def test_the_answer_is_numpys_and_scipys(home, phantom):  # noqa: F811
    members = [{"bundle": "fine", "weight": 2}, {"bundle": "coarse", "classes": {"IVH": "none", "IPH": "ICH"}}]
    classes = [{"name": "none", "blood": False}, {"name": "ICH", "blood": True}]
    fine, coarse = read_by_scipy(home, "fine", phantom), read_by_scipy(home, "coarse", phantom)
    odds = (2 * np.log(fine[1] / fine[0]) + np.log(coarse[2] / (coarse[0] + coarse[1]))) / 3
    for rule, blood in (("mean", (2 * fine[1] + coarse[2]) / 3), ("logits", 1 / (1 + np.exp(-odds)))):
        found = nn.EnsembleDetector(write(home, members, classes=classes, rule=rule), **FLOAT32, threads=1)(phantom)
        known = np.isfinite(blood)
        clear = known & (np.abs(blood - 0.5) > 1e-4)
        assert known.mean() > 0.8 and 0.001 < (blood[known] > 0.5).mean() < 0.999
        np.testing.assert_array_equal(found.labels.labels[clear], blood[clear] > 0.5)
        for s in found.result.slices:
            if known[s.index].all():
                top = np.sort(blood[s.index].ravel())[-20:].mean()
                assert s.probability == pytest.approx(top, abs=1e-4)


def test_an_expert_answers_for_its_class(home, phantom):  # noqa: F811
    classes = [{"name": n, "blood": n != "background"} for n in ("background", "IPH", "IVH")]
    members = [{"bundle": "coarse", "weight": 1}, {"bundle": "fine", "weight": 3, "classes": {"ICH": "IPH"}}]
    found = nn.EnsembleDetector(write(home, members, classes=classes), **FLOAT32, threads=1)(phantom)
    none, ivh, iph = said(home, "coarse", phantom)
    fine = said(home, "fine", phantom)[1]
    expected = ensemble.combine([np.stack([none, iph, ivh]), np.stack([1 - fine, fine, 0 * fine])], "mean", [1, 3],
                                answers=[[True] * 3, [True, True, False]])
    margin = np.diff(np.sort(expected, axis=0)[1:], axis=0)[0]
    np.testing.assert_array_equal(found.labels.labels[margin > 1e-4], expected.argmax(axis=0)[margin > 1e-4])
    for member in members:
        del member["weight"]
    with pytest.raises(ichdet.Error, match="member fine: class IVH: STAPLE asks every member"):
        nn.EnsembleDetector(write(home, members, classes=classes, rule="staple"))
