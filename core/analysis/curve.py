"""Accuracy against pretraining frequency: everything that the plot draws and the sentence that it opens with."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.frequency.choice import elsewhere
from core.frequency.table import match
from core.prompts.notes import unread
from core.stats import intervals as stats
from core.stats.fits import NO_LOGIT, NO_SHAPE, TEST, LogitFit, Shape, logit_fit, shape
from core.stats.format import percent, point_span, points, signed
from core.stats.intervals import NO_TREND, UNDEFINED, Bin, Groups, Tag, Trend
from core.stats.paper_curve import PaperCurve, paper_curve
from core.types import Answer, ClassAnswer, FrequencyTable, Interval, Origin

if TYPE_CHECKING:
    import pandas as pd

Recipe = Literal["honest", "paper"]
ENOUGH = 10
"""Fewer concepts than this with a count of one or more give no finding, only the figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One concept with a known count and an accuracy (a fraction, with its interval where images are known).

    ``n`` is None where the number of images is unknown; ``tag`` is empty where there are no groups; ``flags`` say what
    is doubtful about the count (homonym, hyphen, digits ...).
    """

    key: str
    name: str
    count: int
    accuracy: float
    low: float
    high: float
    n: int | None
    tag: Tag | Literal[""]
    family: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curve:
    """Accuracy against frequency for one answer and one frequency table.

    Attributes:
        recipe, frequency, method: how it was computed, and from which counts.
        counted_in: what was counted, where that is not the model's own pretraining set; else empty.
        rows: concepts with a known count (zero included) and images, in label order.
        unknown: keys of the concepts without a count.
        slope_per_decade: rise in accuracy (a fraction) per tenfold count; pearson, spearman: correlations.
        trend: the fitted line and its band, within 0–100 %; empty in the paper recipe, which draws none.
        logit: the same in log odds; shape: whether one straight line is enough. Both empty in the paper recipe.
        bins: binned means; in the paper recipe all bins, at their upper edge and without intervals.
        zero: mean accuracy of the concepts counted zero times; head, torso, tail: of those parts, with intervals.
        groups: which concepts those parts are, of how many and how rare, or why there are none.
        origin: where the accuracies come from; interval_over: what the intervals of bins and parts are over.
        paper: the paper's own figures, in the paper recipe only.
        unread: why there is no finding, where sentences are cut before they tell classes apart; figures are then NaN.
        measure: what the accuracies are, in a word: accuracy, or recall of a retrieval.
    """

    recipe: Recipe
    frequency: str
    method: str
    counted_in: str
    rows: tuple[Row, ...]
    unknown: tuple[str, ...]
    slope_per_decade: Interval
    pearson: Interval
    spearman: Interval
    trend: Trend
    logit: LogitFit
    shape: Shape
    bins: tuple[Bin, ...]
    zero: Interval
    head: Interval
    torso: Interval
    tail: Interval
    groups: Groups
    origin: Origin
    interval_over: str
    paper: PaperCurve | None = None
    unread: str = ""
    measure: str = "accuracy"

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

    def to_pandas(self) -> pd.DataFrame:
        """One row a concept: key, name, count, accuracy, low, high (fractions), n, tag (head, torso, tail), family."""
        import pandas as pd

        return pd.DataFrame(map(asdict, self.rows), columns=list(Row.__dataclass_fields__))

    def __repr__(self) -> str:
        return f"<Curve over {self.frequency} ({self.method}), {self.recipe} recipe: {headline(self)}>"


def measure_of(answer: Answer | ClassAnswer) -> str:
    """What an answer tells of every class, in a word: accuracy, or recall of a retrieval."""
    return "accuracy" if isinstance(answer, Answer) or answer.metric == "acc1" else "recall"


def curve(
    answer: Answer | ClassAnswer,
    table: FrequencyTable,
    *,
    recipe: Recipe = "honest",
    families: Mapping[str, str] | None = None,
    per_decade: int = 2,
    hidden: Collection[str] = (),
) -> Curve:
    """Relate the per-class accuracies of an answer to the counts of a table.

    ``honest``: slope and Pearson are taken over single concepts on log10 count, so they use concepts counted at least
    once; Spearman uses every known concept, zeros included as the lowest rank. Intervals are 95 % percentile
    bootstraps over concepts (1,000 resamples), which take the concepts as drawn from a larger vocabulary; those of bins
    and parts draw each concept's images too (``stats.intervals.mean``). Classes meet counts as in ``frequency.table``.

    ``paper``: ``core.stats.paper_curve`` on this one image set with its default ends cut; keys are joined literally,
    wnids by their ImageNet names. Slope, Pearson and Spearman are over the kept bins and have no interval: the paper
    gives none.

    Args:
        families: concept key -> family, for colour.
        per_decade: bins per tenfold count (honest recipe).
        hidden: flags of counts; a class whose count carries one is left out as one of unknown count.
    """
    keys = answer.keys
    matched, families = match(table, keys, answer.names, literal=recipe == "paper"), families or {}
    flags = {key: table.flags.get(concept, ()) for key, concept in matched.spelled.items()}
    known = {key: n for key, n in matched.counts.items() if not set(hidden) & set(flags[key])}
    judged = [score for score in answer.classes if not math.isnan(score.accuracy)]
    groups = stats.groups(known)
    rows = tuple(
        Row(s.key, s.name, known[s.key], s.accuracy, s.low, s.high, s.n, groups.tags.get(s.key, ""),
            families.get(s.key, ""), flags[s.key])
        for s in judged
        if s.key in known
    )  # fmt: skip
    counts = np.array([row.count for row in rows], np.int64)
    accuracy = np.array([row.accuracy for row in rows], np.float64)
    images = np.array([row.n or 0 for row in rows], np.int64)
    part = np.array([row.tag for row in rows])
    why = unread(answer.reading, len(keys)) if isinstance(answer, Answer) else ""
    none = np.empty(0, np.int64)
    shown = (none, np.empty(0), none) if why else (counts, accuracy, images)
    figures = _paper(*shown[:2]) if recipe == "paper" else _honest(*shown, per_decade)

    def over(inside: np.ndarray) -> Interval:
        return stats.mean(accuracy[inside], images=images[inside])

    return Curve(
        recipe=recipe,
        frequency=table.name,
        method=table.method,
        counted_in=elsewhere(answer.lens.model, table.name),
        rows=rows,
        unknown=tuple(key for key in keys if key not in known),
        zero=over(counts == 0),
        head=over(part == "head"),
        torso=over(part == "torso"),
        tail=over(part == "tail"),
        groups=groups,
        origin=answer.origin,
        interval_over="classes and their images" if images.all() else "classes (their images are not told)",
        unread=why,
        measure=measure_of(answer),
        **figures,
    )


def _honest(counts: np.ndarray, accuracy: np.ndarray, images: np.ndarray, per_decade: int) -> dict[str, Any]:
    line = stats.trend(counts, accuracy)
    return {
        "slope_per_decade": line.slope,
        "pearson": line.pearson,
        "spearman": stats.spearman(counts, accuracy),
        "trend": line,
        "logit": logit_fit(counts, accuracy),
        "shape": shape(counts, accuracy),
        "bins": stats.log_bins(counts, accuracy, images=images, per_decade=per_decade),
    }


def _paper(counts: np.ndarray, accuracy: np.ndarray) -> dict[str, Any]:
    none = dict.fromkeys(("slope_per_decade", "pearson", "spearman"), UNDEFINED)
    no_fit: dict[str, Any] = {"trend": NO_TREND, "logit": NO_LOGIT, "shape": NO_SHAPE}
    if not len(counts):
        return {**none, **no_fit, "bins": ()}
    found = paper_curve(counts, accuracy)
    kept = slice(*found.kept)
    starts = (found.edges[0], *found.edges[:-1])
    edges, means, sizes = found.edges.tolist(), found.mean.tolist(), found.n.tolist()
    bins = tuple(
        Bin(float(start), edge, edge, mean, math.nan, math.nan, size)
        for start, edge, mean, size in zip(starts, edges, means, sizes, strict=True)
    )
    return {
        **no_fit,
        "bins": bins,
        "slope_per_decade": _bare(found.slope_per_decade),
        "pearson": _bare(found.r),
        "spearman": _bare(stats.spearman(found.edges[kept], found.mean[kept]).value),
        "paper": found,
    }


def _bare(value: float) -> Interval:
    return Interval(value, math.nan, math.nan)


def as_json(found: Curve, answer: Answer | ClassAnswer, table: FrequencyTable) -> dict[str, Any]:
    """The curve in the schema of ``python -m core curve``; NaN stays NaN for the writer to turn into null."""
    matched = match(table, answer.keys, answer.names, literal=found.recipe == "paper")
    parts: dict[Tag, Interval] = {"head": found.head, "torso": found.torso, "tail": found.tail}
    counts = {tag: [row.count for row in found.rows if row.tag == tag] for tag in parts}
    return {
        "model": answer.lens.model,
        "set": answer.lens.image_set,
        "prompts": answer.lens.prompts,
        "origin": found.origin,
        "provenance": answer.provenance if isinstance(answer, ClassAnswer) else None,
        "frequency": {"name": table.name, "method": table.method, "source": table.source},
        "counted_in": found.counted_in or None,
        "recipe": found.recipe,
        "n_classes": len(answer.keys),
        "rows": [[row.key, row.count, row.accuracy, row.n] for row in found.rows],
        "flags": {row.key: list(row.flags) for row in found.rows if row.flags},
        "n": found.n,
        "n_zero": found.n_zero,
        "n_unknown": found.n_unknown,
        "matched": matched.sentence,
        "unmatched": matched.suggestions(),
        "slope_per_decade": asdict(found.slope_per_decade),
        "pearson": asdict(found.pearson),
        "spearman": asdict(found.spearman),
        "groups": {
            tag: {
                "n": len(counts[tag]),
                "count_from": min(counts[tag]),
                "count_to": max(counts[tag]),
                "accuracy": asdict(parts[tag]),
            }
            for tag in parts
            if counts[tag]
        },
        "tail_is": "never counted" if found.groups.never_counted else "rarest fifth" if found.groups.tags else None,
        "no_groups": found.groups.reason or None,
        "interval_over": found.interval_over,
        "shape": {
            "kind": found.shape.kind or None,
            "test": TEST,
            "p": found.shape.p,
            "break": asdict(found.shape.at),
            "slope_before": asdict(found.shape.before),
            "slope_after": asdict(found.shape.after),
            "n": found.shape.n,
        },
        "logit": {"log_odds_per_decade": asdict(found.logit.slope)},
    }


def headline(found: Curve) -> str:
    """The finding in one computed sentence; says so when the counts or the data do not carry one. See ``evidence``."""
    if not found.rows:
        return f"None of these {found.n_unknown:,} concepts has a count in {found.frequency}."
    if found.unread:
        return f"There is no trend to see: {found.unread}."
    if found.paper is not None:
        return _paper_headline(found, found.paper)
    n = found.n - found.n_zero
    slope, shape = found.slope_per_decade, found.shape
    if n < ENOUGH:
        return f"Only {n} concept{'s' * (n != 1)} here with a count of one or more: too few for a trend."
    if math.isnan(slope.low):
        return f"All {n} concepts have the same count, so there is no trend to see."
    what = f"the count in {found.counted_in}" if found.counted_in else "pretraining frequency"
    measure = found.measure
    if shape.kind == "plateau":
        return (
            f"{measure.capitalize()} rises with {what} up to a count of about {shape.at.value:,.0f}, then levels off."
        )
    if slope.low > 0:
        return f"A tenfold rise in {what} goes with {points(slope.value)} more points of {measure}."
    if slope.high < 0:
        return f"A tenfold rise in {what} goes with {points(-slope.value)} fewer points of {measure}."
    return f"No clear trend: a tenfold rise in {what} goes with {points(slope.value)} points."


def evidence(found: Curve) -> str:
    """The slope with its interval, on both sides of a break where there is one, and the tail; what the title rests on.

    Empty where ``headline`` says that there is no trend to see.
    """
    n = found.n - found.n_zero
    slope, shape = found.slope_per_decade, found.shape
    if not found.rows or found.unread or found.paper is not None or n < ENOUGH or math.isnan(slope.low):
        return ""
    told = [f"One line through all: {points(slope.value)} points per tenfold count {_within(slope)}; n = {n:,}."]
    if shape.kind in ("plateau", "broken line"):
        told.append(
            f"With one break: {points(shape.before.value)} below a count of {shape.at.value:,.0f} "
            f"{_within(shape.before)}, {points(shape.after.value)} above it {_within(shape.after)}."
        )
    return " ".join(filter(None, (*told, _tail(found))))


def _within(slope: Interval) -> str:
    return f"(95 % CI {point_span(slope)})"


def _tail(found: Curve) -> str:
    share, groups = found.tail.value, found.groups
    if math.isnan(share):
        return ""
    if groups.never_counted:
        n = groups.sizes["tail"][0]
        return f"{found.measure.capitalize()} on the {n:,} concepts that were never counted: {percent(share)}."
    return f"{found.measure.capitalize()} on the rarest fifth: {percent(share)}."


def _paper_headline(found: Curve, paper: PaperCurve) -> str:
    r, bins = found.pearson.value, paper.kept[1] - paper.kept[0]
    if math.isnan(r):
        return "By the paper's recipe no correlation is defined here: the kept bins have no spread."
    star = "significant" if paper.p < 0.05 else "not significant"
    return (
        f"By the paper's recipe, {found.measure} and log frequency correlate at r = {signed(r, 2)} over {bins} binned "
        f"means ({star} at 0.05)."
    )
