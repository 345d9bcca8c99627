"""Every model that has answered an image set, as points of tail against overall accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.charts import ModelPoint
from core.errors import NotHere, TailscopeError
from core.frequency.choice import choose
from core.frequency.sources import load_source
from core.frequency.table import split
from core.published.answers import published_answer
from core.published.models import published_models
from core.runtime.jobs import engine
from core.stats import intervals as stats
from core.types import Answer, ClassAnswer, Interval, Lens
from pages.ui import answers, lensbar
from pages.ui.jobs import recall
from pages.ui.links import to_data
from pages.ui.text import plain, toast


def points(lens: Lens, answer: Answer | ClassAnswer) -> tuple[list[ModelPoint], list[Lens]]:
    """A point for every model whose answer to this set is there, and the lenses of those on disk without one.

    Beside a published answer stand the other published models on the same set.
    """
    if isinstance(answer, ClassAnswer):
        return recall(_published_points, answer.lens.model, answer.lens.image_set, answer.lens.prompts), []
    found, missing = [], []
    for info in lensbar.known_models():
        if not (info.available or info.id == lens.model):
            continue
        other = replace(lens, model=info.id)
        known = answers.known_answer(other)
        if known is None:
            missing.append(other)
            continue
        overall, tail = _accuracies(known, lensbar.parts(answer, info.id))
        found.append(ModelPoint(info.id, overall, tail, info.id.partition(",")[0], chosen=info.id == lens.model))
    return found, missing


def _published_points(chosen: str, image_set: str, prompts: str) -> list[ModelPoint]:
    """Every published model on this set whose own pretraining set was counted."""
    found = []
    for model in published_models():
        try:
            answer = published_answer(model.id, image_set, prompts)
        except NotHere:
            continue
        source = choose(model.id, answer.keys, answer.names).source
        if not source:
            continue
        parts = split(load_source(source), answer.keys, answer.names)
        overall, tail = _accuracies(answer, parts)
        if not math.isnan(tail.value):
            group = model.id.partition(",")[0]
            found.append(ModelPoint(model.id, overall, tail, group, chosen=model.id == chosen))
    return found


def _accuracies(answer: Answer | ClassAnswer, parts: Mapping[str, str]) -> tuple[Interval, Interval]:
    """Mean per-class accuracy of all concepts and of the tail."""
    judged = [score for score in answer.classes if not math.isnan(score.accuracy)]
    every = np.array([score.accuracy for score in judged])
    rare = np.array([parts.get(score.key) == "tail" for score in judged])
    return stats.mean(every), stats.mean(every[rare])


def rows(points: Sequence[ModelPoint]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the comparison for download."""
    header = ["model", "overall", "overall_low", "overall_high", "tail", "tail_low", "tail_high"]
    return header, [
        [p.label, p.overall.value, p.overall.low, p.overall.high, p.tail.value, p.tail.low, p.tail.high] for p in points
    ]


def table(points: Sequence[ModelPoint]) -> None:
    """The same figures in words; a chosen row offers its model to the whole dashboard."""
    shown = sorted(points, key=lambda point: -point.overall.value)
    frame = pd.DataFrame(
        {
            "Model": [point.label for point in shown],
            "Overall": [100 * point.overall.value for point in shown],
            "Tail": [100 * point.tail.value for point in shown],
            "Gap": [100 * (point.overall.value - point.tail.value) for point in shown],
        }
    )
    percent = st.column_config.NumberColumn(format="%.0f %%", width=62)
    event = st.dataframe(
        frame,
        key="tail-models",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "Model": st.column_config.TextColumn(width=165),
            "Overall": percent,
            "Tail": percent,
            "Gap": st.column_config.NumberColumn(format="%.0f", width=44, help="Percentage points"),
        },
        alt="Models with overall and tail accuracy",
    )
    rows = event.selection.rows
    if rows and rows[0] < len(shown) and shown[rows[0]].label != lensbar.lens().model:
        id = shown[rows[0]].label
        st.button(f"Use {plain(id)} on every page", key="tail-use", on_click=lensbar.use_model, args=(id,))


def run_missing(missing: Sequence[Lens]) -> None:
    """A button that has the models on disk answer which have not yet; they run one after another."""
    if not missing:
        return
    names = "1 more model" if len(missing) == 1 else f"{len(missing)} more models"
    st.button(f"Run {names} on this disk", on_click=_start, args=(list(missing),))
    if any(job.state in ("queued", "running") for job in engine().jobs()):
        to_data("See the running jobs", "jobs")


def _start(missing: Sequence[Lens]) -> None:
    for lens in missing:
        try:
            answers.request(lens)
        except TailscopeError as error:
            toast(error)
