from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import SliceLabels, SliceStack
from .._errors import ShapeError
from ._content import Grid, Kind, content_of, kind_of, made, package

if TYPE_CHECKING:
    import SimpleITK

FRAME_OF_REFERENCE = "0020|0052"  # the key under which ITK's DICOM reader puts it
LABEL_NAMES, CLASS_NAMES = "ichdet_label_names", "ichdet_class_names"


def to_simpleitk(thing: Grid | SliceStack | SliceLabels) -> SimpleITK.Image:
    """A SimpleITK image. The voxels are copied.

    Parameters
    ----------
    thing : Volume, LabelMap, ProbabilityMap, SliceStack or SliceLabels
        Of slices: where they are a regular grid.

    Returns
    -------
    SimpleITK.Image
        Float32 of HU, uint8 of labels, or a vector image of float32 with one component for each class. Metadata holds
        the frame of reference ("0020|0052") and names ("ichdet_label_names", "ichdet_class_names": JSON).

    Raises
    ------
    GeometryError
        Slices whose steps vary.
    ImportError
        SimpleITK is not installed.

    Notes
    -----
    The direction of a sheared grid is not orthonormal; see the module's notes.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([4, 3, 2], [0.5, 0.5, 5.0], [-10, 20, 30])
    >>> image = ichdet.interop.to_simpleitk(ichdet.Volume(np.zeros((2, 3, 4)), grid))
    >>> image.GetSize(), image.GetSpacing()
    ((4, 3, 2), (0.5, 0.5, 5.0))
    >>> image.TransformIndexToPhysicalPoint((1, 0, 1))
    (-9.5, 20.0, 35.0)
    """
    sitk = package("SimpleITK", "to_simpleitk")
    content = content_of(thing)
    vector = content.kind == "probabilities"
    values = np.moveaxis(content.values, 0, -1) if vector else content.values
    image: SimpleITK.Image = sitk.GetImageFromArray(values, isVector=vector)
    target: Any = image  # whose methods have no types
    target.SetOrigin(content.geometry.origin_mm.tolist())
    target.SetSpacing(content.geometry.spacing_mm.tolist())
    target.SetDirection(content.geometry.direction.ravel().tolist())
    if content.geometry.frame_of_reference_uid:
        target.SetMetaData(FRAME_OF_REFERENCE, content.geometry.frame_of_reference_uid)
    if content.kind != "volume":
        target.SetMetaData(CLASS_NAMES if vector else LABEL_NAMES, json.dumps(content.names))
    return image


def from_simpleitk(image: SimpleITK.Image, kind: Kind | None = None, *, names: Sequence[str] | None = None) -> Grid:
    """A Volume, LabelMap or ProbabilityMap from a SimpleITK image of three dimensions.

    Parameters
    ----------
    image : SimpleITK.Image
        Its pixels are shared where they are float32 (HU) or uint8 (labels). SimpleITK copies before it writes to them.
    kind : 'volume', 'labels', 'probabilities' or None
        None: what the metadata that `to_simpleitk` leaves says, else 'volume'. Probabilities are a vector image.
    names : list of str or None
        Of labels or classes. None: those in the metadata, else "background", "label 1", ...

    Returns
    -------
    Volume, LabelMap or ProbabilityMap

    Raises
    ------
    ShapeError
        Other dimensions, several components, complex pixels, labels that are not whole numbers from 0 to 255.
    OptionsError
        Another kind.
    ImportError
        SimpleITK is not installed.

    Examples
    --------
    >>> import SimpleITK as sitk
    >>> image = sitk.Image([4, 3, 2], sitk.sitkUInt8)
    >>> image.SetOrigin([0, 0, 12.5])
    >>> image[1, 2, 0] = 1
    >>> labels = ichdet.interop.from_simpleitk(image, "labels", names=["background", "blood"])
    >>> labels.geometry.origin_mm.tolist(), int(labels.labels[0, 2, 1])
    ([0.0, 0.0, 12.5], 1)
    """
    sitk = package("SimpleITK", "from_simpleitk")
    source: Any = image  # whose methods have no types
    label_names, class_names = (_names(source, key) for key in (LABEL_NAMES, CLASS_NAMES))
    kind = kind_of(kind, label_names, class_names)
    vector = kind == "probabilities"
    dimensions, components = source.GetDimension(), source.GetNumberOfComponentsPerPixel()
    if dimensions != 3 or (components > 1 and not vector):
        raise ShapeError(f"SimpleITK image: expected 3 dimensions and {'classes' if vector else 'one value'} in each "
                         f"voxel, found {dimensions} and {components} values")
    values = _view(sitk, source)
    if vector:
        values = np.ascontiguousarray(np.moveaxis(values.reshape((*source.GetSize()[::-1], -1)), -1, 0), np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(source.GetDirection(), (3, 3)) * source.GetSpacing()
    affine[:3, 3] = source.GetOrigin()
    frame = source.GetMetaData(FRAME_OF_REFERENCE).strip(" \0") if source.HasMetaDataKey(FRAME_OF_REFERENCE) else ""
    found = label_names if kind == "labels" else class_names
    return made(values, affine, kind, names if names is not None else found, frame, "SimpleITK image")


def _names(image: Any, key: str) -> list[str] | None:
    return json.loads(image.GetMetaData(key)) if image.HasMetaDataKey(key) else None


class _Held:
    """An image's pixels, and a second handle on them: SimpleITK then copies before it writes to or frees them."""

    def __init__(self, view: Any, image: Any) -> None:
        self.__array_interface__ = view.__array_interface__
        self.view, self.image = view, image


def _view(sitk: Any, image: Any) -> Any:
    view = sitk.GetArrayViewFromImage(image)
    return np.asarray(_Held(view, sitk.Image(image)))
