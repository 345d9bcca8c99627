"""Effective compositional generalisation: composition accuracy beyond what accuracy in distribution predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import BadInput
from core.models.names import model_name
from core.robustness.shifts.fit import Fit, effective_robustness, fit_line
from core.stats.format import points
from core.stats.intervals import UNDEFINED
from core.types import Interval


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model: accuracy in distribution (objects alone) and over compositions, with 95 % intervals."""

    model: str
    known: Interval
    composed: Interval


@dataclass(frozen=True)
class Generalisation:
    """Models with the line through them.

    Attributes:
        models: as given; fit: the line in logits, None below three models or when all are equally good.
        residual: composition accuracy less the line's, of every model; undefined without a line.
    """

    models: tuple[ModelResult, ...]
    fit: Fit | None
    residual: tuple[Interval, ...]


def generalisation(models: Sequence[ModelResult]) -> Generalisation:
    """Effective compositional generalisation acc - beta(acc_known) of every model, beta logit-linear.

    In the manner of effective robustness (``robustness.shifts.fit``). No line was published for compositions, so it
    is fitted on the very models shown: residuals compare these models with each other and nothing else.
    """
    try:
        fit = fit_line([one.known.value for one in models], [one.composed.value for one in models])
    except BadInput:
        return Generalisation(tuple(models), None, (UNDEFINED,) * len(models))
    return Generalisation(
        tuple(models), fit, tuple(effective_robustness(fit, one.known, one.composed) for one in models)
    )


def headline(found: Generalisation) -> str:
    """Which model lies furthest off the line, and whether that may be chance, in one sentence."""
    if found.fit is None:
        return "A line needs three models that differ in accuracy."
    at, off = max(enumerate(found.residual), key=lambda pair: abs(pair[1].value))
    low, value, high = (points(end, plus=True) for end in (off.low, off.value, off.high))
    clear = "more than chance" if off.low > 0 or off.high < 0 else "which may be chance"
    return (
        f"Of {len(found.models)} models {model_name(found.models[at].model)} lies furthest off their common line of "
        f"composition on known accuracy: {value} points (95 % CI {low} to {high}), {clear}."
    )
