"""Weights: both sources, what is refused, what survives a kill. The hub is a local server, the package index a local folder."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rag.errors import ConfigError, ModelDamaged, ModelError, ModelMissing
from rag.models import cache, convert, fetch, trained
from rag.models.manifest import File, Model, Wheel, model_of

REVISION = "0" * 40
CONTENT = {"config.json": b'{"model_type": "tiny"}', "model.safetensors": bytes(range(256)) * 20, "sub/config.json": b"{}"}
CHILD = """
import json, sys, time
from rag.models import cache
from rag.models.manifest import model_of
cache.MANIFEST["tiny"] = model_of(json.loads(sys.argv[1]))
def progress(description, done, total):
    print(description, done, flush=True)
    if len(sys.argv) > 2 and sys.argv[2] in description:
        time.sleep(60)
print(cache.ensure("tiny", "encoder", progress=progress))
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Hub:
    """A hub of one repository: what it serves, what it was asked, and how it misbehaves."""

    def __init__(self, content):
        self.content, self.requests, self.ranges, self.tokens = dict(content), [], [], set()
        self.silent, self.drips, self.cut_at, self.released = False, False, None, threading.Event()

    def answer(self, handler):
        path = handler.path.split("?")[0]
        self.requests.append(f"{handler.command} {path}")
        self.tokens.add(handler.headers.get("Authorization"))
        if self.silent:
            self.released.wait(30)
            return
        if self.drips:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.released.wait(0.1):
                handler.wfile.write(b"X-Drip: one\r\n")
            return
        if path in ("/api/models/org/name", f"/api/models/org/name/revision/{REVISION}"):
            assert "blobs=true" in handler.path.lower()
            listed = [self.listed(name, body) for name, body in self.content.items()]
            told = {"id": "org/name", "sha": REVISION, "tags": ["license:mit"], "siblings": listed}
            self.send(handler, json.dumps(told).encode())
        elif (name := path.removeprefix(f"/org/name/resolve/{REVISION}/")) in self.content:
            self.send(handler, self.content[name])
        else:
            handler.send_error(404)

    def listed(self, name, body):
        lfs = {"lfs": {"sha256": sha256(body), "size": len(body), "pointerSize": 130}} if name.endswith(".safetensors") else {}
        return {"rfilename": name, "size": len(body), "blobId": "1", **lfs}

    def send(self, handler, body):
        start = 0
        if asked := handler.headers.get("Range"):
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            self.ranges.append(start)
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.send_header("ETag", f'"{sha256(body)}"')
        handler.send_header("X-Repo-Commit", REVISION)
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if self.cut_at and len(body) > self.cut_at:
            body, self.cut_at = body[: self.cut_at], None
        with suppress(ConnectionError):  # the test's point may be that the reader goes away
            handler.wfile.write(body[start:])


