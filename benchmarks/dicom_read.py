"""DICOM series to Hounsfield units: files per second of ichdet, pydicom, SimpleITK and GDCM's own reader.

    PYTHONPATH=build/python python benchmarks/dicom_read.py [--runs 7] [--gdcm build/bench_dicom_gdcm]

Every reader opens the files, parses the headers and gives float32 HU of the whole series; ichdet's time includes
scanning, sorting and choosing. All outputs are compared before anything is timed. Each reader runs in a process of its
own; the runs are interleaved and the fastest of each counts, by the clock and by processor time apart (on a busy machine
the latter is the fairer). Files lie in the page cache. Peak memory is what the process's resident set grows by.

Needs numpy, pydicom, SimpleITK; ../shared/data or ICHDET_DATA for the real series (skipped where it is not there).
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def with_ichdet(files, threads):
    import ichdet

    return ichdet.read_dicom(files, threads=threads).hu


def with_pydicom(files, threads):
    import pydicom
    from pydicom.pixels import apply_rescale

    datasets = sorted((pydicom.dcmread(f) for f in files), key=lambda ds: float(ds.ImagePositionPatient[2]))
    return np.stack([apply_rescale(ds.pixel_array, ds).astype(np.float32) for ds in datasets])


def with_simpleitk(files, threads):
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads or os.cpu_count())
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(f) for f in files])
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return sitk.GetArrayFromImage(reader.Execute())


READERS = {"ichdet": with_ichdet, "pydicom": with_pydicom, "SimpleITK": with_simpleitk}


def resident_mb(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(field))


def worker(name, threads, files, out):
    """In a process of its own: one read whose memory is measured, then three timed; prints clock, processor, MB."""
    read = READERS[name]
    read(files[:1], threads)
    before = resident_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts anew
    values = read(files, threads)
    peak = resident_mb("VmHWM") - before
    if out != "-":
        np.save(out, values)
    del values
    timings = [timed(read, files, threads) for _ in range(3)]
    print(min(t[0] for t in timings), min(t[1] for t in timings), peak)


def timed(read, files, threads):
    start, cpu = time.perf_counter(), time.process_time()
    read(files, threads)
    return time.perf_counter() - start, time.process_time() - cpu


def run(name, threads, files, out, gdcm):
    if name == "GDCM":
        command = [gdcm, "-" if out == "-" else out + ".raw", *files]
    else:
        command = [sys.executable, __file__, "--worker", name, str(threads), out, *files]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(value) for value in result.stdout.split()]


def synthetic(folder, bits, slices=120):
    """A series of noise written by ichdet, of one or two native pixel formats."""
    import ichdet

    rng = np.random.default_rng(1)
    planes = []
    for k in range(slices):
        plane = ichdet.SlicePlane()
        plane.position_mm = [-120, -120, 1.25 * k]
        plane.row_spacing_mm = plane.column_spacing_mm = 0.47
        plane.thickness_mm = 1.25
        planes.append(plane)
    hu = rng.integers(-1000, 2000, (slices, 512, 512)).astype(np.float32)
    files = ichdet.write_series(ichdet.SliceStack(ichdet.SliceGeometry(planes, 512, 512), hu), folder, bits_stored=bits)
    return [str(f) for f in files]


def compare(files, runs, gdcm, readers):
    with tempfile.TemporaryDirectory() as scratch:
        outputs = {}
        for name, threads in readers:
            out = str(Path(scratch) / f"{name}{threads}.npy")
            run(name, threads, files, out, gdcm)
            outputs[name, threads] = np.fromfile(out + ".raw", np.float32) if name == "GDCM" else np.load(out).ravel()
        reference = outputs["pydicom", 1]
        for key, values in outputs.items():
            assert np.array_equal(values, reference), f"{key} differs from pydicom"
    best = {key: [np.inf, np.inf, 0.0] for key in readers}
    for _ in range(runs):
        for key in readers:
            clock, cpu, peak = run(*key, files, "-", gdcm)
            best[key] = [min(best[key][0], clock), min(best[key][1], cpu), max(best[key][2], peak)]
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gdcm", default=str(ROOT / "build" / "bench_dicom_gdcm"))
    arguments = parser.parse_args()
    data = Path(os.environ.get("ICHDET_DATA", ROOT / ".." / "shared" / "data")).resolve()
    readers = [("ichdet", 1), ("ichdet", 0), ("pydicom", 1), ("SimpleITK", 1)]
    if Path(arguments.gdcm).exists():
        readers.append(("GDCM", 1))
    else:
        print(f"SKIPPED GDCM: no {arguments.gdcm}; build with -DICHDET_BUILD_BENCHMARKS=ON")
    with tempfile.TemporaryDirectory() as folder:
        sets = {f"synthetic, 120 slices, {bits} bits stored": synthetic(Path(folder) / str(bits), bits) for bits in (16, 12)}
        if (data / "head_ct_ge_tilt").exists():
            sets["head_ct_ge_tilt, 28 slices, 16 bits"] = [str(f) for f in sorted((data / "head_ct_ge_tilt").glob("*.dcm"))]
        else:
            print(f"SKIPPED: no {data / 'head_ct_ge_tilt'}; set ICHDET_DATA")
        for title, files in sets.items():
            print(f"\n{title}: all outputs equal; fastest of {arguments.runs} interleaved runs")
            best = compare(files, arguments.runs, arguments.gdcm, readers)
            print("  reader       threads  files/s  ichdet is faster by  processor ms/file  ichdet needs less by  peak MB")
            ours = best["ichdet", 1]
            for (name, threads), (clock, cpu, peak) in best.items():
                ratios = ["", ""] if name == "ichdet" else [f"{clock / ours[0]:.1f} x", f"{cpu / ours[1]:.1f} x"]
                print(f"  {name:<12}{threads or os.cpu_count():>8}{len(files) / clock:>9.0f}{ratios[0]:>21}"
                      f"{1000 * cpu / len(files):>19.2f}{ratios[1]:>22}{peak:>9.0f}")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--worker":
        worker(sys.argv[2], int(sys.argv[3]), sys.argv[5:], sys.argv[4])
    else:
        main()
