"""Grouping, setting aside, choosing, gaps, and refusals that name file and tag."""

import random

import numpy as np
import pytest

import ichdet

pydicom = pytest.importorskip("pydicom")
from pydicom.uid import JPEG2000Lossless, SecondaryCaptureImageStorage  # noqa: E402

from dicom_files import ct, enhanced, pixels, run, save, series  # noqa: E402


def rules(inventory):
    return sorted(aside.rule for aside in inventory.set_aside)


def one(folder):
    (found,) = ichdet.scan(folder).series
    return found


def test_everything_else_is_set_aside_by_name_of_the_rule(tmp_path):
    series(tmp_path / "a" / "b", [0, 5, 10, 15, 20])
    x = pixels(16, True)
    save(ct(x, 16, number=90, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), tmp_path / "localizer.dcm")
    save(ct(x, 16, number=91, ImageType=["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]), tmp_path / "protocol.dcm")
    save(ct(x, 16, number=92, SOPClassUID=SecondaryCaptureImageStorage), tmp_path / "capture.dcm")
    save(ct(x, 16, number=93, Modality="MR"), tmp_path / "mr.dcm")
    save(ct(x, 16, number=94, PixelData=None), tmp_path / "no_pixels.dcm")
    save(ct(x, 16, number=95, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), tmp_path / "sagittal.dcm")
    save(ct(x, 16, z=0, number=1), tmp_path / "again.dcm")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    cut = (tmp_path / "a" / "b" / "000.dcm").read_bytes()[:601]
    (tmp_path / "cut.dcm").write_bytes(cut)
    inventory = ichdet.scan(tmp_path)
    assert {aside.file.name: aside.rule for aside in inventory.set_aside} == {
        "localizer.dcm": "localizer",
        "protocol.dcm": "exam summary/secondary capture",
        "capture.dcm": "exam summary/secondary capture",
        "mr.dcm": "not CT",
        "no_pixels.dcm": "no pixels",
        "sagittal.dcm": "stray orientation",
        "again.dcm": "duplicate",
        "notes.txt": "not DICOM",
        "empty": "not DICOM",
        "cut.dcm": "unreadable",
    }
    assert [len(s.slices) for s in inventory.series] == [5]
    stack = ichdet.read_dicom(tmp_path)
    assert any("cut.dcm" in text for text in stack.assumptions)


def test_inputs_may_be_files_in_any_order(tmp_path):
    files = sorted(series(tmp_path, [10, 0, 5]).iterdir())
    for order in (files, files[::-1]):
        found = ichdet.scan(order)
        assert [s.file for s in found.series[0].slices] == [files[1], files[2], files[0]]
    with pytest.raises(ichdet.Error, match="nowhere"):
        ichdet.scan(tmp_path / "nowhere")


def test_two_matrix_sizes_and_two_kernels_in_one_series(tmp_path):
    series(tmp_path / "a", range(0, 50, 5))
    for i in range(6):
        save(ct(pixels(16, True, (20, 20)), 16, z=i, number=50 + i), tmp_path / f"small{i}.dcm")
    parts = ichdet.scan(tmp_path).series
    assert [(s.part, len(s.slices), s.rows) for s in parts] == [(1, 10, 40), (2, 6, 20)]

    for kernel in ("STANDARD", "BONE"):
        for i in range(5):
            ds = ct(pixels(16, True), 16, z=5.0 * i, number=i, series="1.2.9", ConvolutionKernel=kernel)
            ds.SOPInstanceUID += "1" if kernel == "BONE" else "2"
            save(ds, tmp_path / f"{kernel}{i}.dcm")
    parts = [s for s in ichdet.scan(tmp_path).series if s.identity.series_instance_uid == "1.2.9"]
    assert sorted(s.identity.convolution_kernel for s in parts) == ["BONE", "STANDARD"]
    assert all(len(s.slices) == 5 and not s.problems for s in parts)


COS = np.cos(np.deg2rad(12.0))


@pytest.mark.parametrize(
    "offsets, numbers, thickness, missing",
    [
        ([0, 5, 10, 15, 20, 25], None, None, 0),
        ([0, 5, 10, 20, 25, 30], [1, 2, 3, 5, 6, 7], None, 1),  # a file was lost
        ([0, 5, 10, 20, 25, 30], None, None, 1),  # renumbered after it was lost
        ([0, 5, 10, 15, 25], [1, 2, 3, 4, 6], None, 1),  # before the last
        ([0, 5, 10, 25, 30, 35], None, None, 1),  # two lost
        ([0, 5, 10, 15, 25, 35, 45], None, None, 0),  # another spacing above
        ([0, 5, 10, 15, 25], None, ["5", "5", "5", "5", "10"], 0),  # one thick slice at the top
        ([0, 5, 10, 18.5, 23.5], None, None, 0),  # numbered on, and no multiple
        ([0, 5, 10, 18.5, 23.5], [1, 2, 3, 9, 10], None, 1),
        ([0, 5, 10, 15, 20], [1, 2, 3, 7, 8], None, 0),  # numbers jump, the gap does not
        ([0, 4.22, 8.44, 9.58, 16.96, 24.34], None, ["4", "4", "4", "7", "7", "7"], 0),  # as in head_ct_ge_tilt
        ([0, 4.22, 8.44, 16.96, 24.34], [1, 2, 3, 5, 6], ["4", "4", "4", "7", "7"], 1),  # lost at the change
        ([0, 2.5, 5, 10, 12.5], [5, 4, 3, 1, 0], ["5"] * 5, 1),  # overlapping, numbered downwards
        ([0, 10], [1, 9], None, 0),  # two slices say nothing
    ],
)
def test_missing_slices(tmp_path, offsets, numbers, thickness, missing):
    more = {}
    if numbers:
        more["numbers"] = numbers
    if thickness:
        more["thickness"] = thickness
    found = one(series(tmp_path, [z / COS for z in offsets], **more))
    assert sum(gap.missing for gap in found.gaps) == missing
    if missing:
        with pytest.raises(ichdet.Error, match="a slice is missing") as raised:
            ichdet.read_series(found)
        assert raised.value.code == "geometry"
        stack = ichdet.read_series(found, allow_gaps=True)
        assert any("missing" in text for text in stack.assumptions)
    else:
        stack = ichdet.read_series(found)
    assert np.allclose(stack.geometry.offsets_mm, np.array(offsets) - offsets[0], atol=1e-5)
    if len(offsets) > 1:
        assert stack.geometry.tilt_degrees == pytest.approx(12, abs=1e-3)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"PixelSpacing": None}, r"001.dcm, PixelSpacing \(0028,0030\): expected two positive numbers, found nothing"),
        ({"PixelSpacing": ["0.5", "0"]}, r"PixelSpacing \(0028,0030\)"),
        ({"ImagePositionPatient": None}, r"ImagePositionPatient \(0020,0032\)"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, r"ImageOrientationPatient \(0020,0037\).*perpendicular"),
        ({"RescaleSlope": None}, r"RescaleSlope \(0028,1053\)"),
        ({"RescaleIntercept": None}, r"RescaleIntercept \(0028,1052\)"),
        ({"SOPInstanceUID": ""}, r"SOPInstanceUID \(0008,0018\)"),
        ({"Rows": None}, r"Rows \(0028,0010\)"),
        ({"BitsStored": 17}, r"BitsStored \(0028,0101\)"),
        ({"HighBit": 14}, r"HighBit \(0028,0102\)"),
        ({"BitsAllocated": 32}, r"BitsAllocated \(0028,0100\)"),
        ({"NumberOfFrames": 2}, r"PerFrameFunctionalGroupsSequence \(5200,9230\)"),
        ({"ImagePositionPatient": [-90, -80, 10]}, r"ImagePositionPatient \(0020,0032\): expected a place of its own"),
    ],
)
def test_refusals_name_file_and_tag(tmp_path, change, words):
    series(tmp_path, [0, 5, 10, 15])
    save(ct(pixels(16, True), 16, z=5.0, number=2, **change), tmp_path / "001.dcm")
    with pytest.raises(ichdet.Error, match=words) as raised:
        ichdet.read_dicom(tmp_path)
    assert raised.value.code == "dicom"
    assert "001.dcm" in str(raised.value) or "002.dcm" in str(raised.value)


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "0x10", "five"])
def test_numbers_that_are_none(tmp_path, text):
    path = save(ct(pixels(16, True), 16), tmp_path / "a.dcm")
    bytes_ = path.read_bytes()
    assert bytes_.count(b"-1024 ") == 1
    path.write_bytes(bytes_.replace(b"-1024 ", text.encode().ljust(6)))
    with pytest.raises(ichdet.Error, match=r"RescaleIntercept \(0028,1052\): expected 1 finite number"):
        ichdet.read_dicom(path)


