"""How compact composition vectors are, and whether a picture and words together find another picture.

Two further measures of the sequel of ImageNet-AO (Abbasi et al., arXiv 2407.05897): the soft rank of the composition
vectors, fewer dimensions meaning that they are built from few parts, and retrieval with image - attribute + attribute.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.stats.format import percent
from core.stats.intervals import wilson
from core.types import Interval

THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MOST = 2_000
"""Queries at most, drawn by the seed."""
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class SoftRank:
    """Singular values of n stacked composition vectors above each of ``THRESHOLDS`` times the largest.

    Attributes:
        values: how many, one a threshold; shares: the same as shares of the dimensions, so that models of different
            widths compare; n: vectors; dimensions: of each.
    """

    values: tuple[int, ...]
    n: int
    dimensions: int

    @property
    def shares(self) -> tuple[float, ...]:
        return tuple(value / self.dimensions for value in self.values)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Queries of a picture of (a, o) less the text of a plus that of a': is the nearest other picture one of (a', o)?

    Attributes:
        pair: share that find the pair; object, attribute: share that find its parts; chance: of the pair, for a
            picture drawn at random; n: queries.
    """

    pair: Interval
    object: Interval
    attribute: Interval
    chance: float
    n: int


def soft_rank(vectors: np.ndarray) -> SoftRank:
    """Soft rank of composition vectors [n, d], one row a composition; they are not centred."""
    vectors = np.asarray(vectors, np.float64)
    size = np.sqrt(np.maximum(np.linalg.eigvalsh(vectors.T @ vectors), 0))
    values = tuple(int((size > threshold * size.max(initial=0)).sum()) for threshold in THRESHOLDS)
    return SoftRank(values, *vectors.shape)


def retrieved(vectors: np.ndarray, pairs: np.ndarray, texts: np.ndarray, *, seed: int = 0) -> Retrieved:
    """Recall at 1 of image-and-text queries over the same pictures, the query's own left out.

    For a picture of attribute a and object o, a' is drawn among the other attributes that pictures of o show.

    Args:
        vectors: unit image vectors [m, d]; pairs: int [m, 2]; texts: unit text vectors of the attributes [a, d].

    Returns:
        undefined where no object is shown with two attributes.
    """
    rng = np.random.default_rng([33, seed])
    shown: dict[int, np.ndarray] = {
        thing: np.unique(pairs[pairs[:, 1] == thing, 0]) for thing in np.unique(pairs[:, 1]).tolist()
    }
    usable = np.flatnonzero([len(shown[thing]) > 1 for thing in pairs[:, 1].tolist()])
    rows = np.sort(rng.permutation(usable)[:MOST])
    wanted = np.empty((len(rows), 2), np.int64)
    for at, (own, thing) in enumerate(pairs[rows].tolist()):
        others = shown[thing][shown[thing] != own]
        wanted[at] = others[rng.integers(len(others))], thing
    found = np.empty((len(rows), 2), np.int64)
    for low in range(0, len(rows), _BLOCK):
        part = rows[low : low + _BLOCK]
        query = vectors[part] - texts[pairs[part, 0]] + texts[wanted[low : low + _BLOCK, 0]]
        scores = query @ vectors.T
        scores[np.arange(len(part)), part] = -np.inf
        found[low : low + _BLOCK] = pairs[scores.argmax(1)]
    n = len(rows)
    hit = found == wanted
    counts = dict(zip(*_counted(pairs), strict=True))
    chance = float(np.mean([counts[a, o] for a, o in wanted.tolist()]) / (len(pairs) - 1)) if n else float("nan")
    return Retrieved(
        wilson(int(hit.all(1).sum()), n), wilson(int(hit[:, 1].sum()), n), wilson(int(hit[:, 0].sum()), n), chance, n
    )


def _counted(pairs: np.ndarray) -> tuple[list[tuple[int, int]], list[int]]:
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    return [(a, o) for a, o in kinds.tolist()], counts.tolist()


def headline(rank: SoftRank, found: Retrieved) -> str:
    """Soft rank of the texts at a tenth, and the retrieval, in one sentence."""
    at = THRESHOLDS.index(0.1)
    told = (
        f"{rank.values[at]:,} of {rank.dimensions:,} singular values of the composition texts exceed a tenth of the "
        f"largest ({percent(rank.shares[at])})"
    )
    if not found.n:
        return f"{told}; no object is shown with two attributes, so none can be exchanged."
    return (
        f"{told}; exchanging the attribute in words finds a picture of the wanted pair in {100 * found.pair.value:.1f} "
        f"% of {found.n:,} queries (95 % CI {100 * found.pair.low:.1f}–{100 * found.pair.high:.1f}, chance "
        f"{percent(found.chance, 1)})."
    )
