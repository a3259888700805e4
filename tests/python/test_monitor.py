"""`ichdet monitor`: the scores of new studies against a bundle's validation set."""

import json
import subprocess

import numpy as np
import pytest
from ichdet import evaluate
from PIL import Image
from scipy import stats

from command_line import refused


@pytest.fixture(scope="module")
def monitor(ichdet):
    def call(*arguments):
        return subprocess.run([ichdet, "monitor", *map(str, arguments)], capture_output=True, text=True, timeout=60)

    return call


def write_results(folder, rng, studies, bleeding=0.4, shift=0.0, slices=20):
    """Results as a detector writes them: bleeding studies score high on a third of their slices."""
    for i in range(studies):
        blood = rng.uniform() < bleeding
        logits = rng.normal(-3 + shift, 1, slices)
        if blood:
            logits[6:12] += 5
        probabilities = 1 / (1 + np.exp(-logits))
        volume = float(rng.lognormal(2, 1)) if blood else 0.0
        result = {
            "version": "1", "decision": bool(probabilities.max() >= 0.5), "probability": probabilities.max(),
            "calibrated": False, "rule": "highest", "threshold": 0.5, "labels": {"1": "blood", "2": "oedema"},
            "blood_labels": [1], "volumes_ml": {"blood": volume, "oedema": 7.0}, "lesions": [],
            "slices": [{"index": k, "z_mm": 5.0 * k, "probability": p, "sop_instance_uid": ""}
                       for k, p in enumerate(probabilities)] +
                      [{"index": slices, "z_mm": 999, "probability": 0, "sop_instance_uid": "", "computed": False}],
            "assumptions": [], "trust": {"ok": True, "reasons": []}, "review": [], "bundles": [], "timings_s": {},
        }
        (folder / f"study{i:03d}").mkdir(parents=True)
        (folder / f"study{i:03d}" / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, monitor):
    folder = tmp_path_factory.mktemp("bundle")
    results = write_results(tmp_path_factory.mktemp("validation"), np.random.default_rng(0), 60)
    stored = monitor(folder, results, "--store")
    assert stored.returncode == 0, stored.stderr
    assert stored.stdout.startswith("60 studies -> ")
    return folder, results


def scores_of(folder):
    results = [json.loads(f.read_text()) for f in sorted(folder.glob("*/result.json"))]
    slices = [[s["probability"] for s in r["slices"] if s.get("computed", True)] for r in results]
    return np.array([r["probability"] for r in results]), np.array([r["volumes_ml"]["blood"] for r in results]), slices


def test_the_reference_holds_the_validation_sets_scores(bundle):
    folder, results = bundle
    stored = json.loads((folder / "reference_scores.json").read_text())["studies"]
    probabilities, volumes, slices = scores_of(results)
    assert [s["probability"] for s in stored] == probabilities.tolist()
    assert [s["volume_ml"] for s in stored] == volumes.tolist()  # without oedema
    assert [s["slices"] for s in stored] == slices               # without the slice that has no head
    assert stored[0]["study"] == "study000"


def test_like_studies_do_not_drift(bundle, monitor, tmp_path):
    new = write_results(tmp_path / "new", np.random.default_rng(1), 40)
    done = monitor(bundle[0], new, "--json", "--fail-on-drift", "--png", tmp_path / "drift.png")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "none"
    assert report["studies"] == 40 and report["reference_studies"] == 60
    before, after = scores_of(bundle[1]), scores_of(new)
    by_name = {q["quantity"]: q for q in report["quantities"]}
    for name, a, b in (("study probability", before[0], after[0]), ("volume_ml", before[1], after[1])):
        expected = stats.ks_2samp(a, b, method="exact")
        assert by_name[name]["ks"] == pytest.approx(expected.statistic)
        assert by_name[name]["ks_p"] == pytest.approx(expected.pvalue, rel=1e-6)
        assert by_name[name]["stability_index"] == pytest.approx(evaluate.population_stability(a, b).value)
    assert by_name["slice probability"]["values"] == 800
    called = (after[0] >= 0.5).sum()
    assert report["positive_rate"]["of"] == [called, 40]
    assert report["positive_rate"]["interval"] == pytest.approx(evaluate.wilson(called, 40))
    assert report["positive_rate_p"] == pytest.approx(
        stats.fisher_exact([[called, 40 - called], [(before[0] >= 0.5).sum(), (before[0] < 0.5).sum()]]).pvalue)
    assert Image.open(tmp_path / "drift.png").size == (3 * 460 + 24, 344)


@pytest.mark.parametrize("changes, quantity", [({"shift": 2.0}, "slice probability"), ({"bleeding": 0.9}, "volume_ml")])
def test_other_scanners_and_other_patients_are_noticed(bundle, monitor, tmp_path, changes, quantity):
    new = write_results(tmp_path / "new", np.random.default_rng(2), 40, **changes)
    out = tmp_path / "drift.json"
    done = monitor(bundle[0], new, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "DRIFT" in done.stdout and f"{quantity} has drifted" in done.stdout
    report = json.loads(out.read_text())
    assert report["verdict"] == "drift"
    assert next(q for q in report["quantities"] if q["quantity"] == quantity)["verdict"] == "drift"
    assert monitor(bundle[0], new, "--fail-on-drift", "-q").returncode == 1


def test_slices_of_a_study_are_not_taken_as_independent(bundle, monitor, tmp_path):
    """Two new studies whose 40 slices differ from the reference's: as independent values they would be significant."""
    rng = np.random.default_rng(4)
    new = write_results(tmp_path / "new", rng, 2, bleeding=1, shift=0.4)
    report = json.loads(monitor(bundle[0], new, "--json").stdout)
    slices = next(q for q in report["quantities"] if q["quantity"] == "slice probability")
    plain = stats.ks_2samp(np.concatenate(scores_of(bundle[1])[2]), np.concatenate(scores_of(new)[2])).pvalue
    assert plain < 0.01 < slices["ks_p"]


def test_chance_alone_rarely_looks_like_drift(bundle):
    """Halves of one set of studies: at most a few in a hundred are called drift."""
    rng = np.random.default_rng(6)
    files = sorted(map(str, bundle[1].glob("*/result.json")))
    alarms = 0
    for _ in range(60):
        order = rng.permutation(files)
        alarms += evaluate.drift(list(order[:30]), list(order[30:]))["verdict"] == "drift"
    assert alarms <= 3


def test_what_cannot_be_compared_is_refused(bundle, monitor, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "reference_scores.json" in refused(monitor(empty, bundle[1]), 3, "io")
    assert "result.json" in refused(monitor(bundle[0], empty), 3, "io")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "reference_scores.json").write_text('{"studies": [{"study": 1}]}')
    assert "reference_scores.json" in refused(monitor(broken, bundle[1]), 3, "io")
    assert "no-such-bundle" in refused(monitor("no-such-bundle", bundle[1]), 4, "weights")
