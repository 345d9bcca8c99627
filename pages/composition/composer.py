"""The composer: any attribute and object, the nearest pictures, and what each word contributes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.composition import measure
from core.composition.composer import compose
from pages.composition import shared
from pages.ui.downloads import downloads
from pages.ui.jobs import need, question
from pages.ui.text import finding_of, plain, quiet, section


def composer(asked: measure.Question, measured: measure.Measured) -> None:
    """Pictures nearest to a typed pair, with the scores of the parts."""
    found = asked.images.compositions
    first, second = found.pairs[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        attribute = st.text_input(
            "Attribute", found.attributes[first], key="attribute", bind="query-params", max_chars=100
        )
        thing = st.text_input("Object", found.object_names[second], key="object", bind="query-params", max_chars=100)
    words = (" ".join(attribute.split()), " ".join(thing.split()))
    if not all(words):
        quiet("Type an attribute and an object.")
        return
    result = need(
        question(
            compose,
            asked.lens,
            *words,
            image_set=asked.images.parent,
            label=f"Images nearest to “{words[0]} {words[1]}”",
        )
    )
    finding_of(result.sentence(found, asked.images.labels))
    answer = measured.found.answer
    place = {int(row): at for at, row in enumerate(answer.rows)}
    shown = (asked.lens, answer, asked.images)
    left, right = st.columns([3, 2], gap="large")
    with left:
        section(
            "Nearest pictures",
            "By cosine with the text of the pair; the mark tells whether the model predicts them correctly.",
        )
        places = [place[int(row)] for row in result.rows if int(row) in place]
        shared.pictures(shown, places, key="composed", empty="No picture of a known pair is near.")
    with right:
        section("Scores of the parts", "Cosine of each picture with the attribute, the object and both.")
        labels, shown_names = asked.images.labels[result.rows], found.names
        names = [
            shown_names[label] if label >= 0 else asked.images.image_ids[int(row)]
            for row, label in zip(result.rows, labels, strict=True)
        ]
        frame = pd.DataFrame(np.asarray(result.cosines, float), columns=["attribute", "object", "both"])
        st.dataframe(
            frame.assign(shows=names)[["shows", "attribute", "object", "both"]],
            key="composed-scores",
            hide_index=True,
            column_config={
                "shows": st.column_config.TextColumn("Shows"),
                **{
                    column: st.column_config.NumberColumn(
                        column.capitalize(), format="%.3f", help=f"Cosine with “{plain(text)}”"
                    )
                    for column, text in zip(("attribute", "object", "both"), result.texts, strict=True)
                },
            },
            alt="Cosines of the nearest pictures with the attribute, the object and both",
        )
        ids = [asked.images.image_ids[int(row)] for row in result.rows]
        rows = [[id, name, *line] for id, name, line in zip(ids, names, result.cosines.tolist(), strict=True)]
        downloads("composer", ["image", "shows", *(f"s({text})" for text in result.texts)], rows)
