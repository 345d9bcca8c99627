"""Rank, cosine and probability of the true class, checked against the whole table of scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.evaluation import zeroshot
from core.evaluation.standing import kept, standings
from tests.answers import make_answer

CLASSES, IMAGES, DIM, SCALE = 9, 40, 6, 12.0


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of pictures and of classes."""
    random = np.random.default_rng(11)
    both = random.normal(size=(IMAGES + CLASSES, DIM)).astype(np.float32)
    both /= np.linalg.norm(both, axis=1, keepdims=True)
    return both[:IMAGES], both[IMAGES:]


def test_the_true_class_is_always_there_with_what_is_known_of_it(vectors) -> None:
    pictures, texts = vectors
    labels = np.arange(IMAGES) % CLASSES
    classifier = zeroshot.build_classifier(texts, np.arange(CLASSES), scale=SCALE)
    scores = zeroshot.classify(pictures, classifier, labels, k=3)
    made = make_answer(labels, scores.top[:, 0], keys=[f"class {label}" for label in range(CLASSES)])
    answer = replace(made, top=scores.top, scores=scores.scores, margin=scores.margin, probability=scores.probability)
    cosines = pictures @ texts.T
    chances = np.exp(SCALE * cosines) / np.exp(SCALE * cosines).sum(1, keepdims=True)
    far = 0
    for position, true in enumerate(labels):
        rank = 1 + int((cosines[position] > cosines[position, true]).sum())
        from_answer, exact = kept(answer, position), standings(pictures[position], classifier, int(true), most=3)
        assert [one.index for one in from_answer] == [one.index for one in exact]
        assert len(exact) == (3 if rank <= 3 else 4)
        mine = next(one for one in exact if one.index == true)
        assert mine.rank == rank
        assert mine.probability == pytest.approx(chances[position, true], rel=1e-4)
        for quick, sure in zip(from_answer, exact, strict=True):
            assert quick.cosine == pytest.approx(sure.cosine, abs=1e-5)
            assert quick.rank in (sure.rank, None)
            assert quick.probability is None or quick.probability == pytest.approx(sure.probability, rel=1e-4)
        far += rank > 3
    assert far > 5
