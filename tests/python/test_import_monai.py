"""`ichdet import monai` of small MONAI bundles, and what the bundle finds against MONAI itself."""

import json

import numpy as np
import pytest
import torch
import yaml
from command_line import refused
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import DynUNet, UNet

import ichdet
from ichdet import nn

DYNUNET = {
    "_target_": "DynUNet",
    "spatial_dims": 3,
    "in_channels": "@channels",
    "out_channels": 2,
    "kernel_size": [[3, 3, 1], [3, 3, 3], [3, 3, 3]],
    "strides": [[1, 1, 1], [2, 2, 1], [2, 2, 2]],
    "upsample_kernel_size": "$@network_def#strides[1:]",
    "filters": [4, 6, 8],
    "norm_name": ["INSTANCE", {"affine": True}],
    "res_block": True,
}
UNET = {
    "_target_": "monai.networks.nets.UNet",
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 2,
    "channels": [4, 6, 8],
    "strides": [2, 2],
    "num_res_units": 2,
    "norm": "batch",
}
STRIDES = ("--state", "network_def#upsample_kernel_size=[[2,2,1],[2,2,2]]")


def configuration(network, mode="gaussian"):
    return {
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/eval'",
        "device": "$torch.device('cpu')",
        "channels": 1,
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "image"},
                {"_target_": "EnsureChannelFirstd", "keys": "image"},
                {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "image", "pixdim": [1.0, 1.0, 3.0], "mode": "bilinear"},
                {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -15, "a_max": 100, "b_min": 0.0,
                 "b_max": 1.0, "clip": True},
                {"_target_": "NormalizeIntensityd", "keys": "image", "subtrahend": 0.4, "divisor": 0.25},
                {"_target_": "EnsureTyped", "keys": "image", "device": "@device"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [48, 40, 16], "sw_batch_size": 4, "overlap": 0.5,
                    "mode": mode},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
                {"_target_": "SaveImaged", "keys": "pred", "output_dir": "@output_dir"},
            ],
        },
    }  # fmt: skip


def metadata():
    outputs = {"pred": {"channel_def": {"0": "background", "1": "blood"}, "num_channels": 2}}
    return {"version": "0.1.0", "name": "A test's", "description": "of blood", "network_data_format": {"outputs": outputs}}


def write(folder, network, config, as_yaml=False, wrapped=False):
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata()))
    if as_yaml:
        (folder / "configs" / "inference.yaml").write_text(yaml.safe_dump(config))
    else:
        (folder / "configs" / "inference.json").write_text(json.dumps(config))
    state = network.state_dict()
    torch.save({"model": state} if wrapped else state, folder / "models" / "model.pt")
    return folder


def network_of(kind):
    torch.manual_seed(6)
    if kind == "DynUNet":
        arguments = {k: v for k, v in DYNUNET.items() if k != "_target_"}
        arguments.update(in_channels=1, upsample_kernel_size=[[2, 2, 1], [2, 2, 2]])
        return DynUNet(**arguments).eval()
    return UNet(**{k: v for k, v in UNET.items() if k != "_target_"}).eval()


@pytest.fixture(scope="module")
def head():
    stack = ichdet.phantom(seed=3, rows=112, columns=96, pixel_mm=1.7, slices=15, thickness_mm=6, subsamples=1,
                           hemorrhages=[ichdet.Hemorrhage("iph", 20)]).stack  # fmt: skip
    volume = ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, (1, 1, 3)))
    return ichdet.crop(volume, (30, 20, 3), (70, 62, 22))


@pytest.mark.parametrize("kind, mode, as_yaml", [("DynUNet", "gaussian", False), ("UNet", "constant", True)])
def test_import_finds_what_monai_finds(run, head, tmp_path, kind, mode, as_yaml):
    network = network_of(kind)
    config = configuration(DYNUNET if kind == "DynUNet" else UNET, mode)
    folder = write(tmp_path / "theirs", network, config, as_yaml=as_yaml, wrapped=as_yaml)
    arguments = STRIDES if kind == "DynUNet" else ()
    result = run("import", "monai", folder, "-o", tmp_path / "bundle", "--blood", "blood", *arguments)
    assert result.returncode == 0, result.stderr

    xyz = head.hu.transpose(2, 1, 0)[::-1, ::-1].copy()  # RAS of our LPS
    image = (np.clip((xyz + 15) / 115, 0, 1) - 0.4) / 0.25
    inferer = SlidingWindowInferer(roi_size=(48, 40, 16), sw_batch_size=1, overlap=0.5, mode=mode)
    with torch.no_grad():
        logits = inferer(torch.from_numpy(image.astype("f4"))[None, None], network)[0]
    expected = torch.softmax(logits, 0).numpy()[:, ::-1, ::-1].transpose(0, 3, 2, 1)
    found = nn.Segmenter([tmp_path / "bundle"], precision="float32", engine="torch", region="everywhere")(head)
    assert 0.02 < expected[1].std()
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)

    spec = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert spec["classes"] == [{"name": "background", "blood": False}, {"name": "blood", "blood": True}]


