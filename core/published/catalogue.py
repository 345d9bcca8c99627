"""Which combinations the imported release covers, and why it lacks the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core.errors import BadInput, NotHere, UnknownName
from core.published.names import (
    FAMILIES,
    FAMILY_ALIASES,
    METHODS,
    MORE_SETS,
    PROMPTS,
    RETRIEVAL,
    RETRIEVAL_METRICS,
    RETRIEVAL_SETS,
    T2I_METRICS,
    TEXT_TO_IMAGE,
    ZERO_SHOT,
    ZERO_SHOT_SETS,
    default_sets,
)
from core.published.pool import Combination
from core.published.store import Store

T2I_PRETRAINING = "laion_aesthetics"


@dataclass(frozen=True, slots=True)
class Listed:
    """A combination with its state: ``ok``, ``truncated`` or ``absent`` (then with the reason)."""

    combination: Combination
    datasets: tuple[str, ...]
    status: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Plain values, with ``prompts`` or ``metric`` by family."""
        key = "prompts" if self.combination.family == ZERO_SHOT else "metric"
        return {
            "family": self.combination.family,
            "pretraining": self.combination.pretraining,
            "method": self.combination.method or None,
            key: self.combination.condition,
            "model": self.combination.model,
            "datasets": list(self.datasets),
            "status": self.status,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Coverage:
    """What there is: (pretraining, method, data set) -> truncated; scored (family, condition, data set) and models.

    ``models``: family -> (model, pretraining) in the order of the release.
    """

    counted: dict[tuple[str, str, str], tuple[int, int, bool]]
    scored: frozenset[tuple[str, str, str, str, str]]
    models: dict[str, tuple[tuple[str, str], ...]]


@lru_cache(maxsize=2)
def coverage(store: Store) -> Coverage:
    """Read once per import."""
    counted = {
        (pretraining, method, dataset): (concepts, expected, truncated)
        for dataset, pretraining, method, concepts, expected, truncated in store.rows(
            "SELECT dataset, pretraining, method, concepts, expected, truncated FROM files"
        )
    }
    totals = store.rows("SELECT family, condition, dataset, model, pretraining FROM totals ORDER BY rowid")
    models: dict[str, tuple[tuple[str, str], ...]] = {
        family: tuple(dict.fromkeys((row[3], row[4]) for row in totals if row[0] == family)) for family in FAMILIES
    }
    return Coverage(counted, frozenset(totals), models)


def state(store: Store, combination: Combination, datasets: Iterable[str]) -> tuple[str, str]:
    """Status and reason of a combination over these data sets."""
    have = coverage(store)
    family, pretraining, method = combination.family, combination.pretraining, combination.method
    names = list(datasets)
    of_model = "" if family == TEXT_TO_IMAGE else pretraining
    scored = [n for n in names if (family, combination.condition, n, combination.model, of_model) in have.scored]
    if len(scored) < len(names):
        lacking = _some([n for n in names if n not in scored])
        return "absent", f"this copy has no {combination.condition} results of {combination.model} for {lacking}"
    if not any(key[0] == pretraining for key in have.counted):
        return "absent", f"the release has no counts of {pretraining}"
    missing = [name for name in names if (pretraining, method, name) not in have.counted]
    if len(missing) == len(names):
        return "absent", f"no {method} counts of {pretraining} for {_some(names)}"
    broken = [name for name in names if have.counted.get((pretraining, method, name), (0, 0, False))[2]]
    if broken:
        told = _some([f"{name} ({'{} of {}'.format(*have.counted[pretraining, method, name])})" for name in broken])
        also = f"; no counts for {_some(missing)}" if missing else ""
        return "truncated", f"count files cut short: {told}{also}"
    if missing:
        return "absent", f"no {method} counts of {pretraining} for {_some(missing)}"
    return "ok", ""


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:5])} and {len(names) - 5} more"


def listing(store: Store) -> Iterator[Listed]:
    """Every combination of a model with the set it was trained on, covered or not; headline method first."""
    have = coverage(store)
    trained = {pretraining for pretraining, _, _ in have.counted}
    for family, conditions in ((ZERO_SHOT, PROMPTS), (RETRIEVAL, RETRIEVAL_METRICS), (TEXT_TO_IMAGE, T2I_METRICS)):
        for model, of_model in have.models[family]:
            pretraining = of_model or T2I_PRETRAINING
            for method in METHODS if pretraining in trained else ("",):
                datasets = default_sets(family, method)
                for condition in conditions:
                    combination = Combination(family, pretraining, method, condition, model)
                    yield Listed(combination, datasets, *state(store, combination, datasets))


def family_of(text: str) -> str:
    """A family by its name or alias; raises UnknownName."""
    family = FAMILY_ALIASES.get(text, text)
    if family not in FAMILIES:
        raise UnknownName(f"There is no family “{text}”. Choose one of {', '.join(FAMILIES)}.")
    return family


def conditions_of(family: str) -> tuple[str, ...]:
    """The prompt strategies or metrics of a family."""
    listed: dict[str, tuple[str, ...]] = {ZERO_SHOT: PROMPTS, RETRIEVAL: RETRIEVAL_METRICS}
    return listed.get(family, T2I_METRICS)


def choose_sets(family: str, method: str, datasets: Iterable[str] | None) -> tuple[str, ...]:
    """The data sets asked for, in the release's order, or the default ones; raises UnknownName for others."""
    if not datasets:
        return default_sets(family, method)
    listed: dict[str, tuple[str, ...]] = {ZERO_SHOT: ZERO_SHOT_SETS + MORE_SETS, RETRIEVAL: RETRIEVAL_SETS}
    known = listed.get(family, ("t2i",))
    asked = list(dict.fromkeys(datasets))
    for name in asked:
        if name not in known:
            raise UnknownName(f"“{name}” is no data set of the {family} results. There are {', '.join(known)}.")
    return tuple(name for name in known if name in asked)


def require(store: Store, combination: Combination, datasets: tuple[str, ...]) -> None:
    """Raise what a person should read when the combination cannot be drawn over these data sets."""
    have = coverage(store)
    names = have.models[combination.family]
    of_model = "" if combination.family == TEXT_TO_IMAGE else combination.pretraining
    if (combination.model, of_model) not in names:
        near = [model for model, pretraining in names if pretraining == of_model] or sorted({m for m, _ in names})
        raise UnknownName(
            f"The release has no {combination.family} results of “{combination.model}” trained on "
            f"“{combination.pretraining}”. There: {', '.join(near[:12]) or 'none'}."
        )
    if combination.method not in METHODS:
        raise UnknownName(f"“{combination.method}” is no search method. There are {', '.join(METHODS)}.")
    allowed = conditions_of(combination.family)
    if combination.condition not in allowed:
        raise UnknownName(f"“{combination.condition}” is not among {', '.join(allowed)}.")
    status, reason = state(store, combination, datasets)
    if status == "truncated":
        raise BadInput(f"This curve cannot be drawn: {reason}. Choose other data sets (--datasets) or another method.")
    if status == "absent":
        raise NotHere(f"This curve cannot be drawn: {reason}. See “python -m core published list”.")
