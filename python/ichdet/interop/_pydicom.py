from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._core import SliceStack, read_dicom, write_series
from .._errors import DicomError, Error, IoError
from ._content import package

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset


def to_pydicom(stack: SliceStack, *, seed: int = 0, bits_stored: int = 16) -> list[FileDataset]:
    """A stack as pydicom datasets of CT Image Storage, one a slice, in order along the normal.

    They are what `ichdet.write_series` writes: HU are rounded to whole numbers, padded pixels become PixelPaddingValue;
    positions, tilt and variable gaps are kept.

    Parameters
    ----------
    stack : SliceStack
    seed : int
        UIDs come from it and the content.
    bits_stored : int
        16: signed, -32768 to 32767 HU; 12: -1024 to 3071 HU. What lies outside is clamped.

    Returns
    -------
    list of pydicom.FileDataset
        In memory, pixels included; `save_as` writes them.

    Raises
    ------
    OptionsError
        Other bits_stored.
    DicomError
        HU that are not finite.
    ImportError
        pydicom is not installed.

    Examples
    --------
    >>> planes = ichdet.SliceGeometry(ichdet.Geometry.aligned([16, 16, 2], [10, 10, 50]))
    >>> datasets = ichdet.interop.to_pydicom(ichdet.SliceStack(planes, np.full((2, 16, 16), 40.0)))
    >>> [ds.Modality for ds in datasets], datasets[1].pixel_array.shape
    (['CT', 'CT'], (16, 16))
    """
    pydicom = package("pydicom", "to_pydicom")
    with tempfile.TemporaryDirectory(prefix="ichdet-") as folder:
        files = write_series(stack, Path(folder) / "series", seed=seed, bits_stored=bits_stored)
        return [pydicom.dcmread(io.BytesIO(Path(file).read_bytes())) for file in files]


def from_pydicom(datasets: Sequence[Dataset], **options: Any) -> SliceStack:
    """A SliceStack from pydicom datasets, by ichdet's own reader.

    The datasets are written to a temporary folder as pydicom writes them and read by `ichdet.read_dicom`, so that its
    guards, repairs and choice of a series apply, and HU and planes are those of the files, bit for bit. A changed tag
    counts: what is in the datasets is what is read.

    Parameters
    ----------
    datasets : list of pydicom.Dataset
        Slices in any order, or a multi-frame image. A dataset without file meta information is taken for explicit VR
        little endian. Errors call them ``datasets[0]``, ...
    **options
        As of `ichdet.read_dicom`: series_uid, study_uid, allow_gaps, repair_wrapped_12bit, slice_thickness_mm, threads.

    Returns
    -------
    SliceStack

    Raises
    ------
    Error
        As `ichdet.read_dicom`; io: an empty list; dicom: what pydicom cannot write.
    ImportError
        pydicom is not installed.

    Examples
    --------
    >>> planes = ichdet.SliceGeometry(ichdet.Geometry.aligned([16, 16, 2], [10, 10, 50]))
    >>> datasets = ichdet.interop.to_pydicom(ichdet.SliceStack(planes, np.full((2, 16, 16), 40.0)))
    >>> datasets[0].RescaleIntercept = 10  # on the lower slice alone
    >>> read = ichdet.interop.from_pydicom(datasets[::-1])
    >>> [np.unique(hu).tolist() for hu in read.hu]
    [[50.0], [40.0]]
    """
    pydicom = package("pydicom", "from_pydicom")
    if len(datasets) == 0:
        raise IoError("datasets: expected at least one, found none")
    with tempfile.TemporaryDirectory(prefix="ichdet-") as folder:
        for i, dataset in enumerate(datasets):
            _save(pydicom, dataset, Path(folder) / f"datasets[{i}]")
        try:
            return read_dicom(folder, **options)
        except Error as e:
            raise type(e)(str(e).replace(folder + "/", "").replace(folder, "datasets")) from None


def _save(pydicom: Any, dataset: Dataset, path: Path) -> None:
    try:
        if getattr(dataset, "file_meta", None) is not None and "TransferSyntaxUID" in dataset.file_meta:
            pydicom.dcmwrite(path, dataset, enforce_file_format=True)
            return
        bare = pydicom.FileDataset(None, dataset, file_meta=pydicom.dataset.FileMetaDataset(), preamble=b"\0" * 128)
        bare.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        pydicom.dcmwrite(path, bare, enforce_file_format=True)
    except Exception as e:
        raise DicomError(f"{path.name}: pydicom cannot write it: {e}") from e
