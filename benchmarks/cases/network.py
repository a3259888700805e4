"""Networks: logits of images or patches that lie in memory as float32, of the same weights."""

import warnings

import numpy as np

from suite.arrays import differences
from suite.case import Case, Contender, LeftOut
from suite.networks import NETWORKS, images, prepared, with_weights, work, write_weights

QUICK = {"network/efficient_classification", "network/resnet18"}
FLOAT32 = "PyTorch float32"  # what outputs in bfloat16 are held against


def write(name, batch):
    """Weights, as a state dict and as an ONNX file, and images."""

    def write_files(folder):
        import torch

        write_weights(name, folder)
        x = images(name, batch)
        np.save(folder / "x.npy", x)
        with warnings.catch_warnings(action="ignore"):  # of tracing, and of norms that look as in training
            torch.onnx.export(with_weights(name, folder), (torch.from_numpy(x),), folder / "network.onnx", dynamo=False,
                              opset_version=17, input_names=["x"], output_names=["y"])

    return write_files


def compare(reference, allowed):
    """Differences by the largest logit of the reference; `allowed`: of a contender."""

    def compare_outputs(outputs):
        largest = np.abs(outputs[reference]).max()
        return differences({who: logits / largest for who, logits in outputs.items()}, reference,
                           {who: allowed(who) for who in outputs})

    return compare_outputs


def allowed_float32(who):
    """The native engine, which is auto's choice where there is AMX, splits values into two bfloat16 numbers; OpenVINO's
    instance norm sums large maps in float32."""
    return 2e-3 if who in ("ichdet", "ichdet native") else 1e-4 if who.startswith("ichdet") else 1e-3


def allowed_bfloat16(name):
    """EfficientNet-B0's two logits are small: PyTorch itself is off by 6e-2 of the largest, OpenVINO by 9e-2. Of
    Viola-Unet, whose attention divides by small numbers, PyTorch is off by 0.17; we are held to 5e-2."""

    def allowed(who):
        if name == "viola_unet" and not who.startswith("ichdet"):
            return 0.2
        return 1e-1 if name == "efficientnet_b0" else 5e-2

    return allowed


def with_ichdet(name, batch, engine, precision):
    def make(folder, threads):
        network, note = prepared(name, folder, threads, batch, engine, precision)
        x = np.load(folder / "x.npy")
        return Contender(lambda: network(x), note)

    return make


def with_pytorch(name, precision, compiled=False):
    def make(folder, threads):
        import torch

        dtype = getattr(torch, precision)
        model = with_weights(name, folder).to(dtype)
        x = np.load(folder / "x.npy")

        @torch.inference_mode()
        def run():
            return model(torch.from_numpy(x).to(dtype)).float().numpy()

        if compiled:
            model = torch.compile(model)
            run()  # compiles: the others are opened prepared too
        return run

    return make


def with_onnx_runtime(precision):
    def make(folder, threads):
        if precision == "bfloat16":
            raise LeftOut("its CPU provider has no bfloat16 convolutions")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / "network.onnx", options, ["CPUExecutionProvider"])
        x = np.load(folder / "x.npy")
        return lambda: session.run(None, {"x": x})[0]

    return make


def with_openvino(precision):
    def make(folder, threads):
        import openvino

        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                 "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]}
        request = openvino.Core().compile_model(folder / "network.onnx", "CPU", hints).create_infer_request()
        x = np.load(folder / "x.npy")
        return lambda: np.array(request.infer({"x": x})[0])

    return make


def network_case(name, batch, precision):
    network = NETWORKS[name]
    bfloat16 = precision == "bfloat16"
    full_name = f"network/{name}" + (f"-batch-{batch}" if batch > 1 else "") + ("-bfloat16" if bfloat16 else "")
    shape = " x ".join(map(str, (batch, *network.shape)))
    made = Case(full_name, f"{network.architecture} of {shape}, {precision}", write(name, batch),
                compare(FLOAT32, allowed_bfloat16(name)) if bfloat16 else compare("PyTorch", allowed_float32),
                lambda folder: work(name, batch, precision), precision, threads=(1, 0), quick=full_name in QUICK,
                items=batch)
    made.contender("ichdet")(with_ichdet(name, batch, "auto", precision))
    for engine in ("native", "torch", "openvino"):
        made.contender(f"ichdet {engine}")(with_ichdet(name, batch, engine, precision))
    if bfloat16:
        made.contender(FLOAT32)(with_pytorch(name, "float32"))
    made.contender("PyTorch")(with_pytorch(name, precision))
    made.contender("torch.compile")(with_pytorch(name, precision, compiled=True))
    made.contender("ONNX Runtime")(with_onnx_runtime(precision))
    made.contender("OpenVINO")(with_openvino(precision))
    return made


CASES = [network_case(name, batch, precision) for name, network in NETWORKS.items()
         for batch in ((1, 8) if network.axes == 2 else (1,)) for precision in ("float32", "bfloat16")]
