"""What notebooks show: _repr_html_, the viewer, to_pandas."""

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import ichdet
import numpy as np
import pytest
from ichdet import _html, viewer


def scan(tilt=0.0, offsets=(0, 5, 10, 15)):
    planes = []
    for z in offsets:
        plane = ichdet.SlicePlane()
        plane.position_mm = (-48, -48, z)
        plane.along_column = (0, np.cos(tilt), np.sin(tilt))
        plane.column_spacing_mm = plane.row_spacing_mm = 2.0
        plane.thickness_mm = 5
        planes.append(plane)
    hu = np.full((len(offsets), 48, 48), -1000.0)
    y, x = np.mgrid[:48, :48]
    hu[:, (x - 24) ** 2 + (y - 24) ** 2 < 20**2] = 40
    hu[1, 20:30, 10:16] = 70
    return ichdet.SliceStack(ichdet.SliceGeometry(planes, 48, 48, "1.2.3.44"), hu)


def blood_of(stack):
    return ichdet.SliceLabels((stack.hu > 60).astype(np.uint8) * 2, ["background", "iph", "<b>sdh"], stack.geometry)


def result_of(stack):
    result = ichdet.StudyResult()
    scores = []
    for i in range(len(stack.hu)):
        score = ichdet.SliceScore()
        score.index, score.z_mm, score.probability = i, 5.0 * i, 0.9 if i == 1 else 0.1
        score.sop_instance_uid = f"1.2.9.{i}"
        scores.append(score)
    decision = ichdet.PatientDecision()
    decision.positive, decision.probability = True, 0.9
    labels = blood_of(stack)
    result.slices, result.decision = scores, decision
    result.labels, result.volumes_ml = {1: "iph", 2: "<b>sdh"}, {"iph": 0.0, "<b>sdh": 1.2}
    result.lesions = ichdet.lesions(labels, (stack.hu > 60).astype(np.float32))
    result.review = ["x < y & z"]
    return result


