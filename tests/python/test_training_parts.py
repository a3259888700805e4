"""What trainings are made of, on arrays and tensors of Python's: losses' gradients, augmentation, painting, the loop."""

import re
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import ichdet

torch = pytest.importorskip("torch")
nn = pytest.importorskip("ichdet.nn")
train = pytest.importorskip("ichdet.train")


def head(slices=5, **options):
    return ichdet.phantom(seed=1, rows=64, columns=64, pixel_mm=3.6, slices=slices, thickness_mm=5, **options)


LOSSES = {
    "cross entropy": lambda z, y: train.cross_entropy(z, y, weights=[1, 2, 3], smoothing=0.1),
    "focal": lambda z, y: train.focal(z, y, gamma=1.5, weights=[1, 2, 3]),
    "dice": lambda z, y: train.dice(z, y, background=True),
    "batch dice": lambda z, y: train.dice(z, y, batch=True),
    "tversky": lambda z, y: train.tversky(z, y, false_positive=0.2, false_negative=0.8),
    "named": lambda z, y: train.loss({"name": "dice + cross entropy"}, z, y),
    "deep": lambda z, y: train.deep_loss({"name": "focal", "deep_supervision": [2, 1]}, [z, z[..., ::2, ::2]], y),
    "sigmoids": lambda z, y: train.binary_cross_entropy(z[:, :, 0, 0], (y[:, :3, 0] == 1).double(),
                                                        positive_weights=[1, 2, 3]),
    "localisation": lambda z, y: train.localisation(z[:, 0] + 5, (y == 1).to(torch.uint8)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses_are_those_of_differences(name):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=generator, requires_grad=True)
    classes = torch.randint(0, 3, (2, 4, 4), generator=generator)
    if name != "sigmoids":
        classes[0, 0, 0] = train.unknown_label
    assert torch.autograd.gradcheck(lambda z: LOSSES[name](z, classes), logits)


def test_what_is_not_known_has_no_gradient():
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    classes = torch.ones(1, 3, 3, dtype=torch.uint8)
    classes[0, 1] = train.unknown_label
    (train.cross_entropy(logits, classes) + train.dice(logits, classes)).backward()
    assert logits.grad[0, :, 1].abs().max() == 0 and logits.grad[0, :, 0].abs().min() > 0
    assert train.cross_entropy(logits, torch.full_like(classes, 255)) == 0


def test_augmentation_is_a_pure_function_of_arrays_and_tensors():
    study = head(hemorrhages=[ichdet.Hemorrhage(volume_ml=60)])
    hu, mask = study.stack.hu, (study.truth.labels > 0).astype(np.uint8)
    before = hu.copy()
    first = train.augment(hu, mask, spacing_mm=(5, 3.6, 3.6), seed=8)
    again = train.augment(torch.from_numpy(hu), torch.from_numpy(mask), spacing_mm=(5, 3.6, 3.6), seed=8)
    other = train.augment(hu, mask, spacing_mm=(5, 3.6, 3.6), seed=9)
    assert np.array_equal(hu, before) and isinstance(first[0], np.ndarray) and isinstance(again[0], torch.Tensor)
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b.numpy())
    assert not np.array_equal(first[0], other[0])
    assert np.array_equal(train.augment(hu, options=train.AugmentOptions.none())[0], hu)
    turned = train.AugmentOptions.none()
    turned.flip_rows = 1
    flipped_hu, flipped_mask = train.augment(hu, mask, options=turned)
    assert np.array_equal(flipped_hu, hu[:, ::-1]) and np.array_equal(flipped_mask, mask[:, ::-1])
    with pytest.raises(ichdet.Error) as raised:
        train.augment(hu, mask[:1])
    assert raised.value.code == "shape"


