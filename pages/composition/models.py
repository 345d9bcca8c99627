"""Views that ask for more: other models, and few-shot probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.charts import composition_models as charts
from core.composition import few_shot as curves
from core.composition import measure, probe, records, scores
from core.composition.answers import ask as ask_compositions
from core.composition.few_shot import FewShotPoint
from core.composition.generalisation import ModelResult, generalisation, headline
from core.composition.probe import ProbePoint, as_json
from core.composition.rivals import object_records
from core.models.names import model_name
from core.robustness.committed import table
from core.stats.intervals import wilson
from core.supervised import names as supervised
from core.supervised.names import known_as
from core.types import ImageSet, Interval, Lens, Report
from pages.ui import choice, lensbar, served
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import expected, finished, here, need, question
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

RIGHT = ("composition", "object")
GROUPS = ("all", "head", "torso", "tail", "other set", "seen", "never seen")


def models(asked: measure.Question, measured: measure.Measured) -> None:
    """Composition accuracy against accuracy in distribution over models, with the line through them."""
    icons = asked.images.drawn
    offered = [info.id for info in lensbar.known_models() if info.available]
    start = [info for info in offered if info.startswith("icon-")] if icons else [asked.lens.model]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = switch(
            "Accuracy of", "accuracy-of", RIGHT,
            help="object: the attribute is ignored, so supervised classifiers can stand beside CLIP models.",
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
    return here(computed, small=True, failing=f"{name} is skipped: ")


def _compute(asked: measure.Question, lens: Lens, known: ImageSet, what: str, *, report: Report) -> ModelResult:
    if supervised.is_supervised(lens.model):
        (row,) = object_records(lens.model, asked.images, known_set=known, report=report)
        return ModelResult(lens.model, records.interval_of(row.more["known"]), Interval(row.acc1, row.low, row.high))
    share = records.interval_of(records.known(replace(lens, image_set=known.id), known, report))
    right = scores.right(ask_compositions(lens, asked.images, report=report), what)
    return ModelResult(lens.model, share, wilson(int(right.sum()), len(right)))


def probes(asked: measure.Question) -> None:
    """Accuracy of few-shot probes against images a class, by part of the distribution and kind of pair."""
    run = question(measure.probes, asked, label=f"Few-shot probes on the vectors of {asked.lens.image_set}")
    if not _wanted("Train object probes", "probe-run", [run.key], help="Three draws on the vectors of this set, which "
                   "are computed first where they are missing."):  # fmt: skip
        return
    found: list[ProbePoint] = need(run)
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


def few_shot(asked: measure.Question) -> None:
    """Few-shot curves over compositions, of zero-shot and supervised models, tested on pairs not trained on."""
    section(
        "Over compositions",
        "A few images of every object train; other compositions of the same objects and attributes test.",
    )
    offered = [info.id for info in lensbar.known_models() if info.available]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = choice.several(
            "Models", "shot-models", list(dict.fromkeys([asked.lens.model, *offered, *supervised.shipped()])),
            served.classifier, default=[asked.lens.model], most=4,
            help="Zero-shot models and supervised classifiers; of the latter, logits are the vectors.",
        )  # fmt: skip
        group = switch(
            "Tested on", "shot-group", curves.GROUPS if asked.partner else curves.GROUPS[:2], default=curves.GROUPS[0],
            help="held out: compositions of the same set outside the half that trains. trained: other images of "
            "compositions that do. other set: for icons the pairs that no pretraining shows.",
        )  # fmt: skip
        what = switch("Accuracy of", "shot-what", curves.WHAT)
    run = {
        model: question(
            _few_shot, asked, replace(asked.lens, model=model), label=f"Few-shot compositions of {known_as(model)}"
        )
        for model in dict.fromkeys(chosen.values())
    }
    wanted = _wanted(
        f"Train on {', '.join(map(str, curves.SHOTS))} images of every object", "few-shot-run",
        [one.key for one in run.values()], help="Three draws of each, on cached vectors: some minutes.",
    )  # fmt: skip
    left = [model for model, one in run.items() if finished(one) is None]
    timing = question(curves.estimate, asked, left, label="Estimating the time of these curves")
    if left and not expected(timing):
        return
    found: dict[str, Sequence[FewShotPoint]] = {}
    for model, one in run.items():
        if one.key in wanted and (points := here(one, small=True, failing=f"{known_as(model)} is skipped: ")):
            found[known_as(model)] = points
    if not found:
        return
    told = curves.headline(found, group)
    finding_of(told)
    figure = charts.few_shot_figure(found, group, what)
    plot(figure, key="few-shot-compositions", alt=told)
    quiet(
        "Two probes: logistic regressions of attribute and of object, the composition with the largest sum of log "
        "probabilities. Mixed: a linear head over all compositions that starts at their texts, mixed with them. Zero "
        "images: zero-shot. Supervised models have no texts and so no zero-shot and no mixed head. Intervals draw "
        "objects; three seeds."
    )
    records = [row for model in run for row in _few_shot_rows(asked, model, found.get(known_as(model), ()))]
    source = f"{asked.lens.image_set} · {len(found)} models · prompts {asked.lens.prompts}"
    header = ["model", "head", "k", "group", "what", "n", "acc1", "low", "high", "low_seed", "high_seed", "pictures"]
    downloads("few-shot-compositions", header, records, figure=figure, title=told, source=source)


def _wanted(label: str, key: str, runs: Sequence[str], *, help: str) -> set[str]:
    """Which of these questions a person has started; a button starts those that are missing."""
    wanted: set[str] = st.session_state.setdefault("_few_shot", set())
    missing = [run for run in runs if run not in wanted]
    if missing:
        st.button(label, key=key, type="primary", on_click=wanted.update, args=(missing,), help=help)
    return wanted.intersection(runs)


def _few_shot(asked: measure.Question, lens: Lens, *, report: Report) -> list[FewShotPoint]:
    return curves.points_of(asked, lens.model, report=report)


def _few_shot_rows(asked: measure.Question, model: str, points: Sequence[FewShotPoint]) -> list[list[object]]:
    return [
        [row.model, *(row.more[name] for name in ("head", "k", "group", "what")), row.n, row.acc1, row.low, row.high,
         *(row.more[name] for name in ("low_seed", "high_seed", "pictures"))]
        for row in curves.as_records(points, asked, model)
    ]  # fmt: skip
