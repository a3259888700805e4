"""What ichdet raises."""


class Error(RuntimeError):
    """What ichdet raises: the message names the file, tag, tensor or argument, what was expected and what was found.

    Each kind of trouble has a subclass of its own; `code` names the kind.

    Examples
    --------
    >>> try:
    ...     ichdet.Window.parse("lung")
    ... except ichdet.Error as error:
    ...     print(error.code)
    options
    """

    #: "io", "dicom", "geometry", "shape", "weights", "options", "limit" or "cancelled"
    code: str = ""


class IoError(Error, OSError):
    """A file or folder could not be read or written. Also an OSError.

    Examples
    --------
    >>> ichdet.read_nifti("nowhere.nii")
    Traceback (most recent call last):
    ...
    ichdet.IoError: nowhere.nii: cannot be opened for reading
    """

    code = "io"


class DicomError(Error):
    """A DICOM file or tag is malformed, missing or contradictory; the message names both.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ichdet.read_dicom(folder)
    Traceback (most recent call last):
    ...
    ichdet.DicomError: ...
    """

    code = "dicom"


class GeometryError(Error, ValueError):
    """Positions, orientations or spacings do not make a usable geometry. Also a ValueError.

    Examples
    --------
    >>> ichdet.Geometry.aligned(size=(8, 8, 0), spacing_mm=(1, 1, 5))
    Traceback (most recent call last):
    ...
    ichdet.GeometryError: ...
    """

    code = "geometry"


class ShapeError(Error, ValueError):
    """An array has the wrong shape or type. Also a ValueError.

    Examples
    --------
    >>> ichdet.Volume(np.zeros((4, 8, 8), "float32"), ichdet.Geometry.aligned(size=(8, 8, 5), spacing_mm=(1, 1, 5)))
    Traceback (most recent call last):
    ...
    ichdet.ShapeError: volume: expected 5 x 8 x 8 (z, y, x), found 4 x 8 x 8 (z, y, x)
    """

    code = "shape"


class WeightsError(Error):
    """A bundle, a tensor or a hash is not what was announced.

    Examples
    --------
    >>> ichdet.open_bundle("nothing-of-this-name")
    Traceback (most recent call last):
    ...
    ichdet.WeightsError: ...
    """

    code = "weights"


class OptionsError(Error, ValueError):
    """The caller asked for something that does not exist or contradicts itself. Also a ValueError.

    Examples
    --------
    >>> ichdet.Window.parse("lung")
    Traceback (most recent call last):
    ...
    ichdet.OptionsError: ...
    """

    code = "options"


class LimitError(Error):
    """Memory, size or another resource limit was reached.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = folder + "/labels.nii"
    ...     grid = ichdet.Geometry.aligned(size=(8, 8, 2), spacing_mm=(1, 1, 5))
    ...     ichdet.write_nifti(path, ichdet.Volume(np.zeros((2, 8, 8), "float32"), grid))
    ...     ichdet.read_nifti(path, max_voxels=100)
    Traceback (most recent call last):
    ...
    ichdet.LimitError: ...
    """

    code = "limit"


class Cancelled(Error):
    """The caller asked a long call to stop.

    Ctrl-C raises KeyboardInterrupt instead; this is what C++ code that stops through its own Progress gives.

    Examples
    --------
    >>> issubclass(ichdet.Cancelled, ichdet.Error), ichdet.Cancelled.code
    (True, 'cancelled')
    """

    code = "cancelled"


for _kind in (Error, IoError, DicomError, GeometryError, ShapeError, WeightsError, OptionsError, LimitError, Cancelled):
    _kind.__module__ = "ichdet"
