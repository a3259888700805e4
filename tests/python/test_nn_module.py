"""`ichdet.nn.Module` as a torch.nn.Module, beside timm with the same weights; networks on torch's and NumPy's memory."""

import copy
import io
import pickle
from pathlib import Path

import numpy as np
import pytest

import ichdet
import oracles  # noqa: F401  before timm

torch = pytest.importorskip("torch")
nn = pytest.importorskip("ichdet.nn")

AVX512 = Path("/proc/cpuinfo").exists() and "avx512bw" in Path("/proc/cpuinfo").read_text()
SMALL = {"num_classes": 2, "layers": [1, 1, 1, 1]}


def module(seed=0, **options):
    torch.manual_seed(seed)
    return nn.Module("ResNet18", {**SMALL, **options})


def images(n=4, channels=3, size=32):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(1))


def timm_model(seed=0):
    timm = pytest.importorskip("timm")
    torch.manual_seed(seed)
    return timm.models.resnet.ResNet(timm.models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=2)


def addresses(tensors):
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


def steps_of(model, optimizer, n=4):
    """Losses of n steps, and the last logits."""
    x, y = images(8), torch.tensor([0, 1] * 4)
    losses = []
    for _ in range(n):
        logits = model(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, logits.detach()


def test_names_are_those_of_the_state_dict_and_of_timm():
    model, theirs = module(), timm_model()
    assert list(dict(model.named_parameters())) == [k for k in model.state_dict() if k in dict(model.named_parameters())]
    assert set(model.state_dict()) == set(theirs.state_dict())
    assert {k: v.shape for k, v in model.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    assert all(isinstance(p, torch.nn.Parameter) for p in model.parameters())
    assert set(dict(model.named_buffers())) == set(dict(theirs.named_buffers()))


def test_a_state_dict_goes_to_timm_and_back():
    model, theirs = module(1), timm_model(2)
    theirs.load_state_dict(model.state_dict())
    x = images()
    torch.testing.assert_close(model.eval()(x), theirs.eval()(x), atol=1e-5, rtol=0)
    assert str(model.load_state_dict(timm_model(3).state_dict())) == "<All keys matched successfully>"
    torch.testing.assert_close(model(x), timm_model(3).eval()(x), atol=1e-5, rtol=0)
    broken = {"unknown": torch.zeros(1), **{k: v for k, v in theirs.state_dict().items() if k != "conv1.weight"}}
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "conv1.weight"(.|\n)*"unknown"'):
        model.load_state_dict(broken)


@pytest.mark.parametrize("optimizer", [lambda p: torch.optim.AdamW(p, lr=1e-3, weight_decay=0.1),
                                       lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9)])
def test_trains_as_timm_does(optimizer):
    model, theirs = module(4).train(), timm_model(5).train()
    theirs.load_state_dict(model.state_dict())
    losses, logits = steps_of(model, optimizer(model.parameters()))
    expected, expected_logits = steps_of(theirs, optimizer(theirs.parameters()))
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    torch.testing.assert_close(logits, expected_logits, atol=1e-6, rtol=1e-6)
    for name, tensor in theirs.state_dict().items():  # the running statistics, too
        torch.testing.assert_close(model.state_dict()[name], tensor, atol=1e-6, rtol=1e-6)


def test_gradients_flow_to_the_cpp_tensors_and_the_input():
    model, theirs = module(6).train(), timm_model()
    theirs.load_state_dict(model.state_dict())
    theirs.train()
    grads = []
    for each in (model, theirs):
        x = images().requires_grad_()
        each.forward_head(each.forward_features(x)).square().sum().backward()
        grads.append({"input": x.grad, **{k: p.grad for k, p in each.named_parameters()}})
    for name, expected in grads[1].items():
        torch.testing.assert_close(grads[0][name], expected, atol=1e-4 * expected.abs().max().item(), rtol=0)
    with torch.no_grad():
        assert not model(images()).requires_grad


def test_training_and_evaluation_reach_batch_norm():
    model = module().train()
    before = model.bn1.running_mean.clone()
    model(images())
    assert not torch.equal(model.bn1.running_mean, before) and model.bn1.num_batches_tracked == 1
    model.bn1.eval()  # one layer alone, as for frozen statistics
    stays, counted = model.bn1.running_mean.clone(), model.layer2.get_submodule("0").bn1.num_batches_tracked.item()
    model(images())
    assert torch.equal(model.bn1.running_mean, stays) and model.layer2.get_submodule("0").bn1.num_batches_tracked == counted + 1
    model.eval()
    assert not any(part.training for part in model.modules())
    assert torch.equal(model(images())[:2], model(images()[:2]))


def test_frozen_parameters_stay():
    model = module().train()
    model.conv1.requires_grad_(False)
    before = model.conv1.weight.clone()
    steps_of(model, torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2), n=1)
    assert torch.equal(model.conv1.weight, before) and model.conv1.weight.grad is None


