"""Views of single compositions: kinds of error, attributes taken for each other, and the attribute x object table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from core.charts import composition as charts
from core.composition import measure, scores
from core.composition.pairs import Compositions
from core.composition.sets import seen_pairs
from pages.composition import shared
from pages.ui import points, tables
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

EACH = 18
COLUMNS = ("hardest", "easiest", "commonest", "rarest")
MOST_COLUMNS = 28


def errors(asked: measure.Question, measured: measure.Measured) -> None:
    """Accuracy of the whole and its parts, the kinds of error with their pictures, and attribute confusion."""
    found = measured.found
    told, kinds = scores.shares(found), scores.errors(found)
    title, source = scores.headline(found, told), shared.source(asked, measured)
    left, right = st.columns([3, 2], gap="large")
    with left:
        section(
            "Composition, attribute and object", "Marks: top-1 with 95 % intervals (Wilson). Ticks: a uniform guess."
        )
        figure = charts.share_figure(told)
        plot(figure, key="parts", alt="Accuracy of compositions, objects and attributes")
        quiet(" · ".join(f"{name}: {about}" for name, (_, about) in scores.PARTS.items() if "|" not in name))
        rows = [[n, s.right, s.n, s.interval.value, s.interval.low, s.interval.high, s.chance] for n, s in told.items()]
        downloads(
            "composition-parts",
            ["condition", "correct", "n", "acc1", "low", "high", "chance"],
            rows,
            figure=figure,
            title=title,
            source=source,
        )
    with right:
        section("Confused attributes", "Share of the images of each true attribute.")
        confusion = scores.attribute_confusion(found)
        names = asked.images.compositions.attributes
        if len(names) > MOST_COLUMNS:
            kept = np.sort(np.argsort(-confusion.sum(1), kind="stable")[:MOST_COLUMNS])
            quiet(f"The {MOST_COLUMNS} attributes with most images of {len(names):,}; the download holds all.")
        else:
            kept = np.arange(len(names))
        taken = charts.confusion_figure(confusion[np.ix_(kept, kept)], [names[at] for at in kept])
        plot(taken, key="attributes", alt="Predicted attribute for every true attribute")
        downloads(
            "attribute-confusion",
            ["true", *names],
            [[n, *row] for n, row in zip(names, confusion.tolist(), strict=True)],
        )
    section("Kinds of error", "What is correct in the predicted composition. Choose a kind to see its pictures.")
    plot(charts.error_figure(kinds), key="kinds", alt="Images by kind of error")
    _kind(asked, measured)


def _kind(asked: measure.Question, measured: measure.Measured) -> None:
    """Pictures of one kind of error, most confident first."""
    found = measured.found
    kind = switch("Pictures", "mistake", charts.KINDS, default="wrong object")
    said = found.pairs[found.answer.top[:, 0]]
    attribute, thing = said[:, 0] == found.attribute, said[:, 1] == found.object
    member = {"correct": attribute & thing, "wrong attribute": ~attribute & thing, "wrong object": attribute & ~thing}
    places = np.flatnonzero(member.get(kind, ~attribute & ~thing))
    places = places[np.argsort(-np.abs(found.answer.margin[places]), kind="stable")][:EACH].tolist()
    shown = (asked.lens, found.answer, asked.images)
    shared.pictures(shown, places, key="kind-pictures", empty="No image is of this kind.")


def matrix(asked: measure.Question, measured: measure.Measured) -> None:
    """Attribute x object as marks; a click shows the pictures of that pair."""
    found, sides = measured.sides.found, shared.sides(asked, measured)
    size = len(found.pairs)
    n = np.sum([np.bincount(one.answer.labels, minlength=size) for _, one, _ in sides], axis=0)
    hits = np.sum([np.bincount(one.answer.labels, weights=one.right, minlength=size) for _, one, _ in sides], axis=0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        offered = (*COLUMNS[2:], *COLUMNS[:2]) if asked.pictures else COLUMNS[:2]
        order = switch("Objects", "aocolumns", offered, help="Which objects stand in the columns.")
    things = _columns(order, found, n, hits, asked)
    place = np.full(len(found.objects), -1)
    place[things] = np.arange(len(things))
    cells = np.flatnonzero((n > 0) & (place[found.pairs[:, 1]] >= 0))
    seen = seen_pairs(found, asked.pictures, icons=asked.images.drawn)
    told = f"{int((n > 0).sum()):,} attribute–object pairs with images, among {size:,} compositions"
    left, right = st.columns([3, 2], gap="large")
    with left:
        finding_of(f"{told}; {int((hits[n > 0] == 0).sum()):,} of them are never recognised.")
        quiet(
            f"The {order} {len(things):,} of {len(found.objects):,} objects; colour: accuracy, size: images. "
            "Click a mark to see its pictures."
        )
        figure = charts.matrix_figure(
            found.pairs[cells, 0],
            place[found.pairs[cells, 1]],
            n[cells].astype(int),
            hits[cells].astype(int),
            seen[cells],
            attributes=found.attributes,
            objects=[found.object_names[at] for at in things],
            composition=cells,
        )
        plot(figure, key="pair-matrix", alt=told, on_select=_clicked(found.names))
        tables.plotted(
            {
                "Pair": [found.names[at] for at in cells], "Images": [int(n[at]) for at in cells],
                "Accuracy": [float(hits[at] / n[at]) for at in cells],
            },
            lambda row: st.session_state.update(cell=found.names[int(cells[row])]), key="pairs-table", of="pairs",
        shares=("Accuracy",),
        )  # fmt: skip
        present = np.flatnonzero(n)
        rows = [
            [found.attributes[a], found.objects[o], int(n[c]), int(hits[c]), hits[c] / n[c], seen[c]]
            for c, (a, o) in zip(present.tolist(), found.pairs[present].tolist(), strict=True)
        ]
        downloads(
            "compositions",
            ["attribute", "object", "n", "correct", "acc1", "seen"],
            rows,
            figure=figure,
            title=told,
            source=shared.source(asked, measured),
        )
    with right:
        _pair(asked, sides, found, cells)


def _columns(order: str, found: Compositions, n: np.ndarray, hits: np.ndarray, asked: measure.Question) -> np.ndarray:
    objects = found.pairs[:, 1]
    images = np.bincount(objects, weights=n, minlength=len(found.objects))
    if order in COLUMNS[:2] or asked.pictures is None:
        rate = np.bincount(objects, weights=hits, minlength=len(images)) / np.maximum(images, 1)
        value = rate if order == "hardest" else -rate
    else:
        _, counts = asked.pictures.margins(found)
        value = -counts if order == "commonest" else counts
    ranked = np.argsort(value, kind="stable")
    return ranked[images[ranked] > 0][:MOST_COLUMNS]


def _clicked(names: list[str]) -> Callable[[], None]:
    def read() -> None:
        for place, *_ in points.clicked("pair-matrix", length=3)[:1]:
            st.session_state["cell"] = names[int(place)]

    return read


def _pair(asked: measure.Question, sides: Sequence[shared.Side], found: Compositions, cells: np.ndarray) -> None:
    """Pictures of one composition, from whichever set shows it."""
    names = found.names
    linked = st.session_state.get("cell") or st.query_params.get("cell")
    options = list(dict.fromkeys([*(names[c] for c in cells), *([linked] if linked in set(names) else [])]))
    chosen = st.selectbox("Pair", options, key="cell", bind="query-params")
    if chosen not in options:
        return
    label = names.index(chosen)
    shows = [(np.flatnonzero(side[1].answer.labels == label), *side) for side in sides]
    places, lens, composed, images = max(shows, key=lambda one: len(one[0]))
    order = places[np.argsort(composed.answer.margin[places], kind="stable")][:EACH].tolist()
    right = int(composed.right[places].sum())
    shown = (lens, composed.answer, images)
    known = "" if asked.pictures is None else f" · drawn {int(asked.pictures.of(found)[label]):,} times in pretraining"
    quiet(f"{right} of {len(places)} correct · from {lens.image_set}{known}")
    shared.pictures(shown, order, key="pair-pictures", empty="This pair has no pictures.")
