"""The guard between a browser and the page: who may ask, for what, how much may be sent, and what the browser may load.

Gradio 6.31 checks neither Host nor Origin, fetches URLs for anybody under ``file=``, takes any number of files of any size in
one request, and sends none of these headers.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from rag.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

# These addresses serve files, fetch for the browser, or are for programs; the page needs none of them.
CLOSED = re.compile(
    r"/(?:gradio_api/)?(?:file[=/]|proxy=|stream/|component_server|custom_component/|process_recording|deep_link|(?:run|api|call)/)"
)
UPLOAD = re.compile(r"/(?:gradio_api/)?upload/*")
MAX_UPLOAD = 200_000_000  # bytes that one request may send, and that may lie in the folder for uploads

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "  # Gradio needs both
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def guards(host: str, uploads: Path) -> list[Middleware]:
    """Return the middleware of a page on ``host``: it refuses foreign names and pages, closed addresses, and too many bytes.

    ``uploads`` is the folder of the files that were sent and are not stored yet.
    """
    everywhere = host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound; a login guards it, and cookies keep to their host
    hosts = ["*"] if everywhere else [host, *LOOPBACK]
    return [Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False), Middleware(Guard, uploads=uploads)]


def login(host: str, auth: str | None) -> tuple[str, str] | None:
    """Return user and password of ``USER:PASSWORD``, or None where no login is needed.

    :raises UsageError: the address is open to other machines and there is no login, or the login has another form.
    """
    if auth is None:
        if is_loopback(host):
            return None
        raise UsageError(f"{host} is open to other machines; give a login as well: rag ui --host {host} --auth USER:PASSWORD")
    user, _, password = auth.partition(":")
    if not (user and password):
        raise UsageError("--auth must be USER:PASSWORD, for example --auth reader:secret")
    return user, password


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses requests of foreign pages and for closed addresses, and adds ``HEADERS`` to every response."""

    def __init__(self, app: ASGIApp, uploads: Path) -> None:
        self._app = app
        self._uploads = uploads
        self._announced = 0  # bytes of the uploads under way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        refusal, sent = self._refusal(request), _upload_length(request)
        self._announced += sent
        try:
            await (refusal or self._app)(scope, receive, send_guarded)
        finally:
            self._announced -= sent

    def _refusal(self, request: Request) -> ASGIApp | None:
        origin, path = request.headers.get("origin"), request.url.path
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
        if foreign or CLOSED.match(path):
            return PlainTextResponse("This page does not answer that.\n", status_code=403)
        if UPLOAD.fullmatch(path):
            if not request.headers.get("content-length", "").isdecimal():
                return PlainTextResponse("Say how much is sent.\n", status_code=411)
            held = sum(file.stat().st_size for file in self._uploads.rglob("*") if file.is_file())
            if _upload_length(request) > MAX_UPLOAD - held - self._announced:
                return PlainTextResponse("That is too much at once.\n", status_code=413)
        return None


def _upload_length(request: Request) -> int:
    """Return how many bytes of files a request says it sends, 0 where it is no upload."""
    length = request.headers.get("content-length", "")
    return int(length) if UPLOAD.fullmatch(request.url.path) and length.isdecimal() else 0
