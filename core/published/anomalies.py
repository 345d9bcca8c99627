"""What is odd in the release: found by rule while importing, and shown. Nothing is repaired silently."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from core.published.names import RETRIEVAL, TEXT_TO_IMAGE, ZERO_SHOT
from core.text.spelling import fold

RENAMED = {("cifar10", "plane"): "airplane"}
"""(data set, name in the results) -> name in the counts: the one rename that the authors' notebooks make."""
MIXED_SPACES = ("imagenet-r", "t2i")
"""Data sets whose files disagree on spaces and underscores."""
FLAGS = {
    "hyphen": "A hyphen splits the name into tokens of which the text search keeps only the last.",
    "digits": "Digits never enter the text index: names that differ in digits share one text count.",
    "dropped token": "Some words of the name never enter the text index, so the text count is of a shorter name.",
    "case variants": "The release counts other spellings of this name, and image counts differ by spelling.",
    "homonym": "Far more captions than images for this set: the words have other senses, or name nothing visible.",
    "text missed": "Far more images than captions for this set: the text search misses the name, or the tag is broad.",
}
TRUNCATED_BELOW = 0.95
"""A count file with fewer concepts than this share of its data set's largest one is taken for truncated."""
RATIO_DECADES = 1.5
RATIO_FROM = 1_000


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One oddity: what kind, where, how many names, in a sentence, with what each recipe does about it."""

    kind: str
    where: str
    n: int
    sentence: str
    handled: str


def canonical(dataset: str, concept: str) -> str | None:
    """The name under which the honest recipe joins counts and results; None for a name that is none.

    Only the authors' rename, and spaces for underscores where the release mixes them; case is never touched.
    """
    if not concept:
        return None
    concept = RENAMED.get((dataset, concept), concept)
    return concept.replace("_", " ") if dataset in MIXED_SPACES else concept


def find(
    counted: Mapping[tuple[str, str, str], Mapping[str, int]], scored: Mapping[tuple[str, str], set[str]]
) -> list[Anomaly]:
    """Every oddity of a release.

    Args:
        counted: (data set, pretraining, method) -> concept -> count.
        scored: (family, data set) -> concepts that have a result.
    """
    found = [*_truncated(counted), *_one_sided(counted, scored), *_case(counted), *_integrated(counted)]
    if empty := sorted({dataset for (dataset, _, _), table in counted.items() if "" in table}):
        files = sum("" in table for table in counted.values())
        found.append(
            Anomaly(
                "empty name", ", ".join(empty), files, f"{files} count files have an entry with an empty name.",
                "The paper recipe keeps the row, as the authors did; the honest recipe leaves it out.",
            )
        )  # fmt: skip
    return found


def _truncated(counted: Mapping[tuple[str, str, str], Mapping[str, int]]) -> list[Anomaly]:
    largest: dict[str, int] = defaultdict(int)
    for (dataset, _, _), table in counted.items():
        largest[dataset] = max(largest[dataset], len(table))
    return [
        Anomaly(
            "truncated file", f"{dataset}, {pretraining}, {method}", largest[dataset] - len(table),
            f"The count file has {len(table):,} of {largest[dataset]:,} concepts.",
            "Curves that would pool it are listed as truncated and not drawn.",
        )
        for (dataset, pretraining, method), table in counted.items()
        if len(table) < TRUNCATED_BELOW * largest[dataset]
    ]  # fmt: skip


def _one_sided(
    counted: Mapping[tuple[str, str, str], Mapping[str, int]], scored: Mapping[tuple[str, str], set[str]]
) -> Iterable[Anomaly]:
    for (family, dataset), results in scored.items():
        if family not in (ZERO_SHOT, RETRIEVAL, TEXT_TO_IMAGE):
            continue
        tables = {key: set(table) for key, table in counted.items() if key[0] == dataset}
        names = set().union(*tables.values())
        renamed = {
            (d, old): new for (d, old), new in RENAMED.items() if d == dataset and old in results and new in names
        }
        for (_, old), new in renamed.items():
            yield Anomaly(
                "renamed", dataset, 1, f"Results say “{old}” where counts say “{new}”.",
                "Both recipes join the two, as the authors did.",
            )  # fmt: skip
        joined = {RENAMED.get((dataset, name), name) for name in results}
        respelled = {key: _spaces(table - joined) & _spaces(joined - table) for key, table in tables.items()}
        if files := [key for key, names_of_file in respelled.items() if names_of_file]:
            n = max(len(respelled[key]) for key in files)
            yield Anomaly(
                "spaces and underscores", dataset, n,
                f"{len(files)} count files spell {n} names or fewer with spaces where the results have underscores, or "
                "the other way round.",
                "The paper recipe joins literally; the honest recipe takes both spellings for one.",
            )  # fmt: skip
        without = joined - names - {name for name in joined if name.replace("_", " ") in _spaces(names)}
        if without:
            yield Anomaly(
                "no count", dataset, len(without),
                f"{len(without)} names with a result have no count, for example {_examples(without)}.",
                "Left out of curves and listed: unknown is not zero.",
            )  # fmt: skip
        unscored = {name for name in names - joined if name.replace("_", " ") not in _spaces(joined)}
        if unscored:
            yield Anomaly(
                "no result", dataset, len(unscored),
                f"{len(unscored)} counted names have no result, for example {_examples(unscored)}.",
                "Left out of curves; their counts stay browsable.",
            )  # fmt: skip


def _spaces(names: Iterable[str]) -> set[str]:
    return {name.replace("_", " ") for name in names}


def _examples(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in sorted(names)[:3])


def _case(counted: Mapping[tuple[str, str, str], Mapping[str, int]]) -> list[Anomaly]:
    by_column: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for (_, pretraining, method), table in counted.items():
        if method.startswith("rampp0.7"):
            by_column[pretraining, method].update(table)
    found = []
    for (pretraining, method), table in sorted(by_column.items()):
        variants = _variants(table)
        far = {
            name: max(values) / max(1, min(values))
            for name, values in ((name, [table[s] for s in spellings]) for name, spellings in variants.items())
            if max(values) >= 10 * max(1, min(values))
        }
        if far:
            worst = max(far, key=far.__getitem__)
            pair = ", ".join(f"“{s}” {table[s]:,}" for s in sorted(variants[worst]))
            found.append(
                Anomaly(
                    "case changes the count", f"{pretraining}, {method}", len(far),
                    f"{len(far)} names have image counts that differ tenfold or more by spelling: {pair}.",
                    "Counts are never joined across case.",
                )
            )  # fmt: skip
    return found


def _variants(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[fold(name)].append(name)
    return {name: group for name, group in groups.items() if len({s.replace("_", " ") for s in group}) > 1}


def _integrated(counted: Mapping[tuple[str, str, str], Mapping[str, int]]) -> list[Anomaly]:
    above = 0
    for (dataset, pretraining, method), table in counted.items():
        text = counted.get((dataset, pretraining, "lemmatized"))
        image = counted.get((dataset, pretraining, method.replace("integrated_tlemmatized_i", "rampp")))
        if method.startswith("integrated") and text and image:
            above += sum(count > min(text.get(name, count), image.get(name, count)) for name, count in table.items())
    if not above:
        return []
    return [
        Anomaly(
            "integrated above its parts", "", above, f"{above} integrated counts exceed the text or the image count.",
            "Shown; not changed.",
        )
    ]  # fmt: skip


def spelling_flags(concepts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Flags that the names alone give, for names of one release (variants are looked for among them)."""
    names = list(dict.fromkeys(concepts))
    varied = {name for group in _variants(names).values() for name in group}
    flags = {}
    for name in names:
        terms = [term for term in re.split(r"[_\s]+", name) if term]
        digits = any(letter.isdigit() for letter in name)
        dropped = len(terms) > 1 and any(not re.search("[A-Za-z]", term) or re.search(r"\d", term) for term in terms)
        tests = (
            ("hyphen", "-" in name),
            ("digits", digits),
            ("dropped token", dropped),
            ("case variants", name in varied),
        )
        flags[name] = tuple(flag for flag, holds in tests if holds)
    return flags


def ratio_flags(text: np.ndarray, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which concepts have far more captions than images for their set (homonyms), and which far fewer.

    Far: 1.5 decades from the set's median ratio (over concepts with both counts above zero), where the larger count
    is at least 1,000.

    Args:
        text, image: counts [n]; negative = unknown.

    Returns:
        Two boolean arrays [n].
    """
    known = (text >= 0) & (image >= 0)
    both = (text > 0) & (image > 0)
    log = np.log10((np.maximum(text, 0) + 1) / (np.maximum(image, 0) + 1))
    middle = float(np.median(log[both])) if both.any() else 0.0
    large = known & (np.maximum(text, image) >= RATIO_FROM)
    return large & (log - middle >= RATIO_DECADES), large & (log - middle <= -RATIO_DECADES)
