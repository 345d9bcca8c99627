"""What the Frequency page lays over one another, and what a click in its plot means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.curve import Curve
from core.charts import Series
from core.errors import TailscopeError
from core.evaluation import imported
from core.models import registry as models
from core.prompts import strategies
from core.published.models import find_model
from core.stats.format import signed
from core.types import Answer, ClassAnswer, Interval, Lens
from pages.ui import answers, lensbar
from pages.ui.answers import IMPORTED
from pages.ui.jobs import recall
from pages.ui.points import custom
from pages.ui.selection import select
from pages.ui.text import quiet

MOST, PROMPTS = 5, "prompts: "


def interval(found: Interval) -> str:
    """A correlation with its interval in few digits."""
    bounds = f" ({signed(found.low, 2)} to {signed(found.high, 2)})" if np.isfinite(found.low) else ""
    return signed(found.value, 2) + bounds


def choose(lens: Lens) -> list[tuple[str, Lens]]:
    """The widget for further models or prompt strategies: what was chosen, as label and lens."""
    others = [info.id for info in models.icon_models() if info.id != lens.model]
    groups = lensbar.model_groups()
    others += [id for id in (*groups["here"], *groups["published"]) if id not in others]
    prompts = [f"{PROMPTS}{strategy.id}" for strategy in strategies(alone=True) if strategy.id != lens.prompts]
    brought = [f"{IMPORTED}{name}" for name in imported.about(lens.image_set)]
    offered = [id for id in others if id != lens.model] + prompts + brought
    offered += _aliases(offered)
    kept = [value for value in st.session_state.get("overlay", []) if value in offered]
    if "overlay" in st.session_state:
        st.session_state["overlay"] = kept
    wanted = st.multiselect(
        "Compare with",
        offered,
        select_all=False,
        filter_mode="contains",
        key="overlay",
        bind="query-params",
        max_selections=MOST,
        placeholder="Other models, prompt strategies or imported answers",
        help="Each model is drawn against the counts of its own pretraining data where they are known; imported "
        "answers (also those of language models) against the counts of the sidebar.",
        width=420,
        wrap=True,
    )
    return [(value, _other(lens, value)) for value in wanted]


def _aliases(offered: Collection[str]) -> list[str]:
    """What is chosen or linked under another name of a model that is offered, as the sidebar's model may be."""
    found = []
    for text in dict.fromkeys([*st.session_state.get("overlay", ()), *st.query_params.get_all("overlay")]):
        with suppress(TailscopeError):
            scored = find_model(text)
            if text not in offered and {lensbar.canonical_model(text), scored.id if scored else ""} & {*offered}:
                found.append(text)
    return found


def _other(lens: Lens, value: str) -> Lens:
    if value.startswith(PROMPTS):
        return replace(lens, prompts=value.removeprefix(PROMPTS))
    if value.startswith(IMPORTED):
        return lens
    other = lensbar.validated(value, lens.image_set, lens.prompts, lensbar.OWN)
    return other if other.frequency else replace(other, frequency=lens.frequency)


def curves(wanted: Sequence[tuple[str, Lens]]) -> list[Series]:
    """Curves of these lenses as far as they are there; the progress of the others is drawn here."""
    drawn = []
    for label, lens in wanted:
        try:
            drawn.append(_series(lens, label))
        except TailscopeError as error:
            quiet(f"{label} is skipped: {error}")
    return [one for one in drawn if one]


def _series(lens: Lens, label: str) -> Series | None:
    """The curve of a further lens; None while its answer is under way."""
    answer: Answer | ClassAnswer | None
    if label.startswith(IMPORTED):
        answer = imported.load(label.removeprefix(IMPORTED))
    else:
        answer = answers.by_class(lens) if lensbar.why_not_live(lens) else answers.at_once(lens)
    return series(answer, answers.curve_of(answer, lens.frequency), label) if answer else None


def series(answer: Answer | ClassAnswer, curve: Curve, label: str) -> Series:
    """A curve as the figure takes it."""
    return recall(_series_of, answer, curve, label)


def _series_of(answer: Answer | ClassAnswer, curve: Curve, label: str) -> Series:
    index = {key: label for label, key in enumerate(answer.keys)}
    return Series(
        label=label,
        classes=np.array([index[row.key] for row in curve.rows], np.int64),
        names=[row.name for row in curve.rows],
        counts=np.array([row.count for row in curve.rows], np.int64),
        accuracy=np.array([row.accuracy for row in curve.rows]),
        n=np.array([row.n or 0 for row in curve.rows], np.int64),
        bins=curve.bins,
        trend=curve.trend,
        shape=curve.shape,
    )


def counted_in(curves: Iterable[Curve]) -> str:
    """Where the concepts of these curves were counted, for an axis."""
    return ", ".join(dict.fromkeys(curve.counted_in or "pretraining" for curve in curves))


def selected(chart: str, class_keys: Sequence[str]) -> None:
    """Points clicked or lassoed become the selected concepts; an empty selection changes nothing."""
    firsts = [custom(point)[:1] for point in st.session_state[chart].selection.points]
    labels = [int(label) for label, *_ in filter(None, firsts) if isinstance(label, int)]
    keys = [class_keys[label] for label in labels if 0 <= label < len(class_keys)]
    if keys:
        select(keys)


def below_the_line(curve: Curve, class_keys: Sequence[str], *, most: int) -> list[int]:
    """Class indices of the concepts furthest below the fitted line, the broken one where it bends; empty without."""
    if not len(curve.trend.counts):
        return []
    rows = [row for row in curve.rows if row.count > 0]
    counts = np.array([row.count for row in rows], float)
    if curve.shape.bends:
        fitted = curve.shape.fitted(counts)
    else:
        fitted = np.interp(np.log10(counts), np.log10(curve.trend.counts), np.clip(curve.trend.fitted, 0, 1))
    order = np.argsort([row.accuracy for row in rows] - fitted, kind="stable")[:most]
    index = {key: label for label, key in enumerate(class_keys)}
    return [index[rows[at].key] for at in order]


def rows(curve: Curve) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the curve for download."""
    header = ["concept", "name", "count", "accuracy", "low", "high", "n", "part", "family"]
    return header, [[r.key, r.name, r.count, r.accuracy, r.low, r.high, r.n, r.tag, r.family] for r in curve.rows]
