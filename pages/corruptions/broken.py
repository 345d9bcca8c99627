"""What one condition breaks: images right when clean and wrong under it."""

from __future__ import annotations

import numpy as np

from core.deck import slides as deck_slides
from core.robustness.corruptions import findings
from core.robustness.corruptions.registry import IN_MEMORY, words
from core.robustness.corruptions.views import corrupted
from core.robustness.records import Record
from core.robustness.sampling import balanced_rows
from core.runtime import thumbnails as thumbs
from core.stats.format import percent
from core.supervised.ask import answer_of
from core.supervised.names import known_as
from core.types import Answer, ImageSet, Lens, Report
from pages.corruptions import shared as shared_view
from pages.ui import detail, gallery, pins
from pages.ui.jobs import here, question
from pages.ui.text import quiet, section

SHOWN = 24


def _answers(
    lens: Lens, image_set: ImageSet, name: str, severity: int, seed: int, rows: np.ndarray, *, report: Report
) -> list[Answer]:
    """The answers on the clean and on the corrupted sample."""
    views = [corrupted(image_set, *one, seed=seed, rows=rows) for one in ((None, 0), (name, severity))]
    return [answer_of(lens, one, report=report) for one in views]


def broken_pictures(lens: Lens, image_set: ImageSet, records: list[Record], chosen: tuple[str, int]) -> None:
    """Images of the sample that are right when clean and wrong under the chosen condition."""
    if shared_view.is_absent():
        return
    name, severity = chosen
    section(f"Broken by {words(name)} {severity}", "Correct when clean, wrong now; the most confident mistakes first.")
    before = findings.clean(records)
    per_class = 1 if before is None or before.n <= len(image_set.keys) else round(before.n / len(image_set.keys))
    seed = records[0].seed or 0
    rows = balanced_rows(image_set.labels, per_class, seed=seed)
    label = f"{words(name)} {severity} on {known_as(lens.model)}"
    found = here(question(_answers, lens, image_set, name, severity, seed, rows, label=label), small=True)
    if found is None:
        return
    clean, after = found
    shared = np.intersect1d(clean.rows, after.rows)
    at_first, now = np.searchsorted(clean.rows, shared), np.searchsorted(after.rows, shared)
    lost = now[(clean.top[at_first, 0] == clean.labels[at_first]) & (after.top[now, 0] != after.labels[now])]
    lost = lost[np.argsort(after.margin[lost], kind="stable")]
    view = corrupted(image_set, name, severity, seed=seed, rows=rows)
    thumbs.publish(view)
    right = int((clean.top[at_first, 0] == clean.labels[at_first]).sum())
    quiet(f"{len(lost):,} of {right:,} correct images.")
    tiles = [gallery.tile(after, view, place) for place in lost[:SHOWN].tolist()]
    groups = [{"key": "", "title": "", "items": tiles}] if tiles else []
    gallery.gallery(
        groups, view, key="broken", empty="No correct image is wrong under this condition.",
        draw=detail.of(after.lens, after, view),
    )  # fmt: skip
    pins.pin(
        lambda: deck_slides.comparison_slide(
            f"{words(name)} {severity} breaks {len(lost):,} of {right:,} images",
            ("condition", "accuracy"),
            [("clean", percent(clean.acc1)), (f"{words(name)} {severity}", percent(after.acc1))],
            f"{deck_slides.source_line(after, clean)} · {IN_MEMORY}",
            shown=deck_slides.pictures(after, view, lost.tolist()),
        ),
        key="broken",
        label="Pin these pictures",
    )
