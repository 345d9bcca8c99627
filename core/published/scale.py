"""Is the frequency slope smaller for larger models? The open question of arXiv 2404.04125, appendix R.

Slopes of models whose own pretraining set was counted, against their parameters. Sets differ in data and in how they
were counted, so models are compared within one set only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput, NotHere
from core.published import catalogue, letitwag, recipe_honest, view
from core.published.names import HEADLINE_METHOD, PROMPTS, ZERO_SHOT
from core.published.pool import Combination, pool
from core.published.store import open_store
from core.stats.format import point_span, points
from core.types import Interval, LeftOut, Progress, Report, silent


@dataclass(frozen=True, slots=True)
class SizePoint:
    """One published model.

    Attributes:
        parameters: both towers, millions; None where the release does not state it.
        slope: points per tenfold count with its 95 % interval (bootstrap over concepts), over the concepts counted at
            least once.
        n: rows with a count above zero.
    """

    model: str
    pretraining: str
    parameters: float | None
    slope: Interval
    n: int


@dataclass(frozen=True, slots=True)
class SizeEffect:
    """Change of the slope per tenfold parameters within pretraining sets: points with a 95 % t interval.

    Attributes:
        n: models of sets with two sizes or more; sets: those sets.
    """

    change: Interval
    n: int
    sets: int

    @property
    def sentence(self) -> str:
        """The finding in words."""
        told = f"{points(self.change.value / 100)} points (95 % CI {point_span(_fraction(self.change))})"
        if self.change.low > 0 or self.change.high < 0:
            direction = "steeper" if self.change.value > 0 else "flatter"
            return f"Larger models of one training set have {direction} frequency slopes: {told} per tenfold size."
        return f"Within a training set, model size makes no clear difference to the slope: {told} per tenfold size."


def slopes(
    *, method: str = HEADLINE_METHOD, prompts: str = PROMPTS[-1], report: Report = silent
) -> tuple[list[SizePoint], list[LeftOut]]:
    """Slopes of all published zero-shot models over the paper's data sets, and those that have none, with the reason.

    Args:
        method: how the pretraining sets were counted; prompts: strategy of the accuracies.
    """
    known_sizes = sizes()
    known, absent = [], []
    store = open_store()
    datasets = catalogue.choose_sets(ZERO_SHOT, method, None)
    asked = view.models(store, ZERO_SHOT)
    for done, (model, pretraining) in enumerate(asked):
        report(Progress(done, len(asked), "Slopes by bootstrap over concepts"))
        combination = Combination(ZERO_SHOT, pretraining, method, prompts, model)
        try:
            catalogue.require(store, combination, datasets)
            rows = pool(store, combination, datasets, "honest")
        except (BadInput, NotHere) as error:
            absent.append(LeftOut(f"{model} · {view.set_name(pretraining)}", str(error)))
            continue
        size = known_sizes.get((model, pretraining), known_sizes.get((model, "")))
        slope = recipe_honest.slope_per_decade(rows)
        known.append(SizePoint(model, pretraining, size, slope, len(rows.counts) - rows.n_zero))
    return known, absent


def effect(found: Sequence[SizePoint]) -> SizeEffect:
    """Least squares of the slope on log10 parameters with one intercept a pretraining set.

    Raises:
        BadInput: too few models of one set differ in size.
    """
    from scipy.special import stdtrit

    sized = [one for one in found if one.parameters and not math.isnan(one.slope.value)]
    sets = [name for name in {one.pretraining for one in sized} if _differ(sized, name)]
    used = [one for one in sized if one.pretraining in sets]
    free = len(used) - len(sets) - 1
    if free < 1:
        raise BadInput("Fewer than two sizes a training set are known, so slopes cannot be set against size.")
    x = np.log10([one.parameters or math.nan for one in used])
    y = np.array([one.slope.value for one in used])
    for name in sets:
        own = np.array([one.pretraining == name for one in used])
        x[own] -= x[own].mean()
        y[own] -= y[own].mean()
    value = float(x @ y / (x @ x))
    error = math.sqrt(float(((y - value * x) ** 2).sum()) / free / float(x @ x))
    half = float(stdtrit(free, 0.975)) * error
    return SizeEffect(Interval(value, value - half, value + half), len(used), len(sets))


def _differ(points: Sequence[SizePoint], pretraining: str) -> bool:
    return len({one.parameters for one in points if one.pretraining == pretraining}) > 1


def sizes() -> dict[tuple[str, str], float]:
    """(model, pretraining) -> millions of parameters, and (model, "") where all of a backbone agree."""
    stated = {(one.model, one.pretraining): one.parameters for one in letitwag.models() if one.parameters}
    by_backbone: dict[str, set[int]] = {}
    for (model, _), size in stated.items():
        by_backbone.setdefault(model, set()).add(round(size))
    return stated | {(model, ""): float(*known) for model, known in by_backbone.items() if len(known) == 1}


def _fraction(interval: Interval) -> Interval:
    return Interval(interval.value / 100, interval.low / 100, interval.high / 100)
