"""What a source of concept counts offers, and how its concepts meet the classes of an image set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from core.frequency import synonyms
from core.stats.intervals import Tag, tags
from core.text.spelling import alike, spellings
from core.types import FrequencyTable

Records = dict[str, dict[str, int | None]]
"""Concept key -> {"text", "image", "integrated"}; None is unknown, which is not zero."""

_APOSTROPHES = {ord(mark): "" for mark in "'\u2019\u02bc\u00b4.,;:!?\"()"}
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015/]+")


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


@runtime_checkable
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


Step = Literal["key", "name", "ImageNet name", "folded spelling"]
SUGGESTIONS = 3


@dataclass(frozen=True)
class Match:
    """How the classes of an image set meet the concepts of a table.

    Attributes:
        counts: class key -> count, in label order; a class that is absent is unmatched.
        spelled: class key -> the concept whose count it takes; steps: class key -> how it was found.
        unmatched: class keys without a count, in label order; names: their readable names.
        concepts: the table's concepts, for :meth:`suggestions`.
    """

    counts: Mapping[str, int]
    spelled: Mapping[str, str]
    steps: Mapping[str, Step]
    unmatched: tuple[str, ...]
    names: Mapping[str, str]
    concepts: Collection[str]

    @property
    def sentence(self) -> str:
        """How many classes matched, and how many only by a folded spelling."""
        total = len(self.counts) + len(self.unmatched)
        folded = sum(step == "folded spelling" for step in self.steps.values())
        more = f", {folded:,} of them by case or punctuation folded" if folded else ""
        return f"{len(self.counts):,} of {total:,} classes matched{more}."

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Unmatched class key -> up to three concepts that look like its name, best first."""
        folded = {concept: fold(concept) for concept in self.concepts} if self.unmatched else {}
        found = {}
        for key in self.unmatched:
            near = alike(fold(self.names[key]), folded, most=SUGGESTIONS, at_least=65)
            found[key] = tuple(concept for concept, _ in near)
        return found


def match(table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = (), *, literal: bool = False) -> Match:
    """Counts of those classes that the table knows, and how each was found.

    In this order: by exact key, such as a wnid; by exact name; by the names that ImageNet's classes have had, for
    classes given as wnids or by a name that one of them has; each also with spaces and underscores exchanged. Last by
    spelling with case, hyphens and punctuation folded, and then only where all concepts of that spelling have one
    count: published counts of spellings that differ in case differ up to a thousandfold.

    Where two classes share a name of which each has an ImageNet name of its own, each takes the count of its own.

    Args:
        keys: class keys of the image set; names: their readable names in the same order, if they differ.
        literal: keys as they are, wnids by their ImageNet names, and nothing else: the paper recipe.
    """
    spelled: dict[str, str] = {}
    steps: dict[str, Step] = {}
    folded: dict[str, list[str]] | None = None
    wnids = synonyms.wnids(keys)
    for key, name, wnid in zip(keys, names or keys, wnids, strict=True):
        found = next(_found(table, _literal(key, wnid) if literal else _candidates(key, name, wnid)), None)
        if found is None and not literal:
            folded = _by_fold(table) if folded is None else folded
            found = _only(table, folded, (key, name))
        if found is not None:
            spelled[key], steps[key] = found
    return Match(
        {key: int(table.counts[concept]) for key, concept in spelled.items()},
        spelled,
        steps,
        tuple(key for key in keys if key not in spelled),
        dict(zip(keys, names or keys, strict=True)),
        table.counts.keys(),
    )


def join(
    table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = (), *, literal: bool = False
) -> dict[str, int]:
    """Counts of those classes that the table knows, by class key, in label order, as :func:`match` finds them."""
    return dict(match(table, keys, names, literal=literal).counts)


def split(table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, Tag]:
    """Head, torso or tail for every class of an image set that the table knows."""
    return tags(join(table, keys, names))


def flags(table: FrequencyTable, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Class key -> quality flags of the concept whose count it takes, for classes whose count has any."""
    spelled = match(table, keys, names).spelled
    return {key: table.flags[concept] for key, concept in spelled.items() if table.flags.get(concept)}


def fold(concept: str) -> str:
    """A spelling without case, punctuation, and differences of hyphen, underscore and blank."""
    text = unicodedata.normalize("NFKC", concept).casefold().translate(_APOSTROPHES)
    return " ".join(_SEPARATORS.sub(" ", text).split())


def _found(table: FrequencyTable, candidates: Iterable[tuple[str, Step]]) -> Iterator[tuple[str, Step]]:
    return ((text, step) for text, step in candidates if text in table.counts)


def _literal(key: str, wnid: str) -> Iterator[tuple[str, Step]]:
    yield key, "key"
    for name in synonyms.of_wnid(wnid):
        yield name, "ImageNet name"


def _candidates(key: str, name: str, wnid: str) -> Iterator[tuple[str, Step]]:
    for text in spellings(key, key):
        yield text, "key"
    if wnid != key:
        yield wnid, "ImageNet name"
    known = synonyms.of_wnid(wnid)
    # A wnid's own names come before the given one where open_clip gives two classes the same name.
    if known and name not in known:
        yield from _imagenet_names(known)
    for text in spellings(name, name):
        yield text, "name"
    yield from _imagenet_names(known or synonyms.of_name(name))


def _imagenet_names(names: Iterable[str]) -> Iterator[tuple[str, Step]]:
    for name in names:
        for text in spellings(name, name):
            yield text, "ImageNet name"


def _by_fold(table: FrequencyTable) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for concept in table.counts:
        found.setdefault(fold(concept), []).append(concept)
    return found


def _only(table: FrequencyTable, folded: Mapping[str, list[str]], texts: Iterable[str]) -> tuple[str, Step] | None:
    for text in texts:
        near = folded.get(fold(text), []) if fold(text) else []
        if near and len({table.counts[concept] for concept in near}) == 1:
            return near[0], "folded spelling"
    return None
