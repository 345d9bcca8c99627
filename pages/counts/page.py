"""Count captions: how often one's own pretraining set names or shows each concept, as a frequency axis of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from cache import keys
from core.counting import output, run
from core.counting.findings import finding as found_sentence
from core.errors import Stopped, TailscopeError
from core.frequency import counted
from core.icons.concepts import COLOURS
from core.icons.concepts import concepts as icon_concepts
from core.icons.training.export import write_corpus
from core.runtime.estimates import Estimate
from core.runtime.jobs import Job, Lane
from core.types import Progress, Report
from pages.counts import form
from pages.counts import report as report_view
from pages.published.choices import one_of
from pages.ui.jobs import again, ask, may_change, question, require_change, watch
from pages.ui.text import finding, inform, plain, quiet, section, warn

PLACE = "Count captions"
EXAMPLE = "icons-10k"


def start(request: run.Request, name: str) -> None:
    """Begin (or resume) and remember it, so that a server that stops can go on later."""
    require_change("counting")
    counted.begin(name, request.as_json())
    again()
    st.session_state["_counting"] = (request, name)


def resume(name: str) -> None:
    """Begin again what was begun; parts that are finished are not counted twice."""
    start(run.Request.from_json(counted.begun(name), roots=form.readable()), name)


def discard(name: str) -> None:
    """Delete what was begun and not finished."""
    require_change("discarding a count")
    counted.delete(name)


def example() -> Path:
    """Where the captions of the example are kept once it was asked for."""
    return keys.root() / "uploads" / f"{EXAMPLE}.parquet"


def try_out() -> None:
    """Count the captions of an embedded corpus, whose true counts are known."""
    concepts = {concept.key: concept.name for concept in icon_concepts()}
    start(run.Request(str(example()), concepts, attributes=tuple(COLOURS), roots=form.readable()), EXAMPLE)


def work(request: run.Request, name: str, *, report: Report) -> output.Result:
    """Count into the folder of the source; the captions of the example are written first."""
    if request.captions == str(example()) and not example().exists():
        write_corpus(EXAMPLE, example().parent)
    told = ""

    def beforehand(expected: Estimate) -> None:
        nonlocal told
        told = expected.words()

    def telling(progress: Progress) -> None:
        report(replace(progress, message=f"{progress.message} · {told}") if told else progress)

    result = run.count(request, counted.folder(name), name=name, report=telling, beforehand=beforehand)
    counted.end(name)
    return result


def counting() -> Job[output.Result] | None:
    """The count that this tab has begun, with its progress while it runs; None when there is none."""
    request, name = st.session_state.get("_counting", (None, ""))
    if request is None:
        return None
    clip = request.mode in ("image", "integrated") and not request.scores
    lane: Lane = "compute" if clip else "io"
    try:
        job = ask(question(work, request, name, label=f"Counting {name}", lane=lane, keep=True))
    except TailscopeError as error:
        (inform if isinstance(error, Stopped) else warn)(error)
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
    report_view.count_report(name, facts, rows, sentence)
else:
    with head:
        finding(PLACE, "Nothing has been counted here yet.")
        quiet("Counts of your own captions become a frequency axis for every page.")
        if may_change() and running is None:
            st.button(f"Try it on the captions of {EXAMPLE}", on_click=try_out, help="10,000 captions of icons.")

with st.expander("Count something else" if done else "Count", expanded=not done):
    asked = form.count_form()
    if not may_change():
        quiet("Counting is switched off on this server; frequency count does the same on its machine.")
    elif asked is not None:
        st.button("Count", type="primary", on_click=start, args=asked, disabled=running is not None)
    else:
        quiet("The button to count comes once what to count, the concepts and a name are given.")

waiting = [name for name in counted.unfinished() if not running]
if waiting and may_change():
    section("Not finished", "Finished parts are kept and not counted again.")
    for name in waiting:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(f"Resume {plain(name)}", on_click=resume, args=(name,))
            st.button("Discard", key=f"discard-{name}", type="tertiary", on_click=discard, args=(name,))
