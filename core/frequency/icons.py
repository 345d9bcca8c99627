"""The icon corpora as frequency sources."""

from __future__ import annotations

from functools import cache

from cache import keys
from core.frequency.table import Records, SourceInfo
from core.icons.concepts import concepts
from core.icons.corpus import CORPORA
from core.icons.counts import read_counts
from core.types import METHODS, FrequencyTable


@cache
def _digest(name: str) -> str:
    return keys.digest([name, read_counts(name)])


def _origin(name: str) -> str:
    return f"Exact counts over the {CORPORA[name].pairs:,} captioned icons of {name}, on which the icon models trained."


def infos() -> list[SourceInfo]:
    """The icon corpora, in the order in which they are defined."""
    return [SourceInfo(name, _origin(name), METHODS, len(read_counts(name)), digest=_digest(name)) for name in CORPORA]


def table(name: str, method: str) -> FrequencyTable:
    """Counts of one corpus: captions naming the concept, icons drawn, or samples with both."""
    counts = {key: record[method] for key, record in read_counts(name).items()}
    queries = {concept.key: concept.name for concept in concepts() if concept.name != concept.key}
    return FrequencyTable(name, _origin(name), method, counts, queries)


def records(name: str) -> Records:
    """All concepts of one corpus with their text, image and integrated counts."""
    return {key: dict(record) for key, record in read_counts(name).items()}


def families(name: str) -> dict[str, str]:
    """Concept key -> family word; the same for every corpus."""
    return {concept.key: concept.family for concept in concepts()}
