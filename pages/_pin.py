"""Pinning to the demo deck, from any page: one quiet button, one deck a browser tab."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.deck import Deck, Slide
from core.errors import TailscopeError


def deck() -> Deck:
    """The deck of this tab; empty at first."""
    return st.session_state.setdefault("_deck", Deck())


def keep(changed: Deck) -> None:
    """Make this the deck of the tab."""
    st.session_state["_deck"] = changed


def pin(make: Callable[[], Slide], *, key: str, label: str = "Pin to deck") -> None:
    """A button that adds a slide to the deck; the slide is only made when it is pressed."""
    st.button(label, key=f"pin-{key}", icon=":material/push_pin:", type="tertiary", on_click=_add, args=(make,))


def _add(make: Callable[[], Slide]) -> None:
    before = deck()
    try:
        after = before.add(make())
    except TailscopeError as error:
        st.toast(str(error))
        return
    keep(after)
    st.toast("It is in the deck already." if after is before else f"Pinned; the deck holds {len(after.slides)} slides.")
