"""Logit adjustment against plain recomputation, and the authors' update rule written out in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.analysis import label_bias
from core.errors import BadInput
from core.evaluation.zeroshot import build_classifier
from core.stats.shots import shuffled_ranks
from core.types import Classifier


def world(classes: int = 9, m: int = 700, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Classifier]:
    """Images near the text of their class; the first classes pull all images towards them."""
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(classes, 24)).astype(np.float32)
    texts[:3] += 0.8
    labels = rng.integers(0, classes, m)
    images = texts[labels] + rng.normal(size=(m, 24)) * 1.6 + 0.5
    images = (images / np.linalg.norm(images, axis=1, keepdims=True)).astype(np.float32)
    return images, labels, build_classifier(texts, np.arange(classes), scale=30.0)


def logits_of(images: np.ndarray, classifier: Classifier) -> np.ndarray:
    return classifier.scale * images.astype(np.float64) @ classifier.weights.T.astype(np.float64)


KEYS = [f"k{i}" for i in range(9)]
COUNTS = {key: 10 ** (4 - i // 2) for i, key in enumerate(KEYS)}


def test_counts_shift_logits_by_their_logarithm() -> None:
    images, labels, classifier = world()
    found = label_bias.adjust(images, classifier, labels, keys=KEYS, counts=COUNTS, strength=0.5, permutations=7)
    logits = logits_of(images, classifier)
    after = (logits - 0.5 * np.log(np.array([COUNTS[key] + 1 for key in KEYS]))).argmax(1)
    assert (found.predicted == after).all()
    before = logits.argmax(1)
    tail = [key for key in KEYS if COUNTS[key] <= sorted(COUNTS.values())[1]]
    rows = [KEYS.index(key) for key in tail]
    change = np.mean([((after == r) & (labels == r)).sum() / (labels == r).sum() for r in rows])
    change -= np.mean([((before == r) & (labels == r)).sum() / (labels == r).sum() for r in rows])
    one = next(one for one in found.changes if one.group == "tail")
    assert one.change.value == pytest.approx(change)
    mine = np.isin(labels, rows)
    assert one.fixed == (mine & (after == labels) & (before != labels)).sum()
    assert one.broken == (mine & (after != labels) & (before == labels)).sum()


def test_label_free_bias_equals_the_published_update() -> None:
    images, _, classifier = world()
    logits = torch.from_numpy(logits_of(images, classifier))
    classes = logits.shape[1]
    # Frolic's loop: drop unsure images, average probabilities by pseudo-label, iterate, subtract, repeat.
    total, before = torch.zeros(classes, dtype=logits.dtype), torch.full((classes,), 1 / classes)
    for _ in range(11):
        now = logits - total
        best = now.topk(2, dim=-1).values
        sure = now[best[:, 0] - best[:, 1] > 1 / classes]
        spread = torch.stack([
            sure[sure.argmax(-1) == k].softmax(-1).mean(0) if (sure.argmax(-1) == k).any() else torch.zeros(classes)
            for k in range(classes)
        ])  # fmt: skip
        values, vectors = torch.linalg.eig(spread.T.to(torch.float64))
        beta = vectors[:, values.real.argmax()].real
        beta = beta / beta.sum()
        total = total + torch.log(beta + 1e-12)
        if (beta - before).abs().sum() < 1e-3:
            break
        before = beta
    found = label_bias.label_free_prior(images, classifier)
    np.testing.assert_allclose(found, (total - total.mean()).numpy(), atol=2e-3)


def test_it_finds_the_classes_that_are_said_too_often() -> None:
    images, labels, classifier = world()
    found = label_bias.adjust(images, classifier, labels, keys=KEYS, counts=COUNTS, method="label-free")
    said = np.bincount(logits_of(images, classifier).argmax(1), minlength=9)
    assert np.corrcoef(found.log_prior, said)[0, 1] > 0.8
    assert found.changes[0].change.low > 0
    null = found.null[0]
    assert null.group == "all"
    assert null.mean < 0 < found.changes[0].change.value
    assert null.p == pytest.approx(1 / 101)


def test_labels_of_one_half_correct_the_other() -> None:
    images, labels, classifier = world()
    found = label_bias.adjust(images, classifier, labels, keys=KEYS, counts={}, method="labelled", permutations=3)
    assert [one.group for one in found.changes] == ["all"]
    half = shuffled_ranks(labels, 0) % 2
    logits = logits_of(images, classifier)
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    predicted = np.empty(len(labels), int)
    for side in (0, 1):
        other = half != side
        spread = np.stack([probabilities[other & (labels == k)].mean(0) for k in range(9)])
        values, vectors = np.linalg.eig(spread.T)
        beta = np.abs(vectors[:, values.real.argmax()].real)
        mine = half == side
        predicted[mine] = (logits[mine] - np.log(beta)).argmax(1)
    assert (found.predicted == predicted).mean() > 0.998


def test_without_counts_the_method_counts_says_what_to_do() -> None:
    images, labels, classifier = world()
    with pytest.raises(BadInput, match="label-free"):
        label_bias.adjust(images, classifier, labels, keys=KEYS, counts={})


def test_strength_zero_changes_nothing_and_an_unknown_class_keeps_its_scores() -> None:
    images, labels, classifier = world()
    few = {key: COUNTS[key] for key in KEYS[:6]}
    assert label_bias.count_prior(few, KEYS)[6:].tolist() == [0, 0, 0]
    found = label_bias.adjust(images, classifier, labels, keys=KEYS, counts=few, strength=0.0, permutations=2)
    assert found.unknown == 3
    assert all(one.change.value == 0 == one.fixed == one.broken for one in found.changes)
