"""What a page asks of the published evidence: a choice of curves, and those curves with rows, records and flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from core.errors import BadInput, NotHere
from core.published import catalogue, recipe_honest, recipe_paper
from core.published.flags import flags as flags_of
from core.published.names import METHODS, PRETRAINING, TEXT_TO_IMAGE, ZERO_SHOT
from core.published.overlay import Overlay
from core.published.pool import Combination, Rows, pool
from core.published.store import Store
from core.types import LeftOut, Progress, Report, silent


@dataclass(frozen=True, slots=True)
class View:
    """A choice of curves: one family, search method and score, any models, data sets (none = those of the figures).

    ``hidden`` names the quality flags whose concepts the honest recipe leaves out.
    """

    family: str
    method: str
    condition: str
    models: tuple[tuple[str, str], ...]
    datasets: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One curve that can be drawn.

    Attributes:
        rows: what is left after hiding; flags: quality flags of every such row [n].
        honest: record over these rows; paper: record over all rows, as released; hidden: rows that were hidden.
    """

    combination: Combination
    datasets: tuple[str, ...]
    rows: Rows
    flags: tuple[tuple[str, ...], ...]
    honest: dict[str, Any]
    paper: dict[str, Any]
    hidden: int


def model_name(model: str) -> str:
    """A model as it is known: HEIM writes an organisation and its model with ``_`` between them."""
    return model.replace("_", "/", 1)


def set_name(pretraining: str) -> str:
    """A pretraining set in few words."""
    full = next((name for key, name in PRETRAINING.items() if key.partition("_train")[0] == pretraining), None)
    return (full or PRETRAINING.get(pretraining, pretraining)).partition(",")[0]


def pretraining_sets(store: Store, family: str) -> list[str]:
    """Pretraining sets with counts that some model of this family was trained on; raises NotHere without any."""
    trained = {pretraining for _, pretraining in models(store, family)}
    if not trained:
        raise NotHere(f"This copy of the release has no {family} results of models whose pretraining set was counted.")
    return [name for name in PRETRAINING if name in trained]


def counted_sets(store: Store) -> list[str]:
    """Pretraining sets whose downstream concepts were counted, for whichever models."""
    counted = {key[0] for key in catalogue.coverage(store).counted if key[2] != "t2i"}
    if not counted:
        raise NotHere("This copy of the release has no concept counts.")
    return [name for name in PRETRAINING if name in counted]


def models(store: Store, family: str) -> list[tuple[str, str]]:
    """(model, pretraining set) of every model of a family whose pretraining set was counted."""
    have = catalogue.coverage(store)
    counted = {pretraining for pretraining, _, _ in have.counted}
    own = catalogue.T2I_PRETRAINING if family == TEXT_TO_IMAGE else ""
    found = [(model, own or of) for model, of in have.models[family] if (own or of) in counted]
    return sorted(found, key=lambda key: list(PRETRAINING).index(key[1]))


def methods(store: Store, pretraining: Sequence[str]) -> list[str]:
    """Search methods that were run on any of these pretraining sets, the headline one first."""
    counted = catalogue.coverage(store).counted
    return [name for name in METHODS if any(key[0] in pretraining and key[1] == name for key in counted)]


def conditions(store: Store, family: str) -> list[str]:
    """Prompt strategies or metrics that this copy of the release has."""
    known = catalogue.conditions_of(family)
    have = {key[1] for key in catalogue.coverage(store).scored if key[0] == family}
    return [name for name in known if name in have]


def draw(store: Store, view: View, *, report: Report = silent) -> tuple[list[Shown], list[LeftOut]]:
    """The curves of a view, and those it cannot have, with the reason."""
    shown, left_out = [], []
    for done, (model, pretraining) in enumerate(view.models):
        report(Progress(done, len(view.models), "Intervals by bootstrap over concepts"))
        asked = Combination(view.family, pretraining, view.method, view.condition, model)
        datasets = catalogue.choose_sets(view.family, view.method, view.datasets)
        try:
            shown.append(_shown(store, asked, datasets, view.hidden))
        except (BadInput, NotHere) as error:
            left_out.append(LeftOut(f"{model} · {set_name(pretraining)}", str(error)))
    return shown, left_out


