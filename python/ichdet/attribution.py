"""Grad-CAM, Grad-CAM++ and EigenCAM over any network in two parts, on torch tensors."""

import torch  # noqa: F401  (before the extension, whose tensors are torch's)

from ._nn.attribution import first_component, grad_cam, head_gradient, scaled_map, unscaled_map  # noqa: F401
