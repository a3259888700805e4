"""`ichdet evaluate`: its figures against scikit-learn's, its page, and how it refuses."""

import csv
import json
import os
import re
import subprocess
from xml.etree import ElementTree

import ichdet
import numpy as np
import pytest
from ichdet import evaluate
from sklearn import metrics


@pytest.fixture(scope="module")
def run(ichdet):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ICHDET_")}

    def call(*arguments):
        return subprocess.run(
            [ichdet, "evaluate", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120
        )

    return call


def write(path, header, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """150 studies of 100 patients, two models, volumes; predictions lack two studies and have one more."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(5)
    truth = (rng.random(150) < 0.4).astype(int)
    a = np.round(np.clip(rng.normal(0.35 + 0.3 * truth, 0.2), 0, 1), 3)
    b = np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0, 1), 3)
    volume = np.round(truth * rng.gamma(1, 20, 150), 2)
    measured = np.round(volume * 1.1 + 0.5, 2)
    names = [f"s{i:03d}" for i in range(150)]
    write(folder / "truth.csv", ["patient", "study", "blood", "volume_ml"],
          [(f"p{i % 100}", names[i], truth[i], "" if i == 7 else volume[i]) for i in range(150)])
    order = rng.permutation(np.arange(2, 150))
    rows = [(names[i], a[i], b[i], measured[i]) for i in order]
    write(folder / "pred.csv", ["study", "A", "B", "A:volume_ml"], [*rows, ("other", 0.5, 0.5, 0)])
    return {"folder": folder, "files": (folder / "pred.csv", folder / "truth.csv"), "truth": truth[2:], "A": a[2:], "B": b[2:],
            "difference": np.delete(measured - volume, [0, 1, 7])}


def test_the_figures_are_those_of_scikit_learn(run, cohort):
    done = run(*cohort["files"], "--threshold", 0.5, "--threshold", 0.7, "--resamples", 300, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["unit"], found["rows"], found["patients"]) == ("study", 148, 100)
    assert (found["only_in_truth"], found["only_in_predictions"]) == (["s000", "s001"], ["other"])
    assert any("several rows" in note for note in found["notes"])
    truth = cohort["truth"]
    for model in found["models"]:
        score = cohort[model["model"]]
        assert model["class"] == "blood" and model["positives"] == truth.sum()
        areas = {name: estimate["value"] for name, estimate in model["areas"].items()}
        precision, recall, _ = metrics.precision_recall_curve(truth, score)
        assert areas == pytest.approx({
            "roc_auc": metrics.roc_auc_score(truth, score), "pr_auc": metrics.auc(recall, precision),
            "average_precision": metrics.average_precision_score(truth, score), "brier": np.mean((score - truth) ** 2)})
        auc, covariance = evaluate.delong(truth, [score])
        assert model["areas"]["roc_auc"]["delong"] == pytest.approx(evaluate.delong_interval(auc[0], covariance[0, 0]))
        for at, threshold in zip(model["thresholds"], (0.5, 0.7), strict=True):
            (tn, fp), (fn, tp) = metrics.confusion_matrix(truth, score >= threshold)
            assert [at[k + "s"] for k in ("true_positive", "false_positive", "true_negative", "false_negative")] == [tp, fp, tn, fn]
            sensitivity = at["rates"]["sensitivity"]
            assert sensitivity["value"] == pytest.approx(tp / (tp + fn)) and sensitivity["of"] == [tp, tp + fn]
            assert sensitivity["exact"] == pytest.approx(evaluate.clopper_pearson(tp, tp + fn))
            low, high = sensitivity["bootstrap"]["interval"]
            assert low < sensitivity["value"] < high
            assert at["rates"]["f1"]["value"] == pytest.approx(metrics.f1_score(truth, score >= threshold))
    pair = found["pairs"][0]
    test = evaluate.delong_test(truth, cohort["A"], cohort["B"])
    assert (pair["delong"]["difference"], pair["delong"]["p"]) == pytest.approx((test.difference, test.p_value))
    expected = evaluate.mcnemar(truth, cohort["A"] >= 0.7, cohort["B"] >= 0.7)
    assert [pair["mcnemar"][1][k] for k in ("only_a_right", "only_b_right", "exact_p")] == pytest.approx(
        [expected.only_a, expected.only_b, expected.exact_p])
    volume = found["volumes"][0]
    assert (volume["cases"], volume["left_out"]) == (147, 1)
    assert volume["bias_ml"] == pytest.approx(cohort["difference"].mean())


def test_bootstrap_of_the_whole_chain(run, cohort):
    """The intervals in the JSON are those of the row-drawing bootstrap with the same seed, whatever the threads."""
    runs = [run(*cohort["files"], "--resamples", 200, "--seed", 3, "--threads", t, "--json") for t in (1, 2)]
    assert runs[0].stdout == runs[1].stdout
    found = json.loads(runs[0].stdout)["models"][0]
    patients = [f"{i % 100:03d}" for i in range(2, 150)]
    order = {p: i for i, p in enumerate(dict.fromkeys(patients))}  # numbered as they come
    numbers = [order[p] for p in patients]

    def accuracy(rows):
        return np.mean((cohort["A"][rows] >= 0.5) == cohort["truth"][rows])

    expected = evaluate.bootstrap(accuracy, 148, numbers, resamples=200, seed=3)
    assert found["thresholds"][0]["rates"]["accuracy"]["bootstrap"]["interval"] == pytest.approx(expected.interval)
    areas = evaluate.bootstrap_areas(cohort["truth"], cohort["A"], numbers, resamples=200, seed=3)
    assert found["areas"]["average_precision"]["bootstrap"]["interval"] == pytest.approx(areas["average_precision"].interval)


def test_text_page_and_python_tell_the_same(run, cohort):
    folder = cohort["folder"]
    done = run(*cohort["files"], "--resamples", 50, "--html", folder / "page.html", "--out", folder / "out.json")
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads((folder / "out.json").read_text())
    found = evaluate.evaluate_files(*map(str, cohort["files"]), resamples=50)
    assert found.to_dict() == figures and found.summary() == done.stdout
    sensitivity = figures["models"][0]["thresholds"][0]["rates"]["sensitivity"]
    low, high = sensitivity["exact"]
    line = rf"sensitivity \(TPR\) +{sensitivity['value']:.3f} +{low:.3f} to {high:.3f} "
    assert re.search(line, done.stdout)
    assert "! 2 only in the truth, left out: s000, s001" in done.stdout and "other" in done.stdout

    page = (folder / "page.html").read_text()
    assert f"{low:.3f} to {high:.3f}" in page and "pred.csv against truth.csv" in page
    assert not re.search(r"https?:|<script|\bsrc=|\bhref=|@import|url\(", page)  # complete in itself
    pictures = [ElementTree.fromstring(p) for p in re.findall(r"<figcaption>.*?\n(<svg.*?</svg>)\n</figure>", page, re.S)]
    assert len(pictures) == 2 + 2 + 2 + 1 == page.count("<figure>")  # ROC, PR; reliability; confusion; volumes
    assert all(p.get("aria-label") for p in pictures)
    roc = next(p for p in pictures if p.get("aria-label") == "ROC curves")
    assert len(roc.findall(".//polyline")) == 2
    numbers = re.findall(r'(?:points|x1?|y1?|cx|cy|d)="([^"]*)"', page)
    assert numbers and not re.search("nan|inf", " ".join(numbers))
    for text in ("sensitivity (true positive rate)", "mean of measured and true volume, mL", "Not for clinical use"):
        assert text in page
    assert run(*cohort["files"], "--resamples", 5, "--quiet").stdout == ""


def test_degenerate_cohorts_have_no_figures_and_no_zeros(run, tmp_path):
    """One class, one case, scores all equal: null, "-" and a page without NaN."""
    for truth, score in (([1, 1, 1], [0.2, 0.6, 0.9]), ([0], [0.5]), ([0, 1], [0.5, 0.5]), ([0, 0, 1], [0, 0.3, 0.4])):
        rows = range(len(truth))
        files = (write(tmp_path / "p.csv", ["study", "m"], [(i, score[i]) for i in rows]),
                 write(tmp_path / "t.csv", ["study", "y"], [(i, truth[i]) for i in rows]))
        done = run(*files, "--resamples", 30, "--out", tmp_path / "o.json", "--html", tmp_path / "p.html")
        assert done.returncode == 0, done.stderr
        model = json.loads((tmp_path / "o.json").read_text())["models"][0]
        assert (model["areas"]["roc_auc"]["value"] is None) == (len(set(truth)) == 1)
        assert not re.search(r"\bnan\b|\binf\b", done.stdout + (tmp_path / "p.html").read_text())
        if len(set(truth)) == 1:
            assert model["areas"]["roc_auc"]["bootstrap"]["degenerate"] == 30
            assert re.search(r"ROC AUC +- +- +-", done.stdout)


def test_classes_slices_and_choices(run, tmp_path):
    rng = np.random.default_rng(2)
    rows = [(f"s{i // 5}", i % 5) for i in range(60)]
    labels = rng.integers(0, 2, (60, 2))
    labels[:, 0] |= labels[:, 1]
    scores = rng.random((60, 4))
    truth = write(tmp_path / "truth.csv", ["study", "slice", "any", "SDH"], [(*r, *v) for r, v in zip(rows, labels)])
    header = ["study", "slice", "any", "SDH", "B:any", "notes"]
    predictions = write(tmp_path / "detector.csv", header, [(*r, *np.round(s[:3], 3), "seen") for r, s in zip(rows, scores)])
    refused = run(predictions, truth)
    assert refused.returncode == 3 and 'column "notes"' in refused.stderr and '"any", "SDH"' in refused.stderr
    done = run(predictions, truth, "--model", "detector", "--model", "B", "--resamples", 20, "--json")
    found = json.loads(done.stdout)
    assert (found["unit"], found["rows"], found["patients"]) == ("slice", 60, 12)
    assert [(m["class"], m["model"]) for m in found["models"]] == [("any", "detector"), ("any", "B"), ("SDH", "detector")]
    one = run("--model", "B", "--class", "any", "--resamples", 20, "--json", "--threshold", 0.4, predictions, truth)
    assert [m["model"] for m in json.loads(one.stdout)["models"]] == ["B"]
    for model in found["models"]:
        column, label = header.index("B:any" if model["model"] == "B" else model["class"]) - 2, ["any", "SDH"].index(model["class"])
        expected = metrics.roc_auc_score(labels[:, label], np.round(scores[:, column], 3))
        assert model["areas"]["roc_auc"]["value"] == pytest.approx(expected)


def test_names_cannot_break_out_of_the_page(run, tmp_path):
    name = '<b onload="x">&</b>'
    files = (write(tmp_path / "p.csv", ["study", name], [(1, 0.2), (2, 0.7)]), write(tmp_path / "t.csv", ["study", "<i>"], [(1, 0), (2, 1)]))
    assert run(*files, "--resamples", 5, "--html", tmp_path / "page.html", "-q").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "<b onload" not in page and "<i>" not in page
    assert "&lt;b onload=&quot;x&quot;&gt;&amp;&lt;/b&gt;" in page


@pytest.mark.parametrize("arguments, message", [
    ([], "PREDICTIONS is required"),
    (["p", "t", "--threshold", "1.5"], "--threshold: expected a number from 0 to 1, found 1.5"),
    (["p", "t", "--threshold", "nan"], "--threshold: expected a number from 0 to 1, found nan"),
    (["p", "t", "--confidence", "95"], "--confidence"),
    (["p", "t", "--resamples", "0"], "--resamples"),
    (["p", "t", "--seed", "-1"], "--seed"),
    (["p", "t", "--bins", "0"], "--bins"),
])
def test_wrong_usage_exits_with_2(run, arguments, message):
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("ichdet: error[options]: ") and message in done.stderr and done.stderr.count("\n") == 1


def test_what_cannot_be_read_or_written_exits_with_3(run, cohort, tmp_path):
    predictions, truth = cohort["files"]
    bad = tmp_path / "bad.csv"
    bad.write_text("study,A\ns005,0.4\ns006,high\n")
    for arguments, words in [
        (["nowhere.csv", truth], "nowhere.csv: cannot be read"),
        ([tmp_path, truth], "expected a CSV file, found a folder"),
        ([bad, truth], 'bad.csv, line 3, column "A": expected a probability from 0 to 1, found "high"'),
        ([truth, predictions], 'column "blood": expected MODEL:CLASS'),
        ([predictions, truth, "--html", tmp_path / "no" / "page.html"], "--html"),
        ([predictions, truth, "--out", tmp_path], "--out"),
    ]:
        done = run(*arguments)
        assert done.returncode == 3 and done.stdout == "", arguments
        assert done.stderr.startswith("ichdet: error[io]: ") and words in done.stderr and done.stderr.count("\n") == 1
    done = run(predictions, truth, "--model", "C")
    assert done.returncode == 2 and '--model: expected one of "A", "B", found "C"' in done.stderr
    with pytest.raises(ichdet.Error, match="line 3"):
        evaluate.evaluate_files(str(bad), str(truth))


def test_inputs_and_results_are_kept_from_each_other(run, cohort, tmp_path):
    predictions, truth = (tmp_path / name for name in ("pred.csv", "truth.csv"))
    for copy, original in zip((predictions, truth), cohort["files"]):
        copy.write_bytes(original.read_bytes())
    (tmp_path / "link.csv").symlink_to(truth)
    before = predictions.read_bytes(), truth.read_bytes()
    for arguments, words in [
        (["--out", predictions], "--out"),
        (["--html", f"{tmp_path}/./truth.csv"], "--html"),
        (["--out", tmp_path / "link.csv"], "--out"),
        (["--out", tmp_path / "x", "--html", f"{tmp_path}/./x"], "--html"),
    ]:
        done = run(predictions, truth, *arguments)
        assert done.returncode == 2 and done.stderr.startswith(f"ichdet: error[options]: {words} "), done.stderr
    assert before == (predictions.read_bytes(), truth.read_bytes())
    assert len(list(tmp_path.iterdir())) == 3

    old = tmp_path / "old.json"
    old.write_text("kept")
    done = run(predictions, truth, "--resamples", 100, "--out", old, "--html", tmp_path / "no" / "p")
    assert done.returncode == 3 and old.read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 4
    (tmp_path / "to-old.json").symlink_to(old)
    done = run(predictions, truth, "--resamples", 100, "--out", tmp_path / "to-old.json")
    assert done.returncode == 0 and json.loads(old.read_text()) and (tmp_path / "to-old.json").is_symlink()
    assert len(list(tmp_path.iterdir())) == 5
    done = run(predictions, truth, "--resamples", 100, "--quiet", "--out", "/dev/stdout")
    assert done.returncode == 0 and json.loads(done.stdout)


def test_help_tells_the_columns(run):
    done = run("--help")
    assert done.returncode == 0 and "MODEL:CLASS" in done.stdout and "volume_ml" in done.stdout
