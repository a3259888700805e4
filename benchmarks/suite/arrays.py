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
