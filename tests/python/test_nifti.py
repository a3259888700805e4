"""NIfTI in and out agrees with nibabel and SimpleITK."""

import gzip
import struct

import numpy as np
import pytest

import ichdet

nib = pytest.importorskip("nibabel")
sitk = pytest.importorskip("SimpleITK")

LPS = np.diag([-1.0, -1, 1, 1])
TYPES = [np.uint8, np.int16, np.int32, np.float32, np.float64, np.int8, np.uint16, np.uint32, np.int64, np.uint64]


def rotation(rng, degrees):
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    a = np.radians(degrees)
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k


def random_affine(rng, degrees, flips, order=(0, 1, 2)):
    """RAS: an oblique, flipped, permuted grid."""
    affine = np.eye(4)
    axes = np.eye(3)[:, list(order)] * np.asarray(flips)
    affine[:3, :3] = rotation(rng, degrees) @ axes * rng.uniform(0.3, 5, 3)
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    return affine


AFFINES = [(0, (1, 1, 1), (0, 1, 2)), (0, (-1, -1, 1), (0, 1, 2)), (17, (1, -1, 1), (0, 1, 2)),
           (40, (-1, 1, -1), (2, 0, 1)), (180, (1, 1, -1), (1, 0, 2)), (95, (-1, -1, -1), (2, 1, 0))]


@pytest.mark.parametrize("case", range(len(AFFINES)))
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_read_agrees_with_nibabel_and_simpleitk(tmp_path, case, suffix):
    rng = np.random.default_rng(case)
    affine = random_affine(rng, *AFFINES[case])
    values = rng.integers(-1024, 3072, (7, 6, 5)).astype(np.int16)
    image = nib.Nifti1Image(values, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    path = tmp_path / f"a.{suffix}"
    nib.save(image, path)
    volume, assumptions = ichdet.read_nifti(path)
    np.testing.assert_allclose(LPS @ volume.geometry.affine, nib.load(path).affine, atol=1e-4)
    np.testing.assert_array_equal(volume.hu, values.transpose(2, 1, 0).astype(np.float32))
    assert not [a for a in assumptions if "form" in a]
    other = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(volume.hu, sitk.GetArrayFromImage(other))
    np.testing.assert_allclose(volume.geometry.origin_mm, other.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(volume.geometry.spacing_mm, other.GetSpacing(), atol=1e-4)
    np.testing.assert_allclose(volume.geometry.direction.ravel(), other.GetDirection(), atol=1e-4)


@pytest.mark.parametrize("case", range(len(AFFINES)))
@pytest.mark.parametrize("whole", [True, False])
def test_written_files_agree_with_nibabel_and_simpleitk(tmp_path, case, whole):
    rng = np.random.default_rng(case)
    affine = random_affine(rng, *AFFINES[case])
    hu = rng.normal(0, 500, (5, 6, 7)).astype(np.float32)
    if whole:
        hu = np.round(hu)
    volume = ichdet.Volume(hu, ichdet.Geometry([7, 6, 5], LPS @ affine))
    path = tmp_path / "a.nii.gz"
    ichdet.write_nifti(path, volume)
    image = nib.load(path)
    assert image.get_data_dtype() == (np.int16 if whole else np.float32)
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), hu)
    np.testing.assert_allclose(image.get_sform(), affine, atol=1e-4)
    np.testing.assert_allclose(image.get_qform(), affine, atol=1e-3)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)
    assert image.header.get_xyzt_units()[0] == "mm"
    other = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other), hu)
    np.testing.assert_allclose(other.GetOrigin(), volume.geometry.origin_mm, atol=1e-3)
    np.testing.assert_allclose(other.GetDirection(), volume.geometry.direction.ravel(), atol=1e-4)
    back, assumptions = ichdet.read_nifti(path)
    assert back.geometry.same_as(volume.geometry) and assumptions == []
    np.testing.assert_array_equal(back.hu, hu)
    first = path.read_bytes()
    ichdet.write_nifti(path, volume)
    assert path.read_bytes() == first and first[4:8] == b"\0\0\0\0"
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("version", [1, 2])
def test_every_type_byte_order_and_version(tmp_path, dtype, endian, version):
    rng = np.random.default_rng(1)
    values = rng.integers(0, 100, (4, 3, 2)).astype(dtype)
    header = (nib.Nifti1Header if version == 1 else nib.Nifti2Header)(endianness=endian)
    header.set_data_dtype(dtype)
    header.set_slope_inter(1, 0)
    image = (nib.Nifti1Image if version == 1 else nib.Nifti2Image)(values, np.diag([1, 2, 3, 1]), header, dtype=dtype)
    path = tmp_path / "a.nii"
    nib.save(image, path)
    assert nib.load(path).header.endianness == endian
    volume, _ = ichdet.read_nifti(path)
    np.testing.assert_array_equal(volume.hu, nib.load(path).get_fdata().T.astype(np.float32))
    np.testing.assert_allclose(LPS @ volume.geometry.affine, nib.load(path).affine)


