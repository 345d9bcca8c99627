"""What else a concept is called, and how often each of its names was counted.

Names come from ImageNet's lists, WordNet (through timm's own file), the icons' search terms and the synonyms of
imported NeglectedTails files. Counts come from whatever source knows that spelling: the release, Let It Wag!, icon
corpora, imports and counts made here. A name that no source has is not counted, which is not zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from core.datasets.names import wordnet_id, wordnet_names
from core.errors import TailscopeError
from core.frequency import counted, imported, labels, published, synonyms
from core.frequency.table import fold
from core.icons.concepts import concepts
from core.icons.corpus import CORPORA
from core.icons.synonyms import term_counts
from core.text.spelling import spellings

TEXT = "lemmatized"
"""Release's count of captions that name a concept, the one that a synonym is compared under."""


@dataclass(frozen=True, slots=True)
class Called:
    """One name of a concept: the text, where the name comes from, and its count by what was counted."""

    name: str
    origins: tuple[str, ...]
    counts: Mapping[str, int]


def called(name: str, *, icon: str = "") -> tuple[Called, ...]:
    """All names of a concept, the given one first, each with its counts.

    Args:
        icon: key of the icon concept, whose counts in the icon corpora are shown instead of those of real captions.
    """
    found: dict[str, tuple[str, list[str]]] = {}
    for text, origin in ((name, "name"), *_others(name, icon)):
        _, origins = found.setdefault(fold(text), (text, []))
        if origin not in origins:
            origins.append(origin)
    alternates = [] if icon else list(_alternates(name))
    result = []
    for text, origins in found.values():
        counts = _icon_counts(icon, text) if icon else _counts(text)
        for source, listed in alternates:
            own = {fold(other): n for other, n in listed.items()}
            if fold(text) in own:
                counts.setdefault(labels.label(source), own[fold(text)])
        result.append(Called(text, tuple(origins), counts))
    return tuple(result)


def _others(name: str, icon: str) -> Iterator[tuple[str, str]]:
    if icon:
        for concept in concepts():
            if concept.key == icon:
                yield from ((term, "icon term") for term in concept.synonyms)
        return
    wnid, *more = synonyms.of_name(name) or ("",)
    yield from ((text, "ImageNet") for text in more)
    yield from ((text, "WordNet") for text in wordnet_names(wnid or wordnet_id(name)))
    for source, listed in _alternates(name):
        yield from ((text, labels.label(source)) for text in listed)


def _alternates(name: str) -> Iterator[tuple[str, Mapping[str, int]]]:
    for info in imported.infos():
        for concept, listed in imported.alternates(info.name).items():
            if fold(concept) == fold(name):
                yield info.name, listed


def _icon_counts(icon: str, text: str) -> dict[str, int]:
    return {
        corpus: listed[icon][text][0] for corpus in CORPORA if text in (listed := term_counts(corpus)).get(icon, {})
    }


def _counts(text: str) -> dict[str, int]:
    """Count of this spelling by what was counted: captions of the release's sets, then imports and own counts."""
    found: dict[str, int] = {}
    for step in published.steps():
        if step.name.endswith(f"/{TEXT}") and not step.truncated:
            _add(found, step.name, _table(step.name, step.how), text)
    for provider in (imported, counted):
        for info in provider.infos():
            try:
                _add(found, info.name, provider.table(info.name, info.default).counts, text)
            except TailscopeError:
                continue  # a damaged import is told on the page of counts
    return found


@lru_cache(maxsize=16)
def _table(name: str, how: str) -> Mapping[str, int]:
    return published.table(name, how).counts


def _add(found: dict[str, int], source: str, counts: Mapping[str, int], text: str) -> None:
    known = next((spelled for spelled in spellings(text, text) if spelled in counts), None)
    if known is not None:
        found[labels.place(source)] = counts[known]
