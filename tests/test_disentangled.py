"""Z-Diff and DCI against vectors whose answer is known and against an independent computation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import entropy
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from core.composition import disentangled
from core.composition.compact import THRESHOLDS, retrieved, soft_rank
from core.composition.disentangled import dci, disentanglement


def factors(rng: np.random.Generator, n: int = 800) -> np.ndarray:
    """Attributes of four, objects of six."""
    return np.stack([rng.integers(0, 4, n), rng.integers(0, 6, n)], 1)


def test_vectors_with_a_dimension_for_every_value_are_disentangled_and_a_rotation_undoes_it() -> None:
    rng = np.random.default_rng(0)
    pairs = factors(rng)
    apart = np.concatenate([np.eye(4)[pairs[:, 0]], np.eye(6)[pairs[:, 1]]], 1) + rng.normal(0, 0.02, (800, 10))
    found = disentanglement(apart, pairs)
    assert found.z_diff.value == 1
    assert found.disentanglement > 0.85
    assert [one.value for one in found.informativeness] == [1, 1]
    # One factor is in four of ten dimensions, the other in six.
    assert found.completeness == pytest.approx((1 - np.log(4) / np.log(10), 1 - np.log(6) / np.log(10)), abs=0.06)
    turned = disentanglement(apart @ np.linalg.qr(rng.normal(size=(10, 10)))[0], pairs)
    assert turned.disentanglement < 0.5
    assert [one.value for one in turned.informativeness] == pytest.approx([1, 1], abs=0.01)


def test_vectors_without_either_factor_score_as_chance() -> None:
    rng = np.random.default_rng(1)
    found = disentanglement(rng.normal(size=(1000, 12)), factors(rng, 1000))
    assert found.z_diff.low < 0.5 < found.z_diff.high
    assert found.informativeness[0].low < 1 / 4 < found.informativeness[0].high
    assert np.abs(found.explicitness).max() < 0.15
    assert found.disentanglement < 0.3


def test_the_figures_agree_with_another_computation() -> None:
    rng = np.random.default_rng(2)
    pairs = factors(rng, 300)
    vectors = rng.normal(size=(4, 8))[pairs[:, 0]] + rng.normal(size=(6, 8))[pairs[:, 1]] + rng.normal(size=(300, 8))
    order = np.random.default_rng([21, 0]).permutation(300)
    train, test = order[:150], order[150:]
    scaled = (vectors - vectors[train].mean(0)) / vectors[train].std(0)
    importance, read, explicit = [], [], []
    for k in range(2):
        values = np.unique(pairs[train, k])
        targets = (pairs[train, k][:, None] == values).astype(float)
        model = Ridge(alpha=disentangled.RIDGE * 150).fit(scaled[train], targets)
        size = np.abs(model.coef_).mean(0)
        importance.append(size / size.sum())
        read.append(np.mean(values[model.predict(scaled[test]).argmax(1)] == pairs[test, k]))
        scores = model.predict(scaled[test])
        areas = [roc_auc_score(pairs[test, k] == value, scores[:, at]) for at, value in enumerate(values)]
        explicit.append(2 * np.mean(areas) - 1)
    matrix = np.stack(importance, 1)
    weights = matrix.sum(1) / matrix.sum()
    apart = sum(w * (1 - entropy(row, base=2)) for w, row in zip(weights, matrix, strict=True))
    found = disentanglement(vectors, pairs)
    assert found.disentanglement == pytest.approx(apart)
    assert found.completeness == pytest.approx([1 - entropy(matrix[:, k], base=8) for k in range(2)])
    assert [one.value for one in found.informativeness] == pytest.approx(read)
    assert found.explicitness == pytest.approx(explicit)


def test_soft_rank_counts_singular_values_and_a_sum_has_few() -> None:
    rng = np.random.default_rng(3)
    pairs = np.array([(a, o) for a in range(4) for o in range(6)])
    added = rng.normal(size=(4, 40))[pairs[:, 0]] + rng.normal(size=(6, 40))[pairs[:, 1]]
    single = rng.normal(size=(24, 40))
    for vectors in (added, single):
        found, size = soft_rank(vectors), np.linalg.svd(vectors, compute_uv=False)
        assert found.values == tuple(int((size > t * size[0]).sum()) for t in THRESHOLDS)
        assert (found.n, found.dimensions, found.shares[0]) == (24, 40, found.values[0] / 40)
    assert soft_rank(added).values[0] == 4 + 6 - 1
    assert soft_rank(single).values[0] == 24


def test_words_exchange_the_attribute_of_vectors_that_are_sums() -> None:
    rng = np.random.default_rng(4)
    attributes, objects = np.linalg.qr(rng.normal(size=(20, 20)))[0][:9].reshape(9, 20)[:3], rng.normal(size=(4, 20))
    pairs = np.repeat([(a, o) for a in range(3) for o in range(4) if (a, o) != (2, 3)], 2, axis=0)
    vectors = 3 * attributes[pairs[:, 0]] + objects[pairs[:, 1]] + 0.01 * rng.normal(size=(len(pairs), 20))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    found = retrieved(vectors / length, pairs, 3 * attributes / length.mean())
    assert (found.n, found.pair.value) == (22, 1)
    assert found.chance == pytest.approx(2 / 21)
    useless = retrieved(vectors / length, pairs, np.zeros((3, 20)))
    assert (useless.attribute.value, useless.object.value) == (0, 1)  # the other picture of the very pair is nearest
    assert np.isnan(retrieved(vectors[:2], pairs[:2], attributes).pair.value)


def test_the_published_examples_of_a_perfect_and_a_useless_code() -> None:
    apart, complete = dci(np.eye(3))
    assert (apart, complete.tolist()) == (1, [1, 1, 1])
    apart, complete = dci(np.ones((4, 2)))
    assert apart == pytest.approx(0)
    assert complete == pytest.approx([0, 0])


@pytest.mark.parametrize("pairs", [[[0, 0], [0, 1]], [[0, 0], [1, 1], [2, 2], [3, 3]], [[0, 0]] * 6])
def test_too_few_vectors_leave_the_scores_undefined(pairs: list[list[int]]) -> None:
    found = disentanglement(np.arange(3.0 * len(pairs)).reshape(-1, 3), np.array(pairs))
    assert np.isnan(found.z_diff.value) or np.isnan(found.disentanglement)