@contextmanager
def serving(hub):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hub.answer(self)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            hub.released.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty RAG_HOME; the hub refuses connections, pip knows only the folder ``shelf``."""
    from huggingface_hub import constants

    monkeypatch.setenv("RAG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # it was read when a test imported the library
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    monkeypatch.setattr(fetch, "POLL", 0.05)
    (tmp_path / "shelf").mkdir()
    return tmp_path / "home" / "models"


@pytest.fixture
def hub(home, monkeypatch):
    """A hub that serves the tiny model."""
    hub = Hub(CONTENT)
    with serving(hub) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        yield hub


def put_wheel(shelf, name, members):
    """Build a wheel that pip accepts and give its pin."""
    path = shelf / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, body in members.items():
            archive.writestr(member, body)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return Wheel(f"{name}==1.0", path.stat().st_size, sha256(path.read_bytes()))


@pytest.fixture
def tiny(home, tmp_path, monkeypatch):
    """A known model of three files; the weights are cut in two parts, each in its wheel."""
    body = CONTENT["model.safetensors"]
    small = {f"part1/{name}": CONTENT[name] for name in ("config.json", "sub/config.json")}
    wheels = (
        put_wheel(tmp_path / "shelf", "part1", {**small, "part1/data/1.bin": body[:2000]}),
        put_wheel(tmp_path / "shelf", "part2", {"part2/data/2.bin": body[2000:]}),
    )
    members = {name: (f"part1/{name}",) for name in CONTENT} | {"model.safetensors": ("part1/data/1.bin", "part2/data/2.bin")}
    files = tuple(File(name, len(content), sha256(content), members[name]) for name, content in CONTENT.items())
    model = Model("tiny", "encoder", "org/name", REVISION, "MIT", 6000, files, wheels)
    monkeypatch.setitem(cache.MANIFEST, "tiny", model)
    return model


def assert_ready(folder, origin):
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {*CONTENT, "manifest.json"}
    assert all((folder / name).read_bytes() == body for name, body in CONTENT.items())
    assert json.loads((folder / "manifest.json").read_text())["origin"] == origin
    assert not list(folder.parent.glob(".*.partial"))
    cache.verify("tiny")


def row(name):
    return next(row for row in cache.installed() if row.name == name)


def test_the_manifest_pins_every_byte_of_four_models():
    assert {model.name: model.role for model in cache.read_manifest().values()} == {
        "all-minilm-l6-v2": "encoder",
        "qwen2.5-coder-0.5b-instruct": "generator",
        "qwen2.5-coder-1.5b-instruct": "generator",
        "smollm2-135m-instruct": "generator",
    }
    for model in cache.read_manifest().values():
        assert re.fullmatch("[0-9a-f]{40}", model.revision)
        assert all(re.fullmatch("[0-9a-f]{64}", pin.sha256) and pin.bytes for pin in (*model.files, *model.wheels))
        assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", wheel.requirement) for wheel in model.wheels)
        numbers = [
            int(re.search(r"(\d+)\.bin", member)[1]) for file in model.files for member in file.members if ".bin" in member
        ]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_hub_is_asked_first_and_named_as_the_origin(hub, tiny):
    seen = []
    folder = cache.ensure("tiny", "encoder", progress=lambda *step: seen.append(step))
    assert_ready(folder, "hub")
    total = sum(file.bytes for file in tiny.files)
    assert any(done == total == size for _, done, size in seen)
    asked = len(hub.requests)
    assert cache.ensure("tiny", "encoder") == folder
    assert len(hub.requests) == asked == 1 + len(CONTENT)


def test_the_package_index_serves_when_the_hub_refuses_and_joins_parts_in_order(tiny):
    assert_ready(cache.ensure("tiny", "encoder"), "package index")


def test_wrong_bytes_from_the_hub_are_refused_and_named_and_the_index_serves(hub, tiny, caplog):
    hub.content["model.safetensors"] = wrong = bytes(5120)
    assert_ready(cache.ensure("tiny", "encoder"), "package index")
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "model.safetensors" in warning and sha256(wrong) in warning and tiny.files[1].sha256 in warning and "http" in warning


def test_a_hub_that_sends_without_end_is_cut_off_and_refused(hub, tiny, monkeypatch):
    hub.content["config.json"] = bytes(10_000_000)
    monkeypatch.setattr(fetch, "CHUNK", 1000)
    with pytest.raises(ModelDamaged, match=r"config\.json"):
        fetch._from_hub(tiny, cache.cache_folder() / ".tiny.partial", cache.silent)


def test_a_silent_hub_is_given_up_within_seconds(hub, tiny, monkeypatch):
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    hub.silent = True
    started = time.monotonic()
    assert_ready(cache.ensure("tiny", "encoder"), "package index")
    assert time.monotonic() - started < 8
    assert len(hub.requests) == 1  # not once per file


def test_a_hub_whose_answer_never_ends_is_given_up_within_seconds(hub, tiny, monkeypatch):
    monkeypatch.setattr(fetch, "PATIENCE", 0.3)
    hub.drips = True
    started = time.monotonic()
    assert_ready(cache.ensure("tiny", "encoder"), "package index")
    assert time.monotonic() - started < 8


def test_the_size_of_a_folder_is_told_while_another_process_makes_and_removes_folders_in_it(tmp_path):
    done = threading.Event()

    def churn():
        while not done.is_set():
            shutil.rmtree(Path(tempfile.mkdtemp(dir=Path(tempfile.mkdtemp(dir=tmp_path)))).parent)

    changing = threading.Thread(target=churn)
    changing.start()
    try:
        assert all(fetch._size_of(tmp_path) == 0 for _ in range(2000))
    finally:
        done.set()
        changing.join()


def test_a_name_lookup_that_never_returns_is_given_up():
    with pytest.raises(TimeoutError, match="no answer"):
        fetch._within(0.05, lambda: time.sleep(1))


def test_a_wrong_wheel_is_refused_and_named(tiny, tmp_path, home):
    put_wheel(tmp_path / "shelf", "part2", {"part2/data/2.bin": b"other"})
    with pytest.raises(ModelDamaged) as caught:
        cache.ensure("tiny", "encoder")
    assert "part2==1.0" in str(caught.value) and tiny.wheels[1].sha256 in str(caught.value) and "\n" not in str(caught.value)
    assert not (home / "tiny").exists()


def test_right_wheels_with_wrong_content_are_refused(tiny, monkeypatch, home):
    reordered = replace(tiny.files[1], members=tiny.files[1].members[::-1])
    monkeypatch.setitem(cache.MANIFEST, "tiny", replace(tiny, files=(tiny.files[0], reordered, tiny.files[2])))
    with pytest.raises(ModelDamaged, match=r"model\.safetensors"):
        cache.ensure("tiny", "encoder")
    assert not (home / "tiny").exists()


def test_paths_inside_a_wheel_never_become_paths_on_disk(tiny, tmp_path, monkeypatch):
    outside = {"../../../../evil": b"x", "/tmp/evil-by-footnote-test": b"x", "config.json": b"x"}
    members = {"part1/config.json": CONTENT["config.json"], **outside}
    wheel = put_wheel(tmp_path / "shelf", "part1", members)
    monkeypatch.setitem(cache.MANIFEST, "tiny", replace(tiny, files=tiny.files[:1], wheels=(wheel,)))
    folder = cache.ensure("tiny", "encoder")
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "manifest.json"]
    assert (folder / "config.json").read_bytes() == CONTENT["config.json"]
    assert not list(tmp_path.rglob("evil*")) and not Path("/tmp/evil-by-footnote-test").exists()


def test_without_any_source_the_reasons_fit_on_one_line(tiny, tmp_path):
    for wheel in (tmp_path / "shelf").iterdir():
        wheel.unlink()
    with pytest.raises(ModelMissing) as caught:
        cache.ensure("tiny", "encoder")
    message = str(caught.value)
    assert (
        "refused" in message
        and "No matching distribution found for part1==1.0" in message
        and "rag models --fetch tiny" in message
    )
    assert "\n" not in message


def test_without_pip_the_reason_says_so(tiny, monkeypatch, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\necho python: No module named pip >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ModelMissing, match="pip: python: No module named pip"):
        cache.ensure("tiny", "encoder")


def test_offline_nothing_is_fetched_and_the_message_says_where_it_looked(hub, tiny, home, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelMissing, match=re.escape(str(home / "tiny"))) as caught:
        cache.ensure("tiny", "encoder")
    assert "rag models --fetch tiny" in str(caught.value) and not hub.requests
    monkeypatch.delenv("HF_HUB_OFFLINE")
    cache.ensure("tiny", "encoder")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert_ready(cache.ensure("tiny", "encoder"), "hub")


def test_a_full_disk_is_noticed_before_anything_is_fetched(hub, tiny, home, monkeypatch):
    monkeypatch.setitem(cache.MANIFEST, "tiny", replace(tiny, files=(replace(tiny.files[0], bytes=10**18),)))
    with pytest.raises(ModelMissing, match=f"needs 1,000,.* free bytes in {re.escape(str(home))}"):
        cache.ensure("tiny", "encoder")
    assert not hub.requests


@pytest.mark.parametrize("step", range(4))
def test_interrupted_at_any_step_nothing_is_published_and_the_next_run_finishes(hub, tiny, home, step):
    steps = []

    def interrupt(*told):
        steps.append(told)
        if len(steps) > step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure("tiny", "encoder", progress=interrupt)
    assert row("tiny").state == "absent" and not (home / "tiny").exists()
    assert_ready(cache.ensure("tiny", "encoder"), "hub")


def test_interrupted_before_the_rename_nothing_is_published_or_fetched_again(hub, tiny, home, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            cache.ensure("tiny", "encoder")
    asked = len(hub.requests)
    assert row("tiny").state == "absent"
    assert_ready(cache.ensure("tiny", "encoder"), "hub")
    assert len(hub.requests) == asked


def start_child(tiny, *stop_at):
    """Fetch in another process, which sleeps at the step that is named."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, json.dumps(asdict(tiny)), *stop_at],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def kill_at(tiny, step):
    with start_child(tiny, step) as child:
        assert any(step in line for line in child.stdout)
        child.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("step", ["part 2 of 2", "storing"])
