"""The phantom and the painter as Python sees them; painting into a real scan; the command line's files."""

import json
import shutil
import subprocess

import numpy as np
import pydicom
import pytest

import ichdet as package
from ichdet import Error, Hemorrhage, SliceGeometry, SlicePlane, SliceStack, anatomy_from_scan, paint, phantom

COARSE = dict(rows=128, columns=128, pixel_mm=1.8, slices=20, thickness_mm=8, subsamples=3)


def pixel_ml(geometry):
    plane = geometry.planes[0]
    return plane.row_spacing_mm * plane.column_spacing_mm * np.asarray(geometry.extents_mm)[:, None, None] / 1000


def read_series(folder):
    """A stack from pydicom alone."""
    files = [pydicom.dcmread(f) for f in sorted(folder.glob("*.dcm"))]
    files = [f for f in files if "ImagePositionPatient" in f]
    axes = np.array(files[0].ImageOrientationPatient, float)
    normal = np.cross(axes[:3], axes[3:])
    files.sort(key=lambda f: normal @ np.array(f.ImagePositionPatient, float))
    planes = []
    for f in files:
        plane = SlicePlane()
        plane.position_mm = np.array(f.ImagePositionPatient, float)
        plane.along_row, plane.along_column = axes[:3], axes[3:]
        plane.row_spacing_mm, plane.column_spacing_mm = map(float, f.PixelSpacing)
        plane.thickness_mm = float(f.SliceThickness)
        planes.append(plane)
    hu = np.stack([f.pixel_array.astype(np.float32) * f.RescaleSlope + f.RescaleIntercept for f in files])
    return SliceStack(SliceGeometry(planes, *hu.shape[1:]), hu.astype(np.float32)), files


def test_phantom_returns_integers_truth_and_volume():
    study = phantom(seed=1, hemorrhages=[Hemorrhage("iph", 20, side="left", region="basal ganglia")], **COARSE)
    hu = study.stack.hu
    assert hu.shape == (20, 128, 128) and hu.dtype == np.float32
    assert np.array_equal(hu, np.round(hu))
    truth = study.truth.labels
    assert study.truth.names[1] == "intraparenchymal"
    assert ((truth == 1) * pixel_ml(study.truth.geometry)).sum() == pytest.approx(20, abs=0.3)
    assert study.placed[0].centroid_mm[0] > 0  # LPS: the patient's left
    assert 55 < hu[truth == 1].mean() < 72


def test_extra_axial_blood_keeps_to_its_side_and_the_bone():
    study = phantom(seed=2, hemorrhages=[Hemorrhage("subdural", 50, side="right")], **COARSE)
    blood = study.truth.labels == 3
    assert study.anatomy.midline_mm[blood].max() < 0
    assert study.anatomy.depth_mm[blood].min() > 0
    assert study.anatomy.depth_mm[blood].max() < 20


def test_errors_name_what_is_wrong():
    with pytest.raises(Error, match="room for 400") as caught:
        phantom(hemorrhages=[Hemorrhage("ivh", 400)], **COARSE)
    assert caught.value.code == "options"
    with pytest.raises(Error, match="hemorrhage type"):
        Hemorrhage("stroke")


@pytest.mark.parametrize("kind, ml", [("iph", 20), ("ivh", 5), ("sdh", 40), ("edh", 25), ("sah", 8)])
def test_painting_into_a_real_scan(real_data, kind, ml):
    stack, _ = read_series(real_data("head_ct_ge_tilt"))
    anatomy = anatomy_from_scan(stack)
    painted, truth, placed = paint(stack, [Hemorrhage(kind, ml, side="right", soft_edge_mm=1.0)], anatomy, seed=3)
    label = list(truth.names).index(placed[0].asked.type)
    blood = truth.labels == label
    assert (blood * pixel_ml(truth.geometry)).sum() == pytest.approx(ml, abs=max(0.3, 0.05 * ml))
    before, after = stack.hu, painted.hu
    assert np.array_equal(after, np.round(after))
    soft = blood & (before < 60)
    assert (after - before)[soft].mean() > 12
    changed = before != after
    assert changed.sum() < 3 * blood.sum()
    assert not changed[before < -60].any() and not changed[before > 1100].any()
    if kind in ("sdh", "edh"):
        assert anatomy.midline_mm[blood].max() < 0
    if kind == "ivh":
        assert anatomy.ventricle[blood].min() >= 0.5


