"""Parity of ichdet.nn.sliding_window with MONAI's sliding_window_inference."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
inferers = pytest.importorskip("monai.inferers")
nn = pytest.importorskip("ichdet.nn")


def predictor(patch):
    """Two channels that depend on the voxel, its neighbours and its place in the patch."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in patch.shape[1:]), indexing="ij")
    return np.stack([np.tanh(patch[0]) + 0.3 * z * y, patch[0] * patch[1] + 0.1 * np.roll(patch[1], 1, 2) + x]).astype("f4")


@pytest.mark.parametrize("mode", ["constant", "gaussian"])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("shape,roi", [((23, 30, 17), (8, 12, 9)), ((8, 30, 9), (8, 12, 9)), ((5, 30, 7), (8, 12, 10))])
def test_equals_monai(mode, overlap, shape, roi):
    image = np.random.default_rng(1).normal(size=(2, *shape)).astype("f4")
    expected = inferers.sliding_window_inference(
        torch.from_numpy(image)[None], roi, 1,
        lambda patch: torch.from_numpy(predictor(patch[0].numpy()))[None], overlap=overlap, mode=mode)[0].numpy()
    found, slabs = nn.sliding_window(image, 2, predictor, roi, roi, overlap=overlap, blending=mode, padding="constant")
    assert slabs >= shape[0] // roi[0]
    np.testing.assert_allclose(found, expected, atol=1e-5)