def test_killed_while_fetching_the_next_run_finishes_without_the_finished_parts(tiny, home, tmp_path, step):
    kill_at(tiny, step)
    assert not (home / "tiny").exists()
    (tmp_path / "shelf" / "part1-1.0-py3-none-any.whl").unlink()  # it must not be asked for again
    assert_ready(cache.ensure("tiny", "encoder"), "package index")


def test_killed_during_a_hub_download_the_next_run_keeps_the_finished_files(hub, tiny, home):
    kill_at(tiny, "hub, sub/config.json")
    assert not (home / "tiny").exists()
    asked = len(hub.requests)
    assert_ready(cache.ensure("tiny", "encoder"), "hub")
    assert [request.rpartition("/")[2] for request in hub.requests[asked:]] == [REVISION, "config.json"]
    assert hub.requests[-1].endswith("sub/config.json")


@pytest.mark.parametrize("spec", ["tiny", "org/name"])
def test_interrupted_in_the_middle_of_a_file_the_next_run_goes_on_there(hub, tiny, home, monkeypatch, spec):
    monkeypatch.setattr(fetch, "CHUNK", 1000)

    def interrupt(description, done, total):
        if description.endswith("model.safetensors") and done > 3000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.ensure(spec, "encoder", progress=interrupt)
    folder = cache.ensure(spec, "encoder")
    assert hub.ranges == [3000] and (folder / "model.safetensors").read_bytes() == CONTENT["model.safetensors"]


