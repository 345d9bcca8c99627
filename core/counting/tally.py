"""What is counted, in a form that adds up: the sum of the tallies of all parts is the tally of the whole."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cache.files import write_bytes
from core.counting.pairs import Pairs

EXAMPLES = 4
"""Captions kept for each concept by every part; a few more than are shown, of which some may be the same."""
_NUMBERS = ("rows", "bad", "undecoded", "missing", "crowded")


@dataclass
class Tally:
    """Counts of one part, or of many merged.

    Attributes:
        rows, bad, undecoded, missing: rows read; of those without a usable caption; of those because it is not UTF-8;
            listed samples that were never downloaded.
        named: number of distinct concepts a caption names -> captions; apart: the same without concepts that only
            stand inside the name of another one ("snake" in "night snake").
        text: captions that name each concept; attributes: each attribute.
        image: samples whose score reaches each threshold, [thresholds, concepts].
        together: pairs of concepts in one caption. described: (attribute, concept) in one caption; adjacent: with the
            attribute directly before the concept.
        crowded: captions that name so many concepts that their pairs were not counted.
        examples: concept -> the captions with the smallest seeded draws, as (draw, caption).
        masks: for the paper's algorithm, per concept the captions that hold exactly these of its words (a bit each).
    """

    text: np.ndarray
    attributes: np.ndarray
    image: np.ndarray
    rows: int = 0
    bad: int = 0
    undecoded: int = 0
    missing: int = 0
    crowded: int = 0
    named: Counter[int] = field(default_factory=Counter)
    apart: Counter[int] = field(default_factory=Counter)
    together: Pairs = field(default_factory=Pairs)
    described: Pairs = field(default_factory=Pairs)
    adjacent: Pairs = field(default_factory=Pairs)
    examples: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    masks: dict[int, Counter[int]] = field(default_factory=dict)

    @classmethod
    def empty(cls, concepts: int, attributes: int = 0, thresholds: int = 0) -> Tally:
        """Nothing counted yet."""
        return cls(np.zeros(concepts, np.int64), np.zeros(attributes, np.int64), np.zeros((thresholds, concepts), int))

    def merge(self, other: Tally) -> None:
        """Add another tally; the order in which tallies are added makes no difference."""
        for name in ("text", "attributes", "image"):
            getattr(self, name)[...] += getattr(other, name)
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.named.update(other.named)
        self.apart.update(other.apart)
        for name in ("together", "described", "adjacent"):
            getattr(self, name).merge(getattr(other, name))
        for concept, kept in other.examples.items():
            self.examples[concept] = sorted([*self.examples.get(concept, ()), *kept])[:EXAMPLES]
        for concept, masks in other.masks.items():
            self.masks.setdefault(concept, Counter()).update(masks)

    def write(self, path: Path) -> None:
        """Write it whole or not at all, as compressed JSON."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _NUMBERS}
        plain |= {name: getattr(self, name).tolist() for name in ("text", "attributes", "image")}
        plain |= {name: sorted(getattr(self, name).items()) for name in ("named", "apart")}
        plain |= {name: getattr(self, name).as_json() for name in ("together", "described", "adjacent")}
        plain["examples"] = [[concept, kept] for concept, kept in sorted(self.examples.items())]
        plain["masks"] = [[concept, sorted(masks.items())] for concept, masks in sorted(self.masks.items())]
        plain["file"] = path.name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
        write_bytes(path, gzip.compress(data, compresslevel=1, mtime=0))

    @classmethod
    def read(cls, path: Path) -> Tally | None:
        """The tally in a file; None when there is none or it is damaged."""
        try:
            plain = json.loads(gzip.decompress(path.read_bytes()))
            if plain.get("file", path.name) != path.name:
                return None  # it was counted from other captions
            return cls(
                text=np.array(plain["text"], np.int64),
                attributes=np.array(plain["attributes"], np.int64),
                image=np.array(plain["image"], np.int64).reshape(-1, len(plain["text"])),
                rows=int(plain["rows"]),
                bad=int(plain["bad"]),
                undecoded=int(plain["undecoded"]),
                missing=int(plain["missing"]),
                crowded=int(plain["crowded"]),
                named=Counter(dict(plain["named"])),
                apart=Counter(dict(plain["apart"])),
                together=Pairs.from_json(plain["together"]),
                described=Pairs.from_json(plain["described"]),
                adjacent=Pairs.from_json(plain["adjacent"]),
                examples={concept: [(draw, text) for draw, text in kept] for concept, kept in plain["examples"]},
                masks={concept: Counter(dict(masks)) for concept, masks in plain["masks"]},
            )
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError):
            return None


def draws(seed: int, first: int, rows: np.ndarray) -> np.ndarray:
    """A fixed pseudo-random number for each row of a part, uint64: splitmix64 (Steele et al. 2014) of seed and row."""
    with np.errstate(over="ignore"):
        value = (rows.astype(np.uint64) + np.uint64(first) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        value += np.uint64(seed & 0xFFFF_FFFF_FFFF_FFFF)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def keep_examples(
    tally: Tally, concepts: np.ndarray, captions: np.ndarray, drawn: np.ndarray, texts: Sequence[str]
) -> None:
    """Offer hits as examples: each concept keeps those with the smallest draws (a uniform sample of its captions).

    Args:
        concepts, captions: int64 [m], one entry a hit; drawn: uint64 [n], a draw for every caption; texts: captions.
    """
    full = np.full(len(tally.text), np.iinfo(np.uint64).max, np.uint64)
    for concept, kept in tally.examples.items():
        if len(kept) == EXAMPLES:
            full[concept] = kept[-1][0]
    draw = drawn[captions]
    offered = np.flatnonzero(draw < full[concepts])
    offered = offered[np.lexsort((draw[offered], concepts[offered]))]
    owners = concepts[offered]
    # Of each concept no more than fit can be kept.
    first = np.searchsorted(owners, owners, side="left")
    offered = offered[np.arange(len(offered)) - first < EXAMPLES]
    for at in offered.tolist():
        concept, caption = int(concepts[at]), int(captions[at])
        kept = [*tally.examples.get(concept, ()), (int(draw[at]), texts[caption][:500])]
        tally.examples[concept] = sorted(kept)[:EXAMPLES]
