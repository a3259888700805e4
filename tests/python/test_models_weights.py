"""Weights into networks: what torch.save and safetensors wrote, published names, other heads and input channels."""

import io
import pickle
import time
import zipfile
from collections import OrderedDict

import numpy as np
import oracles  # noqa: F401
import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import adapt_input_conv

import ichdet
from ichdet import nn


@pytest.fixture(scope="module")
def oracle():
    torch.manual_seed(5)
    return timm.create_model("resnet18", num_classes=2).eval()


def network(**options):
    return nn.create("ResNet18", {"num_classes": 2, **options})


def check(ours, state):
    found = ours.state_dict()
    assert set(found) == set(state)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.float().numpy(), err_msg=name)


def plain(state):
    return dict(state)


def parallel(state):
    return OrderedDict((f"module.{k}", v) for k, v in state.items())


WRAPPED = "took the tensors under"
SAVED = {
    "state dict": (lambda s: s, []),
    "plain dict": (plain, []),
    "data parallel": (parallel, ["dropped"]),
    "checkpoint": (
        lambda s: {"epoch": 7, "loss": 0.25, "best": None, "names": ["a", "b"], "state_dict": parallel(s)},
        [WRAPPED, "dropped"],
    ),
    "model": (lambda s: {"model": s, "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "lr": 1e-3}}, [WRAPPED]),
    "parameters": (lambda s: {k: torch.nn.Parameter(v, requires_grad=v.is_floating_point()) for k, v in s.items()}, []),
    "strided": (lambda s: {k: v.mT.contiguous().mT if v.dim() > 1 else v for k, v in s.items()}, []),
    "shared": (lambda s: dict(zip(s, slices(s))), []),
}


def slices(state):
    """All float tensors as views of one storage."""
    flat = torch.cat([v.reshape(-1) for v in state.values() if v.is_floating_point()])
    at = 0
    for value in state.values():
        if not value.is_floating_point():
            yield value
            continue
        yield flat[at : at + value.numel()].view(value.shape)
        at += value.numel()


@pytest.mark.parametrize("case", SAVED)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_what_torch_save_wrote_is_read(case, protocol, oracle, tmp_path):
    wrap, notes = SAVED[case]
    torch.save(wrap(oracle.state_dict()), tmp_path / "w.pth", pickle_protocol=protocol)
    ours = network()
    said = ours.load_state_dict(tmp_path / "w.pth")
    assert len(said) == len(notes) and all(text.startswith(note) for text, note in zip(said, notes)), said
    check(ours, oracle.state_dict())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_other_precisions(dtype, suffix, oracle, tmp_path):
    state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in oracle.state_dict().items()}
    (torch.save if suffix == "pt" else save_file)(state, tmp_path / f"w.{suffix}")
    ours = network()
    ours.load_state_dict(tmp_path / f"w.{suffix}")
    check(ours, state)


def test_denormal_weights_become_zero(oracle, tmp_path):
    state = {k: v.clone() for k, v in oracle.state_dict().items()}
    state["fc.weight"][0, :5] = 1e-40
    torch.save(state, tmp_path / "w.pt")
    ours = network()
    ours.load_state_dict(tmp_path / "w.pt")
    state["fc.weight"][0, :5] = 0
    check(ours, state)


def test_saved_weights_load_again_in_both(oracle, tmp_path):
    ours = network()
    ours.save_state_dict(tmp_path / "ours.safetensors")
    again = network()
    again.load_state_dict(tmp_path / "ours.safetensors")
    from safetensors.torch import load_file

    state = load_file(tmp_path / "ours.safetensors")
    check(again, state)
    timm.create_model("resnet18", num_classes=2).load_state_dict(state)


def test_num_batches_tracked_may_be_missing(oracle, tmp_path):
    state = {k: v for k, v in oracle.state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pt")
    network().load_state_dict(tmp_path / "w.pt")


def test_what_does_not_fit_is_listed_and_nothing_is_changed(oracle, tmp_path):
    state = dict(oracle.state_dict())
    del state["bn1.bias"]
    state["conv1.weight"] = state["conv1.weight"][:, :1]
    state["extra"] = torch.zeros(1)
    torch.save(state, tmp_path / "w.pt")
    ours = network()
    before = {k: v.clone() for k, v in ours.state_dict().items()}
    with pytest.raises(ichdet.Error) as error:
        ours.load_state_dict(tmp_path / "w.pt")
    misshapen = "conv1.weight (expected [64, 3, 7, 7], found [64, 1"
    for part in ["w.pt", "1 missing: bn1.bias", "1 unexpected: extra", misshapen]:
        assert part in str(error.value)
    check(ours, before)


class Evil:
    def __reduce__(self):
        return print, ("executed",)


def rewritten(source, target, change):
    """A copy of an archive with its entries' bytes changed."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)


def hostile(kind, oracle, folder):
    file, good = folder / "hostile.pt", folder / "good.pt"
    torch.save(OrderedDict(a=torch.zeros(2, 3), b=torch.ones(4)), good)
    if kind == "code":
        torch.save({"a": Evil()}, file)
    elif kind == "whole model":
        torch.save(oracle, file)
    elif kind == "legacy":
        torch.save(oracle.state_dict(), file, _use_new_zipfile_serialization=False)
    elif kind == "script":
        torch.jit.script(torch.nn.Linear(2, 2)).save(file)
    elif kind == "list":
        torch.save([torch.zeros(2)], file)
    elif kind == "not tensors":
        torch.save({"a": torch.zeros(2), "b": 3}, file)
    elif kind == "cut off":
        file.write_bytes(good.read_bytes()[:-200])
    elif kind == "missing numbers":
        rewritten(good, file, lambda name, data: None if name.endswith("data/1") else data)
    elif kind == "short numbers":
        rewritten(good, file, lambda name, data: data[:-4] if name.endswith("data/1") else data)
    elif kind == "larger than its numbers":
        rewritten(good, file, lambda name, data: data.replace(b"K\x02K\x03\x86", b"K\x09K\x09\x86", 1))
    elif kind == "empty and too large":
        size, stride = b"\x8a\x08" + (2**62).to_bytes(8, "little"), b"K\x01"

        def enlarge(name, data):
            data = data.replace(b"K\x02K\x03\x86", 2 * size + b"K\x00\x87")
            return data.replace(b"K\x03K\x01\x86", 3 * stride + b"\x87")

        rewritten(good, file, enlarge)
    elif kind == "far offset":
        rewritten(good, file, lambda name, data: data.replace(b"QK\x00", b"QK\x05", 1))
    elif kind == "big-endian":
        rewritten(good, file, lambda name, data: b"big" if name.endswith("byteorder") else data)
    elif kind == "empty pickle":
        rewritten(good, file, lambda name, data: b"" if name.endswith("data.pkl") else data)
    elif kind == "deep":
        lists = b"\x80\x02" + b"]" * 10**6 + b"a" * 10**6 + b"."
        rewritten(good, file, lambda name, data: lists if name.endswith(".pkl") else data)
    elif kind == "compressed":
        with zipfile.ZipFile(good) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    elif kind == "other zip":
        with zipfile.ZipFile(file, "w") as new:
            new.writestr("readme.txt", "nothing here")
    return file


HOSTILE = {
    "code": "__builtin__.print",
    "whole model": "state_dict",
    "legacy": "save it again",
    "script": "TorchScript",
    "list": "no dict",
    "not tensors": "b: expected a tensor",
    "cut off": "zip",
    "missing numbers": "missing",
    "short numbers": "expected 4 numbers",
    "larger than its numbers": "larger than its numbers",
    "empty and too large": "a: it is larger than its numbers",
    "far offset": "larger than its numbers",
    "big-endian": "little-endian",
    "empty pickle": "cut off",
    "deep": "damaged",
    "compressed": "compressed",
    "other zip": "data.pkl",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_and_say_why(kind, oracle, tmp_path, capfd):
    file = hostile(kind, oracle, tmp_path)
    with pytest.raises(ichdet.Error, match=HOSTILE[kind]) as error:
        network().load_state_dict(file)
    assert "hostile.pt" in str(error.value)
    assert "executed" not in capfd.readouterr().out


def test_many_calls_of_many_arguments_are_refused_at_once(tmp_path):
    torch.save({}, tmp_path / "good.pt")
    function, arguments = b"ctorch._utils\n_rebuild_parameter\nq\x00", b"(" + b"N" * 50_000 + b"tq\x01"
    calls = b"\x80\x02" + function + arguments + b"h\x00h\x01R" * 50_000 + b"."
    rewritten(tmp_path / "good.pt", tmp_path / "w.pt", lambda name, data: calls if name.endswith(".pkl") else data)
    start = time.process_time()
    with pytest.raises(ichdet.Error, match="does not end in one value"):
        network().load_state_dict(tmp_path / "w.pt")
    assert time.process_time() - start < 2  # many times that if each call copies its arguments


def test_random_damage_never_crashes(tmp_path):
    buffer = io.BytesIO()
    torch.save(OrderedDict(a=torch.zeros(2, 3), b=torch.ones(4)), buffer)
    good, ours = buffer.getvalue(), network()
    random = np.random.default_rng(3)
    for _ in range(2000):
        data = bytearray(good)
        for _ in range(random.integers(1, 8)):
            data[random.integers(len(data))] = random.integers(256)
        if random.integers(4) == 0:
            del data[random.integers(len(data)) :]
        (tmp_path / "w.pt").write_bytes(data)
        with pytest.raises(ichdet.Error):
            ours.load_state_dict(tmp_path / "w.pt")


def test_damaged_pickles_never_crash(tmp_path):
    """The description alone, re-packed so that the archive is whole."""
    torch.save(OrderedDict(a=torch.zeros(2, 3), b=torch.ones(4)), tmp_path / "good.pt")
    random, ours = np.random.default_rng(4), network()

    def damage(name, data):
        if not name.endswith("data.pkl"):
            return data
        data = bytearray(data)
        for _ in range(random.integers(1, 4)):
            data[random.integers(len(data))] = random.integers(256)
        return bytes(data)

    for _ in range(1000):
        rewritten(tmp_path / "good.pt", tmp_path / "w.pt", damage)
        with pytest.raises(ichdet.Error):
            ours.load_state_dict(tmp_path / "w.pt")


def test_a_pickle_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "w.pt").write_bytes(pickle.dumps({"a": 1}, protocol=4))
    with pytest.raises(ichdet.Error, match="save it again"):
        network().load_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7])
def test_input_channels_and_classes_are_adapted_as_timm_does(channels, oracle, tmp_path):
    torch.save(oracle.state_dict(), tmp_path / "w.pt")
    ours = network(in_chans=channels, num_classes=6)
    own = {k: v.clone() for k, v in ours.state_dict().items()}
    notes = ours.load_state_dict(tmp_path / "w.pt", adapt=True)
    assert len(notes) == (1 if channels == 3 else 2)
    state = dict(oracle.state_dict(), **{k: own[k] for k in ["fc.weight", "fc.bias"]})
    state["conv1.weight"] = adapt_input_conv(channels, state["conv1.weight"])
    found = ours.state_dict()
    np.testing.assert_allclose(found.pop("conv1.weight"), state.pop("conv1.weight").numpy(), rtol=1e-6, atol=1e-8)
    for name, tensor in state.items():
        np.testing.assert_array_equal(found[name], tensor.float().numpy(), err_msg=name)
    with pytest.raises(ichdet.Error, match="fc.weight"):
        network(in_chans=3, num_classes=6).load_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "architecture",
    [
        "DenseNet121",
        "EfficientClassification",
        "EfficientNetB0",
        "InceptionResNetV2",
        "MobileNetLSTM",
        "MobileNetV1",
        "MobileNetV2",
        "ResNet18",
    ],
)
def test_heads_may_be_replaced(architecture):
    ours = nn.create(architecture, {"num_classes": 4})
    size = {"EfficientClassification": (512, 512)}.get(architecture, (96, 96))
    shape = (1, 2, 3, *size) if architecture == "MobileNetLSTM" else (1, 3, *size)
    features = ours.forward_features(np.zeros(shape, np.float32))
    pooled = ours.forward_pool(features)
    for classes in [7, 0, 2]:
        ours.reset_classifier(classes)
        logits = ours.forward_head(features)
        assert logits.shape == (1, classes or pooled.shape[1])
    np.testing.assert_allclose(ours(np.zeros(shape, np.float32)), logits, rtol=1e-4, atol=1e-4 * np.abs(logits).max())


def test_torchvision_s_names_of_densenet_and_vgg(tmp_path):
    """As the files on pytorch.org have them: `norm.1` for `norm1`, and VGG's fully connected layers as such."""
    theirs = timm.create_model("densenet121", num_classes=2)
    published = {}
    for name, tensor in theirs.state_dict().items():
        if "denselayer" in name and not name.endswith("num_batches_tracked"):
            for part in ["norm1", "norm2", "conv1", "conv2"]:
                name = name.replace(part, f"{part[:-1]}.{part[-1]}")
        if not name.endswith("num_batches_tracked"):
            published[name] = tensor
    assert "features.denseblock1.denselayer1.norm.1.weight" in published
    torch.save(published, tmp_path / "densenet.pth")
    ours = nn.create("DenseNet121", {"num_classes": 2})
    ours.load_state_dict(tmp_path / "densenet.pth")
    check(ours, theirs.state_dict())

    vgg = nn.create("VGG19", {"num_classes": 2})
    state = {k: v.clone() for k, v in vgg.state_dict().items()}
    names = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
    published = {}
    for name, tensor in state.items():
        layer, _, part = name.rpartition(".")
        flat = tensor.flatten(1) if layer in names and tensor.dim() == 4 else tensor
        published[f"{names.get(layer, layer)}.{part}"] = flat + 1
    torch.save(published, tmp_path / "vgg.pth")
    vgg.load_state_dict(tmp_path / "vgg.pth")
    check(vgg, {name: tensor + 1 for name, tensor in state.items()})


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ichdet.Error, match="DenseNet121"):
        nn.create("ResNet19")
    with pytest.raises(ichdet.Error, match="/architecture/options/classes: unknown key"):
        nn.create("ResNet18", {"classes": 2})
    with pytest.raises(ichdet.Error, match="in_chans: expected 1 to"):
        nn.create("ResNet18", {"in_chans": 0})
    with pytest.raises(ichdet.Error, match="num_classes"):
        nn.create("DenseNet121", {"num_classes": "two"})
