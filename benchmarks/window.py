"""Windowing 512 x 512 x 40 to three channels, and resampling to 1 mm, against NumPy and SimpleITK.

Run as: PYTHONPATH=build/python python benchmarks/window.py
Outputs are compared before anything is timed. Figures are medians; bytes are those read and written once.
"""

import ctypes
import statistics
import time

import numpy as np

import ichdet

WINDOWS = [ichdet.Window(0, 80), ichdet.Window(-20, 180), ichdet.Window(-150, 230)]


def seconds(call, repeats=15):
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def numpy_channels(hu, out):
    for channel, w in zip(out, WINDOWS):
        low, high = np.float32(w.low_hu), np.float32(w.high_hu)
        np.clip(hu, low, high, out=channel)
        channel -= low
        channel /= high - low


def numpy_plain(hu):
    return np.stack([(np.clip(hu, np.float32(w.low_hu), np.float32(w.high_hu)) - np.float32(w.low_hu))
                     / np.float32(w.high_hu - w.low_hu) for w in WINDOWS])


def bench_window():
    hu = np.random.default_rng(0).integers(-1024, 3072, (40, 512, 512)).astype(np.float32)
    out, other = np.zeros((2, 3, *hu.shape), np.float32)
    ichdet.window_channels(hu, WINDOWS, out=out)
    numpy_channels(hu, other)
    assert np.array_equal(out, other) and np.array_equal(out, numpy_plain(hu))
    moved = hu.nbytes + out.nbytes
    # A copy that moves as many bytes: half read, half written.
    source, target = np.zeros((2, moved // 2), np.uint8)
    copy = seconds(lambda: ctypes.memmove(target.ctypes.data, source.ctypes.data, moved // 2))
    print(f"windowing {hu.shape[2]} x {hu.shape[1]} x {hu.shape[0]} to 3 channels, {moved / 1e6:.0f} MB moved")
    rows = [("memcpy of as many bytes", copy), ("NumPy, plain expression", seconds(lambda: numpy_plain(hu), 5)),
            ("NumPy, in place", seconds(lambda: numpy_channels(hu, other)))]
    for threads in (1, 0):
        name = f"ichdet, {threads or 'all'} thread{'' if threads == 1 else 's'}"
        rows.append((name + ", into memory that is there",
                     seconds(lambda: ichdet.window_channels(hu, WINDOWS, threads=threads, out=out))))
        rows.append((name + ", new memory", seconds(lambda: ichdet.window_channels(hu, WINDOWS, threads=threads))))
        rows.append((name + ", 8 bit, new memory",
                     seconds(lambda: ichdet.window_channels_8bit(hu, WINDOWS, threads=threads))))
    for name, s in rows:
        print(f"  {name:48s} {s * 1e3:7.1f} ms  {moved / s / 1e9:6.1f} GB/s  {copy / s:5.2f} of memcpy")


def bench_resample():
    try:
        import SimpleITK as sitk
    except ImportError:
        print("resampling: SimpleITK is not here, left out")
        return
    hu = np.random.default_rng(0).integers(-1024, 3072, (40, 512, 512)).astype(np.float32)
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing([0.45, 0.45, 4.0])
    geometry = ichdet.Geometry.aligned([512, 512, 40], [0.45, 0.45, 4.0])
    target = geometry.with_spacing([1, 1, 1])
    for degrees in (0, 18):
        a = np.radians(degrees)
        turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        affine = np.eye(4)
        affine[:3, :3] = turn
        grid = ichdet.Geometry(target.size, affine)
        reference = sitk.Image(target.size, sitk.sitkFloat32)
        reference.SetDirection(turn.ravel().tolist())
        volume = ichdet.Volume(hu, geometry)
        stack = ichdet.SliceStack(ichdet.SliceGeometry(geometry), hu)

        def itk():
            return sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -1024.0)

        found, expected = ichdet.resample_to(volume, grid).hu, sitk.GetArrayFromImage(itk())
        assert np.abs(found - expected).max() < 2e-3 and np.mean(found == -1024) == np.mean(expected == -1024)
        print(f"resampling to {' x '.join(map(str, target.size))} voxels of 1 mm, turned by {degrees} degrees")
        rows = [("SimpleITK, all threads", seconds(itk, 5)),
                ("ichdet, volume, 1 thread", seconds(lambda: ichdet.resample_to(volume, grid, threads=1), 5)),
                ("ichdet, volume, all threads", seconds(lambda: ichdet.resample_to(volume, grid), 5)),
                ("ichdet, stack, all threads", seconds(lambda: ichdet.resample_to(stack, grid), 5))]
        for name, s in rows:
            print(f"  {name:48s} {s * 1e3:7.1f} ms  {rows[0][1] / s:5.1f} x SimpleITK")


if __name__ == "__main__":
    bench_window()
    bench_resample()
