#!/usr/bin/env python3
"""BLAST-CT v1 on a scan: seconds and peak memory, ichdet against the Python package blast-ct.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/blast_ct_speed.py [--scan phantom:iph:30] [--threads 1]

SCAN is head_ct_ge_tilt, a study of phe_sich, or a phantom: phantom:none, phantom:iph:30 (type and mL).

All get the same float32 volume at 1 mm and the same weights, on the same number of threads, pinned to as many cores.
Outputs are compared first: the probabilities of the patch in the scan's middle, then, once all have run, the volumes of
each class against ichdet's float32. Each runs in a process of its own, in turn, `--repeat` times; the least time counts.
The package's time is that of its patches through its network and softmax alone (110 voxels to 30, as it ships; 140 to 60
for information), as published and with denormals flushed: `--tiles` of them, spread over the scan, times their number,
or with `--full` all of them. ichdet's is its segmenter's, from the volume to probabilities, loading aside. The machine's
own GEMM rate (LibTorch, 2048 x 2048) stands beside them.
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
from process import mib

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
DATA = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data"))

# name: (kind, settings)
CONTENDERS = {
    "package, as published": ("package", {"patch": 110, "flush": False}),
    "package": ("package", {"patch": 110, "flush": True}),
    "package, 140-voxel tiles": ("package", {"patch": 140, "flush": True}),
    "float32": ("ichdet", {"precision": "float32"}),
    "adaptive": ("ichdet", {"precision": "adaptive"}),
    "bfloat16": ("ichdet", {"precision": "bfloat16"}),
    "float32, brain": ("ichdet", {"precision": "float32", "region": "brain"}),
    "adaptive, brain": ("ichdet", {"precision": "adaptive", "region": "brain"}),
    "OpenVINO float32, brain": ("ichdet", {"precision": "float32", "region": "brain", "engine": "openvino"}),
    "OpenVINO bfloat16, brain": ("ichdet", {"precision": "bfloat16", "region": "brain", "engine": "openvino"}),
    "twelve members, adaptive": ("ichdet", {"precision": "adaptive", "members": 12}),
    "twelve members, adaptive, brain": ("ichdet", {"precision": "adaptive", "region": "brain", "members": 12}),
}
DEFAULT = ["package", "package, 140-voxel tiles", "float32", "adaptive", "float32, brain", "adaptive, brain"]


def package_network():
    import torch

    sys.modules.setdefault("torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=None))
    from blast_ct.read_config import get_model

    data = DATA / "blast_ct_v1"
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


def run_package(args, hu, patch, flush):
    import torch

    torch.set_flush_denormal(flush)  # before the pool of threads is made: its threads inherit the flags
    torch.set_num_threads(args.threads)
    network = package_network()
    centres, cut = package_patches(hu, patch)
    tiles = args.tiles if flush else 1
    full = args.full and flush
    chosen = centres if full else [centres[int((i + 0.5) * len(centres) / tiles)] for i in range(tiles)]
    with torch.inference_mode():
        if flush:
            torch.softmax(network(torch.from_numpy(cut(chosen[0])))[0], 1)  # first call apart
        start, cpu = time.perf_counter(), time.process_time()
        for centre in chosen:
            torch.softmax(network(torch.from_numpy(cut(centre)))[0], 1)
        share = len(centres) / len(chosen)
        seconds, cpu = (time.perf_counter() - start) * share, (time.process_time() - cpu) * share
    note = f"{len(centres)} tiles" + ("" if full else f", {len(chosen)} of them scaled up")
    return {"seconds": seconds, "cpu_s": cpu, "peak_mib": mib(), "note": note}


def run_ichdet(args, hu, precision, region="head", engine="auto", members=1):
    import ichdet
    import ichdet.nn

    bundles = sorted(Path(args.bundles).iterdir())[:members]
    segmenter = ichdet.nn.Segmenter(bundles, threads=args.threads, precision=precision, region=region, engine=engine)
    volume = ichdet.Volume(hu, ichdet.Geometry.aligned(hu.shape[::-1], [1, 1, 1]))
    start, cpu = time.perf_counter(), time.process_time()
    found = segmenter(volume)
    seconds, cpu, peak = time.perf_counter() - start, time.process_time() - cpu, mib()
    ran = found.inference
    note = f"{ran.voxels / 1e6:.2f} M voxels, {seconds / ran.voxels * 1e6 / members:.2f} us each"
    if ran.float32_again:
        note += f", {ran.float32_again / 1e6:.2f} M in float32 again"
    if engine != "auto":
        note += f", {ran.prepare_s:.1f} s of it preparation"
        if ran.engine != engine:
            note += f"; ran on {ran.engine}: {ran.reason}"
    labels = found.probabilities.argmax(0)
    millilitres = {name: float((labels == i).sum() / 1000) for i, name in enumerate(segmenter.classes) if i}
    return {"seconds": seconds, "cpu_s": cpu, "peak_mib": peak, "note": note, "volumes_ml": millilitres}


def compare(args, hu):
    """Largest difference of the probabilities of the patch in the scan's middle from the package's."""
    import ichdet.nn
    import torch

    torch.set_flush_denormal(True)
    centres, cut = package_patches(hu, 110)
    x = cut(centres[len(centres) // 2])
    bundle = sorted(Path(args.bundles).iterdir())[0]
    with torch.inference_mode():
        expected = torch.softmax(package_network()(torch.from_numpy(x))[0], 1)
        gaps = {}
        for precision in ("float32", "bfloat16"):
            found = torch.softmax(torch.from_numpy(ichdet.nn.Network(bundle, precision=precision)(x)), 1)
            gaps[precision] = float((found - expected).abs().max())
    return gaps


def gemm(args):
    import torch

    torch.set_num_threads(args.threads)
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = (torch.randn(2048, 2048).to(dtype) for _ in range(2))
        best = float("inf")
        for _ in range(10):
            start = time.perf_counter()
            a @ b
            best = min(best, time.perf_counter() - start)
        rates[str(dtype).removeprefix("torch.")] = 2 * 2048**3 / best / 1e9
    return rates


def read_scan(name, work):
    """The scan at 1 mm, as the package reads it."""
    if name.startswith("phantom:"):
        import ichdet

        kind, *ml = name.split(":")[1:]
        blood = [] if kind == "none" else [ichdet.Hemorrhage(kind, float(ml[0]))]
        stack = ichdet.phantom(seed=3, hemorrhages=blood).stack
        grid = ichdet.segmentation_grid(stack.geometry, [1, 1, 1])
        return ichdet.resample_to(stack, grid, outside=float(stack.hu.min())).hu
    import make_blast_reference as reference
    import SimpleITK as sitk
    from blast_ct.nifti.rescale import rescale

    image = (reference.tilted_series(DATA / name) if name == "head_ct_ge_tilt"
             else rescale([1.0, 1.0, 1.0], reference.patient(name)))
    return sitk.GetArrayFromImage(image)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", default="head_ct_ge_tilt", help="see above (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--tiles", type=int, default=8, help="of the package's, scaled up to all")
    parser.add_argument("--full", action="store_true", help="all of the package's tiles")
    parser.add_argument("--who", nargs="+", metavar="NAME", default=DEFAULT, choices=CONTENDERS,
                        help="which contenders; all: " + "; ".join(CONTENDERS))
    parser.add_argument("--json", type=Path, help="file to write the results to as well")
    parser.add_argument("--job", nargs=3, metavar=("WHAT", "VOLUME", "BUNDLES"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        what, volume, args.bundles = args.job
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
        hu = np.load(volume)
        if what in CONTENDERS:
            kind, settings = CONTENDERS[what]
            print(json.dumps((run_package if kind == "package" else run_ichdet)(args, hu, **settings)))
        else:
            print(json.dumps(compare(args, hu) if what == "compare" else gemm(args)))
        return

    with tempfile.TemporaryDirectory() as work:
        np.save(Path(work) / "hu.npy", np.ascontiguousarray(read_scan(args.scan, work), np.float32))
        shape = np.load(Path(work) / "hu.npy", mmap_mode="r").shape
        data = DATA / "blast_ct_v1"
        subprocess.run([sys.executable, ROOT / "python/ichdet/convert/blast_ct.py", *sorted(data.glob("model_*.pt")),
                        "--config", data / "config.json", "--licence", data / "LICENSE.txt", "--out", f"{work}/bundles"],
                       check=True, stdout=subprocess.DEVNULL)

        def job(what):
            command = [sys.executable, __file__, "--threads", str(args.threads), "--tiles", str(args.tiles),
                       *(["--full"] if args.full else []), "--job", what, f"{work}/hu.npy", f"{work}/bundles"]
            done = subprocess.run(command, capture_output=True, text=True,
                                  env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})
            if done.returncode:
                sys.exit(f"{what}: failed\n{done.stderr}")
            return json.loads(done.stdout.splitlines()[-1])

        rates = job("gemm")
        print(f"{args.scan}, {' x '.join(map(str, shape))} voxels of 1 mm, {args.threads} threads; GEMM "
              + ", ".join(f"{rate:.0f} GFLOP/s in {name}" for name, rate in rates.items()))
        gaps = job("compare")
        print("largest difference of a patch's probabilities from the package's:",
              ", ".join(f"{gap:.1e} in {name}" for name, gap in gaps.items()), flush=True)
        best = {}
        for _ in range(args.repeat):
            for what in args.who:
                result = job(what)
                if what not in best or result["seconds"] < best[what]["seconds"]:
                    best[what] = result
                print(f"  {what}: {result['seconds']:.1f} s", file=sys.stderr, flush=True)
        width = max(map(len, best))
        for what, result in best.items():
            ratio = f"{best['package']['seconds'] / result['seconds']:6.2f} x" if "package" in best else ""
            print(f"{what:{width}} {result['seconds']:8.1f} s {result['cpu_s']:8.1f} s of CPU "
                  f"{result['peak_mib']:6.0f} MiB {ratio}  {result['note']}")
        for what, result in best.items():
            if "volumes_ml" in result:
                print(f"{what:{width}}", ", ".join(f"{name} {ml:.3f}" for name, ml in result["volumes_ml"].items()), "mL")
        if args.json:
            args.json.write_text(json.dumps({"scan": args.scan, "shape": shape, "threads": args.threads, "gemm": rates,
                                             "differences": gaps, "results": best}, indent=1) + "\n")


if __name__ == "__main__":
    main()
