from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import SliceLabels, SliceStack
from .._errors import GeometryError
from ._content import LPS_TO_RAS, Grid, Kind, content_of, kind_of, made, package

if TYPE_CHECKING:
    import nibabel

COMMENT = 6  # NIfTI's code of extensions that are plain text
LABELS = "ichdet labels\n"  # as ichdet.write_nifti puts it
CLASSES = "ichdet classes\n"
FRAME_OF_REFERENCE = "ichdet frame of reference\n"


def to_nibabel(thing: Grid | SliceStack | SliceLabels) -> nibabel.Nifti1Image:
    """A nibabel image that shares the voxels.

    Parameters
    ----------
    thing : Volume, LabelMap, ProbabilityMap, SliceStack or SliceLabels
        Of slices: where they are a regular grid.

    Returns
    -------
    nibabel.Nifti1Image
        (x, y, z), float32 of HU or uint8 of labels, or (x, y, z, class). The affine is to RAS millimetres; sform and
        qform have code 1 (scanner), the sform alone where the grid is sheared. Comment extensions hold names, as
        `ichdet.write_nifti` puts them, and the frame of reference.

    Raises
    ------
    GeometryError
        Slices whose steps vary.
    ImportError
        nibabel is not installed.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([4, 3, 2], [0.5, 0.5, 5.0], [-10, 20, 30])
    >>> volume = ichdet.Volume(np.zeros((2, 3, 4)), grid)
    >>> image = ichdet.interop.to_nibabel(volume)
    >>> image.affine @ [1, 0, 1, 1]
    array([  9.5, -20. ,  35. ,   1. ])
    >>> np.shares_memory(image.dataobj, volume.hu)
    True
    """
    nib = package("nibabel", "to_nibabel")
    content = content_of(thing)
    values = content.values
    data = np.moveaxis(values, 0, -1).transpose(2, 1, 0, 3) if content.kind == "probabilities" else values.T
    affine = LPS_TO_RAS @ content.geometry.affine
    image: nibabel.Nifti1Image = nib.Nifti1Image(data, affine)
    header: Any = image.header
    header.set_xyzt_units("mm")
    target: Any = image  # whose methods have no types
    target.set_sform(affine, code=1, update_affine=False)
    direction = content.geometry.direction
    if np.allclose(direction.T @ direction, np.eye(3), atol=1e-6):
        target.set_qform(affine, code=1, update_affine=False)
    for title, text in (
        (LABELS if content.kind == "labels" else CLASSES, _listed(content.names)),
        (FRAME_OF_REFERENCE, content.geometry.frame_of_reference_uid),
    ):
        if text:
            header.extensions.append(nib.nifti1.Nifti1Extension(COMMENT, (title + text).encode()))
    return image


def from_nibabel(image: Any, kind: Kind | None = None, *, names: Sequence[str] | None = None) -> Grid:
    """A Volume, LabelMap or ProbabilityMap from a nibabel image.

    Parameters
    ----------
    image : nibabel.spatialimages.SpatialImage
        (x, y, z), or (x, y, z, class) for probabilities; later axes of size 1 are left out. Its affine is used, which
        is to RAS millimetres. Voxels are shared where they are in memory in NIfTI's order and of ichdet's type.
    kind : 'volume', 'labels', 'probabilities' or None
        None: what the extensions that `to_nibabel` or `ichdet.write_nifti` leave say, else 'volume'.
    names : list of str or None
        Of labels or classes. None: those in the extensions, else "background", "label 1", ...

    Returns
    -------
    Volume, LabelMap or ProbabilityMap
        Equal to what `ichdet.read_nifti` reads from the same file.

    Raises
    ------
    ShapeError
        Other dimensions, colours, labels that are not whole numbers from 0 to 255.
    GeometryError
        No affine, or one in other units than millimetres.
    OptionsError
        Another kind.
    ImportError
        nibabel is not installed.

    Examples
    --------
    >>> import nibabel
    >>> image = nibabel.Nifti1Image(np.zeros((4, 3, 2), np.float32), np.diag([-0.5, -0.5, 5.0, 1.0]))
    >>> volume = ichdet.interop.from_nibabel(image)
    >>> volume.hu.shape, volume.geometry.spacing_mm.tolist()
    ((2, 3, 4), [0.5, 0.5, 5.0])
    >>> volume.geometry.direction.tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    package("nibabel", "from_nibabel")
    if image.affine is None:
        raise GeometryError("nibabel image: expected an affine, found none")
    units = getattr(image.header, "get_xyzt_units", lambda: ("mm", "unknown"))()[0]
    if units not in ("mm", "unknown"):
        raise GeometryError(f"nibabel image, units of space: expected mm, found {units}")
    texts = [_text(extension) for extension in getattr(image.header, "extensions", [])]
    label_names, class_names = (_unlisted(_after(title, texts)) for title in (LABELS, CLASSES))
    kind = kind_of(kind, label_names, class_names)
    values = np.asanyarray(image.dataobj)
    axes = 4 if kind == "probabilities" else 3
    while values.ndim > axes and values.shape[-1] == 1:
        values = values[..., 0]
    affine = LPS_TO_RAS @ np.asarray(image.affine, np.float64)
    found = label_names if kind == "labels" else class_names
    frame = _after(FRAME_OF_REFERENCE, texts) or ""
    return made(values.T, affine, kind, names if names is not None else found, frame, "nibabel image, transposed")


def _listed(names: list[str]) -> str:
    return "".join(f"{i} {' '.join(name.split())}\n" for i, name in enumerate(names))


def _unlisted(text: str | None) -> list[str] | None:
    """Names from lines such as "1 intraparenchymal"."""
    if text is None:
        return None
    found: dict[int, str] = {}
    for line in text.splitlines():
        number, _, name = line.strip().partition(" ")
        if number.isdigit() and name:
            found[int(number)] = name.strip()
    return [found.get(i, f"label {i}") for i in range(max(found) + 1)] if found else None


def _text(extension: Any) -> str:
    content = extension.get_content() if extension.get_code() == COMMENT else b""
    return (content.decode(errors="replace") if isinstance(content, bytes) else str(content)).split("\0")[0]


def _after(title: str, texts: list[str]) -> str | None:
    return next((text[len(title):] for text in texts if text.startswith(title)), None)
