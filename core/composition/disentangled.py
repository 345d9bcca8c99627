"""Do dimensions of an embedding keep attribute and object apart? Z-Diff and DCI over the two factors.

The measures of the sequel of ImageNet-AO (Abbasi et al., arXiv 2407.05897), by their first definitions: Z-Diff is the
metric of Higgins et al., beta-VAE (ICLR 2017); DCI is that of Eastwood and Williams (ICLR 2018); explicitness that of
Ridgeway and Mozer (NeurIPS 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from core.stats.bootstrap import UNDEFINED
from core.stats.format import percent
from core.stats.intervals import wilson
from core.types import Interval

FACTORS = ("attribute", "object")
BATCHES, PAIRS = 200, 64
"""Batches of pairs to learn from, and as many to test on; pairs of a batch."""
MOST = 20_000
"""Vectors used at most, drawn by the seed."""
RIDGE = 0.01
"""Penalty on the squared weights beside the mean squared error, for dimensions scaled to unit variance."""


@dataclass(frozen=True, slots=True)
class Disentanglement:
    """Scores of n vectors over attribute and object.

    Attributes:
        z_diff: share of test batches whose shared factor is recognised, Wilson; chance is 1/2.
        disentanglement: 1 where every dimension serves one factor only, 0 where all serve both alike.
        completeness: of attribute and of object: 1 where one dimension alone serves it, 0 where all do alike.
        informativeness: accuracy with which attribute and object are read linearly on the test half.
        explicitness: of attribute and of object: mean area under the ROC curve of the linear classifiers of their
            values on the test half, from 0 (chance) to 1.
    """

    z_diff: Interval
    disentanglement: float
    completeness: tuple[float, float]
    informativeness: tuple[Interval, Interval]
    explicitness: tuple[float, float]
    n: int


def disentanglement(vectors: np.ndarray, pairs: np.ndarray, *, seed: int = 0) -> Disentanglement:
    """Z-Diff and DCI of vectors whose attribute and object are known.

    A seeded half of the vectors trains, the other half tests. *Z-Diff*: a batch is the mean of |v - v'| over 64 pairs
    that share one factor, the other as it comes; a linear classifier tells which factor. *DCI*: a linear classifier an
    attribute and one an object (least squares with a ridge on dimensions of unit variance); R_ik is the mean absolute
    weight of dimension i for factor k, each factor's summing to one. Disentanglement is sum_i rho_i (1 - H_2(P_i)),
    P_ik = R_ik / sum_k R_ik, rho_i = sum_k R_ik / sum R; completeness of k is 1 - H_d(R_k); H_b is entropy to base b.

    Args:
        vectors: [n, d]; pairs: int [n, 2], attribute and object of each.

    Returns:
        NaN where a factor has a single value, or too few vectors share one.
    """
    order = np.random.default_rng([21, seed]).permutation(len(vectors))[:MOST]
    vectors, pairs = np.asarray(vectors[order], np.float64), np.asarray(pairs)[order]
    train, test = np.split(np.arange(len(order)), [len(order) // 2])
    score = _z_diff(vectors, pairs, train, test, seed)
    if any(len(np.unique(pairs[train, k])) < 2 for k in range(2)):
        return Disentanglement(
            score, math.nan, (math.nan, math.nan), (UNDEFINED, UNDEFINED), (math.nan,) * 2, len(vectors)
        )
    importance, read, explicit = np.empty((vectors.shape[1], 2)), [], []
    for k in range(2):
        values, labels = np.unique(pairs[train, k], return_inverse=True)
        weights, said = _linear(vectors[train], np.eye(len(values))[labels], vectors[test])
        size = np.abs(weights).mean(1)
        importance[:, k] = size / size.sum()
        right = values[said.argmax(1)] == pairs[test, k]
        read.append(wilson(int(right.sum()), len(right)))
        explicit.append(_explicitness(said, pairs[test, k][:, None] == values))
    apart, complete = dci(importance)
    return Disentanglement(
        score, apart, (float(complete[0]), float(complete[1])), (read[0], read[1]), (explicit[0], explicit[1]),
        len(vectors),
    )  # fmt: skip


def _explicitness(scores: np.ndarray, is_value: np.ndarray) -> float:
    """Mean AUC over the values that some and not all test vectors have, from chance 0 to 1; bool and float [m, t]."""
    positive = is_value.sum(0)
    judged = (positive > 0) & (positive < len(is_value))
    if not judged.any():
        return math.nan
    ranks = rankdata(scores[:, judged], axis=0)
    wins = (ranks * is_value[:, judged]).sum(0) - positive[judged] * (positive[judged] + 1) / 2
    return float(2 * (wins / (positive[judged] * (len(is_value) - positive[judged]))).mean() - 1)


def dci(importance: np.ndarray) -> tuple[float, np.ndarray]:
    """Disentanglement, and completeness of every factor [k], of relative importances [d, k] (Eastwood, Williams)."""
    dimensions, factors = importance.shape
    total = importance.sum(1)
    used = total > 0
    apart = 1 - _entropy(importance[used] / total[used, None], factors)
    complete = 1 - _entropy((importance / importance.sum(0)).T, dimensions)
    return float(apart @ (total[used] / total.sum())), complete


def _entropy(shares: np.ndarray, base: int) -> np.ndarray:
    """Entropy of every row, to this base."""
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(1) / math.log(base) if base > 1 else np.zeros(len(shares))


def _z_diff(vectors: np.ndarray, pairs: np.ndarray, train: np.ndarray, test: np.ndarray, seed: int) -> Interval:
    rng = np.random.default_rng([22, seed])
    batches = []
    for rows in (train, test):
        found = [_differences(vectors[rows], pairs[rows, k], rng) for k in range(2)]
        if any(not len(one) for one in found):
            return UNDEFINED
        batches.append(np.concatenate(found))
    shared = np.repeat([1.0, -1.0], BATCHES // 2)
    _, said = _linear(batches[0], shared[:, None], batches[1])
    return wilson(int((np.sign(said[:, 0]) == shared).sum()), len(shared))


def _differences(vectors: np.ndarray, values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mean of |v - v'| over pairs with the same value, float64 [batches / 2, d]; empty where no two share one."""
    order = np.argsort(values, kind="stable")
    _, start, size = np.unique(values[order], return_index=True, return_counts=True)
    at = np.flatnonzero(np.repeat(size, size) > 1)
    if not len(at):
        return np.empty((0, vectors.shape[1]))
    start, size = np.repeat(start, size), np.repeat(size, size)
    found = np.empty((BATCHES // 2, vectors.shape[1]))
    for batch in found:
        one = rng.choice(at, PAIRS)
        other = start[one] + (one - start[one] + rng.integers(1, size[one])) % size[one]
        batch[:] = np.abs(vectors[order[one]] - vectors[order[other]]).mean(0)
    return found


def _linear(vectors: np.ndarray, targets: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression on dimensions of unit variance: weights [d, t], and what it predicts for others [m, t]."""
    centre, spread = vectors.mean(0), vectors.std(0)
    scale = np.where(spread > 1e-9, 1 / np.maximum(spread, 1e-9), 0)
    x, mean = (vectors - centre) * scale, targets.mean(0)
    gram = x.T @ x / len(x) + RIDGE * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ (targets - mean) / len(x))
    return weights, (others - centre) * scale @ weights + mean


def headline(images: Disentanglement) -> str:
    """How well the dimensions of image vectors keep attribute and object apart, in one sentence."""
    if math.isnan(images.disentanglement):
        return "Too few pictures share an attribute or an object to tell how far the dimensions keep them apart."
    return (
        f"Over image vectors disentanglement is {images.disentanglement:.2f} of 1; attribute and object are read "
        f"linearly in {percent(images.informativeness[0].value, 1)} and {percent(images.informativeness[1].value, 1)}."
    )
