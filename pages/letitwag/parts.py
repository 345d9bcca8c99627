"""The parts of the Let It Wag! page: leaderboard, the concept looked at, the matrix of all models and concepts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.charts import letitwag as charts
from core.published import findings, letitwag
from core.published.letitwag import Concept, Matrix, Model
from core.published.manifest import CITATION
from core.published.view import set_name
from pages.published import concept as concept_view
from pages.published.choices import any_of, one_of
from pages.ui.downloads import downloads, plot
from pages.ui.points import custom
from pages.ui.switches import switch
from pages.ui.text import quiet, section

ORDERS = {"gain": "gain with scale", "accuracy": "mean accuracy", "family": "family", "likeness": "likeness"}
RANGE = ("Worst", "Mean", "Best")
MODEL_ORDERS = ("accuracy", "parameters", "training data")


def model_rows(models: Sequence[Model]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the leaderboard as they are downloaded; accuracies are percent."""
    header = ["model", "pretraining", "family", "parameters_millions", "imagenet", "imagenet_source", "letitwag", "gap",
              "concepts_at_zero", "concepts_below_ten", "note"]  # fmt: skip
    return header, [
        [m.model, m.pretraining, m.family, m.parameters, m.imagenet, m.imagenet_source, m.letitwag,
         m.imagenet - m.letitwag, m.at_zero, m.below_ten, m.note]
        for m in models
    ]  # fmt: skip


def leaderboard(models: Sequence[Model]) -> list[str]:
    """The models in a table and as a choice; returns the names of the marked ones."""
    names = [model.name for model in models]
    marked = any_of(
        "Mark", "mark", names, placeholder="Models to find in the plot", label_visibility="collapsed", wrap=True
    )
    frame = pd.DataFrame(
        {
            "Model": names,
            "Tail": [model.letitwag for model in models],
            "ImageNet": [
                f"{model.imagenet:.1f}{' †' if model.imagenet_source == 'open_clip' else ''}" for model in models
            ],
            "Gap": [model.imagenet - model.letitwag for model in models],
            "Under 10 %": [model.below_ten for model in models],
        }
    )
    st.dataframe(
        frame,
        key="leaderboard",
        height=440,
        hide_index=True,
        selection_mode="multi-row",
        on_select=lambda: _mark([names[row] for row in st.session_state["leaderboard"].selection.rows]),
        column_config={
            "Model": st.column_config.TextColumn(width=136),
            "Tail": st.column_config.NumberColumn("Let It Wag!", width=72, format="%.1f"),
            "ImageNet": st.column_config.TextColumn(width=66),
            "Gap": st.column_config.NumberColumn(width=46, format="%.1f", help="ImageNet less Let It Wag!, in points"),
            "Under 10 %": st.column_config.NumberColumn(
                width=72, help="Concepts of the 290 that are recognised less than 10 % of the time"
            ),
        },
        alt="Forty models on Let It Wag! and ImageNet",
    )
    return marked


def _mark(names: Sequence[str]) -> None:
    if names:
        st.session_state["mark"] = list(names)


def picked_model(chart: str) -> None:
    """A click on a model's point marks it."""
    known = {model.name for model in letitwag.models()}
    names = [custom(point)[:1] for point in st.session_state[chart].selection.points]
    _mark([str(name) for name, *_ in filter(None, names) if name in known])


def choose_concept(concepts: Sequence[Concept]) -> Concept:
    """The concept looked at; the hardest one at first."""
    hardest = min(range(len(concepts)), key=lambda index: concepts[index].mean_accuracy)
    return st.selectbox(
        "Concept",
        concepts,
        index=hardest,
        key="rare",
        bind="query-params",
        format_func=lambda item: item.name,
        width=360,
    )


def frequencies(concepts: Sequence[Concept]) -> None:
    """How rare the concepts are in one pretraining set, by one way of counting."""
    offered = sorted(
        letitwag.COLUMNS, key=lambda name: name != "laion400m/image"
    )  # the set that most of the models saw
    column = one_of("Counted in", "counted-in", offered, show=counted_in, width=360)
    counts = [one.counts[column] for one in concepts]
    never, median = sum(not count for count in counts), float(np.median(counts))
    told = f"{never} of {len(counts)} concepts were never counted; the median count is {median:,.0f}."
    section("How rare the concepts are", told)
    figure = charts.histogram(concepts, column)
    plot(figure, key="wag-histogram", alt=told)
    rows = [[one.key, one.counts[column]] for one in concepts]
    downloads("letitwag-frequencies", ["concept", "count"], rows, figure=figure, title=told, source=CITATION)


