"""resample_to: equal to SimpleITK on straight volumes, exact on tilted and uneven stacks."""

import numpy as np
import pytest

import ichdet

sitk = pytest.importorskip("SimpleITK")


def rotation(rng, degrees):
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    k = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    a = np.radians(degrees)
    return np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k


def grid(size, spacing, direction, centre):
    """A Geometry centred at a point."""
    affine = np.eye(4)
    affine[:3, :3] = direction * np.asarray(spacing)
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.asarray(size) - 1) / 2)
    return ichdet.Geometry(list(size), affine)


def sitk_resample(values, source, target, nearest, outside):
    image = sitk.GetImageFromArray(values)
    reference = sitk.Image(list(map(int, target.size)), sitk.sitkFloat32)
    for i, g in ((image, source), (reference, target)):
        i.SetSpacing(list(g.spacing_mm))
        i.SetOrigin(list(g.origin_mm))
        i.SetDirection(list(g.direction.ravel()))
    method = sitk.sitkNearestNeighbor if nearest else sitk.sitkLinear
    return sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), method, outside))


def points_of(target):
    z, y, x = np.indices(target.shape)
    return (np.stack([x, y, z, np.ones_like(x)], -1) @ target.affine.T)[..., :3]


def undecided(source, target):
    """Where an index lies within 1e-5 of a half, which includes the limits: the last digit decides there."""
    inverse = np.linalg.inv(source.affine)
    index = points_of(target) @ inverse[:3, :3].T + inverse[:3, 3]
    return (np.abs(index - np.floor(index) - 0.5) < 1e-5).any(-1)


@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("degrees", [(0, 0), (0, 20), (33, 33), (70, 5), (180, 90), (120, 160)])
def test_volume_equals_simpleitk(degrees, nearest):
    rng = np.random.default_rng(degrees[0] + degrees[1])
    for _ in range(3):
        source_size = rng.integers(3, 40, 3)
        values = rng.integers(-1024, 3072, source_size[::-1]).astype(np.float32)
        centre = rng.uniform(-50, 50, 3)
        source = grid(source_size, rng.uniform(0.4, 5, 3), rotation(rng, degrees[0]), centre)
        target = grid(rng.integers(2, 60, 3), rng.uniform(0.4, 5, 3), rotation(rng, degrees[1]),
                      centre + rng.uniform(-5, 5, 3))
        expected = sitk_resample(values, source, target, nearest, -777)
        found = ichdet.resample_to(ichdet.Volume(values, source), target,
                                   interpolation="nearest" if nearest else "linear", outside=-777).hu
        decided = ~undecided(source, target)
        assert decided.mean() > 0.99
        np.testing.assert_array_equal((found == -777)[decided], (expected == -777)[decided])
        np.testing.assert_allclose(found[decided], expected[decided], rtol=0, atol=0 if nearest else 1e-3)


@pytest.mark.parametrize("factor", [0.5, 2, 0.25])
@pytest.mark.parametrize("nearest", [False, True])
def test_limits_and_halves_equal_simpleitk_where_numbers_are_exact(factor, nearest):
    """Spacings and a row length that are powers of two leave no rounding, in ITK's walk along a row either: every limit
    and every half is decided as in ITK."""
    rng = np.random.default_rng(3)
    values = rng.integers(-1024, 3072, (9, 14, 17)).astype(np.float32)
    source = ichdet.Geometry.aligned([17, 14, 9], [1, 0.5, 4], [-8, 16, 2])
    first = source.affine[:3, :3] @ np.full(3, -0.5 - 4 * factor) + source.origin_mm
    spacing = np.asarray(source.spacing_mm) * factor
    target = ichdet.Geometry.aligned([int(n / factor) for n in (32, 24, 18)], spacing, first)
    expected = sitk_resample(values, source, target, nearest, -777)
    found = ichdet.resample_to(values, source, target, interpolation="nearest" if nearest else "linear", outside=-777)
    assert (expected == -777).any()
    np.testing.assert_array_equal(found == -777, expected == -777)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if nearest else 1e-3)


