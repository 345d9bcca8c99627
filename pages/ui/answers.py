"""Answers for pages: the shipped one at once, the live one as soon as it is there, and what is made of them."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.analysis.curve import Curve, curve
from core.analysis.findings import model_name
from core.errors import TailscopeError
from core.evaluation import evaluate
from core.evaluation.shipped import shipped_answer
from core.runtime.jobs import Job, Question
from core.types import Answer, Lens
from pages.ui.jobs import ask, finished, question, recall, watch
from pages.ui.lensbar import families, images, table
from pages.ui.text import finding, quiet


def asked(lens: Lens) -> Question[Answer]:
    """What answers a lens; the source of counts decides nothing of it."""
    image_set = images(lens.image_set)
    return question(evaluate.evaluate, replace(lens, frequency=""), image_set=image_set, label=label(lens))


def label(lens: Lens) -> str:
    """The job in words."""
    return f"{model_name(lens.model)} on {lens.image_set}, {lens.prompts} prompts"


def shipped(lens: Lens) -> Answer | None:
    """The committed run of an icon model under this lens, if there is one."""
    return _under(lens, recall(shipped_answer, replace(lens, frequency="")))


def finished_of(lens: Lens, job: Job[Answer]) -> Answer:
    """The answer of a finished job under the lens it is for, source of counts included."""
    return replace(job.value(), lens=lens)


def _under(lens: Lens, answer: Answer | None) -> Answer | None:
    return None if answer is None else replace(answer, lens=lens)


def request(lens: Lens) -> Job[Answer]:
    """The running or finished job of this lens."""
    return ask(asked(lens))


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
        finding("First look", f"Evaluating {model_name(lens.model)} on {lens.image_set}, {lens.prompts} prompts.")
        quiet("Pictures are embedded once for each model; after that every question is quick. Stop keeps what is done.")
        watch(job)
        st.stop()
    return finished_of(lens, job)


def start_live() -> None:
    """Ask for the live run behind a shipped one, with its progress here; called when the page has been drawn."""
    lens = st.session_state.pop("_live", None)
    if lens is None:
        return
    try:
        job = request(lens)
    except TailscopeError as error:
        quiet(f"Computing it here failed: {error}")
        return
    watch(job, small=True)


def _finished(lens: Lens) -> Answer | None:
    return _under(lens, finished(asked(lens)))


def known_answer(lens: Lens) -> Answer | None:
    """An answer that is there without computing: a finished live run, or a shipped one."""
    return _finished(lens) or shipped(lens)


def curve_of(answer: Answer, source: str, *, recipe: str = "honest") -> Curve:
    """The frequency curve of an answer under a source of counts."""
    return recall(curve, answer, table(source), recipe=recipe, families=families(answer, source))


def provenance(answer: Answer) -> str:
    """Where the numbers come from: images used, prompts, run."""
    used, n = len(answer.rows), answer.n_images
    left = "" if used == n else f" ({len(answer.left_out):,} items skipped; the Data page lists them)"
    run = "precomputed" if answer.source != "live" else "computed here"
    model, prompts = model_name(answer.lens.model), f"prompts {answer.lens.prompts}"
    told = model, f"{used:,} of {n:,} images used{left}", answer.lens.image_set, prompts, run
    return " · ".join((*told, *answer.prompt_notes))
