#!/usr/bin/env python3
"""The networks: milliseconds per image or patch, ichdet's engines beside PyTorch, ONNX Runtime and OpenVINO.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/network_speed.py [--network resnet18 ...]

All get the same weights and the same float32 images, on the same number of threads, pinned to as many cores; weights
are made as in the tests (tests/python/oracle_networks.py, oracle_segmenters.py), so that outputs depend on the input.
Outputs are compared with timm's, effdet's, MONAI's and PyTorch's in float32 first. Then every contender of a network runs once in turn, `--repeat`
times: the least time counts. The machine's own GEMM rate (PyTorch, 2048 x 2048), measured between the rounds, stands
beside them. Each contender lives in a process of its own, whose peak memory is told.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from process import mib

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))

# name: (ichdet's architecture, options, shape of one input)
NETWORKS = {
    "efficient_classification": ("EfficientClassification", {}, (3, 512, 512)),
    "efficientnet_b0": ("EfficientNetB0", {"num_classes": 2}, (3, 512, 512)),
    "resnet18": ("ResNet18", {"num_classes": 2}, (3, 224, 224)),
    "densenet121": ("DenseNet121", {"num_classes": 6}, (3, 224, 224)),
    "inception_resnet_v2": ("InceptionResNetV2", {"num_classes": 2}, (3, 299, 299)),
    "mobilenetv2_100": ("MobileNetV2", {"num_classes": 2}, (3, 224, 224)),
    "vgg19": ("VGG19", {"num_classes": 2}, (3, 224, 224)),
    "mobilenet_lstm": ("MobileNetLSTM", {}, (25, 3, 224, 224)),
    "dynunet": ("DynUNet", {}, (3, 160, 160, 32)),
    "viola_unet": ("ViolaUnet", {}, (3, 160, 160, 32)),
}
SEGMENTERS = {"dynunet", "viola_unet"}
PEERS = ["eager", "eager bfloat16", "compile", "compile bfloat16", "ONNX Runtime", "OpenVINO", "OpenVINO bfloat16"]
OURS = [f"ichdet {engine}{precision}" for engine in ("auto", "native", "torch", "openvino")
        for precision in ("", " bfloat16")]


def oracle(name):
    """The reference, with the weights that are kept in `name`.pt of the folder."""
    if name in SEGMENTERS:
        return segmenter(name)
    import oracle_networks as networks
    import timm

    made = {"efficient_classification": networks.EfficientClassification, "mobilenet_lstm": networks.MobileNetLSTM}
    options = {key: value for key, value in NETWORKS[name][1].items()}
    return made[name](**options) if name in made else timm.create_model(name, **options)


def segmenter(name):
    """Those of VIOLA-AI (S2)."""
    if name == "viola_unet":
        from oracle_viola import ViolaUnet

        return ViolaUnet()
    from monai.networks.nets import DynUNet

    flat, deep = [3, 3, 1], [3, 3, 3]
    strides = [[1, 1, 1], [2, 2, 1], [2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1], [1, 1, 1]]
    norm = ("INSTANCE", {"affine": True})
    return DynUNet(3, 3, 2, [flat] * 3 + [deep] * 4, strides, strides[1:], [32, 64, 96, 128, 192, 256, 320],
                   norm_name=norm, deep_supervision=True, deep_supr_num=4, res_block=True, trans_bias=True)


def make_weights(name, folder):
    import oracle_networks as networks
    import torch

    torch.manual_seed(1)
    shape = NETWORKS[name][2]
    if name in SEGMENTERS:
        from oracle_segmenters import settled

        torch.save(settled(oracle(name), torch.randn(1, 3, 64, 64, 32)).state_dict(), folder / f"{name}.pt")
        return
    small = shape if name == "efficient_classification" else (*shape[:-2], 96 + shape[-1] // 4, 96 + shape[-1] // 4)
    model = networks.trained(oracle(name), torch.randn(4, *small))
    torch.save(model.state_dict(), folder / f"{name}.pt")


def reference(name, folder):
    import torch

    model = oracle(name)
    model.load_state_dict(torch.load(folder / f"{name}.pt", weights_only=True))
    return model.eval()


def onnx_file(name, folder, batch):
    import torch

    file = folder / f"{name}-{batch}.onnx"
    if not file.exists():
        example = torch.randn(batch, *NETWORKS[name][2])
        torch.onnx.export(reference(name, folder), (example,), file, dynamo=False, opset_version=17,
                          input_names=["x"], output_names=["y"])
    return file


def contender(who, name, folder, batch, threads):
    """A function from an array to logits."""
    import torch

    bfloat16 = who.endswith("bfloat16")
    if who.startswith("ichdet"):
        import ichdet.nn

        engine = who.split()[1]
        network = ichdet.nn.create(*NETWORKS[name][:2], engine=engine, threads=threads,
                                   precision="bfloat16" if bfloat16 else "float32")
        network.load_state_dict(folder / f"{name}.pt")
        made = network.preparation((batch, *NETWORKS[name][2]))
        return network, f"{made.engine}: {made.form}" + (f"; {made.reason}" if made.reason else "")
    if who == "ONNX Runtime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(onnx_file(name, folder, batch), options)
        return lambda x: session.run(None, {"x": x})[0], ""
    if who.startswith("OpenVINO"):
        import openvino

        core = openvino.Core()
        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY",
                 "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32"}
        model = core.read_model(onnx_file(name, folder, batch))
        request = core.compile_model(model, "CPU", hints).create_infer_request()
        return lambda x: np.array(request.infer({"x": x})[0]), ""
    model = reference(name, folder)
    if bfloat16:
        model = model.bfloat16()
    if who.startswith("compile"):
        model = torch.compile(model)
    dtype = torch.bfloat16 if bfloat16 else torch.float32

    def run(x):
        with torch.inference_mode():
            return model(torch.from_numpy(x).to(dtype)).float().numpy()

    return run, ""


def image(name, batch):
    random = np.random.default_rng(7)
    shape = NETWORKS[name][2]
    if name in SEGMENTERS:
        coarse = random.standard_normal((batch, *(n // 8 if n > 8 else n for n in shape)))
        blobs = np.kron(coarse, np.ones([n // m for n, m in zip(shape, coarse.shape[1:])])[None])
        return np.ascontiguousarray(blobs + 0.3 * random.standard_normal(blobs.shape), np.float32)
    coarse = random.standard_normal((batch, *shape[:-2], 8, 8))
    fine = random.standard_normal((batch, *shape))
    size = (shape[-2] + 7) // 8, (shape[-1] + 7) // 8
    blobs = np.kron(coarse, np.ones(size))[..., : shape[-2], : shape[-1]]
    return np.ascontiguousarray(blobs + 0.3 * fine, np.float32)


def serve(args):
    """Runs one contender whenever a line arrives; answers with milliseconds."""
    import torch

    who, name, folder, batch = args.serve[0], args.serve[1], Path(args.serve[2]), int(args.serve[3])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    torch.set_num_threads(args.threads)
    if who == "gemm":
        pairs = [[torch.randn(2048, 2048).to(t) for _ in range(2)] for t in (torch.float32, torch.bfloat16)]
        calls = [lambda a=a, b=b: a @ b for a, b in pairs]
        print(json.dumps({}), flush=True)
    else:
        x = image(name, batch)
        torch.set_flush_denormal(True)
        run, note = contender(who, name, folder, batch, args.threads)
        run(x)
        found = run(x)
        peak = mib()
        with torch.inference_mode():
            expected = reference(name, folder)(torch.from_numpy(x)).numpy() if who != "eager" else found
        gap = float(np.abs(found - expected).max() / np.abs(expected).max())
        print(json.dumps({"gap": gap, "note": note, "peak_mib": peak}), flush=True)
        calls = [lambda: run(x)]
    for _ in sys.stdin:
        times = []
        for call in calls:
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


def measure(args, name, batch, folder):
    def start(who):
        command = [sys.executable, __file__, "--threads", str(args.threads), "--serve", who, name, folder, str(batch)]
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return subprocess.Popen(command, **pipes, text=True, env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})

    rows, running = {}, {}
    for who in ["gemm", *args.who]:
        process = start(who)
        line = process.stdout.readline()
        if not line:
            rows[who] = {"failed": process.stderr.read().strip().splitlines()[-1][:200]}
            continue
        rows[who] = json.loads(line)
        running[who] = process
    for _ in range(args.repeat):
        for who, process in running.items():
            process.stdin.write("\n")
            process.stdin.flush()
            times = json.loads(process.stdout.readline())
            rows[who]["ms"] = [min(pair) for pair in zip(times, rows[who].get("ms", times))]
    for process in running.values():
        process.stdin.close()
        process.wait()
    gemm = [2 * 2048**3 / ms / 1e6 for ms in rows.pop("gemm")["ms"]]
    print(f"\n{name}, batch {batch}, {args.threads} threads; "
          f"GEMM {gemm[0]:.0f} GFLOP/s in float32, {gemm[1]:.0f} in bfloat16")
    for who, row in rows.items():
        if "failed" in row:
            print(f"  {who:25} failed: {row['failed']}")
            continue
        row["ms"] = row["ms"][0] / batch
        print(f"  {who:25} {row['ms']:8.2f} ms each, {row['peak_mib']:5.0f} MiB, off by {row['gap']:.1e}  "
              f"{row['note']}", flush=True)
    return {"network": name, "batch": batch, "threads": args.threads, "gemm": gemm, "results": rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--who", nargs="+", default=PEERS + OURS, choices=PEERS + OURS, metavar="CONTENDER",
                        help="; ".join(PEERS + OURS))
    parser.add_argument("--batch", nargs="+", type=int, default=[1])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--json", type=Path, help="file to write the results to as well")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.network:
            make_weights(name, Path(folder))
            results += [measure(args, name, batch, folder) for batch in args.batch]
    if args.json:
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
