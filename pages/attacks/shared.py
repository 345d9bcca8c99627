"""What the views of attacks share: the finding, the choice of an attack, records shipped or measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.frequency.sources import Frequency
from core.models.registry import icon_models
from core.robustness.attacks import ATTACKS, find, settings_of
from core.robustness.attacks.findings import DIRECT, evidence, headline
from core.robustness.attacks.plan import Units
from core.robustness.committed import committed
from core.robustness.records import Record
from core.runtime.estimates import Estimate
from core.runtime.jobs import Job, Question, question
from core.supervised import names as supervised
from core.supervised.names import known_as
from core.types import ImageSet, Lens, Report
from pages.ui import answers, lensbar
from pages.ui.docs import documented
from pages.ui.jobs import ask, expected, finished
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

EPS = (1.0, 2.0, 4.0)
TIMING = "Estimating the time of these attacks"
UNITS: tuple[Units, ...] = ("pixel", "normalised")


def opening(lens: Lens, image_set: ImageSet) -> None:
    """The page's finding: of the shipped or the latest measured records of this lens."""
    records = [one for one in _known(lens, image_set) if one.prompts in (lens.prompts, supervised.PROMPTS)]
    told = headline(records)
    if told is None:
        finding("Attacks", f"How small a change breaks {known_as(lens.model)} on {lens.image_set} is not measured yet.")
        quiet("One picture is attacked live below; the accuracy view measures a sample and keeps what it found.")
        return
    finding("Attacks", told, evidence(records))
    first = next(one for one in records if one.eps is not None)
    quiet(
        f"{first.n:,} images spread over the classes, seed {first.seed} · an image counts as correct when it "
        f"is so before and after · {lens.image_set}"
    )
    answers.prompt_notes(records)
    documented("ATTACKS", "How attacks are measured")


def _known(lens: Lens, image_set: ImageSet) -> Sequence[Record]:
    shipped = committed(lens.image_set, *DIRECT) if lensbar.chosen_counts() is None else ()
    mine = [one for one in shipped if one.model == lens.model and not one.more.get("surrogate")]
    if any(one.prompts == lens.prompts for one in mine):
        return mine
    found: list[Record] = []
    for what, how in st.session_state.get("_measured_attacks", ()):
        if what == (lens.model, lens.prompts):
            found = finished(_question(lens, image_set, *how)) or found
    return found


def choose_attack(offered: Sequence[str], *, first: str, key: str = "attack") -> str:
    """One attack of those offered, in the URL, with what it is and whose settings it runs under."""
    if st.session_state.get(key) not in (None, *offered):
        st.session_state.pop(key)
    chosen = st.selectbox(
        "Attack", [first, *(one for one in offered if one != first)], key=key, bind="query-params", width=200,
        format_func=lambda id: ATTACKS[id].title if id in ATTACKS else id,
        help="FGSM, BIM, MIM, DIM, DeepFool, PGD and APGD follow gradients; NES and SPSA only see scores; "
        "noise knows no model.",
    )  # fmt: skip
    return chosen or first


def choose_units() -> Units:
    """Pixels or normalised units, in the URL."""
    return switch(
        "ε is counted in", "units", UNITS,
        help="pixel: 255ths of a pixel's range. normalised: after the model's mean and standard deviation, as arXiv "
        "2403.10499 has it; the same number is then about a quarter of that in pixels for CLIP, half for the icon "
        "models.",
    )  # fmt: skip


def about(attack: str, *, settings: bool = True) -> None:
    """The attack's source and settings, quietly."""
    one = find(attack)
    if not settings:
        quiet(f"{one.title}: {one.cites}")
        return
    preset = next(iter(one.presets))
    named = ", ".join(f"{name} {value:g}" for name, value in settings_of(one).items())
    quiet(f"{one.title}: {one.cites} · {one.preset_notes[preset]}{f' ({named})' if named else ''}")


