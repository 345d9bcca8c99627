"""Retrieval recall against the definition that CLIP_benchmark uses, written with a full sort."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.retrieval import retrieval


def unit(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.normal(size=(n, 12)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def by_definition(images, texts, owners, k):
    scores = texts @ images.T
    positive = np.zeros(scores.shape, bool)
    positive[np.arange(len(texts)), owners] = True

    def share(scores, positive):
        nearest = np.argsort(-scores, axis=1)[:, :k]
        return np.take_along_axis(positive, nearest, 1).any(1).mean()

    return share(scores, positive), share(scores.T, positive.T)


def test_recall_equals_the_definition():
    rng = np.random.default_rng(0)
    images = unit(rng, 80)
    owners = rng.permutation(np.r_[np.arange(80), rng.integers(0, 80, 120)])
    texts = images[owners] + 1.2 * unit(rng, 200)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = retrieval(images, texts, owners, ks=(1, 5, 10))
    for k in (1, 5, 10):
        image, text = by_definition(images, texts, owners, k)
        assert found[f"image_retrieval_recall@{k}"] == pytest.approx(image)
        assert found[f"text_retrieval_recall@{k}"] == pytest.approx(text)
    assert 0 < found["image_retrieval_recall@1"] < found["image_retrieval_recall@10"] < 1


def test_perfect_pairs_and_images_without_caption():
    images = np.eye(4, dtype=np.float16)
    found = retrieval(images, images[:3], [0, 1, 2], ks=(1, 5))
    assert found["image_retrieval_recall@1"] == 1
    assert found["text_retrieval_recall@1"] == 0.75
    assert found["text_retrieval_recall@5"] == 0.75


def test_captions_must_name_their_image():
    with pytest.raises(ValueError, match="below 2"):
        retrieval(np.eye(2), np.eye(2), [0, 2])
