"""The colours of heat maps against matplotlib's."""

import ichdet
import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib")


def test_colours_are_plasma():
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(64, 0)
    found = ichdet.heat_map(np.zeros((64, 256), np.uint8), ramp, opacity=1, fade_in=0)[:, :256].astype(int)
    expected = np.round(255 * np.array(matplotlib.colormaps["plasma"].colors))
    assert np.abs(found - expected).max() <= 3  # resampling the ramp moves a value by less than a step
    assert np.abs(found - expected).mean() < 0.3


def test_without_opacity_the_picture_stays():
    picture = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    found = ichdet.heat_map(picture, np.ones((7, 7)), opacity=0)
    np.testing.assert_array_equal(found[:50, :60], picture)
    with pytest.raises(ichdet.Error, match="low < high"):
        ichdet.heat_map(picture, np.ones((7, 7)), low=1)
