"""Long calls from Python: Ctrl-C, progress, several threads at once."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
nn = pytest.importorskip("ichdet.nn")
import ichdet  # noqa: E402

BUNDLES = Path(__file__).parents[2] / "bundles"
START = """
import os, signal, time
import torch
import ichdet, ichdet.nn as nn, ichdet.attribution, ichdet.train
def many_studies(folder):  # one, many times
    ichdet.write_nifti(folder + "/scan.nii", ichdet.resample_to(stack, ichdet.segmentation_grid(stack.geometry, [1, 1, 2])))
    with open(folder + "/studies.csv", "w") as csv:
        csv.write("study,scan\\n" + "".join(f"s{i},scan.nii\\n" for i in range(200)))
    return folder + "/studies.csv"
def rsna(folder):
    file = ichdet.write_series(stack, folder + "/series")[0]
    with open(folder + "/labels.csv", "w") as csv:
        csv.write("ID,Label\\n")
        for i in range(20_000):
            os.link(file, folder + f"/ID_{i:09d}.dcm")
            csv.writelines(f"ID_{i:09d}_{name},0\\n" for name in ["any", "epidural", "intraparenchymal",
                           "intraventricular", "subarachnoid", "subdural"])
    return folder + "/labels.csv", folder
def interrupt(*_):  # its own: a job's children may have been told to ignore the signal
    global noticed
    noticed = time.process_time()
    raise KeyboardInterrupt
signal.signal(signal.SIGINT, interrupt)
def begun(stage, fraction):
    print(stage, flush=True)
stack = ichdet.phantom(seed=1, rows=512, columns=512, pixel_mm=0.45, slices=32, thickness_mm=5, subsamples=1,
                       hemorrhages=[ichdet.Hemorrhage("iph", 20)]).stack
try:
    CALL
except KeyboardInterrupt:
    print("stopped", time.process_time() - noticed, flush=True)
"""
CALLS = {
    "detector": "nn.open_detector(threads=1)(stack, progress=begun)",
    "classifier": "nn.SliceClassifier(['BUNDLES/s1'], threads=1)(stack, progress=begun)",
    "xrai": "nn.SliceExplainer('BUNDLES/s1', threads=1)(stack, [16], 'xrai', progress=begun)",
    "sliding window": """nn.sliding_window(torch.zeros(1, 256, 256, 256), 2, lambda x: torch.cat([x, 1 - x]),
                              (32, 32, 32), (32, 32, 32), overlap=0.75, progress=begun)""",
    "fit": """ichdet.train.fit(
        torch.nn.Linear(2048, 2048), lambda step: (torch.zeros(512, 2048), torch.zeros(512, 2048)),
        lambda module, x, y: (module(x) - y).square().mean(), lambda module: 0, FOLDER, steps=10_000, progress=begun)""",
    "prepare_studies": """ichdet.train.prepare_studies(
        ichdet.train.read_manifest(many_studies(FOLDER), ["background", "ICH"]), "ichdet-segmenter", threads=1,
        progress=begun)""",
    "read_rsna": "ichdet.train.read_rsna(*rsna(FOLDER), threads=1, progress=begun)",
}


@pytest.fixture(scope="module")
def phantoms():
    kinds = [[], [ichdet.Hemorrhage("iph", 20)], [ichdet.Hemorrhage("sdh", 30)]]
    return [ichdet.phantom(seed=k, rows=128, columns=128, pixel_mm=1.8, slices=5, thickness_mm=6, subsamples=1,
                           hemorrhages=kind).stack for k, kind in enumerate(kinds)]


@pytest.fixture(scope="module")
def detector():
    return nn.open_detector(threads=1)


def same(one, other):
    np.testing.assert_array_equal(one.labels.labels, other.labels.labels)
    assert one.result.volumes_ml == other.result.volumes_ml
    assert [s.probability for s in one.result.slices] == [s.probability for s in other.result.slices]
    assert one.result.decision.probability == other.result.decision.probability


def test_studies_in_parallel_threads_are_as_one_by_one(detector, phantoms):
    alone = [detector(stack) for stack in phantoms]
    assert [found.result.decision.positive for found in alone] == [False, True, True]
    again = phantoms * 2
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(detector, again))
    for one, other in zip(alone * 2, together, strict=True):
        same(one, other)


def test_progress_is_told(detector, phantoms):
    told = []
    detector(phantoms[0], progress=lambda stage, fraction: told.append((stage, fraction)))
    assert len({stage for stage, _ in told}) > 1 and told[-1][1] == 1
    assert all(isinstance(stage, str) and 0 <= fraction <= 1 for stage, fraction in told)


def test_what_progress_raises_stops_the_call(detector, phantoms):
    def refuse(stage, fraction):
        raise LookupError(stage)

    with pytest.raises(LookupError):
        detector(phantoms[0], progress=refuse)
    with pytest.raises(TypeError, match="progress"):
        detector(phantoms[0], progress=3)


class Recorded:
    """In tqdm's place."""

    made = []

    def __init__(self, **options):
        self.n, self.closed, self.stages = 0.0, False, []
        Recorded.made.append(self)

    def reset(self):
        self.n = 0.0

    def set_description(self, text, refresh=True):
        self.stages.append(text)

    def update(self, more):
        self.n += more

    def close(self):
        self.closed = True


def test_true_is_a_bar_that_is_closed(detector, phantoms, monkeypatch):
    module = type(sys)("tqdm.auto")
    module.tqdm = Recorded
    monkeypatch.setitem(sys.modules, "tqdm", type(sys)("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", module)
    Recorded.made.clear()
    detector(phantoms[0], progress=True)
    bar = Recorded.made[-1]
    assert bar.closed and bar.n == pytest.approx(1) and len(bar.stages) > 1
    with pytest.raises(ichdet.Error):
        ichdet.nn.SliceClassifier([BUNDLES / "s1"]).heat_maps(phantoms[0], [99], progress=True)
    assert Recorded.made[-1] is not bar and Recorded.made[-1].closed


def test_without_tqdm_it_says_what_is_missing(detector, phantoms, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="pip install tqdm"):
        detector(phantoms[0], progress=True)


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_stops_within_a_second(call, tmp_path):
    """On one thread, whose time counts: the machine may have other things to do."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1",
                   "PYTHONPATH": os.path.dirname(os.path.dirname(ichdet.__file__))}
    script = START.replace("CALL", CALLS[call]).replace("BUNDLES", str(BUNDLES)).replace("FOLDER", repr(str(tmp_path)))
    child = subprocess.Popen([sys.executable, "-c", script], env=environment, text=True, stdout=subprocess.PIPE)
    try:
        lines = [child.stdout.readline().strip()]
        time.sleep(0.5)  # into the work
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        while lines[-1] and not lines[-1].startswith("stopped"):
            lines.append(child.stdout.readline().strip())
        took = time.monotonic() - sent
    finally:
        child.kill()
        child.wait()
    assert lines[-1].startswith("stopped"), lines
    print(call, f"{took:.2f} s", lines[-1])
    assert float(lines[-1].split()[1]) < 1 and took < 30
