"""Answers for pages: the shipped one at once, the live one as soon as it is there, and what is made of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import streamlit as st

from core.analysis.curve import Curve, curve
from core.errors import NotHere, Stopped, TailscopeError
from core.evaluation import evaluate, looks, origins
from core.evaluation.evaluate import stored_answer
from core.evaluation.shipped import shipped_answer
from core.models.names import model_name
from core.published.models import find_model
from core.robustness.records import Record
from core.runtime import estimates
from core.runtime.jobs import Job, Question
from core.stats.format import many
from core.supervised import ask as classifiers
from core.types import ORIGINS, Answer, ClassAnswer, Lens
from pages.ui import address, corrections
from pages.ui.jobs import again, ask, expected, finished, may_change, question, recall, watch
from pages.ui.lensbar import families, images, question_of, table, why_not_live
from pages.ui.links import to_fetch
from pages.ui.switches import switch
from pages.ui.text import finding, plain, quiet

IMPORTED = "imported: "
"""Stands before the name of imported results in boxes that take models too."""

Scored = TypeVar("Scored", Answer, ClassAnswer)


def asked(lens: Lens) -> Question[Answer]:
    """What answers a lens; the source of counts decides nothing of it."""
    image_set = images(lens.image_set)
    # Where visitors may change things, a run that one leaves goes on; elsewhere nobody's run holds up the others.
    return question(
        evaluate.evaluate, replace(lens, frequency=""), image_set=image_set, label=label(lens), keep=may_change()
    )


def label(lens: Lens) -> str:
    """The job in words."""
    return f"{model_name(lens.model)} on {lens.image_set}, {lens.prompts} prompts"


def shipped(lens: Lens) -> Answer | None:
    """The committed run of an icon model under this lens, if there is one; none once names were corrected."""
    if corrections.of(lens.image_set):
        return None
    return _under(lens, recall(shipped_answer, replace(lens, frequency="")))


def at_once(lens: Lens) -> Answer | None:
    """The answer of this lens if it ships or has been computed, else None with its job under way and shown here."""
    if (found := known_answer(lens)) is not None:
        return found
    job = request(lens)
    if job.wait(0):
        return finished_of(lens, job)
    watch(job, small=True)
    return None


def finished_of(lens: Lens, job: Job[Answer]) -> Answer:
    """The answer of a finished job under the lens it is for, source of counts included."""
    return recall(_with_lens, job.value(), lens)


def _under(lens: Lens, answer: Answer | None) -> Answer | None:
    return None if answer is None else recall(_with_lens, answer, lens)


def _with_lens(answer: Scored, lens: Lens) -> Scored:
    """One object for each lens: what is drawn from it is then recalled without digesting all of its images again."""
    return replace(answer, lens=lens)


def request(lens: Lens) -> Job[Answer]:
    """The running or finished job of this lens."""
    return ask(asked(lens))


def answer_for(lens: Lens) -> Answer:
    """The answer of this lens; without one yet, its progress takes the page's place and the run ends.

    The run that ships with an icon model is shown at once; a live one is computed only when a person wants it.
    """
    committed = shipped(lens)
    if committed is not None:
        live = _finished(lens)
        if live is None:
            may_compute(asked(lens), lens)
        return _shown(live or committed)
    before: Answer | None = st.session_state.get("_shown")
    if before is not None and _is_elsewhere(before, lens):
        before = None
    if _finished(lens) is None and (before is None or looks.is_look(before)):
        first = _first_look(lens)
        if first is not None:
            return _shown(first)
    job = request(lens)
    if not job.wait(0):
        if before is not None:
            st.html(DIMMED)
            quiet(f"Under {lens.prompts} prompts this is being computed; meanwhile it shows {before.lens.prompts}.")
            watch(job, small=True)
            return replace(before, lens=replace(before.lens, frequency=lens.frequency))
        _opening(lens)
        watch(job)
        st.stop()
    return _shown(finished_of(lens, job))


def _is_elsewhere(before: Answer, lens: Lens) -> bool:
    """Whether an answer is of another model than this lens's, or of other pictures."""
    pictures = images(lens.image_set).fingerprint
    return (before.lens.model, before.lens.image_set, before.fingerprint.get("images", pictures)) != (
        lens.model, lens.image_set, pictures,
    )  # fmt: skip


def _opening(lens: Lens) -> None:
    finding("First look", f"Evaluating {model_name(lens.model)} on {lens.image_set}, {lens.prompts} prompts.")
    quiet("Pictures are embedded once for each model; every question after that is quick. Stopping keeps vectors.")


