"""`ichdet models` against a server on the loopback interface that behaves well, badly, and not at all."""

import hashlib
import http.server
import json
import os
import pty
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

NAME = "blast-ct-v1"
WEIGHTS = "model_1.pt"


class Mirror(http.server.ThreadingHTTPServer):
    """Serves a folder. `plan[file]` lists what happens to the next requests for it; after that all go well."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.plan, self.requests = folder, {}, []
        self.address = f"http://127.0.0.1:{self.server_port}"

    def ranges(self, name=WEIGHTS):
        """The Range headers of the requests for a file, in order."""
        return [header for requested, header in self.requests if requested == name]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.rsplit("/", 1)[1]
        header = self.headers.get("Range")
        self.server.requests.append((name, header))
        plan = self.server.plan.get(name, [])
        action = plan.pop(0) if plan else "serve"
        body = (self.server.folder / self.path.lstrip("/")).read_bytes()
        getattr(self, action)(body, header)

    def answer(self, status, body, length=None, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def serve(self, body, header):
        if header is None:
            return self.answer(200, body)
        start = int(header.removeprefix("bytes=").removesuffix("-"))
        content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.answer(206, body[start:], headers=[("Content-Range", content_range)])

    def no_ranges(self, body, _):
        self.answer(200, body)

    def cut(self, body, _):
        self.answer(200, body[: len(body) // 2], length=len(body))

    def short(self, body, header):
        if header is None:
            return self.answer(200, body[:1000])
        self.answer(206, b"", headers=[("Content-Range", f"bytes 1000-{len(body) - 1}/{len(body)}")])

    def long(self, body, _):
        self.answer(200, body + b"more")

    def corrupt(self, body, _):
        self.answer(200, body[:-1] + bytes([body[-1] ^ 1]))

    def missing(self, *_):
        self.answer(404, b"not here")

    def failing(self, *_):
        self.answer(503, b"try again")

    def stall(self, body, _):
        self.answer(200, body[: len(body) // 2], length=len(body))
        self.wfile.flush()
        self.server.stalled.set()
        self.server.resume.wait(20)


@pytest.fixture
def mirror(real_data):
    server = Mirror(real_data("blast_ct_v1").parent)
    server.stalled, server.resume = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.resume.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(tmp_path):
    keep = {k: v for k, v in os.environ.items() if "proxy" not in k.lower() and not k.startswith("ICHDET_")}
    return {**keep, "ICHDET_CACHE": str(tmp_path / "cache")}


@pytest.fixture
def models(ichdet, environment):
    def run(*arguments, **extra):
        return subprocess.run(
            [ichdet, "models", *arguments], env={**environment, **extra}, capture_output=True, text=True, timeout=120
        )

    return run


def cached(environment):
    return Path(environment["ICHDET_CACHE"])


def refused(result, code=4):
    assert result.returncode == code, (result.stdout, result.stderr)
    assert result.stderr.startswith("ichdet: error["), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stdout == ""
    return result.stderr


def succeeded(result):
    assert result.returncode == 0, (result.stdout, result.stderr)
    assert result.stderr == ""
    return result.stdout


def test_get_downloads_verifies_and_converts_once(models, mirror, environment):
    made = json.loads(succeeded(models("get", NAME, "--json", ICHDET_MODEL_MIRROR=mirror.address)))
    folder = cached(environment) / "bundles" / NAME
    assert made == [{"name": NAME, "folder": str(folder), "cached": False, "licence": "Apache-2.0"}]
    assert mirror.ranges() == [None]

    bundle = json.loads((folder / "bundle.json").read_text())
    weights = (folder / "weights.safetensors").read_bytes()
    assert bundle["name"] == NAME
    assert bundle["weights"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert bundle["provenance"]["files"][WEIGHTS] == hashlib.sha256(
        (mirror.folder / "blast_ct_v1" / WEIGHTS).read_bytes()
    ).hexdigest()
    assert (folder / "LICENSE").read_bytes() == (mirror.folder / "blast_ct_v1" / "LICENSE.txt").read_bytes()
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    assert not list(cached(environment).glob("staging-*"))

    seen = len(mirror.requests)
    assert "there already" in succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert len(mirror.requests) == seen
    assert succeeded(models("verify")).startswith("ok ")
    assert [m["cached"] for m in json.loads(succeeded(models("list", "--json"))) if m["name"] == NAME] == [True]
    assert json.loads(succeeded(models("show", NAME, "--json")))["folders"] == [str(folder)]


def test_a_cut_connection_is_resumed(models, mirror):
    mirror.plan[WEIGHTS] = ["cut", "failing"]
    succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    half = (mirror.folder / "blast_ct_v1" / WEIGHTS).stat().st_size // 2
    assert mirror.ranges() == [None, f"bytes={half}-", f"bytes={half}-"]


def test_a_server_without_ranges_serves_from_the_start(models, mirror):
    mirror.plan[WEIGHTS] = ["cut", "no_ranges", "no_ranges"]
    succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert mirror.ranges()[-1] is None


@pytest.mark.parametrize("how, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_an_interrupted_download_is_resumed_by_the_next(ichdet, models, mirror, environment, how, code):
    mirror.plan[WEIGHTS] = ["stall"]
    process = subprocess.Popen(
        [ichdet, "models", "get", NAME],
        env={**environment, "ICHDET_MODEL_MIRROR": mirror.address},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert mirror.stalled.wait(20)
    time.sleep(0.3)  # for the half to arrive
    process.send_signal(how)
    stderr = process.communicate(timeout=5)[1]
    assert process.returncode == code
    if code == 130:
        assert stderr.startswith("ichdet: error[cancelled]:") and stderr.count("\n") == 1
    assert not (cached(environment) / "bundles" / NAME).exists()

    succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert mirror.ranges()[-1].startswith("bytes=")


def test_a_download_that_stays_truncated_is_refused(models, mirror):
    mirror.plan[WEIGHTS] = ["short"] * 9
    size = (mirror.folder / "blast_ct_v1" / WEIGHTS).stat().st_size
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert WEIGHTS in message and f"expected {size} bytes, found 1000 (attempt 4 of 4)" in message


def test_a_server_that_stays_down_is_named(models, mirror):
    mirror.plan[WEIGHTS] = ["failing"] * 9
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert "503" in message and "attempt 4 of 4" in message


def test_more_bytes_than_announced_are_refused(models, mirror, environment):
    mirror.plan[WEIGHTS] = ["long"]
    size = (mirror.folder / "blast_ct_v1" / WEIGHTS).stat().st_size
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert f"expected {size} bytes, found more" in message
    assert not list(cached(environment).rglob("model_1*"))


def test_a_wrong_hash_names_both_and_removes_the_file(models, mirror, environment):
    mirror.plan[WEIGHTS] = ["corrupt"]
    body = (mirror.folder / "blast_ct_v1" / WEIGHTS).read_bytes()
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert f"expected {hashlib.sha256(body).hexdigest()}" in message
    assert f"found {hashlib.sha256(body[:-1] + bytes([body[-1] ^ 1])).hexdigest()}" in message
    assert not list(cached(environment).rglob("model_1*"))
    assert not (cached(environment) / "bundles" / NAME).exists()


def test_a_resumed_file_with_a_wrong_beginning_is_fetched_anew(models, mirror, environment):
    body = (mirror.folder / "blast_ct_v1" / WEIGHTS).read_bytes()
    downloads = cached(environment) / "downloads" / "blast_ct_v1"
    downloads.mkdir(parents=True)
    (downloads / f"{WEIGHTS}.{hashlib.sha256(body).hexdigest()[:12]}.part").write_bytes(b"\0" * 5000)
    succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert mirror.ranges() == ["bytes=5000-", None]


def test_a_missing_file_is_not_asked_for_twice(models, mirror):
    mirror.plan[WEIGHTS] = ["missing"]
    assert "HTTP status 404" in refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address))
    assert len(mirror.ranges()) == 1


def test_two_processes_at_once_download_once(ichdet, mirror, environment):
    both = [
        subprocess.Popen([ichdet, "models", "get", NAME], env={**environment, "ICHDET_MODEL_MIRROR": mirror.address})
        for _ in range(2)
    ]
    assert [process.wait(120) for process in both] == [0, 0]
    assert len(mirror.ranges()) == 1


def test_a_folder_serves_as_a_mirror_and_is_checked_too(models, real_data, tmp_path, environment):
    folder = tmp_path / "mirror"
    (folder / "blast_ct_v1").mkdir(parents=True)
    for name in ("config.json", "LICENSE.txt"):
        shutil.copyfile(real_data("blast_ct_v1") / name, folder / "blast_ct_v1" / name)
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=str(folder)))
    assert f"{folder}/blast_ct_v1/{WEIGHTS}: no such file" in message
    (folder / "blast_ct_v1" / WEIGHTS).write_bytes(b"not it")
    assert "SHA-256: expected 95f76e8b" in refused(models("get", NAME, ICHDET_MODEL_MIRROR=str(folder)))
    succeeded(models("get", NAME, ICHDET_MODEL_MIRROR=str(real_data("blast_ct_v1").parent)))
    assert (cached(environment) / "bundles" / NAME / "bundle.json").exists()


def test_without_mirror_and_internet_it_says_what_to_do(models):
    # A proxy at a closed port of this machine stands for a network that leads nowhere.
    message = refused(models("get", NAME, https_proxy="http://127.0.0.1:9"))
    assert "https://github.com/biomedia-mira/blast-ct" in message and "could not be had" in message
    assert f"ICHDET_MODEL_MIRROR to a folder or an address that has blast_ct_v1/{WEIGHTS}" in message


def test_without_python_it_says_what_to_do(models, mirror):
    message = refused(models("get", NAME, ICHDET_MODEL_MIRROR=mirror.address, ICHDET_PYTHON="/nowhere/python"))
    assert "a Python with torch is needed" in message and "/nowhere/python: No such file" in message
    assert "ICHDET_PYTHON=" in message


def test_verify_names_what_changed_and_force_mends_it(models, real_data, environment):
    mirror = {"ICHDET_MODEL_MIRROR": str(real_data("blast_ct_v1").parent)}
    succeeded(models("get", NAME, "--quiet", **mirror))
    weights = cached(environment) / "bundles" / NAME / "weights.safetensors"
    body = bytearray(weights.read_bytes())
    body[-1] ^= 1
    weights.write_bytes(body)
    message = refused(models("verify", NAME))
    assert "weights.safetensors" in message and hashlib.sha256(body).hexdigest() in message and "--force" in message
    succeeded(models("get", NAME, "--force", **mirror))
    succeeded(models("verify", NAME))
    (weights.parent / "LICENSE").unlink()
    assert "LICENSE" in refused(models("verify", str(weights.parent)))


def test_a_terminal_sees_a_bar_that_is_wiped_at_the_end(ichdet, mirror, environment):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [ichdet, "models", "get", NAME],
        env={**environment, "ICHDET_MODEL_MIRROR": mirror.address, "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"downloading {WEIGHTS}".encode() in shown and b"[####" in shown and b" %\r" in shown
    assert b"converting" in shown
    assert shown.endswith(b"\r\x1b[K")  # before the summary, which goes to stdout


@pytest.mark.parametrize("command", ["get", "show", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(models, command):
    assert 'did you mean "blast-ct-v1"?' in refused(models(command, "blast-ctv1"))


def test_list_names_everything_with_licence_and_size(models, tmp_path):
    table = succeeded(models("list", ICHDET_BUNDLES=str(tmp_path)))
    entries = json.loads(succeeded(models("list", "--json", ICHDET_BUNDLES=str(tmp_path))))
    assert [e["name"] for e in entries][0] == NAME and len(entries) == 13
    for entry in entries:
        assert entry["name"] in table and not entry["cached"] and entry["licence"] == "Apache-2.0"
        assert entry["size_bytes"] > 4_000_000


def test_an_unwritable_cache_is_named(models, real_data):
    result = models("get", NAME, ICHDET_CACHE="/dev/null/cache", ICHDET_MODEL_MIRROR=str(real_data("blast_ct_v1").parent))
    assert "/dev/null/cache" in refused(result, code=3)
