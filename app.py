"""Tailscope's launcher: ``streamlit run app.py`` finds ``app``; the pages live in ``pages/`` and import no server code.

The script sits inside ``pages/`` on purpose: a folder of that name beside the script would make Streamlit show a bare
page to whoever opens a deep link first.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import streamlit as st
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from core.errors import TailscopeError
from core.runtime import logs
from core.runtime import thumbnails as thumbs
from core.runtime.compression import Compressed
from core.runtime.hosts import OnlyOwnHosts
from core.runtime.moved import Moved
from core.runtime.preload import Preloaded
from pages import registry

ROOT = Path(__file__).resolve().parent
KEEP = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


AT_ONCE = CapacityLimiter(4)
"""Pictures made at a time, apart from the threads that serve everything else."""


async def picture(request: Request) -> Response:
    """One thumbnail by digest, size and index; its address names its content, so it never goes stale."""
    place = request.path_params
    try:
        wanted = place["fingerprint"], place["index"], place["size"]
        data = await to_thread.run_sync(thumbs.thumbnail, *wanted, limiter=AT_ONCE)
    except TailscopeError as error:
        return Response(str(error), status_code=404, media_type="text/plain", headers={"Cache-Control": "no-store"})
    return Response(data, media_type="image/webp", headers=KEEP)


async def home(request: Request) -> Response:
    """The first page by its name: Streamlit knows the default page by the bare address alone."""
    return RedirectResponse(f"./?{request.url.query}".rstrip("?"))


@asynccontextmanager
async def warm(_app: st.App) -> AsyncIterator[None]:
    """Import what every page needs before the first visitor, then keep the collector off those objects.

    Streamlit collects garbage after each run; without the freeze every click walks all imported modules.
    """
    await run_in_threadpool(_import_pages)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def _import_pages() -> None:
    """The modules of the first screen, and the figures that its first visitor sees."""
    import core.evaluation.evaluate  # noqa: F401
    from pages import overview as home
    from pages.overview import curves, tail
    from pages.ui.jobs import recall

    for module in iter_modules(home.__path__):
        if module.name != registry.HOME.file.stem:  # the script itself
            import_module(f"{home.__name__}.{module.name}")
    for figure in (recall(curves.draw, curves.usual().model), recall(tail.draw, tail.usual().name)):
        figure.to_json()  # Plotly loads what it writes with when it is first needed


logs.escape()
app = st.App(
    ROOT / "pages" / "_shell.py",
    lifespan=warm,
    routes=[Route("/thumbs/{fingerprint}/{size:int}/{index:int}.webp", picture), Route(f"/{registry.HOME.id}", home)],
    middleware=[
        Middleware(OnlyOwnHosts, address=lambda: st.get_option("server.address") or ""),
        Middleware(Compressed),
        Middleware(Preloaded),
        Middleware(Moved, pages={page.id for page in registry.PAGES}, keys=registry.ONCE_SHARED),
    ],
)