def test_a_connection_that_breaks_is_resumed_where_it_broke(hub, tiny, monkeypatch):
    monkeypatch.setattr(fetch, "CHUNK", 1000)
    hub.cut_at = 3000
    assert_ready(cache.ensure("tiny", "encoder"), "hub")
    assert hub.ranges == [3000]


def test_a_fetch_writes_nothing_outside_the_cache(hub, tiny, home, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with start_child(tiny) as child:
        assert child.stdout.read().endswith(f"{home / 'tiny'}\n")
    assert not (tmp_path / "hf").exists() and not list((tmp_path / "tmp").iterdir())


def test_the_users_token_is_sent_for_a_model_of_the_users_choice_alone(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    cache.ensure("tiny", "encoder")
    assert hub.tokens == {None}
    hub.tokens.clear()
    cache.ensure("org/name", "encoder")
    assert hub.tokens == {"Bearer hf_secret"}


def test_two_processes_at_once_fetch_once_and_both_succeed(hub, tiny, home):
    children = [start_child(tiny), start_child(tiny)]
    outputs = [child.communicate(timeout=30)[0] for child in children]
    assert all(
        child.returncode == 0 and output.endswith(f"{home / 'tiny'}\n") for child, output in zip(children, outputs, strict=True)
    )
    assert len(hub.requests) == 1 + len(CONTENT)


@pytest.mark.parametrize("harm", ["truncated", "missing", "without a record"])
def test_a_damaged_folder_is_refused_with_the_file_and_the_command_and_fetch_mends_it(hub, tiny, harm):
    folder = cache.ensure("tiny", "encoder")
    victim = folder / ("manifest.json" if harm == "without a record" else "model.safetensors")
    if harm == "truncated":
        victim.write_bytes(b"short")
    else:
        victim.unlink()
    with pytest.raises(ModelDamaged, match=f"{victim.name}.*rag models --fetch tiny"):
        cache.ensure("tiny", "encoder")
    assert row("tiny").state == "damaged"
    assert_ready(cache.fetch("tiny"), "hub")


def test_a_flipped_bit_escapes_the_quick_check_but_not_verify_nor_fetch(hub, tiny):
    folder = cache.ensure("tiny", "encoder")
    weights = folder / "model.safetensors"
    weights.write_bytes(b"\xff" + weights.read_bytes()[1:])
    assert cache.ensure("tiny", "encoder") == folder
    with pytest.raises(ModelDamaged, match=r"model\.safetensors has SHA-256"):
        cache.verify("tiny")
    assert_ready(cache.fetch("tiny"), "hub")


def test_a_folder_of_an_older_pin_is_not_taken_for_the_new_one(hub, tiny, monkeypatch):
    cache.ensure("tiny", "encoder")
    monkeypatch.setitem(cache.MANIFEST, "tiny", replace(tiny, files=tiny.files[:2]))
    with pytest.raises(ModelDamaged, match="other upstream files"):
        cache.ensure("tiny", "encoder")


def test_a_local_folder_is_used_as_it_is_and_comes_before_a_known_name(hub, tmp_path, monkeypatch):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for spec in ("tiny", "./tiny", str(tmp_path / "tiny")):
        assert cache.ensure(spec, "generator") == tmp_path / "tiny"
    assert not hub.requests


@pytest.mark.parametrize("spec", ["no-such-model", "./nowhere", "/nowhere/at/all", "a/b/c", ""])
def test_an_unknown_model_is_refused_with_the_known_names(home, spec):
    with pytest.raises(ConfigError, match=r"all-minilm-l6-v2, qwen2\.5-coder-0\.5b-instruct"):
        cache.ensure(spec, "encoder")


def test_a_folder_without_a_config_and_a_model_of_another_role_are_refused(home, tmp_path):
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        cache.ensure(str(tmp_path), "encoder")
    with pytest.raises(ConfigError, match="choose one of qwen"):
        cache.ensure("all-minilm-l6-v2", "generator")


def test_any_hub_model_is_cached_quietly_without_its_pickles_and_code(hub, home, monkeypatch, capfd):
    hub.content |= {"pytorch_model.bin": b"pickle", "modeling.py": b"code", "onnx/model.onnx": b"x"}
    seen = []
    folder = cache.ensure("org/name", "generator", progress=lambda *step: seen.append(step))
    assert folder == home / "org--name"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {*CONTENT, "manifest.json"}
    assert not any("pytorch_model" in request or ".py" in request for request in hub.requests)
    found = row("org/name")
    assert (found.role, found.state, found.origin, found.licence) == ("generator", "ready", "hub", "mit")
    assert (
        found.sha256 == sha256(CONTENT["model.safetensors"])
        and json.loads((folder / "manifest.json").read_text())["revision"] == REVISION
    )
    assert any(done for _, done, _ in seen) and capfd.readouterr() == ("", "")


def test_a_hub_model_without_safetensors_or_without_a_hub_is_missing(hub, home, monkeypatch):
    hub.content = {"config.json": b"{}", "pytorch_model.bin": b"pickle"}
    with pytest.raises(ModelMissing, match=r"holds no config\.json and"):
        cache.ensure("org/name", "encoder")
    with pytest.raises(ModelMissing, match="org/other cannot be fetched from the hub"):
        cache.ensure("org/other", "encoder")
    assert not (home / "org--name").exists()


def test_a_hub_model_with_other_bytes_than_the_hub_says_is_refused(hub, home, monkeypatch):
    monkeypatch.setattr(hub, "listed", lambda name, body: Hub.listed(hub, name, CONTENT[name]))
    hub.content["model.safetensors"] = wrong = bytes(5120)
    with pytest.raises(ModelDamaged, match=f"{sha256(wrong)}, expected {sha256(CONTENT['model.safetensors'])}"):
        cache.ensure("org/name", "encoder")
    assert not (home / "org--name").exists()


def test_a_hub_model_with_a_path_that_leads_out_of_its_folder_is_refused(hub, tmp_path):
    hub.content["../../evil.json"] = b"{}"
    with pytest.raises(ModelDamaged, match=r"evil\.json'?, which leads out of its folder"):
        cache.ensure("org/name", "encoder")
    assert not list(tmp_path.rglob("evil*"))


def test_the_list_names_every_known_model_before_anything_is_fetched(home):
    *rows, checker, probe = cache.installed()
    assert [row.name for row in rows] == list(cache.MANIFEST) and {row.state for row in rows} == {"absent"}
    assert (checker.name, checker.state, checker.sha256) == ("checker", "ready", trained.CHECKER.sha256)
    assert (probe.name, probe.state, probe.sha256) == ("probe", "ready", trained.PROBE.sha256)
    assert all(row.bytes > 10**7 and row.licence == "Apache-2.0" for row in rows)


def test_the_checkers_weights_are_those_that_were_trained_or_refused_by_name(tmp_path, monkeypatch):
    assert trained.checker_weights() == trained.CHECKER_WEIGHTS
    assert trained.CHECKER_WEIGHTS.stat().st_size == trained.CHECKER.bytes < 48_000_000
    other = tmp_path / "checker.safetensors"
    monkeypatch.setattr(trained, "CHECKER_WEIGHTS", other)
    assert trained.checker_weights() is None
    assert [row.state for row in cache.installed() if row.name == "checker"] == ["absent"]
    other.write_bytes(b"other")
    with pytest.raises(ModelDamaged, match=rf"checker\.safetensors has SHA-256 {sha256(b'other')} instead of"):
        trained.checker_weights()
    assert [row.state for row in cache.installed() if row.name == "checker"] == ["damaged"]


def test_a_failed_conversion_is_one_line_and_keeps_what_was_fetched(hub, tiny, home, tmp_path, monkeypatch):
    hub.content = {"w.gguf": b"GGUF"}
    gguf = replace(tiny, files=(File("w.gguf", 4, sha256(b"GGUF"), ()),), wheels=())
    monkeypatch.setitem(cache.MANIFEST, "tiny", gguf)
    script = tmp_path / "converter.py"
    monkeypatch.setattr(convert, "__file__", str(script))
    script.write_text("raise ValueError('two\\nlines')")
    with pytest.raises(ModelError, match=r"could not be converted \(lines\)"):
        cache.ensure("tiny", "encoder")
    assert row("tiny").state == "absent"
    script.write_text("import sys, pathlib; (pathlib.Path(sys.argv[2]) / 'config.json').write_text('{}')")
    assert sorted(path.name for path in cache.ensure("tiny", "encoder").iterdir()) == ["config.json", "manifest.json"]
    assert len(hub.requests) == 1


def test_where_models_are_kept_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.delenv("RAG_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for platform, folder in {"linux": "xdg", "win32": "local", "darwin": "Library/Caches"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache.cache_folder() == tmp_path / folder / "footnote" / "models"


def test_importing_the_module_loads_no_model_library():
    code = "import sys, rag.models.cache; print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.strip() == "[]"


def test_a_model_survives_the_way_through_json(tiny):
    assert model_of(json.loads(json.dumps(asdict(tiny)))) == tiny


@pytest.mark.slow
def test_the_real_encoder_comes_from_the_package_index_with_upstreams_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("RAG_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    folder = cache.ensure("all-minilm-l6-v2", "encoder")
    pinned = cache.MANIFEST["all-minilm-l6-v2"]
    assert all(fetch.sha256_of(folder / file.path) == file.sha256 for file in pinned.files)
    assert row("all-minilm-l6-v2").origin == "package index"


def write_gguf(path, architecture, *, output_matrix):
    """Write a model of one layer with random weights, quantised, in llama.cpp's layout."""
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    tokens = [chr(code) for code in range(ord("A"), ord("A") + 61)] + ["ab", "<|endoftext|>", "<|im_end|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 62 + [3, 3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(62)
    writer.add_eos_token_id(63)
    random = np.random.default_rng(0)
    layer = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
    layer |= {"ffn_gate": (96, 64), "ffn_up": (96, 64), "ffn_down": (64, 96), "attn_norm": (64,), "ffn_norm": (64,)}
    shapes = {"token_embd": (64, 64), "output_norm": (64,)} | {f"blk.0.{name}": shape for name, shape in layer.items()}
    if output_matrix:
        shapes["output"] = (64, 64)
    for name, shape in shapes.items():
        values = random.standard_normal(shape, dtype=np.float32)
        if len(shape) == 2:
            kind = gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(f"{name}.weight", gguf.quantize(values, kind), raw_dtype=kind)
        else:
            writer.add_tensor(f"{name}.weight", values)
    if architecture == "qwen2":
        for name, size in {"q": 64, "k": 32, "v": 32}.items():
            writer.add_tensor(f"blk.0.attn_{name}.bias", random.standard_normal(size, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("architecture", "output_matrix"), [("llama", False), ("qwen2", True)])
def test_a_converted_folder_has_the_weights_that_transformers_reads_from_the_gguf(
    hub, tiny, tmp_path, monkeypatch, architecture, output_matrix
):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    write_gguf(tmp_path / "w.gguf", architecture, output_matrix=output_matrix)
    hub.content = {"w.gguf": (tmp_path / "w.gguf").read_bytes()}
    pinned = File("w.gguf", len(hub.content["w.gguf"]), sha256(hub.content["w.gguf"]), ())
    monkeypatch.setitem(cache.MANIFEST, "tiny", replace(tiny, files=(pinned,), wheels=()))
    folder = cache.ensure("tiny", "encoder")
    assert not list(folder.rglob("*.gguf"))
    assert AutoTokenizer.from_pretrained(folder, local_files_only=True).convert_tokens_to_ids("<|im_end|>") == 63
    ours = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="w.gguf", dtype=torch.bfloat16, local_files_only=True)
    expected = theirs.state_dict()
    expected["model.embed_tokens.weight"] = expected["lm_head.weight"]
    assert ours.dtype == torch.bfloat16 and ours.state_dict().keys() == expected.keys()
    assert all(torch.equal(weight, expected[name]) for name, weight in ours.state_dict().items())