def test_own_grid_is_the_identity_and_labels_return():
    rng = np.random.default_rng(5)
    oblique = grid([20, 17, 9], [0.45, 0.6, 5], rotation(rng, 25), np.array([1.0, 2, 3]))
    hu = rng.integers(-1024, 3072, oblique.shape).astype(np.float32)
    np.testing.assert_allclose(ichdet.resample_to(ichdet.Volume(hu, oblique), oblique).hu, hu, atol=1e-3)
    labels = rng.integers(0, 5, oblique.shape).astype(np.uint8)
    there = ichdet.LabelMap(labels, ["background", "a", "b", "c", "d"], oblique)
    back = ichdet.resample_to(there, ichdet.SliceGeometry(oblique))
    np.testing.assert_array_equal(back.labels, labels)
    np.testing.assert_array_equal(ichdet.resample_to(back, oblique).labels, labels)
    assert back.names == there.names


def tilted_slices(places, tilt_degrees, rows=48, columns=40, spacing=(1.5, 1.2), drift=0.0):
    """Planes at `places` mm along the table, gantry tilted about x; `drift` shifts every other plane sideways."""
    a = np.radians(tilt_degrees)
    planes = []
    for i, z in enumerate(places):
        plane = ichdet.SlicePlane()
        plane.position_mm = [-24 + drift * (i % 2), -36, z]
        plane.along_row = [1, 0, 0]
        plane.along_column = [0, np.cos(a), -np.sin(a)]
        plane.column_spacing_mm, plane.row_spacing_mm = spacing
        plane.thickness_mm = 5
        planes.append(plane)
    return ichdet.SliceGeometry(planes, rows, columns)


def pixel_points(slices):
    result = np.empty((*slices.shape, 3))
    rows, columns = np.indices(slices.shape[1:])
    for k, plane in enumerate(slices.planes):
        result[k] = (np.asarray(plane.position_mm)
                     + columns[..., None] * plane.column_spacing_mm * np.asarray(plane.along_row)
                     + rows[..., None] * plane.row_spacing_mm * np.asarray(plane.along_column))
    return result


def linear_phantom(points):
    return (points @ np.array([3.0, -5.0, 7.0]) + 40).astype(np.float32)


def inner(slices, points):
    """Whether points lie between the first and last plane and within both neighbours' pixel centres."""
    d = (points - np.asarray(slices.planes[0].position_mm)) @ np.asarray(slices.normal)
    offsets = np.asarray(slices.offsets_mm)
    good = (d >= 0) & (d <= offsets[-1])
    low = np.clip(np.searchsorted(offsets, d, side="right") - 1, 0, len(offsets) - 2)
    for side in (0, 1):
        for k, plane in enumerate(slices.planes):
            relative = points - np.asarray(plane.position_mm)
            u = relative @ np.asarray(plane.along_row) / plane.column_spacing_mm
            v = relative @ np.asarray(plane.along_column) / plane.row_spacing_mm
            within = (u >= 0) & (u <= slices.shape[2] - 1) & (v >= 0) & (v <= slices.shape[1] - 1)
            good &= (low + side != k) | within
    return good


@pytest.mark.parametrize("turn", [0, 30])
@pytest.mark.parametrize("drift", [0.0, 0.7])
@pytest.mark.parametrize("tilt", [0, 18.5, -25])
def test_tilted_uneven_stack_is_exact_for_a_linear_phantom(tilt, drift, turn):
    slices = tilted_slices([0, 4, 8, 15, 16.14, 23.5, 31], tilt, drift=drift)
    stack = ichdet.SliceStack(slices, linear_phantom(pixel_points(slices)))
    target = grid([50, 60, 40], [1, 1, 1], rotation(np.random.default_rng(1), turn), np.array([0.3, -0.7, 12.0]))
    found = ichdet.resample_to(stack, target, outside=-9999).hu
    points = points_of(target)
    good = inner(slices, points)
    assert good.mean() > 0.15
    assert np.abs(found[good] - linear_phantom(points)[good]).max() < 2e-3
    assert (found == -9999).any()