def _first_look(lens: Lens) -> Answer | None:
    """What is shown of a long run before it ends: its cost and a choice, then an answer on ever more pictures.

    None when the run is short, or a person wants it as a whole, or it is over: then it is asked for.
    """
    image_set, what = images(lens.image_set), (lens.model, lens.image_set)
    bare = replace(lens, frequency="")
    wanted: dict[tuple[str, str], int] = st.session_state.setdefault("_looks", {})  # 0: the whole at once
    if what not in wanted:
        named = f"{model_name(lens.model)} on {lens.image_set}"
        timing = ask(question(looks.estimate, bare, image_set=image_set, label=f"Estimating the time of {named}"))
        if not timing.wait(0):
            _opening(lens)
            watch(timing)
            st.stop()
        took = timing.value()
        if took is None or took.seconds < estimates.WORTH_ASKING:
            wanted[what] = 0
        else:
            finding("First look", f"{named} takes a while: look at some of the pictures first?")
            quiet(f"{took.words(look=estimates.LOOK).capitalize()}. What is embedded is kept and reused.")
            with st.container(horizontal=True):
                some = min(estimates.LOOK, len(image_set.labels))
                st.button(f"Look at {some:,} pictures first", on_click=wanted.__setitem__, args=(what, some),
                          type="primary", key="look-first")  # fmt: skip
                st.button("Evaluate all", on_click=wanted.__setitem__, args=(what, 0), key="look-at-all")
            st.stop()
    pictures, n = wanted[what], len(image_set.labels)
    seen: Answer | None = None
    job: Job[Answer] | None = None
    try:
        while 0 < pictures < n:
            named = f"{label(lens)}, {pictures:,} pictures"
            job = ask(question(looks.look, bare, image_set=image_set, pictures=pictures, label=named))
            if not job.wait(0):
                break
            seen, pictures = job.value(), looks.after(pictures, n)
        if pictures >= n:
            job = request(lens)
    except Stopped:
        if seen is None:
            raise
        job = None
    if pictures >= n and job is not None and (seen is None or job.wait(0)):
        wanted[what] = 0
    if not wanted[what]:
        return None
    if seen is None and job is not None:
        _opening(lens)
        watch(job)
        st.stop()
    assert seen is not None  # a run that was stopped before it showed anything has raised
    quiet(looks.words(seen))
    if job is None:
        st.button("Go on with the other pictures", on_click=again, type="tertiary")
    else:
        watch(job, small=True)
    return _under(lens, seen)


def _shown(answer: Answer) -> Answer:
    st.session_state["_shown"] = answer
    return answer


DIMMED = """<style>
[data-testid=stMain] :is(h1, [data-testid=stPlotlyChart], [data-testid=stDataFrame], [data-testid^=stBidi])
{opacity: .5}
</style>"""
"""An answer of before, until the one that was asked for is there."""


def by_class(lens: Lens) -> Answer | ClassAnswer:
    """The per-class answer of this lens from the best origin, or from the one that a person chose among several.

    Raises:
        TailscopeError: no origin has it; the message says what a live run lacks.
    """
    missing = why_not_live(lens)
    question = question_of(lens)
    if missing is not None:
        return _classes(question, "auto", lens)
    scored: tuple[origins.Choice, ...] = ("published", "imported")
    others = [origin for origin in scored if _has(question, origin)]
    chosen: origins.Choice = "live"
    if others:
        offered = {origin: words.capitalize() for origin, words in ORIGINS.items() if origin in ("live", *others)}
        key = address.own("origin")
        address.by_id(key, [*offered])
        chosen = switch("Accuracies", key, offered)
    return answer_for(lens) if chosen == "live" else _classes(question, chosen, lens)


def _has(question: origins.Question, origin: origins.Choice) -> bool:
    try:
        origins.answer(question, origin, _not_now)
    except TailscopeError:
        return False
    return True


def _classes(question: origins.Question, origin: origins.Choice, lens: Lens) -> Answer | ClassAnswer:
    found = origins.answer(question, origin, _not_now)
    return recall(_with_lens, found, replace(found.lens, frequency=lens.frequency))


def _not_now(lens: Lens) -> Answer:
    raise NotHere(f"{lens.model} is not run here.")


