"""Addresses of before: a name in the query that several pages had leads to the page's own."""

from __future__ import annotations

import re
from collections.abc import Collection

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Moved:
    """ASGI middleware that redirects ``/lab?view=flips`` to ``/lab?lab-view=flips``, values as they are.

    Args:
        pages: last parts of the paths that are redirected.
        keys: names in the query that become ``page-key``.
    """

    def __init__(self, app: ASGIApp, *, pages: Collection[str], keys: Collection[str]) -> None:
        self.app, self._pages = app, pages
        self._old = re.compile(rb"(?<![^&])(?=(?:%s)=)" % "|".join(map(re.escape, keys)).encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Redirect an old address; pass every other request on."""
        page = scope["path"].rpartition("/")[2] if scope["type"] == "http" else ""
        query = self._old.sub(f"{page}-".encode(), scope["query_string"]) if page in self._pages else b""
        moved = query and query != scope["query_string"]
        # From the page's own address, whatever stands before it where a proxy serves the dashboard.
        await (RedirectResponse(f"{page}?{query.decode('latin-1')}") if moved else self.app)(scope, receive, send)
