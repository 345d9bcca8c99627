"""The interface's scripts, styles and documents, compressed on their way to the browser.

Streamlit compresses what its script makes and leaves its own files to a proxy, which few who run the dashboard have:
8 of the 9.5 MB of a first visit. Files whose name holds their content are compressed once and kept.
"""

from __future__ import annotations

import gzip

from anyio import to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST = 500
"""Bytes below which compression gains nothing."""

LEVEL = 4
"""Of gzip: a third of the time of the highest, which the first visitor waits for, for files 4 % larger."""

_KINDS = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")


class Compressed:
    """ASGI middleware that sends ``/`` and ``/static/`` as gzip to browsers that take it.

    What is asked by range, revalidated, already encoded or no text passes unchanged, and so does every other path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: dict[str, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from what is kept, or compress what the application answers."""
        if not _may_compress(scope):
            await self.app(scope, receive, send)
            return
        if scope["path"] in self._kept:
            await _answer(*self._kept[scope["path"]], send)
            return
        held: list[bytes] = []
        start: Message | None = None

        async def compress(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_text(message):
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                held.append(message.get("body", b""))
                if not message.get("more_body", False):
                    await self._send(scope["path"], start, b"".join(held), send)

        await self.app(scope, receive, compress)

    async def _send(self, path: str, start: Message, body: bytes, send: Send) -> None:
        headers = MutableHeaders(raw=list(start["headers"]))
        headers.add_vary_header("Accept-Encoding")
        start = {**start, "headers": headers.raw}
        if len(body) >= LEAST:
            body = await to_thread.run_sync(gzip.compress, body, LEVEL)
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
            if "etag" in headers:
                headers["ETag"] = "W/" + headers["etag"].removeprefix("W/")
            if "immutable" in headers.get("cache-control", ""):
                self._kept[path] = start, body
        await _answer(start, body, send)


async def _answer(start: Message, body: bytes, send: Send) -> None:
    await send({**start, "headers": list(start["headers"])})  # those around this one add headers of their own
    await send({"type": "http.response.body", "body": body})


def _may_compress(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    headers = Headers(scope=scope)
    if {"range", "if-none-match", "if-modified-since"} & set(headers.keys()):
        return False
    own = scope["path"] == "/" or "/static/" in scope["path"]
    return own and "gzip" in headers.get("accept-encoding", "")


def _is_text(start: Message) -> bool:
    headers = Headers(raw=list(start["headers"]))
    kind = headers.get("content-type", "")
    return start["status"] == 200 and "content-encoding" not in headers and kind.startswith(_KINDS)
