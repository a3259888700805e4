"""Every encoding against pydicom, bit for bit, on images made here."""

import numpy as np
import pytest

import ichdet

pydicom = pytest.importorskip("pydicom")
pytest.importorskip("pylibjpeg")
from pydicom.uid import (  # noqa: E402
    JPEG2000Lossless,
    RLELossless,
)

from dicom_files import ct, enhanced, pixels, pydicom_hu, run, save  # noqa: E402

KINDS = [(8, False), (12, False), (12, True), (16, True), (16, False), (10, True)]
RESCALES = [("1", "-1024"), ("0.5", "-1023.7"), ("1.3333333", "0.1"), ("-1", "100")]


def read(path):
    return ichdet.read_dicom(path, repair_wrapped_12bit=False)


def check(path):
    hu = pydicom_hu(path)
    found = read(path).hu[0]
    assert np.array_equal(found.view(np.uint32), hu.view(np.uint32))
    return hu


@pytest.fixture
def plain(tmp_path):
    def make(kind=(12, True), **more):
        return save(ct(pixels(*kind), kind[0], **more), tmp_path / "plain.dcm")

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rescale", RESCALES)
def test_explicit_little(plain, kind, rescale):
    check(plain(kind, slope=rescale[0], intercept=rescale[1]))


def test_the_whole_range_of_16_bits_with_a_crooked_slope(tmp_path):
    stored = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    check(save(ct(stored, 16, slope="0.0123456789", intercept="-987.654321"), tmp_path / "a.dcm"))


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_stored_ones_are_not_looked_at(tmp_path, signed):
    stored = pixels(12, signed)
    dirty = (stored.view(np.uint16) & 0x0FFF | 0xA000).view(stored.dtype)
    hu = check(save(ct(dirty, 12), tmp_path / "a.dcm"))
    assert np.array_equal(hu, stored.astype(np.float32) - 1024)


def test_elements_that_stand_before_the_pixels_in_their_group(tmp_path):
    tables = {"ExtendedOffsetTable": bytes(8), "ExtendedOffsetTableLengths": bytes(8)}
    check(save(ct(pixels(12, True), 12, **tables), tmp_path / "a.dcm"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["+ti", "+te", "+tb", "+td"], ids=["implicit", "explicit", "big", "deflated"])
def test_uncompressed_syntaxes(plain, tmp_path, kind, option):
    out = tmp_path / "out.dcm"
    run("dcmconv", option, plain(kind), out)
    hu = check(out)
    assert np.array_equal(hu, pydicom_hu(plain(kind)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "tool", [("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el"), ("dcmcjpls",), ("dcmcrle",)], ids=["sv1", "p14", "jpls", "rle"]
)
def test_compressed_by_dcmtk(plain, tmp_path, kind, tool):
    out = tmp_path / "out.dcm"
    run(*tool, plain(kind), out)
    assert np.array_equal(read(out).hu[0], pydicom_hu(plain(kind)))
    check(out)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, RLELossless], ids=["j2k", "rle"])
def test_compressed_by_pydicom(plain, tmp_path, kind, syntax):
    ds = pydicom.dcmread(plain(kind))
    ds.compress(syntax)
    hu = check(save(ds, tmp_path / "out.dcm"))
    assert np.array_equal(hu, pydicom_hu(plain(kind)))


def test_monochrome1_is_not_inverted(plain):
    path = plain(PhotometricInterpretation="MONOCHROME1")
    check(path)
    assert any("MONOCHROME1" in text for text in read(path).assumptions)


@pytest.mark.parametrize("limit", [None, -1990])
def test_padding_is_marked(tmp_path, limit):
    stored = pixels(16, True)
    stored[3, :5] = [-2000, -1995, -1990, -1989, -2001]
    more = {} if limit is None else {"PixelPaddingRangeLimit": limit}
    stack = read(save(ct(stored, 16, PixelPaddingValue=-2000, **more), tmp_path / "a.dcm"))
    assert np.array_equal(stack.padding[0] == 1, (stored >= -2000) & (stored <= (limit or -2000)))
    assert np.array_equal(stack.hu[0], stored - np.float32(1024))


def test_padding_of_unsigned_pixels_and_in_big_endian(plain, tmp_path):
    path = plain((12, False), PixelPaddingValue=4095)
    run("dcmconv", "+tb", path, tmp_path / "big.dcm")
    for each in (path, tmp_path / "big.dcm"):
        assert np.array_equal(read(each).padding[0] == 1, pixels(12, False) == 4095)


POSITIONS = [[-90, -80, 10], [-90, -80, 0], [-90, -80, 5]]
SLOPES = [("1", "-1024"), ("0.5", "-1000"), ("2", "0")]


