"""Questions that take time: ask the engine, wait a moment, then show progress without freezing the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import uuid4

import streamlit as st

from core import questions as _lenses  # noqa: F401  (lenses get their digest there)
from core.errors import NotHere, ReadOnly, Stopped, TailscopeError
from core.runtime import hosts
from core.runtime.estimates import Estimate
from core.runtime.held import Held, weight
from core.runtime.jobs import Job, Question, engine, question
from core.stats.format import duration
from core.types import silent
from pages.ui.text import plain, quiet

T = TypeVar("T")
PATIENCE = 0.15
RECALLED = 256 << 20
"""Bytes of what quick functions gave that are kept for all sessions."""


@st.cache_resource(scope="session", on_release=lambda session: engine().unsubscribe(session))
def session() -> str:
    """This browser tab's name for the engine; given back when the tab closes."""
    return uuid4().hex


def is_local() -> bool:
    """Whether only this machine can reach the server."""
    return hosts.is_local(st.get_option("server.address") or "")


def may_change() -> bool:
    """Whether visitors may download, clear and rename here."""
    asked = os.environ.get("TAILSCOPE_ALLOW_JOBS")
    return asked == "1" or (asked is None and is_local())


def require_change(what: str) -> None:
    """Refuse a change on a server that others can reach."""
    if not may_change():
        raise ReadOnly(
            f"This server is read-only, so {what} is switched off; start it with TAILSCOPE_ALLOW_JOBS=1 to allow it."
        )


@contextmanager
def asking() -> Iterator[None]:
    """One run of the page: jobs that it asked for before and does not ask for again are given up at the end."""
    wanted: set[str] = set()
    st.session_state.update(_wanted=wanted, _changes={})
    yield
    if st.session_state.get("_wanted") is wanted:
        engine().unsubscribe(session(), keep=wanted)


def ask(asked: Question[T]) -> Job[T]:
    """The job of this question, given a moment to finish; one that failed stays failed until ``again``."""
    key = asked.key
    st.session_state.setdefault("_wanted", set()).add(key)
    ended: dict[str, TailscopeError] = st.session_state.setdefault("_ended", {})
    if key in ended:
        raise ended[key]
    job = engine().submit(asked, session=session())
    if job.wait(PATIENCE) and job.error is not None:
        error = _told(job)
        if not isinstance(error, NotHere):
            ended[key] = error
        raise error
    return job


def finished(asked: Question[T]) -> T | None:
    """The value of this question if a job has computed it; asks for nothing."""
    job = engine().find(asked)
    return job.value() if job is not None and job.state == "done" else None


@st.cache_resource(show_spinner=False)
def _recalled() -> Held[str, tuple[Any]]:
    return Held(RECALLED, at_least=32)


def recall(work: Callable[..., T], *args: Any, **options: Any) -> T:
    """What a quick function of a module gives, computed once for all sessions and the same content of its arguments.

    Every caller gets the same object, so nobody may change it; figures and tables can be drawn any number of times.
    """
    asked = question(work, *args, label="", **options)
    (value,) = _recalled().get_or_make(asked.key, lambda: (asked.run(silent),), size=weight)
    return value


def _told(job: Job[Any]) -> TailscopeError:
    """What ended a job, taken from the engine so that who asks again starts anew, fit to show to a person."""
    try:
        job.value()
    except TailscopeError as error:
        return error
    except Exception as error:
        return TailscopeError(
            f"“{job.label}” failed unexpectedly ({type(error).__name__}: {error}). "
            "The server's log holds the details; try again, or report it with them."
        )
    raise AssertionError(job.label)


def need(asked: Question[T]) -> T:
    """The value of this question now, or its progress in the page's place until it is there."""
    job = ask(asked)
    if not job.wait(0):
        watch(job)
        st.stop()
    return job.value()


def here(asked: Question[T], *, small: bool = False, failing: str | None = None) -> T | None:
    """The value of this question now, or its progress at this place of the page, and None, until it is there.

    Args:
        failing: what stands before the error where this part of the page fails; None: the error takes the page.
    """
    try:
        job = ask(asked)
    except TailscopeError as error:
        if failing is None:
            raise
        quiet(f"{failing}{error}")
        return None
    if job.wait(0):
        return job.value()
    watch(job, small=small)
    return None


def expected(timing: Question[Estimate | None]) -> bool:
    """Show how long work takes here, where that is worth a word; False, with progress, while that is estimated.

    An estimate that cannot be made says nothing: the work goes on, and says itself what it lacks. After one that was
    stopped, a person says whether to go on.
    """
    try:
        job = ask(timing)
    except Stopped:
        quiet("Estimating how long this takes was stopped.")
        st.button("Go on", key=f"go-on-{timing.key[:8]}", on_click=again, type="tertiary")
        return False
    except TailscopeError:
        return True
    if not job.wait(0):
        watch(job, small=True)
        return False
    if (found := job.value()) and (told := found.words()):
        quiet(f"{told.capitalize()}.")
    return True


def again() -> None:
    """Forget which questions failed, so that the next run asks them anew."""
    st.session_state["_ended"] = {}


def watch(job: Job[Any], *, small: bool = False) -> None:
    """Progress of one job with rate, time left and Stop; the page is drawn again when it ends."""

    @st.fragment(run_every=0.4)
    def poll() -> None:
        if job.wait(0):
            st.rerun()
        bar(job, small=small)

    poll()


def bar(job: Job[Any], *, small: bool = False) -> None:
    """One job as a line of text, a bar and a Stop button."""
    progress = job.progress
    share = progress.done / progress.total if progress.total else 0.0
    text = plain(job.label) if small else f"**{plain(job.label)}**"
    if job.state == "queued":
        text += " · waiting for the job before it"
    elif not progress.total and not progress.message:
        text += " · starting"
    elif progress.message:
        text += f" · {plain(progress.message)}"
    if progress.total:
        text += f" · {progress.done:,} of {progress.total:,}"
    if progress.rate:
        text += f" · {progress.rate:,.0f}/s"
    if progress.seconds_left:
        text += f" · {duration(progress.seconds_left)} left"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.progress(min(1.0, share), text=text)
        st.button(
            "Stop", key=f"stop-{id(job)}", on_click=_stop, args=(job,), disabled=not _may_stop(job),
            type="tertiary" if small else "secondary",
        )  # fmt: skip


def _may_stop(job: Job[Any]) -> bool:
    return may_change() or job.is_only_of(session())


def _stop(job: Job[Any]) -> None:
    if not _may_stop(job):
        raise ReadOnly("Others wait for this job too, and this server is read-only: it is stopped on its own machine.")
    job.stop()
