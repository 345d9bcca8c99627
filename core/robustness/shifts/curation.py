"""Curation of one's own image set: near-duplicates within it, and pictures far from the others of their class.

The checks that the authors of Let It Wag! made by hand and by embedding (arXiv 2404.04125, appendix H.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.evaluation.embed import embed_images
from core.evaluation.evaluate import encoders, matrices
from core.robustness.shifts.overlap import COSINE, DIFFERENT_BITS, Pair, find
from core.types import ImageSet, Report, silent

FEWEST, SCORE = 5, 3.5


@dataclass(frozen=True, slots=True)
class Outlier:
    """A picture less like its class than the class's other pictures are.

    Attributes:
        cosine: with the mean of the other pictures of its class; score: modified z-score of that within the class.
        nearest: key of the class whose mean is nearest, its own or another.
    """

    image: str
    key: str
    cosine: float
    score: float
    nearest: str


@dataclass(frozen=True, slots=True)
class Curation:
    """What to look at in a set of ``n`` pictures.

    Attributes:
        pairs: near-duplicates, each once; conflicts: those of them whose pictures have different classes.
        outliers: the least like their class first; checked: pictures of classes large enough to have some.
    """

    pairs: tuple[Pair, ...]
    conflicts: tuple[Pair, ...]
    outliers: tuple[Outlier, ...]
    checked: int
    n: int


def curate(
    model: str, image_set: ImageSet, *, cosine: float = COSINE, bits: int = DIFFERENT_BITS, report: Report = silent
) -> Curation:
    """Near-duplicates within a set and outliers of its classes; see :func:`find` and :func:`outliers`.

    Args:
        model: whose vectors are compared; cosine, bits: what makes two pictures near-duplicates.
    """
    pairs = find(model, image_set, image_set, cosine=cosine, bits=bits, report=report)
    label = dict(zip(image_set.image_ids, np.asarray(image_set.labels).tolist(), strict=True))
    conflicts = [pair for pair in pairs if label[pair.image] != label[pair.other]]
    sizes = np.bincount(np.asarray(image_set.labels), minlength=len(image_set.keys))
    found = outliers(model, image_set, report=report)
    checked = int(sizes[sizes >= FEWEST].sum())
    return Curation(tuple(pairs), tuple(conflicts), tuple(found), checked, len(image_set.labels))


def headline(found: Curation) -> str:
    """How many pairs and outliers there are, in one sentence."""
    return (
        f"{_count(len(found.pairs), 'near-duplicate pair')} among {found.n:,} pictures, "
        f"{len(found.conflicts):,} of them with different classes; {_count(len(found.outliers), 'outlier')} among "
        f"{found.checked:,} pictures of classes with at least {FEWEST}."
    )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def pair_rows(pairs: Sequence[Pair], image_set: ImageSet) -> tuple[list[str], list[list[object]]]:
    """Header and rows of the near-duplicates: different classes first, then the most alike."""
    key = {id: image_set.keys[label] for id, label in zip(image_set.image_ids, image_set.labels, strict=True)}
    ranked = sorted(pairs, key=lambda one: (key[one.image] == key[one.other], one.bits, -one.cosine))
    header = ["image", "class", "other", "other_class", "cosine", "bits"]
    return header, [[one.image, key[one.image], one.other, key[one.other], one.cosine, one.bits] for one in ranked]


def as_json(found: Curation, image_set: ImageSet) -> dict[str, Any]:
    """The findings in the schema of ``python -m core robustness curate``."""
    header, listed = pair_rows(found.pairs, image_set)
    return {
        "n": found.n,
        "checked": found.checked,
        "pairs": [dict(zip(header, row, strict=True)) for row in listed],
        "outliers": [asdict(one) for one in found.outliers],
    }


def outliers(
    model: str, image_set: ImageSet, *, fewest: int = FEWEST, score: float = SCORE, report: Report = silent
) -> list[Outlier]:
    """Outliers of every class with at least ``fewest`` pictures, the least like their class first.

    Args:
        model: whose vectors are compared; score: how many modified z-scores below the median of the class.
    """
    found = embed_images(encoders().get(model, "auto"), image_set, matrices(), report=report)
    vectors, labels = np.asarray(found.vectors, np.float32), np.asarray(image_set.labels)[found.rows]
    cosines, nearest = distances(vectors, labels, len(image_set.keys))
    scores = modified_z(cosines, labels, len(image_set.keys), fewest=fewest)
    return [
        Outlier(
            image_set.image_ids[int(found.rows[at])], image_set.keys[labels[at]], float(cosines[at]),
            float(scores[at]), image_set.keys[nearest[at]],
        )
        for at in np.argsort(scores, kind="stable")
        if scores[at] < -score
    ]  # fmt: skip


def distances(vectors: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of every vector with the mean of the others of its class, and the class whose mean is nearest.

    A picture takes no part in the mean of its own class that it is compared with.

    Args:
        vectors: float32 [n, d], unit rows; labels: int [n].

    Returns:
        float64 [n], NaN where a class has one picture; int64 [n].
    """
    sums = np.zeros((classes, vectors.shape[1]), np.float64)
    np.add.at(sums, labels, vectors)
    lengths = np.linalg.norm(sums, axis=1)
    means = sums / np.where(lengths > 0, lengths, 1)[:, None]
    own, nearest = np.full(len(vectors), np.nan), np.empty(len(vectors), np.int64)
    several = np.bincount(labels, minlength=classes) > 1
    for low in range(0, len(vectors), 4096):
        part = slice(low, low + 4096)
        block, at = vectors[part].astype(np.float64), labels[part]
        others = sums[at] - block
        length = np.linalg.norm(others, axis=1)
        cosine = np.einsum("nd,nd->n", block, others) / np.where(length > 0, length, 1)
        scores = block @ means.T
        scores[:, lengths == 0] = -np.inf
        scores[np.arange(len(block)), at] = np.where(several[at], cosine, -np.inf)
        own[part] = np.where(several[at], cosine, np.nan)
        nearest[part] = scores.argmax(1)
    return own, nearest


def modified_z(values: np.ndarray, labels: np.ndarray, classes: int, *, fewest: int) -> np.ndarray:
    """0.6745 (x - median) / MAD within each class, float64 [n]; NaN in small classes and without any spread.

    Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993), who call 3.5 and more an outlier.
    """
    scores = np.full(len(values), np.nan)
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(labels, minlength=classes))[:-1]):
        if len(rows) < max(2, fewest):
            continue
        away = values[rows] - np.median(values[rows])
        if (spread := np.median(np.abs(away))) > 1e-7:
            scores[rows] = 0.6745 * away / spread
    return scores
