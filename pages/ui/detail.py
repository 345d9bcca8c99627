"""One picture in a dialog over any page: its classes, how sure the model was, which pictures it holds to be alike.

The dialog has an address (``?image=``), leads to the next and the previous picture of the gallery that it was opened
from, and gives the focus back to it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from core.analysis.picture_parts import METHODS, parts_of_lens
from core.charts import top_bars
from core.charts.remedies import parts_figure
from core.deck import slides
from core.evaluation import looks
from core.evaluation.similar import search_for, vector_of
from core.evaluation.standing import Standing, classifier_of, kept, standings
from core.runtime import estimates
from core.runtime import thumbnails as thumbs
from core.runtime.jobs import Question
from core.stats.format import percent
from core.supervised.names import is_supervised
from core.types import Answer, ImageSet, Lens
from pages.ui import address, pins
from pages.ui.downloads import plot
from pages.ui.gallery import ALIKE, Draw, gallery, tile
from pages.ui.jobs import expected, finished, here, question
from pages.ui.switches import switch
from pages.ui.text import plain, quiet, section


def position_of(answer: Answer, image_set: ImageSet, image_id: str | None) -> int | None:
    """Row of the answer that holds this picture, None when there is none."""
    if image_id is None or image_id not in image_set.image_ids:
        return None
    rows = np.flatnonzero(answer.rows == list(image_set.image_ids).index(image_id))
    return int(rows[0]) if len(rows) else None


def picture(image_set: ImageSet, index: int, *, width: int = 320) -> None:
    """One picture, large; icons keep crisp pixels."""
    crisp = "image-rendering:pixelated;" if image_set.pixel_art else ""
    source = html.escape(thumbs.url(image_set, index, size=thumbs.SIZES[1]), quote=True)
    named = html.escape(image_set.names[int(image_set.labels[index])], quote=True)
    style = f"{crisp}width:100%;max-width:{width}px;border-radius:6px;display:block"
    st.html(f'<img src="{source}" alt="{named}" style="{style}">')


def detail(lens: Lens, answer: Answer, image_set: ImageSet, position: int) -> None:
    """The picture beside its classes by cosine, rank and probability, and its nearest neighbours."""
    index, true, predicted = int(answer.rows[position]), int(answer.labels[position]), int(answer.top[position, 0])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        if image_set.has_images:
            picture(image_set, index)
        facts = [f"{name} {value}" for name, value in image_set.details(index).items() if not isinstance(value, bool)]
        quiet(" · ".join([image_set.image_ids[index], *facts]))
        pins.pin(lambda: slides.image_slide(answer, image_set, position), key="picture", label="Pin picture")
    with right:
        verdict = "predicted correctly" if true == predicted else f"predicted as “{answer.names[predicted]}”"
        section(f"“{answer.names[true]}”, {verdict}")
        told = st.container()
        chart = st.container()
        if image_set.has_images:
            _parts(answer, image_set, position)
    # A supervised classifier has no classes as vectors, and its answer holds all that is known of a picture.
    vector = None if is_supervised(answer.lens.model) else _alike(lens, answer, image_set, position)
    found = None if vector is None else _standings(lens, image_set, vector, true)
    with told:
        _told(answer, position, found)
    with chart:
        _chart(answer, found or kept(answer, position), position)


def _parts(answer: Answer, image_set: ImageSet, position: int) -> None:
    """On request, which parts of the picture speak for one of its best classes or the true one."""
    shown = st.expander("Which parts of the picture", key=f"parts-{position}", on_change="rerun")
    if not shown.open:
        return
    with shown:
        labels = list(dict.fromkeys([*answer.top[position].tolist(), int(answer.labels[position])]))
        label = st.selectbox("Class", labels, format_func=lambda one: plain(answer.names[one]), key="parts-class")
        method = switch("By", "parts-method", METHODS, linked=False)
        asked = question(
            parts_of_lens, answer.lens, image_set=image_set, index=int(answer.rows[position]), of=label, method=method,
            label=f"Parts of {image_set.image_ids[int(answer.rows[position])]}",
        )  # fmt: skip
        found = here(asked, small=True, failing="The parts are not known: ")
        if found is None:
            return
        alt = f"Cells of the picture that raise the score of {answer.names[label]}, by {method}"
        plot(parts_figure(found), key=f"parts-map-{position}", alt=alt, toolbar=False)
        quiet("An aid to explanation, not a proof: the map depends on the grid and on what covers a cell.")


def _told(answer: Answer, position: int, found: list[Standing] | None) -> None:
    true, margin = int(answer.labels[position]), float(answer.margin[position])
    told = f"Probability of the predicted class: {percent(answer.probability[position])}. "
    mine = next((one for one in found or () if one.index == true), None)
    if mine is not None and mine.rank != 1:
        likely = "" if mine.probability is None else f", probability {percent(mine.probability, 1)}"
        told += f"True class: rank {mine.rank} of {len(answer.names):,}{likely}. "
    quiet(told + f"Margin {margin:+.3f}: cosine of the true class minus the best other one.".replace("-0.", "−0."))


def _chart(answer: Answer, shown: list[Standing], position: int, *, key: str = "bars") -> None:
    names = [answer.names[one.index] for one in shown]
    figure = top_bars(
        names,
        [one.cosine for one in shown],
        true=answer.names[int(answer.labels[position])],
        ranks=[one.rank for one in shown],
        chances=[one.probability for one in shown],
    )
    alt = "Cosine of the best classes and of the true one: " + ", ".join(names)
    plot(figure, key=f"{key}-{position}", alt=alt, toolbar=False)


def _standings(lens: Lens, image_set: ImageSet, vector: np.ndarray, true: int) -> list[Standing] | None:
    """The classes by the whole classifier, None while it is under way or cannot be had."""
    asked = question(classifier_of, lens, image_set=image_set, label=f"Classifier of {lens.prompts} prompts")
    classifier = here(asked, small=True, failing="Rank and probability of the true class are not known: ")
    return None if classifier is None else standings(vector, classifier, true)


def _alike(lens: Lens, answer: Answer, image_set: ImageSet, position: int) -> np.ndarray | None:
    """The nearest pictures once all are embedded, and the vector of this one, which is embedded first."""
    section(
        "Nearest pictures", "By cosine of the image embeddings: this model's nearest neighbours, whatever the prompts."
    )
    index = int(answer.rows[position])
    searching = question(search_for, lens, image_set=image_set, label=f"Vectors of {lens.image_set}")
    vector: np.ndarray | None = None
    if finished(searching) is None:
        alone = question(vector_of, lens, image_set=image_set, index=index, label="Embedding this picture")
        own = here(alone, small=True, failing="Its vector is not known: ")
        if own is None:
            return None
        (vector,) = own
        if not _worth_it(searching, lens, image_set):
            return vector
    embedded = here(searching, small=True, failing="")
    if embedded is None:
        return vector
    found, search = embedded
    row = np.flatnonzero(found.rows == index)
    if not len(row):
        quiet("This picture could not be embedded, so it has no neighbours.")
        return None
    near = found.rows[search.nearest(int(row[0]), k=6)]
    places = [int(place) for index in near for place in np.flatnonzero(answer.rows == index)]
    items = [tile(answer, image_set, place) for place in places]
    gallery([{"key": "", "title": "", "items": items}], image_set, key=ALIKE, draw=None)
    if search.note:
        quiet(search.note)
    return np.asarray(found.vectors[int(row[0])], np.float32)


def _worth_it(searching: Question[Any], lens: Lens, image_set: ImageSet) -> bool:
    """Whether to embed the other pictures: at once when that is quick, else when a person wants it."""
    label = f"Estimating the time of {lens.image_set}"
    timing = question(looks.estimate, replace(lens, frequency=""), image_set=image_set, label=label)
    wanted: set[str] = st.session_state.setdefault("_nearest", set())
    if not expected(timing):
        return False
    took = finished(timing)
    if took is None or took.seconds < estimates.WORTH_SAYING or searching.key in wanted:
        return True
    st.button("Embed all and find them", key="find-nearest", on_click=wanted.add, args=(searching.key,))
    return False


def of(lens: Lens, answer: Answer, image_set: ImageSet) -> Draw:
    """What the dialog shows of a picture under one answer."""

    def draw(index: int) -> None:
        position = position_of(answer, image_set, image_set.image_ids[index])
        if position is None:
            picture(image_set, index)
            quiet("This picture could not be embedded, so there is no answer for it.")
        else:
            detail(lens, answer, image_set, position)

    return draw


def side_by_side(answers: Mapping[str, Answer], image_set: ImageSet) -> Draw:
    """What the dialog shows of a picture under several answers: label -> answer."""

    def draw(index: int) -> None:
        columns = st.columns(1 + len(answers), gap="large")
        with columns[0]:
            picture(image_set, index)
            quiet(f"{image_set.names[int(image_set.labels[index])]} · {image_set.image_ids[index]}")
        for number, (column, (label, answer)) in enumerate(zip(columns[1:], answers.items(), strict=True)):
            position = position_of(answer, image_set, image_set.image_ids[index])
            with column:
                section(label)
                if position is None:
                    quiet("This picture could not be embedded, so there is no answer for it.")
                    continue
                _told(answer, position, None)
                _chart(answer, kept(answer, position), position, key=f"bars-{number}")
                pins.pin(
                    partial(slides.image_slide, answer, image_set, position), key=f"side-{number}", label="Pin picture"
                )

    return draw


def is_open() -> bool:
    """Whether the dialog of this page is open in this run, or opens by a link; call it before the page is drawn."""
    page = st.session_state["_page"]
    if st.session_state.get("_looked_from") != page or address.restored():
        linked = st.query_params.get("image")
        # Streamlit writes a bound value into the address only if its key was there in an earlier run.
        st.session_state.update(_looked_from=page, _enlarge=page if linked else "", _among=[], image=linked)
    return st.session_state.get("_enlarge") == page and bool(st.session_state.get("image"))


def enlarged() -> None:
    """Keep the dialog open on the picture of this page that was clicked or linked, until it is closed.

    Call it when the page is drawn: its galleries have told what can be opened.
    """
    st.session_state.pop("_refocus", None)
    shown: list[tuple[ImageSet, Draw]] = st.session_state.pop("_opens", [])
    if not is_open() or not shown:
        return
    picked = st.session_state["image"]
    for image_set, draw in shown:
        if picked in image_set.image_ids:
            _dialog(image_set, draw)
            return
    with st.sidebar:
        quiet(f"{shown[0][0].id} has no picture “{picked}”.")


def _close() -> None:
    st.session_state.update(_enlarge="", _refocus=st.session_state.get("image"), image=None)


@st.dialog("Picture", width="large", on_dismiss=_close)
def _dialog(image_set: ImageSet, draw: Draw) -> None:
    here = st.session_state.get("image")
    among = _among(image_set, here)
    place = among.index(here) if here in among else -1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, key, to in (("Previous", "Left", place - 1), ("Next", "Right", place + 1)):
            there = among[to] if 0 <= to < len(among) else None
            st.button(label, key=f"go-{key}", shortcut=key, disabled=there is None, on_click=_go, args=(there,))
        picked = st.selectbox(
            "Picture", among, index=None, key="image", bind="query-params", label_visibility="collapsed", width=420,
            placeholder="Choose a picture",
        )  # fmt: skip
    if picked:
        draw(list(image_set.image_ids).index(picked))


def _go(there: str | None) -> None:
    st.session_state["image"] = there


def _among(image_set: ImageSet, here: str | None) -> list[str]:
    """Where next and previous lead: the gallery that the picture was clicked in, else the pictures of its class."""
    clicked = st.session_state.get("_among") or []
    if here is None or here in clicked:
        return clicked
    same = np.flatnonzero(image_set.labels == image_set.labels[list(image_set.image_ids).index(here)])
    return [image_set.image_ids[index] for index in same.tolist()]