@lru_cache(maxsize=256)
def _shown(store: Store, asked: Combination, datasets: tuple[str, ...], hidden: tuple[str, ...]) -> Shown:
    catalogue.require(store, asked, datasets)
    rows, known = pool(store, asked, datasets, "honest"), flags_of(asked.pretraining)
    paper = recipe_paper.curve(pool(store, asked, datasets, "paper"), asked, datasets)
    flags = [known.get(concept, ()) for concept in rows.concepts]
    keep = np.array([not set(hidden) & set(found) for found in flags])
    if not keep.any():
        raise BadInput("Every concept of this curve has a flag that is hidden.")
    rows, kept = subset(rows, keep), tuple(found for found, shown in zip(flags, keep, strict=True) if shown)
    honest = recipe_honest.curve(rows, asked, datasets)
    return Shown(asked, datasets, rows, kept, honest, paper, int((~keep).sum()))


@dataclass(frozen=True, slots=True)
class Where:
    """Which counts: of a pretraining set, by a search method, of one downstream data set's list or any (None)."""

    pretraining: str
    method: str
    dataset: str | None = None


def applicable(store: Store, mapping: Mapping[str, str], where: Where) -> dict[str, str]:
    """The part of a mapping that names concepts counted here; the rest belongs to other counts."""
    found = store.rows(
        "SELECT DISTINCT concept FROM counts JOIN units USING (unit) WHERE pretraining = ? AND method = ? "
        "AND (? IS NULL OR dataset = ?)",
        [where.pretraining, where.method, where.dataset, where.dataset],
    )
    counted = {str(concept) for (concept,) in found}
    return {name: concept for name, concept in mapping.items() if concept in counted}


def own(overlay: Overlay) -> Shown:
    """A person's own model as a curve among the published ones; raises BadInput below three counted classes."""
    honest, paper = overlay.record("honest"), overlay.record("paper")
    asked = Combination(ZERO_SHOT, overlay.pretraining, overlay.method, "own", overlay.run.name)
    known = flags_of(overlay.pretraining)
    flags = tuple(known.get(concept, ()) for concept in overlay.rows.concepts)
    return Shown(asked, tuple(honest["datasets"]), overlay.rows, flags, honest, paper, 0)


def subset(rows: Rows, keep: np.ndarray) -> Rows:
    """Some of the rows; ``keep`` is a mask or indices."""
    names = ("units", "datasets", "concepts", "counts", "values")
    return replace(rows, **{name: getattr(rows, name)[keep] for name in names})


@lru_cache(maxsize=256)
def _by_dataset(
    store: Store, asked: Combination, datasets: tuple[str, ...], hidden: tuple[str, ...]
) -> tuple[Shown, ...]:
    found = []
    whole = _shown(store, asked, datasets, hidden)
    for name in datasets:
        inside = whole.rows.datasets == name
        if inside.any():
            part = subset(whole.rows, inside)
            flags = tuple(f for f, here in zip(whole.flags, inside, strict=True) if here)
            with np.errstate(invalid="ignore"):  # a replicate of a handful of concepts may have no spread
                honest = recipe_honest.curve(part, asked, (name,))
            found.append(replace(whole, datasets=(name,), rows=part, flags=flags, honest=honest, hidden=0))
    return tuple(found)


def by_dataset(store: Store, view: View, shown: Sequence[Shown], *, report: Report = silent) -> dict[str, list[Shown]]:
    """Data set -> the same curves over that data set alone."""
    result: dict[str, list[Shown]] = {}
    for done, one in enumerate(shown):
        report(Progress(done, len(shown), "Each data set by itself"))
        for part in _by_dataset(store, one.combination, one.datasets, view.hidden):
            result.setdefault(part.datasets[0], []).append(part)
    return result
