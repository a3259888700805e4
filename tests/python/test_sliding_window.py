"""Parity of ichdet.nn.sliding_window with MONAI's sliding_window_inference and nnU-Net's."""
import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = pytest.importorskip("ichdet.nn")


def predictor(patch):
    """Two channels that depend on the voxel, its neighbours and its place in the patch."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in patch.shape[1:]), indexing="ij")
    return np.stack([np.tanh(patch[0]) + 0.3 * z * y, patch[0] * patch[1] + 0.1 * np.roll(patch[1], 1, 2) + x]).astype("f4")


def image_of(shape):
    return np.random.default_rng(1).normal(size=(2, *shape)).astype("f4")


def flip_all(array):
    return np.ascontiguousarray(array[:, ::-1, ::-1, ::-1])


SHAPES = [((23, 30, 17), (8, 12, 9)), ((8, 30, 9), (8, 12, 9)), ((5, 30, 7), (8, 12, 10))]


@pytest.mark.parametrize("mode", ["constant", "monai gaussian"])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.7])
@pytest.mark.parametrize("shape,roi", SHAPES)
def test_equals_monai(mode, overlap, shape, roi):
    inferers = pytest.importorskip("monai.inferers")
    image = image_of(shape)
    expected = inferers.sliding_window_inference(
        torch.from_numpy(image)[None], roi, 1, lambda patch: torch.from_numpy(predictor(patch[0].numpy()))[None],
        overlap=overlap, mode=mode.split()[-1])[0].numpy()
    found = nn.sliding_window(image, 2, predictor, roi, roi, overlap=overlap, blending=mode, padding="zero")
    np.testing.assert_allclose(found, expected, atol=1e-5)

    mirrored = nn.sliding_window(flip_all(image), 2, lambda patch: flip_all(predictor(flip_all(patch))), roi, roi,
                                 overlap=overlap, blending=mode, padding="zero", from_end=(True, True, True))
    np.testing.assert_allclose(flip_all(mirrored), expected, atol=1e-5)


def nnunet_logits(image, patch, overlap, gaussian, library):
    """nnU-Net 2.8's loop (predict_from_raw_data.py, _internal_predict_sliding_window_return_logits and
    _internal_get_sliding_window_slicers) around its own padding, steps and Gaussian, in float32: the library keeps
    weights and sums in float16."""
    padded, inside = library.pad_nd_image(torch.from_numpy(image), patch, "constant", {"value": 0}, True, None)
    steps = library.compute_steps_for_sliding_window(padded.shape[1:], patch, 1 - overlap)
    weights = library.compute_gaussian(tuple(patch), sigma_scale=1. / 8, value_scaling_factor=10, dtype=torch.float32,
                                       device=torch.device("cpu")) if gaussian else torch.ones(patch)
    sums, total = torch.zeros(padded.shape), torch.zeros(padded.shape[1:])
    for z in steps[0]:
        for y in steps[1]:
            for x in steps[2]:
                at = tuple(slice(i, i + n) for i, n in zip((z, y, x), patch))
                sums[(slice(None), *at)] += torch.from_numpy(predictor(padded[(slice(None), *at)].numpy())) * weights
                total[at] += weights
    return (sums / total)[(slice(None), *inside[1:])].numpy()


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("overlap", [0.25, 0.5, 0.7])
@pytest.mark.parametrize("shape,patch", [*SHAPES, ((50, 40, 33), (20, 16, 11))])
def test_equals_nnunet(gaussian, overlap, shape, patch):
    library = pytest.importorskip("nnunetv2.inference.sliding_window_prediction")
    image = image_of(shape)
    found = nn.sliding_window(image, 2, predictor, patch, patch, overlap=overlap, places="nnunet", padding="zero",
                              blending="nnunet gaussian" if gaussian else "constant")
    np.testing.assert_allclose(found, nnunet_logits(image, patch, overlap, gaussian, library), atol=1e-5)
