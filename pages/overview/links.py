"""Links from the overview into the lens."""

from __future__ import annotations

import streamlit as st

from pages import registry
from pages.ui.text import plain


def into(page: str, label: str, **lens: str) -> None:
    """A link to a page under a lens (``model``, ``set``, ``prompts``, ``concept``)."""
    st.page_link(registry.find(page).file, label=plain(label), icon=":material/arrow_forward:", query_params=lens)
