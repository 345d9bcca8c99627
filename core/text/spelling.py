"""How one class may be written in files from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator


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
