"""Class names that cannot work: repeated ones, near-synonyms, and names that mean another class's pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.text.folding import fold
from core.types import Answer


@dataclass(frozen=True, slots=True)
class NearNames:
    """Two classes whose text vectors lie close; ``exchanged`` is how many of their images are taken for the other."""

    a: int
    b: int
    cosine: float
    exchanged: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What is wrong with the names of a set.

    Attributes:
        repeated: groups of class indices with the same name (case, hyphens and underscores ignored).
        near: pairs of different names by text cosine, closest first.
        contained: pairs (short, long) where one name holds the other as words, "box" in "open box".
    """

    repeated: tuple[tuple[int, ...], ...]
    near: tuple[NearNames, ...]
    contained: tuple[tuple[int, int], ...]


def audit(answer: Answer, directions: np.ndarray, *, top: int = 50) -> Audit:
    """Check the names of an answer's classes.

    Args:
        directions: float32 [c, d], unit text vector of every class (``core.analysis.prompt_inspection.directions``).
        top: pairs listed by cosine.
    """
    names = answer.names
    said = answer.top[:, 0]
    cosines = np.asarray(directions, np.float32) @ np.asarray(directions, np.float32).T
    upper = np.triu_indices(len(names), 1)
    order = np.argsort(-cosines[upper], kind="stable")[:top]
    near = []
    for a, b in zip(upper[0][order].tolist(), upper[1][order].tolist(), strict=True):
        exchanged = ((answer.labels == a) & (said == b)) | ((answer.labels == b) & (said == a))
        near.append(NearNames(a, b, float(cosines[a, b]), int(exchanged.sum())))
    return Audit(_repeated(names), tuple(near), _contained(names))


def _repeated(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    groups: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[fold(name)].append(index)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def _contained(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Every name that is a run of whole words inside another."""
    index: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        index[fold(name)].append(place)
    found = []
    for long, name in enumerate(names):
        words = fold(name).split()
        runs = {
            " ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1) if j - i < len(words)
        }
        found += [(short, long) for run in sorted(runs) for short in index.get(run, ())]
    return tuple(sorted(found))