def test_a_file_cut_off_within_its_pixels(tmp_path):
    path = save(ct(pixels(16, True), 16), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ichdet.Error, match=r"a.dcm, PixelData \(7FE0,0010\): expected 2880 bytes, found 2780"):
        ichdet.read_dicom(path)


def test_the_choice_follows_the_rules(tmp_path):
    def add(uid, number, count, **tags):
        series(tmp_path / uid, range(0, 5 * count, 5), series=uid, SeriesNumber=number, **tags)

    add("1.1", 9, 30, ConvolutionKernel="BONE")
    add("1.2", 8, 30, ConvolutionKernel="H31s")
    add("1.3", 7, 40, ConvolutionKernel="H31s", ContrastBolusAgent="OMNIPAQUE")
    add("1.4", 6, 4, ConvolutionKernel="STANDARD")
    inventory = ichdet.scan(tmp_path)
    index, why = ichdet.choose_head_series(inventory)
    assert inventory.series[index].identity.series_instance_uid == "1.2"
    assert "softer kernel" in why[0]
    stack = ichdet.read_dicom(tmp_path, series_uid="1.4")
    assert stack.hu.shape[0] == 4 and stack.identity.convolution_kernel == "STANDARD"
    with pytest.raises(ichdet.Error, match="expected series 1.7, found"):
        ichdet.read_dicom(tmp_path, series_uid="1.7")

    add("1.0", 8, 30, ConvolutionKernel="H31s")
    inventory = ichdet.scan(tmp_path)
    index, why = ichdet.choose_head_series(inventory)
    assert inventory.series[index].identity.series_instance_uid == "1.0"
    assert "equal by every rule" in why[0]