def test_settings_are_those_of_recipes():
    options = train.AugmentOptions(blur_mm=(1, 0.5, 0.6), flip_rows=0.25)
    assert repr(options) == repr(train.AugmentOptions.from_dict({"blur_mm": [1, 0.5, 0.6], "flip_rows": 0.25}))
    assert "blur_mm=(1.0, 0.5, 0.6)" in repr(options)
    only = train.AugmentOptions.from_dict({"only": True, "blur_mm": [1, 0.5, 0.6]})
    assert only.flip_columns == 0 and only.blur_mm == (1, 0.5, 0.6)
    for make, values in [(train.AugmentOptions, {"blur": 1}), (train.DistractorOptions, {"falx": 2}),
                         (train.SynthesisOptions, {"subdural": -1})]:
        with pytest.raises(ichdet.Error):
            make.from_dict(values)
    assert train.SynthesisOptions.from_dict({"subdural": 5}).type_weights[2] == 5


def test_painting_marks_what_it_paints_and_changes_nothing_given():
    study = head()
    before = study.stack.hu.copy()
    options = train.SynthesisOptions(labels=(1, 2, 3, 4, 5))
    stack, mask, painted = train.synthesise(study.stack, study.anatomy, options=options, seed=5)
    assert np.array_equal(study.stack.hu, before) and painted.any()
    for value, name in enumerate(["intraparenchymal", "intraventricular", "subdural", "epidural", "subarachnoid"], 1):
        assert painted.shows(name) == bool((mask == value).any())
        assert painted.pixels[:, value - 1].sum() == (mask == value).sum()
    assert stack.hu[(mask > 0) & (mask < 6)].mean() > before[(mask > 0) & (mask < 6)].mean() + 10
    kept = np.zeros_like(mask)
    kept[:, 40:, :] = 1
    still = train.DistractorOptions(streaks=0, bright_rim=0, bright_side=0, bright_cortex=0, bands=0, motion=0, hygroma=1)
    distracted = train.distract(study.stack, study.anatomy, keep=kept, options=still, seed=2)
    assert np.array_equal(distracted.hu[:, 40:], before[:, 40:]) and not np.array_equal(distracted.hu, before)
    whole = train.paint_study(study.stack, hemorrhages=2, seed=4)
    assert 0 < whole.painted <= 2 and whole.truth.labels.any()


