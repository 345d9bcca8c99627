"""One's own model among the published curves: its classes joined with the release's counts, by name or by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from cache import CacheError, kept
from cache.keys import digest
from core.errors import BadInput, UnknownName, UnreadableData
from core.published import recipe_honest, recipe_paper, store
from core.published.names import ZERO_SHOT, ZERO_SHOT_SETS
from core.published.pool import Combination, Recipe, Rows
from core.published.runs import Run
from core.published.store import Store, open_store
from core.text.spelling import alike, fold, spellings
from core.types import LeftOut

SUGGESTIONS = 3
ENOUGH = 3


@dataclass(frozen=True)
class Overlay:
    """One's own classes with published counts.

    Attributes:
        rows: joined rows, ready for either recipe (values in percent).
        spelled: class name -> the counted name that it was joined with, where they differ.
        unmatched: class name -> counted names that look like it, best first.
    """

    run: Run
    pretraining: str
    method: str
    rows: Rows
    spelled: Mapping[str, str]
    unmatched: Mapping[str, tuple[str, ...]]

    def record(self, recipe: Recipe = "honest") -> dict[str, Any]:
        """The curve of this run, in the shape of the published ones.

        Raises:
            BadInput: fewer than three classes have a count.
        """
        if len(self.rows.counts) < ENOUGH:
            raise BadInput(
                f"Only {len(self.rows.counts)} of {len(self.run.values)} classes of {self.run.name} have a count here; "
                "map names by hand, or choose another data set."
            )
        asked = Combination(ZERO_SHOT, self.pretraining, self.method, "own", self.run.name)
        datasets = tuple(dict.fromkeys(self.rows.datasets.tolist()))
        make = recipe_paper.curve if recipe == "paper" else recipe_honest.curve
        return make(self.rows, asked, datasets)


def lay_over(
    run: Run, *, pretraining: str, method: str, dataset: str | None = None, mapping: Mapping[str, str] | None = None
) -> Overlay:
    """Join a run with published counts: exact name, else with spaces and underscores exchanged, else as mapped.

    Args:
        dataset: take counts from this downstream data set's list only; None = from any (ImageNet first).
        mapping: class name -> counted name, from hand; names that are not counted are refused.
    """
    opened = open_store()
    names = _counted(opened, pretraining, method, dataset)
    if not names:
        of = f" of {dataset}" if dataset else ""
        raise UnknownName(f"The release has no {method} counts of {pretraining}{of}.")
    mapping = mapping or {}
    if wrong := [name for name in mapping.values() if name not in names]:
        raise UnknownName(f"“{wrong[0]}” is no counted name of {pretraining}, {method}.")
    joined: dict[str, str] = {}
    for name in run.values:
        found = mapping.get(name) or next((text for text in spellings(name, name) if text and text in names), None)
        if found is not None:
            joined[name] = found
    unmatched = {name: suggest(name, names) for name in run.values if name not in joined}
    cells = [names[found] for found in joined.values()]
    units = np.array([unit for unit, _ in cells], dtype=np.int64)
    rows = Rows(
        units,
        opened.dataset[units],
        opened.concept[units],
        np.array([count for _, count in cells], dtype=np.int64),
        np.array([run.values[name] for name in joined], dtype=np.float64),
        tuple(LeftOut(name, "its count is unknown") for name in unmatched),
    )
    spelled = {name: found for name, found in joined.items() if name != found}
    return Overlay(run, pretraining, method, rows, spelled, unmatched)


@lru_cache(maxsize=32)
def _counted(opened: Store, pretraining: str, method: str, dataset: str | None) -> dict[str, tuple[int, int]]:
    """Counted name -> (unit, count); of several lists the first in the release's order."""
    found = opened.columns("SELECT unit, count FROM counts WHERE pretraining = ? AND method = ?", [pretraining, method])
    order = {name: index for index, name in enumerate(ZERO_SHOT_SETS)}
    rows = sorted(
        zip(found["unit"].tolist(), found["count"].tolist(), strict=True),
        key=lambda row: order.get(opened.dataset[row[0]], len(order)),
    )
    names: dict[str, tuple[int, int]] = {}
    for unit, count in rows:
        if opened.concept[unit] and dataset in (None, opened.dataset[unit]):
            names.setdefault(str(opened.concept[unit]), (unit, count))
    return names


def suggest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Counted names that look like this one, best first; case and underscores are no difference."""
    return tuple(key for key, _ in alike(fold(name), _folded(tuple(names)), most=SUGGESTIONS, at_least=65))


@lru_cache(maxsize=8)
def _folded(names: tuple[str, ...]) -> dict[str, str]:
    return {text: fold(text) for text in names}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A class without a count, the counted name that looks most like it, and how much (0 to 100)."""

    name: str
    counted: str
    likeness: float


def proposals(overlay: Overlay, at_least: float) -> list[Proposal]:
    """What a person may confirm in one go: the likeliest name of every class without a count, most alike first."""
    found = []
    for name, near in overlay.unmatched.items():
        for counted, likeness in alike(fold(name), {text: fold(text) for text in near}, most=1, at_least=at_least):
            found.append(Proposal(name, counted, likeness))
    return sorted(found, key=lambda one: (-one.likeness, one.name))


def mapping_key(run: Run) -> str:
    """Key under which the hand-made mapping of this vocabulary is kept: runs with the same classes share it."""
    return digest(sorted(run.values))


def kept_mapping(run: Run) -> dict[str, str]:
    """The mapping kept for this vocabulary, empty without one.

    Raises:
        UnreadableData: its file is damaged; it was set aside, so that the next one starts afresh.
    """
    return _kept(run)[0]


def mapping_before(run: Run) -> dict[str, str] | None:
    """The mapping that the kept one replaced, None where there is nothing to undo; same errors."""
    return _kept(run)[1]


def keep_mapping(run: Run, mapping: Mapping[str, str]) -> None:
    """Keep a mapping for this vocabulary; the one before it can be had back with :func:`undo_mapping`."""
    kept.write(_mapping_path(run), {"mapping": dict(mapping), "before": kept_mapping(run)})


def undo_mapping(run: Run) -> None:
    """Take the mapping back to what it was before the last change; nothing changes where there was none."""
    if (before := mapping_before(run)) is not None:
        kept.write(_mapping_path(run), {"mapping": before, "before": None})


def _kept(run: Run) -> tuple[dict[str, str], dict[str, str] | None]:
    try:
        found = kept.read(_mapping_path(run))
    except CacheError as error:
        raise UnreadableData(f"The mapping of this vocabulary is lost: {error}") from error
    if not isinstance(found, dict):
        return {}, None
    if not isinstance(found.get("mapping"), dict):  # as versions before 0.2 kept it
        return _strings(found), None
    before = found.get("before")
    return _strings(found["mapping"]), _strings(before) if isinstance(before, dict) else None


def _strings(found: Mapping[Any, Any]) -> dict[str, str]:
    return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, str)}


def _mapping_path(run: Run) -> Path:
    return store.folder() / store.MAPPINGS / f"{mapping_key(run)}.json"
