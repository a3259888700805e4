"""How near ichdet's networks have to be to their references."""

import numpy as np
import torch

FLOAT32, BFLOAT16 = 1e-4, 5e-2  # largest difference by the largest magnitude


def relative(found, expected):
    expected = expected.detach().numpy() if isinstance(expected, torch.Tensor) else expected
    assert found.shape == expected.shape
    assert np.isfinite(expected).all()
    return float(np.abs(found - expected).max() / np.abs(expected).max())
