"""Ways from one page to another that keep the lens.

They are links and never ``st.switch_page``, which fails while a widget is bound to the query string.
"""

from __future__ import annotations

import streamlit as st

from core.errors import ImagesMissing, TailscopeError, WeightsMissing
from pages import registry


def to_data(label: str, show: str, **fields: str) -> None:
    """A link to one part of Models and images (``models``, ``image sets`` ...) with fields filled in."""
    to_page("data", label, show=show, **fields)


def to_fetch(error: TailscopeError | None, model: str) -> None:
    """A link to where the weights or pictures that are missing can be fetched; none for any other error."""
    if isinstance(error, WeightsMissing):
        to_data("Fetch it under Models and images", "models", fetch_model=model)
    elif isinstance(error, ImagesMissing):
        to_data("Get its pictures under Models and images", "image sets")


def to_page(id: str, label: str, **fields: str | list[str]) -> None:
    """A link to another page with its fields filled in; the browser carries the lens along."""
    st.page_link(registry.find(id).file, label=label, query_params=fields)
