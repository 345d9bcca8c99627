"""The few-shot head against AdamW and cross-entropy written out in numpy, and what its tables count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.analysis import few_shot_head
from core.errors import BadInput
from core.stats.shots import TEST, pool


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def world(classes: int = 6, each: int = 30, *, seed: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images around a centre of their class, and texts that lie off it for the last classes."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 16))
    labels = np.repeat(np.arange(classes), each)
    images = unit(centres[labels] + 0.5 * rng.normal(size=(len(labels), 16)))
    off = np.where(np.arange(classes) < classes // 2, 0.2, 1.5)[:, None]
    return images, labels, unit(centres + off * rng.normal(size=(classes, 16)))


def test_training_equals_adamw_by_hand() -> None:
    images, labels, texts = world()
    trained = few_shot_head.train(images, labels, texts, shots=16, seed=5)
    draws = torch.Generator().manual_seed(5)

    def batches(n: int):
        while True:
            order = torch.randperm(n, generator=draws).numpy()
            yield from (order[low : low + 32] for low in range(0, max(n - 32, 0) + 1, 32))

    steps = 10 * 16 * 6 // 32
    weights = texts.astype(np.float64).copy()
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    rows, words = batches(len(images)), batches(len(texts))
    for step in range(steps):
        rate = 1e-5 if step == 0 else 1e-4 * step / 50
        assert step < 50
        i, w = next(rows), next(words)
        x, y = np.concatenate([images[i], texts[w]]).astype(np.float64), np.concatenate([labels[i], w])
        logits = 100 * x @ weights.T
        odds = np.exp(logits - logits.max(1, keepdims=True))
        odds /= odds.sum(1, keepdims=True)
        odds[np.arange(len(y)), y] -= 1
        gradient = 100 * odds.T @ x / len(y)
        weights *= 1 - rate * 0.01
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9 ** (step + 1)), second / (1 - 0.999 ** (step + 1))
        weights -= rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    np.testing.assert_allclose(trained, weights, atol=2e-6)
    assert not np.allclose(trained, texts, atol=1e-4)


def test_the_rate_warms_up_and_falls() -> None:
    rates = [few_shot_head._rate(step, 1000) for step in (0, 25, 50, 525, 999)]
    assert rates[:3] == pytest.approx([1e-5, 5e-5, 1e-4])
    assert 0 < rates[4] < rates[3] < 1e-4


def test_training_and_test_images_never_overlap_and_a_class_keeps_half() -> None:
    labels = np.repeat(np.arange(3), [2, 7, 40])
    places = pool(labels, most=8, seed=1)
    assert np.bincount(labels[places != TEST]).tolist() == [1, 3, 8]
    assert np.bincount(labels[places == TEST]).tolist() == [1, 4, 32]
    assert sorted(places[(places >= 0) & (labels == 2)]) == list(range(8))
    assert (pool(labels, most=8, seed=1) == places).all()


def test_what_the_mixed_head_fixes_and_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_shot_head, "RATE", 2e-2)  # a small world is a few steps
    images, labels, texts = world()
    parts = ["head", "head", "torso", "torso", "tail", "tail"]
    found = few_shot_head.heads(images, labels, texts, parts=parts, shots=(4, 15), seeds=(0, 1))
    assert [(one.shots, one.head) for one in found] == [(4, "mixed"), (4, "alone"), (15, "mixed"), (15, "alone")]
    whole = {(one.shots, one.head): one.changes[0] for one in found}
    assert whole[15, "alone"].change.value >= whole[15, "mixed"].change.value > 0
    for point in found:
        groups = {one.group: one for one in point.changes}
        assert groups["all"].n == 6 * 15
        assert groups["all"].fixed - groups["all"].broken == pytest.approx(90 * groups["all"].change.value, abs=1.01)
        assert np.mean(point.seeds["tail"]) == pytest.approx(groups["tail"].after.value)
    # By hand for one seed.
    places = pool(labels, most=15, seed=0)
    chosen, tests = (places >= 0) & (places < 4), places == TEST
    trained = few_shot_head.train(images[chosen], labels[chosen], texts, shots=4, seed=0)
    right = (images[tests] @ (trained + texts).T).argmax(1) == labels[tests]
    assert found[0].seeds["all"][0] == pytest.approx(right.mean())
    assert found[0].pictures == 24


def test_pictures_of_another_set_for_the_tail_alone() -> None:
    images, labels, texts = world()
    more, their, _ = world(each=12, seed=2)
    parts = ["head", "head", "torso", "torso", "tail", "tail"]
    found = few_shot_head.heads(images, labels, texts, parts=parts, support=(more, their), only=("tail",), shots=(3,))
    assert found[0].pictures == 6
    assert found[0].changes[0].n == len(labels)
    with pytest.raises(BadInput, match="picture to train on"):
        few_shot_head.heads(images, labels, texts, parts=parts, only=("nowhere",), shots=(3,))
