"""One picture along a perturbation sequence: what is said of every frame, and where the answer flips."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

import numpy as np
import streamlit as st

from core.charts.corruptions import frame_margins
from core.deck import slides as deck_slides
from core.robustness.corruptions.metrics import flips, top5_distance
from core.robustness.corruptions.perturbation_run import IN_MEMORY
from core.robustness.corruptions.perturbations import PERTURBATIONS, is_noise, sequences
from core.robustness.corruptions.registry import words
from core.runtime import thumbnails as thumbs
from core.supervised.names import known_as
from core.types import Answer, ImageSet, Lens
from pages.corruptions import shared, videos
from pages.ui import detail, gallery
from pages.ui.downloads import downloads, plot
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

SOURCES = ("in memory", "ImageNet-P's files")


def sequences_of_frames(lens: Lens, image_set: ImageSet, other: Lens | None) -> None:
    """Pickers, margins along the sequence, and the frames on both sides of every flip."""
    source = switch(
        "Frames", "frames-from", SOURCES,
        help="in memory: made of a picture of the image set. ImageNet-P's files: the published videos on this disk.",
    )  # fmt: skip
    if source == SOURCES[1]:
        videos.published_sequences(lens, other)
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = shared.choose_class(image_set)
        row = shared.picture_row(lens, image_set, label)
        if st.session_state.get("perturbation") not in (None, *PERTURBATIONS):
            st.session_state.pop("perturbation")
        name = st.selectbox(
            "Perturbation", PERTURBATIONS, key="perturbation", bind="query-params", format_func=words, width=220,
            help="Ten of ImageNet-P, made in memory from the picture itself. Noise is compared with the first frame, "
            "everything else with the frame before.",
        )  # fmt: skip
    view = sequences(image_set, name or PERTURBATIONS[0], [row])
    thumbs.publish(view)
    lenses = {known_as(one.model): one for one in (lens, other) if one is not None}
    if found := shared.answered(lenses, view, words(name)):
        show(found, view, name, image_set.names[label], made=IN_MEMORY)


def show(found: Mapping[str, Answer], view: ImageSet, name: str, truth: str, *, made: str) -> None:
    """Margins along one sequence, and the frames on both sides of every flip.

    Args:
        found: answers by model; view: the frames; truth: the class of the picture; made: where the frames come from.
    """
    noise, steps = is_noise(name), len(view.labels) - 1
    flipped = {model: _flips(answer, noise) for model, answer in found.items()}
    told = "; ".join(
        f"{model} flips {len(flipped[model])} times in {steps} steps (FP {len(flipped[model]) / steps:.2f}"
        f"{_distance(answer, noise)})"
        for model, answer in found.items()
    )
    sentence = f"“{truth}” under {words(name)}: {told}."
    finding_of(sentence)
    figure = frame_margins(
        {model: answer.margin.tolist() for model, answer in found.items()},
        {model: (answer.top[:, 0] == answer.labels).tolist() for model, answer in found.items()},
        flipped,
    )
    plot(figure, key="frames", alt=sentence)
    quiet(
        "Dotted rules stand where the answer differs from "
        + ("that of the first frame." if noise else "that of the frame before.")
        + " Supervised models give logits, zero-shot ones cosines, so only the sign of their margins can be compared."
    )
    closer = detail.side_by_side(found, view)
    for number, (model, answer) in enumerate(found.items()):
        section(model, _story(answer))
        shown = _frames_to_show(flipped[model], steps + 1)
        tiles = [gallery.tile(answer, view, frame) for frame in shown]
        groups = [{"key": "", "title": "", "items": tiles}]
        gallery.gallery(groups, view, key=f"frames-{number}", draw=closer)
    rows = [
        [
            answer.lens.model,
            frame,
            answer.names[int(answer.top[frame, 0])],
            float(answer.margin[frame]),
            frame in flipped[model],
        ]
        for model, answer in found.items()
        for frame in range(len(answer.rows))
    ]
    source = f"{deck_slides.source_line(*found.values())} · {made}"
    downloads(
        "sequence",
        ["model", "frame", "predicted", "margin", "flip"],
        rows,
        figure=figure,
        title=sentence,
        source=source,
    )


def _flips(answer: Answer, noise: bool) -> list[int]:
    return (np.flatnonzero(flips(answer.top[None, :, 0], noise=noise)[0]) + 1).tolist()


def _distance(answer: Answer, noise: bool) -> str:
    return f", top-5 distance {top5_distance(answer.top[None], noise=noise):.1f}" if answer.top.shape[1] == 5 else ""


def _story(answer: Answer) -> str:
    """What was said in a row: ``anchor ×12, key ×3, anchor ×16``."""
    runs = [(label, len(list(same))) for label, same in groupby(answer.top[:, 0].tolist())]
    told = [f"{answer.names[label]} ×{times}" for label, times in runs[:10]]
    return ", then ".join(told) + (f" and {len(runs) - 10} more changes" if len(runs) > 10 else "")


def _frames_to_show(flipped: list[int], frames: int) -> list[int]:
    """Every fifth frame, and those on both sides of a flip."""
    return sorted({*range(0, frames, 5), *flipped[:8], *(frame - 1 for frame in flipped[:8])})
