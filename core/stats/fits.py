"""Two more shapes for accuracy against frequency: a line in log odds, and a line that may bend once.

Both are over concepts counted at least once, on log10 count. Least squares may leave 0–100 %; the log-odds line cannot.
Whether one straight line is enough is tested against every line with one break.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from core.stats.bootstrap import UNDEFINED, Resampler, interval
from core.types import Interval

Kind = Literal["straight line", "broken line", "plateau"]
ENOUGH = 30
"""Fewer concepts than this with a count of one or more are not tested for a break."""
KNOTS = 25
REPLICATES = 999
SIGNIFICANT = 0.05
TEST = (
    f"largest F over {KNOTS} break points against a straight line, wild bootstrap of its residuals, "
    f"{REPLICATES} replicates"
)
_Z95 = 1.959963984540054


@dataclass(frozen=True)
class LogitFit:
    """Fractional logit of accuracy on log10 count (Papke & Wooldridge 1996), robust standard errors.

    Attributes:
        slope: rise of the log odds per tenfold count.
        counts, fitted, low, high: the curve and its pointwise 95 % band over one grid of counts; empty without a fit.
    """

    slope: Interval
    counts: np.ndarray
    fitted: np.ndarray
    low: np.ndarray
    high: np.ndarray


NO_LOGIT = LogitFit(UNDEFINED, *[np.empty(0)] * 4)


@dataclass(frozen=True, slots=True)
class Shape:
    """Whether one straight line is enough.

    Attributes:
        kind: ``straight line`` when a break is not significant, else ``plateau`` when the line rises before the break
            and its slope behind it may be zero, else ``broken line``; empty when too few concepts are known.
        p: of the test (``TEST``).
        at: count at the break; before, after: accuracy (a fraction) per tenfold count on either side; with bootstrap
            intervals over concepts.
        n: concepts with a count of one or more. level: fitted accuracy at the break.
    """

    kind: Kind | Literal[""]
    p: float
    at: Interval
    before: Interval
    after: Interval
    n: int
    level: float = math.nan

    @property
    def bends(self) -> bool:
        """Whether a break is significant, so that the broken line is the one to draw."""
        return self.kind in ("plateau", "broken line")

    def fitted(self, counts: np.ndarray) -> np.ndarray:
        """Accuracy of the broken line at counts of one or more [n], within 0 and 1."""
        past = np.log10(counts) - math.log10(self.at.value)
        return np.clip(self.level + np.where(past < 0, self.before.value, self.after.value) * past, 0, 1)


NO_SHAPE = Shape("", math.nan, UNDEFINED, UNDEFINED, UNDEFINED, 0)


def logit_fit(counts: np.ndarray, accuracy: np.ndarray) -> LogitFit:
    """Fit the log odds of accuracies [n] (fractions) to log10 count; nothing is fitted below three concepts."""
    x, y = _seen(counts, accuracy)
    if len(x) < 3 or np.ptp(x) == 0 or not 0 < y.mean() < 1:
        return NO_LOGIT
    centre = x.mean()
    design = np.column_stack((np.ones_like(x), x - centre))
    found = np.array([math.log(y.mean() / (1 - y.mean())), 0.0])
    for _ in range(50):
        p = _expit(design @ found)
        bread = design.T @ (design * (p * (1 - p))[:, None])
        if np.linalg.cond(bread) > 1e12:
            return NO_LOGIT  # separated: the best line is infinitely steep
        step = np.linalg.solve(bread, design.T @ (y - p))
        found = found + step
        if np.abs(step).max() < 1e-10:
            break
    else:
        return NO_LOGIT
    p = _expit(design @ found)
    bread = np.linalg.inv(design.T @ (design * (p * (1 - p))[:, None]))
    meat = design.T @ (design * ((y - p) ** 2)[:, None]) * len(x) / (len(x) - 2)
    spread = bread @ meat @ bread
    grid = np.linspace(x.min(), x.max(), 50)
    along = np.column_stack((np.ones_like(grid), grid - centre))
    level, error = along @ found, _Z95 * np.sqrt(np.einsum("ij,jk,ik->i", along, spread, along))
    half = _Z95 * math.sqrt(spread[1, 1])
    slope = Interval(float(found[1]), float(found[1] - half), float(found[1] + half))
    return LogitFit(slope, 10**grid, _expit(level), _expit(level - error), _expit(level + error))


def shape(counts: np.ndarray, accuracy: np.ndarray, *, seed: int = 0) -> Shape:
    """Straight, broken or plateau: a continuous line with one break (Muggeo 2003) against a straight one.

    The break is searched over 25 counts between the 10 % and 90 % quantiles of the known counts. Its test is the
    largest F over them, with the distribution of that maximum from a wild bootstrap (Hansen 1996, Wu 1986): residuals
    of the straight line with random signs, which allows for their unequal spread.
    """
    x, y = _seen(counts, accuracy)
    n = len(x)
    knots = np.unique(np.quantile(x, np.linspace(0.1, 0.9, KNOTS))) if n >= ENOUGH else np.empty(0)
    knots = knots[(knots > x.min()) & (knots < x.max())] if n >= ENOUGH else knots
    if not len(knots) or np.ptp(y) == 0:
        return replace(NO_SHAPE, n=n)
    base, _ = np.linalg.qr(np.column_stack((np.ones_like(x), x - x.mean())))
    hinge = np.maximum(x[:, None] - knots, 0)
    extra = hinge - base @ (base.T @ hinge)
    extra /= np.linalg.norm(extra, axis=0)
    rest = y - base @ (base.T @ y)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), (n, REPLICATES))
    drawn = rest[:, None] * signs
    drawn -= base @ (base.T @ drawn)
    ratio, drawn_ratio = _gain(extra, rest[:, None]).max(0)[0], _gain(extra, drawn).max(0)
    p = float((1 + (drawn_ratio >= ratio).sum()) / (1 + REPLICATES))
    at, before, after, level = _broken(x, y, knots, int(_gain(extra, rest[:, None])[:, 0].argmax()), seed)
    if p >= SIGNIFICANT:
        kind: Kind = "straight line"
    else:
        kind = "plateau" if before.low > 0 and after.low <= 0 <= after.high else "broken line"
    return Shape(kind, p, at, before, after, n, level)


def _gain(extra: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Share of the residual sum of squares [b] that each break [k] explains: monotone in F."""
    return (extra.T @ rest) ** 2 / (rest**2).sum(0)


