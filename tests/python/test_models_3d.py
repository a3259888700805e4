"""The segmentation networks against MONAI and dynamic-network-architectures, and Viola-Unet's attention against one
written from its formulae."""

import hashlib
import json
import re
from functools import lru_cache

import numpy as np
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from monai.networks.nets import DynUNet
from oracle_inception import InceptionUNet
from oracle_segmenters import settled
from oracle_viola import ViolaUnet
from parity import BFLOAT16, FLOAT32, relative
from safetensors.torch import save_file
from segmentation_families import FAMILIES

import ichdet
from ichdet import nn

pytestmark = pytest.mark.usefixtures("one_thread")
REPEATS = ("skip_layers", "decoder.encoder", "all_modules")  # under which the references' state dicts repeat themselves
every_family = pytest.mark.parametrize("name", FAMILIES)
violas = pytest.mark.parametrize("name", ["viola", "viola_wide"])


def in_channels(name):
    options = FAMILIES[name].options
    return options.get("in_channels", options.get("input_channels", 3))


def own_names(state):
    return {k: v for k, v in state.items() if not any(repeat in k for repeat in REPEATS)}


def volume(name, batch=1, seed=1, size=None):
    """Blobs and noise; each image another brightness."""
    generator = torch.Generator().manual_seed(seed)
    family = FAMILIES[name]
    size = size or family.size
    channels = in_channels(name)
    mode = "trilinear" if len(size) == 3 else "bilinear"
    coarse = torch.randn(batch, channels, *[4] * len(size), generator=generator)
    blobs = torch.nn.functional.interpolate(coarse, size, mode=mode)
    brightness = torch.randn(batch, channels, *[1] * len(size), generator=generator)
    return brightness + 2 * blobs + 0.5 * torch.randn(batch, channels, *size, generator=generator)


@lru_cache(maxsize=None)
def oracle(name):
    return settled(FAMILIES[name].oracle(), volume(name, 3, seed=7))


def save(tensors, file):
    save_file({k: v.clone().contiguous() for k, v in tensors.items()}, file)
    return file


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")

    @lru_cache(maxsize=None)
    def made(name):
        ours = nn.create(FAMILIES[name].architecture, FAMILIES[name].options)
        notes = ours.load_state_dict(save(oracle(name).state_dict(), folder / f"{name}.safetensors"))
        assert len(notes) == (FAMILIES[name].architecture not in ("ViolaUnet", "InceptionUNet"))
        return ours

    return made


def outputs_of(modules, call):
    """What each of the modules gives while `call` runs."""
    found = []
    hooks = [m.register_forward_hook(lambda m, i, o: found.append((m, o.clone()))) for m in modules]
    with torch.no_grad():
        call()
    for hook in hooks:
        hook.remove()
    return [next(o for at, o in found if at is m) for m in modules]


def decoder_of(theirs):
    """The blocks of a reference's decoder, coarsest first, and its heads, finest first."""
    if isinstance(theirs, (PlainConvUNet, ResidualEncoderUNet)):
        return theirs.decoder.stages, list(theirs.decoder.seg_layers)[::-1]
    if isinstance(theirs, InceptionUNet):
        return theirs.decoder, [theirs.head]
    return theirs.upsamples, [theirs.output_block, *getattr(theirs, "deep_supervision_heads", [])]


@every_family
def test_logits_features_and_heads_are_the_reference_s(name, network):
    theirs, ours, x = oracle(name), network(name), volume(name, 2)
    blocks, heads = decoder_of(theirs)
    features = outputs_of(blocks, lambda: theirs(x))[::-1]
    with torch.no_grad():
        logits = theirs(x)
        expected = [head(maps) for head, maps in zip(heads, features)]
    assert (logits[0] - logits[1]).abs().max() > 0.05 * logits.abs().max(), "the oracle's output is all bias"
    assert relative(ours.forward_features(x.numpy()), features[0]) < FLOAT32
    assert relative(ours.forward_head(features[0].numpy()), logits) < FLOAT32
    assert relative(ours.forward(x.numpy()), logits) < FLOAT32
    deep = ours.forward_deep(x.numpy())
    assert len(deep) == len(expected) == FAMILIES[name].heads + 1
    for found, head in zip(deep, expected):
        assert relative(found, head) < FLOAT32


