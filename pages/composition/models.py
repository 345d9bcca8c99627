"""Views that ask for more: other models, and few-shot probes."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core.charts import composition_models as charts
from core.composition import measure, probe, records, scores
from core.composition.answers import ask as ask_compositions
from core.composition.generalisation import ModelResult, generalisation, headline
from core.composition.probe import ProbePoint, as_json
from core.composition.rivals import object_records
from core.models.names import model_name
from core.robustness.committed import table
from core.stats.intervals import wilson
from core.supervised import names as supervised
from core.types import ImageSet, Interval, Lens, Report
from pages.ui import choice, lensbar, served
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import here, need, question
from pages.ui.text import finding_of, quiet

RIGHT = ("composition", "object")
GROUPS = ("all", "head", "torso", "tail", "other set", "seen", "never seen")


def models(asked: measure.Question, measured: measure.Measured) -> None:
    """Composition accuracy against accuracy in distribution over models, with the line through them."""
    icons = asked.images.drawn
    offered = [info.id for info in lensbar.known_models() if info.available]
    start = [info for info in offered if info.startswith("icon-")] if icons else [asked.lens.model]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = st.segmented_control(
            "Accuracy of", RIGHT, default=RIGHT[0], required=True, key="accuracy-of", bind="query-params",
            help="object: the attribute is not asked, so supervised classifiers can stand beside CLIP models.",
        )  # fmt: skip
        offered += supervised.shipped() if what == "object" else []
        chosen = st.multiselect(
            "Models",
            list(dict.fromkeys([*offered, asked.lens.model])),
            default=start,
            select_all=False,
            filter_mode="contains",
            key="generalise",
            bind="query-params",
        )
        known = choice.one(
            "Set in distribution",
            "indistribution",
            [one.id for one in served.sets() if one.available],
            served.image_set,
            index=0 if icons else None,
            help="Images of the objects alone, named by the objects, for example ImageNet val.",
        )
    if not known:
        quiet("Name the set in distribution (for ImageNet-AO: a folder of ImageNet's validation images).")
        return
    inside = lensbar.images(known)
    found = [result for model in chosen if (result := _result(asked, model, inside, what))]
    if not found:
        return
    fitted = generalisation(found)
    told = headline(fitted)
    finding_of(told)
    figure = charts.generalisation_figure(fitted, chosen=asked.lens.model, known=known, what=what)
    plot(figure, key="generalisation", alt=told)
    quiet(
        f"Effective compositional generalisation: {what} accuracy less that of a logit-linear fit on the models "
        "shown. No published line exists, so residuals compare these models with each other and nothing else. "
        "The sidebar's model is orange."
    )
    rows = [
        [one.model, one.known.value, one.composed.value, off.value, off.low, off.high]
        for one, off in zip(fitted.models, fitted.residual, strict=True)
    ]
    source = f"{asked.lens.image_set} against {known} · prompts {asked.lens.prompts} · {len(found)} models"
    downloads(
        "generalisation",
        ["model", "known", what, "off_line", "low", "high"],
        rows,
        figure=figure,
        title=told,
        source=source,
    )


def _result(asked: measure.Question, model: str, known: ImageSet, what: str) -> ModelResult | None:
    """The committed result of an icon model, or that of a job whose progress stands here."""
    lens = replace(asked.lens, model=model)
    own = (model, lens.image_set, lens.prompts)
    shipped = {row.condition: row for row in table(records.TABLE) if (row.model, row.set, row.prompts) == own}
    inside = shipped["composition"].more.get("known") if "composition" in shipped else None
    if inside and inside.get("set") == known.id:
        row = shipped[what]
        return ModelResult(model, records.interval_of(inside), Interval(row.acc1, row.low, row.high))
    name = model_name(model)
    computed = question(_compute, asked, lens, known, what, label=f"{name} on {lens.image_set} and {known.id}")
    return here(computed, small=True, failing=f"{name} is left out: ")


def _compute(asked: measure.Question, lens: Lens, known: ImageSet, what: str, *, report: Report) -> ModelResult:
    if supervised.is_supervised(lens.model):
        (row,) = object_records(lens.model, asked.images, known_set=known, report=report)
        return ModelResult(lens.model, records.interval_of(row.more["known"]), Interval(row.acc1, row.low, row.high))
    share = records.interval_of(records.known(replace(lens, image_set=known.id), known, report))
    right = scores.right(ask_compositions(lens, asked.images, report=report), what)
    return ModelResult(lens.model, share, wilson(int(right.sum()), len(right)))


def probes(asked: measure.Question) -> None:
    """Accuracy of few-shot probes against images a class, by part of the distribution and kind of pair."""
    found: list[ProbePoint] = need(
        question(measure.probes, asked, label=f"Few-shot probes on the vectors of {asked.lens.image_set}"),
    )
    present = [group for group in GROUPS if any(point.group == group for point in found)]
    start = [group for group in ("head", "tail", "other set") if group in present] or present[:1]
    groups = st.pills(
        "Test images",
        present,
        selection_mode="multi",
        default=start,
        key="probed",
        bind="query-params",
        help="all: images of the support's set that are not in the support; head, torso, tail: parts of "
        "it by pretraining count; other set: never in the support; seen, never seen: by pretraining.",
    )
    groups = groups or present[:1]
    told = probe.headline(found, groups)
    finding_of(told)
    most = next(point for point in found if point.group == "all")
    figure = charts.probe_figure(found, groups)
    plot(figure, key="probe", alt=told)
    quiet(
        f"Classes are objects; {most.objects:,} take part. Each of {most.seeds} seeds splits the larger set anew into "
        f"{max(point.k for point in found)} support images an object and test images. Intervals draw objects. Linear: "
        "multinomial logistic regression (scikit-learn, L2 0.001) on vectors scaled to mean square 1."
    )
    rows = [list(as_json(point).values()) for point in found]
    source = f"{model_name(asked.lens.model)} · {asked.lens.image_set} · cached vectors"
    downloads("probe", list(as_json(found[0])), rows, figure=figure, title=told, source=source)
