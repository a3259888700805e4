"""`ichdet import nnunet` of folders that mimic nnU-Net's, and what the bundle finds against a plain statement of
nnU-Net's procedure."""

import itertools
import json
import pickle
import zipfile

import numpy as np
import nnunet_folder
import pytest
import torch
from command_line import refused

import ichdet
from ichdet import nn

BLOOD = ("--blood", "iph", "ivh")


@pytest.fixture(scope="module")
def head():
    stack = ichdet.phantom(seed=3, rows=112, columns=96, pixel_mm=1.7, slices=15, thickness_mm=6, subsamples=1,
                           hemorrhages=[ichdet.Hemorrhage("iph", 20)]).stack  # fmt: skip
    volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, (1, 1, 3)))
    first, size = (30, 20, 5), (61, 70, 20)
    return ichdet.crop(volume, first, size)


def procedure(hu, network, patch, mirrors=(0, 1, 2)):
    """nnU-Net's: clip, z-score, patches of half steps under its Gaussian, mean of logits over mirrors."""
    library = pytest.importorskip("nnunetv2.inference.sliding_window_prediction")
    values = nnunet_folder.INTENSITY
    x = (np.clip(hu, values["percentile_00_5"], values["percentile_99_5"]) - values["mean"]) / values["std"]
    padded, inside = library.pad_nd_image(
        torch.from_numpy(x.astype("f4"))[None], patch, "constant", {"value": 0}, True, None
    )
    weights = library.compute_gaussian(
        tuple(patch), sigma_scale=1 / 8, value_scaling_factor=10, dtype=torch.float32, device=torch.device("cpu")
    )
    flips = [tuple(2 + a for a in axes) for n in range(4) for axes in itertools.combinations(mirrors, n)]
    sums, total = 0, torch.zeros(padded.shape[1:])
    sums = torch.zeros(4, *padded.shape[1:])
    with torch.no_grad():
        for start in itertools.product(*library.compute_steps_for_sliding_window(padded.shape[1:], patch, 0.5)):
            at = (slice(None), *(slice(i, i + n) for i, n in zip(start, patch)))
            logits = sum(torch.flip(network(torch.flip(padded[at][None], f)), f) for f in flips)[0] / len(flips)
            sums[at] += logits * weights
            total[at[1:]] += weights
    return torch.softmax((sums / total)[(slice(None), *inside[1:])], 0).numpy()


def spec_of(bundle):
    return json.loads((bundle / "bundle.json").read_text())


@pytest.mark.parametrize("old, residual", [(False, False), (True, False), (False, True)])
def test_import_finds_what_nnunet_finds(run, head, tmp_path, old, residual):
    torch.manual_seed(4)
    network = nnunet_folder.network_of(residual)
    folder = nnunet_folder.write(tmp_path / "trained", network, old=old, residual=residual)
    result = run("import", "nnunet", folder, "-o", tmp_path / "bundle", *BLOOD)
    assert result.returncode == 0, result.stderr
    network.decoder.deep_supervision = False
    expected = procedure(head.hu, network, nnunet_folder.PATCH)
    found = nn.Segmenter([tmp_path / "bundle"], precision="float32", engine="torch", region="everywhere")(head)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    clear = np.sort(expected, axis=0)
    clear = clear[-1] - clear[-2] > 1e-3
    labels, theirs = found.probabilities.argmax(0), expected.argmax(0)
    assert (labels[clear] == theirs[clear]).all() and len(np.unique(theirs)) > 1

    spec = spec_of(tmp_path / "bundle")
    assert spec["name"] == "Dataset901_Blood-3d_fullres"
    assert [c["name"] for c in spec["classes"] if c["blood"]] == ["iph", "ivh"]
    assert set(spec["provenance"]["files"]) == {"checkpoint_final.pth", "plans.json", "dataset.json"}


