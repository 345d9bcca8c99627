"""Published counts as frequency sources: ``published:PRETRAINING/METHOD``, a provider of ``core.frequency.sources``.

A source is one count column of the release over all its downstream data sets. Its own column is the one its name says;
the text, image and integrated columns beside it are those of the headline thresholds.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cache import keys
from core.frequency.table import METHODS as KINDS
from core.frequency.table import Records, SourceInfo
from core.published import store
from core.published.anomalies import ratio_flags, spelling_flags
from core.published.manifest import CITATION
from core.published.names import HEADLINE_METHOD, METHODS, PRETRAINING, kind_of_method
from core.published.pool import known_counts
from core.published.store import Store, open_store
from core.types import FrequencyTable

PREFIX = "published:"
COLUMNS = {"text": "lemmatized", "image": "rampp0.7", "integrated": HEADLINE_METHOD}


def infos() -> list[SourceInfo]:
    """One source for each count column of the imported release; none without one."""
    return _infos(open_store()) if store.available() else []


@lru_cache(maxsize=2)
def _infos(opened: Store) -> list[SourceInfo]:
    found = opened.rows(
        "SELECT pretraining, method, count(DISTINCT concept) FROM counts JOIN units USING (unit) "
        "WHERE concept <> '' GROUP BY ALL"
    )
    sizes = {(pretraining, method): n for pretraining, method, n in found}
    return [
        SourceInfo(
            f"{PREFIX}{pretraining}/{method}",
            _origin(pretraining, method),
            _kinds(sizes, pretraining, method),
            n,
            kind_of_method(method),
            digest=keys.digest([opened.place.name, pretraining, method]),
        )
        for pretraining in PRETRAINING
        for method in METHODS
        if (n := sizes.get((pretraining, method)))
    ]


def _kinds(sizes: dict[tuple[str, str], int], pretraining: str, method: str) -> tuple[str, ...]:
    """Kinds of count that can be read, the source's own first."""
    own = kind_of_method(method)
    return (own, *(kind for kind in KINDS if kind != own and (pretraining, COLUMNS[kind]) in sizes))


def _origin(pretraining: str, method: str) -> str:
    return f"{PRETRAINING[pretraining]} counted by {METHODS[method]}; {CITATION}"


def table(name: str, method: str) -> FrequencyTable:
    """The counts of one source; ``method`` is the kind of count, the source's own column for its own kind."""
    pretraining, own = _split(name)
    column = own if kind_of_method(own) == method else COLUMNS[method]
    counts = _counts(open_store(), pretraining)[column]
    return FrequencyTable(name, _origin(pretraining, column), method, counts, {}, flags(pretraining))


def records(name: str) -> Records:
    """All concepts with their text, image and integrated counts; None is unknown."""
    pretraining, own = _split(name)
    by_column = _counts(open_store(), pretraining)
    columns = {kind: by_column.get(own if kind_of_method(own) == kind else COLUMNS[kind], {}) for kind in KINDS}
    concepts = dict.fromkeys(key for column in columns.values() for key in column)
    return {key: {kind: column.get(key) for kind, column in columns.items()} for key in concepts}


def families(name: str) -> dict[str, str]:
    """Concept -> the downstream data set that it comes from (the first, where several have it)."""
    pretraining, own = _split(name)
    found = open_store().rows(
        "SELECT concept, min(dataset) FROM counts JOIN units USING (unit) WHERE pretraining = ? AND method = ? "
        "AND concept <> '' GROUP BY concept",
        [pretraining, own],
    )
    return dict(found)


def flags(pretraining: str) -> dict[str, tuple[str, ...]]:
    """Concept -> quality flags (``core.published.anomalies.FLAGS``), for concepts that have any."""
    return _flags(open_store(), pretraining)


@lru_cache(maxsize=16)
def _flags(opened: Store, pretraining: str) -> dict[str, tuple[str, ...]]:
    spelled = _spelled(opened)
    by_column = _counts(opened, pretraining)
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
def _counts(opened: Store, pretraining: str) -> dict[str, dict[str, int]]:
    tables = known_counts(opened, pretraining, list(METHODS))
    return {method: {key: n for key, n in counts.items() if key} for method, counts in tables.items()}


def _split(name: str) -> tuple[str, str]:
    pretraining, _, method = name.removeprefix(PREFIX).partition("/")
    return pretraining, method
