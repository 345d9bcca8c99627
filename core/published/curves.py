"""Published curves by name: what the command line and the pages ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from core.errors import BadInput
from core.published import catalogue, recipe_honest, recipe_paper
from core.published.decades import decades as decades_of
from core.published.pool import Combination, Recipe, pool
from core.published.store import Store, open_store
from core.types import Progress, Report, silent


def combination(
    *, family: str, pretraining: str, method: str, model: str, prompts: str | None = None, metric: str | None = None
) -> Combination:
    """The combination of these names; prompts belong to zero-shot, a metric to the other families."""
    family = catalogue.family_of(family)
    needed = "prompts" if family == "zero-shot" else "metric"
    condition = prompts if needed == "prompts" else metric
    if condition is None:
        raise BadInput(f"{family} curves need --{needed}.")
    return Combination(family, pretraining, method, condition, model)


@lru_cache(maxsize=1024)
def _record(store: Store, asked: Combination, datasets: tuple[str, ...], recipe: Recipe) -> dict[str, Any]:
    rows = pool(store, asked, datasets, recipe)
    make = recipe_paper.curve if recipe == "paper" else recipe_honest.curve
    return make(rows, asked, datasets)


def curve_record(
    *,
    family: str,
    pretraining: str,
    method: str,
    model: str,
    prompts: str | None = None,
    metric: str | None = None,
    datasets: Iterable[str] | None = None,
    recipe: Recipe = "honest",
) -> dict[str, Any]:
    """One curve by its names, as ``published curve`` prints it: plain values, an undefined r is NaN."""
    asked = combination(
        family=family, pretraining=pretraining, method=method, model=model, prompts=prompts, metric=metric
    )
    store = open_store()
    chosen = catalogue.choose_sets(asked.family, asked.method, datasets)
    catalogue.require(store, asked, chosen)
    return dict(_record(store, asked, chosen, recipe))


def curves(
    *,
    recipe: Recipe = "paper",
    family: str | None = None,
    pretraining: str | None = None,
    model: str | None = None,
    method: str | None = None,
    condition: str | None = None,
    datasets: Iterable[str] | None = None,
    report: Report = silent,
) -> Iterator[dict[str, Any]]:
    """Records of every combination that the release covers, or of those that match; data sets as in ``curve``."""
    store = open_store()
    family = family and catalogue.family_of(family)
    asked = {"family": family, "pretraining": pretraining, "model": model, "method": method, "condition": condition}
    asked = {name: value for name, value in asked.items() if value}
    found = [
        (item.combination, catalogue.choose_sets(item.combination.family, item.combination.method, datasets))
        for item in catalogue.listing(store)
        if all(getattr(item.combination, name) == value for name, value in asked.items())
        and (item.status == "ok" or datasets)
    ]
    found = [(one, sets) for one, sets in found if catalogue.state(store, one, sets)[0] == "ok"]
    for done, (one, sets) in enumerate(found):
        report(Progress(done, len(found), "Curves"))
        yield dict(_record(store, one, sets, recipe))


def listing() -> list[dict[str, Any]]:
    """Every combination with its status, as ``published list`` prints it."""
    return [item.as_json() for item in catalogue.listing(open_store())]


def decades(pretraining: str, model: str) -> dict[str, Any]:
    """Mean accuracy per decade in the recipe of Table 6."""
    return decades_of(open_store(), pretraining, model)
