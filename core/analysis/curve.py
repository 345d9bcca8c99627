"""Accuracy against pretraining frequency: everything that the plot draws and the sentence that it opens with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.frequency.table import join
from core.prompts.notes import unread
from core.stats import intervals as stats
from core.stats.intervals import NO_TREND, UNDEFINED, Bin, Tag, Trend
from core.stats.paper_curve import PaperCurve, paper_curve
from core.types import Answer, FrequencyTable, Interval

Recipe = Literal["honest", "paper"]
ENOUGH = 10
"""Fewer concepts than this with a count of one or more give no finding, only the figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One concept with a known count and at least one image; accuracies are fractions with a Wilson interval."""

    key: str
    name: str
    count: int
    accuracy: float
    low: float
    high: float
    n: int
    tag: Tag
    family: str


@dataclass(frozen=True)
class Curve:
    """Accuracy against frequency for one answer and one frequency table.

    Attributes:
        recipe, frequency, method: how it was computed, and from which counts.
        rows: concepts with a known count (zero included) and images, in label order.
        unknown: keys of the concepts without a count; without_images: keys of those without images.
        slope_per_decade: rise in accuracy (a fraction) per tenfold count; pearson, spearman: correlations.
        trend: the fitted line and its band; empty in the paper recipe, which draws none.
        bins: binned means; in the paper recipe all bins, at their upper edge and without intervals.
        zero: mean accuracy of the concepts counted zero times; head, torso, tail: of those parts, with intervals.
        paper: the paper's own figures, in the paper recipe only.
        unread: why there is no finding, where sentences are cut before they tell classes apart; figures are then NaN.
    """

    recipe: Recipe
    frequency: str
    method: str
    rows: tuple[Row, ...]
    unknown: tuple[str, ...]
    without_images: tuple[str, ...]
    slope_per_decade: Interval
    pearson: Interval
    spearman: Interval
    trend: Trend
    bins: tuple[Bin, ...]
    zero: Interval
    head: Interval
    torso: Interval
    tail: Interval
    paper: PaperCurve | None = None
    unread: str = ""

    @property
    def n(self) -> int:
        """Concepts with a known count, zero included, and images."""
        return len(self.rows)

    @property
    def n_zero(self) -> int:
        """How many of them were counted zero times."""
        return sum(row.count == 0 for row in self.rows)

    @property
    def n_unknown(self) -> int:
        """Concepts of the image set that the table does not know."""
        return len(self.unknown)


def curve(
    answer: Answer,
    table: FrequencyTable,
    *,
    recipe: Recipe = "honest",
    families: Mapping[str, str] | None = None,
    per_decade: int = 2,
) -> Curve:
    """Relate the per-class accuracies of an answer to the counts of a table.

    ``honest``: slope and Pearson are taken over single concepts on log10 count, so they use concepts counted at least
    once; Spearman uses every known concept, zeros included as the lowest rank. Intervals are 95 % percentile
    bootstraps over concepts (1,000 resamples), which take the concepts as drawn from a larger vocabulary; the noise of
    each concept's own images is inside that spread. Classes meet counts by exact key, else by exact name with spaces
    and underscores exchanged.

    ``paper``: ``core.stats.paper_curve`` on this one image set with its default ends cut, keys joined literally; slope,
    Pearson and Spearman are over the kept bins and have no interval, because the paper gives none.

    Args:
        families: concept key -> family, for colour.
        per_decade: bins per tenfold count (honest recipe).
    """
    keys = answer.keys
    if recipe == "paper":
        known = {key: int(table.counts[key]) for key in keys if key in table.counts}
    else:
        known = join(table, keys, answer.names)
    tagged, families = stats.tags(known), families or {}
    rows = tuple(
        Row(s.key, s.name, known[s.key], s.accuracy, s.low, s.high, s.n, tagged[s.key], families.get(s.key, ""))
        for s in answer.classes
        if s.n and s.key in known
    )
    counts = np.array([row.count for row in rows], np.int64)
    accuracy = np.array([row.accuracy for row in rows], np.float64)
    part = np.array([row.tag for row in rows])
    why = unread(answer.reading, len(keys))
    none = np.empty(0, np.int64), np.empty(0)
    shown = none if why else (counts, accuracy)
    figures = _paper(*shown) if recipe == "paper" else _honest(*shown, per_decade)
    return Curve(
        recipe=recipe,
        frequency=table.name,
        method=table.method,
        rows=rows,
        unknown=tuple(key for key in keys if key not in known),
        without_images=tuple(s.key for s in answer.classes if not s.n),
        zero=stats.mean(accuracy[counts == 0]),
        head=stats.mean(accuracy[part == "head"]),
        torso=stats.mean(accuracy[part == "torso"]),
        tail=stats.mean(accuracy[part == "tail"]),
        unread=why,
        **figures,
    )


def _honest(counts: np.ndarray, accuracy: np.ndarray, per_decade: int) -> dict:
    line = stats.trend(counts, accuracy)
    return {
        "slope_per_decade": line.slope,
        "pearson": line.pearson,
        "spearman": stats.spearman(counts, accuracy),
        "trend": line,
        "bins": stats.log_bins(counts, accuracy, per_decade=per_decade),
    }


def _paper(counts: np.ndarray, accuracy: np.ndarray) -> dict:
    none = dict.fromkeys(("slope_per_decade", "pearson", "spearman"), UNDEFINED)
    if not len(counts):
        return {**none, "trend": NO_TREND, "bins": ()}
    found = paper_curve(counts, accuracy)
    kept = slice(*found.kept)
    starts = (found.edges[0], *found.edges[:-1])
    edges, means, sizes = found.edges.tolist(), found.mean.tolist(), found.n.tolist()
    bins = tuple(
        Bin(float(start), edge, edge, mean, math.nan, math.nan, size)
        for start, edge, mean, size in zip(starts, edges, means, sizes, strict=True)
    )
    return {
        "trend": NO_TREND,
        "bins": bins,
        "slope_per_decade": _bare(found.slope_per_decade),
        "pearson": _bare(found.r),
        "spearman": _bare(stats.spearman(found.edges[kept], found.mean[kept]).value),
        "paper": found,
    }


def _bare(value: float) -> Interval:
    return Interval(value, math.nan, math.nan)


def headline(found: Curve) -> str:
    """The finding in one or two computed sentences; says so when the counts or the data do not carry one."""
    if not found.rows:
        return f"None of these {found.n_unknown:,} concepts has a count in {found.frequency}."
    if found.unread:
        return f"There is no trend to see: {found.unread}."
    if found.recipe == "paper":
        return _paper_headline(found)
    n = found.n - found.n_zero
    slope = found.slope_per_decade
    if n < ENOUGH:
        return f"Only {n} concept{'s' * (n != 1)} here with a count of one or more: too few for a trend."
    if math.isnan(slope.low):
        return f"All {n} concepts have the same count, so there is no trend to see."
    evidence = f"(95 % CI {_span(slope)}; n = {n:,})"
    size = f"{_points(abs(slope.value))} points"
    if slope.low > 0:
        first = f"Each tenfold rise in pretraining frequency adds {size} {evidence}."
    elif slope.high < 0:
        first = f"Each tenfold rise in pretraining frequency takes away {size} {evidence}."
    else:
        goes = f"a tenfold rise in pretraining frequency goes with {_points(slope.value)} points"
        first = f"No clear trend: {goes} {evidence}."
    return f"{first} {_tail(found)}".strip()


def _tail(found: Curve) -> str:
    share = found.tail.value
    return "" if math.isnan(share) else f"The rarest fifth is right {_percent(share)} of the time."


def _paper_headline(found: Curve) -> str:
    r, bins = found.pearson.value, found.paper.kept[1] - found.paper.kept[0]
    if math.isnan(r):
        return "By the paper's recipe no correlation is defined here: the kept bins have no spread."
    star = "significant" if found.paper.p < 0.05 else "not significant"
    return (
        f"By the paper's recipe, accuracy and log frequency correlate at r = {_signed(r, 2)} over {bins} binned means "
        f"({star} at 0.05)."
    )


def _signed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return "\u2212" + text[1:] if text.startswith("-") and float(text) else text.lstrip("-")


def _points(fraction: float) -> str:
    return _signed(100 * fraction, 1)


def _percent(fraction: float) -> str:
    shown = 100 * fraction
    return f"{shown:.1f} %" if 0 < shown < 1 or 99 < shown < 100 else f"{shown:.0f} %"


def _span(interval: Interval) -> str:
    low, high = _points(interval.low), _points(interval.high)
    return f"{low} to {high}" if interval.low < 0 else f"{low}–{high}"
