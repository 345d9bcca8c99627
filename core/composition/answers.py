"""From a lens and a composition set to its answers: the composition said, and the attribute and object in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from cache import keys
from core.composition.pairs import Compositions, CompositionSet
from core.evaluation import evaluate, zeroshot
from core.prompts import prompt_set
from core.stats.blocks import in_blocks
from core.types import Answer, Classifier, Lens, Report, silent

SCHEMA = 2
"""Counts up when the same question would get another answer from the same vectors."""


@dataclass(frozen=True, eq=False)
class Parts:
    """Attribute and object said for every image in other ways than through the one best composition, int32 [m].

    Attributes:
        object_max, object_mean: object by its best, or its mean, score over the attributes it occurs with.
        attribute_max, attribute_mean: the same for attributes over objects.
        object_given: object among the compositions of the true attribute; attribute_given: the other way round.
    """

    object_max: np.ndarray
    object_mean: np.ndarray
    attribute_max: np.ndarray
    attribute_mean: np.ndarray
    object_given: np.ndarray
    attribute_given: np.ndarray


@dataclass(frozen=True, eq=False)
class Composed:
    """The answer of a lens over compositions.

    Attributes:
        answer: classes are compositions, so its top-1, top-5, margins and confusions are those of compositions.
        parts: what was said of attribute and object apart.
        pairs: int64 [c, 2], (attribute, object) of every composition.
    """

    answer: Answer
    parts: Parts
    pairs: np.ndarray

    @property
    def attribute(self) -> np.ndarray:
        """True attribute of every image used, int64 [m]."""
        return self.pairs[self.answer.labels, 0]

    @property
    def object(self) -> np.ndarray:
        """True object of every image used, int64 [m]."""
        return self.pairs[self.answer.labels, 1]

    @property
    def right(self) -> np.ndarray:
        """Whether the composition said is the true one, bool [m]."""
        return self.answer.top[:, 0] == self.answer.labels


def ask(lens: Lens, images: CompositionSet, *, report: Report = silent) -> Composed:
    """The composition answer of a lens, from the cache or computed now.

    Prompts fill the strategy's slot with "attribute object"; strategies that need written sentences of every class
    say that they know none of these.
    """
    prompts = prompt_set(lens.prompts, images)
    key = keys.digest({"composition": SCHEMA, "answer": evaluate.answer_key(lens, images, prompts)})

    def compute() -> tuple[evaluate.Arrays, dict[str, Any]]:
        encoder = evaluate.encoders().get(lens.model, lens.precision)
        embeddings = evaluate.embeddings_for(lens, image_set=images.parent, report=report)
        classifier = evaluate.classifier_for(lens, prompts, report=report)
        used = images.labels[embeddings.rows] >= 0
        vectors = embeddings.vectors if used.all() else embeddings.vectors[used]
        rows = embeddings.rows[used]
        scores = zeroshot.classify(vectors, classifier, images.labels[rows], report=report)
        apart = parts(vectors, classifier, images.compositions, images.labels[rows], report=report)
        names = ("top", "scores", "margin", "probability")
        stored = {"rows": rows, **{name: getattr(scores, name) for name in names}}
        stored |= {field.name: getattr(apart, field.name) for field in fields(Parts)}
        about = {
            "left_out": [[item.item, item.reason] for item in embeddings.left_out],
            "made_from": evaluate.made_from(embeddings, images.parent),
            "fingerprint": {"model": dict(encoder.fingerprint), "images": images.fingerprint, "key": key},
            "reading": asdict(evaluate.reading_for(encoder, prompts)),
        }
        return stored, about

    stored, about = evaluate.cached_answer(key, images.parent, compute, kind="composed")
    answer = evaluate.assemble(lens, images, stored, about=about, prompts=prompts)
    return Composed(
        answer, Parts(**{field.name: stored[field.name] for field in fields(Parts)}), images.compositions.pairs
    )


def parts(
    vectors: np.ndarray, classifier: Classifier, found: Compositions, labels: np.ndarray, *, report: Report = silent
) -> Parts:
    """Attribute and object said for every image, block by block; equal scores go to the lower index.

    Args:
        vectors: [m, d] unit rows; classifier: over the compositions; labels: int [m], true compositions.
    """
    attributes, objects = found.pairs.T
    by_attribute = np.argsort(attributes, kind="stable")
    ranges: dict[str, tuple[slice | np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {
        "object": (slice(None), *_runs(objects)),
        "attribute": (by_attribute, *_runs(attributes[by_attribute])),
    }
    said = {field.name: np.empty(len(vectors), np.int32) for field in fields(Parts)}

    def answer(part: slice) -> None:
        scores = zeroshot.similarities(vectors[part], classifier)
        for what, (order, starts, owners, sizes) in ranges.items():
            sorted_scores = scores[:, order]
            said[f"{what}_max"][part] = owners[np.maximum.reduceat(sorted_scores, starts, axis=1).argmax(1)]
            said[f"{what}_mean"][part] = owners[(np.add.reduceat(sorted_scores, starts, axis=1) / sizes).argmax(1)]
        true = labels[part]
        said["object_given"][part] = _among(scores, attributes, objects, attributes[true])
        said["attribute_given"][part] = _among(scores, objects, attributes, objects[true])

    columns = max(len(found.pairs), len(classifier.owners))
    in_blocks(len(vectors), answer, columns=columns, report=report, message="Attributes and objects apart")
    return Parts(**said)


def directions(classifier: Classifier) -> np.ndarray:
    """One unit text vector a class, float32 [c, d]: the mean of its sentences, whatever the aggregation."""
    return zeroshot.build_classifier(classifier.weights, classifier.owners, scale=1.0).weights


def _runs(owners: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts of runs of equal owners, their owners, and their lengths."""
    starts = np.flatnonzero(np.r_[True, np.diff(owners) > 0])
    return starts, owners[starts], np.diff(np.r_[starts, len(owners)]).astype(np.float32)


def _among(scores: np.ndarray, given: np.ndarray, asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The part asked for, among the compositions whose other part is the known one of each row."""
    said = np.empty(len(scores), np.int64)
    for value in np.unique(known):
        rows, columns = np.flatnonzero(known == value), np.flatnonzero(given == value)
        said[rows] = asked[columns[scores[np.ix_(rows, columns)].argmax(1)]]
    return said
