"""ichdet.plot, asked for its artists: data in lines, extents, colours."""

import subprocess
import sys
from types import SimpleNamespace

import ichdet
import numpy as np
import pytest
from ichdet import evaluate, plot

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.colors import to_hex  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    yield
    pyplot.close("all")


SHAPE = (4, 40, 30)  # slice, row, column


def stack(along_row=(1, 0, 0), along_column=(0, 1, 0), spacing=(0.5, 0.8), gap=5.0):
    """HU that tell left from right and front from back: bright at +L, and one bright pixel."""
    step = np.cross(along_row, along_column) * gap
    planes = []
    for k in range(SHAPE[0]):
        plane = ichdet.SlicePlane()
        plane.position_mm, plane.along_row, plane.along_column = 10 + k * step, along_row, along_column
        plane.column_spacing_mm, plane.row_spacing_mm, plane.thickness_mm = *spacing, gap
        planes.append(plane)
    hu = np.broadcast_to(np.linspace(0, 80, SHAPE[2]), SHAPE).copy()
    hu[1, 5, 7] = 300
    return ichdet.SliceStack(ichdet.SliceGeometry(planes, *SHAPE[1:]), hu)


def blood_of(scan):
    labels = np.zeros(SHAPE, np.uint8)
    labels[2, 10:20, 10:15] = 1
    labels[2, 25:30, 3:6] = 2
    labels[3, 10:12, 10:12] = 1
    return ichdet.SliceLabels(labels, ["background", "subdural", "epidural"], scan.geometry)


def test_a_slice_lies_in_millimetres_of_its_plane():
    scan = stack()
    ax = plot.slice_view(scan, 1)
    drawn = ax.images[0]
    left, right, bottom, top = drawn.get_extent()
    assert (left, right) == (10 - 0.25, 10 + 29.5 * 0.5) and (top, bottom) == (10 - 0.4, 10 + 39.5 * 0.8)
    assert ax.get_aspect() == 1.0
    np.testing.assert_array_equal(drawn.get_array(), scan.hu[1])
    assert drawn.get_clim() == (0, 80) and drawn.get_cmap().name == "gray"
    assert plot.slice_view(scan, 1, window=(100, 50)).images[0].get_clim() == (75, 125)
    assert plot.slice_view(scan, 1, window="bone").images[0].get_clim() == (
        ichdet.Window.parse("bone").low_hu, ichdet.Window.parse("bone").high_hu)


@pytest.mark.parametrize("along_row, along_column", [
    ((1, 0, 0), (0, 1, 0)), ((-1, 0, 0), (0, -1, 0)), ((0, 1, 0), (1, 0, 0)), ((0, -1, 0), (1, 0, 0)),
    ((0, 1, 0), (0, 0, -1)), ((1, 0, 0), (0, 0, 1)),
])
def test_pictures_are_radiological_whatever_the_files_order(along_row, along_column):
    scan = stack(along_row, along_column)
    ax = plot.slice_view(scan, 1)
    shown = np.asarray(ax.images[0].get_array())
    left, right, bottom, top = ax.images[0].get_extent()
    row, column = np.argwhere(shown == 300)[0]
    x = left + (column + 0.5) * (right - left) / shown.shape[1]
    y = top + (row + 0.5) * (bottom - top) / shown.shape[0]
    place = scan.geometry.planes[1].position_mm + 7 * 0.5 * np.array(along_row) + 5 * 0.8 * np.array(along_column)
    normal = int(np.abs(np.cross(along_row, along_column)).argmax())
    across, along, letters = {2: (0, 1, "RLAP"), 1: (0, 2, "RLSI"), 0: (1, 2, "APSI")}[normal]
    assert x == pytest.approx(place[across]) and y == pytest.approx(-place[along] if along == 2 else place[along])
    assert [text.get_text() for text in ax.texts] == ["1", *letters]
    assert (right - left) / shown.shape[1] == pytest.approx(0.5 if np.abs(along_row)[across] == 1 else 0.8)