def origin_line(answer: Answer | ClassAnswer, *more: str) -> None:
    """A badge with the origin of an answer, and its provenance in small type after what else there is to say."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(
            ORIGINS[answer.origin],
            color="blue" if answer.origin in ("live", "shipped") else "orange",
            help=plain(answer.provenance if isinstance(answer, ClassAnswer) else answer.lens.model),
        )
        quiet(" · ".join((*more, *_facts(answer))))


def needs_pictures(answer: ClassAnswer) -> None:
    """One line where pictures would stand: what a live run of this lens lacks."""
    missing = why_not_live(replace(answer.lens, frequency=""))
    known = find_model(answer.lens.model)
    note = f" {known.note}" if known and known.note else ""
    quiet(f"Published scores hold no pictures. {missing or ''}{note}")
    to_fetch(missing, answer.lens.model)


def may_compute(live: Question[Any], *lenses: Lens) -> None:
    """The page shows a shipped answer; the sidebar offers this question, which computes it anew.

    Args:
        lenses: of one model and its prompts; it embeds their images.
    """
    st.session_state["_live"] = live, [replace(lens, frequency="") for lens in lenses]


def offer_live() -> None:
    """Offer the live run behind a shipped answer, or show its progress; nothing is computed again unasked."""
    offered: tuple[Question[Any], list[Lens]] | None = st.session_state.pop("_live", None)
    if offered is None:
        return
    live, lenses = offered
    wanted: set[str] = st.session_state.setdefault("_compute", set())
    sets = [images(lens.image_set) for lens in lenses]
    if live.key not in wanted:
        st.button(
            "Compute it here", on_click=wanted.add, args=(live.key,),
            help="These answers came with Tailscope. Computing them again embeds "
            f"{sum(len(one.labels) for one in sets):,} images, once; how long that takes here is estimated first.",
        )  # fmt: skip
        return
    model, prompts = lenses[0].model, lenses[0].prompts
    timing = question(classifiers.estimate, [model], sets, prompts=prompts, label="Estimating the time of this run")
    try:
        if finished(live) is None and not expected(timing):
            return
        job = ask(live)
    except Stopped:
        quiet(f"Computing it here was stopped; what is shown is {ORIGINS['shipped']}.")
        st.button("Compute it here", type="tertiary", on_click=again)
        return
    except TailscopeError as error:
        quiet(f"Computing it here failed, so what is shown is {ORIGINS['shipped']}: {error}")
        return
    watch(job, small=True)


def _finished(lens: Lens) -> Answer | None:
    return _under(lens, finished(asked(lens)))


def known_answer(lens: Lens) -> Answer | None:
    """An answer that is there without computing: a live run, of this process or in the cache, or a shipped one."""
    return _finished(lens) or _stored(lens) or shipped(lens)


def _stored(lens: Lens) -> Answer | None:
    try:
        return _under(lens, stored_answer(lens, image_set=images(lens.image_set)))
    except TailscopeError:
        return None


def curve_of(answer: Answer | ClassAnswer, source: str, *, hidden: Collection[str] = ()) -> Curve:
    """The frequency curve of an answer under a source of counts, less those that carry a hidden flag."""
    more = {"hidden": tuple(hidden)} if hidden else {}
    return recall(curve, answer, table(source), families=families(answer, source), **more)


def prompt_notes(rows: Iterable[Record]) -> None:
    """What a person should know of the prompts behind records, each note once."""
    for note in dict.fromkeys(note for row in rows for note in row.more.get("prompt_notes", ())):
        quiet(note)


def provenance(answer: Answer | ClassAnswer) -> str:
    """Where the numbers come from: images used, prompts, run; for published ones the recipe and the citation."""
    origin = () if isinstance(answer, ClassAnswer) else (ORIGINS[answer.origin],)
    return " · ".join((*_facts(answer), *origin))


def _facts(answer: Answer | ClassAnswer) -> tuple[str, ...]:
    if isinstance(answer, ClassAnswer):
        over = "" if answer.interval_over else "number of images unknown, so no intervals"
        source = answer.provenance.partition(" (arXiv")[0]
        return tuple(filter(None, (answer.recipe.partition(";")[0], over, source)))
    used, n = len(answer.rows), answer.n_images
    skipped = f" ({many(len(answer.left_out), 'item')} skipped; listed under Models and images)"
    left = skipped if answer.left_out else ""  # also where no picture is known to be missing, as of a broken archive
    model, prompts = model_name(answer.lens.model), f"prompts {answer.lens.prompts}"
    return model, f"{used:,} of {n:,} images used{left}", answer.lens.image_set, prompts, *answer.prompt_notes