def test_heads_are_stacked_as_monai_does_in_training(network):
    theirs, ours, x = oracle("dynunet_s2"), network("dynunet_s2"), volume("dynunet_s2", 2)
    theirs.train()  # its instance norm does the same in both modes
    try:
        with torch.no_grad():
            expected = theirs(x)
    finally:
        theirs.eval()
    assert expected.shape[1] == 3
    assert relative(nn.stack_heads(ours.forward_deep(x.numpy())), expected) < FLOAT32


@every_family
def test_names_and_shapes_are_the_reference_s(name, network):
    expected = {k: tuple(v.shape) for k, v in own_names(oracle(name).state_dict()).items()}
    assert {k: v.shape for k, v in network(name).state_dict().items()} == expected


def test_defaults_are_those_of_viola_ai():
    monai = DynUNet(
        3,
        3,
        2,
        [[3, 3, 1]] * 3 + [[3, 3, 3]] * 4,
        [[1, 1, 1], [2, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1], [1, 1, 1]],
        [[2, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1], [1, 1, 1]],
        filters=(32, 64, 96, 128, 192, 256, 320),
        deep_supervision=True,
        deep_supr_num=4,
        res_block=True,
        trans_bias=True,
    )
    expected = {k: tuple(v.shape) for k, v in own_names(monai.state_dict()).items()}
    assert {k: v.shape for k, v in nn.create("DynUNet").state_dict().items()} == expected

    ours = {k: v.shape for k, v in nn.create("ViolaUnet").state_dict().items()}
    assert ours == {k: tuple(v.shape) for k, v in ViolaUnet().state_dict().items()}
    # As the public code makes them: 64 + 64 channels meet at the coarsest attention, 16 + 16 at the finest.
    for part, shape in {
        "upsamples.0.transp_conv.conv.weight": (128, 64, 2, 2, 2),
        "upsamples.0.transp_conv.conv.bias": (64,),
        "upsamples.0.canc_att.xconv.0.gamma": (1, 128, 1, 1, 1),
        "upsamples.0.canc_att.yconv.1.features.0.0.weight": (3, 1, 11, 1),
        "upsamples.0.canc_att.zconv.1.features.3.0.weight": (3, 10, 11, 1),
        "upsamples.0.canc_att.xconv.1.conv1x1_out.1.weight": (1, 14, 1, 1),
        "upsamples.3.canc_att.xconv.1.features.1.0.weight": (2, 3, 5, 1),
        "upsamples.3.canc_att.act.0.weight": (32,),
        "upsamples.3.conv_block.conv1.conv.weight": (16, 32, 3, 3, 1),
        "downsamples.0.conv3.conv.weight": (32, 16, 1, 1, 1),
        "bottleneck.norm3.running_var": (128,),
        "output_block.conv.conv.bias": (2,),
    }.items():
        assert ours[part] == shape, part


@violas
@pytest.mark.parametrize("batch", [1, 3])
def test_each_attention_is_the_formulae_s(name, batch, network):
    theirs, ours, x = oracle(name), network(name), volume(name, batch)
    joined = []
    hooks = [up.canc_att.register_forward_pre_hook(lambda m, i: joined.append(i[0])) for up in theirs.upsamples]
    with torch.no_grad():
        theirs(x)
        factors = [up.canc_att.factor(i) for up, i in zip(theirs.upsamples, joined)]
    for hook in hooks:
        hook.remove()
    found = ours.attentions(x.numpy())
    assert len(found) == len(factors)
    for ours_factor, expected in zip(found, factors):
        assert relative(ours_factor, expected) < FLOAT32
        middle = expected.mean()
        assert (expected - middle).abs().max() > 0.05 * middle, "the attention is nearly constant"


@every_family
@pytest.mark.parametrize("batch", [1, 3])
def test_images_of_a_batch_do_not_mix(name, batch, network):
    ours, x = network(name), volume(name, batch)
    whole = ours.forward(x.numpy())
    for i in range(batch):
        assert relative(ours.forward(x[i : i + 1].numpy()), whole[i : i + 1]) < 1e-5


