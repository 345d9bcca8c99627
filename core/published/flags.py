"""Quality flags of the released counts: names that mean more than one thing, and names that a search missed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from core.published.anomalies import ratio_flags, spelling_flags
from core.published.names import HEADLINE_METHOD, METHODS, MORE_SETS, ZERO_SHOT_SETS
from core.published.store import Store, open_store

COLUMNS = {"text": "lemmatized", "image": "rampp0.7", "integrated": HEADLINE_METHOD}
"""Column of the release for each way of counting, at the headline thresholds."""


def flags(pretraining: str) -> dict[str, tuple[str, ...]]:
    """Concept -> quality flags (``core.published.anomalies.FLAGS``), for concepts that have any."""
    return _flags(open_store(), pretraining)


@lru_cache(maxsize=16)
def _flags(opened: Store, pretraining: str) -> dict[str, tuple[str, ...]]:
    spelled = _spelled(opened)
    by_column = counts_of(opened, pretraining)
    text, image = (by_column.get(COLUMNS[kind], {}) for kind in ("text", "image"))
    concepts = list(dict.fromkeys((*text, *image)))
    values = [np.array([column.get(key, -1) for key in concepts], dtype=np.int64) for column in (text, image)]
    marks = ratio_flags(*values) if concepts else ((), ())
    by_ratio = {
        key: tuple(flag for flag, mark in (("homonym", more), ("text missed", fewer)) if mark)
        for key, more, fewer in zip(concepts, *marks, strict=True)
    }
    found = {key: spelled.get(key, ()) + by_ratio.get(key, ()) for key in dict.fromkeys((*spelled, *by_ratio))}
    return {key: value for key, value in found.items() if value}


@lru_cache(maxsize=2)
def _spelled(opened: Store) -> dict[str, tuple[str, ...]]:
    return spelling_flags(concept for concept in opened.concept if concept)


@lru_cache(maxsize=16)
def counts_of(opened: Store, pretraining: str) -> dict[str, dict[str, int]]:
    """Method -> concept -> count; where integrated runs differ, the classification sets' (ImageNet first) are taken."""
    order = {name: rank for rank, name in enumerate((*ZERO_SHOT_SETS, *MORE_SETS))}
    found = opened.rows(
        "SELECT method, dataset, concept, count FROM counts JOIN units USING (unit) "
        "WHERE pretraining = ? AND concept <> '' ORDER BY method, dataset, position",
        [pretraining],
    )
    result: dict[str, dict[str, int]] = {method: {} for method in METHODS}
    for method, _, concept, count in sorted(found, key=lambda row: order.get(row[1], len(order))):
        result[method].setdefault(concept, count)
    return result