def test_labels_get_their_colour_name_and_volume():
    scan = stack()
    blood = blood_of(scan)
    ax = plot.slice_view(scan, labels=blood, fill=0.4)  # slice 2 shows most
    assert ax.texts[0].get_text() == "2"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["subdural, 0.1 mL", "epidural, 0.0 mL"]
    colors = [to_hex(line.get_color()) for line in ax.get_legend().get_lines()]
    assert colors == ["#d55e00", "#56b4e9"]
    outlines = ax.collections
    assert [to_hex(one.get_edgecolor()[0]) for one in outlines] == colors
    low, high = outlines[0].get_paths()[0].get_extents().get_points()
    assert low[0] == pytest.approx(10 + 9.5 * 0.5) and high[1] == pytest.approx(10 + 19.5 * 0.8)
    tint = np.asarray(ax.images[1].get_array())
    assert (tint[..., 3] > 0).sum() == 50 and tint[12, 12, 3] == 0.4
    only = plot.slice_view(scan, 3, labels=blood)
    assert [t.get_text() for t in only.get_legend().get_texts()] == ["subdural, 0.1 mL"]
    with pytest.raises(ichdet.Error, match="resample_to") as raised:
        plot.slice_view(scan, labels=np.zeros((4, 8, 8), np.uint8))
    assert raised.value.code == "shape"
    with pytest.raises(ichdet.Error, match="expected 0 to 3, found 4"):
        plot.slice_view(scan, 4)


def test_arrays_are_shown_as_they_lie():
    ax = plot.slice_view(np.arange(12.0).reshape(3, 4), labels=np.eye(3, 4) > 0, spacing_mm=(2.0, 3.0))
    assert ax.images[0].get_extent() == [-1, 7, 7.5, -1.5]
    assert [text.get_text() for text in ax.texts] == ["0"]
    assert ax.get_legend().get_texts()[0].get_text() == "mask"


def test_a_volume_and_a_stack_of_the_same_grid_look_the_same():
    scan = stack()
    volume = ichdet.Volume(scan.hu, scan.geometry.regular())
    a, b = plot.slice_view(scan, 2).images[0], plot.slice_view(volume, 2).images[0]
    np.testing.assert_array_equal(a.get_array(), b.get_array())
    assert a.get_extent() == pytest.approx(b.get_extent())


def test_a_montage_shows_the_slices_asked_for_and_one_legend():
    scan = stack()
    figure = plot.montage(scan, [0, 2, 3], labels=blood_of(scan), columns=2, title="t", crop=False)
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["0", "2", "3"]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), scan.hu[2])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["subdural, 0.1 mL", "epidural, 0.0 mL"]
    assert not any(ax.get_legend() for ax in figure.axes) and figure.get_suptitle() == "t"
    heat = np.zeros(SHAPE)
    heat[2] = 0.5
    heated = plot.montage(scan, heat=heat, crop=False)
    assert [ax.images[1].get_clim() for ax in heated.axes[:4]] == [(0, 0.5)] * 4


def test_a_montage_leaves_out_air_and_table():
    head = np.full((5, 120, 120), -1000.0)
    y, x = np.mgrid[:120, :120]
    head[1:4, (x - 60) ** 2 + (y - 50) ** 2 < 30**2] = 40
    head[:, 110:112] = 200  # the table
    volume = ichdet.Volume(head, ichdet.Geometry.aligned([120, 120, 5], [1.5, 1.5, 5]))
    figure = plot.montage(volume)
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["1", "2", "3"]
    assert figure.axes[0].get_xlim() == pytest.approx((30 * 1.5 - 8, 90 * 1.5 + 8), abs=5)
    bottom, top = figure.axes[0].get_ylim()
    assert (top, bottom) == pytest.approx((20 * 1.5 - 8, 80 * 1.5 + 8), abs=5)


