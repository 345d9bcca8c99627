"""Let It Wag! as it was published: 290 rare concepts and forty models, with no image on disk."""

from __future__ import annotations

import plotly.graph_objects as go
import pyarrow as pa
import streamlit as st

from core.charts import SERIES
from core.charts.letitwag import scatter
from core.published import findings, letitwag
from pages.letitwag.parts import counted_in
from pages.ui import lensbar
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import recall
from pages.ui.links import to_data, to_page
from pages.ui.text import finding_of, plain, quiet, section

SOURCE = "Udandarao et al. 2024, “No ‘Zero-Shot’ Without Exponential Data” (released results, MIT)"
ID = "letitwag"


def let_it_wag() -> None:
    """The published scatter and table, and the way to a live run."""
    models = letitwag.models()
    section("Let It Wag!, as published")
    finding_of(findings.let_it_wag())
    quiet(f"{len(models)} models, 290 concepts · {SOURCE}")
    left, right = st.columns([3, 2], gap="large")
    figure = recall(_scatter)
    with left:
        plot(figure, key="wag-models", alt="Let It Wag! against ImageNet accuracy")
        header = ["model", "pretraining", "imagenet", "letitwag", "classes_at_zero"]
        rows = [[m.model, m.pretraining, m.imagenet, m.letitwag, m.at_zero] for m in models]
        downloads("letitwag-models", header, rows, figure=figure, title=findings.let_it_wag(), source=SOURCE)
    with right:
        _concepts()
    with st.container(horizontal=True, vertical_alignment="center"):
        _live()
        to_page("letitwag", "All of the published Let It Wag!")


def _scatter() -> go.Figure:
    figure = scatter(letitwag.models(), letitwag.fits())
    # Families are told apart on the page that has room for their legend.
    return figure.update_traces(
        marker={"color": SERIES[0], "symbol": "circle"}, showlegend=False, selector={"mode": "markers"}
    )


def _concepts() -> None:
    columns = list(letitwag.concepts()[0].counts)
    column = st.selectbox(
        "Counted in", columns, index=columns.index("laion400m/image"), key="wag-count", format_func=counted_in
    )
    st.dataframe(
        recall(_columns, column),
        key="wag-concepts",
        height=340,
        hide_index=True,
        column_config={
            "Concept": st.column_config.TextColumn(width=130),
            "Count": st.column_config.NumberColumn(width=60, format="localized", help=f"Count in {plain(column)}"),
            "Accuracy": st.column_config.ProgressColumn(
                width=84, min_value=0, max_value=100, format="%.0f %%", help="Mean accuracy over the 40 models"
            ),
        },
        alt="Let It Wag! concepts with counts and mean accuracy",
    )
    downloads("letitwag-concepts", *recall(_rows))


def _columns(column: str) -> pa.Table:
    hardest = sorted(letitwag.concepts(), key=lambda concept: concept.mean_accuracy)
    return pa.table(
        {
            "Concept": [concept.name for concept in hardest],
            "Count": [concept.counts[column] for concept in hardest],
            "Accuracy": [concept.mean_accuracy for concept in hardest],
            "Family": [concept.family for concept in hardest],
        }
    )


def _rows() -> tuple[list[str], list[list[object]]]:
    found = letitwag.concepts()
    header = ["concept", "family", "source", *found[0].counts, "mean_accuracy"]
    return header, [[c.key, c.family, c.source, *c.counts.values(), c.mean_accuracy] for c in found]


def _live() -> None:
    if not lensbar.is_here(ID):
        to_data("Fetch its images to see this tail live", "image sets", fetch_set=ID)
    elif lensbar.lens().image_set == ID:
        quiet("The pictures above are of your model on Let It Wag!, computed here.")
    else:
        st.button("Run this model on Let It Wag! live", on_click=_look)


def _look() -> None:
    st.session_state["set"] = ID