@pytest.mark.parametrize("slope, inter", [(2.5, -1024), (1, -1000), (0, 5), (np.nan, 3), (1e-3, 0.1)])
def test_scaling_as_nibabel(tmp_path, slope, inter):
    values = np.arange(24, dtype=np.int16).reshape(4, 3, 2) * 100
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(values, np.eye(4)), path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<ff", data, 112, slope, inter)
    path.write_bytes(data)
    np.testing.assert_array_equal(ichdet.read_nifti(path)[0].hu, nib.load(path).get_fdata().T.astype(np.float32))


def test_which_form_is_used(tmp_path):
    """sform, then qform, then pixdim: as nibabel; contradictions are told."""
    rng = np.random.default_rng(4)
    values = np.zeros((4, 3, 2), np.int16)
    s, q = random_affine(rng, 20, (1, 1, 1)), random_affine(rng, 50, (-1, 1, 1))
    for s_code, q_code, told in [(1, 1, "sform was used"), (2, 0, None), (0, 1, None), (0, 0, "neither")]:
        image = nib.Nifti1Image(values, None)
        image.header.set_zooms([0.5, 0.6, 5])
        image.header.set_xyzt_units("mm")
        image.header.set_qform(q, q_code)
        image.header.set_sform(s, s_code)
        path = tmp_path / "a.nii"
        image.to_filename(path)
        loaded = nib.load(path)
        assert (loaded.header["sform_code"], loaded.header["qform_code"]) == (s_code, q_code)
        volume, assumptions = ichdet.read_nifti(path)
        np.testing.assert_allclose(LPS @ volume.geometry.affine, loaded.affine, atol=1e-4)
        assert len(assumptions) == (told is not None) and all(told in a for a in assumptions)


