"""What the prompt lab compares: up to four lenses from the URL, their answers, and their comparison."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from core.analysis.compare import MOST, ClassChange, Comparison, Difference, Summary, class_changes, compare
from core.errors import TailscopeError
from core.prompts import strategies
from core.runtime.jobs import Job
from core.types import Answer, Lens
from pages.ui import answers as answers_ui
from pages.ui import choice, jobs, lensbar
from pages.ui.choice import BETWEEN
from pages.ui.text import quiet


def choose(lens: Lens) -> dict[str, Lens]:
    """The compared lenses by what the page calls them; a strategy alone belongs to the sidebar's model."""
    start = list(dict.fromkeys([lens.prompts, "ensemble", "cupl-full"]))[:2]
    return choice.several(
        "Compare",
        "lenses",
        _offered(lens),
        lambda label: _lens_of(label, lens),
        default=start,
        most=MOST,
        help="Strategies of the sidebar's model, or MODEL::STRATEGY for another one. A template of your own such as "
        "`a drawing of a {c}.` or the path of a prompt file can be typed, and a rule added, as in "
        "`dclip@max`; the inspector explains the rules. "
        "The first one is the baseline.",
    )


def another(lens: Lens, *, key: str, label: str) -> Lens | None:
    """One other lens to hold this one against, or None."""
    offered = [id for id in _offered(lens) if id != lens.prompts]
    return choice.one(
        label, key, offered, lambda typed: _lens_of(typed, lens), placeholder="No other run", width=420,
        help="A strategy of the sidebar's model, or MODEL::STRATEGY for another one.",
    )  # fmt: skip


def _offered(lens: Lens) -> list[str]:
    named = [strategy.id for strategy in strategies(alone=True)]
    others = [info.id for info in lensbar.known_models() if info.available and info.id != lens.model]
    return [*named, *(f"{model}{BETWEEN}{id}" for model in others for id in named)]


def _lens_of(label: str, lens: Lens) -> Lens:
    model, between, prompts = label.partition(BETWEEN)
    if not between:
        model, prompts = lens.model, label
    other = lensbar.validated(model, lens.image_set, prompts, lensbar.OWN)
    return other if model != lens.model and other.frequency else replace(other, frequency=lens.frequency)


def answers(lenses: Mapping[str, Lens]) -> tuple[dict[str, Answer], dict[str, Job[Answer]]]:
    """The answers that are there, and the jobs of the others, which the caller shows where nothing moves by them.

    Shipped ones are compared with shipped ones only: they were computed in another precision than those made here.
    """
    shipped = {label: answer for label, lens in lenses.items() if (answer := answers_ui.shipped(lens)) is not None}
    if len(shipped) == len(lenses):
        return shipped, {}
    found: dict[str, Answer] = {}
    pending: dict[str, Job[Answer]] = {}
    for label, lens in lenses.items():
        try:
            job = answers_ui.request(lens)
        except TailscopeError as error:
            quiet(f"{label} is skipped: {error}")
            continue
        if job.wait(0):
            found[label] = answers_ui.finished_of(lens, job)
        else:
            pending[label] = job
    return found, pending


def progress(pending: Mapping[str, Job[Answer]]) -> None:
    """Progress of the answers that are on their way."""
    for job in pending.values():
        jobs.watch(job, small=True)


def comparison(found: Mapping[str, Answer]) -> Comparison[Difference]:
    """Summaries and paired differences, computed once for the same answers."""
    named = {label: answer.lens.frequency for label, answer in found.items()}
    tables = {label: table for label, name in named.items() if (table := lensbar.table(name))}
    return jobs.recall(compare, found, tables=tables)


def changes(a: Answer, b: Answer) -> tuple[ClassChange, ...]:
    """Accuracy of every class under both, computed once for the same answers."""
    return jobs.recall(class_changes, a, b)


def pair(found: Comparison[Difference]) -> Difference:
    """The pair that the page looks at; a choice when there are more than two lenses."""
    labels = [f"{one.b} − {one.a}" for one in found.pairs]
    if len(labels) == 1:
        return found.pairs[0]
    if st.session_state.get("pair") not in labels:
        st.session_state.pop("pair", None)
    chosen = st.selectbox("Pair", labels, key="pair", bind="query-params", width=420)
    return found.pairs[labels.index(chosen)]


def summary_rows(lenses: Mapping[str, Summary]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the table of lenses as they are downloaded; accuracies are fractions."""
    header = ["lens", "acc1", "mean_per_class_recall", "head", "torso", "tail", "ece", "margin", "n", "frequency"]
    return header, [[label, *(getattr(one, name) for name in header[1:])] for label, one in lenses.items()]


def summary_table(lenses: Mapping[str, Summary], *, pending: Collection[str] = ()) -> None:
    """The lenses side by side in percent, with an empty row for each that is not answered yet."""
    header, rows = summary_rows(lenses)
    rows += [[f"{label} · progress below", *[None] * (len(header) - 1)] for label in pending]
    frame = pd.DataFrame(rows, columns=header)
    shares = header[1:7]
    frame[shares] = 100 * frame[shares].astype(float)
    shown = ["lens", *[name for name in shares if frame[name].notna().any()], "margin"]
    percent = {name: st.column_config.NumberColumn(name.capitalize(), format="%.1f %%") for name in shares}
    percent["acc1"] = st.column_config.NumberColumn("Top-1", format="%.1f %%", help="Images classified correctly")
    percent["mean_per_class_recall"] = st.column_config.NumberColumn(
        "Balanced", format="%.1f %%", help="Mean accuracy of the classes, each weighing the same"
    )
    percent["tail"] = st.column_config.NumberColumn("Tail", format="%.1f %%", help="The rarest fifth of the concepts")
    percent["ece"] = st.column_config.NumberColumn(
        "ECE", format="%.1f %%", help="Expected calibration error: how far confidence and accuracy lie apart, 15 bins"
    )
    st.dataframe(
        frame[shown],
        key="summary",
        hide_index=True,
        column_config={
            "lens": st.column_config.TextColumn("Setup"),
            "margin": st.column_config.NumberColumn(
                "Margin", format="%.4f", help="Mean cosine of the true class minus the best other one"
            ),
            **percent,
        },
        placeholder="–",
        alt="Accuracy, calibration and margin of every setup",
    )


def pair_rows(pairs: tuple[Difference, ...]) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the paired differences, in fractions."""
    header = ["a", "b", "delta", "low", "high", "fixed", "broken", "mcnemar_p", "p_holm", "n"]
    return header, [
        [one.a, one.b, one.delta.value, one.delta.low, one.delta.high, one.b01, one.b10, one.p, one.p_holm, one.n]
        for one in pairs
    ]
