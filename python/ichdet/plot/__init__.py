"""Pictures of scans, findings and figures, with matplotlib.

matplotlib is imported when a function is called. Functions of one diagram take `ax` (None: a new figure) and return the
Axes; those of several return the Figure. None calls `show`, none changes matplotlib's settings.

Slices are shown as radiologists read them: nose up, the patient's right at the left, in millimetres of the slice's own
plane, so that a pixel has the size that it has in the patient. Colours are Okabe and Ito's, and plasma of maps, which
people with any colour vision tell apart. Not for clinical use.
"""

from ._curves import precision_recall, reliability, roc, score_curves, volumes
from ._planes import three_planes
from ._slices import heat_map, montage, slice_view
from ._study import probability_along_z
from ._training import learning_curve

__all__ = [
    "heat_map",
    "learning_curve",
    "montage",
    "precision_recall",
    "probability_along_z",
    "reliability",
    "roc",
    "score_curves",
    "slice_view",
    "three_planes",
    "volumes",
]
