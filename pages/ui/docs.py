"""The documentation opens where it is referred to."""

from __future__ import annotations

import re

import streamlit as st

from core.paths import ROOT

_WITHIN = re.compile(r"!?\[([^\]]+)\]\((?!https?://)[^)]+\)")


def documented(name: str, label: str) -> None:
    """A button that opens ``docs/NAME.md`` over the page."""
    st.button(label, key=f"doc-{name}", type="tertiary", icon=":material/menu_book:", on_click=_show, args=(name,))
    if st.session_state.get("_doc") == name:
        _dialog(name)


def _show(name: str) -> None:
    st.session_state["_doc"] = name


def _close() -> None:
    st.session_state["_doc"] = None


@st.dialog("Documentation", width="large", on_dismiss=_close)
def _dialog(name: str) -> None:
    st.markdown(_WITHIN.sub(r"\1", (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")))
