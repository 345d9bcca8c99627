"""Vectors to answers: the zero-shot classifier, its top-k, margins and probabilities, and who is taken for whom.

Plain matrix products in blocks that fit the processor's cache; knows nothing of models, files or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput
from core.stats.blocks import in_blocks, take_top
from core.stats.intervals import wilson
from core.types import Aggregation, Classifier, ClassScore, Report, silent


@dataclass(frozen=True, slots=True)
class Scores:
    """What ``classify`` finds per image; fields as in ``Answer``: top int32 [m, k], the others float32."""

    top: np.ndarray
    scores: np.ndarray
    margin: np.ndarray
    probability: np.ndarray


def build_classifier(
    vectors: np.ndarray,
    owners: Sequence[int] | np.ndarray,
    *,
    aggregation: Aggregation = "embedding",
    scale: float,
    bias: float = 0.0,
    sigmoid: bool = False,
) -> Classifier:
    """Turn the sentence vectors [s, d] of all classes into a classifier.

    ``embedding`` keeps one row a class: normalise, mean, normalise, as ``open_clip.build_zero_shot_classifier``.
    ``similarity`` and ``max`` keep every sentence, normalised.

    Args:
        owners: [s], class index of each sentence, in any order; every class from 0 to the largest needs a sentence.
        scale, bias, sigmoid: the model's exp(logit_scale), logit_bias and kind of loss.

    Raises:
        BadInput: a class has no sentence, or a sentence has no usable vector.
    """
    owners = np.asarray(owners, np.int64)
    vectors = np.asarray(vectors, np.float32)
    if len(owners) != len(vectors) or not len(owners):
        raise ValueError(f"{len(vectors)} sentence vectors need as many owners, not {len(owners)}")
    counts = np.bincount(owners)
    if not counts.all():
        raise BadInput(f"Class {int(np.argmin(counts))} has no sentence; give every class at least one.")
    order = np.argsort(owners, kind="stable")
    owners, rows = owners[order], _unit(vectors[order])
    if aggregation == "embedding":
        rows, owners = _unit(_class_means(rows, owners)), np.arange(len(counts))
    return Classifier(rows, owners, aggregation, float(scale), float(bias), bool(sigmoid))


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise BadInput("A sentence has no usable text vector (zero or not a number); check the model's weights.")
    return rows / norms


def _starts(owners: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.r_[True, np.diff(owners) > 0])


def _class_means(rows: np.ndarray, owners: np.ndarray) -> np.ndarray:
    return np.add.reduceat(rows, _starts(owners), axis=0) / np.bincount(owners)[:, None].astype(np.float32)


def _scorer(classifier: Classifier) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
    """Number of products per image, and the function from image vectors float32 [b, d] to class scores [b, c]."""
    weights, owners = classifier.weights, classifier.owners
    if classifier.aggregation == "max":
        starts = _starts(owners)
        return len(weights), lambda images: np.maximum.reduceat(images @ weights.T, starts, axis=1)
    # The mean of cosines is the product with the mean sentence vector, so it costs no more than one row a class.
    rows = _class_means(weights, owners) if classifier.aggregation == "similarity" else weights
    return len(rows), lambda images: images @ rows.T


def classify(
    vectors: np.ndarray,
    classifier: Classifier,
    labels: np.ndarray,
    *,
    k: int = 5,
    block: int = 8192,
    report: Report = silent,
) -> Scores:
    """Answer every image: top-k, margin of the true class, probability of the predicted class.

    Args:
        vectors: float16 or float32 [m, d], unit rows, possibly memory-mapped; slices are computed in float32.
        labels: int [m], true class of every row of ``vectors``.
        k: classes kept per image (at most all of them). Equal scores go to the lower class index.
        block: images at a time, fewer when a block would not fit the cache; changes results by rounding at most.
        report: called after every block; raises Stopped to end the work.

    Returns:
        Scores as cosines (aggregated over sentences). The margin is NaN when there is only one class.
    """
    products, score = _scorer(classifier)
    n, classes = len(vectors), int(classifier.owners[-1]) + 1
    labels = np.asarray(labels, np.int64)
    if labels.shape != (n,) or (n and not 0 <= labels.min() <= labels.max() < classes):
        raise ValueError(f"labels must be {n} class indices below {classes}")
    kept, k = min(k, classes), min(max(k, 2), classes)
    top, best = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    margin, probability = np.full(n, np.nan, np.float32), np.empty(n, np.float32)

    def answer(part: slice) -> None:
        scores = score(np.asarray(vectors[part], np.float32))
        true = scores[np.arange(len(scores)), labels[part]]
        top[part], first = take_top(scores, k)
        best[part] = first
        if classes > 1:
            rival = np.where(top[part, 0] == labels[part], first[:, 1], first[:, 0])
            margin[part] = true - rival
        if classifier.sigmoid:
            probability[part] = _sigmoid(classifier.scale * first[:, 0] + classifier.bias)
            return
        # The winners now read minus infinity, so the rest is summed without them and they are added back.
        scores -= first[:, :1]
        scores *= np.float32(classifier.scale)
        np.exp(scores, out=scores)
        winners = np.exp(np.float32(classifier.scale) * (first - first[:, :1]))
        probability[part] = 1 / (scores.sum(1) + winners.sum(1))

    in_blocks(n, answer, columns=products, rows=block, report=report, message="Scoring images")
    return Scores(top[:, :kept], best[:, :kept], margin, probability)


def predict(vectors: np.ndarray, classifier: Classifier, *, block: int = 8192, report: Report = silent) -> np.ndarray:
    """Only the predicted class of every image, int32 [m]: little more than the matrix product itself."""
    products, score = _scorer(classifier)
    predicted = np.empty(len(vectors), np.int32)

    def answer(part: slice) -> None:
        predicted[part] = score(np.asarray(vectors[part], np.float32)).argmax(1)

    in_blocks(len(vectors), answer, columns=products, rows=block, report=report, message="Scoring images")
    return predicted


def similarities(vectors: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Cosine of every image with every class, aggregated over sentences, float32 [n, c]; for few images."""
    return _scorer(classifier)[1](np.asarray(vectors, np.float32))


