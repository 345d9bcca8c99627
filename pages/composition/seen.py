"""Views of what pretraining showed: seen against never-seen pairs, additive embeddings, and captions."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.charts import composition as charts
from core.charts import composition_models
from core.composition import additive, association, compact, disentangled, measure, seen
from core.frequency.choice import elsewhere
from core.stats.format import percent, signed
from pages.composition import shared
from pages.ui.downloads import downloads, plot
from pages.ui.text import finding_of, quiet, section


def gaps(asked: measure.Question, measured: measure.Measured) -> None:
    """Seen against never-seen pairs: as they are, at equal frequency, within the same objects and attributes."""
    found = measured.sides.gaps
    whole = found["composition"]
    counted = asked.pictures.name if asked.pictures is not None else ""
    sentence = seen.headline(whole, counted_in=elsewhere(asked.lens.model, counted))
    finding_of(sentence)
    if not (whole.n_seen and whole.n_unseen):
        quiet("Give a table of pair counts, or choose the icon sets, whose held-out pairs no corpus holds.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        section("Accuracy", "As it is: the two kinds of pairs may differ in how common their parts are.")
        plot(charts.gap_figure(found), key="gap", alt="Accuracy on seen and unseen pairs")
    with right:
        section("Difference", "Three estimators; intervals draw objects with all their images.")
        figure = charts.difference_figure(found)
        plot(figure, key="gap-difference", alt="Seen less never seen in points")
    quiet(
        f"At equal frequency: strata of up to {seen.OBJECT_BINS} groups of objects by {seen.ATTRIBUTE_BINS} of "
        f"attributes of equal size by pretraining count, weighted by their never-seen images ({whole.strata} strata; "
        f"{whole.unmatched:,} never-seen images have no seen counterpart). Same objects and attributes: coefficient of "
        "“seen” beside one effect an object and one an attribute (least squares)."
    )
    if asked.pictures is not None:
        quiet(f"Seen: the pair occurs in {asked.pictures.name} ({asked.pictures.kind} counts).")
    rows = [
        [what, gap.n_seen, gap.n_unseen, *(getattr(getattr(gap, field), end) for field in
         ("seen", "unseen", "raw", "matched", "within") for end in ("value", "low", "high"))]
        for what, gap in found.items()
    ]  # fmt: skip
    header = ["what", "n_seen", "n_never_seen", *(f"{field}_{end}" for field in
              ("seen", "never_seen", "raw", "matched", "within") for end in ("value", "low", "high"))]  # fmt: skip
    downloads("seen-and-never-seen", header, rows, figure=figure, title=sentence, source=shared.source(asked, measured))


def embedding(asked: measure.Question, measured: measure.Measured) -> None:
    """Additivity of composition vectors and the association of attributes and objects in captions."""
    left, right = st.columns(2, gap="large")
    with left:
        _additivity(measured)
        _disentanglement(measured)
    with right:
        _captions(asked, measured)
        _compact(asked, measured)


def _additivity(measured: measure.Measured) -> None:
    texts, images = measured.embedded.additive["texts"], measured.embedded.additive["images"]
    section("Additivity: is a composition the sum of its attribute and its object?")
    finding_of(additive.headline(texts, images))
    st.latex(r"v(a,o) \approx m + u_a + u_o,\qquad R^2 = 1 - \frac{\sum |v - \hat v|^2}{\sum |v - \bar v|^2}")
    rows = [[what, fit.n, fit.factors, fit.r2, fit.adjusted] for what, fit in measured.embedded.additive.items()]
    header = ["vectors", "n", "factors", "R²", "adjusted R²"]
    st.dataframe(pd.DataFrame(rows, columns=header), hide_index=True, key="additivity",
                 alt="R squared of the additive model")  # fmt: skip
    quiet("Least squares over the compositions present. Adjusted R² takes the free factors into account.")
    downloads("additivity", header, rows)


def _disentanglement(measured: measure.Measured) -> None:
    section("Does each dimension serve one factor?")
    finding_of(disentangled.headline(measured.embedded.disentangled["images"]))
    header = ["vectors", "n", "Z-Diff", "disentanglement"]
    header += [f"{what}, {factor}" for what in ("completeness", "informativeness", "explicitness")
               for factor in disentangled.FACTORS]  # fmt: skip
    rows = [
        [what, one.n, one.z_diff.value, one.disentanglement, *one.completeness,
         *(read.value for read in one.informativeness), *one.explicitness]
        for what, one in measured.embedded.disentangled.items()
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows, columns=header), hide_index=True, key="disentanglement",
                 alt="Z-Diff and DCI over attribute and object")  # fmt: skip
    quiet(
        "Z-Diff: how often a linear classifier tells which factor 64 pairs share (chance 0.5). Disentanglement and "
        "completeness from the weights of linear classifiers, informativeness their accuracy, explicitness their area "
        "under the ROC curve, from chance 0 to 1; a seeded half of the vectors trains, the other half tests."
    )
    downloads("disentanglement", header, rows)


def _compact(asked: measure.Question, measured: measure.Measured) -> None:
    section("How many dimensions do compositions take, and can words exchange an attribute?")
    ranks, swap = measured.embedded.soft_rank, measured.embedded.retrieved
    told = compact.headline(ranks["texts"], swap)
    finding_of(told)
    figure = composition_models.soft_rank_figure(ranks)
    plot(figure, key="soft-rank", alt=told)
    quiet(
        "Soft rank: singular values of the stacked composition vectors above a share of the largest, over the "
        "dimensions; images: the mean image of every pair. The paper's own share is not known to us, so all are "
        f"drawn. Exchange: image − text of its attribute + text of another, {swap.n:,} queries, nearest other "
        f"picture; the object is kept in {percent(swap.object.value, 1)}."
        if swap.n
        else "Soft rank: singular values of the stacked composition vectors above a share of the largest."
    )
    rows = [
        [what, one.n, one.dimensions, threshold, value, share]
        for what, one in ranks.items()
        for threshold, value, share in zip(compact.THRESHOLDS, one.values, one.shares, strict=True)
    ]
    header = ["vectors", "n", "dimensions", "threshold", "values", "share"]
    source = shared.source(asked, measured)
    downloads("soft-rank", header, rows, figure=figure, title=told, source=source)


def _captions(asked: measure.Question, measured: measure.Measured) -> None:
    section("Do captions tie attributes to objects?")
    found = measured.association
    if found is None or asked.captions is None:
        quiet("Unknown: give a table of pair counts (attribute,object,count) of the pretraining captions.")
        return
    finding_of(association.headline(found, asked.captions.name))
    st.latex(r"\mathrm{NMI} = \frac{2\,I(A;O)}{H(A)+H(O)},\qquad \mathrm{PMI} = \log_2\frac{p(a,o)}{p(a)\,p(o)}")
    figure = composition_models.pmi_figure(found, measured.sides.found.names)
    plot(figure, key="pmi", alt="Accuracy of a pair against its PMI in captions")
    n, right = found.never
    rate = f", {percent(right / n, 1)} correct" if n else ""
    quiet(f"Never together in a caption, so without a place on this axis: {n:,} images{rate}. Intervals "
          f"of correlations draw objects. Pearson r = {signed(found.pearson.value, 2, plus=True)}.")  # fmt: skip
    names = measured.sides.found.names
    rows = [
        [names[c], p, a, k] for c, p, a, k in zip(found.composition, found.pmi, found.accuracy, found.n, strict=True)
    ]
    title = f"PMI against accuracy, NMI {found.nmi:.3f}"
    downloads(
        "pmi",
        ["composition", "pmi", "acc1", "n"],
        rows,
        figure=figure,
        title=title,
        source=shared.source(asked, measured),
    )
