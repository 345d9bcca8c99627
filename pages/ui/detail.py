"""One picture under the lens: what the model said, how sure it was, and which pictures it holds to be alike."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.charts import top_bars
from core.errors import TailscopeError
from core.evaluation.similar import search_for
from core.runtime import thumbnails as thumbs
from core.types import Answer, ImageSet, Lens
from pages.ui.gallery import gallery, tile
from pages.ui.jobs import ask, question, watch
from pages.ui.text import quiet, section


def position_of(answer: Answer, image_set: ImageSet, image_id: str | None) -> int | None:
    """Row of the answer that holds this picture, None when there is none."""
    if image_id is None or image_id not in image_set.image_ids:
        return None
    rows = np.flatnonzero(answer.rows == list(image_set.image_ids).index(image_id))
    return int(rows[0]) if len(rows) else None


def chosen_picture(image_set: ImageSet, offered: Sequence[str]) -> str | None:
    """The picture that was clicked or linked, with a box to step to another; it lives in the URL."""
    linked = st.session_state.get("image") or st.query_params.get("image")
    options = list(dict.fromkeys([*offered, *([linked] if linked and linked in image_set.image_ids else [])]))
    st.divider()
    return st.selectbox(
        "Look closely at",
        options,
        index=None,
        key="image",
        bind="query-params",
        placeholder="Click a picture, or choose one here",
        width=420,
    )


def picture(image_set: ImageSet, index: int, *, width: int = 320) -> None:
    """One picture, large; icons keep crisp pixels."""
    crisp = "image-rendering:pixelated;" if image_set.pixel_art else ""
    source = html.escape(thumbs.url(image_set, index, size=thumbs.SIZES[1]), quote=True)
    named = html.escape(image_set.names[int(image_set.labels[index])], quote=True)
    style = f"{crisp}width:100%;max-width:{width}px;border-radius:6px;display:block"
    st.html(f'<img src="{source}" alt="{named}" style="{style}">')


def detail(lens: Lens, answer: Answer, image_set: ImageSet, position: int) -> None:
    """The picture beside its best classes, a sentence on margin and probability, and its nearest neighbours."""
    index, true, said = int(answer.rows[position]), int(answer.labels[position]), int(answer.top[position, 0])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        if image_set.has_images:
            picture(image_set, index)
        facts = [f"{name} {value}" for name, value in image_set.details(index).items() if not isinstance(value, bool)]
        quiet(" · ".join([image_set.image_ids[index], *facts]))
    with right:
        margin = float(answer.margin[position])
        verdict = "recognised" if true == said else f"taken for “{answer.names[said]}”"
        section(f"“{answer.names[true]}”, {verdict}")
        quiet(
            f"Probability of the class said: {100 * answer.probability[position]:.0f} %. "
            f"Margin {margin:+.3f}: cosine of the true class minus the best other one.".replace("-0.", "−0.")
        )
        names = [answer.names[label] for label in answer.top[position]]
        figure = top_bars(names, answer.scores[position].tolist(), true=answer.names[true])
        alt = "Cosine of the best classes: " + ", ".join(names)
        st.plotly_chart(figure, config={"displayModeBar": False}, key=f"bars-{position}", alt=alt)
    _alike(lens, answer, image_set, position)


def _alike(lens: Lens, answer: Answer, image_set: ImageSet, position: int) -> None:
    section("Nearest pictures", "By cosine of the image embeddings alone: what this model holds to be alike.")
    try:
        job = ask(question(search_for, lens, image_set=image_set, label=f"Vectors of {lens.image_set}"))
    except TailscopeError as error:
        quiet(str(error))
        return
    if not job.wait(0):
        watch(job, small=True)
        return
    found, search = job.value()
    row = np.flatnonzero(found.rows == answer.rows[position])
    if not len(row):
        quiet("This picture could not be embedded, so it has no neighbours.")
        return
    near = found.rows[search.nearest(int(row[0]), k=6)]
    places = [int(place) for index in near for place in np.flatnonzero(answer.rows == index)]
    items = [tile(answer, image_set, place) for place in places]
    gallery([{"key": "", "title": "", "items": items}], image_set, key="alike")
    if search.note:
        quiet(search.note)


def _close() -> None:
    st.session_state.pop("_enlarge", None)


@st.dialog("Picture", width="large", on_dismiss=_close)
def enlarge(lens: Lens, answer: Answer, image_set: ImageSet, position: int) -> None:
    """The detail as a dialog over pages that have no place of their own for it."""
    detail(lens, answer, image_set, position)


def enlarge_picked(lens: Lens, answer: Answer, image_set: ImageSet) -> None:
    """Keep the dialog open from the click on a picture of this page until the person closes it."""
    if st.session_state.get("_enlarge") == st.session_state["_page"]:
        position = position_of(answer, image_set, st.session_state.get("image"))
        if position is not None:
            enlarge(lens, answer, image_set, position)
