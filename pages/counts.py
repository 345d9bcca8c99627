"""Count captions: how often one's own pretraining set names or shows each concept, as a frequency axis of its own."""

from __future__ import annotations

import streamlit as st

from core.engine import Job
from core.errors import Stopped, TailscopeError
from core.frequency import counted
from core.frequency.count import output, run
from core.frequency.count.findings import finding as found_sentence
from core.types import Report
from pages import _counts_form, _counts_report
from pages._jobs import again, ask, may_change, require_change, watch
from pages._published_choices import one_of
from pages._text import finding, plain, quiet, section

PLACE = "Count captions"


def start(request: run.Request, name: str) -> None:
    """Begin (or resume) and remember it, so that a server that stops can go on later."""
    require_change("counting")
    counted.begin(name, request.as_json())
    again()
    st.session_state["_counting"] = (request, name)


def resume(name: str) -> None:
    """Begin again what was begun; parts that are finished are not counted twice."""
    start(run.Request.from_json(counted.begun(name), roots=_counts_form.readable()), name)


def work(request: run.Request, name: str, report: Report) -> output.Result:
    """Count into the folder of the source."""
    result = run.count(request, counted.folder(name), name=name, report=report)
    counted.end(name)
    return result


def counting() -> Job | None:
    """The count that this tab has begun, with its progress while it runs; None when there is none."""
    request, name = st.session_state.get("_counting", (None, ""))
    if request is None:
        return None
    clip = request.mode in ("image", "integrated") and not request.scores
    lane = "compute" if clip else "io"
    try:
        job = ask(
            ("count", name), f"Counting {name}", lambda report: work(request, name, report), lane=lane, keep=True
        )  # fmt: skip
    except TailscopeError as error:
        (st.info if isinstance(error, Stopped) else st.warning)(plain(error))
        return None
    if not job.wait(0):
        watch(job)
        return job
    job.value()
    del st.session_state["_counting"]
    st.session_state["counted"] = name
    return None


head = st.container()
running = counting()
done = [info.name.removeprefix(counted.PREFIX) for info in counted.infos()]
if done:
    name = one_of("Counts", "counted", done, width=320)
    facts, rows = counted.provenance(name), counted.rows(name)
    sentence = found_sentence(facts, rows)
    with head:
        finding(PLACE, sentence)
    _counts_report.draw(name, facts, rows, sentence)
else:
    with head:
        finding(PLACE, "Nothing has been counted here yet.")
        quiet("Counts of your own captions become a frequency axis for every page.")

with st.expander("Count something else" if done else "Count", expanded=not done):
    asked = _counts_form.draw()
    if not may_change():
        quiet("Counting is switched off on this server; the command line does the same.")
    elif asked is not None:
        st.button("Count", type="primary", on_click=start, args=asked, disabled=running is not None)

waiting = [name for name in counted.unfinished() if not running]
if waiting and may_change():
    section("Not finished", "What is finished of them is kept and not counted again.")
    for name in waiting:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(f"Resume {plain(name)}", on_click=resume, args=(name,))
            st.button("Discard", key=f"discard-{name}", type="tertiary", on_click=counted.delete, args=(name,))
