"""One download: plan it, say its size, then fetch it with progress, on and on even when nobody watches."""

from __future__ import annotations

import streamlit as st

from core import downloads as fetch
from core.errors import TailscopeError
from core.runtime.jobs import Question
from pages.ui import jobs
from pages.ui.text import quiet, succeed, warn


def offer(
    planning: Question[fetch.Plan], what: str, *, ask: str = "Ask the hub for its size", get: str = "Fetch {size}"
) -> bool:
    """State what a download would bring, and a button that starts it; then its progress.

    Args:
        planning: asks the hub what there is; its key names the download in this tab.
        what: the model or set, for the progress.
        ask, get: what the two buttons say.

    Returns:
        Whether it has been fetched.
    """
    id = planning.key
    if not jobs.may_change():
        quiet("Downloads are switched off on this server.")
        return False
    asked = st.session_state.setdefault("_plans", set())
    if id not in asked:
        st.button(ask, key=f"plan-{id}", on_click=asked.add, args=(id,))
        return False
    try:
        found = jobs.here(planning)
        if found is None:
            return False
        quiet(found.sentence)
        started = st.session_state.setdefault("_fetches", set())
        if not found.bytes:
            return True
        if id not in started:
            st.button(
                get.format(size=fetch.in_words(found.bytes)), key=f"fetch-{id}", type="primary",
                on_click=started.add, args=(id,),
            )  # fmt: skip
            return False
        folder = jobs.here(jobs.question(fetch.run, found, label=f"Fetching {what}", lane="io", keep=True))
        if folder is not None:
            succeed(f"Fetched into {folder}.")
        return folder is not None
    except TailscopeError as error:
        asked.discard(id)
        st.session_state.get("_fetches", set()).discard(id)
        warn(error)
        st.button("Try again", key=f"again-{id}", on_click=jobs.again)
        return False


def forget() -> None:
    """What was fetched may have been deleted: it is offered anew."""
    jobs.engine().forget()
    st.session_state["_plans"], st.session_state["_fetches"] = set(), set()
