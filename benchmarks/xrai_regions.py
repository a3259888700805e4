#!/usr/bin/env python3
"""XRAI's regions of a given attribution: ichdet against the Python package saliency 0.2.1 and scikit-image.

    PYTHONPATH=build/python:tests/python .venv-oracles/bin/python benchmarks/xrai_regions.py [--size 224] [--repeat 3]

Three windows of a phantom's slice, and smooth noise, float32; an attribution of either sign. Segments, order and heat
map are compared before anything is timed, and have to be equal. One thread, pinned to one core; all run in turn,
`--repeat` times, and the least time counts. "felzenszwalb" is the image as it is, at six scales. "segments" is what
makes the masks, dilation included; "full" and "fast" are the regions of those masks; "all, ..." is both.
"""
import argparse
import os
import sys
import time

SCALES = [50, 100, 150, 250, 500, 1200]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--own-repeat", type=int, default=20, help="runs of ichdet for each of a peer's")
    return parser.parse_args()


def pin():
    """Before NumPy and torch read these."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])


def stages(image, attribution):
    """{stage: (the peer's function, ichdet's)}, after their outputs have been found equal."""
    import numpy as np
    from saliency.core import xrai as saliency
    from skimage import segmentation

    import torch
    from ichdet import attribution as own

    tensor, given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 0))), torch.from_numpy(attribution)
    masks, bits = saliency._get_segments_felzenszwalb(image), own.xrai_segments(tensor)
    if not np.array_equal(np.array(masks), bits.tensor().numpy()):
        sys.exit("other segments")
    if not np.array_equal([segmentation.felzenszwalb(image, scale, 0.8, 150) for scale in SCALES],
                          own.felzenszwalb(tensor, SCALES, 0.8, 150).numpy()):
        sys.exit("other labels")
    regions = {"full": saliency.XRAI._xrai, "fast": saliency.XRAI._xrai_fast}
    made = {
        "felzenszwalb": (
            lambda: [segmentation.felzenszwalb(image, scale, 0.8, 150) for scale in SCALES],
            lambda: own.felzenszwalb(tensor, SCALES, 0.8, 150)),
        "segments": (lambda: saliency._get_segments_felzenszwalb(image), lambda: own.xrai_segments(tensor)),
    }
    for name, call in regions.items():
        heat_map, ranks = call(attribution, masks)
        found = own.xrai_regions(given, bits, algorithm=name)
        if not (np.array_equal(heat_map, found.heat_map.numpy()) and np.array_equal(ranks, found.ranks.numpy())):
            sys.exit(f"other regions: {name}")
        made[name] = (lambda c=call: c(attribution, masks), lambda n=name: own.xrai_regions(given, bits, algorithm=n))
    for name, call in regions.items():
        made[f"all, {name}"] = (
            lambda c=call: c(attribution, saliency._get_segments_felzenszwalb(image)),
            lambda n=name: own.xrai_regions(given, own.xrai_segments(tensor), algorithm=n))
    return made, len(masks), found.ranks.max().item()


def images(size):
    import ichdet
    from scipy import ndimage
    from test_xrai import smooth, windows

    hu = ichdet.phantom(seed=3, hemorrhages=[ichdet.Hemorrhage("iph", 12)]).stack.hu
    return {"phantom": windows(ndimage.zoom(hu[len(hu) // 2], size / hu.shape[-1], order=1)),
            "noise": smooth(size, size, 3)}


def main():
    args = arguments()
    pin()
    import oracles  # noqa: F401
    import torch
    from test_xrai import signed_attribution

    torch.set_num_threads(1)
    attribution = signed_attribution((args.size, args.size), "float32")
    for kind, image in images(args.size).items():
        made, masks, regions = stages(image, attribution)
        print(f"{kind}, {args.size} x {args.size} x 3, {masks} masks, {regions} regions (fast): ms, outputs equal; "
              f"masks {masks * args.size**2 / 2**20:.1f} MiB in saliency, "
              f"{masks * args.size * -(-args.size // 64) * 8 / 2**20:.1f} in ichdet")
        least = {stage: [float("inf")] * 2 for stage in made}
        for _ in range(args.repeat):
            for stage, pair in made.items():
                for i, (call, runs) in enumerate(zip(pair, (1, args.own_repeat))):
                    for _ in range(runs):
                        start = time.perf_counter()
                        call()
                        least[stage][i] = min(least[stage][i], time.perf_counter() - start)
        for stage, (peer, own) in least.items():
            print(f"  {stage:14}{peer * 1e3:10.1f}{own * 1e3:9.2f}{peer / own:8.0f}x")


if __name__ == "__main__":
    main()