@every_family
def test_gradients_flow_to_every_parameter_and_are_the_reference_s(name, network):
    theirs, ours, x = oracle(name), network(name), volume(name)
    cotangent = torch.randn(theirs(x).shape, generator=torch.Generator().manual_seed(2))
    theirs.zero_grad()
    (theirs(x) * cotangent).sum().backward()
    expected = {n: p.grad for n, p in theirs.named_parameters()}
    found = ours.gradients(x.numpy(), cotangent.numpy())
    assert found.keys() == expected.keys()
    largest = max(float(g.abs().max()) for g in expected.values() if g is not None)
    for parameter, gradient in found.items():
        if expected[parameter] is None:
            assert gradient is None and ("heads" in parameter or "seg_layers" in parameter)  # of deep supervision
            continue
        assert np.abs(gradient).max() > 0, parameter
        gap = np.abs(gradient - expected[parameter].numpy()).max()
        # Behind a norm, a bias's gradient is a sum of numbers that cancel.
        assert gap <= 1e-3 * float(expected[parameter].abs().max()) + 1e-6 * largest, parameter
    theirs.zero_grad(set_to_none=True)


@every_family
@pytest.mark.parametrize("engine", ["torch", "openvino", "native"])
def test_prepared_networks_agree_with_plain_ones(name, engine, network):
    ours, x = network(name), volume(name, 2)
    plain = ours.forward(x.numpy())
    try:
        for precision, tolerance in [("float32", FLOAT32), ("bfloat16", BFLOAT16)]:
            ours.prepare(precision=precision, engine=engine)
            made = ours.preparation(x.shape)
            if "not installed" in made.reason:
                pytest.skip(made.reason)
            if engine == "native" and made.engine != "native":
                assert made.reason
            else:
                assert made.engine == engine and not made.reason, made
            found = ours(x.numpy())
            assert relative(found, plain) < tolerance, precision
            np.testing.assert_array_equal(found, ours(x.numpy()))
    finally:
        ours.prepare()


@pytest.mark.parametrize(
    "name, wrong, original",
    [
        ("dynunet_s2", "skip_layers.next_layer.super_head.conv.conv.bias", "deep_supervision_heads.0.conv.conv.bias"),
        ("dynunet_s2", "skip_layers.next_layer.upsample.conv_block.norm1.bias", "upsamples.1.conv_block.norm1.bias"),
        ("nnunet", "decoder.stages.1.convs.1.all_modules.0.weight", "decoder.stages.1.convs.1.conv.weight"),
        ("nnunet_2d", "encoder.stages.1.0.convs.0.all_modules.3.bias", "encoder.stages.1.0.convs.0.norm.bias"),
        (
            "nnunet_residual",
            "decoder.encoder.stages.1.blocks.0.skip.1.all_modules.1.bias",
            "encoder.stages.1.blocks.0.skip.1.norm.bias",
        ),
    ],
)
def test_second_names_of_tensors_are_checked_and_left_out(name, wrong, original, tmp_path):
    state = {k: v.clone() for k, v in oracle(name).state_dict().items()}
    options = FAMILIES[name].options
    own = own_names(state)
    others = {k: v for k, v in state.items() if k not in own}

    ours = nn.create(FAMILIES[name].architecture, options)
    assert ours.load_state_dict(save(own, tmp_path / "own.safetensors")) == []
    for parameter, tensor in own.items():
        np.testing.assert_array_equal(ours.state_dict()[parameter], tensor.numpy())

    # What has no second name: MONAI's output block; of nnU-Net's the heads and the transposed convolutions.
    rest = {k: v for k, v in own.items() if k.startswith(("output_block", "decoder.seg_layers", "decoder.transpconvs"))}
    again = nn.create(FAMILIES[name].architecture, options)
    (note,) = again.load_state_dict(save({**others, **rest}, tmp_path / "others.safetensors"))
    assert note == f"{len(others)} second names of tensors left out"
    for parameter, tensor in own.items():
        np.testing.assert_array_equal(again.state_dict()[parameter], tensor.numpy())

    broken = {k: v + 1 if k == wrong else v for k, v in state.items()}
    with pytest.raises(ichdet.Error) as error:
        again.load_state_dict(save(broken, tmp_path / "broken.safetensors"))
    names = re.search(r"(\S+) should hold the same numbers as (\S+)", str(error.value)).groups()
    (other,) = set(names) - {wrong}  # two published names, of which one is the broken one's
    assert torch.equal(state[other], state[original])
    stray = dict(own, **{"skip_layers.next_layer.other.weight": torch.zeros(1)})
    with pytest.raises(ichdet.Error, match="1 unexpected: skip_layers.next_layer.other.weight"):
        again.load_state_dict(save(stray, tmp_path / "stray.safetensors"))


