"""The finding on real models in one table: accuracy of each published model by how often its concepts were counted.

The table (``assets/published/overview_curves.csv``) ships, so that the first screen opens no release; it is written by
:func:`write` from the release that ships.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from core.analysis.curve import curve
from core.frequency.choice import choose, trained_on
from core.frequency.sources import load_source
from core.paths import ASSETS
from core.published.answers import PAPER_17, published_answer
from core.published.models import published_models
from core.published.names import PRETRAINING, ZERO_SHOT
from core.stats import intervals
from core.stats.format import percent, points, span
from core.types import Interval

TABLE = ASSETS / "published" / "overview_curves.csv"
IMAGE_SET, PROMPTS = PAPER_17, "simple"
COMMON = 10_000
"""A concept is called common from this count on."""
_FIELDS = ("model", "pretraining", "source", "part", "start", "stop", "count", "mean", "low", "high", "n")


@dataclass(frozen=True, slots=True)
class Means:
    """Mean accuracy (a fraction, with its interval) of the n concepts counted from ``start`` to below ``stop``.

    ``count`` is their geometric mean count; all three are 0 for concepts that were never counted.
    """

    start: float
    stop: float
    count: float
    accuracy: Interval
    n: int


@dataclass(frozen=True, slots=True)
class ModelCurve:
    """One published model against the counts of its own pretraining set.

    Attributes:
        model: its id; pretraining: the set as the release spells it; source: the counts.
        bins: half decades of counts from one on; never: the concepts never counted, common: those counted 10,000
            times or more; None where there are none.
    """

    model: str
    pretraining: str
    source: str
    bins: tuple[Means, ...]
    never: Means | None
    common: Means | None

    @property
    def trained_on(self) -> str:
        """The pretraining set in words."""
        return PRETRAINING[self.pretraining]


@cache
def curves(table: Path = TABLE) -> tuple[ModelCurve, ...]:
    """Every published model whose own pretraining set was counted, by pretraining set."""
    parts: dict[tuple[str, str, str], list[tuple[str, Means]]] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = row["model"], row["pretraining"], row["source"]
            start, stop, count, mean, low, high = (float(row[name]) for name in _FIELDS[4:10])
            means = Means(start, stop, count, Interval(mean, low, high), int(row["n"]))
            parts.setdefault(key, []).append((row["part"], means))
    return tuple(
        ModelCurve(
            *key,
            tuple(means for part, means in found if part == "bin"),
            next((means for part, means in found if part == "never"), None),
            next((means for part, means in found if part == "common"), None),
        )
        for key, found in parts.items()
    )


def headline(found: Sequence[ModelCurve]) -> str:
    """How far accuracy on concepts never counted lies below that on common ones, over these models."""
    gaps = sorted(one.common.accuracy.value - one.never.accuracy.value for one in found if one.never and one.common)
    if not gaps:
        return "No published model has both concepts that were never counted and common ones."
    worse = sum(gap > 0 for gap in gaps)
    if worse < len(gaps):
        which = f"in {worse} of {len(gaps)} published models"
        return f"{which.capitalize()}, accuracy on concepts never counted in pretraining is below that on common ones."
    which = f"in all {len(gaps)} published models" if len(gaps) > 1 else "in this published model"
    by = points(gaps[0], 0) if len(gaps) == 1 else f"{points(gaps[0], 0)} to {points(gaps[-1], 0)}"
    return (
        f"CLIP is worst at what it rarely saw: {which}, accuracy on concepts that were never counted in pretraining is "
        f"{by} points below that on common ones."
    )


def summary(found: ModelCurve) -> str:
    """One model in figures: accuracy and number of concepts never counted, and of common ones."""
    told = [
        f"{percent(part.accuracy.value)} on {part.n:,} {words} (95 % CI {span(part.accuracy)})"
        for part, words in (
            (found.never, "concepts never counted"),
            (found.common, f"concepts counted {COMMON:,} times or more"),
        )
        if part
    ]
    return f"{found.model}: mean accuracy {', '.join(told)}."


def rows(model: str) -> Iterable[tuple[object, ...]]:
    """Lines of the table for one published model, computed from the release."""
    answer = published_answer(model, IMAGE_SET, PROMPTS)
    source = choose(model, answer.keys, answer.names).source
    found = curve(answer, load_source(source))
    about = model, trained_on(model), source
    zero, common = found.zero, [row for row in found.rows if row.count >= COMMON]
    if found.n_zero:
        yield *about, "never", 0, 0, 0, *_rounded(zero), found.n_zero
    for one in found.bins:
        mean = Interval(one.mean, one.low, one.high)
        yield *about, "bin", round(one.start, 4), round(one.stop, 4), round(one.count, 4), *_rounded(mean), one.n
    if common:
        counts = np.array([row.count for row in common], float)
        images = np.array([row.n or 0 for row in common])
        mean = intervals.mean(np.array([row.accuracy for row in common]), images=images)
        yield *about, "common", COMMON, 0, round(float(10 ** np.log10(counts).mean()), 4), *_rounded(mean), len(common)


def _rounded(value: Interval) -> tuple[float, float, float]:
    return round(value.value, 5), round(value.low, 5), round(value.high, 5)


def write(table: Path = TABLE) -> None:
    """Write the table of every published model whose own pretraining set was counted, from the release in use."""
    order = list(PRETRAINING)
    models = [model.id for model in published_models() if ZERO_SHOT in model.families and trained_on(model.id)]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_FIELDS)
        for model in sorted(models, key=lambda model: order.index(trained_on(model))):
            writer.writerows(rows(model))


if __name__ == "__main__":
    write()
