"""One picture: before, the change magnified, and after, with what is said of both; or a word written on it."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from PIL import Image

from core.charts import top_bars
from core.deck import slides as deck_slides
from core.deck.deck import Picture
from core.robustness.attacks import ATTACKS, find
from core.runtime import thumbnails as thumbs
from core.stats.format import percent
from core.supervised.names import known_as
from core.types import ImageSet, Lens, Report
from pages.attacks import shared
from pages.ui import answers, detail, gallery, pins
from pages.ui.downloads import plot
from pages.ui.jobs import here, question
from pages.ui.text import finding_of, quiet, section

if TYPE_CHECKING:
    from core.robustness.attacks.one_picture import Looked, Said

EPS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
OFFERED = 12


def one_picture(lens: Lens, image_set: ImageSet) -> None:
    """Correct pictures to attack; one is attacked here, a click attacks another in the dialog."""
    ids, offered = list(image_set.image_ids), _offered(lens, image_set)
    result = None if detail.is_open() else st.container()  # the settings stand in the dialog then
    section("Correct images", "Click one to attack it.")
    answer = answers.known_answer(lens)
    if answer is not None:
        places = np.flatnonzero(np.isin(answer.rows, offered))
        order = {row: at for at, row in enumerate(offered)}
        tiles = [gallery.tile(answer, image_set, place) for place in places.tolist()]
        tiles.sort(key=lambda tile: order[ids.index(tile["id"])])
        groups = [{"key": "", "title": "", "items": tiles}]
        gallery.gallery(groups, image_set, key="attackable", draw=lambda row: _one(lens, image_set, row))
    else:
        gallery.opens(image_set, lambda row: _one(lens, image_set, row))
    if result is not None:
        with result:
            _one(lens, image_set, offered[0])


def _one(lens: Lens, image_set: ImageSet, row: int) -> None:
    """The settings of an attack, and what it makes of one picture; on the page or in the dialog, never both."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        attack = shared.choose_attack(tuple(one for one in ATTACKS if one != "letters"), first="pgd")
        if attack == "typographic":
            options = _writing(lens, image_set)
        else:
            eps = st.select_slider("ε, in 255ths", EPS, 2.0, key="eps", bind="query-params", width=260)
            options = {"eps": float(eps), "units": shared.choose_units()}
    label = f"{find(attack).title} on {image_set.image_ids[row]}"
    looked = here(question(_attacked, lens, image_set, row, attack, options, label=label), small=True)
    if looked is not None:
        _show(lens, image_set, attack, looked)


def _offered(lens: Lens, image_set: ImageSet) -> list[int]:
    """Rows of some pictures that are correct before any attack, where an answer is there; else the first ones."""
    answer = answers.known_answer(lens)
    if answer is None:
        return list(range(min(OFFERED, len(image_set.image_ids))))
    right = np.flatnonzero(answer.top[:, 0] == answer.labels)
    right = right if len(right) else np.arange(len(answer.labels))
    return [int(answer.rows[place]) for place in np.random.default_rng(5).permutation(right)[:OFFERED]]


def _attacked(
    lens: Lens, image_set: ImageSet, row: int, attack: str, options: dict[str, Any], *, report: Report
) -> Looked:
    from core.robustness.attacks.one_picture import attack_picture, write_on_picture
    from core.robustness.attacks.plan import Plan

    if attack == "typographic":
        return write_on_picture(lens.model, image_set, row, **options, prompts=lens.prompts, report=report)
    return attack_picture(lens.model, image_set, row, Plan(attack, **options), prompts=lens.prompts, report=report)


def _writing(lens: Lens, image_set: ImageSet) -> dict[str, object]:
    names = list(dict.fromkeys(image_set.names))
    named = st.selectbox(
        "Class to write", names, index=min(1, len(names) - 1), key="written", bind="query-params", width=240
    )
    own = st.text_input("Or any word", key="word", bind="query-params", width=200, placeholder="Up to 60 letters")
    word = (own or "").strip() or named
    copies = st.number_input("Copies", 1, 20, 1, key="copies", bind="query-params", width=110)
    size = st.select_slider("Letters, % of height", (8, 10, 12, 16, 20, 30), 16, key="letters", bind="query-params")
    seed = st.number_input(
        "Places", 0, 999, 0, key="places", bind="query-params", width=110, help="Seed of the places."
    )
    # Limits of inputs hold in the browser only.
    return {"word": str(word), "copies": max(1, min(20, int(copies))), "size": size / 100, "seed": abs(int(seed))}


def _show(lens: Lens, image_set: ImageSet, attack: str, looked: Looked) -> None:
    told = _told(lens, attack, looked)
    finding_of(told)
    crisp = image_set.pixel_art
    shown = (
        ("Before", looked.before, looked.said_before),
        (f"Change × {looked.factor}, grey is none" if looked.factor > 1 else "Change", looked.change, None),
        ("After", looked.after, looked.said_after),
    )
    for column, (title, pixels, said) in zip(st.columns(3, gap="medium"), shown, strict=True):
        with column:
            section(title)
            _image(pixels, f"{title}: {looked.true_name}", crisp=crisp)
            if said is not None:
                figure = top_bars(list(said.names), list(said.probabilities), true=looked.true_name, probability=True)
                alt = f"{title}: " + ", ".join(said.names)
                plot(figure, key=f"one-{title}", alt=alt, toolbar=False)
            elif attack != "typographic":
                quiet(f"Largest change of a value: {looked.largest:.2f} of 255, before rounding to whole ones.")
    shared.about(attack, settings=attack != "typographic")
    pins.pin(
        lambda: deck_slides.comparison_slide(
            told,
            ("", "predicted", "probability", f"of {looked.true_name}"),
            [
                (title, said.names[0], percent(said.probabilities[0]), percent(said.true))
                for title, _, said in shown
                if said
            ],
            f"{known_as(lens.model)} · {lens.image_set} · prompts {lens.prompts} · {find(attack).title}",
            shown=[
                Picture(thumbs.encode(Image.fromarray(pixels), thumbs.SIZES[0]), title, _is_right(said, looked))
                for title, pixels, said in shown
                if said
            ],
        ),
        key="attack-one",
    )


def _is_right(said: Said, looked: Looked) -> bool:
    return said.names[0] == looked.true_name


def _told(lens: Lens, attack: str, looked: Looked) -> str:
    before, after = looked.said_before, looked.said_after
    if attack == "typographic":
        told = f"{looked.placed} {'copy' if looked.placed == 1 else 'copies'} of the word: "
        if after.word is not None and before.word is not None:
            told += f"its class goes from {percent(before.word, 1)} to {percent(after.word, 1)}, "
        return f"{told}“{looked.true_name}” from {percent(before.true, 1)} to {percent(after.true, 1)}."
    if not _is_right(before, looked):
        return f"“{looked.true_name}” is predicted as “{before.names[0]}” before any attack."
    if _is_right(after, looked):
        return (
            f"“{looked.true_name}” stands: its probability goes from {percent(before.true)} to {percent(after.true)} "
            f"under {find(attack).title}."
        )
    return (
        f"“{looked.true_name}” becomes “{after.names[0]}” although no value changes by more than "
        f"{looked.largest:.2f} of 255; its probability falls from {percent(before.true)} to {percent(after.true)}."
    )


def _image(pixels: np.ndarray, alt: str, *, crisp: bool) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    style = f"{'image-rendering:pixelated;' if crisp else ''}width:100%;max-width:320px;border-radius:6px;display:block"
    st.html(f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt, quote=True)}" style="{style}">')
