"""What the counts say besides themselves: ambiguous concepts, crowded captions, pairs that go together, the tail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.counting.captions import contained
from core.counting.query import Query
from core.counting.tally import Tally

MOST_PAIRS = 100_000
SHOWN_EXAMPLES = 3


def homonyms(query: Query) -> list[list[str]]:
    """Groups of concepts that share a spelling, so that their counts cannot be told apart."""
    owners: dict[str, list[str]] = {}
    for key, terms in zip(query.concepts, query.terms, strict=True):
        for term in terms:
            owners.setdefault(term, []).append(key)
    return [list(group) for group in dict.fromkeys(tuple(group) for group in owners.values() if len(group) > 1)]


def inside_others(query: Query, tally: Tally) -> list[dict[str, Any]]:
    """Concepts whose words stand inside another's name, with how many of their captions name that one too.

    ``share`` is the part of the inner concept's captions that name the outer one as well: where it is large, the inner
    count is mostly the outer concept's. Sorted by it.
    """
    keys, counts = tally.together.items()
    together = dict(zip(keys.tolist(), counts.tolist(), strict=True))
    base = len(query.concepts) + len(query.attributes)
    found = []
    for outer, inner in contained(query.terms):
        both = together.get(min(outer, inner) * base + max(outer, inner), 0)
        total = int(tally.text[inner])
        names = {"concept": query.concepts[inner], "inside": query.concepts[outer]}
        found.append({**names, "count": total, "together": both, "share": both / total if total else None})
    return sorted(found, key=lambda row: (-(row["share"] or 0), -row["count"], row["concept"], row["inside"]))


def crowding(tally: Tally) -> dict[str, Any]:
    """How many concepts captions name: a histogram, and the share of captions with several.

    ``several_apart`` leaves concepts out that only stand inside the name of another one in the caption.
    """
    captions = tally.rows - tally.bad
    several = {name: sum(n for many, n in numbers.items() if many > 1) for name, numbers in _numbers(tally).items()}
    return {
        "captions": captions,
        "none": captions - sum(count for many, count in tally.named.items() if many),
        "one": tally.named[1],
        "several": several["named"],
        "several_share": several["named"] / captions if captions else None,
        "several_apart": several["apart"],
        "several_apart_share": several["apart"] / captions if captions and tally.apart else None,
        "by_number": {str(many): count for many, count in sorted(tally.named.items()) if many},
        "too_many_for_pairs": tally.crowded,
    }


def _numbers(tally: Tally) -> dict[str, Mapping[int, int]]:
    return {"named": tally.named, "apart": tally.apart}


def examples(query: Query, tally: Tally) -> dict[str, list[str]]:
    """Up to three different captions of each concept, drawn uniformly from all that name it."""
    return {
        key: list(dict.fromkeys(text for _, text in tally.examples.get(concept, ())))[:SHOWN_EXAMPLES]
        for concept, key in enumerate(query.concepts)
        if concept in tally.examples
    }


def cooccurrence(query: Query, tally: Tally) -> dict[str, Sequence[Any] | np.ndarray]:
    """The pairs of concepts most often named by one caption, as columns; ties by order of the concepts."""
    base = len(query.concepts) + len(query.attributes)
    keys, counts = tally.together.items()
    best = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    a, b = np.divmod(keys[best], base)
    together, captions = counts[best], tally.rows - tally.bad
    nested = {(min(pair), max(pair)) for pair in contained(query.terms)}
    return {
        "a": [query.concepts[at] for at in a.tolist()],
        "b": [query.concepts[at] for at in b.tolist()],
        "together": together,
        "a_count": tally.text[a],
        "b_count": tally.text[b],
        "pmi": pmi(together, tally.text[a], tally.text[b], captions),
        "contained": [pair in nested for pair in zip(a.tolist(), b.tolist(), strict=True)],
    }


def pairs(query: Query, tally: Tally) -> dict[str, Sequence[Any] | np.ndarray]:
    """Every (attribute, concept) pair that some caption names, as columns; a pair that is absent was never seen.

    ``together``: captions with both; ``adjacent``: captions where the attribute stands directly before the concept.
    """
    keys, together = tally.described.items()
    near = dict(zip(*(column.tolist() for column in tally.adjacent.items()), strict=True))
    attribute, concept = np.divmod(keys, max(1, len(query.concepts)))
    adjacent = np.array([near.get(key, 0) for key in keys.tolist()], np.int64)
    totals, captions = (tally.attributes[attribute], tally.text[concept]), tally.rows - tally.bad
    return {
        "attribute": [query.attributes[at] for at in attribute.tolist()],
        "concept": [query.concepts[at] for at in concept.tolist()],
        "together": together,
        "adjacent": adjacent,
        "attribute_count": totals[0],
        "concept_count": totals[1],
        "pmi": pmi(together, *totals, captions),
        "pmi_adjacent": pmi(adjacent, *totals, captions),
    }


def pmi(both: np.ndarray, a: np.ndarray, b: np.ndarray, n: int) -> np.ndarray:
    """Pointwise mutual information in bits, ``log2(n · both / (a · b))`` (Church & Hanks 1990); NaN without a joint
    occurrence."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log2(both.astype(float)) + np.log2(max(n, 1)) - np.log2(a.astype(float)) - np.log2(b.astype(float))
    return np.where(both > 0, value, np.nan)
