"""The 16 count columns of the 290 Let It Wag! concepts as frequency sources: ``letitwag:laion400m`` and so on."""

from __future__ import annotations

from functools import cache

from cache import keys
from core.errors import UnknownName
from core.frequency.table import Records, SourceInfo
from core.published.anomalies import spelling_flags
from core.published.letitwag import COLUMNS, concepts
from core.published.manifest import CITATION
from core.published.names import PRETRAINING
from core.types import METHODS, FrequencyTable

PREFIX = "letitwag:"


def infos() -> list[SourceInfo]:
    """One source a pretraining set, with the ways in which it was counted."""
    n = len(concepts())
    return [
        SourceInfo(PREFIX + name, _origin(name), _methods(name), n, _methods(name)[-1], digest=_digest())
        for name in _sets()
    ]


def table(name: str, method: str) -> FrequencyTable:
    """The counts of the 290 concepts in one pretraining set."""
    own = _own(name)
    counts = {one.key: one.counts[f"{own}/{method}"] for one in concepts()}
    return FrequencyTable(name, _origin(own), method, counts, {}, _flags())


def records(name: str) -> Records:
    """All 290 concepts; None where a pretraining set was not counted in this way."""
    own = _own(name)
    return {one.key: {method: one.counts.get(f"{own}/{method}") for method in METHODS} for one in concepts()}


def families(name: str) -> dict[str, str]:
    """Concept -> what kind of thing it is: bird, dog, aircraft …"""
    return {one.key: one.family for one in concepts()}


@cache
def _digest() -> str:
    return keys.digest([[one.key, {**one.counts}] for one in concepts()])


@cache
def _flags() -> dict[str, tuple[str, ...]]:
    """What the names alone say of the counts, which were searched as those of the release."""
    return {key: found for key, found in spelling_flags(one.key for one in concepts()).items() if found}


def _sets() -> tuple[str, ...]:
    return tuple(dict.fromkeys(column.partition("/")[0] for column in COLUMNS))


def _methods(pretraining: str) -> tuple[str, ...]:
    return tuple(method for method in METHODS if f"{pretraining}/{method}" in COLUMNS)


def _own(name: str) -> str:
    own = name.removeprefix(PREFIX)
    if own not in _sets():
        raise UnknownName(f"Let It Wag! was not counted in {own!r}; choose one of {', '.join(_sets())}.")
    return own


def _origin(pretraining: str) -> str:
    full = next(label for key, label in PRETRAINING.items() if key.startswith(pretraining))
    return f"The 290 Let It Wag! concepts in {full}; {CITATION}"
