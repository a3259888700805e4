"""`ichdet.train` in Python beside the command line, and what both refuse; losses beside torch and MONAI."""

import csv
import json
import os
import shutil
import signal
import threading
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

import ichdet
from command_line import refused
from ichdet import attribution, evaluate, train
from small_training import OEDEMA, RECIPE, phantom

torch = pytest.importorskip("torch")

TRAINING = {
    "seed": 3, "steps": 12, "batch": 4, "optimizer": {"name": "adamw", "learning_rate": 0.003},
    "loss": {"name": "dice + cross entropy"}, "sampling": {"balance": "share", "blood_share": 0.5},
    "augment": {"flip_columns": 0.5}, "validate": {"every": 6, "split": "select"},
}
MASK_CLASSES = {value: int(0 < value < 6) for value in range(7)}


@pytest.fixture(scope="module")
def made(run, tmp_path_factory):
    """A folder with small.yaml, four heads and manifest.csv: two to learn from, one to select by, one apart."""
    folder = tmp_path_factory.mktemp("train")
    lines = ["study,scan,mask,split,any"]
    for seed, split in enumerate(["train", "train", "select", "proof"]):
        phantom(run, folder / f"head{seed}", seed, "none" if seed == 1 else "iph:40")
        lines.append(f"head{seed},head{seed}/dicom,head{seed}/truth.nii.gz,{split},")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    (folder / "small.yaml").write_text(yaml.safe_dump({**RECIPE, "training": TRAINING}))
    return folder


def python_train(made, out, recipe="small.yaml", manifest="manifest.csv", **more):
    return train.train(str(made / recipe), out, data=[made / manifest], mask_classes=MASK_CLASSES, threads=1, **more)


def command(run, made, out, *more, recipe="small.yaml", manifest="manifest.csv"):
    return run("train", made / recipe, "--data", made / manifest, "-o", out, "--threads", 1, *OEDEMA, *more,
               OMP_NUM_THREADS="1")


def metrics(folder):
    return [(int(r["step"]), r["name"], float(r["value"])) for r in csv.DictReader((folder / "metrics.csv").open())]


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory):
    stages = []
    out = tmp_path_factory.mktemp("python") / "out"
    result = python_train(made, out, progress=lambda stage, fraction: stages.append((stage, fraction)))
    return out, result, stages


def test_python_trains_as_the_command_does(run, made, trained, tmp_path):
    out, result, stages = trained
    done = command(run, made, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    mine, theirs = metrics(out), metrics(tmp_path / "out")
    assert [row[:2] for row in mine] == [row[:2] for row in theirs]
    np.testing.assert_allclose([row[2] for row in mine], [row[2] for row in theirs], rtol=1e-4, atol=1e-6)
    assert result["step"] == 12 and result["bundle"] == out / "bundle"
    assert result["best"]["validation/dice"] == pytest.approx(
        dict((name, value) for step, name, value in mine if step == result["best_step"])["validation/dice"])
    assert {stage.split()[0] for stage, _ in stages} >= {"prepare", "step", "validate"}
    assert all(0 <= fraction <= 1 for _, fraction in stages)


def test_a_new_bundle_is_calibrated_on_what_chose_its_weights(run, made, trained, tmp_path):
    """Platt's fit is scikit-learn's: a logistic of the logits on his targets, without a penalty."""
    from scipy.special import logit
    from sklearn.linear_model import LogisticRegression

    out, result, _ = trained
    stored = json.loads((out / "bundle" / "bundle.json").read_text())["calibration"]
    assert stored["slice"]["method"] == "platt" and stored["slice"]["fitted_on"] == "6 slices that chose the weights"
    assert "study" not in stored and result["calibration"].startswith("Calibrated on 6 slices")
    done = run("detect", made / "head2" / "dicom", "--bundle", out / "bundle", "--out", tmp_path / "out", "--json",
               "--threads", 1)
    assert done.returncode == 0, done.stderr
    raw = np.array([s["raw_probability"] for s in json.loads(done.stdout)["slices"]])
    blood = np.isin(np.asarray(nibabel.load(made / "head2" / "truth.nii.gz").dataobj), range(1, 6)).any(axis=(0, 1))
    targets = np.where(blood, (blood.sum() + 1) / (blood.sum() + 2), 1 / ((~blood).sum() + 2))
    x = logit(np.clip(raw, 1e-6, 1 - 1e-6)).reshape(-1, 1)
    fit = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10000).fit(
        np.concatenate([x, x]), np.repeat([1, 0], len(x)), sample_weight=np.concatenate([targets, 1 - targets]))
    assert stored["slice"]["slope"] == pytest.approx(fit.coef_[0, 0], rel=1e-3, abs=1e-4)
    assert stored["slice"]["intercept"] == pytest.approx(fit.intercept_[0], rel=1e-3, abs=1e-4)


