"""The parts of the page of published curves: pooled, by data set, and how the paper's correlation moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.charts import published, published_parts
from core.errors import BadInput
from core.published import findings, scale, thresholds
from core.published.anomalies import FLAGS
from core.published.manifest import CITATION
from core.published.names import METHODS, ZERO_SHOT
from core.published.recipe_paper import SIGNIFICANT
from core.published.sensitivity import sensitivity
from core.published.sentences import finding, unit
from core.published.view import Shown, View, set_name
from pages.published.choices import one_of
from pages.ui import points, tables
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import need, question
from pages.ui.switches import switch
from pages.ui.text import quiet, section

TINTS = ("one colour", "data set", "flag")
ACROSS = 3
SLOPE = "Slope per tenfold ({})"
SHORT = {
    "Pearson, bin means": "r, bin means", "Pearson, raw rows": "r, rows", "Spearman, raw rows": "ρ, rows",
    "Pearson, counted": "r, counted", "r within data sets": "r within sets", "AUC, zero or not": "AUC",
}  # fmt: skip
"""Heads of the columns that would not fit in full; the full ones are what their help says and what is downloaded."""


def pooled(shown: Sequence[Shown]) -> None:
    """Both recipes side by side, with what differs in words and in figures."""
    section("Two recipes, the same rows", findings.recipes(shown))
    left, right = st.columns([3, 2], gap="medium")
    groups, about = None, st.session_state.get("about") or ""
    with left:
        section(
            "Per concept",
            "Every concept, all bins at their mean count with 95 % intervals over concepts, zeros in a lane.",
        )
        if len(shown) == 1:
            tint = switch("Colour", "tint", TINTS, bare=True)
            groups = _groups(shown[0], tint)
        figure = published.honest_figure(shown, groups=groups, about=about, height=480 if groups is None else 500)
        plot(
            figure,
            key="published-cloud",
            alt=findings.curves(shown),
            on_select=lambda: _picked("published-cloud", shown),
        )
        names = [str(name) for one in shown for name in one.rows.concepts]
        tables.plotted(
            {
                "Concept": names,
                "Curve": [published.label(one, shown) for one in shown for _ in one.rows.concepts],
                "Counted": [int(count) for one in shown for count in one.rows.counts],
                "Score": [float(value) for one in shown for value in one.rows.values],
            },
            lambda row: st.session_state.update(about=names[row]), key="published-points", of="points",
        )  # fmt: skip
        downloads(
            "published-honest", *concept_rows(shown), figure=figure, title=findings.curves(shown), source=CITATION
        )
    with right:
        section(
            "As in the paper",
            "Bin means at their upper edges, zeros set to one, ends cut as in the figures (hollow: cut). Marks as "
            "beside it.",
        )
        figure = published.paper_figure(shown, height=480)
        plot(figure, key="published-paper", alt=finding(shown[0].paper))
        downloads("published-paper", *bin_rows(shown), figure=figure, title=finding(shown[0].paper), source=CITATION)


def _groups(one: Shown, tint: str) -> list[str] | None:
    if tint == "data set":
        return one.rows.datasets.tolist()
    return [flags[-1] if flags else "" for flags in one.flags] if tint == "flag" else None


def _picked(chart: str, shown: Sequence[Shown]) -> None:
    """A click on a concept's point makes it the concept looked at."""
    concept_of = {int(u): str(c) for one in shown for u, c in zip(one.rows.units, one.rows.concepts, strict=True)}
    for place, _ in points.clicked(chart, length=2):
        if place in concept_of:
            st.session_state["about"] = concept_of[place]


def table(shown: Sequence[Shown]) -> None:
    """One row a curve: the paper's correlation beside the honest figures."""
    rows = [_figures(one, published.label(one, shown)) for one in shown]
    numbers = {
        name: st.column_config.NumberColumn(SHORT.get(name), format="%.2f", help=name)
        for name in rows[0]
        if name not in ("Curve", "Rows", "Zero counts")
    }
    numbers |= {name: st.column_config.NumberColumn(format="localized") for name in ("Rows", "Zero counts")}
    word, _, digits = unit(shown[0].honest)
    for name, label in ((SLOPE.format(word), "Slope per tenfold"), ("low", "Low"), ("high", "High")):
        numbers[name] = st.column_config.NumberColumn(label, format=f"%.{digits}f", help=f"{word}, 95 % interval")
    numbers["p"] = st.column_config.NumberColumn(format="%.2g", help="Of Pearson over bin means")
    numbers["Curve"] = st.column_config.TextColumn()
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, column_config=numbers, alt="Figures of every curve in both recipes"
    )
    downloads("published-figures", list(rows[0]), [list(row.values()) for row in rows])


