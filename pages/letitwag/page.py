"""Let It Wag!: 290 rare concepts under 40 published models, and which of them scale fixes."""

from __future__ import annotations

import streamlit as st

from core.charts import letitwag as charts
from core.published import findings, letitwag
from core.published.manifest import CITATION
from pages.letitwag import own, parts
from pages.published import release
from pages.ui.downloads import downloads, plot
from pages.ui.text import finding, quiet, section

models, concepts, fits = letitwag.models(), letitwag.concepts(), letitwag.fits()
finding("Let It Wag!", findings.let_it_wag(), findings.let_it_wag_evidence())
release.source_line()
mine = own.rows()

left, right = st.columns([3, 2], gap="large")
with right:
    section("Leaderboard", "Choose rows to find them in the plot; † copied by the authors from open_clip's results.")
    marked = parts.leaderboard(models)
with left:
    section(
        "Tail against ImageNet",
        f"Size of a mark: parameters. The paper fits models below and above {letitwag.SPLIT_AT:.0f} % apart, "
        f"{fits['below'].slope:.2f} and {fits['above'].slope:.2f} points per ImageNet point; one line through all has "
        f"{fits['all'].slope:.2f}.",
    )
    figure = charts.scatter(models, fits, chosen=marked, own=mine)
    plot(figure, key="wag-scatter", alt=findings.let_it_wag(), on_select=lambda: parts.picked_model("wag-scatter"))
    downloads("letitwag-models", *parts.model_rows(models), figure=figure, title=findings.let_it_wag(), source=CITATION)
for model in models:
    if model.note:
        quiet(f"{model.name}: {model.note}")

own.own_rows(mine)

st.divider()
parts.frequencies(concepts)

st.divider()
item = parts.choose_concept(concepts)
section(item.name, findings.one_concept(item))
matrix = findings.whole_matrix()
left, right = st.columns(2, gap="large")
with left:
    figure = charts.counts_figure(item)
    plot(figure, key="wag-counts", alt=f"Counts of {item.name} in every pretraining set")
    title = f"Counts of {item.name} in every pretraining set"
    rows = list(item.counts.items())
    downloads("letitwag-counts", ["column", "count"], rows, figure=figure, title=title, source=CITATION)
    parts.kin(item)
with right:
    if matrix is not None:
        accuracy = matrix.accuracy[:, matrix.concepts.index(item)]
        figure = charts.scale_figure(matrix.models, accuracy)
        plot(figure, key="wag-scale", alt=f"Accuracy of {item.name} against model size")
        of_models = [[model.name, value] for model, value in zip(matrix.models, accuracy.tolist(), strict=True)]
        title = f"Accuracy of {item.name} against model size"
        downloads("letitwag-concept", ["model", "accuracy"], of_models, figure=figure, title=title, source=CITATION)
    else:
        quiet("The imported version of the release lacks its accuracy under some of the 40 models.")
    parts.links(item)

st.divider()
if matrix is None:
    section("Which concepts does scale fix, and which not?")
    quiet("The imported version of the release lacks some of these scores.")
    st.stop()
fate = findings.fate(matrix)
section("Which concepts does scale fix, and which not?", fate.sentence(concepts))
parts.matrix(matrix, fate, item)
