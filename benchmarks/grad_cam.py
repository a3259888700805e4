#!/usr/bin/env python3
"""Grad-CAM of a slice: ichdet against the Python package grad-cam 1.5.7, same weights, same maps.

    PYTHONPATH=build/python:tests/python .venv-oracles/bin/python benchmarks/grad_cam.py [--network ResNet18] [--repeat 7]

Plain and with grad-cam's two smoothings, batch 1, `--threads` threads pinned to as many cores. Weights are random, of
natural output size (tests/python/oracle_networks.py). Maps are compared before anything is timed: in float32 within
1e-4 (native, which splits values into two bfloat16 numbers: 2e-3), the sign of the first component fixed on grad-cam's
side as in tests/python/test_attribution.py; bfloat16 is told its correlation. All run in turn, `--repeat` times; the
least time counts. "cut short" is grad-cam with gradients switched off before the target layer, which its users rarely
do. An engine that is not installed is left out.
"""
import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

NETWORKS = {  # architecture: (reference, target layer, size)
    "ResNet18": ("resnet18", lambda m: m.layer4[-1], 224),
    "DenseNet121": ("densenet121", lambda m: m.features.norm5, 224),
    "MobileNetV2": ("mobilenetv2_100", lambda m: m.bn2, 224),
    "EfficientClassification": (None, lambda m: m.resnet.layer4[-1], 512),
}
MODES = {"plain": (False, False), "aug_smooth": (True, False), "eigen_smooth": (False, True), "both": (True, True)}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="ResNet18")
    parser.add_argument("--engines", default="native,torch,openvino")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def pin(threads):
    """Before NumPy and torch read these."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])


def reference_network(name):
    import timm
    from oracle_networks import EfficientClassification, trained

    import torch

    timm_name, layer, size = NETWORKS[name]
    x = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    model = timm.create_model(timm_name, num_classes=2) if timm_name else EfficientClassification()
    model = trained(model, torch.cat([x, x.flip(2)]))
    return model, layer(model), x


def contenders(args, model, layer, x):
    """name: a function of (aug_smooth, eigen_smooth) to the map."""
    from ichdet import attribution, nn
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    from safetensors.torch import save_file

    package = GradCAM(model=model, target_layers=[layer])

    def grad_cam(cut_short, aug_smooth, eigen_smooth):
        model.requires_grad_(not cut_short)
        layer.requires_grad_()
        return package(x, [ClassifierOutputTarget(1)], aug_smooth=aug_smooth, eigen_smooth=eigen_smooth)

    def plainly(aug_smooth, eigen_smooth):
        return attribution.grad_cam(model.forward_features, model.forward_head, x, 1, aug_smooth=aug_smooth,
                                    eigen_smooth=eigen_smooth).numpy()

    found = {"grad-cam": lambda a, e: grad_cam(False, a, e), "grad-cam, cut short": lambda a, e: grad_cam(True, a, e),
             "ichdet, PyTorch's own features": plainly}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, file)
        for engine in args.engines.split(","):
            for precision in ("float32", "bfloat16"):
                network = nn.create(args.network, {"num_classes": 2}, engine=engine, precision=precision,
                                    threads=args.threads)
                network.load_state_dict(file)
                ran = network.preparation(list(x.shape))
                if ran.engine != engine:
                    print(f"left out: {engine} {precision}: {ran.reason}", file=sys.stderr)
                    continue
                found[f"ichdet, {engine} {precision}"] = lambda a, e, n=network: attribution.grad_cam(
                    n, x, 1, aug_smooth=a, eigen_smooth=e).numpy()
    return found


def compare(found):
    """Largest difference from grad-cam's map, and the correlation with it, by contender and mode."""
    import numpy as np
    from test_attribution import fixed_sign

    gaps = {}
    for mode, smoothing in MODES.items():
        with fixed_sign():
            expected = found["grad-cam"](*smoothing)
        assert expected.std() > 0.05, "the reference map is empty"
        for name, call in found.items():
            if name.startswith("grad-cam"):
                continue
            map_ = call(*smoothing)
            gap = float(np.abs(map_ - expected).max())
            correlation = float(np.corrcoef(map_.ravel(), expected.ravel())[0, 1])
            gaps[f"{name}, {mode}"] = {"largest": gap, "correlation": correlation}
            if "bfloat16" not in name and gap > (2e-3 if "native" in name else 1e-4):
                sys.exit(f"{name}, {mode}: differs from grad-cam by {gap:.2g}")
    return gaps


def gemm():
    """The machine's own rate, GFLOP/s: 2048 x 2048."""
    import torch

    rates = []
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            a @ b
            best = min(best, time.perf_counter() - start)
        rates.append(2 * 2048**3 / best / 1e9)
    return rates


def main():
    args = arguments()
    pin(args.threads)
    import oracles  # noqa: F401
    import torch

    torch.set_num_threads(args.threads)
    model, layer, x = reference_network(args.network)
    found = contenders(args, model, layer, x)
    gaps = compare(found)
    times = {name: {} for name in found}
    for _ in range(args.repeat):
        for mode, smoothing in MODES.items():
            for name, call in found.items():
                start = time.perf_counter()
                call(*smoothing)
                seconds = time.perf_counter() - start
                times[name][mode] = min(seconds, times[name].get(mode, seconds))
    print(f"{args.network}, {' x '.join(map(str, x.shape))}, {args.threads} thread(s), ms, and times grad-cam's speed; "
          "GEMM {:.0f} GFLOP/s in float32, {:.0f} in bfloat16".format(*gemm()))
    print(f"{'':34}" + "".join(f"{mode:>18}" for mode in MODES) + "   largest difference, least correlation")
    for name, row in times.items():
        cells = "".join(f"{s * 1e3:10.1f} {times['grad-cam'][mode] / s:6.1f}x" for mode, s in row.items())
        of_name = [gap for key, gap in gaps.items() if key.startswith(name + ",")]
        if of_name:
            cells += f"   {max(g['largest'] for g in of_name):.1e} {min(g['correlation'] for g in of_name):.5f}"
        print(f"{name:34}{cells}")
    if args.json:
        told = {"network": args.network, "threads": args.threads, "seconds": times, "gaps": gaps}
        args.json.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
