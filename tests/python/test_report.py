"""result.json against its published schema, and pictures for what can be checked without eyes."""

import json
from pathlib import Path

import ichdet
import jsonschema
import numpy as np
import pytest

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text())
NAMES = ["background", "IPH", "IVH"]


def head(along_row=(1, 0, 0), along_column=(0, 1, 0), step=(0, 0, 5.0), rows=120, columns=100, count=6):
    """Slices of an ellipsoid brain in a skull; a bright lesion on the patient's left, in front."""
    planes = []
    for k in range(count):
        plane = ichdet.SlicePlane()
        plane.along_row, plane.along_column = along_row, along_column
        plane.row_spacing_mm, plane.column_spacing_mm, plane.thickness_mm = 1.5, 2.0, 5.0
        centre = np.array(step) * (k - count / 2)
        plane.position_mm = (centre - np.array(along_row) * 2.0 * (columns - 1) / 2
                             - np.array(along_column) * 1.5 * (rows - 1) / 2)
        planes.append(plane)
    geometry = ichdet.SliceGeometry(planes, rows, columns)
    hu = np.full(geometry.shape, -1000, np.float32)
    labels = np.zeros(geometry.shape, np.uint8)
    for k, plane in enumerate(planes):
        r, c = np.indices((rows, columns))
        p = (np.array(plane.position_mm) + r[..., None] * 1.5 * np.array(along_column)
             + c[..., None] * 2.0 * np.array(along_row))
        radius = np.sqrt((p[..., 0] / 70) ** 2 + (p[..., 1] / 80) ** 2 + (p[..., 2] / 80) ** 2)
        hu[k][radius < 1] = 1000
        hu[k][radius < 0.92] = 30
        lesion = np.hypot(p[..., 0] - 30, p[..., 1] + 35) < 12
        hu[k][lesion] = 70
        labels[k][lesion] = 1
    return ichdet.SliceStack(geometry, hu), ichdet.SliceLabels(labels, NAMES, geometry)


def study(labels):
    result = ichdet.StudyResult()
    result.version = "0.1.0"
    probability = np.where(labels.labels == 1, 0.9, 0.1).astype(np.float32)
    result.slices = ichdet.slice_scores(probability, labels.geometry)
    result.decision = ichdet.decide_by_highest_slice(result.slices)
    result.labels = {1: "IPH", 2: "IVH"}
    result.blood_labels = [1, 2]
    result.volumes_ml = ichdet.volumes_ml(labels)
    result.lesions = ichdet.lesions(labels, probability)
    result.assumptions = ["the thickness was taken to be 5 mm"]
    result.inference = ichdet.Inference()
    result.inference.engine, result.inference.precision = "torch", "float32"
    result.bundles = [ichdet.BundleIdentity("test", "1", "0123456789abcdef" * 4)]
    result.timings_s = [("read", 0.25), ("infer", 1.5)]
    return result


def test_result_validates_against_the_published_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    _, labels = head()
    result = study(labels)
    document = json.loads(result.to_json())
    validator.validate(document)
    not_here = {"classes", "class_probabilities", "slice_threshold", "raw_probability"}
    assert set(document) == set(SCHEMA["properties"]) - not_here == set(SCHEMA["required"]) | {"inference", "review"}
    result.inference = ichdet.Inference()
    assert "inference" not in json.loads(result.to_json())  # no network ran
    assert document["lesions"] and document["decision"] is True
    assert list(document["timings_s"]) == ["read", "infer"]
    assert ichdet.StudyResult.from_json(result.to_json()).to_json() == result.to_json()

    validator.validate(json.loads(ichdet.StudyResult.from_json(result.to_json()).to_json()))
    for path, wrong in [("decision", 1), ("probability", 1.5), ("labels", {"0": "background"}), ("bundle", {}),
                        ("not_for_clinical_use", False)]:
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, path: wrong})

    result.bundles = result.bundles + [ichdet.BundleIdentity("other", "2", "f" * 64)]
    document = json.loads(result.to_json())
    validator.validate(document)
    assert document["bundle"] == {"name": "test + other", "version": "1 + 2", "sha256": ""}


def test_nan_is_refused():
    result = study(head()[1])
    result.volumes_ml = {"IPH": float("nan")}
    with pytest.raises(ichdet.Error, match=r"result.volumes_ml.IPH: expected a finite number"):
        result.to_json()


def bright_spot(picture):
    """Centre (x, y) of the lesion in the scan part of the picture, relative to the brain's centre."""
    grey = picture[60:700, 60:700, :]
    is_grey = grey.max(2).astype(int) - grey.min(2) < 3
    lesion = is_grey & (grey[..., 0] > 205) & (grey[..., 0] < 240)
    brain = is_grey & (grey[..., 0] > 60) & (grey[..., 0] < 240)
    return [float(np.nonzero(m)[axis].mean()) for axis in (1, 0) for m in (lesion, brain)]