def transform(index, **change):
    return lambda c: c["preprocessing"]["transforms"][index].update(change)


def append(key, target, **arguments):
    return lambda c: c[key]["transforms"].append({"_target_": target, **arguments})


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c["network_def"].update(_target_="SegResNet"), "network_def#_target_: expected DynUNet or UNet, found SegResNet"),
        (lambda c: c["network_def"].update(channels="$[4] + [6, 8]"), "is not evaluated"),
        (lambda c: c["network_def"].update(spatial_dims=2), "network_def/spatial_dims: expected 3, found 2"),
        (lambda c: c["network_def"].update(mystery=1), "no mystery, which is not known"),
        (lambda c: c["network_def"].update(norm="group"), "instance or batch norm"),
        (lambda c: c.pop("inferer"), "inferer: is missing"),
        (lambda c: c["inferer"].update(_target_="SimpleInferer"), "inferer#_target_: expected SlidingWindowInferer, found SimpleInferer"),
        (lambda c: c["inferer"].update(roi_size="$@x * 2"), "inferer/roi_size: expected a list"),
        (lambda c: c["inferer"].update(padding_mode="reflect"), "inferer/padding_mode"),
        (transform(5, subtrahend=None), "subtrahend and divisor"),
        (transform(3, _target_="Resized"), "transforms/3#_target_"),
        (lambda c: c["preprocessing"]["transforms"].pop(3), "no Spacingd"),
        (lambda c: c["preprocessing"]["transforms"].pop(2), "Orientationd before Spacingd"),
        (append("preprocessing", "CropForegroundd", select_fn="$lambda x: x > 3"), "no select_fn"),
        (append("postprocessing", "KeepLargestConnectedComponentd"), "KeepLargestConnectedComponentd"),
        (lambda c: c["postprocessing"]["transforms"][0].update(softmax=False, sigmoid=True), "softmax"),
    ],
)  # fmt: skip
def test_refuses(run, tmp_path, change, message):
    config = json.loads(json.dumps(configuration(UNET)))
    change(config)
    folder = write(tmp_path / "theirs", network_of("UNet"), config)
    found = refused(run("import", "monai", folder, "-o", tmp_path / "out", "--blood", "blood"), 4, "weights")
    assert message in found and "inference.json" in found


def test_stated_values_and_crop(run, tmp_path):
    config = configuration({**UNET, "channels": "$list((4, 6, 8))"})
    append("preprocessing", "CropForegroundd", source_key="image")(config)
    folder = write(tmp_path / "theirs", network_of("UNet"), config)
    result = run("import", "monai", folder, "-o", tmp_path / "out", "--blood", "blood",
                 "--state", "network_def#channels=[4,6,8]", "--state", "inferer::mode=constant")  # fmt: skip
    assert result.returncode == 0, result.stderr
    spec = json.loads((tmp_path / "out" / "bundle.json").read_text())
    assert spec["procedure"]["crop"] == "foreground" and spec["patch"]["blending"] == "constant"
    found = refused(run("import", "monai", folder, "-o", tmp_path / "x", "--blood", "b", "--state", "x"), 2, "options")
    assert "--state: expected ID=VALUE" in found


def test_blood_is_never_guessed(run, tmp_path):
    folder = write(tmp_path / "theirs", network_of("UNet"), configuration(UNET))
    assert "there are: blood" in refused(run("import", "monai", folder, "-o", tmp_path / "out"), 2, "options")


@pytest.mark.parametrize("missing", ["configs/metadata.json", "configs/inference.json"])
def test_missing_files(run, tmp_path, missing):
    folder = write(tmp_path / "theirs", network_of("UNet"), configuration(UNET))
    (folder / missing).unlink()
    refused(run("import", "monai", folder, "-o", tmp_path / "out", "--blood", "blood"), 3, "io")