def test_a_heat_map_fades_in_and_keeps_its_scale():
    scan = stack()
    heat = np.tile(np.linspace(0, 2, SHAPE[2]), (SHAPE[1], 1))
    ax = plot.heat_map(scan, heat, 1, opacity=0.5)
    drawn = ax.images[1]
    assert drawn.get_cmap().name == "plasma" and drawn.get_clim() == (0, 2)
    alpha = drawn.get_alpha()
    assert alpha[0, 0] == 0 and alpha[0, -1] == 0.5 and (np.diff(alpha[0]) >= 0).all()
    assert len(ax.figure.axes) == 2  # the scale
    explained = SimpleNamespace(map=heat, slice=3)
    assert plot.heat_map(scan, explained).texts[0].get_text() == "3"
    small = SimpleNamespace(map=np.zeros((8, 8)), slice=3)
    with pytest.raises(ichdet.Error, match="its explainer"):
        plot.heat_map(scan, small)
    brings = SimpleNamespace(on_slices=lambda image, map: np.full(SHAPE[1:], 0.7))
    assert plot.heat_map(scan, small, explainer=brings).images[1].get_array().max() == 0.7


def test_three_planes_meet_in_the_largest_lesion():
    hu = np.full((20, 50, 40), 30.0)
    labels = np.zeros(hu.shape, np.uint8)
    labels[4:8, 30:40, 5:15] = 1
    labels[15, 10, 30] = 2
    hu[labels > 0] = 70
    grid = ichdet.Geometry.aligned([40, 50, 20], [1.0, 1.2, 4.0], [-20, -30, 7])
    blood = ichdet.LabelMap(labels, ["background", "subdural", "epidural"], grid)
    figure = plot.three_planes(ichdet.Volume(hu, grid), labels=blood)
    axial, coronal, sagittal = figure.axes
    point = figure.axes[0].lines[0].get_xdata()[0], figure.axes[0].lines[1].get_ydata()[0]
    assert -20 + 5 <= point[0] <= -20 + 14 and -30 + 30 * 1.2 <= point[1] <= -30 + 39 * 1.2
    k = round((coronal.lines[1].get_ydata()[0] * -1 - 7) / 4)
    assert 4 <= k <= 7
    np.testing.assert_array_equal(axial.images[0].get_array(), hu[k])
    np.testing.assert_array_equal(coronal.images[0].get_array(), hu[::-1, round((point[1] + 30) / 1.2)])
    np.testing.assert_array_equal(sagittal.images[0].get_array(), hu[::-1, :, round(point[0] + 20)])
    assert sagittal.images[0].get_extent() == pytest.approx([-30.6, 29.4, -5, -85])
    assert [ax.texts[0].get_text() + ax.texts[1].get_text() for ax in figure.axes] == ["RL", "RL", "AP"]
    with pytest.raises(ichdet.Error, match="expected a point from") as raised:
        plot.three_planes(ichdet.Volume(hu, grid), [500, 0, 10])
    assert raised.value.code == "geometry"


def test_three_planes_of_a_tilted_stack_are_straight():
    turn = np.deg2rad(20)
    scan = stack(along_column=(0, np.cos(turn), np.sin(turn)), spacing=(1.0, 1.0))
    plane = scan.geometry.planes[1]
    bright = plane.position_mm + 7 * plane.along_row + 5 * plane.along_column
    figure = plot.three_planes(scan, bright)
    for ax in figure.axes:
        shown = np.asarray(ax.images[0].get_array())
        left, right, bottom, top = ax.images[0].get_extent()
        row, column = np.unravel_index(shown.argmax(), shown.shape)
        assert shown[row, column] > 100
        place = (left + (column + 0.5) * (right - left) / shown.shape[1],
                 top + (row + 0.5) * (bottom - top) / shown.shape[0])
        cross = ax.lines[0].get_xdata()[0], ax.lines[1].get_ydata()[0]
        assert place == pytest.approx(cross, abs=2.5)  # the pixel spreads along its plane's normal