def test_dtypes_reach_the_cpp_network():
    model = module().eval()
    x = images()
    expected = model(x)
    memory = addresses(model.state_dict())
    assert model.double() is model and model(x.double()).dtype == torch.float64
    torch.testing.assert_close(model(x.double()).float(), expected, atol=1e-5, rtol=0)
    assert model.bn1.running_mean.dtype == torch.float64
    assert model.float()(x).dtype == torch.float32 and addresses(model.state_dict()) != memory
    with torch.autocast("cpu", torch.bfloat16):
        assert model(x).dtype == torch.bfloat16
    if torch.cuda.is_available():
        assert model.cuda()(x.cuda()).is_cuda
    else:
        with pytest.raises((AssertionError, RuntimeError)):
            model.to("cuda")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_are_equal_and_apart(again):
    model = module(7).train()
    model.bn1.eval()
    model.conv1.requires_grad_(False)
    model.double()
    other = again(model)
    assert type(other) is nn.Module and other.options == model.options and other.architecture == "ResNet18"
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor) and other.state_dict()[name].data_ptr() != tensor.data_ptr()
    assert [p.training for p in other.modules()] == [p.training for p in model.modules()]
    assert [p.requires_grad for p in other.parameters()] == [p.requires_grad for p in model.parameters()]
    steps_of(other.float(), torch.optim.SGD([p for p in other.parameters() if p.requires_grad], lr=0.1), n=1)
    assert not torch.equal(other.fc.weight, model.fc.weight.float())


def test_saved_by_torch(tmp_path):
    model = module(8).eval()
    torch.save(model, tmp_path / "model.pt")
    again = torch.load(tmp_path / "model.pt", weights_only=False)
    assert torch.equal(again(images()), model(images()))
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = module(9).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(images()), model(images()))


def test_what_was_replaced_is_not_computed_with():
    replaced = [
        lambda model: setattr(model, "fc", torch.nn.Linear(512, 3)),
        lambda model: setattr(model.fc, "bias", torch.nn.Parameter(torch.zeros(2))),
        lambda model: model.load_state_dict(model.state_dict(), assign=True),
        lambda model: delattr(model, "fc"),
    ]
    for replace in replaced:
        model = module().eval()
        replace(model)
        with pytest.raises(RuntimeError, match="was replaced"):
            model(images())
    with pytest.raises(RuntimeError, match="was replaced"):
        model = module().eval()
        torch.func.functional_call(model, {k: 2 * v for k, v in model.state_dict().items()}, (images(),))
    with pytest.raises(NotImplementedError):
        model.conv1(images())


def test_repr_names_layers_and_shapes():
    text = repr(module())
    assert text.startswith("ResNet(") and "(conv1): Conv2d(weight (64, 3, 7, 7))" in text and "BatchNorm2d" in text


