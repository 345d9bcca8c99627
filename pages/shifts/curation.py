"""Curation: what to look at in one's own image set, near-duplicates and outliers with their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.robustness.shifts import curation as curating
from core.robustness.shifts import overlap as overlaps
from core.robustness.shifts.overlap import COSINE, DIFFERENT_BITS, Pair
from core.types import Answer, ImageSet, Lens, Report
from pages.ui import answers, detail, gallery
from pages.ui.downloads import downloads
from pages.ui.jobs import expected, finished, here, question
from pages.ui.text import quiet, section

SHOWN = 12


def curation(lens: Lens, image_set: ImageSet) -> str:
    """Near-duplicates within the set and outliers of its classes.

    Returns:
        what was found, in one sentence, for the head of the page.
    """
    with st.container(horizontal=True):
        cosine = st.number_input("Min. cosine", 0.5, 1.0, COSINE, 0.01, key="curation-cosine", width=150)
        bits = st.number_input("Max. hash distance", 0, 64, DIFFERENT_BITS, key="curation-bits", width=150)
    asked = question(_check, lens, image_set, cosine, int(bits), label=f"Checking {image_set.id}")
    timing = question(overlaps.estimate, lens.model, [image_set], label=f"Estimating the time of {image_set.id}")
    known = finished(asked) is not None or expected(timing)
    found = here(asked, failing="") if known else None
    if found is None:
        return f"Checking {image_set.id} for near-duplicates and outliers."
    answer = answers.answer_for(lens)
    place = {image_set.image_ids[int(row)]: position for position, row in enumerate(answer.rows)}
    draw = detail.of(lens, answer, image_set)

    section("Near-duplicates", "Vectors and 64-bit hashes (DCT) both agree; pictures with different classes first.")
    header, rows = curating.pair_rows(found.pairs, image_set)
    if rows:
        pairs = {(one.image, one.other): one for one in found.pairs}
        ranked = [pairs[str(row[0]), str(row[2])] for row in rows[:SHOWN]]
        groups = [_pair(one, answer, image_set, place) for one in ranked]
        gallery.gallery(groups, image_set, key="near-duplicates", layout="pairs", draw=draw)
        _table(header, rows, "curation-pairs")
    else:
        quiet("None at these thresholds.")

    section(
        "Outliers",
        f"Cosine with the mean of the other pictures of the class, more than {curating.SCORE:g} modified z-scores "
        "(Iglewicz and Hoaglin, 1993) below its median: wrong labels, broken pictures, or rare views worth keeping.",
    )
    if found.outliers:
        held = [place[one.image] for one in found.outliers[: 2 * SHOWN] if one.image in place]
        items = [gallery.tile(answer, image_set, at) for at in held]
        about = {"key": "", "title": "Least like their class", "note": "", "rate": ""}
        gallery.gallery([{**about, "items": items}], image_set, key="outliers", layout="grid", draw=draw)
        listed = [[one.image, one.key, one.cosine, one.score, one.nearest] for one in found.outliers]
        _table(["image", "class", "cosine", "score", "nearest_class"], listed, "curation-outliers")
    else:
        quiet("None.")
    return curating.headline(found)


def _check(lens: Lens, image_set: ImageSet, cosine: float, bits: int, *, report: Report) -> curating.Curation:
    """Runs on the engine's worker."""
    return curating.curate(lens.model, image_set, cosine=cosine, bits=bits, report=report)


def _pair(one: Pair, answer: Answer, image_set: ImageSet, place: dict[str, int]) -> dict[str, Any]:
    held = [place[id] for id in (one.image, one.other) if id in place]
    label = int(answer.labels[held[0]]) if held else 0
    return {
        "key": answer.keys[label],
        "title": answer.names[label],
        "note": f"cosine {one.cosine:.3f}, {one.bits} bits differ",
        "rate": "",
        "items": [gallery.tile(answer, image_set, at) for at in held],
    }


def _table(header: Sequence[str], rows: Sequence[Sequence[object]], name: str) -> None:
    st.dataframe(pd.DataFrame(rows, columns=list(header)), hide_index=True, key=name, alt=name.replace("-", " "))
    downloads(name, list(header), [list(row) for row in rows])
