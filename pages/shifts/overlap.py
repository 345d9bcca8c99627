"""Overlap: accuracy with and without the images that a training set holds too."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from cache import keys
from core.deck import slides as deck_slides
from core.errors import BadInput
from core.robustness.shifts import overlap as overlaps
from core.robustness.shifts.measure import hits
from core.stats.format import percent, points
from core.supervised.names import known_as
from core.types import ImageSet, Lens, Report
from pages.ui import answers, lensbar, pins, served
from pages.ui.downloads import downloads
from pages.ui.jobs import expected, finished, here, question
from pages.ui.text import quiet, section

NOTHING = "Check for test images that are also in the training set: give a list of them, or a set to search."


def overlap_view(lens: Lens, image_set: ImageSet) -> str:
    """A list of ids or a folder to search; then accuracy on all, overlapping and clean images.

    Returns:
        what was found, in one sentence, for the head of the page.
    """
    section(
        "Train–test overlap",
        "Give a list of known duplicates, or a folder of training images to find near-duplicates in.",
    )
    left, right = st.columns(2, gap="large")
    with left:
        given = st.file_uploader("List of image ids (text or CSV)", type=["txt", "csv"], key="overlap-list")
    with right:
        folder = st.text_input(
            "Or a set to search", key="overlap-set", bind="query-params", placeholder="/path/to/training/images",
            help="Any image set. A pair counts when its vectors have the cosine and its 64-bit hashes (DCT) differ in "
            "no more bits than below: either alone also finds pictures that are merely alike.",
        )  # fmt: skip
        with st.container(horizontal=True):
            cosine = st.number_input("Min. cosine", 0.5, 1.0, overlaps.COSINE, 0.01, key="overlap-cosine", width=150)
            bits = st.number_input("Max. hash distance", 0, 64, overlaps.DIFFERENT_BITS, key="overlap-bits", width=150)
    pairs: Sequence[overlaps.Pair] = ()
    if given is not None:
        rows, unknown = overlaps.locate(image_set, overlaps.read_ids(given.getvalue(), name=given.name))
        source = given.name
        if unknown:
            quiet(f"{len(unknown):,} listed names are no image of this set, first {unknown[0][:120]}.")
    elif folder:
        searched = _search(lens, image_set, folder, cosine, int(bits))
        if searched is None:
            return NOTHING
        pairs, source = searched, folder
        rows, _ = overlaps.locate(image_set, [pair.image for pair in pairs])
    else:
        return NOTHING
    try:
        return _result(lens, image_set, rows, pairs, source)
    except BadInput as error:
        return str(error)


def _search(lens: Lens, image_set: ImageSet, folder: str, cosine: float, bits: int) -> list[overlaps.Pair] | None:
    id = served.image_set(folder)
    other = lensbar.images(id)
    if other.fingerprint == image_set.fingerprint:
        quiet("This is the image set itself; near-duplicates within it are under the view curation.")
        return None
    asked = question(_find, lens, image_set, other, cosine, bits, label=f"Comparing {image_set.id} with {id}")
    timing = question(overlaps.estimate, lens.model, [image_set, other], label=f"Estimating the time of {id}")
    if finished(asked) is None and not expected(timing):
        return None
    return here(asked, failing="")


def _find(
    lens: Lens, image_set: ImageSet, other: ImageSet, cosine: float, bits: int, *, report: Report
) -> list[overlaps.Pair]:
    return overlaps.find(lens.model, image_set, other, cosine=cosine, bits=bits, report=report)


def _result(lens: Lens, image_set: ImageSet, rows: set[int], pairs: Sequence[overlaps.Pair], source: str) -> str:
    answer = answers.answer_for(lens)
    found = overlaps.overlap(answer, hits(answer, image_set), rows)
    gap = found.gap
    sure = "more than noise" if gap.low > 0 or gap.high < 0 else "no more than noise"
    told = (
        f"{found.n['overlapping']:,} of {found.n['all']:,} images overlap; {known_as(lens.model)} gets "
        f"{percent(found.overlapping.value, 1)} of them correct and {percent(found.clean.value, 1)} of the clean ones: "
        f"{points(gap.value, plus=True)} points (95 % CI {points(gap.low, plus=True)} to {points(gap.high, plus=True)})"
        f", {sure}."
    )
    quiet(f"Without the overlap accuracy changes by {points(-found.gain, 2, plus=True)} points · {source}")
    shares = (("all", found.all), ("overlapping", found.overlapping), ("clean", found.clean))
    header = ["images", "accuracy", "low", "high", "n"]
    listed = [(name, share.value, share.low, share.high, found.n[name]) for name, share in shares]
    frame = pd.DataFrame(listed, columns=header)
    frame[header[1:4]] *= 100
    columns = {name: st.column_config.NumberColumn(name.capitalize(), format="%.1f %%") for name in header[1:4]}
    st.dataframe(
        frame, hide_index=True, key="overlap-table", column_config=columns, alt="Accuracy with and without overlap"
    )
    with st.container(horizontal=True):
        downloads("overlap", header, listed)
        shown = [
            [name, *(percent(end, 1) for end in (share.value, share.low, share.high)), found.n[name]]
            for name, share in shares
        ]
        source = deck_slides.source_line(answer)
        pins.pin(lambda: deck_slides.comparison_slide(told, header, shown, source), key="overlap", label="Pin table")
    if pairs:
        section("Pairs", "Most alike first; the other name is the picture in the searched set.")
        ranked = sorted(pairs, key=lambda pair: (pair.bits, -pair.cosine))
        names = ["image", "other", "cosine", "bits"]
        values = [[pair.image, pair.other, pair.cosine, pair.bits] for pair in ranked]
        st.dataframe(
            pd.DataFrame(values, columns=names), hide_index=True, key=f"pairs-{keys.digest(source)[:6]}", alt="Pairs"
        )
        downloads("overlap-pairs", names, values)
    return told
