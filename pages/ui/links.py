"""Ways from one page to another that keep the lens."""

from __future__ import annotations

import streamlit as st

from pages import registry


def to_data(label: str, show: str, **fields: str) -> None:
    """A button that opens one part of the Data page (``models``, ``image sets`` ...) with fields filled in."""
    st.button(label, key=f"to-{show}", on_click=_open, args=(show, fields))


def to_page(id: str, label: str) -> None:
    """A button that opens another page."""
    st.button(label, key=f"to-{id}", on_click=lambda: st.switch_page(registry.find(id).file), type="tertiary")


def _open(show: str, fields: dict[str, str]) -> None:
    st.session_state.update(show=show, **fields)
    st.switch_page(registry.find("data").file)