def test_tilted_grid_equals_its_stack_between_planes():
    """A sheared grid read in index space and its planes read along the normal agree on linear functions."""
    slices = tilted_slices([0, 5, 10, 15, 20], 18.5)
    hu = linear_phantom(pixel_points(slices))
    target = ichdet.Geometry.aligned([20, 20, 10], [1, 1, 1], [-10, -10, -5])
    a = ichdet.resample_to(ichdet.Volume(hu, slices.regular()), target).hu
    b = ichdet.resample_to(ichdet.SliceStack(slices, hu), target).hu
    np.testing.assert_allclose(a, b, atol=2e-3)


def test_ends_are_repeated_for_half_an_extent():
    slices = tilted_slices([0, 4, 8, 16], 0)
    hu = np.zeros(slices.shape, np.float32) + np.array([10, 20, 30, 40], np.float32)[:, None, None]
    column = ichdet.Geometry.aligned([1, 1, 30], [1, 1, 1], [0, 0, -4.25])
    found = ichdet.resample_to(ichdet.SliceStack(slices, hu), column, outside=-1).hu[:, 0, 0]
    z = np.arange(30) - 4.25
    expected = np.interp(z, [0, 4, 8, 16], [10, 20, 30, 40])
    expected[(z < -2) | (z >= 20)] = -1
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_single_slice_is_repeated_over_its_thickness():
    slices = tilted_slices([0], 0)
    hu = np.random.default_rng(0).normal(size=slices.shape).astype(np.float32)
    column = ichdet.Geometry([40, 48, 8], [[1.5, 0, 0, -24], [0, 1.2, 0, -36], [0, 0, 1, -3.4], [0, 0, 0, 1]])
    found = ichdet.resample_to(ichdet.SliceStack(slices, hu), column, outside=-1).hu
    inside = np.abs(np.arange(8) - 3.4) < 2.5
    np.testing.assert_allclose(found[inside], np.repeat(hu, inside.sum(), 0), atol=1e-5)
    assert (found[~inside] == -1).all() and (~inside).sum() == 3


@pytest.mark.parametrize("turn", [0, 12])
def test_padding_takes_no_part(turn):
    """Values under the padding never reach the result: the phantom is exact wherever a neighbour is left."""
    slices = tilted_slices([0, 4, 8, 15], 18.5)
    points = pixel_points(slices)
    hu = np.full(slices.shape, 50, np.float32)
    padding = (np.hypot(points[..., 0], points[..., 1]) > 20).astype(np.uint8)
    hu[padding == 1] = -3024
    stack = ichdet.SliceStack(slices, hu, padding)
    target = grid([60, 60, 18], [1, 1, 1], rotation(np.random.default_rng(2), turn), np.array([0, 0, 8.0]))
    for interpolation in ("linear", "nearest"):
        found = ichdet.resample_to(stack, target, interpolation=interpolation, outside=-1).hu
        assert set(np.unique(np.round(found, 3))) == {-1, 50}
        world = points_of(target)
        core = inner(slices, world) & (np.hypot(world[..., 0], world[..., 1]) < 17)
        assert core.any() and np.allclose(found[core], 50)


def test_threads_change_nothing_and_frames_are_checked():
    rng = np.random.default_rng(9)
    source = grid([30, 31, 12], [1, 1, 3], rotation(rng, 11), np.zeros(3))
    target = grid([40, 70, 30], [0.7, 0.7, 1], rotation(rng, 3), np.zeros(3))
    volume = ichdet.Volume(rng.normal(size=source.shape).astype(np.float32), source)
    one = ichdet.resample_to(volume, target, threads=1).hu
    np.testing.assert_array_equal(one, ichdet.resample_to(volume, target, threads=3).hu)
    elsewhere = ichdet.Geometry([3, 3, 3], np.eye(4), "1.2.3")
    with pytest.raises(ichdet.Error, match="frame of reference"):
        ichdet.resample_to(ichdet.Volume(np.zeros((3, 3, 3), np.float32), elsewhere),
                           ichdet.Geometry([3, 3, 3], np.eye(4), "1.2.4"))