def test_transposed_axes_and_mirrors(run, head, tmp_path):
    """x first: the same numbers along other axes."""
    torch.manual_seed(4)
    network = nnunet_folder.network_of()

    def turn(plans):
        plans["transpose_forward"] = [2, 1, 0]
        plans["configurations"]["base"]["spacing"] = [1.0, 1.0, 3.0]

    folder = nnunet_folder.write(tmp_path / "trained", network, plans_change=turn, mirrors=(0, 2))
    assert run("import", "nnunet", folder, "-o", tmp_path / "bundle", *BLOOD).returncode == 0
    spec = spec_of(tmp_path / "bundle")
    assert spec["input"]["spacing_mm"] == [1, 1, 3] and spec["input"]["axes"] == "xyz"
    assert spec["patch"]["input"] == nnunet_folder.PATCH[::-1]
    assert [v["flip"] for v in spec["procedure"]["test_time"]] == [[], ["x"], ["z"], ["x", "z"]]
    network.decoder.deep_supervision = False
    expected = procedure(head.hu.transpose(2, 1, 0).copy(), network, nnunet_folder.PATCH, mirrors=(0, 2))
    found = nn.Segmenter([tmp_path / "bundle"], precision="float32", engine="torch", region="everywhere")(head)
    np.testing.assert_allclose(found.probabilities, expected.transpose(0, 3, 2, 1), atol=1e-4)


def test_folds_and_options(run, tmp_path):
    folder = nnunet_folder.write(tmp_path / "trained", nnunet_folder.network_of(), folds=("0", "3", "all"), mirrors=None)
    result = run("import", "nnunet", folder, "-o", tmp_path / "out", "--json", "--orientation", "RAS", *BLOOD)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["bundles"] == [str(tmp_path / "out" / f"fold_{f}") for f in "03"]
    spec = spec_of(tmp_path / "out" / "fold_3")
    assert spec["name"] == "Dataset901_Blood-3d_fullres-fold-3" and spec["input"]["orientation"] == "RAS"
    assert spec["procedure"]["test_time"] == [{"flip": []}]
    assert run("import", "nnunet", folder, "-o", tmp_path / "all", "--fold", "all", *BLOOD).returncode == 0


def edit(key, value):
    return {"plans_change": lambda plans: plans["configurations"]["base"].update({key: value})}


@pytest.mark.parametrize(
    "options, arguments, exit_code, message",
    [
        ({}, ("--blood", "sdh"), 2, "--blood: expected one of oedema, iph, ivh, found sdh"),
        ({}, (), 2, "there are: oedema, iph, ivh"),
        ({}, (*BLOOD, "--fold", "7"), 3, "fold_7/checkpoint_final.pth: is not there"),
        ({}, (*BLOOD, "--checkpoint", "checkpoint_best.pth"), 3, "no fold_N/checkpoint_best.pth in it"),
        ({"trainer": "MyTrainer"}, BLOOD, 4, "trained by MyTrainer"),
        ({"configuration": "3d_cascade_fullres"}, BLOOD, 4, "previous_stage: a cascade"),
        ({"configuration": "2d"}, BLOOD, 4, "patch_size: expected three numbers"),
        ({"configuration": "3d_lowres"}, BLOOD, 4, "/configurations/3d_lowres: is missing"),
        (edit("normalization_schemes", ["ZScoreNormalization"]), BLOOD, 4, "CTNormalization or NoNormalization"),
        (edit("normalization_schemes", ["CTNormalization", "CTNormalization"]), BLOOD, 4, "one scheme"),
        ({"plans_change": lambda p: p.update(transpose_forward=[1, 0, 2])}, BLOOD, 4, "transpose_forward"),
        ({"plans_change": lambda p: p["configurations"]["base"]["architecture"].update(network_class_name="my.Net")},
         BLOOD, 4, "network_class_name: expected PlainConvUNet or ResidualEncoderUNet, found \"my.Net\""),
        ({"plans_change": lambda p: p["configurations"]["base"]["architecture"]["arch_kwargs"].update(block="D")},
         BLOOD, 4, "no block, which is not known"),
        ({"plans_change": lambda p: p["configurations"]["base"]["architecture"]["arch_kwargs"].update(
            features_per_stage=[4, 8, 12])}, BLOOD, 4, "encoder.stages.2"),
        ({"plans_change": lambda p: p["configurations"]["base"].update(inherits_from="3d_fullres")}, BLOOD, 4,
         "inherit from itself"),
        ({"dataset_change": lambda d: d["labels"].update(iph=[2, 3])}, BLOOD, 4, "labels/iph: a region"),
        ({"dataset_change": lambda d: d["labels"].update(iph=7)}, BLOOD, 4, "without a gap"),
        ({"dataset_change": lambda d: d["channel_names"].update({"1": "MR"})}, BLOOD, 4, "expected one channel"),
    ],
)  # fmt: skip
def test_refuses(run, tmp_path, options, arguments, exit_code, message):
    folder = nnunet_folder.write(tmp_path / "trained", nnunet_folder.network_of(), **options)
    code = {2: "options", 3: "io", 4: "weights"}[exit_code]
    assert message in refused(run("import", "nnunet", folder, "-o", tmp_path / "out", *arguments), exit_code, code)
    assert not (tmp_path / "out").exists()


