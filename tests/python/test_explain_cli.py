"""`ichdet explain`: what it writes, that it shows what it says, and how it refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from command_line import refused
from test_classify_cli import RECIPE

SIZE = 64


@pytest.fixture(scope="module")
def bundle(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "tiny.yaml").write_text(RECIPE)
    assert run("models", "make", "--recipe", folder / "tiny.yaml", "--untrained", 3, "--out", folder / "tiny").returncode == 0
    return folder / "tiny"


@pytest.fixture(scope="module")
def explained(run, study, bundle, tmp_path_factory):
    out = tmp_path_factory.mktemp("explained") / "out"
    done = run("explain", study, "--bundle", bundle, "--out", out, "--method", "xrai,integrated-gradients,grad-cam", "--steps", 20,
               "--quadrature", "gauss-legendre", "--slices", "worst:2", "--arrays", "both", "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout)


def test_pictures_arrays_and_report_are_written(explained, study):
    out, report = explained
    names = ["xrai", "integrated-gradients", "grad-cam"]
    files = sorted(file.name for file in out.iterdir())
    assert files == sorted(["explanation.json"] + [name + end for name in names for end in (".png", ".npy", ".nii.gz")])
    assert json.loads((out / "explanation.json").read_text()) == report
    assert report["target"] == "hemorrhage"
    assert [method["method"] for method in report["methods"]] == names
    assert len(report["slices"]) == 2
    for name in names:
        picture = Image.open(out / f"{name}.png")
        assert picture.mode == "RGB" and picture.width > 1200 and np.asarray(picture).std() > 20
        maps = np.load(out / f"{name}.npy")
        volume = np.asarray(nibabel.load(out / f"{name}.nii.gz").dataobj)
        assert maps.dtype == np.float32 and maps.shape[1:] == volume.shape[1::-1]
        for k in range(volume.shape[2]):
            plane = volume[:, :, k].T  # the phantom's rows and columns run as NIfTI's
            if k in report["slices"]:
                assert np.abs(plane - maps[report["slices"].index(k)]).max() <= 1e-6 * np.abs(maps).max()
            else:
                assert not plane.any()


def test_the_report_tells_how_far_a_path_method_is_off(explained):
    _, report = explained
    for method in report["methods"]:
        for one, index in zip(method["slices"], report["slices"]):
            assert one["index"] == index
            assert 0 < one["probability"] < 1
            if method["method"] == "grad-cam":
                assert "completeness" not in one
                continue
            told = one["completeness"]
            assert told["gap"] == pytest.approx(told["sum"] - told["difference"])
            if method["method"] == "xrai":
                assert sum(one["regions"]["areas_px"]) == SIZE * SIZE
                gains = one["regions"]["gains"]
                assert len(gains) == len(one["regions"]["areas_px"]) > 1


def test_the_likeliest_slices_are_the_worst(run, study, bundle, tmp_path):
    done = run("classify", study, "--bundle", bundle, "--out", tmp_path / "c", "--json", "--no-heat-maps")
    slices = json.loads(done.stdout)["slices"]
    likeliest = sorted(sorted(slices, key=lambda s: -s["probability"])[:3], key=lambda s: s["index"])
    done = run("explain", study, "--bundle", bundle, "--out", tmp_path / "e", "--method", "gradients", "--slices", "worst:3",
               "--arrays", "none", "--json")
    report = json.loads(done.stdout)
    assert report["slices"] == [s["index"] for s in likeliest]
    for one, s in zip(report["methods"][0]["slices"], likeliest):
        assert one["probability"] == pytest.approx(s["probability"], abs=1e-4)
    assert sorted(p.name for p in (tmp_path / "e").iterdir()) == ["explanation.json", "gradients.png"]


def test_all_methods_run_on_one_slice_and_twice_the_same(run, study, bundle, tmp_path):
    arguments = ["explain", study, "--bundle", bundle, "--method", "all", "--slices", "3", "--steps", 10, "--samples", 3, "--masks", 40]
    for out in ("a", "b"):
        done = run(*arguments, "--out", tmp_path / out)
        assert done.returncode == 0, done.stderr
    maps = sorted((tmp_path / "a").glob("*.npy"))
    assert len(maps) == 12
    for file in maps:
        values = np.load(file)
        assert np.isfinite(values).all() and values.std() > 0, file.name
        assert np.array_equal(values, np.load(tmp_path / "b" / file.name)), file.name


def test_a_reference_is_outlined(run, study, bundle, tmp_path, explained):
    volume = nibabel.load(explained[0] / "xrai.nii.gz")
    labels = np.zeros(volume.shape, np.uint8)
    middle = [n // 2 for n in labels.shape]
    labels[middle[0] - 20:middle[0] + 20, middle[1] - 20:middle[1] + 20, 3] = 1
    nibabel.save(nibabel.Nifti1Image(labels, volume.affine), tmp_path / "truth.nii.gz")
    arguments = ["explain", study, "--bundle", bundle, "--method", "grad-cam", "--slices", "3", "--arrays", "none"]
    pictures = []
    for name, extra in (("none", []), ("outlined", ["--reference", tmp_path / "truth.nii.gz"]),
                        ("left out", ["--reference", tmp_path / "truth.nii.gz", "--mask-class", "1=0"])):
        done = run(*arguments, *extra, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        pictures.append(np.asarray(Image.open(tmp_path / name / "grad-cam.png")).astype(int)[:, :1100])
    green = (pictures[1] - pictures[0])[..., 1] > 40
    assert green.sum() > 200
    assert np.array_equal(pictures[0], pictures[2])


@pytest.mark.parametrize("extra, code, text", [
    (["--method", "magic"], "options", "grad-cam"),
    (["--slices", "worst:0"], "options", "worst:N"),
    (["--slices", "99"], "options", "--slices"),
    (["--target", "edema"], "options", "target: expected a class of untrained-tiny: none, hemorrhage, found edema"),
    (["--precision", "adaptive"], None, "--precision"),
])
def test_what_cannot_be_is_refused(run, study, bundle, tmp_path, extra, code, text):
    done = run("explain", study, "--bundle", bundle, "--out", tmp_path / "out", *extra)
    assert done.returncode != 0 and text in done.stderr
    if code:
        refused(done, done.returncode, code)


def test_a_segmenter_is_refused_by_name(run, study, tmp_path):
    done = run("explain", study, "--bundle", Path(__file__).parents[2] / "bundles" / "ichdet" / "segmenter", "--out", tmp_path / "out")
    assert "slice classification" in refused(done, done.returncode, "options")


def test_python_says_the_same(explained, study, bundle):
    import ichdet
    from ichdet.nn import SliceExplainer

    out, report = explained
    stack = ichdet.read_study(str(study)).stack
    explainer = SliceExplainer([str(bundle)], steps=20, quadrature="gauss-legendre")
    assert explainer.target == "hemorrhage"
    for method in report["methods"]:
        found = explainer(stack, report["slices"], method["method"])
        maps = np.load(out / f"{method['method']}.npy")
        for one, told, map_ in zip(found, method["slices"], maps):
            assert (one.slice, one.score) == (told["index"], pytest.approx(told["score"], rel=1e-6))
            assert np.array_equal(explainer.on_slices(stack, one.map), map_)
            if one.sum is not None:
                assert (one.sum, one.difference) == (told["completeness"]["sum"], told["completeness"]["difference"])
            if one.regions is not None:
                assert one.regions.areas == told["regions"]["areas_px"]
    images = explainer.images(stack, report["slices"])
    assert explainer.explained().scores(images).tolist() == pytest.approx([one.score for one in found], rel=1e-6)


def test_the_example_runs(ichdet, study, bundle):
    example = Path(__file__).parents[2] / "examples" / "05_explain.py"
    environment = {**os.environ, "PYTHONPATH": str(ichdet.parent / "python")}
    done = subprocess.run([sys.executable, example, study, bundle], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" HU; adds up to ") == 2
