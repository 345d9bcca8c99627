"""Accuracy against ε for prompts and models side by side, head against tail, and how much each image needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from cache import keys
from core.charts.attacks import eps_curves, needed_figure, parts_figure
from core.errors import TailscopeError
from core.frequency.sources import Frequency
from core.prompts import strategies
from core.robustness.attacks import ATTACKS, find
from core.robustness.attacks.findings import DIRECT, prompts_matter, tail_breaks_first
from core.robustness.attacks.plan import Units
from core.robustness.committed import committed
from core.robustness.records import Record
from core.stats.format import percent
from core.supervised import names as supervised
from core.supervised.names import known_as
from core.types import ImageSet, Lens, Report
from pages.attacks import shared
from pages.ui import choice, lensbar, served
from pages.ui.choice import BETWEEN
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import finished, need, question, watch
from pages.ui.text import finding_of, quiet, section

WHITE = tuple(one.id for one in ATTACKS.values() if one.kind == "white-box")
MOST = 6


def accuracy(lens: Lens, image_set: ImageSet) -> None:
    """The view of accuracy against ε."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        attack = shared.choose_attack(WHITE, first="pgd", key="attack-curve")
        units = shared.choose_units()
        n = st.select_slider("Images", (50, 100, 200, 400, 586), 100, key="attack-n", bind="query-params", width=220)
    series = _series(lens)
    with st.container():
        found = _records(lens, image_set, series, attack, units=units, n=n)
    if not found:
        return
    flat = [one for records in found.values() for one in records]
    same = [one for one in flat if one.model == lens.model]
    if told := prompts_matter(same):
        finding_of(told)
    left, right = st.columns([3, 2], gap="large")
    figure = eps_curves(found, units=f"{units}/255")
    with left:
        section("Correct before and after", "Wilson 95 % intervals; ε = 0: the unattacked sample. Dashed: supervised.")
        plot(figure, key="eps-curves", alt=f"Accuracy against ε under {find(attack).title}")
        shared.about(attack)
        title = told or f"What {find(attack).title} leaves of {known_as(lens.model)}"
        source = f"{find(attack).title} · {lens.image_set} · {n} images · {units} units"
        downloads("attacks", *shared.record_rows(flat), figure=figure, title=title, source=source)
    with right:
        _parts(found)
    shared.warnings(flat)