def test_stated_trainer(run, tmp_path):
    folder = nnunet_folder.write(tmp_path / "trained", nnunet_folder.network_of(), trainer="MyTrainer")
    assert run("import", "nnunet", folder, "-o", tmp_path / "out", "--trainer", "MyTrainer", *BLOOD).returncode == 0


@pytest.mark.parametrize("missing", ["plans.json", "dataset.json"])
def test_missing_files(run, tmp_path, missing):
    folder = nnunet_folder.write(tmp_path / "trained", nnunet_folder.network_of())
    (folder / missing).unlink()
    assert missing in refused(run("import", "nnunet", folder, "-o", tmp_path / "out", *BLOOD), 3, "io")


class Hostile:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def test_nothing_in_a_checkpoint_is_executed(run, tmp_path):
    network = nnunet_folder.network_of()
    folder = nnunet_folder.write(tmp_path / "trained", network)
    content = nnunet_folder.checkpoint(network)
    content["logging"] = Hostile(tmp_path / "executed")
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    assert run("import", "nnunet", folder, "-o", tmp_path / "out", *BLOOD).returncode == 0
    content["network_weights"]["encoder.stages.0.0.convs.0.conv.bias"] = Hostile(tmp_path / "executed")
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    found = refused(run("import", "nnunet", folder, "-o", tmp_path / "other", *BLOOD), 4, "weights")
    assert "expected a tensor, found something else" in found
    assert not (tmp_path / "executed").exists()


def test_a_list_that_holds_itself(run, tmp_path):
    network = nnunet_folder.network_of()
    folder = nnunet_folder.write(tmp_path / "trained", network)
    content = nnunet_folder.checkpoint(network)
    content["logging"] = []
    content["logging"].append(content["logging"])
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")
    found = refused(run("import", "nnunet", folder, "-o", tmp_path / "out", *BLOOD), 4, "weights")
    assert "nested too deeply" in found


def test_damaged_checkpoints(run, tmp_path):
    """Every cut and every changed byte of the description is refused or read, and never more."""
    network = nnunet_folder.network_of()
    folder = nnunet_folder.write(tmp_path / "trained", network)
    file = folder / "fold_0" / "checkpoint_final.pth"
    whole = {}
    with zipfile.ZipFile(file) as archive:
        whole = {name: archive.read(name) for name in archive.namelist()}
    name = next(n for n in whole if n.endswith("data.pkl"))
    rng = np.random.default_rng(0)
    for turn in range(12):
        description = bytearray(whole[name])
        if turn % 3 == 0:
            description = description[: rng.integers(len(description))]
        else:
            for _ in range(4):
                description[rng.integers(len(description))] = rng.integers(256)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for other, content in whole.items():
                archive.writestr(other, bytes(description) if other == name else content)
        result = run("import", "nnunet", folder, "-o", tmp_path / f"out{turn}", *BLOOD)
        assert result.returncode in (0, 4), (turn, result.returncode, result.stderr)


def test_pickle_protocols_above_torchs(run, tmp_path):
    """torch.save takes any protocol; sets, bytes and objects of newer ones are skipped too."""
    network = nnunet_folder.network_of()
    folder = nnunet_folder.write(tmp_path / "trained", network)
    content = nnunet_folder.checkpoint(network)
    content["logging"] = {"a": b"bytes", "b": {1, 2}, "c": complex(1, 2), "d": np.arange(3), "e": frozenset([1])}
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth", pickle_protocol=pickle.HIGHEST_PROTOCOL)
    result = run("import", "nnunet", folder, "-o", tmp_path / "out", *BLOOD)
    assert result.returncode == 0, result.stderr
