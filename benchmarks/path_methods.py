#!/usr/bin/env python3
"""Attributions of a slice: ichdet against the Python package saliency 0.2.1, same weights, same maps.

    PYTHONPATH=build/python:tests/python .venv-oracles/bin/python benchmarks/path_methods.py [--repeat 3] [--steps 10]

ResNet-18 of random weights (tests/python/oracle_networks.py), one image of 224 x 224, `--threads` threads pinned to as
many cores, `--batch` inputs at a time on both sides where saliency knows batches. Few steps, samples and windows: all
methods' times go with their number. RISE is not in saliency: its peer is the paper's formula in a few lines of PyTorch, given
the same masks.

Outputs are compared before anything is timed, by correlation: in float32 above 0.999. Differences of single values are
told; gradients of ReLU networks jump where rounding takes a value across 0, as another size of batch does already.
Guided IG chooses its path by which gradients are small, so that their rounding decides where it leads: its correlation
is only told. tests/python/test_path_methods.py has the methods themselves equal within 1e-5 in float64.

All run in turn, `--repeat` times; the least
time counts. An engine that is not installed is left out.
"""
import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from grad_cam import pin

SIZE, TARGET = 224, 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="native,torch")
    parser.add_argument("--methods", help="all, or some, separated by commas")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def peers(args, model, x, noise, masks):
    """method: saliency's array, (channel, y, x) or (y, x)."""
    import numpy as np
    import saliency.core as saliency
    import torch
    from test_path_methods import call_model, channels_last, saliency_smoothed, with_interpolation

    image, call = channels_last(x[0]), call_model(model, TARGET)

    def first(array):
        return np.moveaxis(array, -1, 0)

    def guided():
        with with_interpolation():
            return first(saliency.GuidedIG().GetMask(image, call, x_steps=args.steps))

    def rise():
        total = torch.zeros(SIZE, SIZE)
        with torch.no_grad():
            for some in masks.split(args.batch):
                total += torch.tensordot(model(x * some[:, None])[:, TARGET], some, 1)
        return (total / (0.5 * len(masks))).numpy()

    return {
        "gradients": lambda: first(saliency.GradientSaliency().GetMask(image, call)),
        "smooth-gradients": lambda: first(saliency_smoothed(saliency.GradientSaliency(), image, call, noise)),
        "integrated-gradients": lambda: first(saliency.IntegratedGradients().GetMask(
            image, call, x_steps=args.steps, batch_size=args.batch)),
        "guided-ig": guided,
        "blur-ig": lambda: first(saliency.BlurIG().GetMask(
            image.astype(np.float64), call, steps=args.steps, batch_size=args.batch)),
        "occlusion": lambda: saliency.Occlusion().GetMask(image, call, size=SIZE - 7)[..., 0],
        "rise": rise,
    }


def ours(args, explained, x, noise, masks):
    from ichdet import attribution

    return {
        "gradients": lambda: attribution.gradients(explained, x)[0].numpy(),
        "smooth-gradients": lambda: attribution.smooth_gradients(explained, x, noise=noise)[0].numpy(),
        "integrated-gradients": lambda: attribution.integrated_gradients(
            explained, x, "zero", steps=args.steps).values[0].numpy(),
        "guided-ig": lambda: attribution.guided_ig(explained, x, "zero", steps=args.steps).values[0].numpy(),
        "blur-ig": lambda: attribution.blur_ig(explained, x, steps=args.steps).values[0].numpy(),
        "occlusion": lambda: attribution.occlusion(
            explained, x, "zero", size=SIZE - 7, stride=1, mean=False)[0].numpy(),
        "rise": lambda: attribution.rise(explained, x, "zero", masks=len(masks))[0].numpy(),
    }


def networks(args, model):
    """name: Explained."""
    from ichdet import attribution, nn
    from safetensors.torch import save_file

    found = {"PyTorch's own network": attribution.Explained(model, TARGET, batch=args.batch)}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, file)
        for engine in args.engines.split(","):
            for precision in ("float32", "bfloat16"):
                network = nn.create("ResNet18", {"num_classes": 2}, engine=engine, precision=precision,
                                    threads=args.threads)
                network.load_state_dict(file)
                ran = network.preparation([1, 3, SIZE, SIZE])
                if ran.engine != engine:
                    print(f"left out: {engine} {precision}: {ran.reason}", file=sys.stderr)
                    continue
                found[f"{engine} {precision}"] = attribution.Explained(network, TARGET, batch=args.batch)
    return found


def compare(name, method, found, expected):
    """Largest difference by the largest magnitude, and the correlation."""
    import numpy as np

    assert found.shape == expected.shape and np.abs(expected).max() > 0, f"{method}: the reference says something"
    gap = float(np.abs(found - expected).max() / np.abs(expected).max())
    correlation = float(np.corrcoef(found.ravel(), expected.ravel())[0, 1])
    if correlation < 0.999 and "bfloat16" not in name and method != "guided-ig":
        sys.exit(f"{name}, {method}: differs from its peer by {gap:.2g}, correlation {correlation:.5f}")
    return {"largest": gap, "correlation": correlation}


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    args = arguments()
    pin(args.threads)
    import oracles  # noqa: F401
    import timm
    import torch
    from oracle_networks import trained

    from ichdet import attribution

    torch.set_num_threads(args.threads)
    x = torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    model = trained(timm.create_model("resnet18", num_classes=2), torch.cat([x, x.flip(2)]))
    noise = torch.randn(args.steps, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    masks = attribution.rise_masks((SIZE, SIZE), 0, 8 * args.steps)
    all_peers = peers(args, model, x, noise, masks)
    if args.methods:
        all_peers = {method: all_peers[method] for method in args.methods.split(",")}
    all_ours = {name: ours(args, explained, x, noise, masks) for name, explained in networks(args, model).items()}
    told = {}
    for method, peer in all_peers.items():
        expected = peer()
        gaps = {name: compare(name, method, calls[method](), expected) for name, calls in all_ours.items()}
        rounds = [{"peer": timed(peer), **{name: timed(calls[method]) for name, calls in all_ours.items()}}
                  for _ in range(args.repeat)]
        seconds = {name: min(one[name] for one in rounds) for name in rounds[0]}
        told[method] = {"seconds": seconds, "gaps": gaps}
        print(f"{method}: peer {seconds.pop('peer'):.3f} s")
        for name, spent in seconds.items():
            print(f"  {name:24}{spent:9.3f} s{min(one['peer'] for one in rounds) / spent:7.1f}x   differs by "
                  f"{gaps[name]['largest']:.1e}, correlation {gaps[name]['correlation']:.5f}")
    if args.json:
        args.json.write_text(json.dumps(told))


if __name__ == "__main__":
    main()
