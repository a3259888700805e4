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


@window.contender("ichdet, new memory")
def window_ichdet_new(folder, threads):
    import ichdet

    hu = np.load(folder / "hu.npy")
    windows = [ichdet.Window(*w) for w in WINDOWS]
    return lambda: ichdet.window_channels(hu, windows, threads=threads)


levels = Case("window/8-bit", "the same to 8 bits, cut off as PNG writers do, into new memory", write_hu,
              lambda outputs: differences(outputs, "ichdet", 0), Work(bytes=VOXELS * (4 + 3)), quick=True,
              items=40)


@levels.contender("ichdet")
def levels_ichdet(folder, threads):
    import ichdet

    hu = np.load(folder / "hu.npy")
    windows = [ichdet.Window(*w) for w in WINDOWS]
    return lambda: ichdet.window_channels_8bit(hu, windows, threads=threads)


@levels.contender("NumPy")
def levels_numpy(folder, threads):
    hu, whole = np.load(folder / "hu.npy"), np.float32(255)
    return lambda: np.stack([((np.clip(hu, low, high) - low) / (high - low) * whole).astype(np.uint8)
                             for low, high in np.float32(WINDOWS)])


def turn(degrees):
    """About the first axis, as a gantry is tilted."""
    a = np.radians(degrees)
    return np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])


def grids(degrees):
    """The study's, and the one that it is resampled to."""
    import ichdet

    geometry = ichdet.Geometry.aligned([512, 512, 40], [0.45, 0.45, 4.0])
    affine = np.eye(4)
    affine[:3, :3] = turn(degrees)
    return geometry, ichdet.Geometry(geometry.with_spacing([1, 1, 1]).size, affine)


def resample_case(name, degrees):
    turned = f", turned by {degrees} degrees" if degrees else ""
    case = Case(f"resample/{name}", f"512 x 512 x 40 of 0.45 x 0.45 x 4 mm to 231 x 231 x 157 of 1 mm{turned}, linear",
                write_hu, lambda outputs: differences(outputs, "SimpleITK", 2e-3),
                Work(bytes=VOXELS * 4 + 231 * 231 * 157 * 4), threads=(1, 0), quick=not degrees)

    @case.contender("ichdet")
    def with_ichdet(folder, threads):
        import ichdet

        geometry, grid = grids(degrees)
        volume = ichdet.Volume(np.load(folder / "hu.npy"), geometry)
        return lambda: ichdet.resample_to(volume, grid, threads=threads).hu

    @case.contender("ichdet, slices")
    def with_slices(folder, threads):
        import ichdet

        geometry, grid = grids(degrees)
        stack = ichdet.SliceStack(ichdet.SliceGeometry(geometry), np.load(folder / "hu.npy"))
        return lambda: ichdet.resample_to(stack, grid, threads=threads).hu

    @case.contender("SimpleITK")
    def with_simpleitk(folder, threads):
        import SimpleITK as sitk

        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
        image = sitk.GetImageFromArray(np.load(folder / "hu.npy"))
        image.SetSpacing([0.45, 0.45, 4.0])
        reference = sitk.Image(grids(degrees)[1].size, sitk.sitkFloat32)
        reference.SetDirection(turn(degrees).ravel().tolist())
        return lambda: sitk.GetArrayFromImage(
            sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, -1024.0))

    return case


CASES = [window, levels, resample_case("to-1-mm", 0), resample_case("turned", 18)]
