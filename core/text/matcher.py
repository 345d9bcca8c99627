"""Which concepts a caption names: the default text matcher.

Case-folded and Unicode-normalised (NFKC), split at anything but letters, digits, hyphens and apostrophes inside a
word, lemmatised on both sides (simplemma), phrases matched as consecutive words. Hyphens and digits are kept.
A concept that leaves no words is unmatchable, which is not the same as a count of zero.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

_WORD = re.compile(r"\w+(?:[-'\u2019]\w+)*")


@lru_cache(maxsize=1 << 17)
def lemma(word: str) -> str:
    """Lemma of one case-folded English word; of a hyphenated one the last part is lemmatised, digits stay."""
    import simplemma

    head, hyphen, last = word.rpartition("-")
    return head + hyphen + (simplemma.lemmatize(last, lang="en").lower() if last.isalpha() else last)


def lemmas(text: str) -> list[str]:
    """The words of a text, normalised and lemmatised, in order."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return [lemma(word) for word in _WORD.findall(folded)]


class Matcher:
    """Finds every concept that a caption names.

    Args:
        terms: concept key -> the spellings that count for it (its name first, then synonyms if wanted).

    Attributes:
        queries: concept key -> the lemmatised spellings actually searched, as published beside each count.
        unmatchable: keys whose every spelling leaves no words.
    """

    def __init__(self, terms: Mapping[str, Iterable[str]]) -> None:
        import ahocorasick_rs

        self.queries = {
            key: tuple(dict.fromkeys(q for q in (" ".join(lemmas(term)) for term in spelled) if q))
            for key, spelled in terms.items()
        }
        self.unmatchable = frozenset(key for key, spelled in self.queries.items() if not spelled)
        owners: dict[str, list[str]] = {}
        for key, spelled in self.queries.items():
            for query in spelled:
                owners.setdefault(query, []).append(key)
        self._owners = list(owners.values())
        # A space on both sides makes every match a whole-word match.
        self._search = ahocorasick_rs.AhoCorasick([f" {query} " for query in owners])

    def find(self, caption: str) -> set[str]:
        """Keys of all concepts named in the caption, each at most once."""
        haystack = f" {' '.join(lemmas(caption))} "
        found: set[str] = set()
        for index, _, _ in self._search.find_matches_as_indexes(haystack, overlapping=True):
            found.update(self._owners[index])
        return found