def enhanced_hu(frames):
    order = np.argsort([p[2] for p in POSITIONS])
    return np.stack([
        (frames[i].astype(np.float64) * float(SLOPES[i][0]) + float(SLOPES[i][1])).astype(np.float32) for i in order
    ])


@pytest.mark.parametrize("encoding", ["explicit", "implicit", "undefined", "rle", "jpeg", "j2k", "jpls", "fragments"])
@pytest.mark.parametrize("kind", [(16, True), (12, False)])
def test_enhanced_multiframe(tmp_path, encoding, kind):
    frames = [pixels(*kind, seed=i) for i in range(3)]
    ds = enhanced(frames, SLOPES, POSITIONS, kind[0])
    path = save(ds, tmp_path / "plain.dcm")
    out = tmp_path / "out.dcm"
    if encoding == "implicit":
        run("dcmconv", "+ti", path, out)
    elif encoding == "undefined":
        run("dcmconv", "-e", "+te", path, out)
    elif encoding == "jpeg":
        run("dcmcjpeg", path, out)
    elif encoding == "jpls":
        run("dcmcjpls", path, out)
    elif encoding == "fragments":
        run("dcmcjpeg", "+fs", "1", path, out)
        assert open(out, "rb").read().count(b"\xfe\xff\x00\xe0") > 4
    elif encoding in ("rle", "j2k"):
        ds.compress(RLELossless if encoding == "rle" else JPEG2000Lossless)
        save(ds, out)
    else:
        out = path
    stack = read(out)
    assert np.array_equal(stack.hu.view(np.uint32), enhanced_hu(frames).view(np.uint32))
    assert [plane.position_mm[2] for plane in stack.geometry.planes] == [0, 5, 10]


def test_wrapped_slices_are_mended_as_in_the_challenge_notebooks(tmp_path):
    """fix_pxrepr: x = pixel_array + 1000; x[x >= 4096] -= 4096; intercept = -1000."""
    true_hu = pixels(12, False).astype(np.int32) % 3500 - 1000
    stored = (true_hu % 4096).astype(np.uint16)
    path = save(ct(stored, 12, intercept="0"), tmp_path / "a.dcm")
    check(path)
    x = stored.astype(np.int32) + 1000
    x[x >= 4096] -= 4096
    stack = ichdet.read_dicom(path)
    assert np.array_equal(stack.hu[0], (x - 1000).astype(np.float32))
    assert np.array_equal(stack.hu[0][true_hu < 3096], true_hu[true_hu < 3096])
    assert any("repair_wrapped_12bit" in text for text in stack.assumptions)
    usual = save(ct(stored, 12, intercept="-1024"), tmp_path / "b.dcm")
    assert np.array_equal(ichdet.read_dicom(usual).hu[0], stored - np.float32(1024))


@pytest.mark.parametrize("bits", [12, 16])
def test_written_series_is_read_back(tmp_path, bits):
    hu = np.stack([pixels(12, False, seed=i).astype(np.float32) - 1024 for i in range(4)])
    planes = []
    for z in (0, 4, 8, 15.5):
        plane = ichdet.SlicePlane()
        plane.position_mm = [-100.1234567, 3, z]
        plane.along_column = [0, np.cos(0.3), -np.sin(0.3)]
        plane.row_spacing_mm, plane.column_spacing_mm, plane.thickness_mm = 0.5, 0.4375, 5
        planes.append(plane)
    padding = np.zeros(hu.shape, np.uint8)
    padding[:, :3] = 1
    hu[padding == 0] = np.maximum(hu[padding == 0], -1023)
    stack = ichdet.SliceStack(ichdet.SliceGeometry(planes, *hu.shape[1:]), hu, padding)
    files = ichdet.write_series(stack, tmp_path / "series", bits_stored=bits, seed=7)
    assert len(files) == 4
    again = ichdet.read_dicom(tmp_path / "series")
    assert np.array_equal(again.padding, padding)
    assert np.array_equal(again.hu[padding == 0], hu[padding == 0])
    for a, b in zip(again.geometry.planes, planes):
        assert np.allclose(a.position_mm, b.position_mm, atol=1e-9)
        assert np.allclose(a.along_column, b.along_column, atol=1e-9)
    for path in files:
        ds = pydicom.dcmread(path)
        assert ds.BitsStored == bits and ds.SOPInstanceUID.is_valid and ds.StudyInstanceUID.startswith("2.25.")
        assert np.array_equal(pydicom_hu(path)[3:], hu[int(ds.InstanceNumber) - 1][3:])
