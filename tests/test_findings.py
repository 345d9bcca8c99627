"""Sentences say what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis import findings
from core.evaluation.evaluate import assemble
from core.types import Answer, Lens
from tests.fakes import FakeImageSet


def answer_of(said: list[int], *, classes: int = 3) -> Answer:
    """Pictures of three classes in turn (0, 1, 2, 0 ...), answered as given."""
    images = FakeImageSet(classes=classes, n=len(said))
    top = np.stack([said, (np.array(said) + 1) % classes], axis=1).astype(np.int32)
    ones = np.ones(len(said), np.float32)
    stored = {"rows": np.arange(len(said)), "top": top, "scores": np.stack([ones, ones], 1), "margin": ones}
    about = {"left_out": [], "fingerprint": {}}
    return assemble(Lens("fake,fake", images.id), images, stored | {"probability": ones}, about=about)


def test_the_whole_set_is_counted() -> None:
    sentence = findings.overall(answer_of([0, 1, 0, 0, 2, 0]))
    assert "50 % of 6 images are classified correctly" in sentence
    assert sentence.endswith("1 of the 3 concepts is never recognised.")


def test_a_concept_names_its_usual_mistake() -> None:
    answer = answer_of([0, 1, 0, 0, 1, 0, 0, 0, 1])
    assert findings.common_error(answer, 2) == (0, 2)
    assert findings.common_error(answer, 0) is None
    sentence = findings.concept(answer, 2, 7)
    assert sentence.startswith("“word2” is recognised in 0 of 3 images (0 %, 95 % CI 0–56 %).")
    assert "seen 7 times" in sentence
    assert sentence.endswith("predicted as “word0” (2×).")


def test_mistakes_that_all_differ_have_no_usual_one() -> None:
    answer = answer_of([1, 1, 2, 2, 1, 2])
    assert "Most often" not in findings.concept(answer, 0, None)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "never seen"), (1, "seen once"), (2, "seen twice"), (1234, "seen 1,234 times")]
)
def test_counts_in_words(count: int, words: str) -> None:
    assert findings.seen(count) == words


def test_a_selection_is_taken_together() -> None:
    sentence = findings.several(answer_of([0, 1, 0, 0, 2, 0]), [0, 1])
    assert sentence.startswith("The 2 selected concepts are recognised in 3 of 4 images (75 %)")
    assert "hardest is “word1” (50 %)" in sentence
