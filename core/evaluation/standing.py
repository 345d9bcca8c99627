"""Where the classes stand for one picture: rank, cosine and probability, of the true class too when it is far behind.

An answer keeps the best few classes of a picture. That is enough for the cosine of the true class, which lies its
margin away from the best other one; its rank and probability need the picture's vector and the whole classifier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.evaluation import evaluate, zeroshot
from core.prompts import prompt_set
from core.types import Answer, Classifier, ImageSet, Lens, Report


@dataclass(frozen=True, slots=True)
class Standing:
    """One class for one picture.

    Attributes:
        index: the class. rank: 1 for the predicted class, None while unknown. cosine: aggregated over its sentences.
        probability: softmax (or sigmoid) probability, None while unknown.
    """

    index: int
    rank: int | None
    cosine: float
    probability: float | None


def kept(answer: Answer, position: int) -> list[Standing]:
    """What an answer itself knows of one picture: its best classes, and the true one last if it is not among them.

    Args:
        position: row of the answer.
    """
    best = [
        Standing(int(index), rank, float(cosine), float(answer.probability[position]) if rank == 1 else None)
        for rank, (index, cosine) in enumerate(zip(answer.top[position], answer.scores[position], strict=True), start=1)
    ]
    true = int(answer.labels[position])
    if true not in {one.index for one in best}:
        best.append(Standing(true, None, best[0].cosine + float(answer.margin[position]), None))
    return best


def classifier_of(lens: Lens, *, image_set: ImageSet, report: Report) -> Classifier:
    """The classifier of all classes of an open image set under a lens; call it from a job."""
    return evaluate.classifier_for(lens, prompt_set(lens.prompts, image_set), report=report)


def standings(vector: np.ndarray, classifier: Classifier, true: int, *, most: int = 5) -> list[Standing]:
    """The best classes of one picture, best first, and the true one last if it is not among them.

    Args:
        vector: [d], unit length. true: index of the true class. most: how many of the best classes.
    """
    cosines = zeroshot.similarities(vector[None], classifier)
    chances = zeroshot.probabilities(cosines, classifier)[0]
    order = np.argsort(-cosines[0], kind="stable")
    rank = int(np.flatnonzero(order == true)[0])
    ranks = [*range(min(most, len(order))), *([rank] if rank >= most else [])]
    return [
        Standing(int(order[place]), place + 1, float(cosines[0, order[place]]), float(chances[order[place]]))
        for place in ranks
    ]
