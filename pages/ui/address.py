"""What stands in an address; what it asks for and does not get is said, in one line at the top of the page.

Streamlit drops a value that its widget does not offer without a word; a person who followed a link then takes the
default for what the link said. It also drops, on the browser's Back, a value whose name the page that is left has too:
outside the sidebar every name in the address belongs to one page.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.text import quiet

MOST = 20  # values that are listed as ignored


def arrived(page: str) -> None:
    """Note what the address asks for when a page is opened; call it before any widget."""
    if st.session_state.get("_arrived") != page:
        asked = {key: st.query_params.get_all(key) for key in st.query_params}
        st.session_state.update(_arrived=page, _asked=asked, _ignored=[])


def own(key: str) -> str:
    """The name in the address of a control that several pages draw: ``hide`` is ``tail-hide`` on Tail."""
    return f"{st.session_state['_page']}-{key}"


def restored() -> bool:
    """Whether this run follows the browser's Back or Forward: the address then says all, also what it leaves out."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def spell(key: str, known: Mapping[str, str]) -> None:
    """Take what the address asks for under the other names that it may have there: name in a link -> value."""
    asked: dict[str, list[str]] = st.session_state["_asked"]
    if key in asked:
        asked[key] = [known.get(value, value) for value in asked[key]]


def by_id(key: str, offered: Container[str]) -> None:
    """Let a link name a choice by its id too; Streamlit knows it by what it is shown as. Call it before the widget."""
    linked = st.query_params.get(key) or ""
    found = next((value for value in (linked, linked.casefold()) if value in offered), None)
    if key not in st.session_state and found is not None:
        st.session_state[key] = found


def missing(key: str, known: Container[str]) -> list[str]:
    """What the address asks of a box in vain; call it when the box is drawn."""
    pending = [value for value in st.session_state["_asked"].get(key, []) if value not in known]
    return pending or [value for name, value in st.session_state["_ignored"] if name == key]


def tell(top: DeltaGenerator) -> None:
    """Say what was ignored; call it when the page is drawn."""
    asked: dict[str, list[str]] = st.session_state["_asked"]
    for key in [key for key in asked if key in st.session_state]:
        kept = st.session_state[key]
        known = {str(one) for one in (kept if isinstance(kept, list) else [kept])} | set(st.query_params.get_all(key))
        st.session_state["_ignored"] += [(key, value) for value in asked.pop(key) if value not in known]
    if ignored := [f"{key}={value[:200]}" for key, value in st.session_state["_ignored"]]:
        more = f" and {len(ignored) - MOST:,} more" if len(ignored) > MOST else ""
        with top:
            quiet(f"The address asks for {', '.join(ignored[:MOST])}{more}, which does not exist here and was ignored.")
