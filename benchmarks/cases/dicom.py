"""A DICOM series to Hounsfield units: headers parsed, slices sorted, float32 HU of the whole. Files lie in memory."""

import numpy as np

from suite.arrays import differences
from suite.case import Case, Contender, LeftOut, Work
from suite.inputs import BINARY, real_data, run


def write_noise(bits, slices):
    """A series of noise, in the two pixel formats that CT scanners write."""

    def write(folder):
        import ichdet

        random = np.random.default_rng(1)
        planes = []
        for k in range(slices):
            plane = ichdet.SlicePlane()
            plane.position_mm = [-120, -120, 1.25 * k]
            plane.row_spacing_mm = plane.column_spacing_mm = 0.47
            plane.thickness_mm = 1.25
            planes.append(plane)
        hu = random.integers(-1000, 2000, (slices, 512, 512)).astype(np.float32)
        ichdet.write_series(ichdet.SliceStack(ichdet.SliceGeometry(planes, 512, 512), hu), folder / "series",
                            bits_stored=bits)

    return write


def link_real(folder):
    (folder / "series").symlink_to(real_data("head_ct_ge_tilt"))


def files(folder):
    return sorted(str(f) for f in (folder / "series").glob("*.dcm"))


def with_ichdet(folder, threads):
    import ichdet

    return lambda: ichdet.read_dicom(files(folder), threads=threads).hu


def with_pydicom(folder, threads):
    import pydicom
    from pydicom.pixels import apply_rescale

    def read():
        datasets = sorted(map(pydicom.dcmread, files(folder)), key=lambda ds: float(ds.ImagePositionPatient[2]))
        return np.stack([apply_rescale(ds.pixel_array, ds).astype(np.float32) for ds in datasets])

    return read


def with_simpleitk(folder, threads):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    names = list(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder / "series")))

    def read():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(names)
        reader.SetOutputPixelType(sitk.sitkFloat32)
        return sitk.GetArrayFromImage(reader.Execute())

    return read


def with_highdicom(folder, threads):
    import highdicom
    import pydicom

    def read():
        datasets = list(map(pydicom.dcmread, files(folder)))
        return highdicom.get_volume_from_series(datasets, dtype=np.float32).array[::-1]  # from foot to head

    return read


def with_program(name):
    """A library's own reader in C++, without SimpleITK around it."""

    def open_contender(folder, threads):
        program, out = BINARY.parent / name, folder / f"{name}.raw"
        if not program.exists():
            raise LeftOut(f"no {program}; build with -DICHDET_BUILD_BENCHMARKS=ON")

        def read():
            run(program, "-" if out.exists() else out, *files(folder))  # the first call's are compared
            return np.memmap(out, np.float32, "r", shape=(len(files(folder)), 512, 512))

        return Contender(read, "a process of its own, with its start")

    return open_contender


CASES = [
    Case("dicom/16-bit", "DICOM series of 120 slices of 512 x 512, 16 bits, to HU", write_noise(16, 120),
         lambda outputs: differences(outputs, "pydicom", 0), Work(bytes=120 * 512 * 512 * (2 + 4)), threads=(1, 0),
         quick=True, items=120),
    Case("dicom/12-bit", "the same in 12 bits", write_noise(12, 120),
         lambda outputs: differences(outputs, "pydicom", 0), Work(bytes=120 * 512 * 512 * (2 + 4)), items=120),
    Case("dicom/head_ct_ge_tilt", "a real series of 28 slices, gantry tilted", link_real,
         lambda outputs: differences(outputs, "pydicom", 0), Work(bytes=28 * 512 * 512 * (2 + 4)), items=28),
]
for case in CASES:
    case.contender("ichdet")(with_ichdet)
    case.contender("pydicom")(with_pydicom)
    case.contender("SimpleITK")(with_simpleitk)
    case.contender("GDCM")(with_program("bench_dicom_gdcm"))
    case.contender("DCMTK")(with_program("bench_dicom_dcmtk"))
for case in CASES[:2]:  # of tilted slices it makes no volume
    case.contender("highdicom")(with_highdicom)