@pytest.mark.parametrize(
    "name, shape",
    [
        ("dynunet", (1, 2, 15, 8, 6)),
        ("dynunet", (1, 2, 16, 8, 5)),
        ("dynunet", (1, 3, 16, 8, 6)),
        ("dynunet", (1, 2, 16, 8)),
        ("dynunet", (1, 2, 16, 8, 0)),
        ("dynunet_2d", (1, 3, 24, 18)),
        ("nnunet", (1, 1, 6, 14, 8)),
        ("nnunet_residual", (1, 2, 7, 16, 8)),
        ("inception", (1, 4, 24, 34)),
        ("viola", (1, 3, 32, 16, 24)),
        ("viola", (3, 32, 16, 16)),
    ],
)
def test_shapes_that_a_network_does_not_take_are_refused(name, shape, network):
    for call in [network(name).forward, network(name), network(name).forward_deep]:
        with pytest.raises(ichdet.Error) as error:
            call(np.zeros(shape, np.float32))
        message = str(error.value)
        expected = f"{FAMILIES[name].architecture}'s input: expected (N, {in_channels(name)}, a multiple of"
        assert expected in message
        assert str(list(shape)) in message


@pytest.mark.parametrize(
    "architecture, options, message",
    [
        ("DynUNet", {"strides": [1, 2]}, "strides: expected 3 to 16"),
        ("DynUNet", {"strides": [1, 2, 2]}, "kernel_size: expected 3 of them, found 7"),
        ("DynUNet", {"strides": [1, 2, 2], "kernel_size": [3, 3, 2]}, "kernel_size: expected odd"),
        ("DynUNet", {"strides": [1, 2, [2, 2]], "kernel_size": [3, 3, 3]}, "strides: expected entries of 2 or 3 axes"),
        ("DynUNet", {"upsample_kernel_size": [2] * 6}, "upsample_kernel_size: expected the strides"),
        ("DynUNet", {"filters": [8] * 8}, "filters: expected 7"),
        ("DynUNet", {"norm": "group"}, "norm: expected instance or batch, found group"),
        ("DynUNet", {"deep_supr_num": 6}, "deep_supr_num: expected 1 to 5"),
        ("DynUNet", {"dec_filters": [8] * 6}, "dec_filters: unknown key"),
        ("DynUNet", {"kernel_size": "3"}, "kernel_size"),
        ("DynUNet", {"strides": [1, 3, 1, 1, 1, 1, 1], "res_block": True}, "strides: expected at most 2"),
        ("PlainConvUNet", {"strides": [1]}, "strides: expected 2 to 16"),
        ("PlainConvUNet", {"n_blocks_per_stage": [1, 2, 2]}, "n_blocks_per_stage: unknown key"),
        ("PlainConvUNet", {"n_conv_per_stage_decoder": [2]}, "n_conv_per_stage_decoder: expected 2 of them"),
        ("ResidualEncoderUNet", {"kernel_sizes": [3, 3, 4]}, "kernel_sizes: expected odd ones, found 4"),
        ("ResidualEncoderUNet", {"features_per_stage": [8, 0, 8]}, "features_per_stage: expected 1 to 4096, found 0"),
        ("InceptionUNet", {"filters": [8, 10]}, "filters: expected multiples of 4, found 10"),
        ("WeightModel", {"in_chans": 4}, "num_classes: expected as many as in_chans"),
        ("ViolaUnet", {"dec_filters": [16, 16, 32]}, "dec_filters: expected 4"),
        ("ViolaUnet", {"dec_filters": [17, 16, 32, 64]}, "dec_filters: expected an even number"),
    ],
)
def test_options_that_make_no_network_are_refused(architecture, options, message):
    with pytest.raises(ichdet.Error) as error:
        nn.create(architecture, options)
    assert f"create: /architecture/options/{message}" in str(error.value)


