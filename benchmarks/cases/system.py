"""Whole systems, from a DICOM folder to a written report: a process of its own for each call, as users run them."""

import dataclasses
import json
import sys

import numpy as np

from suite import viola_ai
from suite.arrays import unlike
from suite.case import Case
from suite.inputs import BINARY, ROOT, blast_ct_bundles, cli, run

from .segment import with_package, write_scan

SLICES = 16


def write_study(folder, slices=SLICES):
    cli("phantom", "-o", folder / "study", "--slices", slices, "--seed", 21, "--hemorrhage", "iph:30", "-q")


def command(name, *options, bundles=()):
    """`ichdet detect` or `ichdet classify`; the bundles are names in the case's folder."""

    def open_contender(folder, threads):
        out = folder / "-".join([name, *map(str, options)])
        given = [word for bundle in bundles for word in ("-b", folder / bundle)]

        def call():
            cli(name, folder / "study" / "dicom", "-o", out, "--threads", threads, "-q", *given, *options)
            return out

        return call

    return open_contender


def chain(name, bundle):
    """One of suite/chains.py."""

    def open_contender(folder, threads):
        out = folder / f"chain-{name}"

        def call():
            run(sys.executable, "-m", "suite.chains", name, folder / "study" / "dicom", folder / bundle, out, threads)
            return out

        return call

    return open_contender


def result(out):
    return json.loads((out / "result.json").read_text())


def mask(out):
    """Blood, on axes that run to R, A and S."""
    import nibabel

    labels = nibabel.as_closest_canonical(nibabel.load(out / "labels.nii.gz"))
    return np.isin(np.asarray(labels.dataobj), result(out)["blood_labels"])


def segmented(at_most):
    """1 - Dice of the masks, which at_most allows; volumes, a fiftieth or 0.1 mL apart at most; P(blood), where it is
    said. Who does a part of the task writes no report: another case compares them."""

    def compare(outputs):
        folders = {who: out for who, out in outputs.items() if out is not None}
        ours = result(folders["ichdet"])
        for who, out in folders.items():
            theirs = result(out)
            for name, ml in ours["volumes_ml"].items():
                gap = abs(theirs["volumes_ml"][name] - ml)
                assert gap <= max(0.1, 0.02 * ml), f"{who}: {name} differs by {gap:.2f} of {ml:.2f} mL"
            gap = abs(theirs.get("probability", ours["probability"]) - ours["probability"])
            assert gap <= 0.02, f"{who}: P(blood) differs by {gap:.3g}"
        return unlike({who: mask(out) for who, out in folders.items()}, "ichdet", at_most)

    return compare


def probabilities_agree(outputs):
    """Of slices; of the study too, and what was decided."""
    ours, found = result(outputs["ichdet"]), {}
    for who, out in outputs.items():
        if who == "ichdet":
            continue
        theirs = result(out)
        pairs = [(a["probability"], b["probability"]) for a, b in zip(ours["slices"], theirs["slices"], strict=True)]
        found[who] = max(abs(a - b) for a, b in [*pairs, (ours["probability"], theirs["probability"])])
        allowed = 0.05 if "bfloat16" in who else 2e-3
        assert found[who] <= allowed, f"P(blood) of {who} differs by {found[who]:.3g}, allowed {allowed:.3g}"
        assert ours["decision"] == theirs["decision"], f"{who} decides otherwise"
    return found


TITLE = f"DICOM of {SLICES} slices to report, "

default = Case("system/default", TITLE + "`ichdet detect` with its own bundle, each time a fresh process", write_study,
               segmented(0.02), threads=(1, 0), quick=True, items=SLICES)
default.contender("ichdet")(command("detect"))
default.contender("ichdet float32")(command("detect", "--precision", "float32"))


@default.contender("ichdet in Python, loaded before")
def loaded_before(folder, threads):
    import ichdet
    from ichdet import nn

    detector = nn.EnsembleDetector(ROOT / "bundles" / "ichdet", threads=threads)
    out = folder / "loaded-before"

    def call():
        study = ichdet.read_study(folder / "study" / "dicom")
        detector(study.stack).write(study, out)
        return out

    return call


def write_blast(folder):
    import ichdet

    write_study(folder)
    blast_ct_bundles(folder)
    write_scan(ichdet.read_study(folder / "study" / "dicom").stack, folder)


def package_alone(folder, threads):
    """Reading, resampling and writing, which must not be scaled up, are left out: seconds of minutes."""
    contender = with_package()(folder, threads)

    def call():
        contender.call()

    return dataclasses.replace(contender, call=call, note="its network alone, " + contender.note)


BLAST = ("bundles/blast-ct-v1-01",)
blast = Case("system/blast-ct", TITLE + "BLAST-CT, member 1", write_blast, segmented(0.02), items=SLICES)
blast.contender("ichdet")(command("detect", bundles=BLAST))
blast.contender("ichdet float32")(command("detect", "--precision", "float32", bundles=BLAST))
blast.contender("blast-ct")(package_alone)


def write_s1(folder):
    write_study(folder)
    (folder / "s1").symlink_to(ROOT / "bundles" / "s1")


S1 = ("--all-slices", "--no-heat-maps")
s1 = Case("system/s1", TITLE + "S1: EfficientClassification, 10 % rule", write_s1, probabilities_agree, threads=(1, 0),
          items=SLICES)
s1.contender("ichdet")(command("classify", *S1, bundles=["s1"]))
s1.contender("ichdet bfloat16")(command("classify", *S1, "--precision", "bfloat16", bundles=["s1"]))
s1.contender("pydicom, effdet, timm")(chain("s1", "s1"))


def write_s2(folder):
    write_study(folder)
    for name in MEMBERS:
        viola_ai.write_member(name, folder / "s2")


MEMBERS = ("dynunet", "viola_unet")
S2 = [f"s2/{name}" for name in MEMBERS]
s2 = Case("system/s2", TITLE + "S2: VIOLA-AI's two networks, random weights but for fitted last layers", write_s2,
          segmented({"MONAI": 0.03, "others": 0.02}), items=SLICES)
s2.contender("ichdet")(command("detect", bundles=S2))
s2.contender("ichdet float32")(command("detect", "--precision", "float32", bundles=S2))
s2.contender("MONAI")(chain("s2", "s2"))


def nothing(folder):
    """Needs no input."""


def program(*words):
    return lambda folder, threads: lambda: run(*words)


cold = Case("system/cold-start", "a process that is ready and ends: `ichdet --version`, or a chain's imports", nothing,
            lambda outputs: {})
cold.contender("ichdet")(program(BINARY, "--version"))
cold.contender("Python, torch and MONAI")(program(sys.executable, "-c", "import torch, monai"))


def scaling(slices):
    case = Case(f"scaling/slices-{slices}", f"`ichdet detect`, DICOM of {slices} slices to report",
                lambda folder: write_study(folder, slices), lambda outputs: {}, threads=(1, 0), items=slices)
    case.contender("ichdet")(command("detect"))
    return case


CASES = [default, blast, s1, s2, cold, *map(scaling, (16, 32, 64))]
