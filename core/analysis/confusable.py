"""Two classes that a model mistakes for each other, and any handful of names under several strategies.

The built-in stand-in for the article's tree frog and tailed frog: the pair is computed, not chosen by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from core.analysis.failures import cells
from core.errors import BadInput
from core.evaluation import zeroshot
from core.evaluation.evaluate import classifier_for, encoders
from core.prompts import prompt_set
from core.text.folding import fold
from core.types import Answer, Lens, PromptSet, Report, silent

MOST_NAMES = 20
PUBLISHED = ("tree frog", "tailed frog")
"""The article's pair: with one template a photo of a tree frog was called a tailed frog (0.68 of the softmax)."""


@dataclass(frozen=True, slots=True)
class Mistaken:
    """Classes ``a`` < ``b``: images of a predicted as b, of b as a, and their share of both classes' images."""

    a: int
    b: int
    a_as_b: int
    b_as_a: int
    share: float


@dataclass(frozen=True)
class Column:
    """Some images against a handful of names under one strategy.

    Attributes:
        prompts: the sentences used and their notes.
        cosines: float32 [n, c], aggregated similarities; probabilities: float32 [n, c], softmax over these names.
        margins: float32 [n], the best similarity less the second best.
    """

    strategy: str
    prompts: PromptSet
    cosines: np.ndarray
    probabilities: np.ndarray
    margins: np.ndarray


class NamedClasses:
    """Class names without images, for strategies to make sentences of; icon names find the icon texts."""

    templates: Sequence[str] = ()

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(" ".join(name.split()) for name in names)
        self.keys = self.names
        self.id = "these names"
        if not 2 <= len(self.names) <= MOST_NAMES or not all(self.names) or len(set(self.names)) < len(self.names):
            raise BadInput(f"Give two to {MOST_NAMES} different class names.")


def mistaken(answer: Answer, top: int = 50) -> tuple[Mistaken, ...]:
    """Pairs of classes taken for each other, both directions merged, by share of the two classes' images.

    Ties go to the lower class indices.
    """
    counts = _counts(answer)
    totals = np.bincount(answer.labels, minlength=len(answer.keys)).tolist()
    pairs = sorted({(min(pair), max(pair)) for pair in counts})
    return tuple(sorted((_pair(*pair, counts, totals) for pair in pairs), key=lambda one: -one.share)[:top])


def _counts(answer: Answer) -> dict[tuple[int, int], int]:
    """Images of each class predicted as each other, where there are any."""
    found = cells(answer)
    return dict(
        zip(zip(found.true.tolist(), found.said.tolist(), strict=True), found.value.astype(int).tolist(), strict=True)
    )


def _pair(a: int, b: int, counts: Mapping[tuple[int, int], int], totals: Sequence[int]) -> Mistaken:
    there, back = counts.get((a, b), 0), counts.get((b, a), 0)
    return Mistaken(a, b, there, back, (there + back) / (totals[a] + totals[b]))


def most_confusable(answer: Answer) -> Mistaken | None:
    """The pair taken for each other most, preferring pairs confused both ways; None when nothing is confused."""
    found = mistaken(answer, top=len(answer.keys) ** 2)
    both_ways = [one for one in found if one.a_as_b and one.b_as_a]
    return next(iter(both_ways or found), None)


def published_pair(answer: Answer) -> Mistaken | None:
    """The article's two classes, where an image set has both with pictures; however seldom they are confused."""
    folded = [fold(name) for name in answer.names]
    a, b = (folded.index(name) if name in folded else -1 for name in PUBLISHED)
    totals = np.bincount(answer.labels, minlength=len(answer.keys)).tolist()
    known = min(a, b) >= 0 and totals[a] and totals[b]
    return _pair(min(a, b), max(a, b), _counts(answer), totals) if known else None


def close_calls(answer: Answer, pair: Mistaken) -> np.ndarray:
    """Rows (int64) of images of the pair predicted as the other, the most confident mistake first.

    Where none is, all images of the pair, the closest call first.
    """
    said, true = answer.top[:, 0], answer.labels
    swapped = ((true == pair.a) & (said == pair.b)) | ((true == pair.b) & (said == pair.a))
    places = np.flatnonzero(swapped if swapped.any() else (true == pair.a) | (true == pair.b))
    return answer.rows[places[np.argsort(answer.margin[places], kind="stable")]]


def side_by_side(
    lens: Lens,
    names: Sequence[str],
    strategies: Sequence[str],
    pictures: Sequence[Image.Image],
    *,
    report: Report = silent,
) -> tuple[Column, ...]:
    """Any pictures against any handful of class names, strategy by strategy; for the engine's worker.

    Raises:
        BadInput: too few or too many names, or a strategy that knows nothing of one of them.
    """
    classes = NamedClasses(names)
    encoder = encoders().get(lens.model, lens.precision)
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    columns = []
    for strategy in strategies:
        prompts = prompt_set(strategy, classes)
        classifier = classifier_for(lens, prompts, report=report)
        cosines = zeroshot.similarities(vectors, classifier)
        best = np.sort(cosines, axis=1)
        odds = zeroshot.probabilities(cosines, classifier)
        columns.append(Column(strategy, prompts, cosines, odds, best[:, -1] - best[:, -2]))
    return tuple(columns)
