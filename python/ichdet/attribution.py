"""Why a network says what it says: class activation maps of a network in two parts, and attributions of any function.

On torch tensors, and NumPy arrays, whose memory is shared. A network is any callable that torch differentiates, one of
ichdet.nn too; SliceExplainer there does all of it for a study's slices.
"""

import torch  # noqa: F401  (before the extension, whose tensors are torch's)

from ._nn.attribution import *  # noqa: F401,F403
