"""HU and geometry of every real DICOM file against pydicom, bit for bit."""

import warnings

import numpy as np
import pytest

import ichdet

pydicom = pytest.importorskip("pydicom")
from pydicom.pixels import apply_rescale  # noqa: E402

FOLDERS = ["head_ct_ge_tilt", "ich_slices", "rsna_plain"]


def reference(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ds = pydicom.dcmread(path)
        return ds, apply_rescale(ds.pixel_array, ds).astype(np.float32)


@pytest.mark.parametrize("folder", FOLDERS)
def test_hu_equal_pydicom_bit_for_bit(real_data, folder):
    inventory = ichdet.scan(real_data(folder))
    seen = set()
    for series in inventory.series:
        stack = ichdet.read_series(series, repair_wrapped_12bit=False)
        for k, slice_ in enumerate(series.slices):
            ds, hu = reference(slice_.file)
            assert np.array_equal(stack.hu[k].view(np.uint32), hu.view(np.uint32)), slice_.file
            plane = stack.geometry.planes[k]
            assert np.array_equal(plane.position_mm, np.array(ds.ImagePositionPatient, float))
            assert np.allclose(plane.along_row, np.array(ds.ImageOrientationPatient[:3], float), atol=1e-6)
            assert np.allclose(plane.along_column, np.array(ds.ImageOrientationPatient[3:], float), atol=1e-6)
            assert [plane.row_spacing_mm, plane.column_spacing_mm] == list(map(float, ds.PixelSpacing))
            assert plane.sop_instance_uid == ds.SOPInstanceUID
            if "PixelPaddingValue" in ds and stack.padding is not None:
                assert np.array_equal(stack.padding[k] == 1, ds.pixel_array == ds.PixelPaddingValue)
            seen.add(slice_.file)
    assert seen == set(real_data(folder).glob("*.dcm"))
    assert {aside.rule for aside in inventory.set_aside} <= {"not DICOM"}


def test_tilted_series_with_variable_gaps(real_data):
    stack = ichdet.read_dicom(real_data("head_ct_ge_tilt"))
    ds = [reference(path)[0] for path in sorted(real_data("head_ct_ge_tilt").glob("*.dcm"))]
    positions = np.array([d.ImagePositionPatient for d in ds], float)
    cosines = np.array(ds[0].ImageOrientationPatient, float)
    normal = np.cross(cosines[:3], cosines[3:])
    normal /= np.linalg.norm(normal)
    offsets = positions @ normal
    assert np.allclose(stack.geometry.offsets_mm, offsets - offsets[0], atol=1e-6)
    assert stack.geometry.tilt_degrees == pytest.approx(18.5, abs=1e-3)
    gaps = np.diff([plane.position_mm[2] for plane in stack.geometry.planes])
    assert np.allclose(sorted(set(gaps.round(2))), [1.14, 4.22, 7.38])
    assert [plane.thickness_mm for plane in stack.geometry.planes] == [4.0] * 14 + [7.0] * 14
    assert stack.padding.shape == stack.hu.shape
    assert (stack.hu[stack.padding == 1] == -1500).all()
    assert any("vary" in text for text in stack.assumptions)


def test_one_slice_without_thickness_says_so(real_data):
    path = sorted(real_data("rsna_plain").glob("*.dcm"))[0]
    stack = ichdet.read_dicom(path)
    assert stack.geometry.extents_mm == [5.0]
    assert any("5 mm" in text for text in stack.assumptions)
    assert ichdet.read_dicom(path, slice_thickness_mm=2.5).geometry.extents_mm == [2.5]
    thick = next(real_data("ich_slices").glob("CQ500*"))
    assert ichdet.read_dicom(thick).geometry.extents_mm == [5.0]


def test_many_studies_are_not_one(real_data):
    with pytest.raises(ichdet.Error, match="expected one study"):
        ichdet.read_dicom(real_data("rsna_plain"))
