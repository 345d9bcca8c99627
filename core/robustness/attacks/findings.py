"""What attack records say, in sentences: computed, with n and interval. Plain text; whoever shows it escapes it."""

from __future__ import annotations

from collections.abc import Sequence

from core.robustness.attacks import ATTACKS, find
from core.robustness.metrics import difference
from core.robustness.records import Record
from core.stats.format import percent, points, span
from core.stats.intervals import wilson
from core.supervised.names import PROMPTS, known_as
from core.types import Interval

DIRECT = ("attacks", "attacks-supervised", "attacks-scores")
"""Committed tables of attacks on the model itself."""
FEW = 10
"""Images a part must have right before head and tail are compared in words."""


def strongest(records: Sequence[Record], eps: float) -> Record | None:
    """The gradient attack that leaves least at this ε, of those tried on the same images."""
    tried = [
        one
        for one in records
        if one.eps == eps
        and one.condition in ATTACKS
        and find(one.condition).kind == "white-box"
        and not one.more.get("surrogate")
    ]
    return min(tried, key=lambda one: one.acc1, default=None)


def headline(records: Sequence[Record]) -> str | None:
    """How much of one model's accuracy the middle ε leaves; None when nothing with an ε was measured."""
    strengths = sorted({one.eps for one in records if one.eps is not None})
    if not strengths:
        return None
    eps = strengths[(len(strengths) - 1) // 2]
    worst = strongest(records, eps)
    if worst is None:
        return None
    return (
        f"Changing each pixel by at most {worst.eps:g}/255{_in(worst)} drops accuracy from "
        f"{percent(worst.more['clean'])} to {percent(worst.acc1)}."
    )


def evidence(records: Sequence[Record]) -> str:
    """Interval, n, model and attack behind ``headline``; empty when nothing with an ε was measured."""
    strengths = sorted({one.eps for one in records if one.eps is not None})
    worst = strongest(records, strengths[(len(strengths) - 1) // 2]) if strengths else None
    if worst is None:
        return ""
    return (
        f"95 % CI {_range(worst)}; {worst.n:,} images, {known_as(worst.model)}, {find(worst.condition).title}, "
        f"{worst.prompts} prompts."
    ).replace(", supervised prompts", "")


def prompts_matter(records: Sequence[Record]) -> str | None:
    """Whether strategies that differ unattacked still differ under attack; None below two strategies."""
    strengths = sorted({one.eps for one in records if one.eps is not None})
    if not strengths:
        return None
    eps = strengths[(len(strengths) - 1) // 2]
    at = [one for one in records if one.eps == eps and one.prompts != PROMPTS]
    if len({one.prompts for one in at}) < 2:
        return None
    best, worst = max(at, key=lambda one: one.acc1), min(at, key=lambda one: one.acc1)
    clean = [one.more["clean"] for one in at]
    gap = difference(wilson(round(best.acc1 * best.n), best.n), wilson(round(worst.acc1 * worst.n), worst.n))
    verdict = "more than noise" if gap.low > 0 else "no more than noise"
    return (
        f"At {eps:g}/255 the prompts leave between {percent(worst.acc1)} ({worst.prompts}) and {percent(best.acc1)} "
        f"({best.prompts}) correct, {verdict} ({100 * gap.value:.1f} points, 95 % CI {_points(gap)}; n = {best.n} each)"
        f"; unattacked they lie between {percent(min(clean))} and {percent(max(clean))}."
    )


def tail_breaks_first(one: Record) -> str | None:
    """Head against tail among the images that were right unattacked; None when a part is unknown or has none."""
    parts = {}
    for part in ("head", "tail"):
        n, success = one.more.get(f"{part}_clean_right"), one.more.get(f"{part}_success")
        if not n:
            return None
        parts[part] = wilson(round(success * n), n)
    smallest = min(one.more[f"{part}_clean_right"] for part in parts)
    if smallest < FEW:
        return f"Only {smallest} images of a part are correct before the attack: too few to say; measure more."
    gap = difference(parts["tail"], parts["head"])
    verdict = "The tail breaks first" if gap.low > 0 else "The head breaks first" if gap.high < 0 else None
    n = f"{one.more['tail_clean_right']} and {one.more['head_clean_right']} images correct unattacked"
    told = (
        f"of what was correct, {percent(parts['tail'].value)} of the tail and {percent(parts['head'].value)} of the "
        f"head are broken ({100 * gap.value:+.0f} points, 95 % CI {_points(gap)}; {n})."
    )
    return f"{verdict}: {told}" if verdict else f"No difference between head and tail is established: {told}"


def _range(one: Record) -> str:
    return span(Interval(one.acc1, one.low, one.high))


def _points(gap: Interval) -> str:
    return f"{points(gap.low, 0)} to {points(gap.high, 0)}"


def _in(one: Record) -> str:
    return " in normalised units" if (one.units or "").startswith("normalised") else ""
