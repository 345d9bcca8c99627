"""How often the captions of the icon corpora use each spelling of a concept, committed as ``synonyms.csv``."""

from __future__ import annotations

import csv
from collections import Counter
from functools import cache

from cache.files import write_bytes
from core.icons.concepts import ASSETS, concepts
from core.icons.corpus import CORPORA, corpus
from core.text.tables import csv_text

SYNONYMS = ASSETS / "synonyms.csv"


def spellings() -> list[tuple[str, str]]:
    """(concept key, spelling) for every name and every search term that no other concept could mean, names first.

    A term that is another concept's name or term in singular or plural is left out: its count would be theirs.
    """
    from core.text.matcher import spellings as searched

    claims: dict[str, set[str]] = {}
    for concept in concepts():
        for term in (concept.name, *concept.synonyms):
            for spelling in searched(term):
                claims.setdefault(spelling, set()).add(concept.key)
    return [
        (concept.key, term)
        for concept in concepts()
        for term in (concept.name, *concept.synonyms)
        if term == concept.name or all(len(claims[spelling]) == 1 for spelling in searched(term))
    ]


def count_terms(name: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Captions of one corpus that use each spelling, and how many of them show its concept; takes half a minute.

    A spelling counts when it matches under the default matcher.
    """
    from core.text.matcher import Matcher

    terms = spellings()
    matcher = Matcher({pair: [pair[1]] for pair in terms})
    used: Counter[tuple[str, str]] = Counter()
    shown: Counter[tuple[str, str]] = Counter()
    for one in corpus(name):
        found = matcher.find(one.caption)
        used.update(found)
        shown.update(pair for pair in found if pair[0] == one.drawing.key)
    return {pair: (used[pair], shown[pair]) for pair in terms}


def write_synonyms() -> None:
    """Count the spellings in all corpora and write the committed table."""
    counts = {name: count_terms(name) for name in CORPORA}
    header = ("concept", "term", *(column for name in CORPORA for column in (name, f"{name} shown")))
    rows = ((*pair, *(n for name in CORPORA for n in counts[name][pair])) for pair in spellings())
    write_bytes(SYNONYMS, csv_text(header, rows).encode())


@cache
def term_counts(name: str) -> dict[str, dict[str, tuple[int, int]]]:
    """Concept key -> spelling -> (captions that use it, those of them that show the concept); the name stands first."""
    counts: dict[str, dict[str, tuple[int, int]]] = {}
    with SYNONYMS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counts.setdefault(row["concept"], {})[row["term"]] = (int(row[name]), int(row[f"{name} shown"]))
    return counts
