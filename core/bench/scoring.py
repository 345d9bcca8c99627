"""Bench rows of everything that works on cached vectors."""

from __future__ import annotations

import numpy as np

from core.bench import Row, paired


def prompt_switch() -> list[Row]:
    """A changed prompt strategy on 130,500 cached image vectors and 290 classes, against one BLAS product."""
    from core.evaluation.zeroshot import build_classifier, classify, predict

    n, d, c = 130_500, 512, 290
    rng = np.random.default_rng(0)
    images = rng.standard_normal((n, d), dtype=np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    classifier = build_classifier(rng.standard_normal((c, d), dtype=np.float32), np.arange(c), scale=100.0)
    labels = rng.integers(0, c, n)
    out = np.empty((n, c), np.float32)

    def product() -> None:
        np.matmul(images, classifier.weights.T, out=out)

    product()
    return [
        Row("prompt_switch_top1", paired(lambda: predict(images, classifier), product, repeat=5), "<=", 1.3,
            "one float32 BLAS product of 130,500 x 512 x 290", n),
        Row("prompt_switch_answers", paired(lambda: classify(images, classifier, labels), product, repeat=5), "<=", 3.0,
            "the same product; with top-5, margin and probability", n),
    ]  # fmt: skip


def prompt_switch_max() -> list[Row]:
    """The rule max, which needs a product for every sentence, against those products alone in blocks."""
    from core.evaluation.zeroshot import build_classifier, classify

    n, d, c, each = 130_500, 512, 290, 6
    rng = np.random.default_rng(0)
    images = rng.standard_normal((n, d), dtype=np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    sentences = rng.standard_normal((c * each, d), dtype=np.float32)
    classifier = build_classifier(sentences, np.repeat(np.arange(c), each), aggregation="max", scale=100.0)
    labels, block = rng.integers(0, c, n), 2048
    out = np.empty((block, c * each), np.float32)

    def products() -> None:
        for low in range(0, n, block):
            part = images[low : low + block]
            np.matmul(part, classifier.weights.T, out=out[: len(part)])

    ratio = paired(lambda: classify(images, classifier, labels), products, repeat=3)
    against = "float32 BLAS products of 130,500 x 512 x 1,740 in blocks; with top-5, margin and probability"
    return [Row("prompt_switch_max", ratio, "<=", 3.0, against, n)]
