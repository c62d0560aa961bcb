"""Who may ask the page for what. No Gradio: the guarded application answers everything."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rag.errors import UsageError
from rag.web.guard import MAX_UPLOAD, Guard, guards, is_loopback, login

PAGE = "http://127.0.0.1:7860"


def client(host="127.0.0.1", uploads=Path("no-such-folder")):
    everything = Route("/{path:path}", lambda request: PlainTextResponse("served"), methods=["GET", "POST"])
    return TestClient(Starlette(routes=[everything], middleware=guards(host, uploads)), base_url=PAGE)


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/queue/join", "/assets/index.js", "/static/file=x"])
def test_the_page_is_served(path):
    assert client().get(path).text == "served"
    assert client().post(path, headers={"Origin": PAGE}).text == "served"


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file%3D/etc/passwd",
        "/file=https://example.com/",
        "/gradio_api/file=http://169.254.169.254/",
        "/gradio_api/file/etc/passwd",
        "/gradio_api/proxy=https://example.com/",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/component_server/",
        "/gradio_api/deep_link",
        "/gradio_api/call/pose",
    ],
)
def test_closed_addresses_are_refused(path):
    assert client().get(path).status_code == 403
    assert client().post(path).status_code == 403


@pytest.mark.parametrize("path", ["/gradio_api/upload", "/upload", "/gradio_api/upload/"])
def test_uploads_are_bounded_and_say_their_length(path, tmp_path):
    page = client(uploads=tmp_path)
    assert page.post(path, content=b"x" * 100).text == "served"
    assert page.post(path, headers={"Content-Length": str(MAX_UPLOAD + 1)}).status_code == 413
    assert page.post(path, content=iter([b"x"])).status_code == 411  # sent in pieces, without an end in sight
    assert page.post(path, headers={"Content-Length": "-5"}).status_code == 411


def test_what_lies_there_already_counts_towards_the_bound(tmp_path):
    (tmp_path / "one").mkdir()
    with (tmp_path / "one" / "file").open("wb") as file:
        file.truncate(MAX_UPLOAD - 50)
    assert client(uploads=tmp_path).post("/gradio_api/upload", content=b"x" * 50).text == "served"
    assert client(uploads=tmp_path).post("/gradio_api/upload", content=b"x" * 51).status_code == 413


def test_uploads_at_the_same_time_are_bounded_together(tmp_path):
    async def sends_another(scope, receive, send):
        if scope["headers"] != [more]:
            scope = {**scope, "headers": [more]}
            await guard(scope, receive, send)

    async def note(message):
        seen.append(message.get("status"))

    more, seen = (b"content-length", b"2"), []
    guard = Guard(sends_another, tmp_path)
    first = {"type": "http", "method": "POST", "path": "/upload", "headers": [(b"content-length", b"%d" % (MAX_UPLOAD - 1))]}
    asyncio.run(guard(first, None, note))
    assert 413 in seen
    seen.clear()
    asyncio.run(guard({**first, "headers": [more]}, None, note))
    assert seen == []  # what is over counts no more


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:7861", "http://localhost:7860", "file://", ""]
)
def test_foreign_pages_are_refused(origin):
    assert client().post("/gradio_api/queue/join", headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:7860", "evil.example:7860", ""]
)
def test_foreign_names_are_refused(host):
    assert client().get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1", "[::1]:7860"])
def test_the_names_of_this_machine_are_not(host):
    assert client().get("/", headers={"Host": host}).status_code == 200


def test_a_page_for_all_addresses_answers_to_every_name():
    assert client("0.0.0.0").get("/", headers={"Host": "reader.lan:7860"}).status_code == 200
    assert client("192.0.2.7").get("/", headers={"Host": "192.0.2.7:7860"}).status_code == 200
    assert client("192.0.2.7").get("/", headers={"Host": "evil.example"}).status_code == 400


def test_every_response_forbids_foreign_content():
    for path in ("/", "/file=/etc/passwd"):
        headers = client().get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert "http" not in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.8.0.1"])
def test_this_machine_needs_no_login(host):
    assert is_loopback(host)
    assert login(host, None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "reader.lan"])
def test_other_machines_need_one(host):
    with pytest.raises(UsageError, match="--auth USER:PASSWORD"):
        login(host, None)
    assert login(host, "reader:a:b") == ("reader", "a:b")


@pytest.mark.parametrize("auth", ["", "reader", "reader:", ":secret"])
def test_a_login_has_a_user_and_a_password(auth):
    with pytest.raises(UsageError, match="USER:PASSWORD"):
        login("127.0.0.1", auth)
