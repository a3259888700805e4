#!/usr/bin/env python3
"""A whole study through VIOLA-AI's nnU-Net (DynUNet): seconds, ichdet's Segmenter beside MONAI's sliding window.

    PYTHONPATH=build/python .venv-oracles/bin/python benchmarks/segmenter_study.py [--threads 1]

Two phantoms of 230 x 230 x 70 voxels of 1 x 1 x 3 mm, one without blood and one with a large central bleed. The network
has the size of VIOLA-AI's and random weights but for its last layer, which is fitted here (logistic regression on the
features of two other phantoms), so that it finds the phantoms' blood and is sure of most background, as a trained one
is: adaptive precision depends on that. Patches of 160 x 160 x 32, overlap 0.5, in the foreground's box; masks are
compared with MONAI's before anything is said of time. Each contender lives in a process of its own, which tells its
peak memory; the least of `--repeat` calls counts, and the first one, which prepares the network, stands beside it.
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
ROI = (160, 160, 32)
STUDIES = {"no blood": [], "large central bleed": [("iph", 70)]}
CONTENDERS = {"MONAI eager": None, "ichdet float32": "float32", "ichdet bfloat16": "bfloat16",
              "ichdet adaptive": "adaptive"}


def phantom(seed, hemorrhages):
    import ichdet

    made = ichdet.phantom(seed=seed, rows=230, columns=230, pixel_mm=1, slices=70, thickness_mm=3, subsamples=1,
                          hemorrhages=[ichdet.Hemorrhage(*h) for h in hemorrhages])
    grid = ichdet.segmentation_grid(made.stack.geometry, [1, 1, 3])
    return ichdet.resample_to(made.stack, grid), np.asarray(made.truth.labels) > 0


def windows(hu):
    """(channel, x, y, z), each axis as RAS has it, the foreground alone; and the box."""
    from oracle_s2 import WINDOWS

    image = np.stack([np.clip((hu - low) / (high - low), 0, 1) for low, high in WINDOWS]).transpose(0, 3, 2, 1)
    image = image[:, ::-1, ::-1]
    used = np.argwhere((image > 0).any(0))
    box = tuple(slice(a, b + 1) for a, b in zip(used.min(0), used.max(0)))
    return np.ascontiguousarray(image[(slice(None), *box)], np.float32), box


def fit_last_layer(network):
    """So that the network finds the blood of phantoms."""
    import torch
    from sklearn.linear_model import LogisticRegression

    features = {}
    network.output_block.register_forward_pre_hook(lambda module, given: features.update(x=given[0]))
    rows, truth = [], []
    random = np.random.default_rng(0)
    for seed, hemorrhages in ((11, [("iph", 50), ("sdh", 30)]), (12, [("iph", 5), ("ivh", 10)])):
        volume, blood = phantom(seed, hemorrhages)
        image, box = windows(np.asarray(volume.hu))
        blood = blood.transpose(2, 1, 0)[::-1, ::-1][box]
        middle = [min(max(0, int(np.argwhere(blood)[:, a].mean()) - r // 2), n - r)
                  for a, (r, n) in enumerate(zip(ROI, blood.shape))]
        part = tuple(slice(m, m + r) for m, r in zip(middle, ROI))
        with torch.inference_mode():
            network(torch.from_numpy(image[(slice(None), *part)])[None])
        found, is_blood = features["x"][0].flatten(1).numpy().T, blood[part].flatten()
        keep = is_blood | (random.random(is_blood.size) < 0.25)
        rows.append(found[keep])
        truth.append(is_blood[keep])
    rows, truth = np.concatenate(rows), np.concatenate(truth)
    mean, std = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(C=10, max_iter=300).fit((rows - mean) / std, truth)
    weight = model.coef_[0] / std
    bias = model.intercept_[0] - weight @ mean
    with torch.no_grad():
        last = network.output_block.conv.conv
        for sign, c in ((-0.5, 0), (0.5, 1)):
            last.weight[c] = sign * torch.from_numpy(weight).float().reshape(-1, 1, 1, 1)
            last.bias[c] = sign * float(bias)


def make_bundle(network, folder):
    from network_speed import NETWORKS
    from segmentation_bundles import S2_CHANNELS, write_bundle

    options = {"in_channels": 3, "out_channels": 2}
    patch = ROI[::-1]
    return write_bundle(folder / "bundle", network, NETWORKS["dynunet"][0], options,
                        input={"spacing_mm": [1, 1, 3], "orientation": "RAS", "axes": "xyz", "channels": S2_CHANNELS},
                        patch={"input": patch, "output": patch, "step": 0, "padding": "zero", "overlap": 0.5},
                        procedure={"crop": "foreground", "merge": "logits"})


def serve(args):
    """Runs one contender on each study whenever a line arrives; answers with seconds."""
    import torch

    who, folder = args.serve[0], Path(args.serve[1])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    import ichdet.nn

    studies = {name: phantom(5, hemorrhages)[0] for name, hemorrhages in STUDIES.items()}
    if CONTENDERS[who] is None:
        from monai.inferers import sliding_window_inference
        from network_speed import segmenter

        network = segmenter("dynunet")
        network.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
        network.eval()

        def run(volume):
            image, box = windows(np.asarray(volume.hu))
            with torch.inference_mode():
                logits = sliding_window_inference(torch.from_numpy(image)[None], ROI, 1, network, overlap=0.5)
            mask = np.zeros(volume.hu.shape[::-1], bool)
            mask[box] = logits[0].argmax(0).numpy() == 1
            return mask[::-1, ::-1].transpose(2, 1, 0), {}
    else:
        segmenter = ichdet.nn.Segmenter([folder / "bundle"], threads=args.threads, precision=CONTENDERS[who])

        def run(volume):
            found = segmenter.label(volume)
            about = {key: getattr(found.inference, key) for key in ("engine", "patches", "patches_skipped", "voxels",
                                                                    "float32_again") if hasattr(found.inference, key)}
            return np.asarray(found.labels.labels) == 1, about

    first = time.perf_counter()
    answers = {}
    for i, (name, volume) in enumerate(studies.items()):
        mask, about = run(volume)
        if i == 0:
            first = time.perf_counter() - first
        np.save(folder / f"{who}-{name}.npy", mask)
        answers[name] = about
    print(json.dumps({"first_s": first, "about": answers, "peak_mib": mib()}), flush=True)
    for _ in sys.stdin:
        seconds = {}
        for name, volume in studies.items():
            start = time.perf_counter()
            run(volume)
            seconds[name] = time.perf_counter() - start
        print(json.dumps(seconds), flush=True)


def dice(a, b):
    return 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else 1.


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file to write the results to as well")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        return serve(args)
    import torch
    from network_speed import segmenter
    from oracle_segmenters import settled

    rows, running = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        network = settled(segmenter("dynunet"), torch.randn(1, 3, 64, 64, 32))
        fit_last_layer(network)
        torch.save(network.state_dict(), folder / "weights.pt")
        make_bundle(network, folder)
        del network
        for who in CONTENDERS:
            command = [sys.executable, __file__, "--threads", str(args.threads), "--serve", who, name]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                       env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})
            rows[who] = json.loads(process.stdout.readline())
            rows[who]["seconds"] = {}
            running[who] = process
        for _ in range(args.repeat):
            for who, process in running.items():
                process.stdin.write("\n")
                process.stdin.flush()
                for study, seconds in json.loads(process.stdout.readline()).items():
                    rows[who]["seconds"][study] = min(seconds, rows[who]["seconds"].get(study, seconds))
        for process in running.values():
            process.stdin.close()
            process.wait()
        for study, hemorrhages in STUDIES.items():
            truth = phantom(5, hemorrhages)[1]
            print(f"\n{study}: {truth.sum() * 3 / 1000:.1f} mL, {args.threads} threads")
            masks = {who: np.load(folder / f"{who}-{study}.npy") for who in rows}
            for who, row in rows.items():
                speed = rows["MONAI eager"]["seconds"][study] / row["seconds"][study]
                row[study] = {"speed": speed, "dice_to_monai": dice(masks[who], masks["MONAI eager"]),
                              "dice_to_float32": dice(masks[who], masks["ichdet float32"]),
                              "dice_to_truth": dice(masks[who], truth), "ml": float(masks[who].sum() * 3 / 1000)}
                print(f"  {who:16} {row['seconds'][study]:7.2f} s ({speed:5.2f} x), first call {row['first_s']:6.2f} s, "
                      f"{row['peak_mib']:5.0f} MiB, {row[study]['ml']:6.1f} mL; Dice to MONAI "
                      f"{row[study]['dice_to_monai']:.4f}, to float32 {row[study]['dice_to_float32']:.4f}, to the truth "
                      f"{row[study]['dice_to_truth']:.3f}  {row['about'][study]}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
