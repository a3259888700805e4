"""Why a network says what it says: class activation maps of a network in two parts, and attributions of any function.

On torch tensors.
"""

import torch  # noqa: F401  (before the extension, whose tensors are torch's)

from ._nn.attribution import first_component, grad_cam, head_gradient, scaled_map, unscaled_map  # noqa: F401
from ._nn.attribution import Attribution, Completeness, Explained  # noqa: F401
from ._nn.attribution import integrated_gradients, quadrature_nodes  # noqa: F401
from ._nn.attribution import EqualArea, InformationCurve, Pointing, ScoreCurve  # noqa: F401
from ._nn.attribution import energy_inside, equal_area, pixel_auc, pointing_game, rank_correlation  # noqa: F401
from ._nn.attribution import blank, blurred, deletion_curves, insertion_curves  # noqa: F401
from ._nn.attribution import information_curve, joined_curves, residual_bytes  # noqa: F401
from ._nn.attribution import blur_ig, gaussian_blur, guided_ig  # noqa: F401
from ._nn.attribution import attribution_methods, gradients, smooth, smooth_gradients, to_map  # noqa: F401
from ._nn.attribution import occlusion, rise, rise_masks  # noqa: F401
from ._nn.attribution import RegionMasks, Xrai, XraiRegions  # noqa: F401
from ._nn.attribution import felzenszwalb, xrai, xrai_regions, xrai_segments  # noqa: F401
