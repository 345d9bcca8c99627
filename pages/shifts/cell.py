"""One cell of the board in pictures: right in distribution and wrong under shift, and frames that flip."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from core.datasets.subset import matched
from core.errors import TailscopeError
from core.robustness.shifts.findings import condition_name
from core.robustness.shifts.measure import hits
from core.runtime import thumbnails as thumbs
from core.stats.format import percent, signed
from core.supervised.ask import answer_of
from core.supervised.names import known_as
from core.types import Answer, ImageSet, Lens, Report, Track
from pages.shifts.shared import image_set_of
from pages.ui import detail, lensbar
from pages.ui import gallery as gallery_ui
from pages.ui.jobs import ask, question, recall, watch
from pages.ui.text import finding_of, quiet, section

CLASSES, INSIDE, OUTSIDE, TRACKS = 8, 4, 12, 6


def answers(lens: Lens, model: str, condition: str) -> tuple[Answer, Answer, ImageSet, ImageSet] | None:
    """The live answers behind a cell (in distribution on the shift's classes, under shift) and their sets."""
    reference, shift = lensbar.images(lens.image_set), image_set_of(condition)
    within = recall(matched, reference, shift)
    thumbs.publish(within)
    try:
        label = f"{known_as(model)} on {condition_name(condition)}"
        job = ask(question(_both, replace(lens, model=model), within, shift, label=label))
    except TailscopeError as error:
        quiet(str(error))
        return None
    if not job.wait(0):
        quiet("The pictures need this model's own answers; they are kept once they are there.")
        watch(job, small=True)
        return None
    return (*job.value(), within, shift)


def _both(lens: Lens, within: ImageSet, shift: ImageSet, *, report: Report) -> tuple[Answer, Answer]:
    return answer_of(lens, within, report=report), answer_of(lens, shift, report=report)


def gallery(lens: Lens, model: str, condition: str) -> None:
    """Per class: pictures that are right in distribution, and pictures that are wrong under the shift."""
    section(
        "Correct in distribution, wrong under shift", "Classes that lose most first. Click a picture to enlarge it."
    )
    found = answers(lens, model, condition)
    if found is None:
        return
    inside, outside, within, shift = found
    shares = _by_class(inside, within), _by_class(outside, shift)
    lost = shares[0] - shares[1]
    ranked = [c for c in np.argsort(-np.nan_to_num(lost, nan=-9.0), kind="stable").tolist() if lost[c] > 0][:CLASSES]
    if not ranked:
        quiet("No class loses accuracy under this shift.")
        return
    first = ranked[0]
    before, now = (percent(share[first]) for share in shares)
    finding_of(
        f"{int((lost > 0).sum()):,} of {int(np.isfinite(lost).sum()):,} classes lose accuracy, "
        f"“{outside.names[first]}” most: {before} correct in distribution, {now} here."
    )
    left, right = st.columns([2, 5], gap="medium")
    groups, kept = [], []
    wrong, good = ~hits(outside, shift), hits(inside, within)
    for label in ranked:
        named = f"{percent(shares[0][label])} in distribution, {percent(shares[1][label])} here"
        places = np.flatnonzero((outside.labels == label) & wrong)
        places = places[np.argsort(outside.margin[places], kind="stable")][:OUTSIDE].tolist()
        items = [gallery_ui.tile(outside, shift, place) for place in places]
        groups.append(
            {"key": outside.keys[label], "title": outside.names[label], "note": named, "rate": "", "items": items}
        )
        before = np.flatnonzero((inside.labels == label) & good)[:INSIDE].tolist()
        tiles = [gallery_ui.tile(inside, within, place) for place in before]
        kept.append({"key": outside.keys[label], "title": outside.names[label], "note": "", "rate": "", "items": tiles})
    with left:
        quiet("Correct in distribution")
        draw = detail.of(Lens(model, within.id, lens.prompts), inside, within)
        gallery_ui.gallery(kept, within, key="shift-right", layout="strips", draw=draw)
    with right:
        quiet(f"Wrong under {condition_name(condition)}")
        draw = detail.of(Lens(model, shift.id, lens.prompts), outside, shift)
        gallery_ui.gallery(groups, shift, key="shift-wrong", layout="strips", draw=draw)


def _by_class(answer: Answer, image_set: ImageSet) -> np.ndarray:
    """Share right of every class, NaN for one without images."""
    n = np.bincount(answer.labels, minlength=len(answer.keys)).astype(float)
    right = np.bincount(answer.labels, weights=hits(answer, image_set), minlength=len(answer.keys))
    return np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)


def frames(lens: Lens, model: str, condition: str) -> None:
    """Sequences whose anchor is right and a frame near it wrong, every frame with its answer."""
    section("Frames", "An anchor (A) and the frames around it: a step to the side, and the answer may flip.")
    shift = image_set_of(condition)
    tracks = shift.tracks
    if not tracks:
        quiet(f"{condition_name(condition)} holds single pictures; choose a shift with frames.")
        return
    found = answers(lens, model, condition)
    if found is None:
        return
    _, outside, _, shift = found
    place = {row: at for at, row in enumerate(outside.rows.tolist())}
    right = hits(outside, shift)
    sure = [t for t in tracks if t.anchor in place and right[place[t.anchor]]]
    flipped = [t for t in sure if not all(right[place[n]] for n in t.neighbours if n in place)]
    finding_of(
        f"Of {len(tracks):,} anchors {known_as(model)} classifies {len(sure):,} correctly; in {len(flipped):,} "
        f"of those some frame nearby flips to another answer."
    )
    if not flipped:
        return
    pages = max(1, -(-len(flipped) // TRACKS))
    number = st.number_input("Page of sequences", 1, pages, key="track-page", width=160) if pages > 1 else 1
    groups = [_track(track, outside, shift, place, right) for track in flipped[(number - 1) * TRACKS : number * TRACKS]]
    draw = detail.of(Lens(model, shift.id, lens.prompts), outside, shift)
    gallery_ui.gallery(groups, shift, key="shift-frames", layout="strips", draw=draw)


def _track(
    track: Track, answer: Answer, image_set: ImageSet, place: dict[int, int], right: np.ndarray
) -> dict[str, Any]:
    """One sequence in order as a strip of the gallery; the anchor is named in the line above it."""
    listed = sorted([(0, track.anchor), *zip(track.offsets, track.neighbours, strict=True)])
    held = [(offset, place[row]) for offset, row in listed if row in place]
    # Correct by the labels that the set allows, which may be several.
    tiles = [gallery_ui.tile(answer, image_set, at) | {"right": bool(right[at])} for _, at in held]
    steps = ", ".join("anchor" if offset == 0 else signed(offset, 0, plus=True) for offset, _ in held)
    label = int(answer.labels[place[track.anchor]])
    about = {"key": answer.keys[label], "title": answer.names[label], "note": f"frames {steps}", "rate": ""}
    return {**about, "items": tiles}
