"""Views of failures that start from pairs of classes: the list, the matrix, and the difference of two runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.analysis.confusable import Mistaken, mistaken
from core.analysis.failures import Cells, cell_differences, cells, cluster_order, correct_of, exchanged, merged
from core.charts.failures import MOST, confusion_figure
from core.deck import slides as deck_slides
from core.stats.format import percent
from core.types import Answer, ImageSet, Lens
from pages.lab import lenses
from pages.ui import detail, gallery, pins, tables
from pages.ui import points as points_ui
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.text import finding_of, quiet, section

LISTED, EACH = 60, 12


def headline(answer: Answer) -> str:
    """How many mistakes there are, and how concentrated they are in a few pairs."""
    wrong = int((answer.top[:, 0] != answer.labels).sum())
    pairs = mistaken(answer, top=LISTED)
    if not pairs:
        return f"All {len(answer.rows):,} images are classified correctly."
    first, together = pairs[0], sum(pair.a_as_b + pair.b_as_a for pair in pairs[:20])
    return (
        f"The 20 most confused pairs account for {percent(together / wrong)} of the {wrong:,} errors; the worst is "
        f"“{answer.names[first.a]}” / “{answer.names[first.b]}” ({first.a_as_b + first.b_as_a} images)."
    )


def pair_list(answer: Answer, image_set: ImageSet) -> None:
    """Pairs of classes, both directions merged; a row shows its pictures."""
    pairs = mistaken(answer, top=LISTED)
    left, right = st.columns([2, 3], gap="large")
    with left:
        section("Confused pairs", "Both directions added; by share of the two classes' images.")
        chosen = _pair_table(answer, pairs)
    with right:
        if chosen is not None:
            pair_pictures(answer, image_set, pairs[chosen].a, pairs[chosen].b)


def _pair_table(answer: Answer, pairs: Sequence[Mistaken]) -> int | None:
    rows = [[answer.names[one.a], answer.names[one.b], one.a_as_b, one.b_as_a, 100 * one.share] for one in pairs]
    event = st.dataframe(
        pd.DataFrame(rows, columns=["A", "B", "A as B", "B as A", "Share"]),
        key="pairs-table",
        height=520,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "A": st.column_config.TextColumn(width=88),
            "B": st.column_config.TextColumn(width=88),
            "A as B": st.column_config.NumberColumn(width=54),
            "B as A": st.column_config.NumberColumn(width=54),
            "Share": st.column_config.NumberColumn(width=46, format="%.0f %%", help="Of both classes' images"),
        },
        alt="Pairs of classes confused with each other",
    )
    downloads("confusions", ["a", "b", "a_as_b", "b_as_a", "share_percent"], rows)
    return event.selection.rows[0] if pairs and event.selection.rows else 0 if pairs else None


def pair_pictures(answer: Answer, image_set: ImageSet, a: int, b: int, *, other: Answer | None = None) -> None:
    """The pictures of two classes that are taken for the other one; against another run, those that only one has."""
    runs = [(answer, other, "" if other is None else "only in this run")]
    if other is not None:
        runs.append((other, answer, f"only with {other.lens.prompts}"))
    groups, shown = [], []
    for true, said in ((a, b), (b, a)):
        for run, against, note in runs:
            found = exchanged(run, true, said, other=against)
            places = found[:EACH].tolist()
            shown += [(run, place) for place in places]
            if places:
                title = f"{answer.names[true]} predicted as {answer.names[said]}"
                items = [gallery.tile(run, image_set, place) for place in places]
                note = note or (f"the first {len(places)} of {len(found)}" if len(found) > len(places) else "")
                groups.append({"key": answer.keys[true], "title": title, "note": note, "rate": "", "items": items})
    section(f"{answer.names[a]} and {answer.names[b]}", "Most confident mistakes first. Click to enlarge.")
    gallery.gallery(
        groups, image_set, key="pair", layout="strips", empty="No picture is predicted as the other class.",
        draw=detail.of(answer.lens, answer, image_set),
    )  # fmt: skip
    title = f"“{answer.names[a]}” and “{answer.names[b]}” are confused with each other"
    pins.pin(
        lambda: deck_slides.comparison_slide(
            title,
            ("class", "accuracy", "images"),
            [(answer.names[c], percent(answer.classes[c].accuracy), answer.classes[c].n) for c in (a, b)],
            deck_slides.source_line(answer),
            shown=[one for run, place in shown for one in deck_slides.pictures(run, image_set, [place])],
        ),
        key="pair",
        label="Pin this pair",
    )


def matrix(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """The clustered matrix of this run, or its difference from another; a click shows the pair's pictures."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        other = _other(lens)
        merge = st.toggle("Both directions together", key="merge", bind="query-params")
    found = _cells(answer) if other is None else cell_differences(other, answer)
    found = merged(found, answer.labels) if merge else found
    order = _order(answer)
    left, right = st.columns([3, 2], gap="large")
    with left:
        direction = "each other" if merge else "another class"
        told = f"{len(found.true):,} pairs of classes in which images are predicted as {direction}"
        if other is not None:
            more, fewer = int(found.value[found.value > 0].sum()), int(-found.value[found.value < 0].sum())
            told = (
                f"Against {other.lens.prompts} prompts of {other.lens.model}: {more:,} mistakes more, {fewer:,} fewer"
            )
        finding_of(f"{told}.")
        quiet(
            "Correct predictions lie on the diagonal, in blue. Classes confused with each other stand side by side, so "
            "groups of orange beside it are families of look-alikes. Drag to zoom in until every class has its name, "
            "double-click to go back, click an orange mark to see its pictures."
            + (f" The {MOST:,} largest marks are drawn." if len(found.true) > MOST else "")
        )
        correct, images = correct_of(answer)
        diagonal = {} if other is not None else {"correct": correct, "images": images}
        figure = confusion_figure(found, order, answer.names, difference=other is not None, **diagonal)
        plot(figure, key="matrix", alt=told, on_select=_clicked)
        cells = list(zip(found.true[:MOST].tolist(), found.said[:MOST].tolist(), strict=True))
        tables.plotted(
            {
                "True": [answer.names[a] for a, _ in cells], "Predicted": [answer.names[b] for _, b in cells],
                "Images" if other is None else "Difference": [int(value) for value in found.value[:MOST]],
            },
            lambda row: st.session_state.update(_cell=cells[row]), key="matrix-table", of="cells",
        )  # fmt: skip
        rows = [
            [answer.keys[a], answer.keys[b], value, share]
            for a, b, value, share in zip(found.true, found.said, found.value, found.share, strict=True)
        ]
        source = deck_slides.source_line(answer)
        downloads(
            "confusion-matrix", ["true", "predicted", "images", "share"], rows, figure=figure, title=told, source=source
        )
    with right:
        picked = st.session_state.get("_cell")
        if picked and max(picked) < len(answer.keys):
            a, b = picked
        elif len(found.true):
            a, b = int(found.true[0]), int(found.said[0])
        else:
            return
        pair_pictures(answer, image_set, a, b, other=other)


def _other(lens: Lens) -> Answer | None:
    """Another run to subtract, chosen as in the lab."""
    chosen = lenses.another(lens, key="against", label="Difference from")
    if chosen is None:
        return None
    found, pending = lenses.answers({"the other run": chosen})
    lenses.progress(pending)
    return next(iter(found.values()), None)


def _clicked() -> None:
    points = st.session_state["matrix"].selection.points
    if points and len(cell := points_ui.custom(points[0])) == 3:
        true, said, _ = cell
        st.session_state["_cell"] = (int(true), int(said))


def _cells(answer: Answer) -> Cells:
    return recall(cells, answer)


def _order(answer: Answer) -> np.ndarray:
    return recall(_clustered, answer)


def _clustered(answer: Answer) -> np.ndarray:
    return cluster_order(cells(answer), len(answer.keys))
