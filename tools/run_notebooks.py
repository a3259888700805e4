"""Runs the notebooks of examples/notebooks, and keeps the pictures that may be kept.

    PYTHONPATH=build/python .venv-oracles/bin/python tools/run_notebooks.py [NAME ...]

Phantoms alone (ICHDET_DATA=/nonexistent): the outputs go into the notebooks whose metadata say
"ichdet": {"outputs": "phantom"}, since no picture of a real patient is committed. All others are run and left without.
With --real the scans of ICHDET_DATA (default: ../shared/data) are used, and nothing is written.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "examples" / "notebooks"


def run(notebook, data):
    """The notebook, run in a folder of its own; what its cells print as errors is no output of a good run."""
    places = os.pathsep.join(map(os.path.abspath, filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))))
    environment = {**os.environ, "ICHDET_DATA": str(data), "PYTHONPATH": places}
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}},
                                record_timing=False)
        client.execute(env=environment)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                raise RuntimeError(f"cell {cell.id} wrote to stderr: {output['text']}")
    return notebook


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginnings of file names, such as 01; none: all")
    parser.add_argument("--real", action="store_true", help="on real scans; nothing is written")
    arguments = parser.parse_args()
    data = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data")) if arguments.real else "/nonexistent"
    failed = False
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if arguments.names and not path.name.startswith(tuple(arguments.names)):
            continue
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        try:
            run(notebook, data)
        except (CellExecutionError, RuntimeError) as e:
            failed = True
            print(f"{path.name}: FAILED after {time.perf_counter() - start:.0f} s\n{e}")
            continue
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
        if arguments.real:
            continue
        if notebook.metadata.get("ichdet", {}).get("outputs") != "phantom":
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
        notebook.metadata["language_info"] = {"name": "python"}
        path.write_text(nbformat.writes(notebook) + "\n")
    sys.exit(failed)


if __name__ == "__main__":
    main()