def wanted(key: str, lens: Lens, cost: str, timing: Question[Estimate | None] | None = None) -> bool:
    """Whether to measure now: at once for a small icon model, after a button for any other.

    Args:
        timing: says how long it takes here; None where that is not worth a word, or it is measured.
    """
    pressed = st.session_state.setdefault("_measure", set())
    now = key in pressed or lens.model in {info.id for info in icon_models()}
    if not now:
        st.button("Measure", key=f"measure-{key}", on_click=pressed.add, args=(key,), type="primary", help=cost)
        quiet(cost)
    return (timing is None or expected(timing)) and now


def estimate(
    asked: Sequence[tuple[str, str]],
    image_set: ImageSet,
    attacks: Sequence[str],
    n: int,
    *,
    eps: Sequence[float] = EPS,
    units: Units = "pixel",
    guarded: bool = True,
    crafted: bool = False,
    minimal: bool = False,
    report: Report,
) -> Estimate | None:
    """How long attacks on these models and strategies take here; ``crafted``: also what is tried on each other one."""
    from core.robustness.attacks import run

    sample = run.Question(image_set, n=n, attacks=tuple(attacks), eps=tuple(eps), units=units, guarded=guarded)
    surrogates = [model for model, _ in asked] if crafted else []
    return run.estimate(asked, sample, surrogates=surrogates, minimal=minimal, report=report)


def time_of(
    lens: Lens, image_set: ImageSet, asked: Sequence[tuple[str, str]], attack: str, *, units: Units, n: int
) -> Question[Estimate | None] | None:
    """The question how long the accuracy curves take that are not measured in this process; None where all are."""
    left = [
        (model, prompts)
        for model, prompts in asked
        if finished(_question(replace(lens, model=model, prompts=prompts), image_set, attack, units, n)) is None
    ]
    if not left:
        return None
    return question(estimate, left, image_set, (attack,), n, units=units, label=TIMING)


def measure(
    lens: Lens, image_set: ImageSet, model: str, prompts: str, attack: str, *, units: Units, n: int
) -> Job[list[Record]]:
    """The job that attacks a sample of one model and strategy; cells that are known come from the cache."""
    # What was asked for, not its answer: the page's finding asks it of the model and the images as they are then.
    st.session_state.setdefault("_measured_attacks", {})[(model, prompts), (attack, units, n)] = None
    return ask(_question(replace(lens, model=model, prompts=prompts), image_set, attack, units, n))


def _question(lens: Lens, image_set: ImageSet, attack: str, units: Units, n: int) -> Question[list[Record]]:
    label = f"{find(attack).title} on {known_as(lens.model)}, {lens.prompts}"
    other = replace(lens, frequency="")
    return question(_sampled, other, image_set, attack, units, n, lensbar.chosen_counts(), label=label)


def _sampled(
    lens: Lens, image_set: ImageSet, attack: str, units: Units, n: int, frequency: Frequency, *, report: Report
) -> list[Record]:
    from core.robustness.attacks.run import Question as Sample
    from core.robustness.attacks.run import attack_records, with_prompt_notes

    sample = Sample(image_set, n=n, attacks=(attack,), eps=EPS, units=units, frequency=frequency)
    found = attack_records(lens.model, sample, prompts=lens.prompts, report=report)
    return with_prompt_notes(found, image_set)


def record_rows(records: Sequence[Record]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of records as they are downloaded; shares are fractions."""
    more = (
        "clean", "clean_right", "success", "success_low", "success_high", "minimal_eps", "head", "tail",
        "head_success", "tail_success", "margin_acc1", "saturated", "zero_gradient", "said_word", "surrogate",
    )  # fmt: skip
    header = ["model", "set", "prompts", "condition", "eps", "units", "n", "acc1", "low", "high", "seed", *more]
    return header, [
        [*(getattr(one, name) for name in header[:11]), *(one.more.get(name) for name in more)] for one in records
    ]


def warnings(records: Sequence[Record]) -> None:
    """Signs of gradient masking, each told once."""
    told = dict.fromkeys((one.prompts, one.eps, one.more["warning"]) for one in records if one.more.get("warning"))
    if told:
        with st.expander(f"{len(told)} signs that an attack may flatter the model"):
            for prompts, eps, warning in told:
                quiet(f"{prompts}, ε {eps:g}: {warning}" if eps is not None else f"{prompts}: {warning}")