def test_nothing_suitable_lists_what_was_there(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    save(ct(pixels(16, True), 16, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), tmp_path / "sagittal.dcm")
    with pytest.raises(ichdet.Error, match=r"(?s)not axial.*not DICOM.*notes.txt"):
        ichdet.read_dicom(tmp_path)


def mutated(raw, rng, start):
    data = bytearray(raw)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(start, len(data))
        data[at] = rng.choice([rng.randrange(256), data[at] ^ 1 << rng.randrange(8), 0, 255, 127, 128])
    if rng.random() < 0.1:
        del data[rng.randrange(start, len(data)) :]
    return bytes(data)


@pytest.mark.parametrize("encoding", ["deflated", "enhanced", "jpeg", "jpls", "rle", "j2k"])
def test_damaged_files_are_read_or_refused(tmp_path, encoding):
    """Half of the damage anywhere, half behind the header. A crash ends the test run."""
    plain, path = save(ct(pixels(12, True), 12), tmp_path / "plain.dcm"), tmp_path / "a.dcm"
    if encoding == "j2k":
        ds = pydicom.dcmread(plain)
        ds.compress(JPEG2000Lossless)
        save(ds, path)
    elif encoding == "enhanced":
        frames = [pixels(16, True, seed=i) for i in range(3)]
        save(enhanced(frames, [("1", "-1024")] * 3, [[0, 0, i] for i in range(3)]), plain)
        run("dcmconv", "-e", "+te", plain, path)
    else:
        tool = {"deflated": ("dcmconv", "+td"), "jpeg": ("dcmcjpeg",), "jpls": ("dcmcjpls",), "rle": ("dcmcrle",)}
        run(*tool[encoding], plain, path)
    raw = path.read_bytes()
    assert len(ichdet.scan(path).series) == 1
    behind = max(200, raw.rfind(b"\xe0\x7f\x10\x00")) if encoding != "deflated" else 400
    rng = random.Random(5)
    outcomes = {"read": 0, "refused": 0}
    for i in range(500):
        path.unlink()  # some file systems flush to disk what overwrites a file
        path.write_bytes(mutated(raw, rng, 132 if i % 2 else behind))
        try:
            for found in ichdet.scan(path).series:
                ichdet.read_series(found)
            outcomes["read"] += 1
        except ichdet.Error:
            outcomes["refused"] += 1
    assert outcomes["read"] and outcomes["refused"]