def test_units(tmp_path):
    path = tmp_path / "a.nii"
    for unit, factor in (("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)):
        image = nib.Nifti1Image(np.zeros((2, 2, 2), np.int16), np.diag([1, 2, 3, 1]))
        image.header.set_xyzt_units(unit)
        nib.save(image, path)
        volume, assumptions = ichdet.read_nifti(path)
        np.testing.assert_allclose(volume.geometry.spacing_mm, np.array([1, 2, 3]) * factor, rtol=1e-6)
        assert len(assumptions) == (unit != "mm")


def test_a_sheared_grid_has_a_sform_alone(tmp_path):
    affine = np.array([[0.5, 0, 0, -10], [0, 0.45, 0, 20], [0, -0.15, 5, 3], [0, 0, 0, 1.0]])
    volume = ichdet.Volume(np.zeros((3, 4, 5), np.float32), ichdet.Geometry([5, 4, 3], affine))
    ichdet.write_nifti(tmp_path / "a.nii", volume)
    image = nib.load(tmp_path / "a.nii")
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 0)
    np.testing.assert_allclose(LPS @ image.affine, affine, atol=1e-5)
    assert ichdet.read_nifti(tmp_path / "a.nii")[0].geometry.same_as(volume.geometry)


def test_labels_and_their_names(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (3, 4, 5)).astype(np.uint8)
    names = ["background", "IPH", "extra-axial hemorrhage", "IVH"]
    path = tmp_path / "a.nii.gz"
    ichdet.write_nifti(path, ichdet.LabelMap(labels, names, ichdet.Geometry.aligned([5, 4, 3], [1, 1, 5])))
    image = nib.load(path)
    assert image.get_data_dtype() == np.uint8 and image.header.get_intent()[0] == "label"
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, labels)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), labels)
    back = ichdet.read_nifti_labels(path)
    np.testing.assert_array_equal(back.labels, labels)
    assert back.names == names
    nib.save(nib.Nifti1Image(labels.T, np.eye(4)), path)
    assert ichdet.read_nifti_labels(path).names == ["background", "label 1", "label 2", "label 3"]
    nib.save(nib.Nifti1Image(labels.T + 0.5, np.eye(4)), path)
    with pytest.raises(ichdet.Error, match="whole number"):
        ichdet.read_nifti_labels(path)


