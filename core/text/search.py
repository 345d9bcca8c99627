"""Finding concepts by what a person types: misspelt, by part of the name, by family, by place in the distribution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rapidfuzz import fuzz, utils

ENOUGH = 62.0
"""Least similarity (0 to 100) of a fuzzy match."""
CLOSE = 50.0
"""The same for a name that is only offered, not taken."""


def find_concepts(
    query: str,
    class_keys: Sequence[str],
    names: Sequence[str],
    *,
    families: Mapping[str, str] | None = None,
    parts: Mapping[str, str] | None = None,
    family: str | None = None,
    part: str | None = None,
) -> list[int]:
    """Class indices that match, best first; all in label order for an empty query.

    Args:
        families, parts: class key -> family, and -> head, torso or tail.
        family, part: keep only these; a concept of unknown family or count is then left out.
    """
    kept = [
        index
        for index, key in enumerate(class_keys)
        if (not family or (families or {}).get(key) == family) and (not part or (parts or {}).get(key) == part)
    ]
    query = utils.default_process(query)
    if not query:
        return kept
    likeness = {index: _similarity(query, utils.default_process(names[index])) for index in kept}
    found = [index for index in kept if likeness[index] >= ENOUGH]
    return sorted(found, key=lambda index: (-likeness[index], len(names[index])))


def nearest_names(name: str, names: Sequence[str], *, most: int = 6) -> list[int]:
    """Indices of the names most like this one, itself left out: shared words first, the last one above all."""
    own = utils.default_process(name)
    words = set(own.split())
    likeness = {}
    for index, other in enumerate(names):
        plain = utils.default_process(other)
        if plain and plain != own:
            shared = words & set(plain.split())
            same_kind = plain.split()[-1:] == own.split()[-1:]
            likeness[index] = fuzz.ratio(own, plain) + 60 * len(shared) / max(len(words), 1) + 30 * same_kind
    return sorted(likeness, key=lambda index: (-likeness[index], names[index]))[:most]


def _similarity(query: str, name: str) -> float:
    """Names that start with or contain the query come first, then names that look like it."""
    if query in name:
        return 100.0 if name.startswith(query) else 98.0 if f" {query}" in name else 95.0
    return 0.94 * max(fuzz.ratio(query, part) for part in (name, *name.split()))


def best_match(typed: str, names: Iterable[str]) -> str | None:
    """The name that a person means who types a part of it and presses Enter, None when no name holds the text.

    The same name in other case comes first, then one that starts with the text, then one with a word that does, then
    one that holds it; among equals the first of the list.
    """
    text = typed.strip().casefold()
    best: tuple[int, str] | None = None
    for name in names if text else ():
        folded = name.casefold()
        at = folded.find(text)
        if at < 0:
            continue
        starts_word = at == 0 or any(not folded[place - 1].isalnum() for place in _places(text, folded))
        rank = 0 if folded == text else 1 if at == 0 else 2 if starts_word else 3
        if best is None or rank < best[0]:
            best = rank, name
    return best[1] if best else None


def _places(text: str, name: str) -> Iterator[int]:
    at = name.find(text)
    while at >= 0:
        yield at
        at = name.find(text, at + 1)


def meant_names(typed: str, names: Sequence[str], *, most: int = 3) -> list[str]:
    """Names that a misspelt or unfinished text may mean, best first: those that hold it, then those like it."""
    text = typed.strip().casefold()
    if not text:
        return []
    likeness = {name: 100.0 if text in name.casefold() else fuzz.ratio(text, name.casefold()) for name in names}
    close = [name for name in likeness if likeness[name] >= CLOSE]
    return sorted(close, key=lambda name: (-likeness[name], len(name)))[:most]
