"""One concept in all published evidence: where it is tested, how often it was counted, which models recognise it.

Concepts of several data sets are one where their spelling differs in case and underscores only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from core.frequency import published
from core.frequency.choice import choose
from core.frequency.sources import load_source
from core.frequency.table import match
from core.published import scale
from core.published.anomalies import RENAMED
from core.published.answers import find_set
from core.published.models import find_model
from core.published.names import LET_IT_WAG, MORE_SETS, PRETRAINING, ZERO_SHOT, ZERO_SHOT_SETS
from core.published.store import Store, open_store
from core.text.spelling import fold

SETS = (*ZERO_SHOT_SETS, *MORE_SETS, LET_IT_WAG)
"""Image sets with a per-class accuracy of each concept."""


@dataclass(frozen=True, slots=True)
class Place:
    """A data set that tests the concept: its id, title, the concept's key there, and images of each class if known."""

    image_set: str
    title: str
    key: str
    images: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """How often one spelling was counted in one pretraining set: by method of the release, with quality flags."""

    pretraining: str
    spelling: str
    by_method: dict[str, int]
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy (a fraction) of one published model on the concept.

    Attributes:
        model: its id; pretraining: its training set as the release spells it; image_set: where it was measured.
        count: the concept's count in the model's own pretraining set; None where that was not counted.
        source: the counts; empty where there are none.
        parameters: of the model, in millions; None where they are not stated.
    """

    model: str
    pretraining: str
    image_set: str
    accuracy: float
    count: int | None
    source: str
    parameters: float | None


@dataclass(frozen=True, slots=True)
class PublishedConcept:
    """Everything that was published on one concept; places in the order of the paper, models by accuracy."""

    name: str
    places: tuple[Place, ...]
    counts: tuple[Count, ...]
    scores: tuple[Score, ...]


def vocabulary() -> tuple[str, ...]:
    """Readable names of all concepts that some published data set tests, each spelling once, in alphabetical order."""
    return tuple(_names(open_store()))


def of_set(image_set: str) -> tuple[str, ...]:
    """The concepts that a published data set tests, as it spells them, each once."""
    return _of_set(open_store(), image_set)


def find(name: str) -> PublishedConcept | None:
    """What was published on the concept of this name in any spelling, or None."""
    return _find(open_store(), fold(name))


@lru_cache(maxsize=32)
def _of_set(store: Store, image_set: str) -> tuple[str, ...]:
    rows = store.rows(
        "SELECT concept FROM scores JOIN units USING (unit) WHERE family IN (?, ?) AND dataset = ? AND concept <> '' "
        "GROUP BY concept ORDER BY min(scores.rowid)",
        [ZERO_SHOT, LET_IT_WAG, image_set],
    )
    return tuple(RENAMED.get((image_set, concept), concept) for (concept,) in rows)


@lru_cache(maxsize=2)
def _by_name(store: Store) -> dict[str, list[tuple[str, str]]]:
    """Folded name -> (data set, concept) of each place that tests it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for dataset, concept in store.rows(
        "SELECT DISTINCT dataset, concept FROM scores JOIN units USING (unit) WHERE family IN (?, ?) AND concept <> ''",
        [ZERO_SHOT, LET_IT_WAG],
    ):
        if dataset in SETS:
            found.setdefault(fold(RENAMED.get((dataset, concept), concept)), []).append((dataset, concept))
    return {key: sorted(places, key=lambda place: SETS.index(place[0])) for key, places in found.items()}


@lru_cache(maxsize=2)
def _names(store: Store) -> list[str]:
    return sorted((places[0][1].replace("_", " ") for places in _by_name(store).values()), key=str.casefold)


@lru_cache(maxsize=256)
def _find(store: Store, folded: str) -> PublishedConcept | None:
    tested = _by_name(store).get(folded)
    if not tested:
        return None
    spellings = tuple(dict.fromkeys(concept for _, concept in tested))
    places = []
    for name, key in tested:
        image_set = find_set(name)
        if image_set is not None:
            key = RENAMED.get((name, key), key)
            places.append(Place(name, image_set.title, key, image_set.images or None))
    scores = sorted(_scores(store, tested), key=lambda score: (-score.accuracy, score.model))
    return PublishedConcept(spellings[0].replace("_", " "), tuple(places), _counts(spellings), tuple(scores))


def _counts(spellings: tuple[str, ...]) -> tuple[Count, ...]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for info in published.infos():
        pretraining, _, method = info.name.removeprefix(published.PREFIX).partition("/")
        table = published.table(info.name, info.default)
        for spelling in spellings:
            if spelling in table.counts:
                found.setdefault((pretraining, spelling), {})[method] = table.counts[spelling]
    return tuple(
        Count(pretraining, spelling, by_method, published.flags(pretraining).get(spelling, ()))
        for (pretraining, spelling), by_method in found.items()
    )


def _scores(store: Store, tested: list[tuple[str, str]]) -> list[Score]:
    result, sizes = [], scale.sizes()
    for dataset, concept in tested:
        family, prompts = (LET_IT_WAG, "ensemble") if dataset == LET_IT_WAG else (ZERO_SHOT, "simple")
        for backbone, pretraining, value in store.rows(
            "SELECT model, pretraining, value FROM scores JOIN units USING (unit) "
            "WHERE family = ? AND condition = ? AND dataset = ? AND concept = ?",
            [family, prompts, dataset, concept],
        ):
            model = find_model(f"{backbone},{pretraining}")
            source = choose(model.id).source if model and pretraining in PRETRAINING else ""
            counts = match(load_source(source), [concept]).counts if source else {}
            if model:
                size = sizes.get((backbone, pretraining), sizes.get((backbone, "")))
                count = counts.get(concept)
                result.append(Score(model.id, pretraining, dataset, value / 100, count, source, size))
    return result