def test_a_bundle_of_published_names_loads_and_must_fit_its_channels(tmp_path):
    file = save(oracle("dynunet_s2").state_dict(), tmp_path / "weights.safetensors")
    (tmp_path / "LICENSE").write_text("none")
    bundle = {
        "schema": 1,
        "name": "tiny",
        "version": "1",
        "task": "segmentation",
        "architecture": {"name": "DynUNet", "options": FAMILIES["dynunet_s2"].options},
        "input": {
            "spacing_mm": [1, 1, 3],
            "orientation": "LPS",
            "channels": [{"clip_hu": [0, 80], "scale_to": [0, 1]}] * 3,
        },
        "classes": [{"name": "background", "blood": False}, {"name": "hemorrhage", "blood": True}],
        "patch": {"input": [8, 12, 16], "output": [8, 12, 16], "step": 0, "padding": "edge"},
        "provenance": {"source": "test", "authors": "none", "citation": "none", "converted_by": "none", "files": {}},
        "licence": {"spdx": "CC0-1.0", "file": "LICENSE"},
        "not_for_clinical_use": True,
        "training_data": "none",
        "metrics": {},
        "weights": {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()},
    }
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    x = volume("dynunet_s2")
    with torch.no_grad():
        assert relative(nn.Network(tmp_path).forward(x.numpy()), oracle("dynunet_s2")(x)) < FLOAT32
    for part, value in [
        ("classes", [*bundle["classes"], {"name": "oedema", "blood": False}]),
        ("input", {**bundle["input"], "channels": bundle["input"]["channels"][:2]}),
    ]:
        (tmp_path / "bundle.json").write_text(json.dumps({**bundle, part: value}))
        with pytest.raises(ichdet.Error, match="the network's channels and classes contradict"):
            nn.Network(tmp_path)


def test_inception_unet_s_defaults():
    x = torch.randn(2, 4, 48, 32, generator=torch.Generator().manual_seed(3))
    theirs = InceptionUNet(4, 2, [32, 64, 128, 256, 512])
    ours = nn.create("InceptionUNet")
    expected = {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
    assert {k: v.shape for k, v in ours.state_dict().items()} == expected
    assert ours.forward(x.numpy()).shape == (2, 2, 48, 32)


def test_the_weight_model_is_convolutions_average_and_one_layer(tmp_path):
    modules = [
        layer
        for into, out in [(5, 16), (16, 32), (32, 64)]
        for layer in (torch.nn.Conv2d(into, out, 3, 2, 1, bias=False), torch.nn.BatchNorm2d(out), torch.nn.ReLU())
    ]
    convolutions, last = torch.nn.Sequential(*modules), torch.nn.Linear(64, 5)
    maps = torch.rand(3, 5, 50, 37, generator=torch.Generator().manual_seed(4))
    settled(convolutions, maps)
    state = {f"fc.{k}": v for k, v in last.state_dict().items()}
    for i in range(3):
        state.update({f"convs.{i}.conv.{k}": v for k, v in convolutions[3 * i].state_dict().items()})
        state.update({f"convs.{i}.norm.{k}": v for k, v in convolutions[3 * i + 1].state_dict().items()})
    ours = nn.create("WeightModel")
    assert ours.load_state_dict(save(state, tmp_path / "weights.safetensors")) == []
    with torch.no_grad():
        features = convolutions(maps)
        logits = last(features.mean((2, 3)))
    assert relative(ours.forward_features(maps.numpy()), features) < FLOAT32
    assert relative(ours.forward(maps.numpy()), logits) < FLOAT32
    assert relative(ours(maps.numpy()), logits) < FLOAT32
