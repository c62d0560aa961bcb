"""Who may ask the page for what. No Gradio: the guarded application answers everything."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from rag.errors import UsageError
from rag.webguard import guards, is_loopback, login

PAGE = "http://127.0.0.1:7860"


def client(host="127.0.0.1"):
    everything = Route("/{path:path}", lambda request: PlainTextResponse("served"), methods=["GET", "POST"])
    return TestClient(Starlette(routes=[everything], middleware=guards(host)), base_url=PAGE)


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
        "/gradio_api/upload",
        "/gradio_api/upload_progress",
        "/gradio_api/stream/a/b/c/playlist.m3u8",
        "/gradio_api/component_server/",
        "/gradio_api/deep_link",
    ],
)
def test_closed_addresses_are_refused(path):
    assert client().get(path).status_code == 403
    assert client().post(path).status_code == 403


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