def _figures(one: Shown, name: str) -> dict[str, Any]:
    word, factor, _ = unit(one.honest)
    slope, zero = one.honest["slope_per_decade"], one.honest["zero_vs_nonzero"]["auc"]
    return {
        "Curve": name,
        "Pearson, bin means": one.paper["r"],
        "p": one.paper["p"],
        "Pearson, raw rows": one.honest["raw"]["pearson"]["value"],
        "Spearman, raw rows": one.honest["raw"]["spearman"]["value"],
        "Pearson, counted": one.honest["nonzero"]["pearson"]["value"],
        "r within data sets": one.honest["partial_r"]["value"],
        SLOPE.format(word): slope["value"] * factor,
        "low": slope["low"] * factor,
        "high": slope["high"] * factor,
        "AUC, zero or not": zero["value"],
        "Rows": one.honest["n_rows"],
        "Zero counts": one.honest["n_zero"],
    }


def by_dataset(by_set: Mapping[str, Sequence[Shown]], shown: Sequence[Shown]) -> None:
    """Slopes within data sets, then a small multiple for each."""
    figure = published_parts.sets_figure(by_set, shown)
    plot(figure, key="published-sets", alt="Slope per tenfold frequency within each data set")
    rows = [
        {"data set": name} | _figures(one, published.label(one, shown))
        for name, parts in by_set.items()
        for one in parts
    ]
    title = "Slope per tenfold frequency within each data set"
    table_rows = [list(row.values()) for row in rows]
    downloads("published-sets", list(rows[0]), table_rows, figure=figure, title=title, source=CITATION)
    names = list(by_set)
    for start in range(0, len(names), ACROSS):
        for column, name in zip(st.columns(ACROSS, gap="medium"), names[start : start + ACROSS], strict=False):
            with column:
                figure = published_parts.panel(name, by_set[name], shown)
                plot(figure, key=f"panel-{name}", alt=finding(by_set[name][0].honest), toolbar=False)


def size(asked: View) -> None:
    """Is the slope smaller for larger models? Every model whose pretraining set was counted, for the chosen counts."""
    if asked.family != ZERO_SHOT:
        quiet("Sizes are known for the classification models; choose zero-shot classification.")
        return
    found, absent = need(
        question(
            scale.slopes,
            method=asked.method,
            prompts=asked.condition,
            label="Slopes of every published model",
            lane="io",
        )
    )
    try:
        told = scale.effect(found).sentence
    except BadInput as error:
        told = str(error)
    section("Slope against model size", told)
    figure = published_parts.size_figure(found)
    plot(figure, key="slope-size", alt=told)
    quiet(
        "Lines join models of one pretraining set; sets differ in data and cannot be compared by height alone. The "
        "change is a least-squares slope within sets. A ResNet and a ViT differ in more than size."
        + "".join(f" Not drawn: {item.item}. {item.reason}" for item in absent)
    )
    header = ["model", "pretraining", "parameters_millions", "slope", "low", "high", "n"]
    rows = [
        [one.model, one.pretraining, one.parameters, one.slope.value, one.slope.low, one.slope.high, one.n]
        for one in found
    ]
    downloads("published-slopes", header, rows, figure=figure, title=told, source=CITATION)


def by_threshold(asked: View) -> None:
    """How counts and the curve of one model move with the RAM++ threshold and with the way of counting."""
    if asked.family != ZERO_SHOT:
        quiet("Thresholds were varied for the classification sets; choose zero-shot classification.")
        return
    named = {f"{model} · {set_name(pretraining)}": (model, pretraining) for model, pretraining in asked.models}
    chosen = one_of("Model", "threshold-model", list(named), width=260) if len(named) > 1 else next(iter(named))
    found, absent = need(
        question(
            thresholds.thresholds,
            (named[chosen],),
            prompts=asked.condition,
            datasets=asked.datasets,
            label=f"Every way of counting for {chosen}",
            lane="io",
        )
    )
    if absent:
        names = ", ".join(item.item.partition(", ")[2] for item in absent)
        quiet(f"Not in the release, or incomplete, for these data sets: {names}.")
    if not found:
        return
    told = thresholds.finding(found)
    section("Thresholds and ways of counting", told)
    panels = list(published_parts.THRESHOLD_PANELS)
    for column, panel in zip(st.columns(len(panels), gap="medium"), panels, strict=True):
        with column:
            plot(published_parts.threshold_figure(found, panel), key=f"threshold-{panel}", alt=told, toolbar=False)
    figure = published_parts.counting_figure(found)
    title = f"{chosen}: accuracy against the count, by way of counting"
    plot(figure, key="threshold-curves", alt=title)
    rows = [
        {
            "Counted by": METHODS[one.method],
            "Rows": one.n,
            "Never counted": one.zeros,
            "Median count": one.median,
            "Over the headline count": one.ratio,
            "Agreement with the headline": one.agreement,
            "Slope": one.slope.value,
            "low": one.slope.low,
            "high": one.slope.high,
            "Spearman, counted": one.spearman.value,
            "Paper's r": one.r,
            "p": one.p,
        }
        for one in found
    ]
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in rows[0] if name != "Counted by"}
    numbers |= {
        name: st.column_config.NumberColumn(format="localized") for name in ("Rows", "Never counted", "Median count")
    }
    numbers |= {"p": st.column_config.NumberColumn(format="%.1e")}
    st.dataframe(pd.DataFrame(rows), hide_index=True, column_config=numbers, alt=title)
    quiet(
        f"Headline: {METHODS[thresholds.HEADLINE_METHOD]}. Over the headline count: median ratio over rows that both "
        "count at least once; agreement: Spearman's ρ over all rows of both. Each way is drawn over the data sets that "
        "the figures pool for it (counts of captions lack ImageNet-Sketch) unless data sets are chosen above."
    )
    header = list(rows[0])
    downloads(
        "published-thresholds", header, [list(row.values()) for row in rows], figure=figure, title=told, source=CITATION
    )


