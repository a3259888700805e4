"""`ichdet convert` and `ichdet window`: values, places and pictures survive; what a format cannot hold is said."""

import json
import subprocess

import nibabel
import numpy as np
import pytest
from PIL import Image

import ichdet as library


@pytest.fixture
def run(ichdet):
    def call(*arguments):
        return subprocess.run([ichdet, *map(str, arguments)], capture_output=True, text=True, timeout=300)

    return call


@pytest.fixture
def volume(tmp_path):
    """A small oblique head-like volume as NIfTI, with x and y flipped in storage."""
    rng = np.random.default_rng(0)
    hu = rng.integers(-1024, 2000, (6, 20, 24)).astype(np.float32)
    affine = np.diag([-0.9, 0.8, 5, 1.0])
    affine[:3, 3] = 10, -20, 30
    found = library.Volume(hu, library.Geometry([24, 20, 6], affine))
    library.write_nifti(tmp_path / "in.nii.gz", found)
    return found, tmp_path / "in.nii.gz"


def test_nifti_to_nifti_keeps_every_voxel(run, volume, tmp_path):
    original, path = volume
    done = run("convert", path, tmp_path / "out.nii", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["files"] == 1
    back, _ = library.read_nifti(tmp_path / "out.nii")
    np.testing.assert_array_equal(back.hu, original.hu)
    assert back.geometry.same_as(original.geometry)
    again = run("convert", path, tmp_path / "out.nii")
    assert again.returncode == 3 and "--overwrite" in again.stderr
    assert run("convert", path, tmp_path / "out.nii", "--overwrite", "--quiet").stdout == ""


def test_nifti_to_dicom_and_back_keeps_values_in_place(run, volume, tmp_path):
    original, path = volume
    assert run("convert", path, tmp_path / "dicom").returncode == 0
    assert len(list((tmp_path / "dicom").glob("*.dcm"))) == 6
    done = run("convert", tmp_path / "dicom", tmp_path / "back.nii.gz")
    assert done.returncode == 0, done.stderr
    back, _ = library.read_nifti(tmp_path / "back.nii.gz")
    on_own = library.resample_to(back, original.geometry, interpolation="nearest")
    np.testing.assert_array_equal(on_own.hu, original.hu)


def test_spacing_resamples(run, volume, tmp_path):
    original, path = volume
    for arguments, spacing in ((["1"], [1, 1, 1]), (["1,1,3"], [1, 1, 3])):
        done = run("convert", path, tmp_path / "out.nii", "--spacing", *arguments, "--overwrite", "--json")
        assert done.returncode == 0, done.stderr
        back, _ = library.read_nifti(tmp_path / "out.nii")
        np.testing.assert_allclose(back.geometry.spacing_mm, spacing, rtol=1e-6)
        expected = library.resample_to(original, back.geometry).hu
        np.testing.assert_allclose(back.hu, expected, atol=2e-3)
    for bad in ("0", "1,2", "x"):
        assert run("convert", path, tmp_path / "no.nii", "--spacing", bad).returncode == 2


def test_variable_gaps_and_tilt_are_said(run, real_data, tmp_path):
    done = run("convert", real_data("head_ct_ge_tilt"), tmp_path / "ge.nii.gz", "--json")
    assert done.returncode == 0, done.stderr
    notes = " ".join(json.loads(done.stdout)["assumptions"])
    assert "nominal" in notes and "sheared" in notes and "18.5 degrees" in notes
    image = nibabel.load(tmp_path / "ge.nii.gz")
    assert image.shape == (512, 512, 28) and image.header["qform_code"] == 0
    done = run("convert", real_data("head_ct_ge_tilt"), tmp_path / "grid.nii.gz", "--spacing", "2")
    image = nibabel.load(tmp_path / "grid.nii.gz")
    np.testing.assert_allclose(image.header.get_zooms(), 2)
    assert image.header["qform_code"] == 1


def test_window_writes_what_the_library_says(run, volume, tmp_path):
    original, path = volume
    assert run("window", path, tmp_path / "png", "--as-stored").returncode == 0
    stored = library.window_channels_8bit(original.hu, [library.Window(0, 80)])[0]
    files = sorted((tmp_path / "png").iterdir())
    assert [f.name for f in files] == [f"{i:03d}.png" for i in range(6)]
    # The file runs from left to right; the study's slices run from right to left.
    np.testing.assert_array_equal(np.asarray(Image.open(files[2])), stored[2][:, ::-1])
    three = ["--window", "0,400", "--window", "subdural", "--window", "80,200"]
    done = run("window", path, tmp_path / "sheet.png", *three, "--slices", "1,3-4", "--columns", "2", "--json")
    assert done.returncode == 0, done.stderr
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (40, 48, 3)
    np.testing.assert_array_equal(sheet[..., 1], sheet[..., 2])
    assert (sheet[..., 0] != sheet[..., 1]).any() and not sheet[20:, 24:].any()


@pytest.mark.parametrize("arguments", [["--window", "liver"], ["--window", "40,80", "--window", "bone"],
                                       ["--slices", "6"], ["--slices", "2-1"], ["--slices", "1,"], ["--slices", ""]])
def test_window_refuses_what_it_cannot(run, volume, tmp_path, arguments):
    done = run("window", volume[1], tmp_path / "x.png", *arguments)
    assert done.returncode == 2 and done.stderr.startswith("ichdet: error[options]: "), done.stderr
    assert not (tmp_path / "x.png").exists()


def test_a_missing_input_is_refused(run, tmp_path):
    for command, output in [("convert", "out.nii"), ("window", "out.png")]:
        done = run(command, tmp_path / "none", tmp_path / output)
        assert done.returncode == 3 and "none" in done.stderr
