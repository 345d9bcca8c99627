"""The default matcher over thousands of captions at once.

Finds exactly what ``core.text.matcher.Matcher`` finds, one caption at a time, in a fraction of the time and with
the place of every hit: each distinct token is folded once and becomes one character a word (words of no query share
one), and phrases are walked through a trie with NumPy, all captions of a batch together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.text.folding import POSSESSIVE, decoded, is_unspaced, unspaced, words

_OTHER, _BREAK, _OWNING, _FIRST = "\x01", "\x02", "\x03", 4
_SEPARATOR = "\udfff"
"""A lone surrogate: no Unicode caption contains it, and no white space is in it."""
_KEPT, _LONGEST = 300_000, 64


@dataclass(frozen=True, slots=True)
class Hits:
    """Where terms stand in a batch, in order of place: caption, owner of the term, first word and word after it.

    A substring has no place among words: it stands before the first word of its caption.
    """

    caption: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    stop: np.ndarray


class _Tokens(dict[str, str]):
    """Token -> one character for each of its words; forgets everything when it grows too large."""

    def __init__(self, words: dict[str, str]) -> None:
        super().__init__({_SEPARATOR: _BREAK})
        self._words = words

    def __missing__(self, token: str) -> str:
        found = "".join(self._words.get(word, _OTHER) for word in words(token))
        if len(token) <= _LONGEST:
            if len(self) >= _KEPT:
                self.clear()
                self[_SEPARATOR] = _BREAK
            self[token] = found
        return found


class Scanner:
    """Finds terms in batches of captions.

    Args:
        terms: owner -> its spellings (``core.text.matcher.spellings``).
        window: 0 for phrases of consecutive words; else all words of a spelling within so many, in any order.
    """

    def __init__(self, terms: Sequence[Sequence[str]], *, window: int = 0) -> None:
        owners: dict[tuple[str, ...], list[int]] = {}
        self._substrings: dict[str, list[int]] = {}
        self._search: Any = None
        for owner, spelled in enumerate(terms):
            for term in spelled:
                if is_unspaced(term):
                    self._substrings.setdefault(term, []).append(owner)
                else:
                    owners.setdefault(tuple(term.split(" ")), []).append(owner)
        known = dict.fromkeys(word for query in owners for word in query if word != POSSESSIVE)
        numbers = {POSSESSIVE: ord(_OWNING)} | {word: _FIRST + at for at, word in enumerate(known)}
        # Surrogates cannot be decoded from a string that is joined with others.
        self._codes = {word: code if code < 0xD800 else code + 0x800 for word, code in numbers.items()}
        self._tokens = _Tokens({word: chr(code) for word, code in self._codes.items()})
        self._width = max(self._codes.values(), default=_FIRST) + 1
        self._window = window
        self._near: dict[int, list[tuple[Counter[int], list[int]]]] = {}
        phrases = {}
        for query, owned in owners.items():
            if window and len(query) > 1:
                coded = Counter(self._codes[word] for word in query)
                self._near.setdefault(self._codes[query[0]], []).append((coded, owned))
            else:
                phrases[query] = owned
        self._plant(phrases)

    def _plant(self, phrases: dict[tuple[str, ...], list[int]]) -> None:
        """The trie as sorted arrays: (state, word) -> state, and the owners of each state that ends a phrase."""
        steps: dict[tuple[int, int], int] = {}
        ends: dict[int, list[int]] = {}
        for phrase, owned in phrases.items():
            state = 0
            for word in phrase:
                state = steps.setdefault((state, self._codes[word]), len(steps) + 1)
            ends[state] = owned
        keys = np.array([state * self._width + word for state, word in steps], np.int64)
        order = np.argsort(keys)
        self._keys, self._next = keys[order], np.array(list(steps.values()), np.int64)[order]
        self._first = np.zeros(self._width, np.int64)
        for (state, code), target in steps.items():
            if not state:
                self._first[code] = target
        self._many = np.zeros(len(steps) + 1, np.int64)
        for state, owned in ends.items():
            self._many[state] = len(owned)
        self._from = np.concatenate([[0], np.cumsum(self._many)[:-1]])
        self._owned = np.array([owner for state in range(len(steps) + 1) for owner in ends.get(state, ())], np.int64)

    def scan(self, captions: Sequence[str]) -> Hits:
        """All hits in these captions (Unicode text), ordered by caption."""
        captions = [decoded(text) if "&" in text or "%" in text else text for text in captions]
        joined = f" {_SEPARATOR} ".join(captions)
        coded = "".join(map(self._tokens.__getitem__, joined.split())).encode("utf-32-le", "surrogatepass")
        codes = np.frombuffer(coded, np.uint32).astype(np.int64)
        breaks = codes == ord(_BREAK)
        caption = np.cumsum(breaks)
        found = [*self._phrases(codes), *self._within(codes, caption)]
        if self._substrings:
            firsts = np.concatenate([[0], np.flatnonzero(breaks)])
            found += self._anywhere(captions, firsts)
        if not found:
            empty = np.zeros(0, np.int64)
            return Hits(empty, empty, empty, empty)
        start, stop, owner = (np.concatenate([hit[at] for hit in found]) for at in range(3))
        order = np.argsort(start, kind="stable")
        return Hits(caption[start[order]], owner[order], start[order], stop[order])

    def _anywhere(self, captions: Sequence[str], firsts: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Substrings of captions in scripts without blanks; ``firsts``: the break before each caption."""
        import ahocorasick_rs

        if self._search is None:
            self._search = ahocorasick_rs.AhoCorasick(list(self._substrings))
        owned = list(self._substrings.values())
        found: list[tuple[int, int]] = []
        for row, text in enumerate(captions):
            if is_unspaced(text):
                hits = self._search.find_matches_as_indexes(unspaced(text), overlapping=True)
                found += [(int(firsts[row]), owner) for query in {hit[0] for hit in hits} for owner in owned[query]]
        if not found:
            return []
        start, owner = np.array(found, np.int64).T
        return [(start, start, owner)]

    def _phrases(self, codes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        found = []
        place = np.flatnonzero(self._first[codes])
        state, length = self._first[codes[place]], 1
        possessive = bool((codes == ord(_OWNING)).any())
        stayed = 0  # so many of the last places passed a possessive over: they told their hits already
        while len(place):
            many = self._many[state]
            if stayed:
                many[len(many) - stayed :] = 0
            if many.any():
                start = np.repeat(place, many)
                within = np.arange(len(start)) - np.repeat(np.cumsum(many) - many, many)
                owner = self._owned[np.repeat(self._from[state], many) + within]
                found.append((start, start + length, owner))
            inside = place + length < len(codes)
            place, state = place[inside], state[inside]
            word = codes[place + length]
            keys = state * self._width + word
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[at] == keys
            moved = place[known], self._next[at[known]]
            if possessive:
                # A possessive ending may be a word of the name and may be passed over: both ways go on.
                owning = word == ord(_OWNING)
                stayed = int(owning.sum())
                moved = np.concatenate([moved[0], place[owning]]), np.concatenate([moved[1], state[owning]])
            (place, state), length = moved, length + 1
        return found

    def _within(self, codes: np.ndarray, caption: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        if not self._near:
            return []
        found = []
        for place in np.flatnonzero(np.isin(codes, list(self._near))).tolist():
            low, high = max(0, place - self._window + 1), min(len(codes), place + self._window)
            around = codes[low:high][caption[low:high] == caption[place]].tolist()
            # A separator opens its caption and is no word of it.
            around = around[1:] if around[0] == ord(_BREAK) else around
            for wanted, owned in self._near[int(codes[place])]:
                if wanted <= Counter(around) and _together(around, wanted, self._window):
                    found += [(place, place + 1, owner) for owner in owned]
        if not found:
            return []
        first, behind, owners = np.array(found).T
        return [(first, behind, owners)]


def _together(words: list[int], wanted: Counter[int], window: int) -> bool:
    return any(wanted <= Counter(words[low : low + window]) for low in range(max(1, len(words) - window + 1)))
