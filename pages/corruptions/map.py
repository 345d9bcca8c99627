"""A sample of the set under every corruption: the map of conditions of each model."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from cache import keys
from core.charts.corruptions import condition_map
from core.robustness.committed import committed
from core.robustness.corruptions import findings
from core.robustness.corruptions.registry import CORRUPTIONS, IN_MEMORY, words
from core.robustness.records import Record
from core.supervised.names import known_as
from core.types import ImageSet, Lens
from pages.corruptions import broken, sample, shared
from pages.ui import points, tables
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import quiet, section


def heat_map(lens: Lens, image_set: ImageSet, other: Lens | None) -> None:
    """Accuracy, loss or relative error of each condition; a square shows the images it breaks."""
    found = sample.measured(lens, image_set, other)
    if not found:
        return
    measure = switch(
        "Show", "measure", findings.MEASURES,
        help="points lost: clean accuracy minus accuracy here. error against the reference: error over the reference "
        "model's on the same pictures; averaged over severities and corruptions that is mCE.",
    )  # fmt: skip
    chosen = _chosen(found)
    left, right = st.columns([3, 2] if other is None else [1, 1], gap="large")
    columns = [left] if len(found) == 1 else [left, right]
    for column, (model, records) in zip(columns, found.items(), strict=True):
        with column:
            _one_map(model, records, image_set, measure, chosen)
    with right if len(found) == 1 else st.container():
        broken.broken_pictures(lens, image_set, next(iter(found.values())), chosen)


def _chosen(found: Mapping[str, list[Record]]) -> tuple[str, int]:
    """The condition in question: clicked, linked, or the first."""
    names = [name for name in CORRUPTIONS if any((name, 1) in findings.cells(records) for records in found.values())]
    for key in ("corruption", "severity"):
        if picked := st.session_state.pop(f"_{key}", None):
            st.session_state[key] = picked
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Corruption", names, key="corruption", bind="query-params", format_func=words, width=240)
        severity = switch("Severity", "severity", [1, 2, 3, 4, 5], default=3)
    return name or names[0], int(severity or 3)


def _one_map(model: str, records: list[Record], image_set: ImageSet, measure: str, chosen: tuple[str, int]) -> None:
    cells, before, whole = findings.cells(records), findings.clean(records), findings.total(records)
    reference = {}
    if whole is not None and whole.reference:
        theirs = [one for one in committed(image_set.id, findings.TABLE) if one.model == whole.reference]
        reference = findings.cells(theirs)
    values = {place: findings.value(one, measure, before=before, reference=reference) for place, one in cells.items()}
    section(known_as(model), findings.worst(records, before) or "")
    if all(value != value for value in values.values()):
        quiet("The reference's errors under each condition are not known here; the download holds each CE.")
    rows = [(name, words(name)) for name in CORRUPTIONS if any(place[0] == name for place in values)]
    figure = condition_map(
        values, rows=rows, title=f"{measure}, %", good=measure == findings.MEASURES[0],
        ratio=measure == findings.MEASURES[2], chosen=chosen,
    )  # fmt: skip
    key = f"map-{keys.digest(model)[:8]}"
    plot(
        figure,
        key=key,
        alt=f"{measure} of {known_as(model)} under each corruption and severity",
        on_select=lambda: _clicked(key),
    )
    places = list(values)
    tables.plotted(
        {
            "Corruption": [words(name) for name, _ in places], "Severity": [severity for _, severity in places],
            measure.capitalize(): [float(values[place]) for place in places],
        },
        lambda row: _look(*places[row]), key=f"{key}-table", of="conditions",
        shares=(measure.capitalize(),),
    )  # fmt: skip
    source = f"{known_as(model)} · {image_set.id} · n = {records[0].n:,} · {IN_MEMORY}"
    title = findings.headline(records) or source
    downloads(f"corruptions-{key}", *shared.record_rows(records), figure=figure, title=title, source=source)


def _clicked(key: str) -> None:
    for corruption, severity in points.clicked(key, length=2)[:1]:
        _look(corruption, int(severity))


def _look(corruption: str, severity: int) -> None:
    # The boxes of these keys stand above the figure: they take the values over on the next run.
    st.session_state["_corruption"], st.session_state["_severity"] = corruption, severity
