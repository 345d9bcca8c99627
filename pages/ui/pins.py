"""Pinning to the demo deck from any page: one quiet button; one deck a machine, or a tab of a shared server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import streamlit as st

from core.deck import store as deck_store
from core.deck.deck import Deck, Slide
from core.deck.slides import INPUTS
from core.errors import TailscopeError
from core.runtime.content import digest_of
from pages import registry
from pages.ui import lensbar
from pages.ui.jobs import is_local, may_change
from pages.ui.links import to_page
from pages.ui.text import toast


def is_kept() -> bool:
    """Whether the deck outlives the tab: on a server of this machine alone, that is not read-only, it has one owner."""
    return is_local() and may_change()


def deck() -> Deck:
    """The deck as it is now: what another tab pinned is seen here too."""
    if is_kept() and deck_store.version() != st.session_state.get("_deck_version", ()):
        try:
            kept = deck_store.load()
        except TailscopeError as error:
            toast(error)
            kept = deck_store.Kept(Deck(), ())
        st.session_state.update(_deck=kept.deck, _deck_version=kept.version)
    return st.session_state.setdefault("_deck", Deck())


def edit(change: Callable[[Deck], Deck]) -> tuple[Deck, Deck]:
    """Change the deck, and keep it where it may be kept; what another tab pins at the same time stays.

    Returns:
        The deck before and after.
    """
    before = deck()
    if is_kept():
        try:
            known = deck_store.Kept(before, st.session_state.get("_deck_version", ()))
            before, kept = deck_store.change(change, known=known)
            st.session_state.update(_deck=kept.deck, _deck_version=kept.version)
            return before, kept.deck
        except OSError as error:
            toast(f"The deck could not be saved ({error.strerror}); save it as a project before you close this tab.")
    st.session_state["_deck"] = after = change(before)
    return before, after


def pin(make: Callable[[], Slide], *, key: str, label: str = "Pin to deck") -> None:
    """A button that adds a slide to the deck, and then a link there; the slide is only made when it is pressed.

    A slide keeps the values that the page shows, says when it was pinned, and never joins them with pictures that
    were changed on the disk meanwhile.
    """
    shown = _inputs(), lensbar.changes_shown()
    with st.container(horizontal=True, vertical_alignment="center", width="content", gap="small"):
        st.button(
            label, key=f"pin-{key}", icon=":material/push_pin:", type="tertiary", on_click=_add, args=(key, make, shown)
        )
        if st.session_state.get("_pinned") == key:
            to_page("deck", f"Open the deck ({_slides(deck())})")


def _inputs() -> str:
    """Digest of what the numbers of this page are computed from, as it is drawn; empty for published ones."""
    if not registry.find(st.session_state["_page"]).needs:
        return ""
    return digest_of(lensbar.lens())[:8]


def _slides(of: Deck) -> str:
    return f"{len(of.slides)} slide{'s' * (len(of.slides) != 1)}"


def _add(key: str, make: Callable[[], Slide], shown: tuple[str, dict[str, int]]) -> None:
    inputs, changes = shown
    if not lensbar.are_as_shown(changes):
        toast("Pictures of this set changed on the disk, so nothing was pinned: look at the new values, then pin.")
        return
    try:
        slide = make()
        if inputs and INPUTS not in slide.source:
            slide = replace(slide, source=f"{slide.source} · {INPUTS} {inputs}")
        slide = replace(slide, pinned=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
        before, after = edit(lambda deck: deck.add(slide))
    except TailscopeError as error:
        toast(error)
        return
    st.session_state["_pinned"] = key
    toast("It is in the deck already." if after is before else f"Pinned; the deck holds {_slides(after)}.")
