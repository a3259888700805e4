"""The command line's contract: what `ichdet detect` writes, and how every command answers when it cannot go on."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import jsonschema
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from command_line import refused
from dicom_files import series

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text())
BUNDLE = "blast-ct-v1"


@pytest.fixture(scope="module")
def detected(run, study, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "result"
    done = run("detect", study, "--out", out, "--json", "--bundle", BUNDLE)
    assert done.returncode == 0, done.stderr
    return out, done


def test_result_json_follows_its_schema_and_is_what_json_prints(detected):
    out, done = detected
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, SCHEMA)
    assert json.loads(done.stdout) == result
    assert done.stderr == ""
    for field in ("version decision probability labels volumes_ml lesions slices assumptions trust bundle "
                  "timings_s").split():
        assert field in result
    assert result["bundle"]["name"] == BUNDLE
    assert result["trust"] == {"ok": True, "reasons": []}
    assert all(not lesion["calibrated"] for lesion in result["lesions"]) and not result["calibrated"]


def test_the_study_probability_is_the_highest_slices(detected):
    result = json.loads((detected[0] / "result.json").read_text())
    assert result["probability"] == max(s["probability"] for s in result["slices"])
    assert result["decision"] is (result["probability"] >= 0.5)


def test_labels_lie_on_the_inputs_own_slices(detected, study):
    out, _ = detected
    result = json.loads((out / "result.json").read_text())
    image = nibabel.load(out / "labels.nii.gz")
    labels = np.asarray(image.dataobj)
    files = sorted((pydicom.dcmread(f) for f in study.iterdir()), key=lambda d: float(d.ImagePositionPatient[2]))
    assert labels.shape == (files[0].Columns, files[0].Rows, len(files))
    # NIfTI is RAS, DICOM is LPS.
    corner = image.affine @ [0, 0, 0, 1]
    np.testing.assert_allclose(corner[:3] * [-1, -1, 1], files[0].ImagePositionPatient, atol=1e-3)
    corner = image.affine @ [0, 0, len(files) - 1, 1]
    np.testing.assert_allclose(corner[:3] * [-1, -1, 1], files[-1].ImagePositionPatient, atol=1e-3)

    assert set(np.unique(labels)) <= {0} | {int(value) for value in result["labels"]}
    voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
    for value, name in result["labels"].items():
        assert result["volumes_ml"][name] == pytest.approx((labels == int(value)).sum() * voxel_ml, abs=1e-3)
    assert [s["sop_instance_uid"] for s in result["slices"]] == [d.SOPInstanceUID for d in files]
    assert [s["index"] for s in result["slices"]] == list(range(len(files)))


def test_the_hemorrhage_is_found_where_it_was_put(detected, study):
    result = json.loads((detected[0] / "result.json").read_text())
    truth = json.loads((study.parent / "truth.json").read_text())["hemorrhages"][0]
    assert result["decision"]
    lesion = result["lesions"][0]
    assert np.linalg.norm(np.subtract(lesion["centroid_mm"], truth["centroid_mm"])) < 10
    assert 0.5 < lesion["volume_ml"] / truth["volume_ml"] < 1.5


def test_pictures_are_there_and_open(detected):
    out, _ = detected
    with Image.open(out / "sheet.png") as sheet:
        assert min(sheet.size) > 200
    names = sorted(p.name for p in (out / "slices").iterdir())
    assert len(names) == 6 and all(re.fullmatch(r"\d{3}\.png", name) for name in names)
    for name in names:
        with Image.open(out / "slices" / name) as picture:
            assert min(picture.size) > 100


def test_quiet_prints_nothing(run, study, tmp_path):
    one = next(iter(sorted(study.iterdir())))
    done = run("detect", one, "--out", tmp_path / "out", "--quiet", "--bundle", BUNDLE)  # one DICOM file is a study too
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert len(result["slices"]) == 1 and result["assumptions"]


def test_ctrl_c_stops_a_detection(ichdet, run, study, tmp_path):
    process = subprocess.Popen(
        [ichdet, "detect", study, "--out", tmp_path / "out", "--bundle", BUNDLE],
        env=run.environment, stderr=subprocess.PIPE, text=True,
    )
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert stderr.startswith("ichdet: error[cancelled]: ") and stderr.count("\n") == 1
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["detect"],
        ["nonsense"],
        ["detect", "x", "--out", "y", "--nonsense"],
        ["detect", "x", "--out", "y", "--threads", "-1"],
        ["detect", "x", "--out", "y", "--threads", "100000"],
        ["detect", "x", "--out", "y", "--threshold", "nan"],
        ["detect", "x", "--out", "y", "--precision", "float64"],
        ["detect", "x", "--out", "y", "--engine", "tensorrt"],
        ["detect", "x", "--out", "y", "--region", "neck"],
        ["info", "scan.nii.gz"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    refused(run(*arguments), 2, "options")


def test_wrong_usage_is_named_and_the_help_that_tells_more(run):
    assert '"nonsense" is not known; `ichdet --help`' in run("nonsense").stderr
    assert '"nonsense" is not known; `ichdet models --help`' in run("models", "nonsense").stderr
    message = run("detect", "x", "--out", "y", "--threads", "-1").stderr
    assert "--threads: expected 0 to 1024, found -1; `ichdet detect --help`" in message


def test_names_of_other_kinds_of_file_are_not_made_folders(run, study, tmp_path):
    for command, name in [("convert", "out.nrrd"), ("convert", "out.dcm"), ("window", "out.jpg")]:
        assert name in refused(run(command, study, tmp_path / name), 2, "options")
        assert not (tmp_path / name).exists()


def test_an_ensemble_that_is_not_there_is_refused(run, study, tmp_path):
    message = refused(run("detect", study, "--out", tmp_path / "out", "--ensemble", "x.yaml"), 4, "weights")
    assert "x.yaml: expected an ensemble's YAML file" in message and not (tmp_path / "out").exists()
    message = refused(run("detect", study, "--out", tmp_path / "out", "--ensemble", "x.yaml", "--bundle", "y"), 2, "options")
    assert "--bundle excludes --ensemble" in message


def test_refused_inputs_exit_with_3(run, tmp_path):
    assert "nowhere" in refused(run("detect", tmp_path / "nowhere", "--out", tmp_path / "out"), 3, "io")
    (tmp_path / "empty").mkdir()
    refused(run("detect", tmp_path / "empty", "--out", tmp_path / "out"), 3, "dicom")
    (tmp_path / "text.dcm").write_text("not DICOM")
    assert "text.dcm" in refused(run("detect", tmp_path / "text.dcm", "--out", tmp_path / "out"), 3, "dicom")
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b not gzip")
    message = run("detect", tmp_path / "broken.nii.gz", "--out", tmp_path / "out")
    assert message.returncode == 3 and "broken.nii.gz" in message.stderr
    os.mkfifo(tmp_path / "pipe.dcm")  # not waited for
    assert "regular file" in refused(run("detect", tmp_path / "pipe.dcm", "--out", tmp_path / "out"), 3, "dicom")
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_is_refused_before_the_work(run, study, tmp_path):
    (tmp_path / "file").touch()
    message = refused(run("detect", study, "--out", tmp_path / "file" / "out"), 3, "io")
    assert "--out" in message and "Not a directory" in message


def test_slices_kilometres_apart_exit_with_5(run, tmp_path):
    folder = series(tmp_path / "far", [0.0, 3e6])
    message = refused(run("convert", folder, tmp_path / "out.nii", "--spacing", "1"), 5, "limit")
    assert "2^31 voxels" in message


def test_missing_weights_exit_with_4_and_say_how_to_get_them(run, study, tmp_path):
    result = run("detect", study, "--out", tmp_path / "out", "--bundle", BUNDLE, ICHDET_CACHE=str(tmp_path / "cache"))
    assert f"ichdet models get {BUNDLE}" in refused(result, 4, "weights")
    result = run("detect", study, "--out", tmp_path / "out", "--bundle", "blast-ctv1")
    assert f'did you mean "{BUNDLE}"?' in refused(result, 4, "weights")
    result = run("detect", study, "--out", tmp_path / "out", "--bundle", tmp_path)
    assert "bundle.json" in refused(result, 4, "weights")


def test_help_and_version(run):
    overview = run("--help")
    assert overview.returncode == 0 and overview.stderr == ""
    for command in ("detect", "classify", "info", "convert", "window", "phantom", "models", "evaluate"):
        assert re.search(rf"^ +{command} ", overview.stdout, re.M), command
        one = run(command, "--help")
        assert one.returncode == 0 and "Usage" in one.stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run("--version").stdout)
