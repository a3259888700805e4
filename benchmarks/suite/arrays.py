"""Arrays as the cases compare them."""

import numpy as np


def differences(outputs, expected, at_most):
    """The largest difference of each contender's array from that of `expected`; more than `at_most` is an error."""
    found = {}
    for name, values in outputs.items():
        if name == expected:
            continue
        allowed = at_most[name] if isinstance(at_most, dict) else at_most
        assert np.shape(values) == np.shape(outputs[expected]), f"{name}: {np.shape(values)}"
        found[name] = float(np.abs(np.asarray(values, np.float64) - outputs[expected]).max(initial=0))
        assert found[name] <= allowed, f"{name} differs from {expected} by {found[name]:.3g}, allowed {allowed:.3g}"
    return found


def dice(a, b):
    return 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else 1.0


def unlike(masks, expected, at_most, maybe_empty=False):
    """1 - Dice of each contender's mask with that of `expected`; more than `at_most` is an error."""
    assert maybe_empty or masks[expected].any(), f"{expected} found nothing, so there is nothing to agree on"
    found = {}
    for name, mask in masks.items():
        if name == expected:
            continue
        allowed = at_most.get(name, at_most["others"]) if isinstance(at_most, dict) else at_most
        found[name] = 1 - dice(mask, masks[expected])
        assert found[name] <= allowed, f"1 - Dice of {name} with {expected} is {found[name]:.3g}, allowed {allowed:.3g}"
    return found
