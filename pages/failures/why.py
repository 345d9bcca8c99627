"""Names that cannot work, and why a number differs from a published one."""

from __future__ import annotations

import re

import pandas as pd
import streamlit as st

from core.analysis.discrepancy import explain
from core.analysis.name_audit import audit
from core.analysis.prompt_inspection import directions
from core.analysis.references import references, table
from core.strict_json import strict_json
from core.types import Answer, ImageSet, Lens
from pages.inspector.class_sentences import sentences_of
from pages.ui.downloads import downloads
from pages.ui.links import to_data
from pages.ui.text import finding_of, quiet, section

_LINK = re.compile(r"https?://[^\s,;]+")


def names(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """Repeated names, close text vectors, names inside names."""
    found = audit(answer, directions(sentences_of(lens, image_set)))
    repeated = sum(map(len, found.repeated))
    swapped = sum(one.exchanged > 0 for one in found.near)
    finding_of(
        f"{repeated:,} classes share their name with another, {len(found.contained):,} names are part of a longer one; "
        f"of the {len(found.near)} pairs of names closest in text space, {swapped} also exchange images."
    )
    quiet("Two names with one text vector cannot be told apart by any picture; rename one of them.")
    to_data("Rename classes", "image sets")
    left, right = st.columns([3, 2], gap="large")
    with left:
        section("Closest names", "Cosine of the two text vectors under these prompts.")
        rows = [[answer.names[one.a], answer.names[one.b], one.cosine, one.exchanged] for one in found.near]
        st.dataframe(
            pd.DataFrame(rows, columns=["A", "B", "Cosine", "Exchanged"]), key="near", hide_index=True, height=420,
            column_config={
                "Cosine": st.column_config.NumberColumn(format="%.3f"),
                "Exchanged": st.column_config.NumberColumn(help="Images of one predicted as the other"),
            },
            alt="Pairs of names by text cosine",
        )  # fmt: skip
        downloads("names", ["a", "b", "cosine", "exchanged"], rows)
    with right:
        section("Names inside names")
        rows = [[answer.names[short], answer.names[long]] for short, long in found.contained]
        st.dataframe(pd.DataFrame(rows, columns=["Name", "Inside"]), hide_index=True, height=260, alt="Contained names")
        if found.repeated:
            section("Repeated names")
            rows = [[answer.names[group[0]], ", ".join(answer.keys[i] for i in group)] for group in found.repeated]
            st.dataframe(pd.DataFrame(rows, columns=["Name", "Classes"]), hide_index=True, alt="Repeated names")


def why(answer: Answer) -> None:
    """This run beside the published figures of its model and images, and what the fingerprint shows."""
    found = references(answer)
    if not found:
        finding_of("No published figure for this model and these images is known here.")
        quiet("The table below lists the published figures that are known; run one of those to compare.")
    for number, reference in enumerate(found[:4]):
        explained = explain(answer, reference)
        finding_of(explained.sentence)
        low, high = 100 * explained.own.low, 100 * explained.own.high
        quiet(f"Interval of this run {low:.1f} to {high:.1f} % over images · published: {reference.source}")
        if explained.causes:
            st.dataframe(
                pd.DataFrame(
                    {
                        "Cause": [cause.title for cause in explained.causes],
                        "Shown by the fingerprint": [cause.seen for cause in explained.causes],
                        "What and what to do": [cause.detail for cause in explained.causes],
                    }
                ),
                key=f"causes-{number}",
                hide_index=True,
                column_config={"What and what to do": st.column_config.TextColumn(width="large")},
                alt="Causes of the difference",
            )
    section("This run's fingerprint", "Everything that determines the numbers; report it with them.")
    with st.expander("Show"):
        st.code(strict_json(answer.fingerprint), language="json", height=320)
    section("Published figures", "Top-1 accuracy, zero-shot, each with its source.")
    header = ["model", "pretraining", "set", "prompts", "acc1", "source"]
    rows = [[one.arch, one.pretrained, one.set, one.prompts, 100 * one.acc1, one.source] for one in table()]
    links = [_LINK.search(one.source) for one in table()]
    st.dataframe(
        pd.DataFrame(rows, columns=header).assign(link=[found[0] if found else "" for found in links]),
        key="references", hide_index=True, height=320, alt="Published figures",
        column_config={
            "acc1": st.column_config.NumberColumn("Top-1", format="%.1f %%"),
            "source": st.column_config.TextColumn(width=320),
            "link": st.column_config.LinkColumn(display_text="open", width="small"),
        },
    )  # fmt: skip
    downloads("references", header, rows)
