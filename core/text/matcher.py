"""Which concepts a caption names: the default text matcher.

Captions and names are folded alike (``core.text.folding``) and split into words. A name is found where its words follow
each other, in any of its forms (``core.text.plurals``): nothing is lemmatised, so that a name never becomes another
word. A possessive ``'s`` after a word of the name does not hide it. A name in a script without blanks is found
anywhere in the text. A concept that leaves no words is unmatchable, which is not the same as a count of zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from core.text.folding import POSSESSIVE, decoded, is_unspaced, unspaced, words
from core.text.plurals import name_forms

Key = TypeVar("Key")

BETWEEN = " | "
"""Stands between the spellings of a published query."""


def spellings(name: str) -> tuple[str, ...]:
    """What is searched for a name: its forms, words separated by one blank; none when no word is left of it.

    For a name in a script without blanks the only one is the name without blanks, found as a substring.
    """
    name = decoded(name)
    if is_unspaced(name):
        return (unspaced(name).replace("\n", ""),)
    return tuple(" ".join(form) for form in name_forms(words(name)))


def plain(text: str) -> str:
    """What is searched for a word that has no plural, such as an adjective; empty when no word is left."""
    return next(iter(spellings(text)), "")


def all_spellings(texts: Iterable[str]) -> tuple[str, ...]:
    """The spellings of a name and its synonyms, each once."""
    return tuple(dict.fromkeys(spelling for text in texts for spelling in spellings(text)))


def shown(spelled: Sequence[str], *, window: int = 0) -> str:
    """Spellings as they are published beside a count, with the window for phrases when there is one."""
    near = [f"{term} (within {window} words)" if window and " " in term else term for term in spelled]
    return BETWEEN.join(term.replace(f" {POSSESSIVE}", POSSESSIVE) for term in near)


class Matcher(Generic[Key]):
    """Finds every concept that a caption names.

    Args:
        terms: concept key -> the texts that count for it (its name first, then synonyms if wanted).

    Attributes:
        queries: concept key -> the spellings actually searched, as published beside each count.
    """

    def __init__(self, terms: Mapping[Key, Iterable[str]]) -> None:
        self.queries = {key: all_spellings(texts) for key, texts in terms.items()}
        self._substrings: dict[str, set[Key]] = {}
        self._trie: dict[str, Any] = {}
        for key, spelled in self.queries.items():
            for query in spelled:
                if is_unspaced(query):
                    self._substrings.setdefault(query, set()).add(key)
                    continue
                node = self._trie
                for word in query.split(" "):
                    node = node.setdefault(word, {})
                node.setdefault("", set()).add(key)  # no word is empty

    def find(self, caption: str) -> set[Key]:
        """Keys of all concepts named in the caption, each at most once."""
        caption = decoded(caption)
        found: set[Key] = set()
        tokens = words(caption)
        for start in range(len(tokens)):
            found.update(*self._at(tokens, start))
        if self._substrings and is_unspaced(caption):
            text = unspaced(caption)
            found.update(*(keys for query, keys in self._substrings.items() if query in text))
        return found

    def _at(self, tokens: Sequence[str], start: int) -> Iterator[set[Key]]:
        """The owners of every spelling that begins at a word."""
        nodes = [self._trie]
        for at in range(start, len(tokens)):
            word = tokens[at]
            moved = [node[word] for node in nodes if word in node]
            yield from (node[""] for node in moved if "" in node)
            # A possessive ending may be a word of the name and may be passed over: both ways go on.
            nodes = moved + nodes if word == POSSESSIVE and at > start else moved
            if not nodes:
                return
