"""How counts and curves move with the tagging threshold and the way of counting (arXiv 2404.04125, Fig. 24).

The release counts images whose RAM++ score for a concept passes 0.5 to 0.7, captions that name it, and samples that do
both. Every way of counting is set against the paper's own (text and image, RAM++ 0.7) over the same downstream rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from core.errors import BadInput, NotHere
from core.published import catalogue, recipe_honest, recipe_paper, view
from core.published.names import HEADLINE_METHOD, METHODS, ZERO_SHOT, kind_of_method, threshold_of
from core.published.pool import Combination, Rows, pool
from core.published.recipe_paper import SIGNIFICANT
from core.published.store import Store, open_store
from core.stats.bootstrap import midranks, pearson
from core.stats.format import percent, signed
from core.types import Interval, LeftOut, Progress, Report, silent


@dataclass(frozen=True, slots=True)
class Counted:
    """One model's curve under one way of counting, over the data sets that the figures pool for it.

    Attributes:
        method: as the count files name it; kind: ``text``, ``image`` or ``integrated``; threshold: of RAM++, None for
            text.
        n: rows (concepts of data sets); zeros: rows never counted; median: of the counts above zero.
        ratio: median of count over the headline count, of rows that both count at least once; agreement: Spearman's
            rho with the headline counts over rows that both have; both are over ``n_both`` and ``n_common`` rows.
        slope: points per tenfold count (honest recipe); spearman: over the rows counted at least once.
        r, p: of the paper's recipe; bins: the honest half-decade bins (``core.published.recipe_honest``).
    """

    model: str
    pretraining: str
    method: str
    kind: str
    threshold: float | None
    n: int
    zeros: int
    median: float
    ratio: float
    n_both: int
    agreement: float
    n_common: int
    slope: Interval
    spearman: Interval
    r: float
    p: float
    bins: tuple[dict[str, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values; undefined ones are NaN."""
        return asdict(self)


def thresholds(
    models: Sequence[tuple[str, str]] = (),
    *,
    prompts: str = "class",
    datasets: Iterable[str] | None = None,
    report: Report = silent,
) -> tuple[list[Counted], list[LeftOut]]:
    """Every way of counting for these models, and the combinations that the release lacks, with the reason.

    Args:
        models: (model, pretraining set); by default every classification model whose pretraining set was counted.
        prompts: strategy of the accuracies; datasets: by default those that the figures pool.
    """
    store = open_store()
    known, absent = [], []
    asked = [
        (model, pretraining, method)
        for model, pretraining in models or view.models(store, ZERO_SHOT)
        for method in METHODS
    ]
    chosen = tuple(datasets or ())
    for done, (model, pretraining, method) in enumerate(asked):
        report(Progress(done, len(asked), "Curves of every way of counting"))
        try:
            known.append(_counted(store, Combination(ZERO_SHOT, pretraining, method, prompts, model), chosen))
        except (BadInput, NotHere) as error:
            absent.append(LeftOut(f"{model} · {view.set_name(pretraining)}, {METHODS[method]}", str(error)))
    return known, absent


@lru_cache(maxsize=256)
def _counted(store: Store, asked: Combination, datasets: tuple[str, ...]) -> Counted:
    sets = catalogue.choose_sets(asked.family, asked.method, datasets)
    catalogue.require(store, asked, sets)
    rows = pool(store, asked, sets, "honest")
    honest = recipe_honest.curve(rows, asked, sets)
    paper = recipe_paper.curve(pool(store, asked, sets, "paper"), asked, sets)
    own, headline = _beside_headline(store, asked, sets, rows)
    both = (own > 0) & (headline > 0)
    counted = rows.counts[rows.counts > 0]
    return Counted(
        model=asked.model,
        pretraining=asked.pretraining,
        method=asked.method,
        kind=kind_of_method(asked.method),
        threshold=threshold_of(asked.method),
        n=len(rows.counts),
        zeros=rows.n_zero,
        median=float(np.median(counted)) if len(counted) else math.nan,
        ratio=float(np.median(own[both] / headline[both])) if both.any() else math.nan,
        n_both=int(both.sum()),
        agreement=pearson(midranks(own), midranks(headline)) if len(own) > 2 else math.nan,
        n_common=len(own),
        slope=Interval(**honest["slope_per_decade"]),
        spearman=Interval(**honest["nonzero"]["spearman"]),
        r=paper["r"],
        p=paper["p"],
        bins=tuple(honest["bins"]),
    )


def _beside_headline(
    store: Store, asked: Combination, sets: tuple[str, ...], rows: Rows
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of one way and of the headline one, for the data sets' concepts that both have, spelled alike."""
    headline = Combination(asked.family, asked.pretraining, HEADLINE_METHOD, asked.condition, asked.model)
    try:
        first = pool(store, headline, sets, "honest")
    except BadInput:
        return np.empty(0), np.empty(0)
    known = dict(zip(first.units.tolist(), first.counts.tolist(), strict=True))
    common = np.array([unit in known for unit in rows.units.tolist()], dtype=bool)
    theirs = np.array([known[unit] for unit in rows.units[common].tolist()], dtype=np.float64)
    return rows.counts[common].astype(np.float64), theirs


def finding(found: Sequence[Counted]) -> str:
    """How far the paper's r of one model moves with the threshold, in one sentence.

    Args:
        found: the ways of counting of one model.
    """
    tagged = sorted((one for one in found if one.kind == "image"), key=lambda one: -(one.threshold or 0))
    if len(tagged) < 2:
        return "These counts were released at one threshold only."
    first, last = tagged[0], tagged[-1]
    return (
        f"{first.model} · {view.set_name(first.pretraining)}, counted by image tags: from RAM++ {first.threshold} to "
        f"{last.threshold} the share of rows never counted goes from {100 * first.zeros / first.n:.0f} to "
        f"{percent(last.zeros / last.n)}, the slope from {signed(first.slope.value, 1, plus=True)} to "
        f"{signed(last.slope.value, 1, plus=True)} points per tenfold count, and the paper's r from {_rho(first)} to "
        f"{_rho(last)}."
    )


def _rho(one: Counted) -> str:
    return f"{signed(one.r, 2)}{'' if one.p < SIGNIFICANT else ' (not significant)'}"
