"""One picture, or a few of one class, under every corruption at every severity, with what is said of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.deck import slides as deck_slides
from core.robustness.corruptions.registry import GROUPS, IN_MEMORY, SEVERITIES, words
from core.robustness.corruptions.views import severity_grid
from core.runtime import thumbnails as thumbs
from core.supervised.names import known_as
from core.types import Answer, ImageSet, Lens
from pages.corruptions import shared
from pages.ui import detail, gallery, pins
from pages.ui.downloads import downloads
from pages.ui.switches import switch
from pages.ui.text import finding_of, quiet, section

MOST = 6


def one_picture(lens: Lens, image_set: ImageSet, other: Lens | None) -> None:
    """Pickers and the grid of each model; a click opens a picture in the dialog."""
    if shared.is_absent():
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = shared.choose_class(image_set)
        whole = st.toggle(f"Up to {MOST} of the class", key="whole", bind="query-params")
        own = np.flatnonzero(np.asarray(image_set.labels) == label).tolist()
        rows = own[:MOST] if whole else [shared.picture_row(lens, image_set, label)]
        group = switch(
            "Corruptions", "group", list(GROUPS), default="weather",
            help="The first four are the fifteen of mCE; extra are the paper's four for tuning.",
        )  # fmt: skip
    corruptions = GROUPS[group]
    grid = severity_grid(image_set, rows, corruptions=corruptions)
    thumbs.publish(grid)
    found = shared.answered({"": lens} if other is None else {"A": lens, "B": other}, grid, "corrupted pictures")
    if not found:
        return
    finding_of(_sentence(image_set.names[label], found, len(rows)))
    quiet(f"Clean, then severity 1 to 5 from left to right; click a picture to enlarge it · {IN_MEMORY} · seed 0")
    first = next(iter(found.values()))
    closer = (
        detail.of(first.lens, first, grid)
        if len(found) == 1
        else detail.side_by_side({known_as(one.lens.model): one for one in found.values()}, grid)
    )
    columns = st.columns(len(found), gap="large") if len(found) > 1 else [st.container()]
    for column, (side, answer) in zip(columns, found.items(), strict=True):
        with column:
            section(f"{side + ': ' if side else ''}{known_as(answer.lens.model)}")
            gallery.gallery(
                [_strip(answer, grid, place, name, len(rows)) for place, name in enumerate(corruptions)],
                grid, key=f"grid-{side}", layout="strips", draw=closer,
            )  # fmt: skip
    header, listed = _rows(found, grid)
    with st.container(horizontal=True):
        downloads("corrupted-pictures", header, listed)
        source = deck_slides.source_line(*found.values())
        pins.pin(
            lambda: deck_slides.comparison_slide(
                _sentence(image_set.names[label], found, len(rows)),
                ("corruption", "correct at severity 1 to 5"),
                [(words(name), _counts(first, place, len(rows))) for place, name in enumerate(corruptions)],
                f"{source} · {IN_MEMORY}",
                shown=deck_slides.pictures(first, grid, list(range(0, len(grid.labels), len(rows)))),
            ),
            key="corruption-grid",
            label="Pin this grid",
        )


def _strip(answer: Answer, grid: ImageSet, place: int, name: str, each: int) -> dict[str, Any]:
    """One corruption: the clean picture and, at every severity, the picture of median margin."""
    blocks = [range(each), *(_block(place, number, each) for number in range(len(SEVERITIES)))]
    middle = [sorted(block, key=lambda row: float(answer.margin[row]))[len(block) // 2] for block in blocks]
    note = f"correct at severity 1 to 5: {_counts(answer, place, each)}"
    tiles = [gallery.tile(answer, grid, row) for row in middle]
    return {"key": "", "title": words(name), "note": note, "rate": "", "items": tiles}


def _block(place: int, number: int, each: int) -> range:
    start = each * (1 + place * len(SEVERITIES) + number)
    return range(start, start + each)


def _counts(answer: Answer, place: int, each: int) -> str:
    right = answer.top[:, 0] == answer.labels
    counts = [int(right[list(_block(place, number, each))].sum()) for number in range(len(SEVERITIES))]
    return ", ".join(map(str, counts)) + (f" of {each}" if each > 1 else " of 1")


def _sentence(name: str, found: Mapping[str, Answer], each: int) -> str:
    parts = []
    for answer in found.values():
        right = answer.top[each:, 0] == answer.labels[each:]
        clean = int((answer.top[:each, 0] == answer.labels[:each]).sum())
        parts.append(
            f"{known_as(answer.lens.model)} classifies {clean} of {each} clean and {int(right.sum())} of {len(right)} "
            f"corrupted pictures of “{name}” correctly"
        )
    return "; ".join(parts) + "."


def _rows(found: Mapping[str, Answer], grid: ImageSet) -> tuple[list[str], list[list[object]]]:
    header = ["model", "image", "true", "predicted", "correct", "margin"]
    listed: list[list[object]] = []
    for answer in found.values():
        for row, id in enumerate(grid.image_ids):
            true, said = int(answer.labels[row]), int(answer.top[row, 0])
            margin = float(answer.margin[row])
            listed.append([answer.lens.model, id, answer.names[true], answer.names[said], true == said, margin])
    return header, listed
