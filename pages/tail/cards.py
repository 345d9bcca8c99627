"""The rarest concepts with their pictures, as cards and as a slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.analysis import findings
from core.deck import slides as deck_slides
from core.deck.deck import Slide
from core.types import Answer, ImageSet
from pages.ui import detail, gallery, pins


def concept_cards(
    answer: Answer,
    image_set: ImageSet,
    shown: Sequence[int],
    counts: Mapping[str, int],
    flags: Mapping[str, tuple[str, ...]],
) -> None:
    """A card with five pictures for each concept."""
    gallery.gallery(
        [
            gallery.group(answer, image_set, label, gallery.positions_of(answer, label, most=5), counts, flags)
            for label in shown
        ],
        image_set,
        key="cards",
        draw=detail.of(answer.lens, answer, image_set),
        layout="cards",
        empty="The concepts of the tail have no pictures in this set.",
    )


def pin(answer: Answer, image_set: ImageSet, shown: Sequence[int], counts: Mapping[str, int], sentence: str) -> None:
    """The button that pins these concepts."""
    pins.pin(lambda: _slide(answer, image_set, shown, counts, sentence), key="tail", label="Pin these concepts")


def _slide(
    answer: Answer, image_set: ImageSet, shown: Sequence[int], counts: Mapping[str, int], sentence: str
) -> Slide:
    """The finding, these concepts with count and accuracy, and the worst picture of each."""
    rows = [
        (score.name, f"{counts[score.key]:,}", f"{findings.percent(score.accuracy)} of {score.n}")
        for score in (answer.classes[label] for label in shown)
    ]
    worst = [place for label in shown for place in gallery.positions_of(answer, label, most=1)]
    return deck_slides.comparison_slide(
        sentence, ("concept", "count", "correct"), rows, deck_slides.source_line(answer),
        shown=deck_slides.pictures(answer, image_set, worst),
    )  # fmt: skip
