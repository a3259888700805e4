"""The converter: bundles hold the published tensors bit for bit, and the same input gives the same bytes."""
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "python" / "ichdet" / "convert" / "blast_ct.py"
DATA = Path(os.environ.get("ICHDET_DATA", ROOT.parent / "shared" / "data")) / "blast_ct_v1"


def convert(out, *models, config=DATA / "config.json"):
    return subprocess.run([sys.executable, SCRIPT, *models, "--config", config, "--licence", DATA / "LICENSE.txt",
                           "--out", out], capture_output=True, text=True)


def read_safetensors(file):
    raw = Path(file).read_bytes()
    n = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
    types = {"F32": torch.float32, "I64": torch.int64}
    return {k: torch.frombuffer(bytearray(data[slice(*v["data_offsets"])]), dtype=types[v["dtype"]]).reshape(v["shape"])
            for k, v in header.items()}


def test_bundle_equals_the_published_file(tmp_path):
    if not DATA.exists():
        pytest.skip(f"SKIPPED: no {DATA}; set ICHDET_DATA")
    published = DATA / "model_3.pt"
    for out in ("a", "b"):
        done = convert(tmp_path / out, published)
        assert done.returncode == 0, done.stderr
    a, b = (tmp_path / out / "blast-ct-v1-03" for out in "ab")
    for name in ("bundle.json", "weights.safetensors", "LICENSE"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
    state = torch.load(published, map_location="cpu", weights_only=True)
    found = read_safetensors(a / "weights.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[k], state[k]) for k in state)
    spec = json.loads((a / "bundle.json").read_text())
    assert spec["weights"]["sha256"] == hashlib.sha256((a / "weights.safetensors").read_bytes()).hexdigest()
    assert [c["name"] for c in spec["classes"] if c["blood"]] == ["IPH", "EAH", "IVH"]
    assert spec["classes"][0]["name"] == "background"


def test_refusals(tmp_path):
    if not DATA.exists():
        pytest.skip(f"SKIPPED: no {DATA}; set ICHDET_DATA")
    broken = tmp_path / "model_1.pt"
    broken.write_bytes(b"not a pickle")
    done = convert(tmp_path, broken)
    assert done.returncode != 0 and "cannot be read as weights" in done.stderr
    done = convert(tmp_path, tmp_path / "none.pt")
    assert done.returncode != 0 and "no such file" in done.stderr
    assert not (tmp_path / "blast-ct-v1-01").exists()
