"""A second accuracy from cleaned or several accepted labels, and accuracy on pictures that hold two concepts."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.analysis import second_labels
from core.charts.remedies import change_figure, pair_figure
from core.errors import TailscopeError
from core.stats.format import signed
from core.types import Answer, ImageSet
from pages.tail.remedies import HEADER, rows
from pages.ui.answers import provenance
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.text import finding_of, section, warn


def labels_section(answer: Answer, image_set: ImageSet, counts: Mapping[str, int]) -> None:
    """Upload the labels, see both accuracies; upload co-occurrences, see pairs."""
    section(
        "Several correct labels, wrong labels",
        "A picture may show more than its label, or something else. A prediction is correct here when it is one of the "
        "labels that annotators accept; pictures without an accepted label do not count (ReaL).",
    )
    left, right = st.columns(2, gap="large")
    with left:
        labels = st.file_uploader("real.json, or a CSV with image and labels", type=["json", "csv"], key="labels-file")
    with right:
        pmi = st.file_uploader(
            "Pairs of concepts in captions (cooccurrence.parquet, or CSV a, b, pmi)",
            type=["parquet", "csv"],
            key="pmi-file",
        )
    if labels is None:
        return
    try:
        accepted = recall(second_labels.read_labels, labels.getvalue(), labels.name, image_set)
        found = recall(second_labels.second_accuracy, answer, accepted, dict(counts))
    except TailscopeError as error:
        warn(error)
        return
    sentence = second_labels.headline(found)
    finding_of(sentence)
    left, right = st.columns(2, gap="large")
    with left:
        figure = change_figure(found.changes)
        plot(figure, key="labels-change", alt=sentence, toolbar=False)
        downloads(
            "accepted-labels", HEADER, rows(found.changes), figure=figure, title=sentence, source=provenance(answer)
        )
    if pmi is None:
        return
    with right:
        _pairs(answer, accepted, pmi.getvalue(), pmi.name)


def _pairs(answer: Answer, accepted: second_labels.Accepted, content: bytes, name: str) -> None:
    try:
        pairs = second_labels.pairs_by_pmi(answer, accepted, second_labels.read_pmi(content, name))
    except TailscopeError as error:
        warn(error)
        return
    r = second_labels.association(pairs)
    words = f"Pearson’s r {signed(r.value, 2)} (95 % CI {signed(r.low, 2)} to {signed(r.high, 2)})"
    sentence = f"Accuracy on pictures with two concepts against their PMI in captions: {words}, {len(pairs):,} pairs."
    finding_of(sentence)
    figure = pair_figure(pairs, answer.names)
    plot(figure, key="pairs-pmi", alt=sentence, toolbar=False)
    listed = [[answer.names[one.a], answer.names[one.b], one.pmi, one.accuracy, one.n] for one in pairs]
    downloads(
        "pairs-pmi", ["class", "also_there", "pmi", "accuracy", "n"], listed, figure=figure, title=sentence,
        source=provenance(answer),
    )  # fmt: skip
