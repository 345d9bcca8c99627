"""The prompt inspector's question whether more sentences help, with random words as the honest null behind."""

from __future__ import annotations

import streamlit as st

from core.analysis.prompt_inspection import DRAWS, RANDOM, CountPoint, count_curves
from core.charts.lab import count_figure
from core.deck import slides as deck_slides
from core.prompts.notes import content_unread
from core.stats.format import percent, points
from core.types import Answer, ImageSet, Lens
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import here, question
from pages.ui.text import finding_of, section


def accuracy_by_sentences(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """The curve, once it was asked for: it scores the whole set for every draw."""
    section(
        "Do more sentences help?",
        f"Top-1 accuracy with sentences drawn at random, {DRAWS} draws each, mean and standard deviation. The grey "
        "band is WaffleCLIP: sentences with random words and characters. A gain inside it owes nothing to content.",
    )
    asked = question(count_curves, lens, image_set, label="Sampling sentences")
    if st.session_state.get("_counts") != asked.key:
        st.button("Draw the curve", on_click=lambda: st.session_state.update(_counts=asked.key))
        return
    found = here(asked)
    if found is None:
        return
    sentence = _sentence(found, lens.prompts, content_unread(answer.reading))
    finding_of(sentence)
    figure = count_figure(found)
    plot(figure, key="counts", alt=sentence, toolbar=False)
    rows = [[label, one.n, one.mean, one.sd, len(one.values)] for label, points in found.items() for one in points]
    source = deck_slides.source_line(answer)
    downloads(
        "sentence-counts",
        ["strategy", "sentences", "acc1", "sd", "draws"],
        rows,
        figure=figure,
        title=sentence,
        source=source,
    )


def _sentence(found: dict[str, tuple[CountPoint, ...]], label: str, unread: str) -> str:
    first, last = found[label][0], found[label][-1]
    null = found[RANDOM][-1]
    if unread:
        return f"{label}: {unread}, so what further sentences add is unknown."
    against = last.mean - null.mean
    return (
        f"From {first.n} to {last.n} sentences a class, {label} goes from {percent(first.mean, 1)} to "
        f"{percent(last.mean, 1)} ({points(last.mean - first.mean, plus=True)} points); that is {points(abs(against))} "
        f"points {'above' if against > 0 else 'below'} the same model with {null.n} sentences of random words."
    )
