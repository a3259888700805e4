"""Windowing equals the NumPy expressions bit for bit."""

import numpy as np
import pytest

import ichdet

WINDOWS = [ichdet.Window(0, 80), ichdet.Window(-20, 180), ichdet.Window(-150, 230)]


def scan(seed, shape=(3, 70, 61)):
    rng = np.random.default_rng(seed)
    hu = rng.integers(-1100, 3100, shape).astype(np.float32)
    hu[0] = rng.uniform(-200, 300, shape[1:])
    hu.flat[:8] = [0, 80, -20, 180, -150, 230, -0.0, 79.99999]
    return hu


def reference(hu, window):
    low, high = np.float32(window.low_hu), np.float32(window.high_hu)
    return (np.clip(hu, low, high) - low) / (high - low)


@pytest.mark.parametrize("threads", [1, 3])
def test_float_equals_numpy(threads):
    hu = scan(1)
    expected = np.stack([reference(hu, w) for w in WINDOWS])
    found = ichdet.window_channels(hu, WINDOWS, threads=threads)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(ichdet.window(hu, WINDOWS[1]), expected[1])
    by_slice = ichdet.window_channels(hu, WINDOWS, order="slice_first", threads=threads)
    np.testing.assert_array_equal(by_slice, expected.transpose(1, 0, 2, 3))
    out = np.full_like(expected, 7)
    ichdet.window_channels(hu, WINDOWS, out=out)
    np.testing.assert_array_equal(out, expected)


def test_range_of_blast_ct():
    """blast_ct 2.1.0, IntensityWindowNormalization: (2 x - low - high) / (high - low), within the last digits."""
    hu = scan(2)
    clipped = np.clip(hu, -15, 100)
    expected = (2.0 * clipped - -15.0 - 100.0) / 115.0
    found = ichdet.window(hu, ichdet.Window.parse("blast_ct"), range=(-1, 1))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2.5e-7)


@pytest.mark.parametrize("threads", [1, 3])
def test_large_arrays_of_odd_shape(threads):
    """Above 8 MiB the values go past the caches in blocks of 16 bytes, with a rest at both ends."""
    hu = scan(5, (27, 333, 517))
    expected = np.stack([reference(hu, w) for w in WINDOWS])
    np.testing.assert_array_equal(ichdet.window_channels(hu, WINDOWS, threads=threads), expected)
    eight = (expected * np.float32(255)).astype(np.uint8)
    np.testing.assert_array_equal(ichdet.window_channels_8bit(hu, WINDOWS, threads=threads), eight)


@pytest.mark.parametrize("order", ["channel_first", "slice_first"])
def test_8bit_equals_numpy(order):
    hu = scan(3)
    truncated = np.stack([(reference(hu, w) * np.float32(255)).astype(np.uint8) for w in WINDOWS])
    nearest = np.stack([np.floor(reference(hu, w) * np.float32(255) + np.float32(0.5)).astype(np.uint8) for w in WINDOWS])
    if order == "slice_first":
        truncated, nearest = truncated.transpose(1, 0, 2, 3), nearest.transpose(1, 0, 2, 3)
    np.testing.assert_array_equal(ichdet.window_channels_8bit(hu, WINDOWS, order=order), truncated)
    np.testing.assert_array_equal(ichdet.window_channels_8bit(hu, WINDOWS, rounding="nearest", order=order), nearest)
    assert (truncated != nearest).any()


def test_nan_becomes_the_low_value():
    hu = np.full((1, 1, 5), np.nan, np.float32)
    assert (ichdet.window(hu, WINDOWS[2], range=(-1, 1)) == -1).all()
    assert (ichdet.window_channels_8bit(hu, WINDOWS) == 0).all()


def test_names_and_refusals():
    brain = ichdet.Window.parse("brain")
    assert (brain.low_hu, brain.high_hu) == (0, 80)
    assert (ichdet.Window.parse("600,2800").low_hu, ichdet.named_windows()["bone"].high_hu) == (-800, 2000)
    for text in ("brian", "40", "40,80,1", "40,", "40,-80", "nan,80"):
        with pytest.raises(ichdet.Error, match="window"):
            ichdet.Window.parse(text)
    with pytest.raises(ichdet.Error, match="lower one first"):
        ichdet.window(scan(4), ichdet.Window(80, 80))
    with pytest.raises(ichdet.Error, match="out"):
        ichdet.window_channels(scan(4), WINDOWS, out=np.zeros((3, 3, 70, 60), np.float32))
