"""A worked case: one picture, a handful of names, several strategies; softmax beside margins."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image

from cache import keys
from core.analysis import findings
from core.analysis.confusable import (
    MOST_NAMES,
    Column,
    Mistaken,
    close_calls,
    most_confusable,
    published_pair,
    side_by_side,
)
from core.charts import top_bars
from core.datasets.io.picture import safe_open
from core.deck import slides as deck_slides
from core.deck.deck import Picture
from core.models.names import model_name
from core.prompts import strategies
from core.runtime import thumbnails as thumbs
from core.stats.format import percent
from core.text.lines import lines_of
from core.types import Answer, ImageSet, Lens
from pages.ui import detail, pins
from pages.ui.downloads import plot
from pages.ui.jobs import ask, question, watch
from pages.ui.own_picture import TYPES
from pages.ui.text import finding_of, quiet, section

MOST = 4


def two_classes(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """The built-in pair, or a person's own picture and names."""
    published = published_pair(answer)
    pair = published or most_confusable(answer)
    if pair is None:
        section(
            "Two classes side by side", "This model confuses no two classes of this set, so there is no pair to show."
        )
        return
    names = (answer.names[pair.a], answer.names[pair.b])
    section("Two classes side by side", _about(lens, answer, pair, published=published is not None))
    left, right = st.columns([2, 3], gap="large")
    with left:
        typed = st.text_area(
            "Names, one a line", "\n".join(names), key=f"walk-names-{keys.digest(names)[:8]}", height=100,
            max_chars=2000, help=f"Two to {MOST_NAMES} class names; each strategy makes its sentences of them.",
        )  # fmt: skip
        named = [strategy.id for strategy in strategies(alone=True)]
        chosen = st.multiselect(
            "Strategies",
            named,
            default=["class", "simple", "ensemble"],
            select_all=False,
            filter_mode="contains",
            key="walk-strategies",
            max_selections=MOST,
        )
        upload = st.file_uploader("Your own picture", type=TYPES, key="walk-picture")
        picture = _picture(answer, image_set, pair, upload)
    asked = tuple(dict.fromkeys(" ".join(line.split())[:100] for line in lines_of(typed) if line.strip()))
    if not chosen or picture is None:
        return
    job = ask(question(side_by_side, lens, asked, chosen, [picture], label="Scoring one picture"))
    with right:
        if not job.wait(0):
            watch(job, small=True)
            return
        true = None if upload is not None else image_set.names[int(image_set.labels[_shown_row(answer, pair)])]
        _columns(job.value(), asked, answer, picture, true)


def _about(lens: Lens, answer: Answer, pair: Mistaken, *, published: bool) -> str:
    a, b, n = answer.names[pair.a], answer.names[pair.b], pair.a_as_b + pair.b_as_a
    if published:
        return (
            f"The published case, on a photo of this set: a tree frog predicted as a tailed frog. "
            f"{model_name(lens.model)} takes {n} of their images for the other one "
            f"({findings.percent(pair.share)} of both)."
        )
    return (
        f"The published case is a tree frog predicted as a tailed frog. Here stands a pair found by computation: of "
        f"all classes, {model_name(lens.model)} takes “{a}” and “{b}” for each other most "
        f"({n} images, {findings.percent(pair.share)} of both)."
    )


def _picture(answer: Answer, image_set: ImageSet, pair: Mistaken, upload: BytesIO | None) -> Image.Image | None:
    """The picture in question: the uploaded one, else the most confident mistake."""
    if upload is not None:
        data = upload.getvalue()
        own = safe_open(data, name="Your picture")
        small = own.copy()
        small.thumbnail((320, 320))
        st.image(small, alt="Your picture")
        return own
    if not image_set.has_images:
        quiet("This set has no pictures; add your own.")
        return None
    row = _shown_row(answer, pair)
    detail.picture(image_set, row, width=240)
    why = "the most confident mistake" if pair.a_as_b + pair.b_as_a else "the closest call; none is a mistake"
    quiet(f"{image_set.names[int(image_set.labels[row])]} · {image_set.image_ids[row]}: {why}.")
    return image_set.image(row)


def _shown_row(answer: Answer, pair: Mistaken) -> int:
    return int(close_calls(answer, pair)[0])


def _columns(
    found: tuple[Column, ...], names: tuple[str, ...], answer: Answer, picture: Image.Image, true: str | None
) -> None:
    best = [int(np.argmax(one.cosines[0])) for one in found]
    said = [names[index] for index in best]
    agree = len(set(said)) == 1
    verdict = f"All predict “{said[0]}”" if agree else "They disagree: " + ", ".join(
        f"{one.strategy} predicts “{name}”" for one, name in zip(found, said, strict=True)
    )  # fmt: skip
    sure = max(float(one.probabilities[0].max()) for one in found)
    close = min(float(one.margins[0]) for one in found)
    sentence = (
        f"{verdict}. Softmax over {len(names)} names reaches {percent(sure)} while cosines differ by as little as "
        f"{close:.4f}: a probability over a handful of names says little about how close the call is."
    )
    finding_of(sentence)
    rows = [
        (one.strategy, names[index], percent(one.probabilities[0, index], 1), f"{one.margins[0]:.4f}")
        for one, index in zip(found, best, strict=True)
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Strategy", "Predicts", "Softmax", "Margin"]), hide_index=True, alt=sentence
    )
    for one in found:
        order = np.argsort(-one.cosines[0], kind="stable")
        quiet(f"{one.strategy}, cosine")
        figure = top_bars([names[i] for i in order], [float(one.cosines[0, i]) for i in order], true=true)
        plot(figure, key=f"walk-{one.strategy}", alt=one.strategy, toolbar=False)
    pins.pin(
        lambda: deck_slides.comparison_slide(
            sentence,
            ("strategy", "predicts", "softmax", "margin"),
            rows,
            f"{model_name(answer.lens.model)} · {len(names)} names",
            shown=[Picture(thumbs.encode(picture, thumbs.SIZES[1]), "the picture")],
        ),
        key="walk",
        label="Pin this case",
    )
