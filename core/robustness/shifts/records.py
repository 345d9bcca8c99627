"""Models under shift as rows of boards and files: drop, relative robustness and effective robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from core.errors import BadInput
from core.robustness.metrics import difference, relative_robustness
from core.robustness.records import Record
from core.robustness.shifts.baselines import Baselines, FitSet, columns_for, fit_set
from core.robustness.shifts.fit import LEAST, MOST, effective_robustness
from core.robustness.shifts.measure import CLEAN, PARTS, Measured
from core.types import Interval


def fit_sets(
    measured: Sequence[Measured], table: Baselines | None, *, columns: Mapping[str, tuple[str, str]] | None = None
) -> tuple[dict[str, FitSet], dict[str, str]]:
    """The line of ordinary models for every condition that the table knows, and why there is none for the others.

    Args:
        columns: condition -> columns (in distribution, under shift) where the names do not say it.
    """
    found: dict[str, FitSet] = {}
    without: dict[str, str] = {}
    models = {one.model for one in measured}
    for condition in dict.fromkeys(one.condition for one in measured if one.condition != CLEAN):
        if table is None:
            without[condition] = "no table of baselines was given"
            continue
        pair = (columns or {}).get(condition) or columns_for(table, condition)
        if pair is None:
            without[condition] = f"{table.name} has no column for it"
            continue
        try:
            found[condition] = fit_set(table, *pair, never=models)
        except BadInput as error:
            without[condition] = str(error)
    return found, without


def records(
    measured: Sequence[Measured],
    reference: str,
    *,
    fits: Mapping[str, FitSet] | None = None,
    table: str | None = None,
    against: str | None = None,
) -> list[Record]:
    """Rows for boards and files.

    Args:
        reference: id of the set in distribution. table: name of the table of baselines.
        against: the model that relative robustness is measured against; the first by default.
    """
    against = against or (measured[0].model if measured else None)
    base = {one.condition: one for one in measured if one.model == against}
    return [
        _record(one, reference, (fits or {}).get(one.condition), table, base.get(one.condition)) for one in measured
    ]


def measured_of(row: Record) -> Measured:
    """What was measured, from a row that was written; single images are not in it."""
    inside = Interval(*(row.more[name] for name in ("id_acc1", "id_low", "id_high"))) if "id_acc1" in row.more else None
    share = Interval(row.acc1, row.low, row.high)
    named = [f"{before}{part}{end}" for before in ("", "id_") for part in PARTS for end in ("", "_low", "_high")]
    return Measured(
        model=row.model,
        condition=row.condition,
        prompts=row.prompts,
        share=share,
        n=row.n,
        rows=np.empty(0, np.int64),
        right=np.empty(0, bool),
        inside=inside or share,
        inside_n=row.more.get("id_n", row.n),
        parts={name: row.more[name] for name in named if row.more.get(name) is not None},
        reference_for=bool(row.more.get("excluded_from_ranking")),
        images=row.more.get("images", ""),
        frequency=row.more.get("frequency", ""),
        prompt_notes=tuple(row.more.get("prompt_notes", ())),
    )


def _record(one: Measured, reference: str, fit: FitSet | None, table: str | None, base: Measured | None) -> Record:
    more: dict[str, Any] = {**one.parts, "images": one.images, "prompt_notes": list(one.prompt_notes)}
    if one.frequency:
        more["frequency"] = one.frequency
    if one.condition != CLEAN:
        drop = difference(one.inside, one.share)
        more |= {"id_acc1": one.inside.value, "id_low": one.inside.low, "id_high": one.inside.high}
        more |= {"id_n": one.inside_n, "drop": drop.value, "drop_low": drop.low, "drop_high": drop.high}
        more |= {"excluded_from_ranking": one.reference_for}
        if base is not None and base.model != one.model:
            tau = _tau(one, base)
            more |= {"tau": tau.value, "tau_low": tau.low, "tau_high": tau.high, "tau_against": base.model}
    if fit is not None and one.model in fit.ordinary:
        fit = None
    if fit is not None:
        more |= _effective(one, fit)
    return Record(
        one.model, reference, one.condition, one.n, one.share.value, one.share.low, one.share.high, one.prompts,
        reference=table if fit is not None else None, more=more,
    )  # fmt: skip


def _tau(one: Measured, base: Measured) -> Interval:
    if not (len(one.rows) and len(base.rows)):  # single images were not kept: the interval of independent figures
        return difference(one.share, base.share)
    _, here, there = np.intersect1d(one.rows, base.rows, assume_unique=True, return_indices=True)
    return relative_robustness(one.right[here], base.right[there])


def _effective(one: Measured, chosen: FitSet) -> dict[str, Any]:
    fit, x = chosen.fit, one.inside.value
    rho = effective_robustness(fit, one.inside, one.share)
    low, high = fit.band(x)
    one_low, one_high = fit.band(x, single=True)
    return {
        "rho": rho.value,
        "rho_low": rho.low,
        "rho_high": rho.high,
        "expected": float(fit.line(x)),
        "expected_low": float(low),
        "expected_high": float(high),
        "ordinary_low": float(one_low),
        "ordinary_high": float(one_high),
        "clipped": not all(LEAST <= share <= MOST for share in (x, one.share.value)),
        "extrapolated": fit.extrapolates(x),
        "fit": {
            "x": chosen.x, "y": chosen.y, "n": fit.n, "slope": fit.slope, "intercept": fit.intercept, "r2": fit.r2,
            "error": fit.error, "clipped": fit.clipped,
        },
    }  # fmt: skip
