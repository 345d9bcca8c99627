"""Finding concepts by what a person types: misspelt, by part of the name, by family, by place in the distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rapidfuzz import fuzz, utils

ENOUGH = 62.0
"""Least similarity (0 to 100) of a fuzzy match."""


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