def _parts(found: Mapping[str, Sequence[Record]]) -> None:
    label = next(iter(found))
    records = found[label]
    section("Does the tail break first?", f"{label}: broken among the images that were correct unattacked.")
    told = tail_breaks_first(records[(len(records) - 1) // 2])
    if told is None:
        quiet("No head and tail here: no counts were used or known, or one of the two has no correct image.")
        return
    quiet(told[:1].upper() + told[1:])
    plot(parts_figure(records), key="attack-parts", alt="Broken share of head and tail")


def _series(lens: Lens) -> dict[str, tuple[str, str]]:
    """Label -> model and strategy of every curve."""
    named = [strategy.id for strategy in strategies(alone=True)]
    start = list(dict.fromkeys([lens.prompts, "class", "ensemble"]))[:3]
    others = [
        *supervised.shipped(),
        *(info.id for info in lensbar.known_models() if info.available and info.id != lens.model),
    ]
    offered = [one if supervised.is_supervised(one) else f"{one}{BETWEEN}{lens.prompts}" for one in others]
    chosen = choice.several(
        "Compare", "attack-who", [*named, *offered], lambda label: _of(label, lens), default=start, most=MOST,
        help="Strategies of the sidebar's model, MODEL::STRATEGY for another one, or a supervised classifier.",
    )  # fmt: skip
    return dict(chosen.values())


def _of(label: str, lens: Lens) -> tuple[str, tuple[str, str]]:
    """What one entry is called in the plot, with its model and strategy."""
    model, between, prompts = label.partition(BETWEEN)
    if supervised.is_supervised(label):
        return known_as(label), (served.classifier(label), supervised.PROMPTS)
    if between:
        other = lensbar.validated(model, lens.image_set, prompts, lensbar.OWN)
        return f"{known_as(other.model)}, {prompts}", (other.model, prompts)
    return label, (lens.model, lensbar.validated(lens.model, lens.image_set, label, lensbar.OWN).prompts)


def _records(
    lens: Lens, image_set: ImageSet, series: Mapping[str, tuple[str, str]], attack: str, *, units: Units, n: int
) -> dict[str, list[Record]]:
    """The curves that ship or are measured; progress of the others stands here."""
    kept = ("attacks-prompts", "attacks-tail", *DIRECT) if lensbar.chosen_counts() is None else ()
    shipped = [one for name in kept for one in committed(lens.image_set, name)]
    found: dict[str, list[Record]] = {}
    missing = {}
    for label, (model, prompts) in series.items():
        asked = (model, prompts, attack, n, f"{units}/255")
        curve = [one for one in shipped if (one.model, one.prompts, one.condition, one.n, one.units) == asked]
        if curve:
            by_eps = {one.eps: one for one in curve if one.eps is not None}
            found[label] = [by_eps[eps] for eps in sorted(by_eps)]
        else:
            missing[label] = model, prompts
    cost = f"{find(attack).title} asks each of up to {n} images for dozens of gradients; found cells are kept."
    key = keys.digest([lens.model, lens.image_set, attack, units, n])[:8]
    timing = shared.time_of(lens, image_set, [*missing.values()], attack, units=units, n=n)
    if missing and shared.wanted(f"curve-{key}", lens, cost, timing):
        for label, (model, prompts) in missing.items():
            try:
                job = shared.measure(lens, image_set, model, prompts, attack, units=units, n=n)
            except TailscopeError as error:
                quiet(f"{label} is skipped: {error}")
                continue
            if job.wait(0):
                found[label] = [one for one in job.value() if one.eps is not None]
            else:
                watch(job, small=True)
    return {label: found[label] for label in series if label in found}


def _minimal(
    lens: Lens, image_set: ImageSet, attack: str, units: Units, n: int, frequency: Frequency, *, report: Report
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, smallest ε and part (head, torso, tail or empty) of every sampled image."""
    from core.robustness.attacks.run import Question, minimal_eps

    sample = Question(image_set, n=n, units=units, frequency=frequency)
    found = minimal_eps(lens.model, sample, attack, prompts=lens.prompts, report=report)
    tags = sample.groups(lens.model).tags
    parts = np.array([tags.get(image_set.keys[label], "") for label in found["labels"]])
    return found["rows"], found["eps"].astype(float), parts


def minimal(lens: Lens, image_set: ImageSet) -> None:
    """The view of the smallest ε that breaks each image."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        attack = shared.choose_attack(("deepfool", "fgsm", "bim"), first="deepfool", key="attack-minimal")
        units = shared.choose_units()
        n = st.select_slider("Images", (50, 100, 150, 200, 400), 100, key="minimal-n", bind="query-params", width=220)
    asked = question(
        _minimal,
        lens,
        image_set,
        attack,
        units,
        n,
        lensbar.chosen_counts(),
        label=f"Minimal ε under {find(attack).title}",
    )
    cost = f"{find(attack).title} looks for the nearest boundary of each of {n} images: some hundred gradients each."
    timing = question(
        shared.estimate, [(lens.model, lens.prompts)], image_set, (attack,), n, units=units, minimal=True,
        label=shared.TIMING,
    )  # fmt: skip
    if not shared.wanted(f"minimal-{asked.key[:8]}", lens, cost, timing if finished(asked) is None else None):
        return
    rows, eps, parts = need(asked)
    needed = np.sort(eps[~np.isnan(eps)])
    if not len(needed):
        finding_of(f"None of the {len(eps)} sampled images is correct to begin with, so there is nothing to break.")
        return
    median = needed[len(needed) // 2]
    told = f"more than {16:g}/255" if np.isinf(median) else f"{median:.2f}/255 or less"
    small = (needed <= 1).mean()
    finding_of(
        f"Half of the {len(needed)} correct images need {told} to be broken by {find(attack).title}; "
        f"{percent(small)} need no more than 1/255, a change that nobody sees."
    )
    upto = float(min(16.0, max(4.0, np.quantile(needed[np.isfinite(needed)], 0.98)))) if np.isfinite(median) else 16.0
    figure = needed_figure(eps, parts, upto=upto)
    section("Distance to the nearest mistake", "Share broken by an ε up to x; bands are Wilson 95 % intervals.")
    plot(figure, key="minimal", alt="Share of images broken against ε, head and tail")
    shared.about(attack)
    table = [
        [image_set.image_ids[row], image_set.names[image_set.labels[row]], value, part]
        for row, value, part in zip(rows.tolist(), eps.tolist(), parts.tolist(), strict=True)
    ]
    title = f"Half of the images need {told}"
    source = f"{find(attack).title} · {known_as(lens.model)} · {lens.image_set} · {n} images · {units} units"
    downloads("minimal-eps", ["image", "class", "eps_255", "part"], table, figure=figure, title=title, source=source)
