"""Frequency against retrieval, for a set of images with captions and no classes."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.analysis.curve import Curve, curve
from core.charts import frequency_figure
from core.errors import BadInput
from core.evaluation import concept_retrieval
from core.frequency import labels
from core.published.names import METRIC_WORDS
from core.stats.format import percent
from core.types import ClassAnswer, FrequencyTable, ImageSet, Lens, Report
from pages.frequency import overlay
from pages.ui import address, answers, lensbar
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import need, question, recall
from pages.ui.switches import switch
from pages.ui.text import finding, quiet


def draw(lens: Lens, images: ImageSet) -> None:
    """Recall of every concept that a caption names, against its count."""
    table = lensbar.table(lens.frequency)
    if table is None:
        finding("Frequency", "Choose counts under Frequency to draw retrieval against them.")
        quiet(
            f"{images.id} has captions and no classes. Concepts are those of the counts; recall of one is over the "
            "captions that name it."
        )
        return
    metric = choose_metric()
    about = f"{images.id} has captions and no classes: recall is how often retrieval finds the match."
    try:
        answer = need(question(_answer, lens, images, table, metric, label=f"Retrieval on {lens.image_set}"))
    except BadInput as error:
        finding("Frequency", "Retrieval cannot be drawn against these counts.")
        quiet(f"{about} {error}")
        return
    found: Curve = recall(curve, answer, table)
    told = (
        f"Recall averages {percent(answer.mean_per_class_recall)} over the {len(answer.keys):,} concepts in captions."
    )
    finding("Frequency", told)
    answers.origin_line(
        answer,
        f"{percent(answer.acc1 or 0)} over all queries",
        f"Pearson’s correlation {overlay.interval(found.pearson)}, Spearman’s {overlay.interval(found.spearman)}",
        f"{found.n:,} concepts, {found.n_zero:,} never counted",
    )
    quiet(about)
    figure = frequency_figure(
        [overlay.series(answer, found, lens.model)],
        x_title=f"Times counted in {labels.label(lens.frequency)}",
        measure=found.measure,
    )
    plot(figure, key="retrieval-cloud", alt=told)
    header, rows = overlay.rows(found)
    everything = st.expander(f"All {found.n:,} concepts", key="all-concepts", on_change="rerun")
    if everything.open:
        with everything:
            st.dataframe(pd.DataFrame(rows, columns=header), hide_index=True, alt="Recall and count of every concept")
    downloads("retrieval", header, rows, figure=figure, title=told, source=answer.provenance)


def choose_metric() -> str:
    """Which way retrieval goes, and among how many."""
    address.by_id("metric", concept_retrieval.METRICS)
    return switch(
        "Retrieval metric", "metric", {name: METRIC_WORDS[name] for name in concept_retrieval.METRICS},
        default=concept_retrieval.DEFAULT,
        help="Text to image: a caption finds its image. Image to text: an image finds one of its captions. recall@5: "
        "among the five nearest.",
    )  # fmt: skip


def _answer(lens: Lens, images: ImageSet, table: FrequencyTable, metric: str, *, report: Report) -> ClassAnswer:
    return concept_retrieval.concept_retrieval(lens, image_set=images, table=table, metric=metric, report=report)
