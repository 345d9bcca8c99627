"""One download: plan it, say its size, then fetch it with progress, on and on even when nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import streamlit as st

from core import downloads as fetch
from core.errors import TailscopeError
from core.types import Report
from pages.ui import jobs
from pages.ui.text import quiet


def offer(what: tuple[Hashable, ...], plan: Callable[[Report], fetch.Plan]) -> None:
    """State what a download would bring, and a button that starts it; then its progress."""
    if not jobs.may_change():
        quiet("Downloads are switched off on this server.")
        return
    asked = st.session_state.setdefault("_plans", set())
    if what not in asked:
        st.button("Ask the hub for its size", key=f"plan-{what}", on_click=asked.add, args=(what,))
        return
    try:
        planned = jobs.ask(("plan", *what), f"Asking the size of {what[1]}", plan, lane="io")
        if not planned.wait(0):
            jobs.watch(planned)
            return
        found = planned.value()
        quiet(found.sentence)
        started = st.session_state.setdefault("_fetches", set())
        if not found.bytes:
            return
        if what not in started:
            st.button(
                f"Fetch {fetch.in_words(found.bytes)}", key=f"fetch-{what}", type="primary",
                on_click=started.add, args=(what,),
            )  # fmt: skip
            return
        work = lambda report: fetch.run(found, report=report)  # noqa: E731
        job = jobs.ask(("fetch", *what), f"Fetching {what[1]}", work, lane="io", keep=True)
        if not job.wait(0):
            jobs.watch(job)
            return
        st.success(f"Fetched into {job.value()}.".replace("_", "\\_"))
    except TailscopeError as error:
        asked.discard(what)
        st.session_state.get("_fetches", set()).discard(what)
        st.warning(jobs.plain(error))
        st.button("Try again", key=f"again-{what}", on_click=jobs.again)
