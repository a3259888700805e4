#!/usr/bin/env python3
"""BLAST-CT v1, one member, one scan: seconds and peak memory, ichdet against the Python package blast-ct.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/blast_ct_speed.py [--scan head_ct_ge_tilt] [--threads 2]

Both get the same float32 volume at 1 mm and the same weights, on the same number of threads, with denormals flushed.
Outputs are compared first. Each runs in a process of its own, in turn, `--repeat` times; the least time counts. The
package's time is that of its patches through its network and softmax alone (110 voxels to 30, as it ships; 140 to 60
for information): `--tiles` of them, spread over the scan, times their number (all cost the same), or with `--full` all
of them. ichdet's is its segmenter's from the volume to probabilities, loading aside, in its head box.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))


def peak_mib():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))


def package_network(data):
    import torch

    sys.modules.setdefault("torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=None))
    from blast_ct.read_config import get_model

    network = get_model(json.loads((data / "config.json").read_text()))
    network.load_state_dict(torch.load(data / "model_1.pt", map_location="cpu", weights_only=True))
    return network.eval()


def package_patches(hu, patch):
    """The package's own patch places, and a function that cuts one."""
    from blast_ct.nifti.datasets import FullImageToOverlappingPatchesNiftiDataset as Dataset
    from blast_ct.nifti.patch_samplers import PatchSampler

    image = ((2 * np.clip(hu, -15, 100) + 15 - 100) / 115).astype(np.float32)[None]
    output = (patch - 80,) * 3
    sampler = PatchSampler((patch,) * 3, output)
    centres = Dataset.get_center_points(hu.shape, output)
    return centres, lambda centre: sampler.get_image_patch(image, centre)[None]


def run_package(args, hu, patch):
    import torch

    torch.set_flush_denormal(True)  # before the pool of threads is made: its threads inherit the flags
    torch.set_num_threads(args.threads)
    network = package_network(args.data)
    centres, cut = package_patches(hu, patch)
    chosen = centres if args.full else [centres[int((i + 0.5) * len(centres) / args.tiles)] for i in range(args.tiles)]
    with torch.inference_mode():
        torch.softmax(network(torch.from_numpy(cut(chosen[0])))[0], 1)  # first call apart
        start, cpu = time.perf_counter(), time.process_time()
        for centre in chosen:
            torch.softmax(network(torch.from_numpy(cut(centre)))[0], 1)
        share = len(centres) / len(chosen)
        seconds, cpu = (time.perf_counter() - start) * share, (time.process_time() - cpu) * share
    return {"seconds": seconds, "cpu_s": cpu, "peak_mib": peak_mib(), "tiles": len(centres)}


def run_ichdet(args, hu):
    import ichdet
    import ichdet.nn

    segmenter = ichdet.nn.Segmenter([args.bundle], threads=args.threads)
    volume = ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 1]))
    start, cpu = time.perf_counter(), time.process_time()
    segmenter(volume)
    return {"seconds": time.perf_counter() - start, "cpu_s": time.process_time() - cpu, "peak_mib": peak_mib(),
            "box": ichdet.nn.head_box(volume, -15)[1]}


def compare(args, hu):
    """Largest difference of the probabilities of the patch in the scan's middle."""
    import ichdet.nn
    import torch

    torch.set_flush_denormal(True)
    centres, cut = package_patches(hu, 110)
    x = cut(centres[len(centres) // 2])
    with torch.inference_mode():
        expected = torch.softmax(package_network(args.data)(torch.from_numpy(x))[0], 1)
        found = torch.softmax(torch.from_numpy(ichdet.nn.Network(args.bundle)(x)), 1)
    return {"largest_difference": float((found - expected).abs().max())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", default="head_ct_ge_tilt", help="head_ct_ge_tilt, or a study of phe_sich")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--tiles", type=int, default=8)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--job", nargs=3, metavar=("WHAT", "VOLUME", "BUNDLE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.data = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data")) / "blast_ct_v1"
    if args.job:
        what, volume, args.bundle = args.job
        hu = np.load(volume)
        jobs = {"compare": lambda: compare(args, hu), "package 110": lambda: run_package(args, hu, 110),
                "package 140": lambda: run_package(args, hu, 140), "ichdet": lambda: run_ichdet(args, hu)}
        print(json.dumps(jobs[what]()))
        return

    import SimpleITK as sitk
    import make_blast_reference as reference
    from blast_ct.nifti.rescale import rescale

    image = (reference.tilted_series(args.data.parent / args.scan) if args.scan == "head_ct_ge_tilt"
             else rescale([1.0, 1.0, 1.0], reference.patient(args.scan)))
    with tempfile.TemporaryDirectory() as work:
        np.save(Path(work) / "hu.npy", sitk.GetArrayFromImage(image).astype(np.float32))
        data = args.data
        subprocess.run([sys.executable, ROOT / "python/ichdet/convert/blast_ct.py", data / "model_1.pt", "--config",
                        data / "config.json", "--licence", data / "LICENSE.txt", "--out", work, "--name", "bundle"],
                       check=True, stdout=subprocess.DEVNULL)

        def job(what):
            command = [sys.executable, __file__, "--threads", str(args.threads), "--tiles", str(args.tiles),
                       *(["--full"] if args.full else []), "--job", what, f"{work}/hu.npy", f"{work}/bundle"]
            done = subprocess.run(command, check=True, capture_output=True, text=True,
                                  env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})
            return json.loads(done.stdout.splitlines()[-1])

        print(f"{args.scan}, {image.GetSize()} voxels, {args.threads} threads")
        print("outputs:", job("compare"))
        best = {}
        for _ in range(args.repeat):
            for what in ("package 110", "ichdet", "package 140"):
                result = job(what)
                if what not in best or result["seconds"] < best[what]["seconds"]:
                    best[what] = result
        for what, result in best.items():
            extra = f"{result['tiles']} tiles" if "tiles" in result else f"box {result['box']}"
            print(f"{what:12} {result['seconds']:8.1f} s  {result['cpu_s']:8.1f} s of CPU  {result['peak_mib']:7.0f} MiB  {extra}")
        print(f"ichdet is {best['package 110']['seconds'] / best['ichdet']['seconds']:.2f} times faster")


if __name__ == "__main__":
    main()
