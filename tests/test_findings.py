"""Sentences say what the numbers say."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis import findings
from core.analysis.curve import curve
from core.evaluation.evaluate import assemble
from core.types import Answer, FrequencyTable, Lens
from tests.answers import answer_with_accuracies
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
    assert findings.concept(answer, 2) == "“word2” is recognised in 0 of 3 images (0 %)."
    evidence = findings.concept_evidence(answer, 2, 7)
    assert evidence.startswith("95 % CI 0–56 %. Counted 7 times in ")
    assert evidence.endswith("predicted as “word0” (2×).")


def test_mistakes_that_all_differ_have_no_usual_one() -> None:
    answer = answer_of([1, 1, 2, 2, 1, 2])
    assert "Most often" not in findings.concept_evidence(answer, 0, None)


@pytest.mark.parametrize(
    ("count", "words"), [(0, "never counted"), (1, "counted once"), (2, "counted twice"), (1234, "counted 1,234 times")]
)
def test_counts_in_words(count: int, words: str) -> None:
    assert findings.counted(count) == words


def test_a_selection_is_taken_together() -> None:
    sentence = findings.several(answer_of([0, 1, 0, 0, 2, 0]), [0, 1])
    assert sentence.startswith("The 2 selected concepts are recognised in 3 of 4 images (75 %)")
    assert "hardest is “word1” (50 %)" in sentence


def test_one_of_a_thousand_is_not_none_and_all_but_a_few_not_all() -> None:
    few = answer_of([0] + [1 - label % 3 if label % 3 < 2 else 0 for label in range(1, 1000)])
    assert "0.1 % of 1,000 images are classified correctly" in findings.overall(few)
    most = answer_of([label % 3 for label in range(996)] + [1, 2, 0, 1])
    assert "99.6 % of 1,000 images are classified correctly" in findings.overall(most)


def _tail(right: list[int], counts: list[int]) -> tuple[str, str]:
    """The sentence about a tail and the note below it."""
    keys = [f"c{index}" for index in range(len(right))]
    table = FrequencyTable("made", "", "image", dict(zip(keys, counts, strict=True)))
    found = curve(answer_with_accuracies(right, 10, keys=keys), table)
    return findings.tail(found), findings.tail_note(found)


def test_the_tail_says_its_size_its_counts_and_its_interval() -> None:
    assert _tail([0, 0, 5, 6, 7, 8, 9, 9, 10, 10], [1, 1, 5, 6, 7, 8, 9, 10, 11, 12]) == (
        "Top-1 accuracy is 0 % on the rarest fifth of concepts and 100 % on the most frequent fifth, counted in made.",
        "A gap of 100 points · rarest fifth: 2 concepts, counted 1 time, 95 % CI 0–16 % · most frequent fifth: "
        "2 concepts, counted 11 to 12 times",
    )


def test_a_tail_of_zeros_is_called_never_counted() -> None:
    sentence, note = _tail([2, 2, 2, 2, 5, 6, 7, 8, 9, 9], [0, 0, 0, 0, 1, 2, 3, 4, 5, 6])
    assert sentence.startswith("Top-1 accuracy is 20 % on the concepts that were never counted and 90 % on")
    assert "4 concepts never counted, 95 % CI " in note


def test_no_gap_is_not_a_negative_zero_and_no_groups_have_their_reason() -> None:
    assert _tail([5] * 5, [1, 2, 3, 4, 5])[1].startswith("A gap of 0 points")
    assert _tail([5] * 5, [3] * 5) == (
        "No tail can be told from a head: 5 of 5 concepts were counted 3 times, so that head and tail would meet.",
        "",
    )
