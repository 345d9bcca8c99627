"""The lab's null: accuracy of every lens over the band that random words achieve under the same model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from core.analysis.compare import Summary
from core.analysis.random_words_band import Band, against, band, is_written, waffle_answers
from core.charts.lab_null import accuracy_figure
from core.deck import slides as deck_slides
from core.models import registry as models
from core.models.names import model_name
from core.prompts.waffle import PAIRS, SEEDS
from core.types import Answer, ImageSet, Lens, Report
from pages.ui.downloads import downloads, plot
from pages.ui.jobs import here, question
from pages.ui.text import finding_of, plain, section


def random_words_section(found: Mapping[str, Answer], lenses: Mapping[str, Summary], image_set: ImageSet) -> None:
    """Nothing unless a lens has written sentences; then the figure, its band as soon as it is there."""
    written = {label: answer.lens for label, answer in found.items() if is_written(answer.lens.prompts)}
    if not written:
        return
    section(
        "Against random words",
        f"WaffleCLIP puts the same {2 * PAIRS} random phrases after every name. What written sentences achieve beyond "
        f"its mean and standard deviation over {SEEDS} seeds, they owe to their content.",
    )
    by_model = {lens.model: _band(lens, image_set) for lens in written.values()}
    bands = {label: band for label, answer in found.items() if (band := by_model.get(answer.lens.model)) is not None}
    told = [
        against(label, found[label].acc1, bands[label], found[label].reading)
        for label, lens in written.items()
        if label in bands and not lens.prompts.startswith("waffle")
    ]
    for sentence in told:
        finding_of(sentence)
    figure = accuracy_figure(lenses, bands)
    alt = " ".join(told) or "Top-1 accuracy of every setup"
    plot(figure, key="null", alt=alt, toolbar=False)
    rows = [
        [label, one.acc1, *((bands[label].mean, bands[label].sd) if label in bands else (None, None))]
        for label, one in lenses.items()
    ]
    source = deck_slides.source_line(*found.values())
    downloads("null-band", ["lens", "acc1", "waffle_mean", "waffle_sd"], rows, figure=figure, title=alt, source=source)


def _band(lens: Lens, image_set: ImageSet) -> Band | None:
    """The band of one model: at once for the small icon models, on request for others."""
    label = f"Random words under {model_name(lens.model)}"
    asked = question(_work, replace(lens, prompts="waffle", frequency=""), image_set, label=label)
    quick = lens.model in {info.id for info in models.icon_models()}
    if not quick and asked.key not in st.session_state.setdefault("_bands", set()):
        n = SEEDS * 2 * PAIRS * len(image_set.keys)
        st.button(
            f"Draw the band of {plain(model_name(lens.model))}", key=f"band-{lens.model}",
            on_click=lambda: st.session_state["_bands"].add(asked.key), help=f"Reads {n:,} sentences, once.",
        )  # fmt: skip
        return None
    return here(asked, small=True, failing="There is no band: ")


def _work(lens: Lens, image_set: ImageSet, *, report: Report) -> Band:
    """Runs on the engine's worker."""
    return band([answer.acc1 for answer in waffle_answers(lens, image_set=image_set, report=report)])
