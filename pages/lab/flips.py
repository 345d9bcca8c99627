"""The lab's view of images: which answers flip between two lenses, and one picture under all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from core.analysis.compare import Difference
from core.analysis.flips import Bars, bars, flips, views
from core.charts import top_bars
from core.charts.lab import sentence_bars
from core.charts.palette import RIGHT, WRONG
from core.deck import slides as deck_slides
from core.evaluation import evaluate
from core.evaluation.sentences import read_sentences
from core.prompts import prompt_set
from core.stats.format import percent, signed
from core.types import Answer, ImageSet, Lens, Report
from pages.ui import detail, gallery, pins
from pages.ui.downloads import plot
from pages.ui.jobs import here, question, recall
from pages.ui.paging import page_of
from pages.ui.switches import switch
from pages.ui.text import quiet, section

PER_PAGE = 24
KINDS = ("broken", "fixed", "both wrong")


def flipped_images(found: Mapping[str, Answer], looked_at: Difference, image_set: ImageSet) -> None:
    """The gallery of flips, and a dialog with the picture that was clicked."""
    a, b = found[looked_at.a], found[looked_at.b]
    flipped = recall(flips, a, b)
    sorted_out = dict(zip(KINDS, (flipped.broken, flipped.fixed, flipped.both_wrong), strict=True))
    words = {
        "broken": f"{looked_at.a} correct, {looked_at.b} wrong",
        "fixed": f"{looked_at.a} wrong, {looked_at.b} correct",
        "both wrong": "both wrong, differently",
    }
    section("; ".join(f"{len(sorted_out[kind]):,} {words[kind]}" for kind in KINDS) + ".")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        kind = switch(
            "Images", "flips", KINDS, default="broken", bare=True,
            help="broken: correct before, wrong now. fixed: the other way.",
        )  # fmt: skip
        rows = sorted_out[kind]
        shown = rows[page_of(len(rows), PER_PAGE, of=(kind, len(rows)), key="flips-page")]
    answered = a if kind == "fixed" else b
    positions = np.searchsorted(answered.rows, shown).tolist()
    items = [gallery.tile(answered, image_set, position) for position in positions]
    if kind == "both wrong":
        before = a.top[np.searchsorted(a.rows, shown), 0]
        items = [
            {**item, "said": f"{a.names[said]} → {item['said']}"} for item, said in zip(items, before, strict=True)
        ]
    named = {"fixed": looked_at.a, "broken": looked_at.b}.get(kind, f"{looked_at.a} → {looked_at.b}")
    quiet(f"Largest change of margin first; under each picture what {named} predicted.")
    gallery.gallery(
        [{"key": "", "title": "", "items": items}] if items else [],
        image_set,
        key="flipped",
        draw=lambda row: _picture(found, image_set, row),
        empty="No image is in this group.",
    )
    title = f"{len(rows):,} of {looked_at.n:,} images: {words[kind]}"
    pins.pin(
        lambda: deck_slides.comparison_slide(
            title,
            ("setup", "top-1"),
            [(label, percent(found[label].acc1, 1)) for label in (looked_at.a, looked_at.b)],
            deck_slides.source_line(answered),
            shown=deck_slides.pictures(answered, image_set, positions[:12]),
        ),
        key="flips",
        label="Pin these pictures",
    )


def _picture(found: Mapping[str, Answer], image_set: ImageSet, row: int) -> None:
    """One picture, its best classes under every lens, and what each sentence contributes."""
    seen = views(found, row)
    left, right = st.columns([1, 3], gap="large")
    with left:
        if image_set.has_images:
            detail.picture(image_set, row, width=240)
        quiet(f"{image_set.names[int(image_set.labels[row])]} · {image_set.image_ids[row]}")
        position = int(np.searchsorted(found[seen[-1].lens].rows, row))
        pins.pin(
            lambda: deck_slides.image_slide(found[seen[-1].lens], image_set, position),
            key="flip-image",
            label="Pin picture",
        )
    with right:
        columns = st.columns(min(2, len(seen)), gap="medium")
        for number, view in enumerate(seen):
            with columns[number % len(columns)]:
                margin = signed(view.margin, 4, plus=True)
                section(view.lens, f"margin {margin}, probability {percent(view.probability)}")
                true = found[view.lens].names[view.true]
                figure = top_bars([one.name for one in view.top], [one.score for one in view.top], true=true)
                said = f"{view.lens} predicts {view.top[0].name}"
                plot(figure, key=f"top-{number}", alt=said, toolbar=False)
    looked_at = st.selectbox(
        "Sentence by sentence", [view.lens for view in seen], index=None, key="sentences-of", width=420,
        placeholder="Choose a setup", help="Cosine with every sentence of the true and the predicted class",
    )  # fmt: skip
    if looked_at:
        view = next(one for one in seen if one.lens == looked_at)
        classes = list(dict.fromkeys([view.true, view.top[0].index, view.top[1].index]))[:2]
        _sentences(found[looked_at].lens, image_set, row, classes, view.true)


def _sentences(lens: Lens, image_set: ImageSet, row: int, classes: list[int], true: int) -> None:
    found = here(question(_bars, lens, image_set, row, classes, label="Comparing sentences"), small=True)
    if found is None:
        return
    for column, one in zip(st.columns(len(classes), gap="large"), found, strict=True):
        with column:
            section(one.name, f"class score {one.score:.4f} from {len(one.texts)} sentences")
            figure = sentence_bars(one.texts, one.cosines, colour=RIGHT if one.index == true else WRONG)
            plot(figure, key=f"sentences-{one.index}", alt=one.name, toolbar=False)


def _bars(lens: Lens, image_set: ImageSet, row: int, classes: list[int], *, report: Report) -> tuple[Bars, ...]:
    """Runs on the engine's worker."""
    embedded = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    sentences = read_sentences(lens, prompt_set(lens.prompts, image_set), report=report)
    vector = embedded.vectors[int(np.searchsorted(embedded.rows, row))]
    return bars(vector, sentences, classes, image_set.names)
