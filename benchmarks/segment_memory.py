#!/usr/bin/env python3
"""Peak memory of a large study: 512 x 512 x 320 voxels of 0.5 mm, 7 classes, 8 mirrors.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/segment_memory.py [--whole] [--patch 128] [--overlap 0.5]

The network is a cheap stand-in, since a real one takes hours; its own memory is in the figures. Everything around it is
what a real one gets: HU normalised patch by patch, patches of 128 x 128 x 128 that overlap by half, nnU-Net's weights,
the mean of eight mirrors' logits, softmax. `label` keeps labels and blood probability (what Detector uses), `--whole`
the map of all classes. Scan and bundle are made by another process; each figure is VmHWM of a process of its own.
"""
import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from process import mib

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "python"))
SHAPE = (320, 512, 512)


def make(folder, patch, overlap):
    import numpy as np
    import torch
    from monai.networks.nets import DynUNet

    import ichdet
    from segmentation_bundles import write_bundle

    stack = ichdet.phantom(seed=1, rows=256, columns=256, pixel_mm=1, slices=80, thickness_mm=2, subsamples=1,
                           hemorrhages=[ichdet.Hemorrhage("iph", 30)]).stack
    grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 2]).with_spacing([0.5, 0.5, 0.5])
    volume = ichdet.resample_to(stack, grid)
    hu = np.pad(volume.hu, [(0, max(0, n - m)) for n, m in zip(SHAPE, volume.hu.shape)], mode="edge")
    np.save(folder / "hu.npy", np.ascontiguousarray(hu[tuple(slice(0, n) for n in SHAPE)]))

    torch.manual_seed(0)
    options = {"kernel_size": [[1, 1, 1]] * 3, "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]], "filters": [2, 4, 4],
               "upsample_kernel_size": [[2, 2, 2], [2, 2, 2]], "in_channels": 1, "out_channels": 7}
    network = DynUNet(3, norm_name=("INSTANCE", {"affine": True}), res_block=False, **options)
    flips = [[axis for axis, flip in zip("zyx", bits) if flip] for bits in itertools.product((0, 1), repeat=3)]
    write_bundle(folder / "bundle", network, "DynUNet", {**options, "norm": "instance", "deep_supervision": False,
                                                         "res_block": False, "trans_bias": False},
                 classes=["background", *"abcdef"],
                 input={"spacing_mm": [0.5, 0.5, 0.5], "orientation": "LPS",
                        "channels": [{"clip_hu": [-50, 150], "scale_to": [0, 1]}]},
                 patch={"input": [patch] * 3, "output": [patch] * 3, "step": 0, "padding": "zero", "overlap": overlap,
                        "blending": "nnunet gaussian"},
                 procedure={"merge": "logits", "test_time": [{"flip": flip} for flip in flips]})


def measure(folder, whole, threads):
    import numpy as np

    import ichdet
    from ichdet import nn

    libraries = mib("VmHWM")
    hu = np.load(folder / "hu.npy")
    volume = ichdet.Volume(hu, ichdet.Geometry(list(SHAPE[::-1]), np.diag([0.5, 0.5, 0.5, 1.0])))
    segmenter = nn.Segmenter([folder / "bundle"], threads=threads, precision="float32", engine="torch")
    before = mib("VmHWM")
    start = time.perf_counter()
    found = segmenter(volume) if whole else segmenter.label(volume)
    print(json.dumps({"what": "whole map" if whole else "label", "libraries_mib": libraries, "with_scan_mib": before,
                      "peak_mib": mib("VmHWM"), "seconds": time.perf_counter() - start,
                      "patches": found.inference.patches, "skipped": found.inference.patches_skipped}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--patch", type=int, default=128)
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        make(args.make, args.patch, args.overlap)
    elif args.measure:
        measure(args.measure, args.whole, args.threads)
    else:
        with tempfile.TemporaryDirectory() as folder:
            for step in ("--make", "--measure"):
                options = [f"--{name}={getattr(args, name)}" for name in ("patch", "overlap", "threads")]
                subprocess.run([sys.executable, __file__, step, folder, *options, *["--whole"] * args.whole], check=True)


if __name__ == "__main__":
    main()
