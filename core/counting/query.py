"""What is asked of captions, as one plain value that can be sent to another process and digested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from cache import keys
from core.counting.batch import Columns
from core.errors import BadInput
from core.text.matcher import all_spellings
from core.versions import version

SCHEMA = 2
"""Counts up when the same query over the same captions would give another partial result."""
Text = Literal["text", "text-paper"]


@dataclass(frozen=True)
class Query:
    """Concepts and attributes as searched.

    Attributes:
        text: ``text`` (the default matcher) or ``text-paper``; empty when no caption is read.
        concepts: keys in order; terms: per concept the spellings searched (none = unmatchable).
        names: readable names, by which score columns are found as well.
        attributes: folded attributes, whose pairs with concepts are counted.
        window: 0 for phrases of consecutive words, else all words within so many, in any order.
        columns: what is read of a row; keep: whether every hit is written for a join with image hits.
        tagger, speller: spaCy pipelines of the paper's algorithm.
        thresholds: rising; scores of at least one of them are hits (image part).
    """

    text: Text | Literal[""]
    concepts: tuple[str, ...]
    terms: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    window: int = 0
    columns: Columns = field(default_factory=lambda: Columns(""))
    keep: bool = False
    tagger: str = ""
    speller: str = ""
    thresholds: tuple[float, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Content key of everything that decides a partial result, versions included."""
        versions = {name: version(name) for name in ("regex", *(["spacy"] if self.tagger else []))}
        return keys.digest({"schema": SCHEMA, "query": self.as_json(), "versions": versions})

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Query:
        """Back from ``as_json``."""
        plain = dict(value)
        for name in ("concepts", "names", "attributes", "thresholds"):
            plain[name] = tuple(plain[name])
        plain["terms"] = tuple(map(tuple, plain["terms"]))
        return cls(**plain | {"columns": Columns(**plain["columns"])})


def spelled(names: Mapping[str, str], extra: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """What is searched for each concept, its name first; none when no word is left of any of its texts."""
    return tuple(all_spellings((name, *extra.get(key, ()))) for key, name in names.items())


def check_window(window: int) -> int:
    """A window in words: 0 for phrases, else 2 to 50."""
    if window and not 2 <= window <= 50:
        raise BadInput(f"A window of {window} words makes no sense; choose 2 to 50, or 0 for phrases.")
    return window
