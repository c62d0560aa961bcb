"""What a page neither sends nor takes: every address that Gradio has is asked in every wrong way. No browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from browsing import EXPO, GRADIO, ROOT, Scripted, free_port, indexed, page_of

from rag.web.environment import prepare
from rag.web.guard import MAX_UPLOAD
from rag.web.loading import BackgroundAssistant
from rag.web.serve import serve

pytestmark = GRADIO

SECRET = "a secret of this machine"
FOREIGN = ("https://evil.example", "null", "http://127.0.0.1:1")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def served(home):
    """Serve a page; yield what Gradio made of it."""
    (home / "secret.txt").write_text(SECRET, encoding="utf-8")
    blocks = page_of(BackgroundAssistant(lambda progress: Scripted()), indexed(home, expo=EXPO.text))
    serve(blocks, host="127.0.0.1", port=free_port())
    yield blocks
    blocks.close()


@pytest.fixture(scope="module")
def page(served):
    with httpx.Client(base_url=served.local_url, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def routes(served):
    """Return every method and address of the application, with something in the place of each parameter."""
    found = {(method, re.sub(r"{[^}]*}", "x", path)) for path, methods in _flat(served.app.routes) for method in methods}
    assert len(found) > 40
    return sorted(found)


def _flat(routes):
    for route in routes:
        if methods := getattr(route, "methods", None):
            yield route.path, methods
        else:
            yield from _flat(getattr(getattr(route, "original_router", route), "routes", None) or ())


def targets(home):
    files = [home / "secret.txt", home / "index" / "articles.db", home / "articles" / "expo.txt", ROOT / "ui.py"]
    files += [Path("/etc/passwd"), Path("/proc/self/environ"), Path("/proc/self/cmdline"), Path.home() / ".ssh" / "id_rsa"]
    for path in files:
        yield str(path)
        yield quote(str(path), safe="")
        yield quote(quote(str(path), safe=""), safe="")
        yield f"../../../../../../..{path}"
        yield quote(f"../../../../../../..{path}", safe="")


def test_no_file_of_the_machine_is_given(page, home):
    asked = 0
    for target in targets(home):
        for prefix in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/gradio_api/proxy=file://"):
            answer = page.get(prefix + target)
            asked += 1
            assert answer.status_code in (403, 404), (prefix, target)
            assert SECRET not in answer.text
            assert "root:" not in answer.text
    assert asked >= 200


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/",
        "http://127.0.0.1:1/",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://example.com/",
        "//x.example/",
    ],
)
def test_nothing_is_fetched_for_anybody(page, url, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("looks a name up"))
    for prefix in ("/gradio_api/file=", "/gradio_api/proxy=", "/gradio_api/stream/", "/file="):
        assert page.get(prefix + url).status_code == 403


def test_nothing_is_fetched_in_the_place_of_a_file_that_was_sent(page, monkeypatch):
    asked = []

    async def get(url, **_):
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr("safehttpx.get", get)
    events = page.get("/config").json()["dependencies"]
    add = next(event["id"] for event in events if event["api_name"].startswith("add"))
    file = {"path": "http://192.0.2.1/x.txt", "url": "http://192.0.2.1/x.txt", "meta": {"_type": "gradio.FileData"}}
    join = {"data": [[file], ""], "fn_index": add, "session_hash": "someone"}
    assert page.post("/gradio_api/queue/join", json=join).status_code == 200
    with page.stream("GET", "/gradio_api/queue/data?session_hash=someone") as told:
        ended = next(line for line in told.iter_lines() if "process_completed" in line)
    assert '"success":false' in ended
    assert asked == []


def test_a_foreign_name_is_refused_at_every_address(page, routes):
    for method, path in routes:
        assert page.request(method, path, headers={"Host": "evil.example"}).status_code == 400, path


def test_a_foreign_page_is_refused_at_every_address_and_leaves_nothing(page, routes):
    before = sorted(prepare().rglob("*"))
    for method, path in routes:
        for origin in FOREIGN:
            answer = page.request(method, path, headers={"Origin": origin}, files={"files": b"x"} if method == "POST" else None)
            assert answer.status_code == 403, path
    assert sorted(prepare().rglob("*")) == before


def test_nothing_runs_outside_the_queue(page):
    names = [event["api_name"] for event in page.get("/config").json()["dependencies"]]
    assert len(names) > 20
    for name in [*names, "predict"]:
        for path in (f"/gradio_api/run/{name}", f"/gradio_api/api/{name}", f"/gradio_api/call/{name}", f"/run/{name}"):
            assert page.post(path, json={"data": [], "fn_index": 0}).status_code == 403


def test_too_large_a_file_is_refused_and_leaves_nothing(page):
    before = sorted(prepare().rglob("*"))
    answer = page.post("/gradio_api/upload", files={"files": ("a.txt", b"x" * MAX_UPLOAD)})
    assert answer.status_code == 413
    assert page.post("/gradio_api/upload", files=[("files", (f"{n}.txt", b"x")) for n in range(1001)]).status_code in (400, 413)
    assert sorted(prepare().rglob("*")) == before


def test_a_file_that_was_sent_is_given_to_nobody(page):
    (sent,) = page.post("/gradio_api/upload", files={"files": ("a.txt", SECRET.encode())}).json()
    assert Path(sent).is_relative_to(prepare())
    assert page.get(f"/gradio_api/file={sent}").status_code == 403
    Path(sent).unlink()
