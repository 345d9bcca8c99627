"""The lab's first view: lenses side by side, their differences with tests, calibration."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pandas as pd
import streamlit as st

from core.analysis.compare import Comparison, Difference
from core.charts.lab import difference_figure, is_clear, reliability_figure
from core.deck import slides as deck_slides
from core.stats.format import percent, signed
from core.types import Answer
from pages.lab import lenses
from pages.ui import pins
from pages.ui.downloads import downloads, plot
from pages.ui.text import section


def side_by_side(
    found: Mapping[str, Answer], compared: Comparison[Difference], sentence: str, *, pending: Collection[str]
) -> None:
    """Table of lenses, those still to be answered among them, forest of differences, reliability."""
    lenses.summary_table(compared.lenses, pending=pending)
    source = deck_slides.source_line(*found.values())
    header, rows = lenses.summary_rows(compared.lenses)
    told = ("Lens", "Top-1", "Balanced", "Head", "Torso", "Tail", "ECE", "Margin")
    shown = [
        [
            label, *map(_percent, (one.acc1, one.mean_per_class_recall, one.head, one.torso, one.tail, one.ece)),
            signed(one.margin, 4, plus=True),
        ]
        for label, one in compared.lenses.items()
    ]  # fmt: skip
    with st.container(horizontal=True):
        downloads("lenses", header, rows)
        pins.pin(
            lambda: deck_slides.comparison_slide(sentence, told, shown, source), key="lenses", label="Pin comparison"
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        section(
            "Differences",
            "Mean class accuracy with a 95 % interval from resampling classes. Open grey marks may be noise: the "
            "interval holds zero, or McNemar's exact p over the images is above 0.05 after Holm.",
        )
        figure = difference_figure(compared.pairs)
        plot(figure, key="differences", alt=sentence, toolbar=False)
        _pairs(compared.pairs)
        downloads("differences", *lenses.pair_rows(compared.pairs), figure=figure, title=sentence)
    with right:
        section("Calibration", "How often a setup is correct when it is this sure; larger marks hold more images.")
        figure = reliability_figure({label: one.reliability for label, one in compared.lenses.items()})
        plot(figure, key="reliability", alt="Accuracy against confidence")
        pins.pin(
            lambda: deck_slides.plot_slide("Accuracy against confidence", figure, source),
            key="reliability",
            label="Pin plot",
        )


def _pairs(pairs: tuple[Difference, ...]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "Pair": [f"{one.b} − {one.a}" for one in pairs],
                "Points": [100 * one.delta.value for one in pairs],
                "Fixed": [one.b01 for one in pairs],
                "Broken": [one.b10 for one in pairs],
                "p": ["< 1e-15" if one.p_holm < 1e-15 else f"{one.p_holm:.2g}" for one in pairs],
                "Verdict": ["clear" if is_clear(one) else "may be noise" for one in pairs],
            }
        ),
        key="pairs",
        hide_index=True,
        column_config={
            "Points": st.column_config.NumberColumn(format="%+.1f", help="Difference in mean class accuracy"),
            "Fixed": st.column_config.NumberColumn(format="localized", help="Images that became correct"),
            "Broken": st.column_config.NumberColumn(format="localized", help="Images that became wrong"),
            "p": st.column_config.TextColumn(help="McNemar, exact, adjusted by Holm for all pairs shown"),
        },
        alt="Paired differences with tests",
    )


def _percent(share: float | None) -> str:
    return "–" if share is None or share != share else percent(share, 1)
