"""How one class may be written in files from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SHORTEST = 4
"""Letters that a word must have for a name that holds it to look like it: “t shirt” is not “t”."""


def spellings(key: str, name: str) -> Iterator[str]:
    """The exact key and name of a class, each also with spaces and underscores exchanged, likeliest first.

    Case is never folded: counts and sentences of spellings that differ in case belong to different things.
    """
    for text in (key, name):
        yield text
        yield text.replace(" ", "_")
        yield text.replace("_", " ")


def fold(name: str) -> str:
    """A name without case, underscores and repeated blanks: for clustering and suggestions, never for joining counts.

    Where captions are searched, or any spelling of a name is meant, ``core.text.folding`` folds more.
    """
    return " ".join(name.replace("_", " ").casefold().split())


def alike(name: str, folded: Mapping[str, str], *, most: int, at_least: float) -> tuple[tuple[str, float], ...]:
    """Names that look like this one, best first, each with its likeness from 0 to 100.

    Likeness is that of the letters (Indel), of the letters with the words sorted, or nine tenths of that of the words
    in common, where the shorter of the two has at least four letters.

    Args:
        name: folded as the others are; folded: name -> its folded spelling.
    """
    from rapidfuzz import fuzz, process

    found: dict[str, float] = {}
    for scorer, weight in ((fuzz.ratio, 1.0), (fuzz.token_sort_ratio, 1.0), (fuzz.token_set_ratio, 0.9)):
        for text, score, key in process.extract(
            name, folded, scorer=scorer, limit=None, score_cutoff=min(100.0, at_least / weight)
        ):
            if weight == 1 or min(len(name), len(text)) >= SHORTEST:
                found[key] = max(found.get(key, 0.0), weight * score)
    return tuple(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:most])
