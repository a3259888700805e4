"""Long calls let other threads run, and give in threads what they give alone."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ichdet


def ball(seed):
    """A tilted series of noise, with a ball of tissue in a shell of bone."""
    rng = np.random.default_rng(seed)
    planes = [
        ichdet.SlicePlane(position_mm=(-96, -96 + 0.3 * seed * k, 6 * k), row_spacing_mm=1.5, column_spacing_mm=1.5,
                          thickness_mm=6)
        for k in range(24)
    ]
    z, y, x = np.ogrid[:24, :128, :128]
    radius = np.sqrt((6 * (z - 11.5)) ** 2 + (1.5 * (y - 63.5)) ** 2 + (1.5 * (x - 63.5)) ** 2)
    hu = np.select([radius < 60, radius < 66], [35, 1000], -1000) + rng.integers(-9, 10, radius.shape)
    return ichdet.SliceStack(ichdet.SliceGeometry(planes, rows=128, columns=128), hu)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = []
    for seed in range(4):
        folder = tmp_path_factory.mktemp(f"study{seed}")
        ichdet.write_series(ball(seed), folder)
        made.append(folder)
    return made


def on_grid(folder):
    stack = ichdet.read_dicom(folder, threads=1)
    grid = ichdet.segmentation_grid(stack.geometry, (1, 1, 1))
    volume = ichdet.resample_to(stack, grid, threads=1)
    return ichdet.window(volume, ichdet.Window(0, 80)), ichdet.head_mask(volume, threads=1)


def test_studies_in_parallel_threads_are_what_they_are_alone(folders):
    alone = [on_grid(folder) for folder in folders]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(on_grid, folders * 2))
    for (windowed, head), (windowed_too, head_too) in zip(alone * 2, together, strict=True):
        assert np.array_equal(windowed, windowed_too) and np.array_equal(head, head_too)


def longest_pause(call):
    """Seconds that another Python thread had to stand still while `call` ran, and how long the call took."""
    pauses, done = [0.0], threading.Event()

    def count():
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    counter = threading.Thread(target=count)
    counter.start()
    started = time.perf_counter()
    try:
        call()
    finally:
        took = time.perf_counter() - started
        done.set()
        counter.join()
    return max(pauses), took, len(pauses)


GRID = ichdet.Geometry.aligned(size=(192, 192, 96), spacing_mm=(1, 1, 1))


@pytest.fixture(scope="module")
def volume():
    rng = np.random.default_rng(0)
    return ichdet.Volume(rng.normal(20, 30, GRID.shape).astype("float32"), GRID)


CALLS = {
    "resample_to": lambda v: ichdet.resample_to(v, GRID.with_spacing((0.7, 0.7, 0.7)), threads=1),
    "window_channels": lambda v: ichdet.window_channels(v, list(ichdet.named_windows().values())),
    "mix_windows": lambda v: [ichdet.mix_windows(v, [(ichdet.Window(0, 80), 0.5)] * 4) for _ in range(4)],
    "gaussian_smooth": lambda v: ichdet.gaussian_smooth(v, 3, (1, 1, 1), threads=1),
    "dilate": lambda v: ichdet.dilate(v.hu > 60, 4, (1, 1, 1), threads=1),
    "connected_components": lambda v: ichdet.connected_components(v.hu > 20),
    "brain_mask": lambda v: ichdet.brain_mask(v, threads=1),
    "copy": lambda v: [v.copy() for _ in range(20)],
    "equality": lambda v: [v == v.copy() for _ in range(20)],
    "phantom": lambda v: ichdet.phantom(rows=32, columns=32, pixel_mm=7, slices=2, thickness_mm=40),
}


@pytest.mark.parametrize("name", CALLS)
def test_other_threads_run_meanwhile(name, volume):
    # With the interpreter's lock held, the counter would stand still for all of it, each time; a busy machine's
    # scheduler takes some milliseconds now and then.
    measured = [longest_pause(lambda: CALLS[name](volume)) for _ in range(3)]
    assert all(took > 0.005 for _, took, _ in measured), "too short a call to tell"
    assert any(pause < 0.6 * took and turns > 3 for pause, took, turns in measured), measured


def test_files_let_other_threads_run(volume, tmp_path):
    for call in (
        lambda: ichdet.write_nifti(tmp_path / "head.nii.gz", volume),
        lambda: ichdet.read_nifti(tmp_path / "head.nii.gz"),
    ):
        pause, took, _ = longest_pause(call)
        assert pause < 0.6 * took


def test_reading_writing_and_phantoms_report_and_stop(folders, tmp_path):
    stack = ichdet.read_dicom(folders[0])
    calls = {
        "read_dicom": lambda told: ichdet.read_dicom(folders[0], progress=told),
        "scan": lambda told: ichdet.scan(folders[0], progress=told),
        "write_series": lambda told: ichdet.write_series(stack, tmp_path / "copy", overwrite=True, progress=told),
        "phantom": lambda told: ichdet.phantom(rows=32, columns=32, pixel_mm=7, slices=2, progress=told),
    }
    for name, call in calls.items():
        seen = []
        call(lambda stage, fraction: seen.append((stage, fraction)))
        assert seen and all(isinstance(stage, str) and 0 <= done <= 1 for stage, done in seen), name

        def enough(stage, fraction):
            raise LookupError("enough")

        with pytest.raises(LookupError, match="enough"):
            call(enough)
