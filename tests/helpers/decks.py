"""A deck whose every text is hostile."""

from __future__ import annotations

import io

import plotly.graph_objects as go
from PIL import Image

from core.deck.deck import Deck, Picture, Slide, figure_json

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


def webp(colour: tuple[int, int, int] = (9, 99, 200)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 12), colour).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


def hostile_deck() -> Deck:
    figure = go.Figure(go.Bar(x=[1, 2], y=[3, 4], name=HOSTILE, text=[HOSTILE, "b"]))
    figure.update_layout(title=HOSTILE)
    slide = Slide(
        "comparison", HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), (Picture(webp(), HOSTILE, False),), (HOSTILE,),
        ((HOSTILE,),), figure_json(figure),
    )  # fmt: skip
    return Deck(HOSTILE, (slide,))
