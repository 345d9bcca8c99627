"""What a pin makes of the thing it stands beside: slides from answers, comparisons and figures."""

from __future__ import annotations

from collections.abc import Sequence

from core.analysis import findings
from core.deck.deck import MOST_PICTURES, Picture, Slide, figure_json, table
from core.frequency import sources
from core.models.names import model_name
from core.runtime import thumbnails as thumbs
from core.runtime.content import digest_of
from core.stats.format import signed
from core.types import ORIGINS, Answer, ImageSet

INPUTS = "inputs"
"""Stands before the digest of what numbers were computed from."""


def source_line(answer: Answer, *more: Answer) -> str:
    """Where the numbers of answers come from, in one line, with a digest of what they were computed from.

    The line is of the first; the digest (8 hex characters) is of the weights, pictures, names, sentences and counts of
    all, so that it tells a slide from one that was pinned after any of them had changed.
    """
    lens = answer.lens
    counts = sources.info(lens.frequency) if lens.frequency else None
    made_from = digest_of([counts, *(one.fingerprint for one in (answer, *more))])[:8]
    return (
        f"{model_name(lens.model)} · {lens.image_set} · prompts {lens.prompts} · "
        f"{len(answer.rows):,} of {answer.n_images:,} images used · {ORIGINS[answer.origin]} · {INPUTS} {made_from}"
    )


def pictures(
    answer: Answer, image_set: ImageSet, positions: Sequence[int], *, size: int = thumbs.SIZES[1]
) -> tuple[Picture, ...]:
    """Pictures at rows of an answer with the class predicted for each, sized for a hall; empty without images."""
    if not image_set.has_images:
        return ()
    found = []
    for position in list(positions)[:MOST_PICTURES]:
        true, said = int(answer.labels[position]), int(answer.top[position, 0])
        data = thumbs.encode(image_set.image(int(answer.rows[position])), size)
        words = answer.names[said] if true == said else f"{answer.names[said]}, not {answer.names[true]}"
        found.append(Picture(data, words, true == said))
    return tuple(found)


def image_slide(answer: Answer, image_set: ImageSet, position: int) -> Slide:
    """One picture with the best classes the model gave it."""
    index, true, said = int(answer.rows[position]), int(answer.labels[position]), int(answer.top[position, 0])
    verdict = "is predicted correctly" if true == said else f"is predicted as “{answer.names[said]}”"
    ranked = [
        (rank, answer.names[label], f"{score:.3f}")
        for rank, (label, score) in enumerate(
            zip(answer.top[position].tolist(), answer.scores[position].tolist(), strict=True), start=1
        )
    ]
    return Slide(
        kind="image",
        title=f"“{answer.names[true]}” {verdict}",
        facts=(
            f"Margin {signed(answer.margin[position], 3, plus=True)}, probability of the predicted class "
            f"{findings.percent(answer.probability[position])} · {image_set.image_ids[index]}",
        ),
        pictures=pictures(answer, image_set, [position]),
        source=source_line(answer),
        **table(("rank", "class", "cosine"), ranked),
    )


def concept_slide(
    answer: Answer, image_set: ImageSet, label: int, positions: Sequence[int], count: int | None = None
) -> Slide:
    """One concept: the sentence about it and some of its pictures."""
    return Slide(
        kind="concept",
        title=answer.names[label],
        facts=(findings.concept(answer, label), findings.concept_evidence(answer, label, count)),
        pictures=pictures(answer, image_set, positions),
        source=source_line(answer),
    )


def plot_slide(title: str, figure: object, source: str) -> Slide:
    """A figure under the sentence that it supports."""
    return Slide(kind="plot", title=title, figure=figure_json(figure), source=source)


def comparison_slide(
    title: str,
    header: Sequence[object],
    rows: Sequence[Sequence[object]],
    source: str,
    *,
    shown: Sequence[Picture] = (),
) -> Slide:
    """A small table under its finding, perhaps with pictures."""
    return Slide(
        kind="comparison", title=title, source=source, pictures=tuple(shown)[:MOST_PICTURES], **table(header, rows)
    )
