"""To and from SimpleITK, nibabel, MONAI, xarray and pydicom, with the geometry intact.

Each package is imported when one of its functions is called; where it is not installed, an ImportError says so.

Positions are LPS millimetres in ichdet, SimpleITK and DICOM, and RAS in nibabel and MONAI; arrays are (z, y, x) in
ichdet, (x, y, z) in nibabel and MONAI. What each function shares with what it was given, and what it copies:

================= ================================= ====================================================
function          shared                            copied
================= ================================= ====================================================
to_simpleitk      nothing: SimpleITK has no way in  always
from_simpleitk    float32 volumes, uint8 labels     other pixel types; probabilities, whose classes lie
                                                    side by side in a SimpleITK vector image
to_nibabel        always                            nothing
from_nibabel      float32, uint8 in nibabel's own   other types and orders; what nibabel scales; a file's
                  order (x fastest) in memory       voxels, when they are read
to_monai          always                            nothing
from_monai        CPU tensors that to_monai made    other types and layouts (torch's own, z fastest, is what
                  or that have x fastest            most MONAI transforms give), other devices
to_xarray         always                            nothing
from_xarray       float32, uint8, z y x contiguous  other types and orders
to_pydicom        nothing: pixels become integers   always
from_pydicom      nothing: pixels are decoded       always
================= ================================= ====================================================

What is shared changes on both sides when one side writes to it. SimpleITK is the exception: it copies an image that it
shares before it writes to it, and before it gives out another array view of it, so that such an image and the Volume
made from it part when SimpleITK writes.

What fits and what does not:

- Oblique and sheared grids (a tilted gantry whose slices are evenly spaced) keep their affine everywhere. In SimpleITK
  the direction matrix of a sheared grid is not orthonormal: positions, resampling and indexing are right, while some of
  its filters and writers (NIfTI, NRRD) assume or ask for an orthonormal one.
- Axes that run backwards are directions, not negative spacings; both are understood from nibabel, MONAI and xarray.
- A SliceStack or SliceLabels is taken where its planes are a regular grid, tilted or not. Where their steps vary the
  error (code geometry) says to resample. A stack's padding mask, identity and assumptions have no place in an image.
- Images of two dimensions, time series and colours are refused (code shape).
- Labels are whole numbers from 0 to 255; values of other types are checked and converted. HU become float32.
- The frame of reference and the names of labels and classes go into SimpleITK's metadata, nibabel's header extensions,
  MetaTensor.meta and DataArray.attrs, and come back from there; without names, labels are called "label 1", ...
"""

from ._monai import from_monai, to_monai
from ._nibabel import from_nibabel, to_nibabel
from ._pydicom import from_pydicom, to_pydicom
from ._simpleitk import from_simpleitk, to_simpleitk
from ._xarray import from_xarray, to_xarray

__all__ = [
    "from_monai",
    "from_nibabel",
    "from_pydicom",
    "from_simpleitk",
    "from_xarray",
    "to_monai",
    "to_nibabel",
    "to_pydicom",
    "to_simpleitk",
    "to_xarray",
]