@pytest.mark.parametrize("along_row, along_column, step", [
    ((1, 0, 0), (0, 1, 0), (0, 0, 5)),       # as most scanners write it
    ((-1, 0, 0), (0, 1, 0), (0, 0, -5)),     # mirrored
    ((1, 0, 0), (0, -1, 0), (0, 0, -5)),     # nose down
    ((0, 1, 0), (1, 0, 0), (0, 0, -5)),      # transposed
    ((0, -1, 0), (1, 0, 0), (0, 0, 5)),      # a quarter turn
    ((1, 0, 0), (0, np.cos(0.35), np.sin(0.35)), (0, 0, 5)),  # a tilted gantry
])
def test_slices_are_upright_and_in_radiological_convention(along_row, along_column, step):
    stack, labels = head(along_row, along_column, step)
    picture = ichdet.render_slice(stack, labels, study(labels), 3)
    assert picture.shape == (760, 1060, 3) and picture.dtype == np.uint8
    lesion_x, brain_x, lesion_y, brain_y = bright_spot(picture)
    assert lesion_x > brain_x + 50, "the patient's left belongs at the picture's right"
    assert lesion_y < brain_y - 50, "the front belongs on top"
    # 12 mm of radius, round on the picture although pixels are 2 x 1.5 mm in the file
    red = picture[:, :760].astype(int)
    outline = (red[..., 0] - red[..., 2] > 80) & (red[..., 0] - red[..., 1] > 40)
    outline[:100] = False
    y, x = np.nonzero(outline)
    assert abs(np.ptp(x) / np.ptp(y) - 1) < (0.1 if along_column[2] == 0 else 0.2)


def test_outline_leaves_the_blood_as_it_is():
    stack, labels = head()
    result = study(labels)
    without = ichdet.render_slice(stack, ichdet.SliceLabels(labels.labels * 0, NAMES, labels.geometry), result, 3)
    outlined = ichdet.render_slice(stack, labels, result, 3)
    tinted = ichdet.render_slice(stack, labels, result, 3, fill_opacity=0.3)
    scan = np.s_[100:700, 20:740]
    changed = (without[scan] != outlined[scan]).any(2)
    assert 200 < changed.sum() < 0.01 * changed.size
    blood = (without[scan][..., 0] > 220) & (without[scan][..., 0] < 226)
    assert (changed & blood).sum() < 0.2 * blood.sum()
    assert (without[scan] != tinted[scan]).any(2)[blood].mean() > 0.9


def test_a_label_of_one_pixel_is_seen_on_a_sheet():
    stack, labels = head(rows=600, columns=500)
    values = labels.labels * 0
    empty = ichdet.render_sheet(stack, ichdet.SliceLabels(values.copy(), NAMES, labels.geometry), study(labels))
    values[2, 300, 250] = 2
    marked = ichdet.render_sheet(stack, ichdet.SliceLabels(values, NAMES, labels.geometry), study(labels))
    scans = np.s_[70:, : empty.shape[1] - 300]
    blue = (marked[scans].astype(int)[..., 2] - marked[scans][..., 0]) > 60
    assert (empty[scans] != marked[scans]).any(2).sum() > 20 and blue.sum() > 10


def test_pictures_are_deterministic_and_warn():
    stack, labels = head()
    result = study(labels)
    once, again = (ichdet.render_sheet(stack, labels, result) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    result.trust.ok = False
    result.trust.reasons = ["made up for this test"]
    assert (ichdet.render_sheet(stack, labels, result) != once).any()


def test_what_does_not_fit_is_refused(tmp_path):
    stack, labels = head()
    result = study(labels)
    with pytest.raises(ichdet.Error, match="slice to draw: expected 0 to 5, found 6"):
        ichdet.render_slice(stack, labels, result, 6)
    with pytest.raises(ichdet.Error, match="window_width_hu"):
        ichdet.render_sheet(stack, labels, result, window_width_hu=0)
    other = ichdet.SliceGeometry(labels.geometry.planes, 4, 4)
    with pytest.raises(ichdet.Error, match="labels to draw"):
        ichdet.render_slice(stack, ichdet.SliceLabels(np.zeros((6, 4, 4), np.uint8), NAMES, other), result, 0)


def test_png_round_trip(tmp_path):
    from PIL import Image

    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    ichdet.write_png(str(tmp_path / "x.png"), picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "x.png")), picture)
    np.testing.assert_array_equal(ichdet.read_png(str(tmp_path / "x.png")), picture)
