"""What the views of the corruption studio share: the finding, the second model, records shipped or measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from core.errors import ExtraMissing, TailscopeError
from core.frequency.sources import Frequency
from core.models.registry import nearest
from core.robustness.committed import committed
from core.robustness.corruptions import findings as corruption_findings
from core.robustness.corruptions.registry import IN_MEMORY, library_version
from core.robustness.records import Record
from core.runtime.estimates import Estimate
from core.runtime.jobs import Job, Question, question
from core.supervised import names as supervised
from core.supervised.ask import answer_of
from core.supervised.names import known_as
from core.types import Answer, ImageSet, Lens, Report
from pages.ui import answers, choice, lensbar, served
from pages.ui.docs import documented
from pages.ui.jobs import ask, finished, here
from pages.ui.text import finding, quiet

PER_CLASS = {"1 a class": 1, "2 a class": 2, "5 a class": 5, "all images": None}
OFFERED = 12


def choose_other(lens: Lens) -> Lens | None:
    """A second model beside the sidebar's, zero-shot or supervised, under the same prompts; None for none."""
    offered = [info.id for info in lensbar.known_models() if info.available and info.id != lens.model]
    found = choice.one(
        "Model B", "other", [*supervised.shipped(), *offered], served.classifier, near=nearest,
        width=320, placeholder="None beside",
        help="Any zero-shot model, supervised:NAME or timm:NAME. It sees the same pictures.",
    )  # fmt: skip
    return replace(lens, model=found) if found else None


def opening(lens: Lens, image_set: ImageSet) -> None:
    """The page's finding: of the shipped or the latest measured records of the sidebar's model."""
    records = known(lens, image_set)
    told = corruption_findings.headline(records)
    if told is None:
        started = f"What corruptions cost {known_as(lens.model)} on {lens.image_set} is not measured yet."
        finding("Corruptions", started)
        quiet("One picture is corrupted live below; the heat map measures a sample and keeps what it found.")
        return
    finding("Corruptions", told, corruption_findings.evidence(records))
    before = corruption_findings.clean(records)
    costs = corruption_findings.worst(records, before)
    flips = corruption_findings.sequences_sentence(records)
    whole = corruption_findings.total(records)
    relative = ""
    if whole and whole.reference and whole.more.get("mce") is not None:
        relative = f" mCE {whole.more['mce']:.0f} % of {known_as(whole.reference)}, {IN_MEMORY}."
    quiet(f"{costs or ''}{relative} {flips or ''} Seed {records[0].seed}.".strip())
    answers.prompt_notes(records)
    documented("CORRUPTIONS", "How corruptions are measured")


def known(lens: Lens, image_set: ImageSet) -> list[Record]:
    """Records of a model on this set: those measured here last, else the committed ones; empty without either."""
    measured: list[Record] = []
    for asked in st.session_state.get("_measured_corruptions", ()):
        records = finished(_question(lens, image_set, *asked)) or ()
        measured = corruption_findings.of_model(records, lens.model, lens.prompts) or measured
    kept = committed(image_set.id, corruption_findings.TABLE) if lensbar.chosen_counts() is None else ()
    shipped = corruption_findings.of_model(kept, lens.model, lens.prompts)
    if not measured:
        return shipped
    sequences = [one for one in shipped if one.condition.endswith(("sequence", "perturbations"))]
    return measured + sequences


def is_absent() -> str:
    """Why corruptions cannot be made here, with the command that helps; empty when they can."""
    try:
        library_version()
    except ExtraMissing as error:
        return str(error)
    return ""


def picture_row(lens: Lens, image_set: ImageSet, label: int) -> int:
    """The picture in question of a class, in the URL; by default the first that is known to be right unharmed."""
    rows = [row for row, own in enumerate(image_set.labels.tolist()) if own == label][:OFFERED]
    offered = {image_set.image_ids[row]: row for row in rows}
    if st.session_state.get("shot") not in (None, *offered):
        st.session_state.pop("shot")
    answer = answers.known_answer(lens)
    right = set() if answer is None else set(answer.rows[answer.top[:, 0] == answer.labels].tolist())
    first = next((place for place, row in enumerate(rows) if row in right), 0)
    found = st.selectbox("Picture", list(offered), index=first, key="shot", bind="query-params", width=220)
    return offered.get(found, rows[first])