def changed(tmp_path, edits, shape=(4, 3, 2), dtype=np.float32, cut=None):
    """A good file with header fields overwritten: (offset, struct format, value)."""
    path = tmp_path / "a.nii"
    nib.save(nib.Nifti1Image(np.ones(shape, dtype), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    for offset, form, value in edits:
        struct.pack_into(form, data, offset, value)
    path.write_bytes(data[:cut])
    return path


BAD = {
    "truncated voxels": ([], -1, "voxels"),
    "truncated header": ([], 200, "header"),
    "empty": ([], 0, "header"),
    "not NIfTI": ([(0, "<i", 123)], None, "another kind of file"),
    "bad magic": ([(344, "4s", b"abcd")], None, "magic"),
    "image pair": ([(344, "4s", b"ni1\0")], None, "pair"),
    "no dimensions": ([(40, "<h", 0)], None, r"dim\[0\]"),
    "nine dimensions": ([(40, "<h", 9)], None, r"dim\[0\]"),
    "negative dimension": ([(42, "<h", -4)], None, "dim"),
    "four volumes": ([(40, "<h", 4), (48, "<h", 4)], None, r"dim\[4\]"),
    "absurd dimensions": ([(42, "<h", 32767), (44, "<h", 32767), (46, "<h", 32767)], None, "voxels"),
    "more than the file holds": ([(42, "<h", 1000)], None, "cannot hold"),
    "complex": ([(70, "<h", 32)], None, "datatype"),
    "bits contradict": ([(72, "<h", 16)], None, "bitpix"),
    "voxels in the header": ([(108, "<f", 100)], None, "vox_offset"),
    "voxels far away": ([(108, "<f", 3e9)], None, "vox_offset"),
    "offset not a number": ([(108, "<f", np.nan)], None, "vox_offset"),
    "singular sform": ([(280, "<f", 0)], None, "sform"),
    "sform not a number": ([(284, "<f", np.nan)], None, "sform"),
    "infinite scaling": ([(112, "<f", 2), (116, "<f", np.inf)], None, "scl_inter"),
    "long quaternion": ([(254, "<h", 0), (252, "<h", 1), (256, "<f", 2)], None, "qform"),
    "not a number among the voxels": ([(352 + 8, "<f", np.nan)], None, "voxel 2: expected a finite number"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals_name_the_file_and_the_field(tmp_path, name):
    edits, cut, message = BAD[name]
    path = changed(tmp_path, edits, cut=cut)
    with pytest.raises(ichdet.Error, match=message) as refused:
        ichdet.read_nifti(path)
    assert "a.nii" in str(refused.value)
    assert refused.value.code == ("limit" if name == "absurd dimensions" else refused.value.code)


def test_gzip_damage_is_seen(tmp_path):
    data = changed(tmp_path, [], shape=(40, 30, 20)).read_bytes()
    path = tmp_path / "b.nii.gz"
    good = gzip.compress(data)
    for bad, message in ((good[:-20], "before the file ends|damaged"), (good[:-8] + b"\0\0\0\0" + good[-4:], "damaged"),
                         (good[:100] + b"\xff" * 20 + good[120:], "damaged|before")):
        path.write_bytes(bad)
        with pytest.raises(ichdet.Error, match=message):
            ichdet.read_nifti(path)
    header = bytearray(data[:352])
    struct.pack_into("<hhh", header, 42, 800, 800, 800)
    path.write_bytes(gzip.compress(bytes(header) + bytes(5000)))
    with pytest.raises(ichdet.Error, match="cannot hold"):
        ichdet.read_nifti(path)
    with pytest.raises(ichdet.Error, match="at most 1000 voxels"):
        ichdet.read_nifti(changed(tmp_path, [], shape=(40, 30, 20)), max_voxels=1000)


def test_not_a_number_can_be_replaced(tmp_path):
    path = changed(tmp_path, [(352 + 8, "<f", np.nan), (352, "<f", np.inf)])
    hu = ichdet.read_nifti(path, nonfinite_hu=-1024)[0].hu.ravel()
    assert hu[0] == hu[2] == -1024 and hu[1] == 1


def test_files_that_cannot_be(tmp_path):
    volume = ichdet.Volume(np.zeros((1, 1, 1), np.float32), ichdet.Geometry.aligned([1, 1, 1], [1, 1, 1]))
    for path in (tmp_path / "a.img", tmp_path / "a.gz"):
        with pytest.raises(ichdet.Error, match="ends in .nii"):
            ichdet.write_nifti(path, volume)
    with pytest.raises(ichdet.Error, match="cannot be written"):
        ichdet.write_nifti(tmp_path / "none" / "a.nii", volume)
    for path in (tmp_path / "none.nii", tmp_path):
        with pytest.raises(ichdet.Error, match="cannot be opened"):
            ichdet.read_nifti(path)


def test_random_damage_never_crashes(tmp_path):
    rng = np.random.default_rng(0)
    good = changed(tmp_path, []).read_bytes()
    path = tmp_path / "c.nii"
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for at in rng.integers(0, 352, rng.integers(1, 8)):
            data[at] = rng.integers(0, 256)
        path.write_bytes(data)
        try:
            ichdet.read_nifti(path)
        except ichdet.Error as e:
            assert "c.nii" in str(e)
            refused += 1
    assert 50 < refused < 400


def test_real_scans(real_data, tmp_path):
    for path in sorted(real_data("phe_sich").glob("00*_ct.nii.gz"))[:4]:
        image = nib.load(path)
        volume, assumptions = ichdet.read_nifti(path)
        np.testing.assert_array_equal(volume.hu, image.get_fdata().T.astype(np.float32))
        np.testing.assert_allclose(LPS @ volume.geometry.affine, image.affine, atol=1e-6)
        other = sitk.ReadImage(str(path))
        np.testing.assert_allclose(volume.geometry.origin_mm, other.GetOrigin(), atol=1e-6)
        np.testing.assert_allclose(volume.geometry.direction.ravel(), other.GetDirection(), atol=1e-6)
        labels = ichdet.read_nifti_labels(str(path).replace("_ct", "_label"))
        assert labels.geometry.same_as(volume.geometry) and assumptions == []
        ichdet.write_nifti(tmp_path / "l.nii.gz", labels)
        np.testing.assert_array_equal(nib.load(tmp_path / "l.nii.gz").get_fdata().T, labels.labels)
        np.testing.assert_allclose(nib.load(tmp_path / "l.nii.gz").affine, image.affine, atol=1e-6)