CASES = np.random.default_rng(0)
TRUTH = CASES.random(120) < 0.4
SCORES = np.clip(TRUTH * 0.3 + CASES.random(120) * 0.7, 0, 1)


def test_roc_draws_the_curve_its_interval_and_the_operating_point():
    ax = plot.roc(TRUTH, SCORES, threshold=0.5, resamples=300)
    diagonal, curve, point = ax.lines
    false, true, _ = evaluate.roc_curve(TRUTH, SCORES)
    np.testing.assert_array_equal(curve.get_xydata(), np.transpose([false, true]))
    counts = evaluate.confusion(TRUTH, SCORES, 0.5)
    assert point.get_xydata()[0] == pytest.approx([1 - float(counts.specificity), float(counts.sensitivity)])
    areas, covariance = evaluate.delong(TRUTH, [SCORES])
    low, high = evaluate.delong_interval(areas[0], float(np.ravel(covariance)[0]))
    assert ax.get_legend().get_texts()[0].get_text() == f"AUC {areas[0]:.3f} (95 % CI {low:.3f} to {high:.3f})"
    drawn = evaluate.bootstrap_areas(TRUTH, SCORES)["roc_auc"].interval
    text = plot.roc(TRUTH, SCORES, interval="bootstrap", resamples=2000).get_legend().get_texts()[0].get_text()
    assert f"{drawn[0]:.3f} to {drawn[1]:.3f}" in text
    again = plot.roc(TRUTH, 1 - SCORES, ax=ax, band=False)
    assert again is ax and len(ax.lines) == 4


def band_of(ax):
    points = ax.collections[0].get_paths()[0].vertices
    return {x: (points[np.isclose(points[:, 0], x), 1].min(), points[np.isclose(points[:, 0], x), 1].max())
            for x in (0.1, 0.3, 0.5)}


def test_the_band_is_that_of_a_plain_bootstrap():
    from sklearn.metrics import roc_curve

    band = band_of(plot.roc(TRUTH, SCORES, resamples=1500))
    rng = np.random.default_rng(5)
    grid = sorted(band)
    values = []
    for _ in range(1500):
        rows = rng.integers(0, 120, 120)
        false, true, _ = roc_curve(TRUTH[rows], SCORES[rows], drop_intermediate=False)
        values.append(np.interp(grid, false, true))
    judge = np.quantile(values, [0.025, 0.975], axis=0).T
    np.testing.assert_allclose([band[x] for x in grid], judge, atol=0.04)
    patients = np.tile(np.arange(120), 4)
    together = band_of(plot.roc(np.tile(TRUTH, 4), np.tile(SCORES, 4), patients=patients, resamples=1500))
    np.testing.assert_allclose([together[x] for x in grid], judge, atol=0.04)  # four slices of one patient are one


def test_precision_recall_has_the_share_of_positives_as_its_floor():
    ax = plot.precision_recall(TRUTH, SCORES, threshold=0.5, resamples=200)
    floor, curve, point = ax.lines
    assert floor.get_ydata()[0] == TRUTH.mean()
    recall, precision, _ = evaluate.pr_curve(TRUTH, SCORES)
    np.testing.assert_array_equal(curve.get_xydata(), np.transpose([recall, precision]))
    counts = evaluate.confusion(TRUTH, SCORES, 0.5)
    assert point.get_xydata()[0] == pytest.approx([float(counts.sensitivity), float(counts.positive_predictive_value)])
    with pytest.raises(ichdet.Error, match="expected 120 cases, found 3"):
        plot.precision_recall(TRUTH, [1, 2, 3])


def test_reliability_shows_frequencies_and_how_many():
    found = evaluate.calibration(TRUTH, SCORES, 5)
    for ax in (plot.reliability(TRUTH, SCORES, bins=5), plot.reliability(found)):
        points = ax.containers[0].lines[0].get_xydata()
        filled = [one for one in found.bins if one.observed.trials]
        np.testing.assert_allclose(points, [(one.mean_probability, one.observed.value) for one in filled])
        assert [bar.get_height() for bar in ax.child_axes[0].patches] == [one.observed.trials for one in found.bins]