def counted_in(column: str) -> str:
    """A column of counts of Let It Wag! in words: pretraining set and kind of count."""
    pretraining, _, kind = column.partition("/")
    return f"{set_name(pretraining)}, {kind}"


def kin(item: Concept) -> None:
    """The hardest others of its family; a click goes there."""
    found = findings.kin(item)
    if not found:
        quiet(f"It is the only {item.family} of the 290.")
        return
    section(f"Hardest of the {item.family} family")
    frame = pd.DataFrame(
        {
            "Concept": [other.name for other in found],
            "LAION-400M": [other.counts["laion400m/image"] for other in found],
            "Accuracy": [other.mean_accuracy for other in found],
        }
    )
    st.dataframe(
        frame, key="kin", hide_index=True, selection_mode="single-row", on_select=lambda: _go("kin", found),
        column_config={
            "LAION-400M": st.column_config.NumberColumn(format="localized", help="Image count (RAM++ 0.7)"),
            "Accuracy": _bar("Mean over 40 models"),
        },
        alt=f"Hardest concepts of the {item.family} family",
    )  # fmt: skip


def _bar(about: str) -> Any:
    return st.column_config.ProgressColumn(help=about, min_value=0, max_value=100, format="%.0f %%")


def _go(table: str, listed: Sequence[Concept]) -> None:
    rows = st.session_state[table].selection.rows
    if rows and rows[0] < len(listed):
        st.session_state["rare"] = listed[rows[0]]


def links(item: Concept) -> None:
    """To its pictures, where the lens's image set has it."""
    concept_view.links(item.key)


def matrix(found: Matrix, fate: findings.Fate, item: Concept) -> None:
    """All models on all concepts as colour, then the concepts as a table to sort."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = switch("Concepts by", "letitwag-by", ORDERS, default="gain")
        models_by = switch("Models by", "models-by", MODEL_ORDERS)
    columns = findings.order_of(found, by)
    rows = _model_order(found, models_by)
    figure = charts.matrix_figure(found, rows, columns, chosen=found.concepts.index(item))
    plot(figure, key="wag-matrix", alt=fate.sentence(found.concepts))
    header = ["concept", *(found.models[row].name for row in rows)]
    table = [[found.concepts[c].key, *found.accuracy[rows, c].tolist()] for c in columns]
    downloads("letitwag-matrix", header, table, figure=figure, title=fate.sentence(found.concepts), source=CITATION)
    quiet(
        f"Orange: 0 % correct; blue: 100 %; pale: half. Gain: points per tenfold parameters over {fate.models} "
        "models, each compared only with models of its own training set, so that better data does not pass for scale. "
        "The sets differ in how many sizes they have."
    )
    shown = [found.concepts[index] for index in columns]
    frame = pd.DataFrame(
        {
            "Concept": [concept.name for concept in shown],
            "Family": [concept.family for concept in shown],
            "Gain": fate.gain[columns],
            "Worst": fate.worst[columns],
            "Mean": [concept.mean_accuracy for concept in shown],
            "Best": fate.best[columns],
            "LAION-400M": [concept.counts["laion400m/image"] for concept in shown],
        }
    )
    st.dataframe(
        frame, key="fates", height=380, hide_index=True, selection_mode="single-row",
        on_select=lambda: _go("fates", shown),
        column_config={
            "Concept": st.column_config.TextColumn(),
            "Gain": st.column_config.NumberColumn(format="%+.1f", help="Points per tenfold parameters"),
            **{name: _bar(f"{name} of 40 models") for name in RANGE},
            "LAION-400M": st.column_config.NumberColumn(format="localized", help="Image count (RAM++ 0.7)"),
        },
        alt="Every concept with its gain with scale and its range of accuracies",
    )  # fmt: skip


def _model_order(found: Matrix, by: str) -> list[int]:
    every = range(len(found.models))
    if by == MODEL_ORDERS[1]:
        return sorted(every, key=lambda index: -(found.models[index].parameters or 0))
    if by == MODEL_ORDERS[2]:
        families = [model.family for model in found.models]
        return sorted(every, key=lambda index: (families.index(families[index]), -found.models[index].letitwag))
    return list(every)
