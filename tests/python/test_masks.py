"""Morphology equals scipy's; head and brain masks hold on a made head and on real scans."""

import numpy as np
import pytest

import ichdet

ndimage = pytest.importorskip("scipy.ndimage")

SPACINGS = [(1, 1, 1), (0.45, 0.45, 5), (0.9, 1.3, 2.1)]


def blobs(seed, shape=(14, 40, 37), share=0.5, grain=1.5):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), grain)
    return (noise > np.quantile(noise, 1 - share)).astype(np.uint8)


@pytest.mark.parametrize("connectivity, rank", [(6, 1), (18, 2), (26, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_components_equal_scipy(seed, connectivity, rank):
    mask = blobs(seed, share=[0.1, 0.3, 0.6][seed], grain=0.6)
    expected, count = ndimage.label(mask, ndimage.generate_binary_structure(3, rank))
    labels, sizes = ichdet.connected_components(mask, connectivity)
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(sizes, np.bincount(expected.ravel(), minlength=count + 1))
    assert count > 1
    with pytest.raises(ichdet.Error, match="6, 18 or 26"):
        ichdet.connected_components(mask, 8)


def ball(radius, spacing):
    """Footprint (z, y, x) of every offset whose length is at most the radius."""
    reach = [int(radius / s + 1e-9) for s in spacing[::-1]]
    offsets = np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij")
    return sum((o * s) ** 2 for o, s in zip(offsets, spacing[::-1])) <= radius**2 * (1 + 1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("radius", [0, 1, 3, 5.2])
@pytest.mark.parametrize("threads", [1, 3])
def test_balls_equal_scipy(spacing, radius, threads):
    mask = blobs(1, share=0.3)
    footprint = ball(radius, spacing)
    dilated = ndimage.binary_dilation(mask, footprint)
    eroded = ndimage.binary_erosion(mask, footprint, border_value=1)
    np.testing.assert_array_equal(ichdet.dilate(mask, radius, spacing, threads), dilated)
    np.testing.assert_array_equal(ichdet.erode(mask, radius, spacing, threads), eroded)
    np.testing.assert_array_equal(ichdet.open_mask(mask, radius, spacing), ndimage.binary_dilation(eroded, footprint))
    np.testing.assert_array_equal(ichdet.close_mask(mask, radius, spacing),
                                  ndimage.binary_erosion(dilated, footprint, border_value=1))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7, 1.0])
def test_holes_and_largest_piece_equal_scipy(share):
    mask = blobs(2, share=share, grain=0.8)
    np.testing.assert_array_equal(ichdet.fill_holes(mask), ndimage.binary_fill_holes(mask))
    np.testing.assert_array_equal(ichdet.fill_holes_in_slices(mask), [ndimage.binary_fill_holes(m) for m in mask])
    labels, count = ndimage.label(mask)
    best = 1 + np.argmax(np.bincount(labels.ravel())[1:])
    np.testing.assert_array_equal(ichdet.largest_piece(mask), labels == best)
    assert not ichdet.largest_piece(np.zeros_like(mask)).any()


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("sigma", [0, 1, 2.5])
def test_gaussian_equals_scipy(spacing, sigma):
    values = np.random.default_rng(0).normal(40, 300, (9, 30, 31)).astype(np.float32)
    expected = ndimage.gaussian_filter(values.astype(np.float64), np.array(sigma) / np.array(spacing[::-1]), mode="nearest")
    np.testing.assert_allclose(ichdet.gaussian_smooth(values, sigma, spacing), expected, atol=1e-3)


def made_head(spacing=(1.0, 1.0, 1.0), clipped=False, noise=5.0):
    """Scalp, skull with a gap, brain with a clot and ventricles, a table below. Gives hu, head and brain."""
    sx, sy, sz = spacing
    nx, ny, nz = int(220 / sx), int(250 / sy), int(120 / sz)
    z, y, x = np.meshgrid((np.arange(nz) + 0.5) * sz, (np.arange(ny) + 0.5) * sy, (np.arange(nx) + 0.5) * sx, indexing="ij")
    r = np.sqrt(((x - 110) / 80) ** 2 + ((y - 115) / 95) ** 2 + ((z - 20) / 85) ** 2)
    hu = np.full(r.shape, -1000.0)
    hu[r < 1.0] = 40  # scalp
    hu[r < 0.94] = 900  # skull
    gap = (np.abs(x - 110) < 6) & (y < 115)
    hu[(r < 0.94) & gap] = 30
    brain = r < 0.86
    hu[brain] = 33
    hu[(np.abs(x - 100) < 8) & (np.abs(y - 115) < 25) & (np.abs(z - 40) < 15)] = 8
    hu[np.hypot(np.hypot(x - 140, y - 100), z - 40) < 15] = 72
    hu[(np.abs(y - 225) < 3)] = 300  # table
    head = r < 1.0
    hu += np.random.default_rng(0).normal(0, noise, hu.shape)
    if clipped:
        hu = np.clip(hu, 0, 80)
    affine = np.diag([sx, sy, sz, 1.0])
    return ichdet.Volume(hu.astype(np.float32), ichdet.Geometry([nx, ny, nz], affine)), head, brain


def dice(a, b):
    return 2 * np.sum(a.astype(bool) & b) / (np.sum(a) + np.sum(b))


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("spacing", [(1.2, 1.2, 1.2), (0.9, 0.9, 5)])
def test_masks_of_a_made_head(spacing, clipped):
    volume, head, brain = made_head(spacing, clipped)
    assert dice(ichdet.head_mask(volume), head) > 0.98
    found = ichdet.brain_mask(volume)
    assert dice(found, brain) > 0.97
    assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 1}
    np.testing.assert_array_equal(found, ichdet.brain_mask(volume, threads=1))


def test_nothing_is_found_in_nothing():
    geometry = ichdet.Geometry.aligned([20, 20, 4], [1, 1, 5])
    for value in (-1000, 0, 40):
        volume = ichdet.Volume(np.full((4, 20, 20), value, np.float32), geometry)
        assert not ichdet.brain_mask(volume).any()
        if value != 40:
            assert not ichdet.head_mask(volume).any()
    assert ichdet.foreground_box(np.zeros((2, 3, 4), np.uint8)) is None


def test_foreground_box_and_crop():
    rng = np.random.default_rng(0)
    mask = np.zeros((9, 12, 15), np.uint8)
    mask[3:5, 2:9, 6:7] = rng.integers(0, 2, (2, 7, 1))
    mask[3, 2, 6] = mask[4, 8, 6] = 5
    assert ichdet.foreground_box(mask) == ((6, 2, 3), (1, 7, 2))
    assert ichdet.foreground_box(mask, 4) == ((2, 0, 0), (9, 12, 9))
    affine = np.array([[0.5, 0, 0, 3], [0, 0.4, -1, 4], [0, 0.1, 5, 5], [0, 0, 0, 1.0]])
    hu = rng.normal(size=mask.shape).astype(np.float32)
    volume = ichdet.Volume(hu, ichdet.Geometry([15, 12, 9], affine))
    part = ichdet.crop(volume, [6, 2, 3], [1, 7, 2])
    np.testing.assert_array_equal(part.hu, hu[3:5, 2:9, 6:7])
    np.testing.assert_allclose(part.geometry.affine @ [0, 0, 0, 1], affine @ [6, 2, 3, 1])
    for first, size in (([-1, 0, 0], [2, 2, 2]), ([0, 0, 8], [1, 1, 2]), ([0, 0, 0], [0, 1, 1])):
        with pytest.raises(ichdet.Error, match="crop, axis"):
            ichdet.crop(volume, first, size)


def test_real_scans(real_data):
    """The blood that the annotators saw lies in the brain; the brain has the size of one."""
    outside, total = 0, 0
    for path in sorted(real_data("phe_sich").glob("*_ct.nii.gz"))[:12]:
        volume, _ = ichdet.read_nifti(path)
        brain = ichdet.brain_mask(volume)
        head = ichdet.head_mask(volume)
        litres = brain.sum() * np.prod(volume.geometry.spacing_mm) / 1e6
        assert 0.7 < litres < 2.1, path.name
        assert (brain & ~head & 1).sum() < 0.01 * brain.sum(), path.name
        blood = ichdet.read_nifti_labels(str(path).replace("_ct", "_label")).labels == 1
        outside += (blood & (brain == 0)).sum()
        total += blood.sum()
    assert outside < 0.01 * total


def test_single_real_slices(real_data):
    found = 0
    for path in sorted(real_data("ich_slices").glob("*.dcm")):
        stack = ichdet.read_series(ichdet.scan(str(path)).series[0])
        volume = ichdet.Volume(stack.hu, stack.geometry.nominal())
        brain = ichdet.brain_mask(volume)
        area = brain.sum() * np.prod(volume.geometry.spacing_mm[:2]) / 100
        assert 80 < area < 240, path.name  # cm2
        found += 1
    assert found == 6
