"""CT images made with pydicom, for tests that need a kind of file that ../shared/data does not hold."""

import shutil
import subprocess

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

TILT = np.deg2rad(12.0)
ORIENTATION = [1, 0, 0, 0, np.cos(TILT).round(8), (-np.sin(TILT)).round(8)]


def pixels(bits_stored, signed, shape=(40, 36), seed=0):
    """Smooth structure and noise that reach both ends of the range."""
    low, high = (-(1 << (bits_stored - 1)), (1 << (bits_stored - 1)) - 1) if signed else (0, (1 << bits_stored) - 1)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    wave = (np.sin(x / 5.0) * np.cos(y / 7.0) + 1) / 2
    values = low + wave * (high - low) * 0.9 + rng.normal(0, (high - low) / 50, shape)
    values = np.clip(values.round(), low, high)
    values[0, 0], values[0, 1] = low, high
    dtype = np.dtype(f"{'i' if signed else 'u'}{1 if bits_stored <= 8 else 2}")
    return values.astype(dtype)


def ct(stored, bits_stored, *, z=0.0, number=1, slope="1", intercept="-1024", series="1.2.3.4", **tags):
    """One CT image; `tags` replace or add attributes, None removes one."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[series, str(number), str(z)])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.Modality = "CT"
    ds.PatientID = "P"
    ds.PatientName = "P"
    ds.StudyInstanceUID = "1.2.3"
    ds.SeriesInstanceUID = series
    ds.SeriesNumber = 1
    ds.InstanceNumber = number
    ds.SliceThickness = "5"
    ds.ImagePositionPatient = [-90, -80, z]
    ds.ImageOrientationPatient = ORIENTATION
    ds.FrameOfReferenceUID = "1.2.3.9"
    ds.PixelSpacing = ["0.5", "0.45"]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows, ds.Columns = stored.shape
    ds.BitsAllocated = stored.dtype.itemsize * 8
    ds.BitsStored = bits_stored
    ds.HighBit = bits_stored - 1
    ds.PixelRepresentation = int(stored.dtype.kind == "i")
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    data = stored.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    for name, value in tags.items():
        if value is None:
            delattr(ds, name)
        else:
            setattr(ds, name, value)
    return ds


def save(ds, path):
    ds.save_as(path, enforce_file_format=True)
    return path


def series(folder, offsets, **common):
    """A series of images at the given z; `numbers` gives their instance numbers."""
    numbers = common.pop("numbers", range(1, len(offsets) + 1))
    thickness = common.pop("thickness", ["5"] * len(offsets))
    folder.mkdir(parents=True, exist_ok=True)
    for i, (z, number) in enumerate(zip(offsets, numbers)):
        stored = pixels(16, True, seed=i)
        save(ct(stored, 16, z=z, number=number, SliceThickness=thickness[i], **common), folder / f"{i:03}.dcm")
    return folder


def enhanced(frames, slopes, positions, bits_stored=16):
    """An enhanced multi-frame CT; position and rescale stand in each frame's own groups, the rest in the shared ones."""
    ds = ct(frames[0], bits_stored)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
                 "RescaleIntercept", "InstanceNumber"):
        delattr(ds, name)
    ds.InstanceNumber = 1
    ds.NumberOfFrames = len(frames)
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.5", "0.45"], "5"
    orientation.ImageOrientationPatient = ORIENTATION
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence()
    for (slope, intercept), position in zip(slopes, positions):
        groups, place, rescale = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = position
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, intercept, "HU"
        groups.PlanePositionSequence = Sequence([place])
        groups.PixelValueTransformationSequence = Sequence([rescale])
        ds.PerFrameFunctionalGroupsSequence.append(groups)
    ds.PixelData = b"".join(frame.tobytes() for frame in frames)
    return ds


def run(tool, *arguments):
    """Runs one of dcmtk's tools; skips the test, saying so, where it is not installed."""
    if shutil.which(tool) is None:
        pytest.skip(f"SKIPPED: no {tool} (Debian package dcmtk)")
    subprocess.run([tool, *map(str, arguments)], check=True, capture_output=True)


def pydicom_hu(path):
    from pydicom.pixels import apply_rescale

    ds = pydicom.dcmread(path)
    return apply_rescale(ds.pixel_array, ds).astype(np.float32)
