#!/usr/bin/env python3
"""XRAI of a slice as a whole: ichdet against the Python package saliency 0.2.1, same weights, same order of regions.

    PYTHONPATH=build/python:tests/python .venv-oracles/bin/python benchmarks/xrai.py [--repeat 2]

ResNet-18 of random weights (tests/python/oracle_networks.py), one smooth image of 224 x 224, 100 steps from black and
from white, `--threads` threads pinned to as many cores. saliency calls PyTorch's own network for one step at a time, as
it does by default, and for eight. Before anything is timed, told of each: whether all pixels are of the same region in
the order, the share that is, the heat map's largest difference and its correlation. In float32 by LibTorch the heat
maps have to correlate by 0.999. All run in turn, `--repeat` times; the least time counts.
"""
import argparse
import json
import sys
import time
from pathlib import Path

from grad_cam import gemm, pin
from path_methods import SIZE, TARGET, networks


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", default="native,torch")
    parser.add_argument("--algorithm", choices=["full", "fast"], default="full")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def contenders(args, model, x):
    """name: a function to (heat map, ranks, areas)."""
    import numpy as np
    import saliency.core as saliency
    from ichdet import attribution
    from test_path_methods import call_model, channels_last

    image, call = channels_last(x[0]), call_model(model, TARGET)

    def package(batch):
        parameters = saliency.XRAIParameters(steps=args.steps, return_xrai_segments=True, algorithm=args.algorithm)
        found = saliency.XRAI().GetMaskWithDetails(image, call, batch_size=batch, extra_parameters=parameters)
        return found.attribution_mask, found.segments

    def ours(explained):
        found = attribution.xrai(explained, x, steps=args.steps, algorithm=args.algorithm).regions[0]
        return found.heat_map.numpy(), found.ranks.numpy()

    named = {"saliency": lambda: package(1), f"saliency, {args.batch} steps at once": lambda: package(args.batch)}
    for name, explained in networks(args, model).items():
        named["ichdet, " + name] = lambda e=explained: ours(e)
    assert np.ptp(image) > 0
    return named


def compare(found):
    import numpy as np

    results = {name: call() for name, call in found.items()}
    heat, ranks = results["saliency"]
    gaps = {}
    for name, (other_heat, other_ranks) in results.items():
        gaps[name] = {"same order": bool(np.array_equal(ranks, other_ranks)),
                      "pixels of the same rank": float((ranks == other_ranks).mean()),
                      "largest": float(np.abs(heat - other_heat).max() / np.abs(heat).max()),
                      "correlation": float(np.corrcoef(heat.ravel(), other_heat.ravel())[0, 1])}
        if gaps[name]["correlation"] < 0.999 and "torch float32" in name:
            sys.exit(f"{name}: differs from saliency: {gaps[name]}")
    return gaps


def main():
    args = arguments()
    pin(args.threads)
    import oracles  # noqa: F401
    import timm
    import torch
    from oracle_networks import trained
    from test_xrai import smooth

    torch.set_num_threads(args.threads)
    x = torch.from_numpy(smooth(SIZE, SIZE, 3, sigma=4)).permute(2, 0, 1)[None].contiguous().float()
    x = (x - x.mean()) / x.std()
    model = trained(timm.create_model("resnet18", num_classes=2), torch.cat([x, x.flip(2)]))
    found = contenders(args, model, x)
    gaps = compare(found)
    times = {}
    for _ in range(args.repeat):
        for name, call in found.items():
            start = time.perf_counter()
            call()
            times[name] = min(time.perf_counter() - start, times.get(name, float("inf")))
    print(f"XRAI, {args.algorithm}, ResNet-18, {SIZE} x {SIZE}, {args.steps} steps, {args.threads} thread(s); "
          "GEMM {:.0f} GFLOP/s in float32, {:.0f} in bfloat16".format(*gemm()))
    print(f"{'':36}{'s':>8}{'ratio':>8}  same order  same rank  largest difference  correlation")
    for name, seconds in times.items():
        gap = gaps[name]
        print(f"{name:36}{seconds:8.2f}{times['saliency'] / seconds:7.1f}x  {str(gap['same order']):10}"
              f"  {gap['pixels of the same rank']:9.4f}  {gap['largest']:18.1e}  {gap['correlation']:11.6f}")
    if args.json:
        args.json.write_text(json.dumps({"algorithm": args.algorithm, "seconds": times, "gaps": gaps}))


if __name__ == "__main__":
    main()
