"""HU windows, and resampling to a grid."""

import numpy as np

from suite.arrays import differences
from suite.case import Case, Work

WINDOWS = [(0, 80), (-20, 180), (-150, 230)]
SHAPE = (40, 512, 512)
VOXELS = 40 * 512 * 512


def write_hu(folder):
    np.save(folder / "hu.npy", np.random.default_rng(0).integers(-1024, 3072, SHAPE).astype(np.float32))


window = Case("window/three-channels", "512 x 512 x 40 to three windows, into memory that is there", write_hu,
              lambda outputs: differences(outputs, "NumPy, in place", 0), Work(bytes=VOXELS * 4 * 4), threads=(1, 0),
              quick=True, items=40)


@window.contender("ichdet")
def window_ichdet(folder, threads):
    import ichdet

    hu, out = np.load(folder / "hu.npy"), np.zeros((3, *SHAPE), np.float32)
    windows = [ichdet.Window(*w) for w in WINDOWS]
    return lambda: ichdet.window_channels(hu, windows, threads=threads, out=out)


@window.contender("NumPy, in place")
def window_numpy_in_place(folder, threads):
    hu, out = np.load(folder / "hu.npy"), np.zeros((3, *SHAPE), np.float32)

    def run():
        for channel, (low, high) in zip(out, np.float32(WINDOWS)):
            np.clip(hu, low, high, out=channel)
            channel -= low
            channel /= high - low
        return out

    return run


@window.contender("NumPy, plain expression")
def window_numpy(folder, threads):
    hu = np.load(folder / "hu.npy")
    return lambda: np.stack([(np.clip(hu, low, high) - low) / (high - low) for low, high in np.float32(WINDOWS)])


resample = Case("resample/to-1-mm", "512 x 512 x 40 of 0.45 x 0.45 x 4 mm to 231 x 231 x 157 of 1 mm, linear", write_hu,
                lambda outputs: differences(outputs, "SimpleITK", 2e-3), Work(bytes=VOXELS * 4 + 231 * 231 * 157 * 4),
                threads=(1, 0), quick=True)


@resample.contender("ichdet")
def resample_ichdet(folder, threads):
    import ichdet

    geometry = ichdet.Geometry.aligned([512, 512, 40], [0.45, 0.45, 4.0])
    volume = ichdet.Volume(np.load(folder / "hu.npy"), geometry)
    grid = geometry.with_spacing([1, 1, 1])
    return lambda: ichdet.resample_to(volume, grid, threads=threads).hu


@resample.contender("SimpleITK")
def resample_simpleitk(folder, threads):
    import ichdet
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    image = sitk.GetImageFromArray(np.load(folder / "hu.npy"))
    image.SetSpacing([0.45, 0.45, 4.0])
    size = ichdet.Geometry.aligned([512, 512, 40], [0.45, 0.45, 4.0]).with_spacing([1, 1, 1]).size
    reference = sitk.Image(size, sitk.sitkFloat32)
    return lambda: sitk.GetArrayFromImage(sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -1024.0))


CASES = [window, resample]
