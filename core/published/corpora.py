"""The pretraining sets themselves: long tails, how far their concept frequencies agree, captions that miss images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from core.published.flags import flags as flagged
from core.published.names import HEADLINE_METHOD, SKETCH, ZERO_SHOT_SETS
from core.published.pool import known_counts
from core.published.recipe_honest import midranks, pearson
from core.published.store import Store

LONG_TAIL_SETS = tuple(name for name in ZERO_SHOT_SETS if name != SKETCH)
CORRELATED = ("cc3m", "cc12m", "yfcc15m", "laion400m")
EXTRACTED_SIZE, FIXED_SIZE = "extracted", "fixed"
MISALIGNMENT_CAVEATS = (
    "Misaligned pairs have concepts on both sides, none in common; both denominators also count pairs with none.",
    "For CC-3M, CC-12M and YFCC-15M captions were looked up by single words: names of several never count as text.",
    "LAION used another look-up, so the rates are not comparable across sets.",
    "The release calls these fractions percent.",
)


@dataclass(frozen=True)
class LongTail:
    """Rank–frequency of one set under one method, rows of 17 data sets pooled as released.

    Attributes:
        counts: int64 [non-zero rows], falling; rows, zeros: rows in all and with a count of zero.
        share_below: share of rows, zeros included, under 1 % of the largest count; gini: of the non-zero counts.
    """

    pretraining: str
    method: str
    counts: np.ndarray
    rows: int
    zeros: int
    share_below: float
    gini: float


@lru_cache(maxsize=64)
def long_tail(store: Store, pretraining: str, method: str, hidden: tuple[str, ...] = ()) -> LongTail | None:
    """Rank–frequency, or None when the release has no such counts.

    Args:
        hidden: quality flags of counts; rows that carry one are left out.
    """
    found = store.columns("SELECT unit, count FROM counts WHERE pretraining = ? AND method = ?", [pretraining, method])
    inside = np.isin(store.dataset[found["unit"]].astype(str), LONG_TAIL_SETS)
    if hidden:
        doubtful = flagged(pretraining)
        names = store.concept[found["unit"]]
        inside &= np.array([not set(hidden) & set(doubtful.get(name, ())) for name in names], dtype=bool)
    counts = found["count"][inside]
    if not len(counts) or not counts.any():
        return None
    falling = np.sort(counts[counts > 0])[::-1]
    below = float((counts < 0.01 * falling[0]).mean())
    return LongTail(pretraining, method, falling, len(counts), int((counts == 0).sum()), below, gini(falling))


def gini(counts: np.ndarray) -> float:
    """Gini coefficient of positive counts: 0 when all are equal, towards 1 when one has everything."""
    rising = np.sort(counts).astype(np.float64)
    n = len(rising)
    return float((2 * np.arange(1, n + 1) - n - 1) @ rising / (n * rising.sum()))


@lru_cache(maxsize=8)
def correlations(store: Store, method: str = HEADLINE_METHOD) -> tuple[dict[str, Any], ...]:
    """Spearman's rho of concept counts for every pair of the four main sets.

    ``by_name`` compares what both sets count under the same name (n of them). ``by_position`` is what the released
    notebook does: it compares two lists entry by entry, whatever their names, up to the end of the shorter one.
    """
    tables = {name: known_counts(store, name, [method])[method] for name in CORRELATED}
    found = []
    for a, b in combinations([name for name in CORRELATED if tables[name]], 2):
        common = [name for name in tables[a] if name in tables[b]]
        named = [np.array([table[name] for name in common]) for table in (tables[a], tables[b])]
        length = min(len(tables[a]), len(tables[b]))
        listed = [np.array(list(table.values())[:length]) for table in (tables[a], tables[b])]
        aligned = list(tables[a])[:length] == list(tables[b])[:length]
        found.append(
            {
                "a": a,
                "b": b,
                "method": method,
                "n": len(common),
                "by_name": pearson(midranks(named[0]), midranks(named[1])),
                "n_position": length,
                "by_position": pearson(midranks(listed[0]), midranks(listed[1])),
                "aligned": aligned,
            }
        )
    return tuple(found)


def misalignment(store: Store) -> list[dict[str, Any]]:
    """Pairs whose captions and images share no concept: count, both denominators, both rates (fractions)."""
    found = store.rows("SELECT pretraining, pairs, extracted, fixed FROM misalignment ORDER BY fixed")
    return [
        {
            "pretraining": pretraining,
            "pairs": pairs,
            EXTRACTED_SIZE: {"rate": extracted, "size": round(pairs / extracted)},
            FIXED_SIZE: {"rate": fixed, "size": round(pairs / fixed)},
        }
        for pretraining, pairs, extracted, fixed in found
    ]