def _broken(
    x: np.ndarray, y: np.ndarray, knots: np.ndarray, best: int, seed: int
) -> tuple[Interval, Interval, Interval, float]:
    """Break (a count), the slopes on its sides, with intervals from resampled concepts, each with its best break, and
    the accuracy at the break."""
    hinge = np.maximum(x[:, None] - knots, 0)
    x_mean = x.mean()
    x = x - x_mean
    y_mean = y.mean()
    y = y - y_mean
    shared = np.column_stack((np.ones_like(x), x, y, x * x, x * y))
    own = np.concatenate((hinge, hinge * x[:, None], hinge * y[:, None], hinge * hinge), axis=1)
    sampler = Resampler.of(np.arange(len(x)), replicates=500, seed=seed)
    draws = sampler.draws.astype(np.float64)
    weights = np.column_stack((np.ones(len(x)), draws))  # the sample itself comes first
    one, sx, sy, sxx, sxy = shared.T @ weights
    sh, sxh, syh, shh = (own.T @ weights).reshape(4, len(knots), -1)
    left = np.empty((*sh.shape, 3, 3))
    rows = ((one, sx, sh), (sx, sxx, sxh), (sh, sxh, shh))
    for i, row in enumerate(rows):
        for j, cell in enumerate(row):
            left[..., i, j] = cell
    right = np.stack(np.broadcast_arrays(sy, sxy, syh), axis=-1)
    usable = np.linalg.cond(left) < 1e12
    left[~usable] = np.eye(3)
    line = np.linalg.solve(left, right[..., None])[..., 0]
    explained = np.where(usable, (line * right).sum(-1), -np.inf)
    chosen = explained.argmax(0)
    chosen[0] = best
    each = np.arange(len(chosen))
    before, bend = line[chosen, each, 1], line[chosen, each, 2]
    at, before, after = (
        interval(float(values[0]), values[1:]) for values in (10 ** knots[chosen], before, before + bend)
    )
    level = float(line[best, 0, 0] + y_mean + before.value * (knots[best] - x_mean))
    return at, before, after, level


def _seen(counts: np.ndarray, accuracy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts, accuracy = np.asarray(counts, np.float64), np.asarray(accuracy, np.float64)
    seen = counts >= 1
    return np.log10(counts[seen]), accuracy[seen]


def _expit(values: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -values))