def test_the_record_says_what_a_card_tells(made, trained, run):
    out, _, _ = trained
    record = json.loads((out / "record.json").read_text())
    assert record["sets"] == [{"set": "select of manifest", "studies": 1, "patients": 1, "slices": 6},
                              {"set": "train of manifest", "studies": 2, "patients": 2, "slices": 12}]
    assert record["chosen_by"] == 'the mean of validation/auc and validation/dice, on the split "select"'
    assert record["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert record["version"] and record["machine"]
    figures = out / "figures.json"
    assert run("judge", out / "bundle", made / "manifest.csv", "--split", "proof", *OEDEMA, "--resamples", 20, "-q", "--out",
               figures).returncode == 0
    done = run("card", out / "bundle", "--figures", f"one head={figures}", "--limit", "A toy.")
    assert done.returncode == 0, done.stderr
    card = (out / "bundle" / "README.md").read_text()
    assert done.stdout.strip() == str(out / "bundle" / "README.md")
    for words in ("# small", "| seed | 3 |", f"| machine | {record['machine']} |", "| train of manifest | 2 | 2 | 12 |",
                  "### one head", "- A toy.", "- small: manifest: 4 studies (proof 1, select 1, train 2)",
                  f"| split and scans, SHA-256 | {record['data_sha256']} |"):
        assert words in card
    assert "not stated" not in card.split("### Training")[1].split("## Data")[0]
    assert run("judge", out / "bundle", made / "manifest.csv", *OEDEMA, "-q").returncode == 0, "a bundle with its card"
    assert "WHERE=FILE" in refused(run("card", out / "bundle", "--figures", figures), 2, "options")
    assert "no.json" in refused(run("card", out / "bundle", "--figures", "x=no.json"), 3, "io")


def blood_alone(truth, file, unknown=None):
    """A mask of 0 and 1, where oedema is background; of slice `unknown` nothing is known."""
    image = nibabel.load(truth)
    blood = np.isin(image.dataobj, (1, 2, 3, 4, 5))
    mask = blood.astype(np.uint8)
    if unknown is not None:
        mask[:, :, unknown] = 255
    nibabel.save(nibabel.Nifti1Image(mask, image.affine), file)
    return blood


def copied(made, folder):
    shutil.copytree(made, folder)
    return folder


def test_a_training_goes_on_with_the_same_masks_labels_and_weights_alone(made, trained, tmp_path):
    out, _, _ = trained
    assert python_train(made, out)["step"] == 12  # nothing has changed
    mine = copied(made, tmp_path / "mine")
    shutil.copytree(out, tmp_path / "out")
    assert python_train(mine, tmp_path / "out")["step"] == 12  # elsewhere, and the same

    def is_another(**more):
        with pytest.raises(ichdet.Error, match="another training"):
            python_train(mine, tmp_path / "out", **more)

    manifest = (mine / "manifest.csv").read_text()
    (mine / "manifest.csv").write_text(manifest.replace("head1/truth.nii.gz,train,", "head1/truth.nii.gz,train,1"))
    with pytest.warns(UserWarning, match="line 3: the study is labelled as with blood"):
        is_another()
    (mine / "manifest.csv").write_text(manifest)
    is_another(initial=out / "best.safetensors")
    shutil.copy(mine / "head1" / "truth.nii.gz", mine / "head0" / "truth.nii.gz")
    is_another()


def test_ctrl_c_and_what_progress_raises_stop_and_the_training_goes_on(made, tmp_path):
    endless = {**RECIPE, "training": {**TRAINING, "steps": 100000}}
    (made / "endless.yaml").write_text(yaml.safe_dump(endless))
    steps = []

    def interrupt(stage, fraction):
        steps.extend([stage] if stage.startswith("step 20 ") else [])
        if len(steps) == 1:
            threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT)).start()
            steps.append("")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, where a script runs in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            python_train(made, tmp_path / "out", recipe="endless.yaml", progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (tmp_path / "out" / "state.pt").exists()

    def refuse(stage, fraction):
        if stage.startswith("step"):
            assert int(stage.split()[1]) >= 20, "it goes on"
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        python_train(made, tmp_path / "out", recipe="endless.yaml", progress=refuse)


def test_labels_that_masks_contradict_are_said(run, made, tmp_path):
    lines = (made / "manifest.csv").read_text().splitlines()
    (made / "wrong.csv").write_text("\n".join([lines[0], lines[1] + "0", lines[2] + "1", *lines[3:]]) + "\n")
    with pytest.warns(UserWarning) as said:
        python_train(made, tmp_path / "python", manifest="wrong.csv")
    words = [str(w.message) for w in said]
    assert any("wrong.csv, line 2: labelled as without blood, and the mask shows some: slices" in w for w in words)
    assert any("line 3: the study is labelled as with blood, and none of its slices shows any" in w for w in words)
    done = command(run, made, tmp_path / "command", manifest="wrong.csv")
    assert done.returncode == 0 and all(w in done.stderr for w in words)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            python_train(made, tmp_path / "strict", manifest="wrong.csv")


def test_what_cannot_be_trained_is_refused_at_once(run, made, tmp_path):
    def says(error, code, *more, **files):
        return refused(command(run, made, tmp_path / "out", *more, **files), error, code)

    def recipe(name, **changes):
        (made / name).write_text(yaml.safe_dump({**RECIPE, "training": {**TRAINING, **changes}}))
        return name

    assert "ichdet-segmenter" in refused(run("train", "no-such-recipe", "-o", tmp_path / "x"), 4, "weights")
    assert "expected a manifest or RSNA's folder, found none" in refused(
        run("train", made / "small.yaml", "-o", tmp_path / "x"), 2, "options")
    assert "missing.csv" in says(3, "io", manifest="missing.csv")
    assert "mask_classes" in refused(run("train", made / "small.yaml", "--data", made / "manifest.csv", "-o",
                                         tmp_path / "x", "--mask-class", "1=1"), 3, "shape")
    assert "VALUE=CLASS" in refused(run("train", made / "small.yaml", "--data", made / "manifest.csv", "-o",
                                        tmp_path / "x", "--mask-class", "1:1"), 2, "options")
    text = (made / "manifest.csv").read_text()
    (made / "no_train.csv").write_text(text.replace(",train,", ",test,"))
    words = says(2, "options", manifest="no_train.csv")
    assert 'the split "train"' in words and "proof 1, select 1, test 2" in words
    (made / "no_select.csv").write_text(text.replace(",select,", ",test,"))
    assert 'the split "select"' in says(2, "options", manifest="no_select.csv")
    assert "one of validation/auc, validation/dice" in says(
        4, "weights", recipe=recipe("typo.yaml", validate={"score": ["validation/AUC"]}))
    assert "painted" in says(4, "weights", recipe=recipe("painted.yaml", validate={"score": ["painted/auc"]}))
    (made / "dry.csv").write_text(text.replace("head2/dicom,head2/truth", "head1/dicom,head1/truth"))
    assert "slices with and without blood" in says(2, "options", manifest="dry.csv")
    assert "weighs the maps of members" in refused(
        run("train", "s3-weight-model", "--data", made / "manifest.csv", "-o", tmp_path / "x"), 2, "options")
    assert "weighs no maps" in says(2, "options", "--member", made)
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(command(run, made, tmp_path / "file" / "out"), 3, "io")


def test_judged_in_python_as_on_the_command_line(run, made, trained):
    bundle = trained[0] / "bundle"
    judged = train.judge(bundle, made / "manifest.csv", mask_classes=MASK_CLASSES, threads=1)
    figures = evaluate.figures(judged.outcomes, resamples=20)
    done = run("judge", bundle, made / "manifest.csv", *OEDEMA, "--json", "--resamples", 20, "--threads", 1)
    theirs = json.loads(done.stdout)
    assert figures["slices"] == theirs["slices"] == 24
    for name in ("dice", "slice_auc", "sensitivity", "clean"):
        assert figures[name]["value"] == pytest.approx(theirs[name]["value"], abs=1e-6)
    with pytest.raises(ichdet.Error, match='split "nowhere"'):
        train.judge(bundle, made / "manifest.csv", split="nowhere")


def test_one_unreadable_study_does_not_lose_the_others(made, trained):
    (made / "bad.nii.gz").write_bytes(b"no scan")
    lines = (made / "manifest.csv").read_text().splitlines()
    (made / "bad.csv").write_text("\n".join([*lines[:2], "bad,bad.nii.gz,,proof,", *lines[2:]]) + "\n")
    with pytest.warns(UserWarning, match="not judged: .*bad.csv, line 3: .*bad.nii.gz"):
        judged = train.judge(trained[0] / "bundle", made / "bad.csv", mask_classes=MASK_CLASSES, threads=1)
    assert [o.study for o in judged.outcomes] == ["head0", "head1", "head2", "head3"]
    (made / "only_bad.csv").write_text(f"{lines[0]}\nbad,bad.nii.gz,,proof,\n")
    with pytest.raises(ichdet.Error, match="bad.nii.gz"):
        train.judge(trained[0] / "bundle", made / "only_bad.csv")


def test_a_studys_own_label_counts_and_unknown_pixels_do_not(made, trained, tmp_path):
    bundle = trained[0] / "bundle"
    one = tmp_path / "one"
    one.mkdir()
    shutil.copy(sorted((made / "head0" / "dicom").iterdir())[3], one)
    (made / "labels.csv").write_text("study,scan,any\n" f"stack,{made}/head0/dicom,1\nslice,{one},1\nnone,{made}/head1/dicom,0\n")
    outcomes = {o.study: o for o in train.judge(bundle, made / "labels.csv", threads=1).outcomes}
    assert [outcomes[name].blood for name in ("stack", "slice", "none")] == [True, True, False]
    figures = evaluate.figures(list(outcomes.values()), resamples=20)
    assert figures["study_auc"]["value"] is not None
    assert figures["slices_with_blood"] == 1 and figures["slices_without_blood"] == 6

    blood = blood_alone(made / "head0" / "truth.nii.gz", made / "partly.nii.gz", unknown=0)
    shown = np.flatnonzero(blood.any((0, 1)))
    assert 0 not in shown
    empty = np.setdiff1d(np.arange(blood.shape[2]), shown)
    (made / "partly.csv").write_text(f"study,scan,mask\npartly,{made}/head0/dicom,partly.nii.gz\n")
    figures = evaluate.figures(train.judge(bundle, made / "partly.csv", threads=1).outcomes, resamples=20)
    assert figures["slices_with_blood"] == len(shown)
    assert figures["slices_without_blood"] == len(empty) - 1


def test_results_of_another_model_are_not_monitored(run, made, trained, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(trained[0] / "bundle", bundle)
    for name in ("head0", "head1"):
        assert run("detect", made / name / "dicom", "-b", bundle, "--out", tmp_path / "results" / name, "-q").returncode == 0
    assert train.store_reference(bundle, [tmp_path / "results"]) == bundle / "reference_scores.json"
    report = train.monitor(bundle, [tmp_path / "results"])
    assert report["verdict"] == "none" and report["studies"] == 2
    twice = train.monitor(bundle, [tmp_path / "results", tmp_path / "results" / ".." / "results" / "head0"])
    assert twice["studies"] == 2
    result = json.loads((tmp_path / "results" / "head1" / "result.json").read_text())
    result["bundles"][0]["sha256"] = "0" * 64
    (tmp_path / "results" / "head1" / "result.json").write_text(json.dumps(result))
    with pytest.raises(ichdet.Error, match="bundles"):
        train.monitor(bundle, [tmp_path / "results"])
    assert "000000000000" in refused(run("monitor", bundle, tmp_path / "results" / "head1"), 2, "options")


def test_splits_are_dealt_over_several_data_sets(made):
    for name in ("a", "b"):
        lines = [f"{name}{i},p{i},head0/dicom" for i in range(20)]
        (made / f"{name}.csv").write_text("study,patient,scan\n" + "\n".join(lines) + "\n")
    sets = [train.read_manifest(made / f"{name}.csv") for name in ("a", "b")]
    train.assign_splits(sets, [("train", 0.7), ("test", 0.3)], seed=2)
    first, second = ({e.patient: e.split for e in data.studies} for data in sets)
    assert first == second and sorted(first.values()).count("train") == 14


@pytest.fixture(scope="module")
def guesses():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, generator=generator).requires_grad_()
    return logits, torch.randint(0, 3, (2, 5, 6), generator=generator)


def same(found, expected, logits):
    torch.testing.assert_close(found, expected)
    mine, theirs = (torch.autograd.grad(value, logits, retain_graph=True)[0] for value in (found, expected))
    torch.testing.assert_close(mine, theirs)


def test_losses_and_their_gradients_are_torchs_and_monais(guesses):
    from monai.losses import DiceLoss, FocalLoss, TverskyLoss

    logits, classes = guesses
    weights = [0.2, 1.0, 3.0]
    same(train.cross_entropy(logits, classes, weights=weights, smoothing=0.1),
         torch.nn.functional.cross_entropy(logits, classes, torch.tensor(weights), label_smoothing=0.1), logits)
    options = dict(include_background=False, to_onehot_y=True, softmax=True, smooth_nr=1e-5, smooth_dr=1e-5)
    target = classes.unsqueeze(1)
    same(train.dice(logits, classes), DiceLoss(**options)(logits, target), logits)
    same(train.dice(logits, classes, background=True, batch=True),
         DiceLoss(**{**options, "include_background": True}, batch=True)(logits, target), logits)
    same(train.tversky(logits, classes, false_positive=0.4, false_negative=0.6),
         TverskyLoss(**options, alpha=0.4, beta=0.6)(logits, target), logits)
    plain = FocalLoss(to_onehot_y=True, use_softmax=True, gamma=2)(logits, target)
    same(train.focal(logits, classes, gamma=2), plain * 3, logits)  # MONAI means over classes too
    same(train.loss({"name": "dice + cross entropy"}, logits, classes),
         train.dice(logits, classes) + train.cross_entropy(logits, classes), logits)
    unknown = classes.clone()
    unknown[0] = 255
    same(train.cross_entropy(logits, unknown), torch.nn.functional.cross_entropy(logits[1:], classes[1:]), logits)
    with pytest.raises(ichdet.Error, match="loss"):
        train.loss({"name": "none"}, logits, classes)


def test_the_localisation_loss_draws_the_saliency_to_the_blood():
    generator = torch.Generator().manual_seed(1)
    features = torch.rand(1, 4, 8, 8, generator=generator).requires_grad_()
    head = torch.randn(4, generator=generator)
    mask = torch.zeros(1, 8, 8, dtype=torch.uint8)
    mask[:, 2:5, 2:5] = 1

    def lost():
        _, gradient = attribution.head_gradient(lambda f: (f ** 2).mean((2, 3)) @ head[:, None], features, 0,
                                                create_graph=True)
        return train.localisation(attribution.unscaled_map(features, gradient), mask)

    before = lost()
    for _ in range(30):
        (gradient,) = torch.autograd.grad(lost(), features)
        with torch.no_grad():
            features -= 2 * gradient
    assert lost() < 0.8 * before
    torch.testing.assert_close(train.localisation(mask.float(), mask), torch.tensor(0.0), atol=1e-4, rtol=0)


def test_the_documentations_snippet_runs(made, tmp_path, monkeypatch, capsys):
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    snippet = text.split("```python\n")[1].split("```")[0]
    manifest = (made / "manifest.csv").read_text().replace(",proof,", ",validation,")
    for line in range(4):
        manifest = manifest.replace(f"head{line}/", f"{made}/head{line}/")
        blood_alone(made / f"head{line}" / "truth.nii.gz", tmp_path / f"mask{line}.nii.gz")
        manifest = manifest.replace(f"{made}/head{line}/truth.nii.gz", f"mask{line}.nii.gz")
    (tmp_path / "manifest.csv").write_text(manifest)
    shutil.copy(made / "small.yaml", tmp_path / "recipe.yaml")
    monkeypatch.chdir(tmp_path)
    exec(snippet, {})
    assert "1 studies of 1 patients, 6 slices" in capsys.readouterr().out
    assert (tmp_path / "training" / "bundle" / "reference_scores.json").exists()
