"""The composer: type any attribute and object, see which images are nearest and what each word contributes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.composition.answers import directions
from core.composition.pairs import Compositions
from core.errors import BadInput
from core.evaluation import evaluate
from core.prompts import prompt_set
from core.types import ClassNames, Embeddings, ImageSet, Lens, Report, silent

_LONGEST = 200


@dataclass(frozen=True, eq=False)
class Composition:
    """Images nearest to a typed composition.

    Attributes:
        texts: attribute, object and both, as the prompts say them.
        rows: int64 [k], index into the image set, nearest to the whole first.
        cosines: float32 [k, 3], s(attribute), s(object), s(attribute object) of each.
        alone: cosine of the whole's text with that of the attribute and of the object; additive: with their unit sum.
    """

    texts: tuple[str, str, str]
    rows: np.ndarray
    cosines: np.ndarray
    alone: tuple[float, float]
    additive: float

    def sentence(self, found: Compositions, labels: np.ndarray) -> str:
        """How many of the nearest images show the pair, and how its text relates to its parts.

        Args:
            labels: composition of every image of the set [n], -1 for unknown.
        """
        names = found.names
        right = sum(label >= 0 and names[label].casefold() == self.texts[2].casefold() for label in labels[self.rows])
        return (
            f"Of the {len(self.rows)} nearest images {right} show “{self.texts[2]}”; its text has cosine "
            f"{self.alone[0]:.2f} with “{self.texts[0]}”, {self.alone[1]:.2f} with “{self.texts[1]}” and "
            f"{self.additive:.2f} with their sum."
        )


def compose(
    lens: Lens, attribute: str, thing: str, *, image_set: ImageSet, k: int = 24, report: Report = silent
) -> Composition:
    """The k images of the lens's set nearest to "attribute object", with the scores of the parts.

    Raises:
        BadInput: a word is missing or too long, or the strategy cannot say a typed text.
    """
    attribute, thing = " ".join(attribute.split()), " ".join(thing.split())
    if not (attribute and thing) or max(len(attribute), len(thing)) > _LONGEST:
        raise BadInput(f"Type an attribute and an object, each of at most {_LONGEST} characters.")
    texts = (attribute, thing, f"{attribute} {thing}")
    spoken = ClassNames("typed text", texts, texts)
    embeddings = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    classifier = evaluate.classifier_for(lens, prompt_set(lens.prompts, spoken), report=report)
    return nearest(embeddings, directions(classifier), texts, k=k)


def nearest(embeddings: Embeddings, vectors: np.ndarray, texts: tuple[str, str, str], *, k: int) -> Composition:
    """The images nearest to the third of three unit text vectors [3, d]."""
    cosines = np.empty((len(embeddings.rows), 3), np.float32)
    for low in range(0, len(cosines), 8192):
        part = slice(low, low + 8192)
        cosines[part] = np.asarray(embeddings.vectors[part], np.float32) @ vectors.T
    best = np.argsort(-cosines[:, 2], kind="stable")[:k]
    both = vectors[0] + vectors[1]
    additive = float(vectors[2] @ both / max(float(np.linalg.norm(both)), 1e-12))
    alone = (float(vectors[2] @ vectors[0]), float(vectors[2] @ vectors[1]))
    return Composition(texts, embeddings.rows[best], cosines[best], alone, additive)