def choices_matter(shown: Sequence[Shown]) -> None:
    """How the paper's correlation over bin means moves with the number of bins and with the ends that are cut."""
    found = [sensitivity(one.rows, one.combination) for one in shown]
    values = [item["r"] for item in found[0]["bins"] if item["r"] == item["r"]]
    weak = sum(item["p"] >= SIGNIFICANT for item in found[0]["bins"])
    section(
        "How the paper's correlation moves with its choices",
        f"{published.label(shown[0], shown)}: Pearson's correlation over bin means goes from "
        f"{min(values, default=0):.2f} to {max(values, default=0):.2f} for "
        f"{found[0]['bins'][0]['edges']} to {found[0]['bins'][-1]['edges']} bin edges, "
        f"{weak or 'none'} of them not significant (open marks).",
    )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = published_parts.edges_figure(shown, found)
        plot(figure, key="edges", alt="The paper's correlation over the number of bin edges")
        rows = [
            [published.label(o, shown), i["edges"], i["r"], i["p"]]
            for o, f in zip(shown, found, strict=True)
            for i in f["bins"]
        ]
        title = "The paper's correlation over the number of bin edges"
        downloads("published-edges", ["curve", "edges", "r", "p"], rows, figure=figure, title=title, source=CITATION)
    with right:
        labels = [published.label(one, shown) for one in shown]
        at = labels.index(one_of("Curve", "cut", labels, label_visibility="collapsed")) if len(shown) > 1 else 0
        figure = published_parts.cuts_figure(found[at])
        plot(figure, key="cuts", alt="The paper's correlation over the bins cut at both ends")
        header = ["low", "high", "n_points", "r", "p"]
        downloads(
            "published-cuts", header, [[item[key] for key in header] for item in found[at]["cuts"]], figure=figure,
            title=f"{labels[at]}: the paper's correlation over the bins cut at both ends", source=CITATION,
        )  # fmt: skip


def concept_rows(shown: Sequence[Shown]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of every concept drawn."""
    header = ["model", "pretraining", "data set", "concept", "count", "value", "flags"]
    return header, [
        [
            one.combination.model,
            one.combination.pretraining,
            dataset,
            concept,
            int(count),
            float(value),
            "; ".join(flags),
        ]
        for one in shown
        for dataset, concept, count, value, flags in zip(
            one.rows.datasets, one.rows.concepts, one.rows.counts, one.rows.values, one.flags, strict=True
        )
    ]


def bin_rows(shown: Sequence[Shown]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the paper's bins."""
    header = ["model", "pretraining", "bin", "upper edge", "mean", "n", "kept"]
    rows = []
    for one in shown:
        start, stop = one.paper["kept"]
        bins = zip(one.paper["edges"], one.paper["bin_mean"], one.paper["bin_n"], strict=True)
        rows += [
            [one.combination.model, one.combination.pretraining, i, edge, mean, n, start <= i < stop]
            for i, (edge, mean, n) in enumerate(bins)
        ]
    return header, rows


def flags_told(shown: Sequence[Shown]) -> str:
    """How many concepts carry which flag."""
    one = shown[0]
    told = [f"{flag} {n:,}" for flag in FLAGS if (n := sum(flag in found for found in one.flags))]
    return f"Count-quality flags of {published.label(one, shown)}: {', '.join(told) or 'none'}."
