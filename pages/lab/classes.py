"""The lab's views of classes: which gain and lose between two lenses, and all frequency curves in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.analysis.compare import Difference
from core.analysis.curve import Curve
from core.charts import frequency_figure
from core.charts.lab import change_bars, change_scatter
from core.deck import slides as deck_slides
from core.stats.format import points
from core.types import Answer, ImageSet
from pages.frequency import overlay
from pages.lab import lenses
from pages.ui import answers, detail, gallery, lensbar, pins, selection, tables
from pages.ui.downloads import downloads, plot
from pages.ui.text import quiet, section

if TYPE_CHECKING:
    import plotly.graph_objects as go


def changes(a: Answer, b: Answer, looked_at: Difference, image_set: ImageSet) -> None:
    """Sorted bars and the scatter of A against B; a click selects the class and shows its pictures under B."""
    counts, chosen = lensbar.counts(image_set), selection.chosen(image_set)
    found = lenses.changes(a, b)
    index = {key: label for label, key in enumerate(a.keys)}
    better, worse = sum(one.change > 0 for one in found), sum(one.change < 0 for one in found)
    sentence = f"{better:,} classes gain and {worse:,} lose from {looked_at.a} to {looked_at.b}, of {len(found):,}."
    section(sentence, "The change of one class rests on few images: look at its pictures before you believe it.")
    source = deck_slides.source_line(b, a)
    left, right = st.columns([3, 2], gap="large")
    with left:
        scatter = change_scatter(found, index, counts, a=looked_at.a, b=looked_at.b, chosen=chosen)
        _chart(scatter, "changes", a.keys, f"Accuracy of every class: {sentence}")
        bars = change_bars(found, index, chosen=chosen)
        _chart(bars, "change-bars", a.keys, f"Change of every class, sorted: {sentence}")
        tables.plotted(
            {
                "Concept": [one.name for one in found], looked_at.a: [one.before for one in found],
                looked_at.b: [one.after for one in found], "Change": [one.change for one in found],
            },
            lambda row: selection.select([found[row].key]), key="changes-table", of="concepts",
        shares=(looked_at.a, looked_at.b, "Change"),
        )  # fmt: skip
        rows = [[one.key, one.name, counts.get(one.key), one.before, one.after, one.change, one.n] for one in found]
        with st.container(horizontal=True):
            header = ["key", "name", "count", looked_at.a, looked_at.b, "change", "n"]
            downloads("class-changes", header, rows, figure=scatter, title=sentence)
            pins.pin(
                lambda: deck_slides.plot_slide(sentence, scatter, source), key="change-scatter", label="Pin scatter"
            )
            pins.pin(lambda: deck_slides.plot_slide(sentence, bars, source), key="change-bars", label="Pin bars")
    with right:
        shown = chosen or [index[one.key] for one in (*found[:3], *found[:-4:-1]) if one.change]
        section(
            "Selected" if chosen else "Largest losses and gains", f"Pictures with the predictions of {looked_at.b}."
        )
        groups = [
            gallery.group(b, image_set, label, gallery.positions_of(b, label, most=3), counts) for label in shown[:8]
        ]
        gallery.gallery(
            groups,
            image_set,
            key="changed",
            layout="strips",
            empty="Both setups answer every class alike.",
            draw=detail.side_by_side({looked_at.a: a, looked_at.b: b}, image_set),
        )


def _chart(figure: go.Figure, key: str, class_keys: Sequence[str], alt: str) -> None:
    plot(
        figure, key=key, alt=alt, on_select=lambda: overlay.selected(key, class_keys), select=("points", "box", "lasso")
    )


def curves(found: Mapping[str, Answer], image_set: ImageSet) -> None:
    """The frequency curves of all lenses in one figure, and what each slope is."""
    drawn: dict[str, Curve] = {
        label: answers.curve_of(answer, answer.lens.frequency)
        for label, answer in found.items()
        if answer.lens.frequency
    }
    if not drawn:
        quiet("No pretraining counts are known; choose a source under Frequency in the sidebar.")
        return
    series = [overlay.series(found[label], curve, label) for label, curve in drawn.items()]
    lines = [
        f"{label}: {points(curve.slope_per_decade.value, plus=True)} points per tenfold count "
        f"({points(curve.slope_per_decade.low)} to {points(curve.slope_per_decade.high)})"
        for label, curve in drawn.items()
    ]
    where = overlay.counted_in(drawn.values())
    section("Accuracy against frequency", "; ".join(lines) + ".")
    figure = frequency_figure(series, chosen=selection.chosen(image_set), x_title=f"Times counted in {where}")
    keys = next(iter(found.values())).keys
    _chart(figure, "lab-curves", keys, "; ".join(lines))
    source = deck_slides.source_line(*found.values())
    rows = [[label, row.key, row.count, row.accuracy, row.n] for label, curve in drawn.items() for row in curve.rows]
    downloads(
        "lab-curves",
        ["lens", "concept", "count", "accuracy", "n"],
        rows,
        figure=figure,
        title="; ".join(lines),
        source=source,
    )
