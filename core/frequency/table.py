"""What a source of concept counts offers, and how its concepts meet the classes of an image set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.text.spelling import spellings
from core.types import FrequencyTable

Records = dict[str, dict[str, int | None]]
"""Concept key -> {"text", "image", "integrated"}; None is unknown, which is not zero."""

METHODS = ("text", "image", "integrated")


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One frequency source: unique name, origin in one sentence, methods it can give, number of concepts, the method
    meant when none is named, and a digest that differs when its counts do."""

    name: str
    source: str
    methods: tuple[str, ...]
    concepts: int
    default: str = "image"
    digest: str = field(kw_only=True)


class Provider(Protocol):
    """A family of sources (icon corpora, published counts, one's own counts), usually a module."""

    def infos(self) -> Sequence[SourceInfo]:
        """Sources that can be read now."""
        ...

    def table(self, name: str, method: str) -> FrequencyTable:
        """The counts of one of them under one of its methods."""
        ...

    def records(self, name: str) -> Records:
        """All its concepts with their counts under every method."""
        ...

    def families(self, name: str) -> Mapping[str, str]:
        """Concept key -> family, for the concepts that have one."""
        ...


def join(table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, int]:
    """Counts of those classes that the table knows, by class key, in label order.

    A class is found by its exact key, else by its exact name, each also with spaces and underscores exchanged; never
    by folding case: published counts of spellings that differ in case differ up to a thousandfold.

    Args:
        keys: class keys of the image set; names: their readable names in the same order, if they differ.
    """
    found = {}
    for key, name in zip(keys, names or keys, strict=True):
        count = next((table.counts[spelling] for spelling in spellings(key, name) if spelling in table.counts), None)
        if count is not None:
            found[key] = int(count)
    return found
