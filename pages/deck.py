"""Deck: what was pinned on other pages, in order, with captions; present it, save it, or export one HTML file."""

from __future__ import annotations

import streamlit as st

from core.deck import MOST_TEXT, Deck
from pages import _deck_parts, _pin
from pages._text import finding, quiet

deck = _pin.deck()
kinds = [slide.kind for slide in deck.slides]
told = [f"{kinds.count(kind)} {word}{'s' * (kinds.count(kind) != 1)}" for kind, word in _deck_parts.WORDS.items()]
if deck.slides:
    one = "1 slide" if len(kinds) == 1 else f"{len(kinds)} slides"
    finding("Deck", f"{one}: {', '.join(word for word in told if not word.startswith('0 '))}.")
else:
    finding("Deck", "Nothing is pinned yet.")
quiet(
    "Pin pictures, concepts, plots and comparisons with the pin on the other pages. "
    + (
        "The deck is kept on this machine, whatever becomes of this tab; Save project makes a file to take along."
        if _pin.is_kept()
        else "Others use this server too, so it keeps no deck: save it as a project before you close this tab."
    )
)

title = st.text_input("Title", deck.title, key="deck-title", max_chars=MOST_TEXT, width=420)
if title != deck.title:
    deck = Deck(title, deck.slides)
    _pin.keep(deck)
_deck_parts.files(deck)

if deck.slides:
    show = st.segmented_control(
        "Show", ["edit", "present"], default="edit", required=True, key="deck-show", label_visibility="collapsed"
    )
    if show == "present":
        _deck_parts.present(deck)
    else:
        for number, slide in enumerate(deck.slides):
            st.divider()
            _deck_parts.slide(number, slide, len(deck.slides))
