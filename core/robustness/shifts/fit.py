"""Effective robustness: how far a model lies from the line that ordinary models follow, both accuracies as logits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput
from core.robustness.metrics import difference
from core.types import Interval

LEAST, MOST = 0.001, 0.999
"""Accuracies are clipped to this range before the logit: ImageNet-A holds models at exactly 0 by construction."""
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Fit:
    """A least-squares line ``logit(y) = slope * logit(x) + intercept``, each accuracy clipped first.

    Attributes:
        slope, intercept: in logits; r2: share of the variance of logit(y) that the line explains.
        n: models; clipped: how many of them have an accuracy outside LEAST..MOST.
        error: residual standard deviation in logits, n - 2 degrees of freedom.
        centre, spread: mean and sum of squares about it of logit(x), for the standard error along the line.
        low, high: the range of x that was fitted (fractions); outside it the line is extrapolated.
    """

    slope: float
    intercept: float
    r2: float
    n: int
    clipped: int
    error: float
    centre: float
    spread: float
    low: float
    high: float

    def line(self, x: np.ndarray | float) -> np.ndarray:
        """beta(x): the accuracy under shift that the line expects, a fraction."""
        return _expit(self.slope * logit(x) + self.intercept)

    def band(self, x: np.ndarray | float, *, single: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper 95 % bound of the line, or with ``single`` of one further model of the same kind."""
        from scipy.special import stdtrit

        place = logit(x)
        variance = 1 / self.n + (place - self.centre) ** 2 / self.spread + float(single)
        half = stdtrit(self.n - 2, 0.975) * self.error * np.sqrt(variance)
        middle = self.slope * place + self.intercept
        return _expit(middle - half), _expit(middle + half)

    def extrapolates(self, x: float) -> bool:
        """Whether an accuracy lies outside those that were fitted."""
        return not self.low <= x <= self.high


def logit(share: np.ndarray | float) -> np.ndarray:
    """log(p / (1 - p)) of a share clipped to LEAST..MOST."""
    clipped = np.clip(np.asarray(share, float), LEAST, MOST)
    return np.log(clipped / (1 - clipped))


def _expit(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def fit_line(x: Sequence[float], y: Sequence[float]) -> Fit:
    """Fit the line of ordinary models (Taori et al., 2020, arXiv 2007.00644, section 3).

    Args:
        x, y: accuracy of every model in distribution and under shift, fractions [n].

    Raises:
        BadInput: fewer than three models, or all with one accuracy in distribution.
    """
    first, second = np.asarray(x, float), np.asarray(y, float)
    if len(first) < FEWEST:
        raise BadInput(
            f"A line needs at least {FEWEST} baseline models, not {len(first)}: add rows to the baseline table."
        )
    a, b = logit(first), logit(second)
    spread = float(((a - a.mean()) ** 2).sum())
    if spread < 1e-12:
        raise BadInput("All baseline models have the same accuracy in distribution, so no line can be fitted to them.")
    slope = float(((a - a.mean()) * (b - b.mean())).sum() / spread)
    intercept = float(b.mean() - slope * a.mean())
    residual = float(((b - slope * a - intercept) ** 2).sum())
    total = float(((b - b.mean()) ** 2).sum())
    outside = (np.minimum(first, second) < LEAST) | (np.maximum(first, second) > MOST)
    return Fit(
        slope=slope,
        intercept=intercept,
        r2=1 - residual / total if total > 0 else math.nan,
        n=len(a),
        clipped=int(outside.sum()),
        error=math.sqrt(residual / (len(a) - 2)),
        centre=float(a.mean()),
        spread=spread,
        low=float(first.min()),
        high=float(first.max()),
    )


def effective_robustness(fit: Fit, in_distribution: Interval, shifted: Interval) -> Interval:
    """rho: accuracy under shift minus what the line expects of a model this accurate in distribution.

    The 95 % interval joins three errors by squares: that of the accuracy under shift, that of the line, and that of
    the accuracy in distribution carried through the line.
    """
    expected = float(fit.line(in_distribution.value))
    low, high = (float(bound) for bound in fit.band(in_distribution.value))
    moved_low, moved_high = sorted(float(fit.line(bound)) for bound in (in_distribution.low, in_distribution.high))
    beta = Interval(
        expected,
        expected - math.hypot(expected - low, expected - moved_low),
        expected + math.hypot(high - expected, moved_high - expected),
    )
    return difference(shifted, beta)