def answered(lenses: Mapping[str, Lens], view: ImageSet, what: str) -> dict[str, Answer]:
    """The answers of these lenses on derived pictures as far as they are there, and the progress of the others."""
    found = {
        name: here(question(answer_of, lens, view, label=f"{known_as(lens.model)} on {what}"), small=True)
        for name, lens in lenses.items()
    }
    return {name: answer for name, answer in found.items() if answer is not None}


def choose_class(image_set: ImageSet) -> int:
    """One class, by its readable name, in the URL; the commonest at first, and only classes with pictures."""
    held = sorted(set(image_set.labels.tolist()) - {-1})
    counts = lensbar.counts(image_set)
    first = max(range(len(held)), key=lambda place: counts.get(image_set.keys[held[place]], 0))
    named = {image_set.keys[label]: label for label in held}
    if st.session_state.get("corruptions-class") not in (None, *named):
        st.session_state.pop("corruptions-class")
    found = st.selectbox(
        "Class", list(named), index=first, key="corruptions-class", bind="query-params", width=280,
        format_func=lambda one: image_set.names[named[one]] if one in named else str(one),
    )  # fmt: skip
    return named.get(found, held[first])


def measure(
    lens: Lens, image_set: ImageSet, models: Sequence[str], per_class: int | None, seed: int = 0
) -> Job[list[Record]]:
    """The job that measures models under the fifteen corruptions at five severities on a sample."""
    # What was asked for, not its answer: the page's finding asks it of the model and the images as they are then.
    st.session_state.setdefault("_measured_corruptions", {})[tuple(models), per_class, seed] = None
    return ask(_question(lens, image_set, models, per_class, seed))


def _question(
    lens: Lens, image_set: ImageSet, models: Sequence[str], per_class: int | None, seed: int
) -> Question[list[Record]]:
    lenses = [replace(lens, model=model, frequency="") for model in models]
    label = f"Corruptions on {', '.join(map(known_as, models))}"
    counts = lensbar.chosen_counts()
    return question(_sampled, lenses, image_set, per_class, seed, reference_here(image_set), counts, label=label)


def _sampled(
    lenses: Sequence[Lens],
    image_set: ImageSet,
    per_class: int | None,
    seed: int,
    reference: str,
    frequency: Frequency,
    *,
    report: Report,
) -> list[Record]:
    from core.robustness.corruptions.command import Asked, measure
    from core.robustness.corruptions.run import Plan

    plan = Plan(per_class=per_class, seed=seed, prompts=lenses[0].prompts)
    models = tuple(lens.model for lens in lenses)
    asked = Asked(models=models, image_set=image_set.id, plan=plan, reference=reference, frequency=frequency)
    return measure(asked, report=report, image_set=image_set)


def estimate(
    models: Sequence[str], image_set: ImageSet, per_class: int | None, seed: int, *, report: Report
) -> Estimate | None:
    """How long measuring these models takes here for what is not embedded yet; None for nothing."""
    from core.robustness.corruptions import run

    source = run.InMemory(image_set, run.Plan(per_class=per_class, seed=seed))
    return run.estimate(models, source, report=report)


def reference_here(image_set: ImageSet) -> str:
    """The reference that can be had here: the set's own if it is on this disk, else none."""
    from core.robustness.corruptions.command import NONE
    from core.robustness.corruptions.records import default_reference

    wanted = default_reference(image_set.id, image_set.keys)
    try:
        if wanted and supervised.is_supervised(wanted):
            supervised.folder_of(wanted)
    except TailscopeError:
        return NONE
    return wanted or NONE


def record_rows(records: Sequence[Record]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of records as they are downloaded; shares are fractions, CE is in percent."""
    more = (
        "ce", "relative_ce", "mce", "relative_mce", "flip", "mfp", "t5d", "head", "head_low", "head_high", "head_n",
        "torso", "tail", "tail_low", "tail_high", "tail_n", "head_kept", "tail_kept", "kept_gap", "kept_gap_low",
        "kept_gap_high", "source", "library",
    )  # fmt: skip
    own = ["model", "set", "prompts", "condition", "severity", "n", "acc1", "low", "high", "reference", "seed"]
    return [*own, *more], [
        [*(getattr(one, name) for name in own), *(one.more.get(name) for name in more)] for one in records
    ]
