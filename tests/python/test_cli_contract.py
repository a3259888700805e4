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

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "result.schema.json").read_text())
BUNDLE = "blast-ct-v1"


@pytest.fixture(scope="module")
def detected(run, study, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "result"
    done = run("detect", study, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    return out, done


def refused(result, exit_code, error_code):
    assert result.returncode == exit_code, (result.stdout, result.stderr)
    assert result.stdout == ""
    assert result.stderr.startswith(f"ichdet: error[{error_code}]: "), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


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
    done = run("detect", one, "--out", tmp_path / "out", "--quiet")  # one DICOM file is a study too
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert len(result["slices"]) == 1 and result["assumptions"]


def test_ctrl_c_stops_a_detection(ichdet, run, study, tmp_path):
    process = subprocess.Popen(
        [ichdet, "detect", study, "--out", tmp_path / "out"], env=run.environment, stderr=subprocess.PIPE, text=True
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
        ["detect", "x", "--out", "y", "--precision", "float64"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    refused(run(*arguments), 2, "options")


@pytest.mark.parametrize("flag", [["--precision", "bfloat16"], ["--precision", "adaptive"], ["--ensemble", "x.yaml"]])
def test_a_flag_whose_part_does_not_exist_yet_says_so(run, study, tmp_path, flag):
    message = refused(run("detect", study, "--out", tmp_path, *flag), 2, "options")
    assert flag[0] in message and "not exist yet" in message


def test_refused_inputs_exit_with_3(run, tmp_path):
    assert "nowhere" in refused(run("detect", tmp_path / "nowhere", "--out", tmp_path / "out"), 3, "io")
    (tmp_path / "empty").mkdir()
    refused(run("detect", tmp_path / "empty", "--out", tmp_path / "out"), 3, "dicom")
    (tmp_path / "text.dcm").write_text("not DICOM")
    assert "text.dcm" in refused(run("detect", tmp_path / "text.dcm", "--out", tmp_path / "out"), 3, "dicom")
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b not gzip")
    message = run("detect", tmp_path / "broken.nii.gz", "--out", tmp_path / "out")
    assert message.returncode == 3 and "broken.nii.gz" in message.stderr
    assert not (tmp_path / "out").exists()


def test_missing_weights_exit_with_4_and_say_how_to_get_them(run, study, tmp_path):
    result = run("detect", study, "--out", tmp_path / "out", ICHDET_CACHE=str(tmp_path / "cache"))
    assert f"ichdet models get {BUNDLE}" in refused(result, 4, "weights")
    result = run("detect", study, "--out", tmp_path / "out", "--bundle", "blast-ctv1")
    assert f'did you mean "{BUNDLE}"?' in refused(result, 4, "weights")
    result = run("detect", study, "--out", tmp_path / "out", "--bundle", tmp_path)
    assert "bundle.json" in result.stderr and result.returncode in (3, 4)


def test_help_and_version(run):
    overview = run("--help")
    assert overview.returncode == 0 and overview.stderr == ""
    for command in ("detect", "info", "convert", "window", "phantom", "models"):
        assert re.search(rf"^ +{command} ", overview.stdout, re.M), command
        one = run(command, "--help")
        assert one.returncode == 0 and "Usage" in one.stdout
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run("--version").stdout)
