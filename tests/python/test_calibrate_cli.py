"""`ichdet calibrate`: what it fits, says, stores and refuses."""

import json
import shutil

import ichdet
import numpy as np
import pytest
import yaml
from ichdet import ensemble
from scipy.special import expit, logit

from command_line import refused


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    random = np.random.default_rng(2)
    p = np.round(random.beta(0.7, 0.9, 300), 4)
    truth = (random.uniform(size=300) < expit(0.5 * logit(np.clip(p, 1e-4, 1 - 1e-4)) - 0.5)).astype(int)
    patients = np.repeat(np.arange(150), 2)
    rows = [f"p{n},s{i},{x}" for i, (n, x) in enumerate(zip(patients, p))]
    (folder / "p.csv").write_text("patient,study,net\n" + "\n".join(rows) + "\n")
    (folder / "t.csv").write_text("study,ICH\n" + "\n".join(f"s{i},{t}" for i, t in enumerate(truth)) + "\n")
    return folder, p, truth, patients


def made(run, folder, *options):
    done = run("calibrate", folder / "p.csv", folder / "t.csv", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_what_is_fitted_and_how_good_it_is_on_other_patients(run, files, method):
    folder, p, truth, patients = files
    said = made(run, folder, "--method", method)
    fitted = ensemble.fit_calibrator(method, p, truth)
    stored = said["calibration"]["study"]
    if method == "isotonic":
        np.testing.assert_allclose(stored["points"], np.transpose(fitted.points), atol=1e-12)
    else:
        assert stored.get("slope", 1 / stored.get("temperature", 1)) == pytest.approx(fitted.slope, abs=1e-12)
    assert stored["fitted_on"] == "p.csv, 300 cases, each a study" and said["cases"] == 300
    after = np.empty_like(p)
    for fold in range(5):
        inside = patients % 5 == fold
        after[inside] = ensemble.fit_calibrator(method, p[~inside], truth[~inside])(p[inside])
    for name, values in (("raw", p), ("calibrated", after)):
        expected = ichdet.evaluate.calibration(truth, values)
        assert said["expected_error"][name] == pytest.approx(expected.expected_error, abs=1e-12)
        assert said["brier"][name] == pytest.approx(expected.brier, abs=1e-12)
    assert said["expected_error"]["calibrated"] < said["expected_error"]["raw"]


def test_thresholds_are_of_the_calibrated_scale(run, files):
    folder, p, truth, _ = files
    calibrated = ensemble.fit_calibrator("platt", p, truth)(p)
    for options, choice in (
        (["--youden"], {}),
        (["--sensitivity", 0.9], {"sensitivity": 0.9}),
        (["--cost", 10, 1], {"cost": (10, 1)}),
    ):
        said = made(run, folder, *options)["threshold"]
        threshold, counts = ichdet.evaluate.choose_threshold(truth, calibrated, **choice)
        assert said["study"] == pytest.approx(threshold, abs=1e-12)
        assert said["sensitivity"] == counts.sensitivity.value and said["specificity"] == counts.specificity.value


def test_a_bundle_and_an_ensemble_get_a_copy_that_detect_reads(run, files, study, tmp_path):
    folder, p, truth, _ = files
    out = tmp_path / "calibrated"
    html = tmp_path / "page.html"
    said = made(run, folder, "--bundle", "blast-ct-v1", "--out", out, "--sensitivity", 0.9, "--html", html)
    spec = json.loads((out / "bundle.json").read_text())
    assert spec["calibration"] == said["calibration"] and spec["thresholds"]["study"] == said["threshold"]["study"]
    assert html.read_text().count("net, calibrated") >= 2 and "<svg" in html.read_text()
    lesion = made(run, folder, "--bundle", out, "--out", tmp_path / "both", "--target", "lesion", "--method", "temperature")
    both = json.loads((tmp_path / "both" / "bundle.json").read_text())["calibration"]
    assert both == said["calibration"] | lesion["calibration"]
    done = run("detect", study, "--bundle", tmp_path / "both", "--out", tmp_path / "found", "--json")
    result = json.loads(done.stdout)
    assert result["calibrated"] and result["threshold"] == said["threshold"]["study"]
    assert result["probability"] == pytest.approx(ensemble.fit_calibrator("platt", p, truth)([result["raw_probability"]])[0])
    text = "ensemble: 1  # kept\nname: e\nrule: mean\nmembers: [{bundle: blast-ct-v1}]"
    (tmp_path / "e.yaml").write_text(text)
    said = made(run, folder, "--ensemble", tmp_path / "e.yaml", "--out", tmp_path / "c.yaml", "--youden")
    copy = (tmp_path / "c.yaml").read_text()
    assert copy.startswith(text) and yaml.safe_load(copy)["calibration"] == said["calibration"]
    assert yaml.safe_load(copy)["thresholds"] == {"study": said["threshold"]["study"]}
    twice = run("calibrate", folder / "p.csv", folder / "t.csv", "--ensemble", tmp_path / "c.yaml", "--out", tmp_path / "d.yaml")
    assert "expected no calibration and no thresholds" in refused(twice, 2, "options")


def test_refusals(run, files, tmp_path):
    folder, p, truth, _ = files

    def refusal(*options, code=2, kind="options", predictions="p.csv"):
        return refused(run("calibrate", folder / predictions, folder / "t.csv", *options), code, kind)

    assert "expected one of --youden, --sensitivity and --cost" in refusal("--youden", "--sensitivity", 0.9)
    assert "expected --target study, found slice" in refusal("--youden", "--target", "slice")
    assert "--out: expected --bundle or --ensemble" in refusal("--out", tmp_path / "x")
    assert "expected --out, the copy" in refusal("--bundle", "blast-ct-v1")
    assert "--target: expected study or lesion, as the files have a row for each study, found slice" in refusal(
        "--target", "slice")
    assert "--method" in refusal("--method", "beta")
    (tmp_path / "near").mkdir()
    shutil.copytree(run.environment["ICHDET_CACHE"] + "/bundles/blast-ct-v1", tmp_path / "near" / "mine")
    (tmp_path / "near" / "e.yaml").write_text("{ensemble: 1, name: e, rule: mean, members: [{bundle: mine}]}")
    assert "on a line of its own" in refusal("--ensemble", tmp_path / "near" / "e.yaml", "--out",
                                             tmp_path / "near" / "c.yaml", code=4, kind="weights")
    (tmp_path / "near" / "e.yaml").write_text("ensemble: 1\nname: e\nrule: mean\nmembers: [{bundle: mine}]\n")
    lost = refusal("--ensemble", tmp_path / "near" / "e.yaml", "--out", tmp_path / "far.yaml", code=4, kind="weights")
    assert "/members/0/bundle: " in lost and "far.yaml" in lost and "mine" in lost
    assert not (tmp_path / "near" / "c.yaml").exists() and not (tmp_path / "far.yaml").exists()
    two = "patient,study,a,b\n" + "".join(f"p{i},s{i},0.5,0.4\n" for i in range(300))
    (folder / "two.csv").write_text(two)
    assert "--model: expected one of those in the files, found 2" in refusal(predictions="two.csv")
    assert "more than one value" in refusal("--model", "a", predictions="two.csv")


@pytest.fixture
def mine(run, tmp_path):
    """A bundle of one's own, and an ensemble of it beside."""
    assert run("models", "get", "blast-ct-v1").returncode == 0
    shutil.copytree(run.environment["ICHDET_CACHE"] + "/bundles/blast-ct-v1", tmp_path / "mine")
    (tmp_path / "e.yaml").write_text("ensemble: 1\nname: e\nrule: mean\nmembers: [{bundle: mine}]\n")
    return tmp_path


def contents(folder):
    return {f.relative_to(folder): f.read_bytes() if f.is_file() else None for f in folder.rglob("*")}


@pytest.mark.parametrize("kind", ["bundle", "ensemble"])
@pytest.mark.parametrize("out", ["results", "empty", "notes.txt", "link", ".", "results/", "e.yaml"])
def test_what_is_there_stays_as_it_is(run, files, mine, kind, out):
    folder, *_ = files
    (mine / "results").mkdir()
    (mine / "results" / "precious.txt").write_text("years of work")
    (mine / "empty").mkdir()
    (mine / "notes.txt").write_text("read me")
    (mine / "link").symlink_to("nowhere")
    before = contents(mine)
    source = ["--bundle", mine / "mine"] if kind == "bundle" else ["--ensemble", mine / "e.yaml"]
    done = run("calibrate", folder / "p.csv", folder / "t.csv", *source, "--out", str(mine) + "/" + out)
    if (kind, out) == ("ensemble", "e.yaml"):
        assert "a file of its own" in refused(done, 2, "options")
    else:
        assert "is already there: expected a new name" in refused(done, 3, "io")
    assert contents(mine) == before


@pytest.mark.parametrize("out", ["mine/copy", "mine/deep/down", "other/copy"])
def test_a_bundle_is_not_copied_into_itself(run, files, mine, out):
    folder, *_ = files
    (mine / "other").symlink_to("mine")
    before = contents(mine)
    done = run("calibrate", folder / "p.csv", folder / "t.csv", "--bundle", mine / "mine", "--out", mine / out)
    assert "expected a folder outside" in refused(done, 2, "options")
    assert contents(mine) == before


def test_a_bundles_threshold_goes_along_or_is_asked_for(run, files, mine):
    folder, p, truth, _ = files
    spec = json.loads((mine / "mine" / "bundle.json").read_text()) | {"thresholds": {"study": 0.7}}
    (mine / "mine" / "bundle.json").write_text(json.dumps(spec))

    def calibrated(source, out, *options):
        return run("calibrate", folder / "p.csv", folder / "t.csv", "--bundle", mine / source, "--out", mine / out, *options)

    def threshold(out):
        return json.loads((mine / out / "bundle.json").read_text())["thresholds"]["study"]

    (mine / "mine" / "reference_scores.json").write_text('{"studies": []}')
    assert calibrated("mine", "platt").returncode == 0
    assert not (mine / "platt" / "reference_scores.json").exists(), "it is of the scale that was"
    assert threshold("platt") == pytest.approx(ensemble.fit_calibrator("platt", p, truth)([0.7])[0])
    for source, options in (("mine", ["--method", "isotonic"]), ("platt", [])):
        assert "/thresholds/study: has no equal" in refused(calibrated(source, "no", *options), 2, "options")
    assert not (mine / "no").exists()
    assert calibrated("platt", "twice", "--target", "lesion").returncode == 0 and threshold("twice") == threshold("platt")
    assert calibrated("mine", "stepped", "--method", "isotonic", "--youden").returncode == 0


def test_evaluate_names_the_difficult_cases(run, files):
    folder, p, truth, _ = files
    done = run("evaluate", folder / "p.csv", folder / "t.csv", "--resamples", 10, "--json")
    (model,) = json.loads(done.stdout)["models"]
    assert [i.split("s")[-1] for i in model["difficult"]] == [str(i) for i in ichdet.difficult_cases(truth, p)]
