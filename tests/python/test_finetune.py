"""`ichdet finetune`: a small network learns from corrected masks, and the two versions are compared."""

import csv
import json
import math
import shutil

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from command_line import refused
from small_training import OEDEMA, RECIPE, phantom


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """(parent bundle, corrections folder, validation manifest): phantoms of few pixels."""
    folder = tmp_path_factory.mktemp("finetune")

    corrections = folder / "corrections"
    corrections.mkdir()
    for seed in range(5):
        made = phantom(run, folder / f"head{seed}", seed, f"iph:{30 + 10 * seed}")
        shutil.copytree(made / "dicom", corrections / f"head{seed}")
        shutil.copy(made / "truth.nii.gz", corrections / f"head{seed}_mask.nii.gz")
    lines = ["study,scan,mask,split"]
    for seed in range(10, 14):
        phantom(run, folder / f"judged{seed}", seed, "iph:50" if seed % 2 else "none")
        lines.append(f"judged{seed},judged{seed}/dicom,judged{seed}/truth.nii.gz,validation")
    (folder / "validation.csv").write_text("\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(yaml.safe_dump(RECIPE))
    done = run("models", "make", "--recipe", folder / "small.yaml", "--untrained", 1, "--out", folder / "parent",
               "--name", "small", "--model-version", "1.4")
    assert done.returncode == 0, done.stderr
    return folder / "parent", corrections, folder / "validation.csv"


@pytest.fixture(scope="module")
def finetuned(run, made, tmp_path_factory):
    out = tmp_path_factory.mktemp("new") / "version"

    def call(folder, *more):
        parent, corrections, validation = made
        return run("finetune", parent, corrections, "--out", folder, "--validation", validation, "--steps", 120,
                   "--learning-rate", 0.01, "--resamples", 200, "--threads", 1, *OEDEMA, *more, OMP_NUM_THREADS="1")

    done = call(out, "--json")
    assert done.returncode == 0, done.stderr
    return out, json.loads(done.stdout), call


def metrics(folder):
    return [(int(r["step"]), r["name"], r["value"]) for r in csv.DictReader((folder / "metrics.csv").open())]


def test_it_learns_and_the_better_version_is_named(finetuned):
    out, choice, _ = finetuned
    losses = [float(value) for _, name, value in metrics(out) if name == "train/loss"]
    assert losses[-1] < 0.75 * losses[0]
    comparison = json.loads((out / "comparison.json").read_text())
    assert comparison["choice"] == choice
    assert comparison["weights_chosen_on"] == "a fifth of the corrected patients, kept apart"
    for f in choice["figures"]:
        key = f["figure"]
        assert f["before"] == comparison["before"][key]["value"] and f["after"] == comparison["after"][key]["value"]
    dice = next(f for f in choice["figures"] if f["figure"] == "dice")
    assert dice["after"] > dice["before"] + 0.1, "120 steps on five heads beat random weights"
    differences = [f["after"] - f["before"] for f in choice["figures"] if f["after"] is not None]
    worse = any(d < -0.01 for d in differences) or any(
        f["difference"]["interval"][1] is not None and f["difference"]["interval"][1] < 0 for f in choice["figures"])
    assert choice["keep"] == ("new" if sum(differences) > 0 and not worse else "old"), choice["reason"]


def test_the_new_bundle_names_its_parent(finetuned, made, run):
    out, _, _ = finetuned
    bundle = json.loads((out / "bundle" / "bundle.json").read_text())
    assert (bundle["name"], bundle["version"]) == ("small", "1.5")
    parent = json.loads((out / "comparison.json").read_text())["parent"]
    assert bundle["provenance"]["parent"] == parent
    assert (parent["name"], parent["version"]) == ("small", "1.4")
    assert "untrained" not in bundle and "5 corrected studies" in bundle["training_data"]
    judged = run("judge", out / "bundle", made[2], "--json", "--resamples", 20, *OEDEMA)
    assert json.loads(judged.stdout)["dice"]["value"] == pytest.approx(
        json.loads((out / "comparison.json").read_text())["after"]["dice"]["value"], abs=1e-6)


def test_tensorboard_shows_the_same_figures(finetuned):
    out, _, _ = finetuned
    events = EventAccumulator(str(out))
    events.Reload()
    rows = metrics(out)
    assert set(events.Tags()["scalars"]) == {name for _, name, _ in rows}
    for tag in events.Tags()["scalars"]:
        shown = [(e.step, e.value) for e in events.Scalars(tag)]
        written = [(step, float(value)) for step, name, value in rows if name == tag]
        assert [s for s, _ in shown] == [s for s, _ in written]
        for (_, a), (_, b) in zip(shown, written):
            assert (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, rel=1e-6)


def test_stopped_it_goes_on_and_ends_the_same(finetuned, tmp_path):
    out, choice, call = finetuned
    stopped = call(tmp_path / "pieces", "--minutes", 0.01)
    assert stopped.returncode == 0, stopped.stderr
    assert stopped.stdout.startswith("Stopped after ")
    done = call(tmp_path / "pieces", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == choice
    assert metrics(tmp_path / "pieces") == metrics(out)


def test_what_makes_no_refinement_is_refused(run, made, tmp_path):
    parent, corrections, validation = made
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "_mask.nii.gz" in refused(run("finetune", parent, empty, "-o", tmp_path / "a", "--validation", validation),
                                     3, "io")
    (empty / "x_mask.nii.gz").write_bytes(b"")
    assert "its scan" in refused(run("finetune", parent, empty, "-o", tmp_path / "a", "--validation", validation), 3, "io")
    leaking = validation.parent / "leaking.csv"
    leaking.write_text(validation.read_text() + "head1,head1/dicom,head1/truth.nii.gz,validation\n")
    assert "patient head1" in refused(run("finetune", parent, corrections, "-o", tmp_path / "a", "--validation", leaking),
                                      2, "options")
    judged = validation.read_text()
    chosen = validation.parent / "chosen.csv"
    chosen.write_text(judged + "head1,head1/dicom,head1/truth.nii.gz,select\n")
    assert 'patient head1 is in split "select"' in refused(
        run("finetune", parent, corrections, "-o", tmp_path / "a", "--validation", chosen), 2, "options")
    other = ("finetune", parent, corrections, "-o", tmp_path / "a", "--validation", validation, "--replay", validation)
    assert 'studies of split "train", found none' in refused(run(*other), 2, "options")
    assert "judged10" in refused(run(*other, "--replay-split", "validation"), 2, "options")
    assert 'split "test"' in refused(run("finetune", parent, corrections, "-o", tmp_path / "a", "--validation",
                                         validation, "--validation-split", "test"), 2, "options")


def test_a_classifier_of_exams_is_refused_before_it_is_trained(run, made, tmp_path):
    parent, corrections, validation = made
    assert run("models", "make", "--recipe", "s5", "--untrained", 1, "--out", tmp_path / "s5").returncode == 0
    assert "found exam classification" in refused(
        run("finetune", tmp_path / "s5", corrections, "-o", tmp_path / "a", "--validation", validation), 2, "options")
    assert not (tmp_path / "a" / "metrics.csv").exists()


def test_replay_leaves_out_the_masks_that_were_corrected(run, made, tmp_path):
    parent, corrections, validation = made
    replay = validation.parent / "replay.csv"
    replay.write_text("study,patient,scan,mask,split\n" + "".join(
        f"{name},{name},{name}/dicom,{name}/truth.nii.gz,{split}\n"
        for name, split in (("head2", "train"), ("judged11", "train"), ("judged12", "train"), ("head3", "other"))))
    apart = validation.parent / "apart.csv"
    apart.write_text("".join(line + "\n" for line in validation.read_text().splitlines()
                             if "judged11" not in line and "judged12" not in line))
    done = run("finetune", parent, corrections, "-o", tmp_path / "out", "--validation", apart, "--replay", replay, "--steps",
               2, "--resamples", 20, "--threads", 1, *OEDEMA, "-q", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    sets = {row["set"]: row["studies"] for row in json.loads((tmp_path / "out" / "record.json").read_text())["sets"]}
    assert sets == {"select of selection": 1, "train of corrections": 4, "train of replay": 2}


def test_a_recipes_groups_are_of_its_own_data(run, made, tmp_path):
    parent, corrections, validation = made
    (tmp_path / "groups.yaml").write_text(yaml.safe_dump({**RECIPE, "training": {
        "steps": 2, "batch": 2, "optimizer": {"name": "adam", "learning_rate": 0.001},
        "loss": {"name": "dice + cross entropy"},
        "sampling": {"balance": "share", "blood_share": 0.5, "groups": {"phe_sich": 1}}}}))
    done = run("finetune", parent, corrections, "-o", tmp_path / "out", "--validation", validation, "--recipe",
               tmp_path / "groups.yaml", "--resamples", 20, "--threads", 1, *OEDEMA, "-q", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr


def test_versions_compare_before_calibration(run, made, tmp_path):
    """A parent whose calibration halves its probabilities: the child, which has none, compares with what it learned on."""
    parent, corrections, validation = made
    shutil.copytree(parent, tmp_path / "calibrated")
    spec = json.loads((parent / "bundle.json").read_text())
    spec["calibration"] = {target: {"method": "platt", "slope": 1.0, "intercept": -3.0, "fitted_on": "nothing"}
                           for target in ("study", "slice")}
    spec["thresholds"]["study"] = 0.05
    (tmp_path / "calibrated" / "bundle.json").write_text(json.dumps(spec))
    figures = {}
    for name, folder in (("raw", parent), ("calibrated", tmp_path / "calibrated")):
        done = run("judge", folder, validation, *OEDEMA, "--json", "--resamples", 20, "--threads", 1)
        assert done.returncode == 0, done.stderr
        figures[name] = json.loads(done.stdout)
    assert figures["raw"]["calibration"]["brier"] != pytest.approx(figures["calibrated"]["calibration"]["brier"], abs=1e-3)
    done = run("finetune", tmp_path / "calibrated", corrections, "-o", tmp_path / "out", "--validation", validation,
               "--steps", 2, "--resamples", 20, "--threads", 1, *OEDEMA, "-q", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    comparison = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert comparison["probabilities"] == "before calibration"
    assert comparison["before"]["calibration"]["brier"] == pytest.approx(figures["raw"]["calibration"]["brier"], abs=1e-6)
    child = json.loads((tmp_path / "out" / "bundle" / "bundle.json").read_text())
    assert "study" not in child.get("thresholds", {}) and "calibration" not in child
