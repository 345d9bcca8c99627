"""How figures are written in sentences: percentages, points and intervals that never round to what is not so."""

from __future__ import annotations

import math

from core.types import Interval

MINUS = "\u2212"


def percent(fraction: float, digits: int = 0) -> str:
    """A share as a percentage with so many decimals, or with one (or a bound) where it would read as none or all.

    0.001 is ``0.1 %`` and not ``0 %``, 0.996 ``99.6 %`` and not ``100 %``, and 0.9998 is ``over 99.9 %``.
    """
    if math.isnan(fraction):
        return "unknown"
    shown, places = 100 * fraction, max(digits, 1)
    least = 10**-places
    if 0 < shown < least / 2:
        return f"under {least:.{places}f} %"
    if 100 - least / 2 <= shown < 100:
        return f"over {100 - least:.{places}f} %"
    return f"{signed(shown, places if 0 < shown < 1 or 99 < shown < 100 else digits)} %"


def many(n: int, noun: str) -> str:
    """A count with its noun: “1 shard”, “12 shards”."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time in words: “40 s”, “3 min”, “2.5 h”."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def points(fraction: float, digits: int = 1, *, plus: bool = False) -> str:
    """A difference of shares in percentage points, written as ``signed``."""
    return signed(100 * fraction, digits, plus=plus)


def signed(value: float, digits: int, *, plus: bool = False) -> str:
    """A number with so many digits and a typographic minus; zero has no sign, NaN is ``undefined``.

    Args:
        plus: numbers above zero have a sign too.
    """
    if math.isnan(value):
        return "undefined"
    text = f"{value:{'+' if plus else ''}.{digits}f}"
    if not float(text):
        return text.lstrip("+-")
    return text.replace("-", MINUS)


def span(interval: Interval, digits: int = 0) -> str:
    """The bounds of an interval of shares in percent, with a decimal where an end would read as none or all."""
    low, high = (percent(value, digits).removesuffix(" %") for value in (interval.low, interval.high))
    return f"{low}–{high} %"


def point_span(interval: Interval) -> str:
    """The bounds of an interval of differences in percentage points."""
    low, high = points(interval.low), points(interval.high)
    return f"{low} to {high}" if interval.low < 0 else f"{low}–{high}"
