"""How often attribute and object occur together in pretraining: tables, pointwise and normalised mutual information.

Of an icon corpus an absent pair was never seen. Of what ``frequency count`` wrote it was never seen if attribute and
object were each found with another; of any other table it is unknown.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from core.composition.pairs import Compositions
from core.datasets.formats.columns import read_columns
from core.errors import BadInput, UnreadableData
from core.icons.concepts import ASSETS, COLOURS, concepts
from core.icons.corpus import CORPORA, corpus

FOLDER = ASSETS / "pairs"
Kind = Literal["text", "image"]
Absent = Literal["never", "unknown", "never if both occur"]
_OBJECT, _COUNT = ("object", "concept"), ("count", "together")
"""Columns of a table of one's own, and of the ``pairs.parquet`` that counting captions writes."""


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Counts of attribute-object pairs.

    Attributes:
        name: where they come from, in a few words; kind: ``text`` (captions that name both), ``image`` (both drawn).
        counts: (attribute, object key) -> count.
        absent: what a pair means that is not listed.
    """

    name: str
    kind: str
    counts: Mapping[tuple[str, str], int]
    absent: Absent

    def of(self, found: Compositions) -> np.ndarray:
        """Count of every composition, float64 [c]; NaN where it is unknown."""
        words = [(found.attributes[a], found.objects[o], found.object_names[o]) for a, o in found.pairs.tolist()]
        counted = [self.counts.get((a, o), self.counts.get((a, name))) for a, o, name in words]
        if self.absent == "never if both occur":
            attributes, objects = ({pair[part] for pair in self.counts} for part in (0, 1))
            zero = [a in attributes and (o in objects or name in objects) for a, o, name in words]
        else:
            zero = [self.absent == "never"] * len(words)
        known = [0 if n is None and never else n for n, never in zip(counted, zero, strict=True)]
        return np.array([np.nan if n is None else n for n in known], float)

    def margins(self, found: Compositions) -> tuple[np.ndarray, np.ndarray]:
        """How often every attribute [a] and every object [o] occurs, over all pairs of the table, float64."""
        attributes: Counter[str] = Counter()
        objects: Counter[str] = Counter()
        for (attribute, thing), count in self.counts.items():
            attributes[attribute] += count
            objects[thing] += count
        things = zip(found.objects, found.object_names, strict=True)
        return (
            np.array([attributes[word] for word in found.attributes], float),
            np.array([objects.get(key, objects[name]) for key, name in things], float),
        )


def read_counts(path: Path) -> PairCounts:
    """A table with the columns attribute, object, count, or the ``pairs.parquet`` of counted captions.

    A pair on several rows is added up.

    Raises:
        UnreadableData: a column is missing, or a count is not a whole number.
    """
    columns = read_columns(path).values
    used = ["attribute", *(next((n for n in names if n in columns), names[0]) for names in (_OBJECT, _COUNT))]
    if missing := [name for name in used if name not in columns]:
        raise UnreadableData(f"{path.name} has no column {missing[0]!r}; its header must be attribute,object,count.")
    counts: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(zip(*(columns[name] for name in used), strict=True), 2):
        attribute, thing, count = (text.strip() for text in row)
        if not (attribute and thing and count.isdecimal() and len(count) < 16):
            raise UnreadableData(f"{path.name}, row {number}: expected an attribute, an object and a whole number.")
        counts[attribute.casefold(), thing] += int(count)
    return PairCounts(path.name, "text", dict(counts), "never if both occur" if used[2] == "together" else "unknown")


def icon_corpus(model: str) -> str:
    """The icon corpus that an icon model was trained on, empty for any other model."""
    arch, _, trained_on = model.partition(",")
    return trained_on if arch.startswith("icon-") and trained_on in CORPORA else ""


def icon_counts(name: str, kind: Kind) -> PairCounts:
    """Exact (colour, icon) counts of one icon corpus, as committed."""
    if name not in CORPORA:
        raise BadInput(f"{name!r} is no icon corpus; choose one of {', '.join(CORPORA)}.")
    return PairCounts(name, kind, _committed(name)[kind], "never")


@cache
def _committed(name: str) -> dict[str, dict[tuple[str, str], int]]:
    columns = read_columns(FOLDER / f"{name}.csv").values
    pairs = list(zip(columns["attribute"], columns["object"], strict=True))
    return {kind: dict(zip(pairs, map(int, columns[kind]), strict=True)) for kind in ("text", "image")}


def count_icons(name: str) -> dict[tuple[str, str], tuple[int, int]]:
    """(text, image) counts of every (colour, icon) pair that occurs in a corpus; takes half a minute for the largest.

    ``text``: captions whose words match the colour and the concept's name under the default matcher, whatever the
    generator meant (the background's colour counts too); ``image``: icons drawn in this colour.
    """
    from core.text.matcher import Matcher

    things = Matcher({concept.key: [concept.name] for concept in concepts()})
    colours = Matcher({colour: [colour] for colour in COLOURS})
    text: Counter[tuple[str, str]] = Counter()
    image: Counter[tuple[str, str]] = Counter()
    for pair in corpus(name):
        text.update((colour, key) for colour in colours.find(pair.caption) for key in things.find(pair.caption))
        image[pair.drawing.colour, pair.drawing.key] += 1
    return {pair: (text[pair], image[pair]) for pair in sorted({*text, *image})}


def write_icon_counts() -> None:
    """Count the corpora and write ``NAME.csv`` (attribute, object, text, image) for each."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in CORPORA:
        counted = count_icons(name)
        with (FOLDER / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("attribute", "object", "text", "image"))
            rows.writerows((*pair, *counts) for pair, counts in counted.items())


def nmi(counts: Mapping[tuple[str, str], int]) -> float:
    """Normalised mutual information of attribute and object: NMI(A; O) = 2 I(A; O) / (H(A) + H(O)), from 0 to 1.

    Over the captions that name both, I = sum p(a,o) log [p(a,o) / (p(a) p(o))] and H = -sum p log p. 0: attributes are
    spread over objects as if by chance (diverse compositions); 1: each tells the other. The source (arXiv 2403.18525)
    does not state its normalisation; this is the usual arithmetic mean. NaN when neither varies, or without counts.
    """
    table = _table(counts)
    total = table.sum()
    if not total:
        return float("nan")
    joint = table / total
    a, o = joint.sum(1), joint.sum(0)
    entropies = _entropy(a) + _entropy(o)
    together = _entropy(a) + _entropy(o) - _entropy(joint.ravel())
    return float(min(1.0, max(0.0, 2 * together / entropies))) if entropies > 0 else float("nan")


def pmi(counts: PairCounts, found: Compositions) -> np.ndarray:
    """log2 [p(a,o) / (p(a) p(o))] of every composition, float64 [c]; minus infinity for 0, NaN for unknown."""
    total = sum(counts.counts.values())
    attribute, thing = counts.margins(found)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = attribute[found.pairs[:, 0]] * thing[found.pairs[:, 1]] / total
        return np.where(expected > 0, np.log2(counts.of(found) / expected), np.nan)


def _table(counts: Mapping[tuple[str, str], int]) -> np.ndarray:
    attributes = {word: at for at, word in enumerate(sorted({pair[0] for pair in counts}))}
    objects = {word: at for at, word in enumerate(sorted({pair[1] for pair in counts}))}
    table = np.zeros((len(attributes), len(objects)))
    for (attribute, thing), count in counts.items():
        table[attributes[attribute], objects[thing]] = count
    return table


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
