"""Answers for pages: the shipped one at once, the live one as soon as it is there, and what is made of them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import streamlit as st

from cache import keys
from core.analysis.curve import Curve, curve
from core.analysis.findings import model_name
from core.errors import TailscopeError
from core.evaluation import evaluate
from core.evaluation.shipped import shipped_answer
from core.frequency import sources
from core.runtime.jobs import Job, engine
from core.types import Answer, Lens
from pages.ui.jobs import ask, watch
from pages.ui.lensbar import count_method, images
from pages.ui.text import finding, quiet


def question(lens: Lens) -> tuple[Hashable, ...]:
    """Key of the job that answers a lens: what the answer depends on, the source of counts is not."""
    image_set = images(lens.image_set)
    names = keys.digest(list(image_set.names))
    return ("evaluate", lens.model, lens.image_set, image_set.fingerprint, names, lens.prompts, lens.precision)


def label(lens: Lens) -> str:
    """The job in words."""
    return f"{model_name(lens.model)} on {lens.image_set}, {lens.prompts} prompts"


@st.cache_resource(max_entries=16, show_spinner=False)
def _shipped_run(lens: Lens) -> Answer | None:
    return shipped_answer(lens)


def shipped(lens: Lens) -> Answer | None:
    """The committed run of an icon model under this lens, if there is one."""
    return _shipped_run(replace(lens, frequency=""))


def request(lens: Lens) -> Job[Answer]:
    """The running or finished job of this lens."""
    image_set = images(lens.image_set)
    return ask(question(lens), label(lens), lambda report: evaluate.evaluate(lens, report=report, image_set=image_set))


def answer_for(lens: Lens) -> Answer:
    """The answer of this lens; without one yet, its progress takes the page's place and the run ends.

    The run that ships with an icon model is shown at once, and the live one is asked for when the page is drawn:
    importing the model stack takes the interpreter for seconds.
    """
    committed = shipped(lens)
    if committed is not None:
        live = _finished(lens)
        if live is None:
            st.session_state["_live"] = lens
        return live or committed
    job = request(lens)
    if not job.wait(0):
        finding("First look", f"Asking {model_name(lens.model)} about {lens.image_set}, {lens.prompts} prompts.")
        quiet("Pictures are embedded once for each model; after that every question is quick. Stop keeps what is done.")
        watch(job)
        st.stop()
    return job.value()


def start_live() -> None:
    """Ask for the live run behind a shipped one, with its progress here; called when the page has been drawn."""
    lens = st.session_state.pop("_live", None)
    if lens is None:
        return
    try:
        job = request(lens)
    except TailscopeError as error:
        quiet(f"The live run did not end: {error}")
        return
    watch(job, small=True)


def _finished(lens: Lens) -> Answer | None:
    key = question(lens)
    return next((job.value() for job in engine().jobs() if job.key == key and job.state == "done"), None)


def known_answer(lens: Lens) -> Answer | None:
    """An answer that is there without computing: a finished live run, or a shipped one."""
    return _finished(lens) or shipped(lens)


def curve_of(answer: Answer, source: str, *, recipe: str = "honest") -> Curve:
    """The frequency curve of an answer under a source of counts."""
    return _curve(keys.digest([answer.fingerprint, answer.source]), source, count_method(source), recipe, answer)


@st.cache_resource(max_entries=48, show_spinner=False)
def _curve(fingerprint: str, source: str, method: str, recipe: str, _answer: Answer) -> Curve:
    table = sources.load_source(source, method)
    return curve(_answer, table, recipe=recipe, families=sources.families(source))


def provenance(answer: Answer) -> str:
    """Where the numbers come from: images used, prompts, run."""
    used, n = len(answer.rows), answer.n_images
    left = "" if used == n else f" ({len(answer.left_out):,} items left out; the Data page lists them)"
    run = "shipped run; the live run replaces it" if answer.source != "live" else "live run"
    return f"{used:,} of {n:,} images used{left} · {answer.lens.image_set} · prompts {answer.lens.prompts} · {run}"
