"""Answers made by hand, for tests of what is computed from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.evaluation.zeroshot import class_scores
from core.types import Answer, Lens


def make_answer(
    labels: Sequence[int], said: Sequence[int], *, keys: Sequence[str], names: Sequence[str] = ()
) -> Answer:
    """An answer in which image i of class ``labels[i]`` was called ``said[i]``."""
    labels, said, names = np.asarray(labels, np.int64), np.asarray(said, np.int32), tuple(names or keys)
    m = len(labels)
    return Answer(
        lens=Lens("fake,fake", "fake"),
        keys=tuple(keys),
        names=names,
        rows=np.arange(m),
        labels=labels,
        top=said[:, None],
        scores=np.ones((m, 1), np.float32),
        margin=np.where(said == labels, 0.1, -0.1).astype(np.float32),
        probability=np.ones(m, np.float32),
        classes=class_scores(keys, names, labels, said == labels),
        left_out=(),
        n_images=m,
        fingerprint={},
    )


def answer_with_accuracies(right: Sequence[int], n: int, *, keys: Sequence[str], names: Sequence[str] = ()) -> Answer:
    """An answer with ``n`` images a class, of which ``right[c]`` are right and the others called the next class."""
    labels = np.repeat(np.arange(len(keys)), n)
    hit = np.tile(np.arange(n), len(keys)) < np.repeat(np.asarray(right), n)
    return make_answer(labels, np.where(hit, labels, (labels + 1) % len(keys)), keys=keys, names=names)