def test_probabilities_along_z_mark_what_is_positive(tmp_path):
    result = ichdet.StudyResult()
    scores = []
    for z, probability, computed in ((10, 0.9, True), (0, 0.2, True), (5, 0.5, True), (-5, 0.0, False)):
        score = ichdet.SliceScore()
        score.z_mm, score.probability, score.computed = z, probability, computed
        scores.append(score)
    result.slices = scores
    decision = ichdet.PatientDecision()
    decision.positive, decision.probability, decision.threshold = True, 0.9, 0.5
    result.decision = decision
    import json

    for given in (result, SimpleNamespace(result=result), json.loads(result.to_json())):
        ax = plot.probability_along_z(given)
        lines = {line.get_label(): line for line in ax.lines}
        assert lines["2 positive slices"].get_xydata().tolist() == [[10, 0.9], [5, 0.5]]
        assert to_hex(lines["2 positive slices"].get_color()) == "#d55e00"
        assert lines["no head, not asked"].get_xydata().tolist() == [[-5, 0]]
        assert lines["threshold 0.50"].get_ydata()[0] == 0.5
        assert ax.lines[0].get_xdata().tolist() == [-5, 0, 5, 10]
        assert ax.get_title() == "positive, probability 0.900"
    assert plot.probability_along_z([0.1, 0.6]).get_xlabel() == "slice"


def test_volumes_are_differences_over_means():
    measured, reference = np.array([10.0, 22, 31, 38]), np.array([12.0, 20, 30, 42])
    ax = plot.volumes(measured, reference)
    found = evaluate.bland_altman(measured, reference)
    assert [line.get_ydata()[0] for line in ax.lines[:3]] == [found.bias, found.limits[1], found.limits[0]]
    np.testing.assert_allclose(ax.collections[-1].get_offsets(),
                               np.transpose([(measured + reference) / 2, measured - reference]))


def test_score_curves_of_many_pictures_are_averaged():
    curves = [SimpleNamespace(share=[0, 0.5, 1], score=[0, s, 1], area=s) for s in (0.2, 0.6)]
    ax = plot.score_curves({"insertion": curves, "deletion": curves[0]})
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["insertion, area 0.400"].get_ydata()[100] == pytest.approx(0.4)
    assert lines["deletion, area 0.200"].get_ydata().tolist() == [0, 0.2, 1]


def test_a_trainings_log_has_a_diagram_for_each_measure(tmp_path):
    (tmp_path / "metrics.csv").write_text(
        "step,seconds,name,value\n1,1,train/loss,5\n2,2,train/loss,0.1\n"
        "2,3,validation/loss,0.3\n2,3,validation/dice,0.7\n2,4,tr")
    figure = plot.learning_curve(tmp_path)
    loss, dice = figure.axes
    assert loss.get_yscale() == "log" and dice.get_yscale() == "linear"
    assert loss.lines[0].get_xydata().tolist() == [[1, 5], [2, 0.1]]
    assert loss.lines[1].get_color() == dice.lines[0].get_color() != loss.lines[0].get_color()
    assert len(plot.learning_curve(tmp_path / "metrics.csv", ["dice"]).axes) == 1
    with pytest.raises(ichdet.Error, match="loss, dice, found auc"):
        plot.learning_curve(tmp_path, ["auc"])
    with pytest.raises(ichdet.Error, match="no training's log"):
        plot.learning_curve(tmp_path / "nowhere")


def test_importing_plot_does_not_import_matplotlib():
    code = ("import sys, ichdet, ichdet.plot, ichdet.interop, ichdet.viewer\n"
            "assert not {'matplotlib', 'torch', 'pandas', 'ipywidgets'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True)
