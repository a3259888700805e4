"""Lesions, volumes and slice scores against scipy and SimpleITK, on random label maps."""

import ichdet
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.distance import pdist

CORNERS = np.ones((3, 3, 3))


def planes(z_mm, rows=24, columns=20, row_mm=0.8, column_mm=0.5, tilt=0.0):
    made = []
    for z in z_mm:
        plane = ichdet.SlicePlane()
        plane.position_mm = [-12.0, 7.0, z]
        plane.along_column = [0, np.cos(tilt), np.sin(tilt)]
        plane.row_spacing_mm, plane.column_spacing_mm, plane.thickness_mm = row_mm, column_mm, 5.0
        made.append(plane)
    return ichdet.SliceGeometry(made, rows, columns)


def random_labels(seed, shape):
    """Blobs of three labels, from one voxel to most of the picture."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((4, *shape)), (0, 0.6, 1.2, 1.2))
    noise[0] += 0.12
    return noise.argmax(0).astype(np.uint8), rng.random(shape, dtype=np.float32)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("z_mm, tilt", [([0, 5, 10, 15, 20, 25], 0.0), ([0, 4, 8, 15, 22, 24.5], 0.3)])
def test_lesions_equal_scipy(seed, z_mm, tilt):
    geometry = planes(z_mm, tilt=tilt)
    values, probability = random_labels(seed, geometry.shape)
    labels = ichdet.SliceLabels(values, ["background", "a", "b", "c"], geometry)
    found = ichdet.lesions(labels, probability)
    voxel_ml = np.array(geometry.extents_mm) * 0.8 * 0.5 / 1000

    expected = []
    for value, name in enumerate(labels.names[1:], 1):
        pieces, count = ndimage.label(values == value, CORNERS)
        for piece in range(1, count + 1):
            k, r, c = np.nonzero(pieces == piece)
            weight = voxel_ml[k]
            lps = np.stack([p.position_mm for p in geometry.planes])[k]
            lps = lps + np.outer(c * 0.5, [1, 0, 0]) + np.outer(r * 0.8, [0, np.cos(tilt), np.sin(tilt)])
            longest = pdist(lps).max() if len(lps) > 1 else 0
            expected.append((name, weight.sum(), longest + np.sqrt(0.4), lps.T @ weight / weight.sum(),
                             sorted(set(k)), probability[k, r, c].astype(float).mean()))
    assert len(found) == len(expected) > 3
    assert [f.volume_ml for f in found] == sorted((f.volume_ml for f in found), reverse=True)

    def key(volume, centroid):
        return round(volume, 9), *np.round(centroid, 6)

    found = sorted(found, key=lambda f: (f.label, *key(f.volume_ml, f.centroid_mm)))
    expected = sorted(expected, key=lambda e: (e[0], *key(e[1], e[3])))
    for f, (name, volume, diameter, centroid, slices, confidence) in zip(found, expected, strict=True):
        assert f.label == name and list(f.slices) == slices and not f.calibrated
        assert f.volume_ml == pytest.approx(volume, rel=1e-9)
        assert f.diameter_mm == pytest.approx(diameter, abs=1e-9)
        np.testing.assert_allclose(f.centroid_mm, centroid, atol=1e-9)
        assert f.confidence == pytest.approx(confidence, abs=1e-6)

    volumes = ichdet.volumes_ml(labels)
    assert volumes == pytest.approx({n: ((values == v).sum((1, 2)) * voxel_ml).sum() for v, n in [(1, "a"), (2, "b"), (3, "c")]})


@pytest.mark.parametrize("seed", range(3))
def test_lesions_equal_simpleitk(seed):
    geometry = planes(np.arange(6) * 5.0)
    values, probability = random_labels(seed + 100, geometry.shape)
    found = ichdet.lesions(ichdet.SliceLabels(values, ["background", "a", "b", "c"], geometry), probability, which=[2])

    image = sitk.GetImageFromArray((values == 2).astype(np.uint8))
    image.SetSpacing((0.5, 0.8, 5.0))
    image.SetOrigin((-12.0, 7.0, 0.0))
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.ComputeFeretDiameterOn()
    statistics.Execute(sitk.ConnectedComponent(image, True))
    reference = sorted((statistics.GetPhysicalSize(i) / 1000, *statistics.GetCentroid(i), statistics.GetFeretDiameter(i))
                       for i in statistics.GetLabels())
    ours = sorted((f.volume_ml, *f.centroid_mm, f.diameter_mm - np.sqrt(0.4)) for f in found)
    np.testing.assert_allclose(np.array(sorted(map(lambda t: tuple(np.round(t, 7)), ours))),
                               np.array(sorted(map(lambda t: tuple(np.round(t, 7)), reference))), atol=1e-6)


def test_small_lesions_are_left_out():
    geometry = planes(np.arange(6) * 5.0)
    values, probability = random_labels(5, geometry.shape)
    labels = ichdet.SliceLabels(values, ["background", "a", "b", "c"], geometry)
    everything = ichdet.lesions(labels, probability)
    large = ichdet.lesions(labels, probability, min_volume_ml=0.05)
    assert 0 < len(large) < len(everything)
    assert [f.volume_ml for f in large] == [f.volume_ml for f in everything if f.volume_ml >= 0.05]


def test_slice_scores_equal_numpy():
    geometry = planes([0, 4, 8, 15, 22])
    probability = np.random.default_rng(0).random(geometry.shape, dtype=np.float32)
    scores = ichdet.slice_scores(probability, geometry)
    expected = np.sort(probability.reshape(5, -1), axis=1)[:, -20:].astype(float).mean(1)
    np.testing.assert_allclose([s.probability for s in scores], expected, rtol=1e-7)
    decision = ichdet.decide_by_highest_slice(scores)
    assert decision.positive and decision.probability == max(s.probability for s in scores) and not decision.calibrated
    with pytest.raises(ichdet.Error, match="values in"):
        ichdet.slice_scores(probability * 2, geometry)
