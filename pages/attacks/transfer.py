"""What is crafted on one model and tried on another: the matrix that ships, or one measured here."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.charts.attacks import transfer_figure
from core.frequency.sources import Frequency
from core.robustness.attacks import ATTACKS, find
from core.robustness.attacks.findings import DIRECT
from core.robustness.committed import committed
from core.robustness.records import Record
from core.runtime.jobs import Question
from core.stats.format import percent, span
from core.supervised import names as supervised
from core.supervised.names import known_as
from core.types import ImageSet, Interval, Lens, Report
from pages.attacks import shared
from pages.ui import lensbar
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import finished, need, question
from pages.ui.text import finding_of, quiet, section

TRANSFERABLE = tuple(one.id for one in ATTACKS.values() if one.transfers)


def transfer_matrix(lens: Lens, image_set: ImageSet) -> None:
    """The matrix of who fools whom."""
    shipped = committed(lens.image_set, "attacks-transfer")
    listed = dict.fromkeys(one.model for one in shipped)
    others = [
        *supervised.shipped(),
        *(info.id for info in lensbar.known_models() if info.available and info.id != lens.model),
    ]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        attack = shared.choose_attack(TRANSFERABLE, first="dim", key="attack-transfer")
        eps = st.select_slider(
            "ε, in 255ths", (1.0, 2.0, 4.0, 8.0), 4.0, key="transfer-eps", bind="query-params", width=220
        )
        with_models = st.multiselect(
            "Models", list(dict.fromkeys([*listed, *others])), default=[one for one in listed if one != lens.model],
            key="transfer-with", bind="query-params",
            select_all=False, filter_mode="contains", max_selections=6, placeholder="Another model to craft on",
        )  # fmt: skip
    models = list(dict.fromkeys([lens.model, *with_models]))
    if len(models) < 2:
        quiet("Choose a second model: what is crafted on it is tried on this one, and the other way round.")
        return
    known = [one for one in shipped if one.condition == attack and one.eps == eps]
    pairs = {(one.more["surrogate"], one.model) for one in known}
    if all((a, b) in pairs for a in models for b in models if a != b):
        direct = [one for one in committed(lens.image_set, *DIRECT) if one.condition == attack and one.eps == eps]
        noise = [one for one in shipped if one.condition == "noise" and one.eps == eps]
        records = [*known, *(one for one in (*direct, *noise) if one.model in models)]
    else:
        cost = f"{find(attack).title} is crafted on {len(models)} models and tried on each other one."
        asked = _question(lens, image_set, models, attack, eps)
        timing = question(
            shared.estimate, [(model, lens.prompts) for model in models], image_set, (attack,), 100, eps=(eps,),
            guarded=False, crafted=True, label=shared.TIMING,
        )  # fmt: skip
        key = f"transfer-{'-'.join(models)}-{attack}-{eps}"
        if not shared.wanted(key, lens, cost, timing if finished(asked) is None else None):
            return
        records = need(asked)
    crossed = [one for one in records if one.condition == attack]
    figure = transfer_figure(crossed, {model: known_as(model) for model in models})
    if told := _told(records, models):
        finding_of(told)
    section(
        f"{find(attack).title}, ε {eps:g}/255: success rate on the images that the attacked model predicts correctly",
        "Rows: the model attacked. Columns: the model whose gradients it was crafted on; the diagonal is the attack on "
        "the model itself.",
    )
    plot(figure, key="transfer", alt="Transfer matrix of the attack between models")
    shared.about(attack)
    title = told or f"What {find(attack).title} carries from model to model"
    source = f"{find(attack).title} {eps:g}/255 · {lens.image_set} · {records[0].n} images"
    downloads("transfer", *shared.record_rows(records), figure=figure, title=title, source=source)


def _question(lens: Lens, image_set: ImageSet, models: list[str], attack: str, eps: float) -> Question[list[Record]]:
    lenses = [replace(lens, model=model) for model in models]
    label = f"{find(attack).title} between {len(models)} models"
    return question(_crossed, lenses, image_set, attack, eps, lensbar.chosen_counts(), label=label)


def _crossed(
    lenses: list[Lens], image_set: ImageSet, attack: str, eps: float, frequency: Frequency, *, report: Report
) -> list[Record]:
    from core.robustness.attacks.run import Question, attack_records, transfer_records

    sample = Question(image_set, n=100, attacks=(attack,), eps=(eps,), guarded=False, frequency=frequency)
    models, prompts = [lens.model for lens in lenses], lenses[0].prompts
    direct = [
        one
        for model in models
        for one in attack_records(model, sample, prompts=prompts, report=report)
        if one.eps is not None
    ]
    return [*transfer_records(models, sample, prompts=prompts, report=report), *direct]


def _told(records: list[Record], models: list[str]) -> str | None:
    crossed = [
        one for one in records
        if one.more.get("surrogate") in models and one.model in models and one.more["clean_right"] >= 10
    ]  # fmt: skip
    if not crossed:
        return None
    best = max(crossed, key=lambda one: one.more["success"])
    noise = [one for one in records if one.condition == "noise" and one.model == best.model]
    control = f"; noise of the same ε breaks {percent(noise[0].more['success'])}" if noise else ""
    known = Interval(best.more["success"], best.more["success_low"], best.more["success_high"])
    return (
        f"At most {percent(best.more['success'])} of what a model classified correctly is broken by pixels crafted "
        f"elsewhere (95 % CI {span(known)}; "
        f"{known_as(best.more['surrogate'])} against {known_as(best.model)}, {best.more['clean_right']} images)"
        f"{control}."
    )
