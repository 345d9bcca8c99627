"""Deck: what was pinned on other pages, in order, with captions; present it, save it, or export one HTML file."""

from __future__ import annotations

import streamlit as st

from core.deck.deck import MOST_TEXT, Deck
from pages.deck import parts
from pages.ui import pins
from pages.ui.text import finding, quiet

deck = pins.deck()
kinds = [slide.kind for slide in deck.slides]
told = [f"{kinds.count(kind)} {word}{'s' * (kinds.count(kind) != 1)}" for kind, word in parts.WORDS.items()]
if deck.slides:
    one = "1 slide" if len(kinds) == 1 else f"{len(kinds)} slides"
    finding("Deck", f"{one}: {', '.join(word for word in told if not word.startswith('0 '))}.")
else:
    finding("Deck", "Nothing is pinned yet.")
quiet(
    "Pin pictures, concepts, plots and comparisons with the pin on the other pages. "
    + (
        "The deck is kept on this machine, whatever becomes of this tab; Save project makes a file to take along."
        if pins.is_kept()
        else "Others use this server too, so it keeps no deck: save it as a project before you close this tab."
    )
)

title = st.text_input("Title", deck.title, key="deck-title", max_chars=MOST_TEXT, width=420)
if title != deck.title:
    _, deck = pins.edit(lambda kept: Deck(title, kept.slides))
parts.files(deck)

if deck.slides:
    show = st.segmented_control(
        "Show", ["edit", "present"], default="edit", required=True, key="deck-show", label_visibility="collapsed"
    )
    if show == "present":
        parts.present(deck)
    else:
        for number, slide in enumerate(deck.slides):
            st.divider()
            parts.slide(number, slide, len(deck.slides))