def test_samplers_balance_and_repeat_nothing_within_an_epoch():
    slices = [train.Candidate(study=i // 10, slice=i % 10, blood=float(i % 5 == 0)) for i in range(50)]
    sampler = train.Sampler(slices, balance="undersampled", seed=3)
    drawn = [sampler(i) for i in range(len(sampler))]
    assert len(sampler) == 20 and sum(c.blood for c in drawn) == 10
    assert len({(c.study, c.slice) for c in drawn}) == 20
    with pytest.raises(ichdet.Error, match="uniform, undersampled, share"):
        train.Sampler(slices, balance="fair")


def test_examples_are_what_train_learns_from(tmp_path):
    dataset = train.sample_data(tmp_path)
    recipe = str(tmp_path / "small.yaml")
    studies = train.prepare_studies(dataset, recipe, threads=1)
    examples = train.Examples(studies, recipe, augmented=False)
    assert len(examples) == 8 and examples.studies == [0] * 4 + [1] * 4
    for slice in range(4):
        x = examples[slice]
        np.testing.assert_allclose(x.input[0], (np.clip(studies[0].hu[slice], 0, 80) / 80 - 0.5) / 0.5, atol=1e-6)
        np.testing.assert_array_equal(x.target, studies[0].mask[slice])
    with pytest.raises(IndexError):
        examples[8]
    augmented = train.Examples(studies, recipe)
    assert torch.equal(augmented.at(100).input, augmented.at(100).input)
    loader = torch.utils.data.DataLoader(augmented, batch_size=4, collate_fn=lambda e: [x.input for x in e])
    assert [len(batch) for batch in loader] == [4, 4]


def problem(seed=0):
    torch.manual_seed(seed)
    model = nn.Module("ResNet18", {"num_classes": 2, "in_chans": 1, "layers": [1, 1, 1, 1]})
    x = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    y = torch.tensor([0, 1] * 4)
    return model, lambda step: (x, y), lambda module, x, y: train.cross_entropy(module(x), y)


def fit(model, batches, objective, folder, **options):
    return train.fit(model, batches, objective, lambda module: -objective(module, *batches(0)).item(), folder,
                     optimizer={"name": "sgd", "learning_rate": 0.01}, validate_every=2, log_every=1, **options)


def test_fit_lowers_a_loss_of_python_s_and_goes_on(tmp_path):
    model, batches, objective = problem()
    result = fit(model, batches, objective, tmp_path / "whole", steps=6)
    losses = [row.value for row in train.read_log(tmp_path / "whole" / "metrics.csv") if row.name == "train/loss"]
    assert result.step == 6 and losses[-1] < losses[0] and not model.training
    assert result.best.value == max(result.best.value, result.last.value)

    stop = KeyError("enough")
    halved, batches, objective = problem()

    def give_up(stage, fraction):
        if fraction >= 0.5:
            raise stop

    with pytest.raises(KeyError, match="enough"):
        fit(halved, batches, objective, tmp_path / "halved", steps=6, progress=give_up)
    again, batches, objective = problem(1)
    fit(again, batches, objective, tmp_path / "halved", steps=6)
    resumed = [row.value for row in train.read_log(tmp_path / "halved" / "metrics.csv") if row.name == "train/loss"]
    assert resumed == losses
    with pytest.raises(ValueError, match="mine"):
        train.fit(problem()[0], batches, lambda *_: (_ for _ in ()).throw(ValueError("mine")), lambda m: 0.0,
                  tmp_path / "raises", steps=2)
    with pytest.raises(ichdet.Error, match="another"):
        fit(problem()[0], batches, objective, tmp_path / "whole", steps=6, identity="other")


def test_fit_takes_modules_of_torch(tmp_path):
    line = torch.nn.Linear(1, 1)
    x = torch.linspace(-1, 1, 8)[:, None]
    result = train.fit(line, lambda step: (x, 3 * x + 1), lambda m, x, y: (m(x) - y).square().mean(),
                       lambda m: (-abs(m.weight.item() - 3), {"validation/slope": m.weight.item()}), tmp_path, steps=150,
                       optimizer={"name": "sgd", "learning_rate": 0.2}, schedule={"name": "cosine"}, average=0.5)
    assert result.best.values["validation/slope"] == pytest.approx(3, abs=0.01)
    assert line.weight.item() == pytest.approx(3, abs=0.01) and line.bias.item() == pytest.approx(1, abs=0.01)


def test_weight_average_is_torch_s():
    model = problem()[0]
    average = train.WeightAverage(model, 0.5)
    expected = {k: v.clone() for k, v in model.state_dict().items()}
    for step in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1)
        average.update(model)
        keep = min(0.5, (2 + step) / (11 + step))
        for name, parameter in model.named_parameters():
            expected[name].lerp_(parameter.detach(), 1 - keep)
    own = model.conv1.weight.clone()
    average.swap(model)
    torch.testing.assert_close(model.conv1.weight.detach(), expected["conv1.weight"])
    average.swap(model)
    assert torch.equal(model.conv1.weight, own) and average.updates == 3


def test_sliding_windows_of_tensors_and_parts():
    image = torch.randn(1, 12, 10, 9)
    tensors = nn.sliding_window(image, 1, lambda p: p * 2, (4, 4, 4), (4, 4, 4), overlap=0.5, blending="monai gaussian")
    arrays = nn.sliding_window(image.numpy(), 1, lambda p: p * 2, (4, 4, 4), (4, 4, 4), overlap=0.5,
                               blending="monai gaussian")
    torch.testing.assert_close(tensors, 2 * image)
    np.testing.assert_array_equal(tensors.numpy(), arrays)
    part = nn.sliding_window(image, 1, lambda p: p * 2, (4, 4, 4), (4, 4, 4), region=((4, 2, 1), (4, 4, 8)))
    torch.testing.assert_close(part, 2 * image[:, 4:8, 2:6, 1:9])
    none = nn.sliding_window(image, 1, lambda p: p * 2, (4, 4, 4), (4, 4, 4), keep=lambda begin, size: begin[0] >= 4)
    assert none[:, :4].abs().max() == 0 and torch.equal(none[:, 4:], 2 * image[:, 4:])
    with pytest.raises(ZeroDivisionError):
        nn.sliding_window(image, 1, lambda p: 1 // 0, (4, 4, 4), (4, 4, 4))
    with pytest.raises(ichdet.Error, match="constant, monai gaussian, nnunet gaussian"):
        nn.sliding_window(image, 1, lambda p: p, (4, 4, 4), (4, 4, 4), blending="soft")


def test_views_are_brought_back():
    image = torch.randn(1, 6, 6, 6)
    views = [nn.View(flip=(True, False, True)), nn.View(plane=(1, 2), turns=3), nn.View(flip=(False, True, False),
                                                                                        plane=(0, 2), turns=1)]
    lean = lambda x: x + torch.roll(x, 1, -1)
    shown = lambda x, view: torch.rot90(x.flip([i + 1 for i in range(3) if view.flip[i]]), view.turns,
                                        [axis + 1 for axis in view.plane])
    back = lambda y, view: torch.rot90(y, -view.turns, [axis + 1 for axis in view.plane]).flip(
        [i + 1 for i in range(3) if view.flip[i]])
    expected = torch.stack([back(lean(shown(image, view)), view) for view in views]).mean(0)
    found = nn.mean_of_views(image, [lean], 1, views=views)
    torch.testing.assert_close(found, expected)
    array = nn.mean_of_views(image.numpy(), [lambda x: lean(torch.from_numpy(x)).numpy()], 1, views=views)
    np.testing.assert_array_equal(array, found.numpy())


def test_inference_threads_are_put_back():
    before = torch.get_num_threads()
    with nn.InferenceThreads(1):
        assert torch.get_num_threads() == 1 and (torch.tensor([1e-40]) * 1).item() == 0
    assert torch.get_num_threads() == before and (torch.tensor([1e-40]) * 1).item() > 0


def test_threads_agree():
    """The interpreter's lock is released: networks and losses run beside each other, and answer the same."""
    network = nn.create("ResNet18", {"num_classes": 2, "layers": [1, 1, 1, 1]}, engine="torch", threads=1)
    x = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    expected, found = network(x), [None] * 4

    def ask(i):
        found[i] = network(x)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in found:
        np.testing.assert_array_equal(answer, expected)


def test_options_of_architectures_are_those_that_are_documented():
    """Each documented option is taken by some network of its line, and documented names are all there are."""
    text = nn.create.__doc__
    for name in nn.architectures():
        assert name in text, name
        with pytest.raises(ichdet.Error, match="unknown key"):
            nn.create(name, {"no_such_option": 1})


def test_the_log_and_tensorboard(tmp_path):
    log = train.TrainingLog(tmp_path)
    log.add(1, "train/loss", 0.5)
    log.add_picture(1, "select/image", np.zeros((4, 4, 3), np.uint8))
    assert [(row.step, row.name) for row in log.rows] == [(1, "train/loss")] and log.seconds >= 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Scalars("train/loss")[0].value == 0.5


def test_the_documentation_s_loop_runs(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    (snippet,) = [part for part in re.findall(r"```python\n(.*?)```", text, re.S) if "sample_data" in part]
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(snippet, names)
    assert names["network"](names["images"]).shape == (4, 2, 32, 32)