def test_painting_into_single_real_slices(real_data):
    folder = real_data("rsna_plain")
    done = 0
    for path in sorted(folder.glob("*.dcm"))[:12]:
        f = pydicom.dcmread(path)
        plane = SlicePlane()
        plane.position_mm = np.array(f.ImagePositionPatient, float)
        axes = np.array(f.ImageOrientationPatient, float)
        plane.along_row, plane.along_column = axes[:3], axes[3:]
        plane.row_spacing_mm, plane.column_spacing_mm = map(float, f.PixelSpacing)
        plane.thickness_mm = 5
        hu = (f.pixel_array.astype(np.float32) * f.RescaleSlope + f.RescaleIntercept).astype(np.float32)[None]
        stack = SliceStack(SliceGeometry([plane], *hu.shape[1:]), hu)
        try:
            anatomy = anatomy_from_scan(stack)
        except Error:
            continue
        if (anatomy.depth_mm > 0).sum() * plane.row_spacing_mm**2 < 11000:
            continue  # skull base or vertex: too little brain to bleed into
        assert any("basal ganglia" in a for a in anatomy.assumptions)
        _, truth, placed = paint(stack, [Hemorrhage("sdh", 4, side="left")], anatomy)
        assert placed[0].volume_ml == pytest.approx(4, abs=0.2)
        assert (truth.labels == 3).sum() > 0
        done += 1
    assert done >= 2


def test_command_line(ichdet, tmp_path):
    def run(*arguments):
        return subprocess.run([ichdet, "phantom", *arguments], capture_output=True, text=True)

    grid = ["--size", "128", "--threads", "1", "--quiet"]
    spec = ["--hemorrhage", "iph:15:right:frontal", "--hemorrhage", "sdh:30:left"]
    for name in ("a", "b"):
        done = run("--out", tmp_path / name, "--seed", "5", "--tilt", "12", "--variable-gaps", *spec, *grid)
        assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "a" / "dicom").glob("*.dcm"))
    assert [f.read_bytes() for f in files] == [(tmp_path / "b" / "dicom" / f.name).read_bytes() for f in files]

    truth = json.loads((tmp_path / "a" / "truth.json").read_text())
    assert truth["synthetic"] and truth["volumes_ml"]["subdural"] == pytest.approx(30, abs=1.5)
    assert [h["type"] for h in truth["hemorrhages"]] == ["intraparenchymal", "subdural"]
    assert any("nominal" in note for note in truth["notes"])

    stack, headers = read_series(tmp_path / "a" / "dicom")
    assert str(headers[0].PatientName) == "PHANTOM^ICHDET" and "SYNTHETIC" in headers[0].SeriesDescription
    assert stack.geometry.tilt_degrees == pytest.approx(12, abs=0.01)

    nibabel = pytest.importorskip("nibabel")
    labels = np.asarray(nibabel.load(tmp_path / "a" / "truth.nii.gz").dataobj).transpose(2, 1, 0)
    assert labels.shape == stack.hu.shape
    volume = ((labels == 1) * pixel_ml(stack.geometry)).sum()
    assert volume == pytest.approx(truth["volumes_ml"]["intraparenchymal"], rel=1e-3)
    if shutil.which("dciodvfy"):
        for file in files:
            verdict = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
            assert "Error" not in verdict.stdout + verdict.stderr, verdict.stderr

    healthy = run("--out", tmp_path / "c", "--hemorrhage", "none", "--slices", "1", *grid)
    assert healthy.returncode == 0
    assert json.loads((tmp_path / "c" / "truth.json").read_text())["hemorrhages"] == []
    for arguments in (["--hemorrhage", "iph"], ["--hemorrhage", "iph:x"], ["--hemorrhage", "iph:9000"], ["--tilt", "80"]):
        refused = run("--out", tmp_path / "d", *arguments, *grid)
        assert refused.returncode == 2
        assert refused.stderr.startswith("ichdet: error[options]:") and refused.stderr.count("\n") == 1


def test_help_is_there():
    assert "seed" in package.phantom.__doc__ and "PhantomStudy" in package.phantom.__doc__