def probabilities(cosines: np.ndarray, classifier: Classifier) -> np.ndarray:
    """Softmax over classes of scaled cosines [n, c], or one sigmoid per class for a sigmoid model, float32 [n, c]."""
    logits = np.float32(classifier.scale) * np.asarray(cosines, np.float32)
    if classifier.sigmoid:
        return _sigmoid(logits + np.float32(classifier.bias))
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * logits))


def class_scores(
    keys: Sequence[str], names: Sequence[str], labels: np.ndarray, right: np.ndarray
) -> tuple[ClassScore, ...]:
    """Accuracy of every class with its Wilson 95 % interval, in label order; NaN for a class without images.

    Args:
        labels: int [m], true class of every image; right: bool [m], whether the predicted class is the true one.
    """
    n = np.bincount(labels, minlength=len(keys))
    hits = np.bincount(labels, weights=right, minlength=len(keys)).astype(np.int64)
    scores = []
    for key, name, hit, count in zip(keys, names, hits.tolist(), n.tolist(), strict=True):
        interval = wilson(hit, count)
        scores.append(ClassScore(key, name, interval.value, interval.low, interval.high, count))
    return tuple(scores)


def neighbours(vectors: np.ndarray, index: int, k: int = 10, *, block: int = 8192) -> tuple[np.ndarray, np.ndarray]:
    """The k rows nearest to row ``index`` by cosine, itself left out: row numbers int64 [k] and cosines float32 [k].

    Args:
        vectors: float16 or float32 [n, d], unit rows: images, or one vector a class. Ties go to the lower row.
    """
    query = np.asarray(vectors[index], np.float32)
    cosines = np.empty(len(vectors), np.float32)

    def multiply(part: slice) -> None:
        cosines[part] = np.asarray(vectors[part], np.float32) @ query

    in_blocks(len(vectors), multiply, columns=1, rows=block)
    cosines[index] = -np.inf
    k = min(k, len(vectors) - 1)
    if k < 1:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    least = np.partition(cosines, len(cosines) - k)[len(cosines) - k]
    near = np.flatnonzero(cosines >= least)
    order = near[np.argsort(-cosines[near], kind="stable")[:k]]
    return order, cosines[order]
