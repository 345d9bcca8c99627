"""Pretraining counts of concepts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from cache import keys

if TYPE_CHECKING:
    import pandas as pd


METHODS = ("text", "image", "integrated")
"""Ways of counting: captions that name the concept, pictures that show it, samples with both."""


@dataclass(frozen=True)
class FrequencyTable:
    """Pretraining counts of concepts. Unknown (absent) is not zero.

    Attributes:
        name: unique id (``icons-200k``, ``published:cc3m/...``, ``counted:NAME``).
        source: where the counts come from, one sentence with citation.
        method: the column in use: ``text``, ``image`` or ``integrated``.
        counts: concept key -> count; a concept that is absent is unknown.
        queries: concept key -> spelling actually searched, when it differs.
        flags: concept key -> quality flags (``hyphen``, ``digits``, ``homonym`` ...).
    """

    name: str
    source: str
    method: str
    counts: Mapping[str, int]
    queries: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Digest of the counts, how they were made and what was searched."""
        counts = {key: int(count) for key, count in self.counts.items()}
        flags = {key: list(value) for key, value in self.flags.items()}
        return keys.digest([self.name, self.source, self.method, counts, dict(self.queries), flags])

    def to_pandas(self) -> pd.DataFrame:
        """One row a concept with a known count, the commonest first: concept, count, query, flags."""
        import pandas as pd

        ordered = sorted(self.counts, key=lambda concept: (-self.counts[concept], concept))
        return pd.DataFrame(
            {
                "concept": ordered,
                "count": [int(self.counts[concept]) for concept in ordered],
                "query": [self.queries.get(concept, concept) for concept in ordered],
                "flags": [", ".join(self.flags.get(concept, ())) for concept in ordered],
            }
        )

    def __repr__(self) -> str:
        counts = self.counts.values()
        span = f", counted {min(counts):,} to {max(counts):,} times" if counts else ""
        return f"<FrequencyTable {self.name} ({self.method}): {len(counts):,} concepts{span}>"
