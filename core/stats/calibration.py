"""Does a model that is 80 % sure turn out right 80 % of the time? Reliability bins and their summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Images whose confidence lies above ``low`` and at most at ``high``: mean confidence, share right, images."""

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int


def reliability(probability: np.ndarray, right: np.ndarray, *, bins: int = BINS) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width over confidence; empty ones are left out.

    Args:
        probability: [m], of the class said; right: bool [m], whether it was the true one.
    """
    probability, right = np.asarray(probability, np.float64), np.asarray(right, np.float64)
    index = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    n = np.bincount(index, minlength=bins)
    sure, hit = (np.bincount(index, weights=values, minlength=bins) for values in (probability, right))
    return tuple(
        ReliabilityBin(i / bins, (i + 1) / bins, float(sure[i] / n[i]), float(hit[i] / n[i]), int(n[i]))
        for i in range(bins)
        if n[i]
    )


def ece(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error: mean distance of confidence and accuracy, bins weighted by images; NaN for none."""
    n = sum(part.n for part in bins)
    return sum(part.n * abs(part.confidence - part.accuracy) for part in bins) / n if n else math.nan
