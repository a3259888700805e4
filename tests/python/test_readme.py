"""The README's snippets are the examples, word for word, and the examples do what they say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["01_detect.cpp", "01_detect.py"])
def test_the_readme_shows_the_example(name):
    assert f"```{'cpp' if name.endswith('cpp') else 'python'}\n{(ROOT / 'examples' / name).read_text()}```" in (
        ROOT / "README.md"
    ).read_text()


@pytest.mark.parametrize("language", ["cpp", "python"])
def test_first_detection(language, ichdet, study, tmp_path):
    if language == "cpp":
        command = [ichdet.parent / "examples" / "01_detect"]
    else:
        command = [sys.executable, ROOT / "examples" / "01_detect.py"]
    environment = {**os.environ, "PYTHONPATH": str(ichdet.parent / "python")}
    done = subprocess.run([*map(str, command), study, tmp_path / "out"], env=environment, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert "hemorrhage" in done.stdout
    assert json.loads((tmp_path / "out" / "result.json").read_text())["decision"] is True
    assert (tmp_path / "out" / "sheet.png").exists()


def test_the_snippets_of_the_python_page_run_in_turn():
    pytest.importorskip("ichdet.nn")
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.DOTALL)
    names = {}
    for snippet in snippets:
        exec(compile(snippet, "docs/python.md", "exec"), names)
    assert len(snippets) == 3
    assert names["again"].geometry.size == names["volume"].geometry.size


def test_windows_without_torch(ichdet, study):
    example = ichdet.parent / "examples" / "02_windows_without_torch"
    assert "libtorch" not in subprocess.run(["ldd", example], capture_output=True, text=True).stdout
    done = subprocess.run([example, study], capture_output=True, text=True)
    assert done.stdout.startswith("6 slices of 3 channels, 128 x 128"), done.stderr
