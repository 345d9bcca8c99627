"""One cell of the board in pictures: right in distribution and wrong under shift, and frames that flip."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from core.datasets.subset import matched
from core.errors import TailscopeError
from core.robustness.shifts.findings import condition_name
from core.robustness.shifts.measure import hits
from core.runtime import thumbnails as thumbs
from core.stats.format import signed
from core.supervised.ask import answer_of
from core.supervised.names import is_supervised, known_as
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
    closely = "" if is_supervised(model) else " Click a picture to enlarge it."
    section("Right in distribution, wrong under shift", f"Classes that lose most first.{closely}")
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
    before, now = (f"{100 * share[first]:.0f} %" for share in shares)
    finding_of(
        f"{int((lost > 0).sum()):,} of {int(np.isfinite(lost).sum()):,} classes lose accuracy, "
        f"“{outside.names[first]}” most: {before} right in distribution, {now} here."
    )
    left, right = st.columns([2, 5], gap="medium")
    groups, rows = [], []
    wrong, good = ~hits(outside, shift), hits(inside, within)
    for label in ranked:
        named = f"{100 * shares[0][label]:.0f} % in distribution, {100 * shares[1][label]:.0f} % here"
        places = np.flatnonzero((outside.labels == label) & wrong)
        places = places[np.argsort(outside.margin[places], kind="stable")][:OUTSIDE].tolist()
        items = [gallery_ui.tile(outside, shift, place) for place in places]
        groups.append(
            {"key": outside.keys[label], "title": outside.names[label], "note": named, "rate": "", "items": items}
        )
        rows.append((outside.names[label], np.flatnonzero((inside.labels == label) & good)[:INSIDE].tolist()))
    with left:
        quiet("Right in distribution")
        _inside(rows, inside, within)
    with right:
        quiet(f"Wrong under {condition_name(condition)}")
        gallery_ui.gallery(groups, shift, key="shift-wrong", layout="strips")
    if not is_supervised(model):
        detail.enlarge_picked(Lens(model, shift.id, lens.prompts), outside, shift)


def _by_class(answer: Answer, image_set: ImageSet) -> np.ndarray:
    """Share right of every class, NaN for one without images."""
    n = np.bincount(answer.labels, minlength=len(answer.keys)).astype(float)
    right = np.bincount(answer.labels, weights=hits(answer, image_set), minlength=len(answer.keys))
    return np.divide(right, n, out=np.full(len(n), np.nan), where=n > 0)


def _inside(rows: Sequence[tuple[str, list[int]]], answer: Answer, image_set: ImageSet) -> None:
    """A few pictures of each class in distribution; they stand for comparison only."""
    crisp = "image-rendering:pixelated;" if image_set.pixel_art else ""
    parts = []
    for name, places in rows:
        pictures = "".join(
            f'<img src="{html.escape(thumbs.url(image_set, int(answer.rows[place])), quote=True)}" loading="lazy" '
            f'alt="{html.escape(name, quote=True)}, right" style="{crisp}width:72px;border-radius:4px">'
            for place in places
        )
        parts.append(
            f'<div style="font-weight:600;margin:.7rem 0 .3rem">{html.escape(name)}</div>'
            f'<div style="display:flex;gap:.3rem;flex-wrap:wrap">{pictures or "none is right"}</div>'
        )
    st.html("".join(parts))


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
        f"Of {len(tracks):,} anchors {known_as(model)} gets {len(sure):,} right; in {len(flipped):,} of those some "
        f"frame nearby flips to another answer."
    )
    if not flipped:
        return
    pages = max(1, -(-len(flipped) // TRACKS))
    number = st.number_input("Page of sequences", 1, pages, key="track-page", width=160) if pages > 1 else 1
    for track in flipped[(number - 1) * TRACKS : number * TRACKS]:
        _strip(track, outside, shift, place, right)


def _strip(track: Track, answer: Answer, image_set: ImageSet, place: dict[int, int], right: np.ndarray) -> None:
    listed = sorted([(0, track.anchor), *zip(track.offsets, track.neighbours, strict=True)])
    crisp = "image-rendering:pixelated;" if image_set.pixel_art else ""
    cells = []
    for offset, row in listed:
        if row not in place:
            continue
        ok, said = bool(right[place[row]]), answer.names[int(answer.top[place[row], 0])]
        colour, mark = ("#2f7ed8", "✓") if ok else ("#e07b1f", "✗")
        source = html.escape(thumbs.url(image_set, row), quote=True)
        step = "A" if offset == 0 else signed(offset, 0, plus=True)
        cells.append(
            f'<figure style="margin:0;width:84px;font-size:.75rem;line-height:1.25">'
            f'<img src="{source}" loading="lazy" alt="frame {step}, said {html.escape(said, quote=True)}" '
            f'style="{crisp}width:84px;border-radius:4px;border:{3 if offset == 0 else 2}px solid {colour}">'
            f'<figcaption><span style="color:{colour}">{mark}</span> {step} {html.escape(said)}</figcaption></figure>'
        )
    true = html.escape(answer.names[int(answer.labels[place[track.anchor]])])
    st.html(
        f'<div style="font-weight:600;margin:.6rem 0 .3rem">{true}</div>'
        f'<div style="display:flex;gap:.35rem;flex-wrap:wrap">{"".join(cells)}</div>'
    )
