"""Images whose answer changes between two lenses, and one image seen through several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import UnknownName
from core.evaluation.sentences import Sentences
from core.stats.paired import pair
from core.types import Answer


@dataclass(frozen=True)
class Flips:
    """Rows of the image set (int64) by what happened from lens a to lens b, largest change of margin first.

    Attributes:
        fixed: a wrong, b right; broken: a right, b wrong; both_wrong: wrong in two different ways.
        same: images that both answer alike (right or wrong), in the order of the set.
    """

    fixed: np.ndarray
    broken: np.ndarray
    both_wrong: np.ndarray
    same: np.ndarray


@dataclass(frozen=True, slots=True)
class Guess:
    """One class in an image's top-k: class index, name, similarity."""

    index: int
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class View:
    """One image under one lens; the margin is the true class's similarity less the best other's."""

    lens: str
    top: tuple[Guess, ...]
    true: int
    margin: float
    probability: float

    @property
    def right(self) -> bool:
        """Whether the class said is the true one."""
        return self.top[0].index == self.true


@dataclass(frozen=True, slots=True)
class Bars:
    """One class's sentences against one image: cosine of each, and the class score that they add up to."""

    index: int
    name: str
    texts: tuple[str, ...]
    cosines: tuple[float, ...]
    score: float


def flips(a: Answer, b: Answer) -> Flips:
    """Sort the images that both answers share; raises BadInput when they are about different images."""
    found = pair(a, b)
    change = np.abs(found.margin_b - found.margin_a)
    differ = found.said_a != found.said_b

    def ordered(mask: np.ndarray) -> np.ndarray:
        places = np.flatnonzero(mask)
        return found.rows[places[np.argsort(-change[places], kind="stable")]]

    return Flips(
        ordered(found.fixed), ordered(found.broken), ordered(differ & ~found.fixed & ~found.broken), found.rows[~differ]
    )


def views(answers: Mapping[str, Answer], row: int) -> tuple[View, ...]:
    """One image (row of the image set) under every lens that used it.

    Raises:
        UnknownName: no lens used the image.
    """
    found = []
    for lens, answer in answers.items():
        place = int(np.searchsorted(answer.rows, row))
        if place == len(answer.rows) or answer.rows[place] != row:
            continue
        top = zip(answer.top[place].tolist(), answer.scores[place].tolist(), strict=True)
        found.append(
            View(
                lens,
                tuple(Guess(index, answer.names[index], score) for index, score in top),
                int(answer.labels[place]),
                float(answer.margin[place]),
                float(answer.probability[place]),
            )
        )
    if not found:
        raise UnknownName(f"None of these lenses used image {row}; it was left out or does not exist.")
    return tuple(found)


def bars(vector: np.ndarray, sentences: Sentences, classes: Sequence[int], names: Sequence[str]) -> tuple[Bars, ...]:
    """How similar one image is to every sentence of some classes (the true one and the one said, say).

    Args:
        vector: unit [d]; classes: class indices; names: of all classes.
    """
    vector = np.asarray(vector, np.float32)
    found = []
    for index in classes:
        cosines = sentences.vectors[sentences.of(index)] @ vector
        weights = sentences.class_classifier(index).weights @ vector
        score = weights.max() if sentences.prompts.aggregation == "max" else weights.mean()
        texts = sentences.prompts.sentences[index]
        found.append(Bars(int(index), names[index], texts, tuple(map(float, cosines)), float(score)))
    return tuple(found)
