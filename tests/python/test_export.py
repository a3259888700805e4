"""Exported networks answer as the networks do, in ONNX Runtime, OpenVINO, torch.jit and torch.export."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = pytest.importorskip("ichdet.nn")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
import ichdet as package  # noqa: E402

BUNDLES = Path(__file__).parents[2] / "bundles"
SHAPES = {  # of an architecture's input, where 64 x 64 pixels or 32 x 32 x 32 voxels do not serve
    "EfficientClassification": (1, 3, 512, 512),
    "InceptionResNetV2": (1, 3, 107, 107),
    "MobileNetLSTM": (1, 25, 3, 64, 64),
    "DynUNet": (1, 3, 64, 64, 16),
    "ViolaUnet": (1, 3, 64, 64, 16),
    "InceptionUNet": (1, 4, 64, 64),
    "MindGrab": (1, 1, 32, 32, 32),
    "PlainConvUNet": (1, 1, 32, 32, 32),
    "ResidualEncoderUNet": (1, 1, 32, 32, 32),
    "UNet3D": (1, 1, 32, 32, 32),
    "VGG19": (1, 3, 224, 224),
    "WeightModel": (1, 5, 64, 64),
    "DeepMedic": (1, 1, 110, 95, 95),
}


def answer(session, x):
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def session(file):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options)


def made(name):
    """Any network of this architecture, and an input."""
    network = nn.create(name, {}, threads=1)
    shape = SHAPES.get(name, (1, 3, 64, 64))
    return network, np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def of_bundle(name):
    """The network of a bundle that comes with ichdet."""
    folder = BUNDLES / name
    architecture = json.loads((folder / "bundle.json").read_text())["architecture"]
    network = nn.create(architecture["name"], architecture["options"], threads=1)
    network.load_state_dict(folder / "weights.safetensors")
    return network


@pytest.mark.parametrize("name", sorted(nn.architectures()))
def test_every_architecture_as_onnx(name, tmp_path):
    network, x = made(name)
    file = tmp_path / "network.onnx"
    nn.write_onnx(network, file, x.shape, input="hu", output="y", metadata={"who": "a test"})
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [p.value for p in model.metadata_props if p.key == "who"] == ["a test"]
    expected, found = network.forward(x), answer(session(file), x)
    assert found.shape == expected.shape and expected.std() > 0
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_openvino_reads_it(tmp_path):
    openvino = pytest.importorskip("openvino")
    network, x = made("ResNet18")
    nn.write_onnx(network, tmp_path / "network.onnx", x.shape)
    compiled = openvino.Core().compile_model(tmp_path / "network.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    expected = network.forward(x)
    np.testing.assert_allclose(compiled(x)[0], expected, atol=1e-4 * np.abs(expected).max())


def test_torchscript(tmp_path):
    network, x = made("EfficientNetB0")
    nn.write_torchscript(network, tmp_path / "network.pt", x.shape)
    expected = network.forward(x)
    found = torch.jit.load(tmp_path / "network.pt")(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("model", ["brain", "s1"])
def test_a_bundle_as_onnx_by_the_command(ichdet, model, tmp_path):
    file = tmp_path / "model.onnx"
    command = [ichdet, "export", model, "-o", file, "--batch", "2", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shape = tuple(json.loads(done.stdout)[0]["input"])
    assert shape == nn.input_shape(model, 2)
    spec = {p.key: p.value for p in onnx.load(file).metadata_props}["ichdet.bundle"]
    assert json.loads(spec)["name"] == json.loads(done.stdout)[0]["model"]
    network = of_bundle(model)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    expected = network.forward(x)
    np.testing.assert_allclose(answer(session(file), x), expected, atol=2e-4 * np.abs(expected).max())
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 3 and "is there already" in again.stderr


def test_a_bundle_as_torch_export(ichdet, tmp_path):
    file = tmp_path / "brain.pt2"
    done = subprocess.run([ichdet, "export", "brain", "-o", file, "--format", "torch-export"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    program = torch.export.load(file).module()
    network = of_bundle("brain")
    x = torch.randn(nn.input_shape("brain"), generator=torch.Generator().manual_seed(2))
    expected = network.forward(x)
    torch.testing.assert_close(program(x), expected, atol=1e-4 * expected.abs().max().item(), rtol=0)


def test_an_ensemble_is_a_file_for_each_network(ichdet, tmp_path):
    done = subprocess.run([ichdet, "export", "ichdet", "-o", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"ichdet-segmenter.onnx", "ichdet-classifier.onnx"}
    with pytest.raises(package.OptionsError, match="ensemble"):
        nn.export_network("ichdet", tmp_path / "out.onnx")


def test_what_cannot_be_exported_is_refused(tmp_path):
    network, x = made("ResNet18")
    with pytest.raises(package.IoError, match="nowhere"):
        nn.write_onnx(network, tmp_path / "nowhere" / "network.onnx", x.shape)
    with pytest.raises(package.OptionsError, match="torch-export"):
        nn.export_network("brain", tmp_path / "brain.onnx", format="tflite")
    assert not list(Path(tmp_path).iterdir())
