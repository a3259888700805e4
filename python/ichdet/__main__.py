"""`python -m ichdet`, and the script `ichdet`: the command line's own program, with the torch of this Python."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    program = Path(__file__).absolute().with_name("ichdet")
    torch = find_spec("torch")
    if torch is None or not torch.submodule_search_locations:
        sys.exit("ichdet: error[options]: the command line needs torch: pip install torch==2.13.0")
    libraries = os.path.join(torch.submodule_search_locations[0], "lib")
    environment = {"ICHDET_PYTHON": sys.executable, **os.environ}
    environment["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [libraries, os.environ.get("LD_LIBRARY_PATH")]))
    try:
        os.execve(program, ["ichdet", *sys.argv[1:]], environment)
    except OSError as error:
        sys.exit(f"ichdet: error[io]: {program}: cannot be run: {error.strerror}")


if __name__ == "__main__":
    main()
