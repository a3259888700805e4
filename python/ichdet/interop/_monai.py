from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import SliceLabels, SliceStack
from .._errors import GeometryError, ShapeError
from ._content import LPS_TO_RAS, Grid, Kind, content_of, kind_of, made, package

if TYPE_CHECKING:
    import torch
    from monai.data.meta_tensor import MetaTensor

FRAME_OF_REFERENCE, LABEL_NAMES, CLASS_NAMES = "frame_of_reference_uid", "label_names", "class_names"


def to_monai(thing: Grid | SliceStack | SliceLabels) -> MetaTensor:
    """A MONAI MetaTensor that shares the voxels.

    Parameters
    ----------
    thing : Volume, LabelMap, ProbabilityMap, SliceStack or SliceLabels
        Of slices: where they are a regular grid.

    Returns
    -------
    monai.data.MetaTensor, (channel, x, y, z)
        One channel of HU (float32) or labels (uint8), or the classes. The affine is to RAS millimetres, as
        monai.transforms.LoadImage and EnsureChannelFirst give it. meta holds the frame of reference
        ("frame_of_reference_uid") and names ("label_names", "class_names").

    Raises
    ------
    GeometryError
        Slices whose steps vary.
    ImportError
        MONAI is not installed.

    Examples
    --------
    >>> grid = ichdet.Geometry.aligned([4, 3, 2], [0.5, 0.5, 5.0], [-10, 20, 30])
    >>> tensor = ichdet.interop.to_monai(ichdet.Volume(np.zeros((2, 3, 4)), grid))
    >>> tuple(tensor.shape), tensor.pixdim.tolist()
    ((1, 4, 3, 2), [0.5, 0.5, 5.0])
    >>> (tensor.affine @ torch.tensor([1.0, 0, 1, 1], dtype=torch.float64)).tolist()
    [9.5, -20.0, 35.0, 1.0]
    """
    monai_data = package("monai.data", "to_monai")
    torch = package("torch", "to_monai")
    content = content_of(thing)
    values = content.values if content.kind == "probabilities" else content.values[None]
    affine = torch.from_numpy(LPS_TO_RAS @ content.geometry.affine)
    meta: dict[str, Any] = {
        "original_affine": affine.clone(),
        "spatial_shape": np.array(content.geometry.size),
        "original_channel_dim": 0,
        "space": package("monai.utils", "to_monai").SpaceKeys.RAS,
    }
    if content.geometry.frame_of_reference_uid:
        meta[FRAME_OF_REFERENCE] = content.geometry.frame_of_reference_uid
    if content.kind != "volume":
        meta[CLASS_NAMES if content.kind == "probabilities" else LABEL_NAMES] = content.names
    shared = torch.from_numpy(values).permute(0, 3, 2, 1)
    tensor: MetaTensor = monai_data.MetaTensor(shared, affine=affine, meta=meta)
    return tensor


def from_monai(tensor: MetaTensor, kind: Kind | None = None, *, names: Sequence[str] | None = None) -> Grid:
    """A Volume, LabelMap or ProbabilityMap from a MONAI MetaTensor.

    Parameters
    ----------
    tensor : monai.data.MetaTensor, (channel, x, y, z) or (x, y, z)
        Its affine is to RAS millimetres, or to LPS where meta["space"] says so. Voxels are shared where the tensor is
        on the CPU, of ichdet's type and x runs fastest, as in what `to_monai` makes.
    kind : 'volume', 'labels', 'probabilities' or None
        None: what the meta that `to_monai` leaves says, else 'volume'.
    names : list of str or None
        Of labels or classes. None: those in meta, else "background", "label 1", ...

    Returns
    -------
    Volume, LabelMap or ProbabilityMap

    Raises
    ------
    ShapeError
        Other dimensions, several channels of one volume, a batch, labels that are not whole numbers from 0 to 255.
    GeometryError
        An affine to another space.
    OptionsError
        Another kind.
    TypeError
        A tensor without an affine.
    ImportError
        MONAI is not installed.

    Examples
    --------
    >>> from monai.data import MetaTensor
    >>> tensor = MetaTensor(torch.zeros(1, 4, 3, 2), affine=torch.diag(torch.tensor([-0.5, -0.5, 5.0, 1.0])))
    >>> volume = ichdet.interop.from_monai(tensor)
    >>> volume.hu.shape, volume.geometry.spacing_mm.tolist()
    ((2, 3, 4), [0.5, 0.5, 5.0])
    """
    if not isinstance(tensor, package("monai.data", "from_monai").MetaTensor):
        raise TypeError(f"expected a monai.data.MetaTensor, which has an affine, found {type(tensor).__qualname__}")
    meta = tensor.meta
    label_names, class_names = meta.get(LABEL_NAMES), meta.get(CLASS_NAMES)
    kind = kind_of(kind, label_names, class_names)
    plain: torch.Tensor = tensor.as_tensor().detach().cpu()
    if tensor.is_batch:
        raise ShapeError("MetaTensor: expected one image, found a batch; monai.data.decollate_batch takes it apart")
    if kind != "probabilities" and plain.ndim == 4 and plain.shape[0] == 1:
        plain = plain[0]
    if plain.is_floating_point() and plain.element_size() < 4:
        plain = plain.float()  # NumPy has no bfloat16
    space = str(getattr(meta.get("space"), "value", meta.get("space") or "RAS"))
    if space not in ("RAS", "LPS"):
        raise GeometryError(f"MetaTensor, meta['space']: expected RAS or LPS, found {space}")
    affine = tensor.affine.detach().cpu().double().numpy()
    values = plain.numpy()
    return made(
        values.transpose(0, 3, 2, 1) if values.ndim == 4 else values.T,
        LPS_TO_RAS @ affine if space == "RAS" else affine,
        kind,
        names if names is not None else label_names if kind == "labels" else class_names,
        meta.get(FRAME_OF_REFERENCE, ""),
        "MetaTensor, transposed",
    )
