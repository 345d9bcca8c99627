"""A person's own picture against all concepts of the lens, or against a few typed ones."""

from __future__ import annotations

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.charts import top_bars
from core.datasets.io.picture import safe_open
from core.evaluation import evaluate
from core.models.names import model_name
from core.runtime.jobs import question
from core.text.lines import lines_of
from core.types import ImageSet, Lens
from pages.ui import lensbar
from pages.ui.downloads import plot
from pages.ui.jobs import here
from pages.ui.switches import switch
from pages.ui.text import finding, quiet

TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]
MOST_TEXTS, SHOWN = 50, 8


LOOK, CONCEPTS, OWN = "look", "concepts", "your own picture"


def chosen(lens: Lens) -> bool:
    """Whether the page looks at a picture of one's own instead of the set's; offered where the model can be run."""
    if lensbar.why_not_live(lens) is not None:
        return False
    look = switch("Look at", LOOK, [CONCEPTS, OWN], bare=True)
    return look == OWN


def own_picture(lens: Lens, image_set: ImageSet, head: DeltaGenerator) -> None:
    """Drop zone, optional texts, and the bars of the answer; the picture stays in this server's memory only."""
    with head:
        finding("Explore", f"What does {model_name(lens.model)} see in a picture of yours?")
        quiet("It stays in this server’s memory and is sent nowhere else.")
    left, right = st.columns([2, 3], gap="large")
    with left:
        upload = st.file_uploader("Picture", type=TYPES, key="own", label_visibility="collapsed")
        typed = st.text_area(
            "Against",
            key="against",
            placeholder="All concepts of the image set. Or type a few sentences, one a line, used as they are.",
            height=110,
            max_chars=4000,
        )
    if upload is None:
        return
    data = upload.getvalue()
    picture = safe_open(data, name="Your picture")
    texts = tuple(dict.fromkeys(line.strip()[:300] for line in lines_of(typed or "") if line.strip()))[:MOST_TEXTS]
    with left:
        small = picture.copy()
        small.thumbnail((320, 320))
        st.image(small, alt="Your picture")
    with right:
        asked = question(
            evaluate.score_pictures, lens, [picture], texts=texts or None, image_set=image_set,
            label="Scoring your picture",
        )  # fmt: skip
        found = here(asked, small=True)
        if found is None:
            return
        cosines, names, probabilities = found
        order = np.argsort(-cosines[0], kind="stable")[:SHOWN]
        by_chance = switch("Scale", "own-scale", ["probability", "cosine"], linked=False)
        values = probabilities[0] if by_chance == "probability" else cosines[0]
        best = [names[label] for label in order]
        figure = top_bars(best, values[order].tolist(), true=None, probability=by_chance == "probability")
        plot(figure, key="own-bars", alt="Best: " + ", ".join(best), toolbar=False)
        quiet(f"Best {len(order)} of {len(names):,}; the probability is a softmax over these {len(names):,} texts.")
