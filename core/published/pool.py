"""Counts and scores joined: the rows that a curve is made of, one per data set and concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from core.errors import BadInput
from core.published.anomalies import RENAMED, canonical
from core.published.names import LET_IT_WAG, TEXT_TO_IMAGE
from core.published.store import Store
from core.types import LeftOut

Recipe = Literal["paper", "honest"]


@dataclass(frozen=True, slots=True)
class Combination:
    """One published curve: what was measured (``condition`` = prompt strategy or metric) and how it was counted."""

    family: str
    pretraining: str
    method: str
    condition: str
    model: str


@dataclass(frozen=True)
class Rows:
    """Pooled rows, data sets in the given order, concepts sorted within each.

    Attributes:
        units: int [n], unit of the counts (spelled as there); datasets: object [n]; concepts: object [n].
        counts: int64 [n]; values: float64 [n] (percent, recall fraction or metric units).
        left_out: names that one side lacks.
    """

    units: np.ndarray
    datasets: np.ndarray
    concepts: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    left_out: tuple[LeftOut, ...]

    @property
    def n_zero(self) -> int:
        """Rows whose concept was never found in pretraining."""
        return int((self.counts == 0).sum())


@lru_cache(maxsize=256)
def pool(store: Store, combination: Combination, datasets: tuple[str, ...], recipe: Recipe) -> Rows:
    """The rows of one combination.

    The paper recipe joins names literally, with the authors' one rename. The honest recipe also takes spaces and
    underscores for the same where the release mixes them, and drops the empty name.

    Raises:
        BadInput: no row is left.
    """
    links = _links(store, recipe)
    units, counts = _counts(store, combination.pretraining, combination.method, datasets)
    values = value_vector(
        store, combination.family, combination.condition, combination.model, combination.pretraining, recipe
    )
    linked = links[units]
    found = np.where(linked >= 0, values[linked], np.nan)
    keep = ~np.isnan(found)
    left_out = [
        LeftOut(
            f"{store.dataset[unit]}: {store.concept[unit]}",
            "empty name" if link < 0 else "counted, but without a result",
        )
        for unit, link in zip(units[~keep], linked[~keep], strict=True)
    ]
    if recipe == "honest":
        left_out += _uncounted(store, values, linked, datasets)
    if not keep.any():
        raise BadInput("No concept has both a count and a score here; nothing can be drawn.")
    units = units[keep]
    return Rows(units, store.dataset[units], store.concept[units], counts[keep], found[keep], tuple(left_out))


def _uncounted(store: Store, values: np.ndarray, linked: np.ndarray, datasets: tuple[str, ...]) -> list[LeftOut]:
    missing = np.isin(store.dataset, datasets) & ~np.isnan(values)
    missing[linked[linked >= 0]] = False
    return [
        LeftOut(f"{store.dataset[unit]}: {store.concept[unit]}", "has a result, but its count is unknown")
        for unit in np.flatnonzero(missing)
    ]


@lru_cache(maxsize=8)
def _links(store: Store, recipe: Recipe) -> np.ndarray:
    """Unit -> the unit that stands for it when counts and results are joined; -1 = never joined."""
    links = np.arange(len(store.concept))
    first: dict[tuple[str, str], int] = {}
    for unit, (dataset, concept) in enumerate(zip(store.dataset, store.concept, strict=True)):
        name = canonical(dataset, concept) if recipe == "honest" else RENAMED.get((dataset, concept), concept)
        links[unit] = -1 if name is None else first.setdefault((dataset, name), unit)
    return links


@lru_cache(maxsize=256)
def _counts(store: Store, pretraining: str, method: str, datasets: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    found = store.columns("SELECT unit, count FROM counts WHERE pretraining = ? AND method = ?", [pretraining, method])
    names, concepts = store.dataset[found["unit"]], store.concept[found["unit"]]
    place = {name: index for index, name in enumerate(datasets)}
    rows = [index for index, name in enumerate(names) if name in place]
    rows.sort(key=lambda index: (place[names[index]], concepts[index]))
    return found["unit"][rows].astype(np.int64), found["count"][rows].astype(np.int64)


def value_vector(
    store: Store, family: str, condition: str, model: str, pretraining: str, recipe: Recipe = "honest"
) -> np.ndarray:
    """One model's scores by unit, NaN where it has none [units]; text-to-image models have no pretraining set."""
    return scores_of(store, family, condition, recipe)[model, "" if family == TEXT_TO_IMAGE else pretraining]


@lru_cache(maxsize=32)
def scores_of(
    store: Store, family: str, condition: str, recipe: Recipe = "honest"
) -> dict[tuple[str, str], np.ndarray]:
    """(model, pretraining) -> scores by unit, under one prompt strategy or metric."""
    found = store.columns(
        "SELECT model, pretraining, unit, value FROM scores WHERE family = ? AND condition = ?", [family, condition]
    )
    links = np.arange(len(store.concept)) if family == LET_IT_WAG else _links(store, recipe)
    units = links[found["unit"]]
    keys = found["model"] + "\n" + found["pretraining"]
    result = {}
    for key in dict.fromkeys(keys):
        rows = (keys == key) & (units >= 0)
        values = np.full(len(links), np.nan)
        values[units[rows]] = found["value"][rows]
        model, _, pretraining = key.partition("\n")
        result[model, pretraining] = values
    return result


def known_counts(store: Store, pretraining: str, methods: Sequence[str]) -> dict[str, dict[str, int]]:
    """Method -> concept -> count over all data sets; the first file in name order that has a concept wins."""
    result: dict[str, dict[str, int]] = {}
    for method in methods:
        found = store.rows(
            "SELECT concept, count FROM counts JOIN units USING (unit) WHERE pretraining = ? AND method = ? "
            "ORDER BY dataset || '_' || pretraining, position",
            [pretraining, method],
        )
        table = result[method] = {}
        for concept, count in found:
            table.setdefault(concept, count)
    return result
