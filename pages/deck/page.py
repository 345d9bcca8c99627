"""Deck: what was pinned on other pages, in order, with captions and notes; present it, save it, or export one file."""

from __future__ import annotations

import streamlit as st

from core.deck.deck import MOST_TEXT, Deck
from core.deck.example import example
from pages.deck import parts
from pages.ui import pins
from pages.ui.text import finding, quiet

deck = pins.deck()
if deck.slides:
    finding("Deck", parts.inventory(deck))
else:
    finding("Deck", f"Nothing is pinned yet; below is an example of {len(example().slides)} slides.")
shown = deck if deck.slides else example()

with st.container(horizontal=True, vertical_alignment="bottom"):
    present = not deck.slides or parts.chosen() == "present"
    if not deck.slides:
        st.button("Open the example", key="deck-example", type="primary", on_click=parts.take, args=(example(),))
    parts.files(shown, own=bool(deck.slides))

if present:
    parts.present(shown)
if not deck.slides or not present:
    quiet(
        "Pin pictures, concepts, plots and comparisons with the pin on the other pages. A slide keeps its values. "
        + (
            "The deck is saved on this machine; Save project makes a file to share."
            if pins.is_kept()
            else "Others use this server too, so it keeps no deck: save it as a project before you close this tab."
        )
    )
if not present:
    title = st.text_input("Title of the deck", deck.title, key="deck-title", max_chars=MOST_TEXT, width=560)
    if title != deck.title:
        _, deck = pins.edit(lambda kept: Deck(title, kept.slides))
    for number, slide in enumerate(deck.slides):
        st.divider()
        parts.slide(number, slide, len(deck.slides))
