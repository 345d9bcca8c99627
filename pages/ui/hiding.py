"""Counts that are doubtful: which flags a page hides, and which one it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.published.anomalies import FLAGS
from pages.ui import address

Flags = Mapping[Any, tuple[str, ...]]
"""Concept (and, over several sets, the set that was counted) -> the flags of its count."""
MORE = {
    "contained": "The name is counted mostly inside another one's name.",
    "substring": "Scripts without blanks are matched as parts of words.",
}


def chosen(flags: Flags) -> list[str]:
    """The flags whose concepts are hidden, before the widget is drawn."""
    key = address.own("hide")
    kept = st.session_state.get(key) or st.query_params.get_all(key)
    return [flag for flag in _present(flags) if flag in kept]


def hidden(flags: Flags) -> list[str]:
    """Which flags' concepts to leave out; nothing is offered where no count is doubtful.

    Args:
        flags: class key -> its flags.
    """
    offered = _present(flags)
    if not offered:
        return []
    key = address.own("hide")
    if key in st.session_state:
        st.session_state[key] = [flag for flag in st.session_state[key] if flag in offered]
    return st.multiselect(
        "Hide concepts with", list(offered), key=key, bind="query-params", placeholder="Nothing hidden", width=300,
        select_all=False, help=_help(offered),
    )  # fmt: skip


def only(flags: Flags) -> str | None:
    """The one flag whose concepts are listed, None for all concepts."""
    offered = _present(flags)
    if not offered:
        return None
    key = address.own("flag")
    if st.session_state.get(key) not in offered:
        st.session_state.pop(key, None)
    return st.selectbox(
        "Flag", list(offered), index=None, key=key, bind="query-params", placeholder="All", width=170,
        format_func=lambda flag: flag, help=_help(offered),
    )  # fmt: skip


def _present(flags: Flags) -> dict[str, int]:
    """Flag -> how many concepts carry it, in the order in which they are explained."""
    found = [flag for each in flags.values() for flag in each]
    return {flag: found.count(flag) for flag in (*FLAGS, *MORE) if flag in found}


def _help(offered: Mapping[str, int]) -> str:
    words = {**FLAGS, **MORE}
    return "What is doubtful about a count.\n\n" + "\n".join(
        f"- **{flag}** ({n:,}): {words[flag]}" for flag, n in offered.items()
    )
