"""The engines of skull strip on real scans and a phantom: millilitres, Dice, seconds, peak memory.

    tools/compare_skull_strips.py MINDGRAB_BUNDLE INPUT... --phantom 11

MINDGRAB_BUNDLE is what `ichdet import mindgrab` made; each INPUT a DICOM folder, a DICOM file or a NIfTI file; --phantom
adds one, whose brain is known. Dice is that with MindGrab's mask, with the classical one and with the truth. Seconds
and memory are those of a whole `ichdet strip`, reading and writing included. Masks, pictures and figures stay in --out,
and what lies there from before is not made again.
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

import ichdet

ENGINES = ("classical", "unet3d", "mindgrab")


def strip(source, engine, out, options):
    """What `ichdet strip` says and what it took, and its mask."""
    figures = out / "figures.json"
    if not figures.exists():
        command = [options.binary, "strip", source, "-o", out, "--engine", engine, "--threads", options.threads]
        bundle = {"mindgrab": options.bundle, "unet3d": options.student}.get(engine)
        command += ["--json", *(["--bundle", bundle] if bundle else [])]
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            raise SystemExit(f"{source}: ichdet strip --engine {engine} failed")
        took = {"wall_s": time.perf_counter() - start, "cpu_s": usage.ru_utime + usage.ru_stime}
        figures.write_text(json.dumps(json.loads(text) | took | {"peak_mib": usage.ru_maxrss / 1024}))
    mask = np.asarray(ichdet.read_nifti_labels(out / "brain_mask.nii.gz").labels) == 1
    return json.loads(figures.read_text()), mask


def write_phantom(seed, folder):
    """A scan without blood, and where its brain is."""
    made = ichdet.phantom(seed=seed, threads=1)
    grid = made.stack.geometry.nominal()
    scan, truth = folder / f"phantom-{seed}.nii.gz", folder / f"phantom-{seed}_truth.nii.gz"
    inside = (np.asarray(made.anatomy.depth_mm) > 0).astype(np.uint8)
    ichdet.write_nifti(scan, ichdet.Volume(made.stack.hu, grid))
    ichdet.write_nifti(truth, ichdet.LabelMap(inside, ["background", "brain"], grid))
    return scan, np.asarray(ichdet.read_nifti_labels(truth).labels) == 1


def dice(a, b):
    return 2 * (a & b).sum() / max(1, a.sum() + b.sum())


def compare(source, truth, options):
    """Prints a line for each engine; its Dice with MindGrab."""
    name = source.name.removesuffix(".nii.gz")
    masks, said = {}, {}
    for engine in ENGINES:
        said[engine], masks[engine] = strip(source, engine, options.out / f"{name}-{engine}", options)
    others = {"mindgrab": masks["mindgrab"], "classical": masks["classical"], "truth": truth}
    for engine in ENGINES:
        overlaps = [f"{dice(masks[engine], other):9.4f}" if other is not None and known != engine else f"{'':9}"
                    for known, other in others.items()]
        took = said[engine]
        print(f"{name:18} {engine:10} {took['volume_ml']:6.0f} {' '.join(overlaps)} "
              f"{took['wall_s']:7.1f} {took['cpu_s']:7.1f} {took['peak_mib']:6.0f}", flush=True)
    return {engine: dice(masks[engine], masks["mindgrab"]) for engine in ENGINES}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("inputs", type=Path, nargs="*")
    parser.add_argument("--phantom", type=int, help="the seed of one")
    parser.add_argument("--student", type=Path, help="a bundle for unet3d, in place of the one that came with ichdet")
    parser.add_argument("--binary", default="build/ichdet")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(tempfile.mkdtemp(prefix="skull_strip_")))
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    options.out.mkdir(parents=True, exist_ok=True)
    scans = [(source, None) for source in options.inputs]
    if options.phantom is not None:
        scans.append(write_phantom(options.phantom, options.out))
    print(f"{'scan':18} {'engine':10} {'mL':>6} {'MindGrab':>9} {'classical':>9} {'truth':>9} "
          f"{'wall s':>7} {'CPU s':>7} {'MiB':>6}")
    overlaps = [compare(source, truth, options) for source, truth in scans]
    for engine in ENGINES[:2]:
        found = [overlap[engine] for overlap in overlaps]
        print(f"{engine} with MindGrab: mean {np.mean(found):.4f}, median {np.median(found):.4f}, "
              f"least {min(found):.4f}")
    print(f"pictures: {options.out}/*/sheet.png")


if __name__ == "__main__":
    main()
