"""Counting one batch of captions with the default matcher: hits in, tally out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.counting.pairs import CROWD, within
from core.counting.query import Query
from core.counting.scan import Hits, Scanner
from core.counting.tally import Tally, draws, keep_examples


class TextCounter:
    """The default matcher over the rows of one part.

    Args:
        query: what is searched. seed: fixes which captions become examples; the same part always has the same.
    """

    def __init__(self, query: Query, *, seed: int) -> None:
        self._concepts, self._seed = len(query.concepts), seed
        self._base = self._concepts + len(query.attributes)
        self._scanner = Scanner([*query.terms, *([term] for term in query.attributes)], window=query.window)
        # Concepts whose name holds another's: (inner, outer) as one key, whichever comes first.
        self._contained = {
            min(inner, outer) * self._base + max(inner, outer): inner for outer, inner in contained(query.terms)
        }
        self._inner_keys = np.array(sorted(self._contained), np.int64)

    def count(self, tally: Tally, captions: Sequence[str | None], *, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Add a batch whose first row is number ``first`` of the part; the caption and concept of every hit."""
        texts = [caption or "" for caption in captions]
        hits = self._scanner.scan(texts)
        seen = np.unique(hits.caption * self._base + hits.owner)
        caption, owner = np.divmod(seen, self._base)
        is_concept = owner < self._concepts
        tally.text += np.bincount(owner[is_concept], minlength=self._concepts)
        tally.attributes += np.bincount(owner[~is_concept] - self._concepts, minlength=len(tally.attributes))
        tally.rows += len(captions)
        tally.bad += sum(caption is None for caption in captions)
        drawn = draws(self._seed, first, np.arange(len(texts)))
        keep_examples(tally, owner[is_concept], caption[is_concept], drawn, texts)
        self._pairs(tally, hits, caption, owner, len(texts))
        return caption[is_concept], owner[is_concept]

    def _pairs(self, tally: Tally, hits: Hits, caption: np.ndarray, owner: np.ndarray, n: int) -> None:
        crowd = np.bincount(caption, minlength=n)
        crowded = crowd > CROWD
        tally.crowded += int(crowded.sum())
        few = ~crowded[caption]
        keys, at = within(caption[few], owner[few], base=self._base)
        a, b = np.divmod(keys, self._base)
        both = b < self._concepts
        mixed = (a < self._concepts) & ~both
        tally.together.add(keys[both])
        tally.described.add((b[mixed] - self._concepts) * self._concepts + a[mixed])
        concepts = np.bincount(caption[owner < self._concepts], minlength=n)
        tally.named.update(_histogram(concepts))
        tally.apart.update(_histogram(concepts - self._nested(keys[both], at[both], n)))
        if len(tally.attributes):
            tally.adjacent.add(self._adjacent(hits))

    def _nested(self, keys: np.ndarray, caption: np.ndarray, n: int) -> np.ndarray:
        """For each caption, how many of its concepts stand inside the name of another one that it names."""
        known = np.isin(keys, self._inner_keys)
        inner = np.array([self._contained[key] for key in keys[known].tolist()], np.int64)
        distinct = np.unique(caption[known] * self._base + inner) // self._base
        return np.bincount(distinct, minlength=n)

    def _adjacent(self, hits: Hits) -> np.ndarray:
        """Distinct (attribute, concept) keys of every caption where the attribute stands right before the concept."""
        is_concept = hits.owner < self._concepts
        order = np.argsort(hits.start[is_concept], kind="stable")
        starts, owners = hits.start[is_concept][order], hits.owner[is_concept][order]
        ends, attribute = hits.stop[~is_concept], hits.owner[~is_concept] - self._concepts
        captions = hits.caption[~is_concept]
        low, high = np.searchsorted(starts, ends, side="left"), np.searchsorted(starts, ends, side="right")
        many = high - low
        at = np.repeat(low, many) + np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
        keys = np.repeat(attribute, many) * self._concepts + owners[at]
        size = self._concepts * (self._base - self._concepts)
        return np.unique(np.repeat(captions, many) * size + keys) % size


def contained(terms: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    """(outer, inner) for every two concepts of which one's words stand, in one run, inside a spelling of the other."""
    owners: dict[str, list[int]] = {}
    for owner, spelled in enumerate(terms):
        for term in spelled:
            owners.setdefault(term, []).append(owner)
    found: dict[tuple[int, int], None] = {}
    for outer, spelled in enumerate(terms):
        for term in spelled:
            words = term.split(" ")
            for low in range(len(words)):
                for high in range(low + 1, len(words) + 1):
                    if high - low < len(words):
                        for inner in owners.get(" ".join(words[low:high]), ()):
                            if inner != outer:
                                found[outer, inner] = None
    return list(found)


def _histogram(numbers: np.ndarray) -> dict[int, int]:
    return {number: count for number, count in enumerate(np.bincount(numbers).tolist()) if count}
