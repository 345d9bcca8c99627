"""Is a red anchor "red" plus "anchor"? How much of composition vectors is a sum of an attribute and an object part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.format import percent


@dataclass(frozen=True, slots=True)
class Additivity:
    """How well vectors are a sum of attribute and object factors.

    Attributes:
        r2: share of the variance explained; adjusted: less what as many factors explain of noise.
        n: composition vectors; factors: free factors (rank of the design less one).
    """

    r2: float
    adjusted: float
    n: int
    factors: int


def additivity(vectors: np.ndarray, pairs: np.ndarray) -> Additivity:
    """R² of the additive model v(a, o) = m + u_attr(a) + u_obj(o), by least squares over the compositions given.

    R² = 1 - sum |v - v̂|² / sum |v - mean v|², over all dimensions; adjusted R² = 1 - (1 - R²)(n - 1)/(n - 1 - p) with
    p free factors: with few compositions a part of any vectors is "explained". Linear decompositions of composition
    vectors: Trager et al., Linear Spaces of Meanings, arXiv 2302.14383; R² is that of a two-way layout without
    interaction.

    Args:
        vectors: [n, d], one a composition; pairs: int [n, 2], its attribute and object.

    Returns:
        NaN for R² when the vectors do not vary, and for the adjusted one when no degree of freedom is left.
    """
    vectors = np.asarray(vectors, np.float64)
    centred = vectors - vectors.mean(0)
    total = float((centred**2).sum())
    fitted, rank = _fit(centred, pairs)
    n, p = len(vectors), rank - 1
    if total <= 1e-12 * max(1.0, float((vectors**2).sum())):
        return Additivity(float("nan"), float("nan"), n, p)
    r2 = 1 - float(((centred - fitted) ** 2).sum()) / total
    free = n - 1 - p
    return Additivity(r2, 1 - (1 - r2) * (n - 1) / free if free > 0 else float("nan"), n, p)


def _fit(vectors: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, int]:
    """Least-squares fit [n, d] of attribute plus object factors, and the rank of the design."""
    attribute, thing = (np.unique(column, return_inverse=True)[1] for column in np.asarray(pairs).T)
    a, o = attribute.max() + 1, thing.max() + 1
    joint = np.zeros((a, o))
    np.add.at(joint, (attribute, thing), 1)
    normal = np.block([[np.diag(joint.sum(1)), joint], [joint.T, np.diag(joint.sum(0))]])
    sums = np.zeros((a + o, vectors.shape[1]))
    np.add.at(sums, attribute, vectors)
    np.add.at(sums, a + thing, vectors)
    factors, _, rank, _ = np.linalg.lstsq(normal, sums, rcond=1e-10)
    return factors[attribute] + factors[a + thing], int(rank)


def pair_means(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean image vector of every composition with images, float64 [k, d], and which compositions, int64 [k]."""
    present, place = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(present), vectors.shape[1]))
    np.add.at(sums, place, np.asarray(vectors, np.float64))
    return sums / np.bincount(place)[:, None], present


def headline(texts: Additivity, images: Additivity) -> str:
    """How much an attribute part and an object part explain, in one sentence."""
    return (
        f"An attribute part plus an object part explains {_percent(texts.adjusted)} of the variance of {texts.n:,} "
        f"composition texts and {_percent(images.adjusted)} of that of {images.n:,} mean images (adjusted R²)."
    )


def _percent(share: float) -> str:
    return "an undefined part" if np.isnan(share) else percent(share)