def test_a_segmentation_network_under_deep_supervision():
    torch.manual_seed(0)
    model = nn.Module("PlainConvUNet", {"features_per_stage": [4, 8, 8], "n_conv_per_stage": [1, 1, 1],
                                        "n_conv_per_stage_decoder": [1, 1]}).train()
    x, truth = torch.randn(1, 1, 16, 16, 16), torch.randint(0, 2, (1, 16, 16, 16))
    spec = {"name": "dice + cross entropy", "deep_supervision": [2, 1]}
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(4):
        loss = ichdet.train.deep_loss(spec, model.forward_deep(x), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    with pytest.raises(ichdet.Error, match="no deep supervision"):
        module().forward_deep(images())


def test_a_network_sees_new_weights_once_prepared_again():
    model = module(10).eval()
    network = model.prepare(engine="torch")
    x = images()
    torch.testing.assert_close(network(x), model(x).detach(), atol=1e-5, rtol=0)
    steps_of(model.train(), torch.optim.SGD(model.parameters(), lr=0.1), n=1)
    with pytest.raises(ichdet.Error, match="training mode"):
        network(x)
    model.eval()
    with pytest.raises(ichdet.Error, match=r"weights have changed.*prepare\(\)"):
        network(x)
    network.prepare(engine="torch")
    torch.testing.assert_close(network(x), model(x).detach(), atol=1e-4, rtol=0)
    network.module().load_state_dict(module(11).state_dict())
    with pytest.raises(ichdet.Error, match="weights have changed"):
        network(x.numpy())
    assert network.module().conv1.weight is model.conv1.weight  # one tensor, two handles


def test_memory_is_shared():
    network = nn.create("ResNet18", SMALL)
    model = network.module()
    assert addresses(network.state_dict()) == addresses(dict(model.named_parameters()) | dict(model.named_buffers()))
    state = {k: v.clone() for k, v in module(12).state_dict().items()}
    assert network.load_state_dict(state) == []
    assert torch.equal(model.fc.weight, state["fc.weight"])
    network.load_state_dict({k: v.numpy() + 1 for k, v in state.items()})
    assert torch.equal(model.fc.bias, state["fc.bias"] + 1)
    with pytest.raises(ichdet.Error, match="fc.bias") as raised:
        network.load_state_dict({k: v for k, v in state.items() if k != "fc.bias"})
    assert raised.value.code == "weights"


def test_calls_answer_in_kind_without_copies():
    network = nn.create("ResNet18", {**SMALL, "num_classes": 0}, engine="torch")
    x = images()
    arrays, tensors = network(x.numpy()), network(x)
    assert type(arrays) is np.ndarray and not arrays.flags.owndata and arrays.flags.writeable
    assert type(tensors) is torch.Tensor and np.array_equal(tensors.numpy(), arrays)
    (tensors * torch.ones(1, requires_grad=True)).sum().backward()  # not inference mode's

    seen = []

    class Probe(torch.nn.Module):
        def forward(self, x):
            seen.append(x.data_ptr())
            return x

    probe = nn.prepare(Probe().eval())
    out = probe.forward(x)
    assert seen[-1] == x.data_ptr() == out.data_ptr()
    array = x.numpy()
    assert probe.forward(array).__array_interface__["data"] == array.__array_interface__["data"]
    assert seen[-1] == x.data_ptr()
    assert probe.forward(array[:, :, ::2]).shape == (4, 3, 16, 32)  # a copy: not contiguous


def test_prepares_a_network_written_in_python():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                                torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 2))
    x = torch.randn(3, 1, 16, 16)
    model(x)
    with pytest.raises(ichdet.Error, match="training mode"):
        nn.prepare(model)
    model.eval()
    for engine in ("torch", "native", "openvino"):
        network = nn.prepare(model, engine=engine)
        torch.testing.assert_close(network(x), model(x).detach(), atol=1e-4, rtol=0)
    network = nn.prepare(model, engine="torch")
    assert set(network.state_dict()) == set(model.state_dict()) and network.module() is model
    assert network.preparation(x.shape).engine == "torch"
    with torch.no_grad():
        model[0].weight.mul_(2)
    with pytest.raises(ichdet.Error, match="weights have changed"):
        network(x)
    network.prepare()
    torch.testing.assert_close(network(x), model(x).detach(), atol=1e-4, rtol=0)

    class Failing(torch.nn.Module):
        def forward(self, x):
            raise ValueError("not today")

    with pytest.raises(ichdet.Error, match="not today"):
        nn.prepare(Failing().eval())(x)
    with pytest.raises(TypeError):
        nn.prepare(lambda x: x)


def test_prepares_timm_by_features_and_head():
    model = timm_model().eval()
    network = nn.prepare(model, engine="native")
    x = images()
    assert network.preparation(x.shape).engine == ("native" if AVX512 else "torch")
    torch.testing.assert_close(network(x), model(x).detach(), atol=1e-4, rtol=0)
    torch.testing.assert_close(network.forward_features(x), model.forward_features(x).detach(), atol=1e-5, rtol=0)


def test_two_names_for_one_set_of_defaults():
    import inspect

    ours = {name: p.default for name, p in inspect.signature(nn.Module.prepare).parameters.items() if name != "self"}
    text = nn.Network.prepare.__doc__.split("\n")[0]
    for name, value in ours.items():
        assert f"{name}: " in text and f"= {value!r}" in text.split(f"{name}: ")[1].split(", ")[0].replace("0.0", "0")