class Checked(HTMLParser):
    """Every element is closed in its order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        if tag not in ("br", "img", "rect", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in ("rect", "line"):
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def shown(thing):
    return Checked(thing if isinstance(thing, str) else thing._repr_html_()).text


def pictures(html):
    from PIL import Image
    import io

    found = re.findall(r'<img[^>]*width="(\d+)" height="(\d+)"[^>]*base64,([^"]+)"', html)
    return [(int(w), int(h), np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))) for w, h, data in found]


def test_a_png_of_our_own_is_read_by_others(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    (tmp_path / "a.png").write_bytes(_html.png(pixels))
    np.testing.assert_array_equal(ichdet.read_png(str(tmp_path / "a.png")), pixels)


def test_a_stack_shows_its_facts_and_its_head():
    stack = scan()
    text = shown(stack)
    assert {"4 of 48 × 48", "2 × 2 mm", "5 mm", "-1000 to 70", "Not for clinical use."} <= set(text)
    (width, height, sheet), = pictures(stack._repr_html_())
    assert (width, sheet.shape[2]) == (480, 3)
    assert "slices 0, 1, 2, 3; R at the left, A above; 0 to 80 HU" in text
    tile = sheet[:, : sheet.shape[1] // 4]
    assert tile[tile.shape[0] // 2, tile.shape[1] // 2].tolist() == [127] * 3  # 40 HU in W80 L40
    assert width / 4 / height == pytest.approx(tile.shape[1] / tile.shape[0], rel=0.02)
    assert "steps" in text and "5 to 7 mm" in shown(scan(offsets=(0, 5, 12)))
    assert "1.2.3.44" not in stack._repr_html_()


def test_labels_show_their_names_colours_and_volumes():
    stack = scan()
    grid = stack.geometry.regular()
    for labels in (blood_of(stack), ichdet.LabelMap(blood_of(stack).labels, blood_of(stack).names, grid)):
        html = labels._repr_html_()
        assert "<b>sdh" not in html and "<b>sdh" in shown(labels) and "iph" not in shown(labels)
        assert "background:#56b4e9" in html and "1.2 mL" in shown(labels)
        (_, _, sheet), = pictures(html)
        assert (sheet == (0x56, 0xB4, 0xE9)).all(-1).any() and not (sheet == (0xD5, 0x5E, 0)).all(-1).any()
    grid = ichdet.Geometry.aligned([4, 3, 2], [1, 1, 1])
    empty = ichdet.LabelMap(np.zeros((2, 3, 4), np.uint8), ["background"], grid)
    assert not pictures(empty._repr_html_())


def test_a_volume_says_where_its_axes_run():
    stack = scan(tilt=0.2)
    volume = ichdet.Volume(stack.hu, stack.geometry.regular())
    assert {"48 × 48 × 4", "2 × 2 × 5 mm", "axes run to"} <= set(shown(volume))


def test_results_are_escaped_and_name_no_one():
    stack = scan()
    result = result_of(stack)
    html = result._repr_html_()
    text = shown(result)
    assert "x < y & z" in text and "x < y" not in html
    assert "1.2.9." not in html and "0.900, positive from 0.5" in text
    assert [html.count(color) for color in ('fill="#d55e00"', 'fill="#8a8a8a"')] == [1, 3]
    detection = SimpleNamespace(result=result, labels=blood_of(stack))
    assert len(pictures(_html.detection(detection))) == 1


def test_no_patient_is_named(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    datasets = ichdet.interop.to_pydicom(scan())
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID, dataset.StudyDate = "DOE^JANE", "ID-77", "20240229"
        dataset.SeriesDescription = "HEAD of Jane"
        dataset.save_as(tmp_path / f"{dataset.InstanceNumber}.dcm")
    assert pydicom and (study := ichdet.read_study(tmp_path)).stack.identity.patient_id == "ID-77"
    html = study._repr_html_() + study.stack._repr_html_()
    for secret in ("DOE", "ID-77", "20240229", "Jane", study.stack.identity.series_instance_uid):
        assert secret not in html
    assert "DICOM" in shown(study)


def test_pandas_tables():
    pandas = pytest.importorskip("pandas")
    result = result_of(scan())
    lesions = result.to_pandas()
    assert isinstance(lesions, pandas.DataFrame) and len(lesions) == 1
    row, lesion = lesions.iloc[0], result.lesions[0]
    assert (row.label, row.volume_ml, row.first_slice) == ("<b>sdh", lesion.volume_ml, 1)
    assert row[["x_mm", "y_mm", "z_mm"]].tolist() == lesion.centroid_mm.tolist()
    slices = result.to_pandas("slices")
    assert slices.probability.tolist() == [0.1, 0.9, 0.1, 0.1] and slices.index.tolist() == slices["index"].tolist()
    study = result.to_pandas("study")
    assert len(study) == 1 and study.blood_ml[0] == 1.2 and study["<b>sdh_ml"][0] == 1.2
    result.blood_labels = [1]
    assert result.to_pandas("study").blood_ml[0] == 0
    assert len(pandas.concat([study, ichdet.StudyResult().to_pandas("study")])) == 2
    with pytest.raises(ichdet.Error, match="'lesions', 'slices' or 'study', found 'voxels'"):
        result.to_pandas("voxels")


def test_the_slice_viewer_draws_anew_when_its_controls_move():
    pytest.importorskip("ipywidgets")
    pytest.importorskip("matplotlib")
    stack = scan()
    heat = np.zeros(stack.hu.shape)
    heat[1, 5:10, 5:10] = 1
    made = ichdet.view(stack, labels=blood_of(stack), heat_map=heat, backend="slices", window=(35, 90))
    assert made.window.value == "35, 90" and made.slice.value == 1 and made.slice.max == 3
    seen = [made.picture.value]
    for control, value in ((made.window, "bone"), (made.opacity, 0.1), (made.opacity, 0), (made.slice, 2)):
        control.value = value
        assert made.picture.value not in seen
        seen.append(made.picture.value)
    assert seen[0][:4] == b"\x89PNG"
    assert "application/vnd.jupyter.widget-view+json" in made._repr_mimebundle_()
    assert "Not for clinical use." in made.box.children[-1].value
    assert ichdet.view(stack, backend="slices").opacity is None


@pytest.mark.parametrize("offsets", [(0, 5, 10, 15), (0, 5, 12)])
def test_niivue_gets_image_map_and_labels_in_one_space(offsets, tmp_path):
    pytest.importorskip("ipyniivue")
    stack = scan(offsets=offsets)
    detection = SimpleNamespace(result=None, labels=blood_of(stack))
    heat = np.zeros(stack.hu.shape)
    heat[1, 20:30, 10:16] = 2
    made = ichdet.view(SimpleNamespace(stack=stack), detection, heat, window="subdural", opacity=0.3)
    layers = made.picture.volumes
    files = []
    for i, layer in enumerate(layers):
        (tmp_path / f"{i}.nii.gz").write_bytes(layer.data)
        files.append(ichdet.read_nifti(tmp_path / f"{i}.nii.gz")[0])
    image, over, labels = files
    assert image.geometry.same_as(over.geometry) and image.geometry.same_as(labels.geometry)
    inside = labels.hu == 2
    assert inside.sum() > 50 and image.hu[inside].mean() > 54 and over.hu[inside].mean() > 0.9 and over.hu.max() == 2
    assert over.hu[image.hu < 35].max() == 0
    assert ichdet.read_nifti_labels(tmp_path / "2.nii.gz").names == blood_of(stack).names
    assert (layers[0].cal_min, layers[0].cal_max) == (
        ichdet.Window.parse("subdural").low_hu, ichdet.Window.parse("subdural").high_hu)
    made.window.value = "bone"
    assert layers[0].cal_max == ichdet.Window.parse("bone").high_hu
    made.opacity.value = 0.8
    assert [layer.opacity for layer in layers] == [1.0, 0.8, 0.8]
    assert made.picture.opts.is_radiological_convention
    right, front, up = made.picture.scene.crosshair_pos
    k, j, i = (int(share * size) for share, size in zip((up, 1 - front, 1 - right), inside.shape))
    assert inside[k, j, i]
    note = made.box.children[-1].value
    assert "&lt;b&gt;sdh" in note and "Not for clinical use." in note


def test_the_viewer_says_what_is_missing(monkeypatch):
    stack = scan()
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ImportError, match="ipywidgets.*pip install ipywidgets matplotlib"):
        ichdet.view(stack, backend="slices")
    monkeypatch.setitem(sys.modules, "ipyniivue", None)
    with pytest.raises(ImportError, match="pip install ipyniivue"):
        ichdet.view(stack, backend="niivue")
    with pytest.raises(ichdet.Error, match="expected 'slices' for an array"):
        ichdet.view(stack.hu, backend="niivue")
    with pytest.raises(ichdet.Error, match="found 'vtk'"):
        ichdet.view(stack, backend="vtk")
    with pytest.raises(ichdet.Error, match="heat_map: expected"):
        ichdet.view(stack, heat_map=np.zeros((2, 2, 2)))
    assert viewer.view is ichdet.view


def test_a_notebook_runs_the_viewer():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("ipyniivue")
    source = """import ichdet, numpy as np
volume = ichdet.Volume(np.zeros((4, 16, 16)), ichdet.Geometry.aligned([16, 16, 4], [5, 5, 5]))
viewer = ichdet.view(volume, backend={backend!r})
viewer"""
    cells = [nbformat.v4.new_code_cell(source.format(backend=backend)) for backend in ("slices", "niivue")]
    cells.append(nbformat.v4.new_code_cell("volume"))
    notebook = nbformat.v4.new_notebook(cells=cells)
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    notebook.metadata["kernelspec"] = kernel
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    for cell in notebook.cells[:2]:
        assert "application/vnd.jupyter.widget-view+json" in cell.outputs[0].data
    assert "Not for clinical use." in notebook.cells[2].outputs[0].data["text/html"]
    states = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert any(state["state"].get("_anywidget_id") == "ipyniivue.widget.NiiVue" for state in states)
    assert any(state["state"].get("description") == "slice" for state in states)


def test_importing_ichdet_stays_light():
    code = "import sys, ichdet; assert not {'matplotlib', 'torch', 'pandas', 'ipywidgets'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
