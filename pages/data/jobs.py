"""Jobs: what is running, what waits, what ended and how."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from core.runtime.jobs import Job, engine
from core.stats.format import duration
from pages.ui.jobs import bar
from pages.ui.text import finding, quiet

OPEN = ("queued", "running")


def headline() -> None:
    """How many jobs are running and waiting."""
    open_jobs = [job for job in engine().jobs() if job.state in OPEN]
    running = sum(job.state == "running" for job in open_jobs)
    waiting = len(open_jobs) - running
    words = f"{running} job{'s' * (running != 1)} running, {waiting} waiting." if open_jobs else "Nothing is running."
    finding("Models and images", words)


def draw() -> None:
    """Running jobs with progress and Stop, refreshed while there are any; below, the ended ones."""
    open_jobs = [job for job in engine().jobs() if job.state in OPEN]
    _running(open_jobs)
    ended = [job for job in reversed(engine().jobs()) if job.state not in OPEN]
    if ended:
        _ended(ended)
    elif not open_jobs:
        quiet("Work starts when a page asks for an answer that is not cached, or when you fetch something here.")


def _running(jobs: list[Job[Any]]) -> None:
    @st.fragment(run_every=0.5 if jobs else None)
    def poll() -> None:
        if any(job.wait(0) for job in jobs):
            st.rerun()
        for job in jobs:
            bar(job)

    poll()


def _ended(jobs: list[Job[Any]]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "Job": [job.label for job in jobs],
                "Ended": [f"{datetime.fromtimestamp(job.finished or 0):%H:%M:%S}" for job in jobs],
                "Took": [duration((job.finished or 0) - job.started) if job.started else "" for job in jobs],
                "State": [job.state for job in jobs],
                "Why": [str(job.error) if job.error else "" for job in jobs],
            }
        ),
        hide_index=True,
        alt="Jobs that have ended",
    )
