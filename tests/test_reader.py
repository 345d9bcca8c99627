"""What a visitor of a server that others reach can change: nothing but answers, thumbnails and drawn sets."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation import evaluate
from core.published import board
from core.runtime.jobs import Engine, engine
from pages import registry
from tests.helpers.pages import answered, launched, opened

WRITTEN = {"results", "icons", "embeddings", "joined", "weights"}
"""Folders of the cache that a visitor's questions may add to; docs/SECURITY.md lists them with their bounds."""

SLOW = {"shifts", "composition", "among", "failures"}  # pressed while they wait for what takes seconds to a minute
PLACES: list[tuple[str, dict[str, str]]] = [
    *((info.id, {}) for info in registry.PAGES if info.id != "data"),
    *(("data", {"show": show}) for show in ("models", "image sets", "counts", "published release", "cache", "jobs")),
    ("explore", {"concept": "dog"}),
]
EVERY = pytest.mark.parametrize(("page", "query"), PLACES, ids=str)


@pytest.fixture(autouse=True)
def reader(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """A server at an address that others reach; answers are made at once. Gives the addresses that were called."""
    called: list[object] = []

    def connect(_self: socket.socket, address: object) -> NoReturn:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(evaluate, "evaluate", answered)
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    monkeypatch.delenv("TAILSCOPE_ALLOW_JOBS", raising=False)
    monkeypatch.setattr(socket.socket, "connect", connect)
    yield called
    assert not called


def kept(cache: Path) -> dict[str, str]:
    """Digests of the files in the cache, apart from what a visitor's questions may add."""
    files = (path for path in cache.rglob("*") if path.is_file())
    return {
        str(path.relative_to(cache)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.relative_to(cache).parts[0] not in WRITTEN
    }


def drawn(page: str, query: dict[str, Any]) -> AppTest:
    return launched(page, **query) if page in SLOW else opened(page, **query)


def press_all(app: AppTest, *, refused: bool = False) -> set[str]:
    """Press each enabled button that there is or appears, pins together; their labels.

    Args:
        refused: the page was drawn before the server was closed, so that a control may also be refused.
    """
    seen: set[str] = set()
    for _ in range(40):
        new = [one for one in app.button if not one.disabled and _name(one) not in seen]
        if not new:
            break
        pins = [one for one in new if _name(one).startswith("pin-")]
        for one in pins or new[:1]:
            seen.add(_name(one))
            one.click()
        app.run()
        assert refused or not app.exception, (seen, [error.message for error in app.exception])
    return seen


def _name(button: Any) -> str:
    return str(button.key or button.label)


@pytest.mark.slow
@EVERY
def test_no_button_of_a_page_changes_what_is_kept(page: str, query: dict[str, str], tmp_cache: Path) -> None:
    app = drawn(page, query)
    assert not app.exception
    before = kept(tmp_cache)
    press_all(app)
    assert kept(tmp_cache) == before, page
    assert not any(job.label.startswith(("Fetching", "Counting", "Verifying")) for job in engine().jobs())


OWNED: list[tuple[str, dict[str, str]]] = [
    ("counts", {}),
    ("letitwag", {}),
    ("explore", {"concept": "dog"}),
    *(("data", {"show": show}) for show in ("image sets", "published release", "cache")),
    ("data", {"show": "counts", "pack": "neglectedtails-laion2b"}),
]


def owner_s(page: str, query: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as its owner sees it, with a row on the board, and boxes that confirm ticked."""
    row = {"model": "mine", "letitwag": 0.5, "source": "here"}
    board.add(board.read(json.dumps({"board": "letitwag", "format": board.FORMAT, "rows": [row]}).encode(), "x.json"))
    with monkeypatch.context() as patch:
        patch.setattr("pages.ui.jobs.is_local", lambda: True)
        app = opened(page, **query)
        for box in app.checkbox:
            box.check()
        return app.run()


@pytest.mark.slow
@pytest.mark.parametrize(("page", "query"), OWNED, ids=str)
def test_a_control_that_was_drawn_before_the_server_was_closed_changes_nothing(
    page: str, query: dict[str, str], tmp_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = owner_s(page, query, monkeypatch)
    controls = [_name(one) for one in app.button if not one.disabled]
    assert controls
    before = kept(tmp_cache)
    assert before
    for name in controls:
        next(one for one in app.button if _name(one) == name).click()
        app.run()
        assert kept(tmp_cache) == before, name
        app = owner_s(page, query, monkeypatch)


@pytest.mark.slow
def test_its_owner_does_change_what_a_visitor_cannot(tmp_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = owner_s("letitwag", {}, monkeypatch)
    before = kept(tmp_cache)
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: True)
    next(one for one in app.button if one.label == "Remove it").click().run()
    assert kept(tmp_cache) != before
    assert board.entries() == ()
