"""The chart library on its way while the page is still being made.

Streamlit's page asks for Plotly's script, its largest, only when the first figure has come through the websocket; a
header of the document makes the browser fetch it beside the others.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Preloaded:
    """ASGI middleware that names the chart library's script in the ``Link`` header of every document."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and the answer with the header if it is a document."""

        async def linked(message: Message) -> None:
            if message["type"] == "http.response.start" and (script := chart_script()):
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("Link", f"<./static/js/{script}>; rel=modulepreload; as=script; crossorigin")
            await send(message)

        await self.app(scope, receive, linked if scope["type"] == "http" else send)


@cache
def chart_script() -> str:
    """Name of the script that Streamlit draws figures with; empty where this version of it has none of that name."""
    found = find_spec("streamlit")
    folder = Path(found.origin or "").parent / "static" / "static" / "js" if found else Path()
    return next((path.name for path in sorted(folder.glob("PlotlyChart.*.js"))), "")
