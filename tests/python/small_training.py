"""A network of few weights and phantoms of few pixels, which train in seconds."""

RECIPE = {
    "recipe": 1, "name": "small", "title": "Small", "citation": "none", "task": "slice segmentation",
    "architecture": {"name": "InceptionUNet", "options": {"in_channels": 2, "num_classes": 2, "filters": [8, 8, 12]}},
    "input": {"size": [64, 64], "orientation": "LPS", "fit": "resize", "levels": "float",
              "channels": [{"clip_hu": hu, "mean": 0.5, "std": 0.5} for hu in ([0, 80], [20, 70])]},
    "classes": [{"name": "other", "blood": False}, {"name": "blood", "blood": True}],
    "output": {"activation": "softmax"},
    "decision": {"rule": "maximum", "slice_threshold": 0.5, "case_threshold": 0.5},
    "thresholds": {"pixel": 0.5}, "stated": [], "unknown": [],
}
OEDEMA = [option for value in range(1, 7) for option in ("--mask-class", f"{value}={int(value < 6)}")]


def phantom(run, folder, seed, hemorrhage, slices=6):
    """A head of 64 x 64 pixels: `folder`/dicom, and `folder`/truth.nii.gz beside it."""
    done = run("phantom", "--out", folder, "--slices", slices, "--size", 64, "--seed", seed, "--thickness",
               120 // slices, "--hemorrhage", hemorrhage, "--threads", 1, "-q")
    assert done.returncode == 0, done.stderr
    return folder
