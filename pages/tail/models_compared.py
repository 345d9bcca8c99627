"""Every model that has answered an image set, as points of tail against overall accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.charts import ModelPoint
from core.errors import TailscopeError
from core.runtime.jobs import engine
from core.stats import intervals as stats
from core.types import Answer, ImageSet, Interval, Lens
from pages.ui import answers, lensbar
from pages.ui.links import to_data
from pages.ui.text import plain, toast


def points(lens: Lens, image_set: ImageSet) -> tuple[list[ModelPoint], list[Lens]]:
    """A point for every model on disk whose answer is there, and the lenses of those that have not answered yet."""
    found, missing = [], []
    for info in lensbar.known_models():
        if not (info.available or info.id == lens.model):
            continue
        other = replace(lens, model=info.id)
        answer = answers.known_answer(other)
        if answer is None:
            missing.append(other)
            continue
        overall, tail = _accuracies(answer, lensbar.parts(image_set, info.id))
        found.append(ModelPoint(info.id, overall, tail, info.id.partition(",")[0], chosen=info.id == lens.model))
    return found, missing


def _accuracies(answer: Answer, parts: Mapping[str, str]) -> tuple[Interval, Interval]:
    """Mean per-class accuracy of all concepts and of the tail."""
    judged = [score for score in answer.classes if score.n]
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
    percent = st.column_config.NumberColumn(format="%.0f %%", width="small")
    event = st.dataframe(
        frame,
        key="tail-models",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True),
            "Overall": percent,
            "Tail": percent,
            "Gap": st.column_config.NumberColumn(format="%.0f", width="small", help="Percentage points"),
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
