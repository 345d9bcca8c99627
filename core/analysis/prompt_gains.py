"""What prompts do for the published models: accuracy under two strategies, concept by concept, over 18 data sets.

The concept is the unit: the change of a concept is the mean over the models looked at. Intervals draw concepts with
replacement (a concept of several data sets is one), p is of random signs over concepts (``core.stats.paired``),
adjusted by Holm over the table that it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from core.analysis.compare import SIGNIFICANT, ClassChange
from core.errors import BadInput
from core.frequency import choice
from core.frequency.sources import load_source
from core.frequency.table import join
from core.published.answers import IMAGES, find_set
from core.published.models import PublishedModel, find_model, published_models
from core.published.names import PROMPTS, ZERO_SHOT, ZERO_SHOT_SETS
from core.published.store import Store
from core.stats.format import points
from core.stats.intervals import TAGS, tags
from core.stats.paired import difference_of_means, holm, mean_change, sign_flips
from core.text.spelling import fold
from core.types import Interval, Progress, Report, silent

WORDS = {"class": "the class name alone", "simple": "one template", "ensemble": "80 templates"}
"""The released strategies in words."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The change of accuracy from one strategy to another over some concepts, averaged over some models.

    Attributes:
        of: id of the data set or of the model; title: the same in words; n: concepts; models: how many.
        before, after: mean accuracy over concepts and models, fractions; change: their difference.
        better, worse: concepts that gain and that lose on average over the models.
        head, tail: change on the commonest and the rarest concepts by the counts of each model's own pretraining set;
            tail_less_head: their difference; None where none of the models has such groups.
        p: of random signs over concepts; p_holm: the same, adjusted for the table.
    """

    of: str
    title: str
    n: int
    models: int
    before: float
    after: float
    change: Interval
    better: int
    worse: int
    head: Interval | None
    tail: Interval | None
    tail_less_head: Interval | None
    p: float
    p_holm: float = float("nan")

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out and the adjusted p is below 0.05."""
        return (self.change.low > 0 or self.change.high < 0) and self.p_holm < SIGNIFICANT


@dataclass(frozen=True)
class Scores:
    """Accuracies under two strategies.

    Attributes:
        a, b: the strategies; models: m of them; sets, concepts: data set and spelling of every row [c].
        before, after: fractions [m, c].
        groups: ``head``, ``torso`` or ``tail`` of every row by the counts of each model's own pretraining set, within
            the row's data set, empty where there are none [m, c].
    """

    a: str
    b: str
    models: tuple[PublishedModel, ...]
    sets: np.ndarray
    concepts: np.ndarray
    before: np.ndarray
    after: np.ndarray
    groups: np.ndarray

    def rows(self, keep: np.ndarray) -> Scores:
        """Only these rows; ``keep`` is bool [c]."""
        return replace(
            self, sets=self.sets[keep], concepts=self.concepts[keep], before=self.before[:, keep],
            after=self.after[:, keep], groups=self.groups[:, keep],
        )  # fmt: skip

    def only(self, model: int) -> Scores:
        """Only this model, by its place."""
        one = slice(model, model + 1)
        return replace(
            self, models=self.models[one], before=self.before[one], after=self.after[one], groups=self.groups[one]
        )


def models(store: Store) -> tuple[str, ...]:
    """Ids of the models that were published under all three strategies."""
    return tuple(model.id for model in published_models(store) if ZERO_SHOT in model.families)


def scores(store: Store, chosen: Sequence[str], a: str, b: str) -> Scores:
    """Released accuracies of models (ids; none = all) under two strategies, rows by data set and concept.

    Raises:
        BadInput: a strategy was not released, or a model was not published under them.
    """
    for name in (a, b):
        if name not in PROMPTS:
            raise BadInput(f"The release has the strategies {', '.join(PROMPTS)}, not {name[:80]!r}.")
    if a == b:
        raise BadInput("Choose two different strategies.")
    known = models(store)
    for id in chosen:
        if id not in known:
            raise BadInput(f"{id[:80]} was not published under several strategies; choose among {len(known)} models.")
    return _scores(store, tuple(chosen) or known, a, b)


@lru_cache(maxsize=8)
def _scores(store: Store, chosen: tuple[str, ...], a: str, b: str) -> Scores:
    listed = [model for id in chosen if (model := find_model(id, store))]
    found = store.columns(
        "SELECT unit, dataset, concept, model, pretraining, max(value) FILTER (condition = ?) AS a, "
        "max(value) FILTER (condition = ?) AS b FROM scores JOIN units USING (unit) "
        f"WHERE family = ? AND concept <> '' AND dataset IN ({', '.join('?' * len(ZERO_SHOT_SETS))}) GROUP BY ALL",
        [a, b, ZERO_SHOT, *ZERO_SHOT_SETS],
    )
    units = np.unique(found["unit"])
    place = {(model.backbone, model.pretraining): row for row, model in enumerate(listed)}
    owner = np.array([place.get(key, -1) for key in zip(found["model"], found["pretraining"], strict=True)])
    inside = owner >= 0
    column = np.searchsorted(units, found["unit"])
    values = np.full((2, len(listed), len(units)), np.nan)
    for name, into in zip("ab", values, strict=True):
        into[owner[inside], column[inside]] = np.asarray(found[name], np.float64)[inside] / 100
    sets, concepts = store.dataset[units], store.concept[units]
    complete = np.isfinite(values).all((0, 1))
    rank = {name: number for number, name in enumerate(ZERO_SHOT_SETS)}
    order = sorted(np.flatnonzero(complete).tolist(), key=lambda row: (rank[sets[row]], concepts[row]))
    sets, concepts, values = sets[order], concepts[order], values[:, :, order]
    groups = np.array([_groups(one, sets, concepts) for one in listed]).reshape(len(listed), len(order))
    return Scores(a, b, tuple(listed), sets, concepts, values[0], values[1], groups)


@lru_cache(maxsize=16)
def _counts(model: str, concepts: tuple[str, ...]) -> dict[str, int]:
    """Counts in the model's own pretraining set by the headline method; empty where that was not counted."""
    source = choice.choose(model).source
    return join(load_source(source), concepts) if source else {}


def _groups(model: PublishedModel, sets: np.ndarray, concepts: np.ndarray) -> list[str]:
    """Group of every row within its data set by the counts of the model's own pretraining set; empty without."""
    counts = _counts(model.id, tuple(dict.fromkeys(concepts.tolist())))
    found = [""] * len(concepts)
    for name in dict.fromkeys(sets.tolist()):
        rows = np.flatnonzero(sets == name).tolist()
        inside = tags({concepts[row]: counts[concepts[row]] for row in rows if concepts[row] in counts})
        for row in rows:
            found[row] = inside.get(concepts[row], "")
    return found


def by_set(
    store: Store, chosen: Sequence[str], a: str, b: str, *, report: Report = silent
) -> tuple[Gain, tuple[Gain, ...]]:
    """The gain over all data sets, and one a data set in the paper's order, adjusted by Holm over the data sets."""
    found = scores(store, chosen, a, b)
    named = [name for name in ZERO_SHOT_SETS if (found.sets == name).any()]
    gains = []
    for done, name in enumerate(named):
        report(Progress(done, len(named), "Intervals by data set"))
        known = find_set(name)
        gains.append(gain(found.rows(found.sets == name), name, known.title if known else name))
    return gain(found), _adjusted(gains)


def by_model(store: Store, chosen: Sequence[str], a: str, b: str, *, report: Report = silent) -> tuple[Gain, ...]:
    """One gain a model over all data sets, adjusted by Holm over the models."""
    found = scores(store, chosen, a, b)
    gains = []
    for row, model in enumerate(found.models):
        report(Progress(row, len(found.models), "Intervals by model"))
        gains.append(gain(found.only(row), model.id, model.id))
    return _adjusted(gains)


def gain(found: Scores, of: str = "", title: str = "") -> Gain:
    """The gain over all rows; p is not adjusted."""
    change = found.after - found.before
    mean = change.mean(0)
    clusters = np.array([fold(concept) for concept in found.concepts])
    head, tail, apart = _parts(found, change, clusters)
    return Gain(
        of, title, len(mean), len(found.models), float(found.before.mean()), float(found.after.mean()),
        mean_change(mean, clusters=clusters), int((mean > 1e-12).sum()), int((mean < -1e-12).sum()),
        head, tail, apart, sign_flips(mean),
    )  # fmt: skip


def _parts(
    found: Scores, change: np.ndarray, clusters: np.ndarray
) -> tuple[Interval | None, Interval | None, Interval | None]:
    each = np.broadcast_to(clusters, change.shape)
    inside = {tag: found.groups == tag for tag in TAGS}
    head, tail = (
        mean_change(change[inside[tag]], clusters=each[inside[tag]]) if inside[tag].any() else None
        for tag in ("head", "tail")
    )
    if head is None or tail is None:
        return head, tail, None
    apart = difference_of_means(change.ravel(), inside["tail"].ravel(), inside["head"].ravel(), clusters=each.ravel())
    return head, tail, apart


def _adjusted(found: Sequence[Gain]) -> tuple[Gain, ...]:
    return tuple(replace(one, p_holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True))


def changes(found: Scores) -> tuple[ClassChange, ...]:
    """Every concept by its mean change over the models, from the largest loss to the largest gain, ties by spelling.

    Keys are ``data set/concept``; images of a class are None where the release does not tell them.
    """
    before, after = found.before.mean(0), found.after.mean(0)
    rows = [
        ClassChange(
            f"{name}/{concept}", concept.replace("_", " "), float(old), float(new), float(new - old), IMAGES.get(name)
        )
        for name, concept, old, new in zip(found.sets, found.concepts, before, after, strict=True)
    ]
    return tuple(sorted(rows, key=lambda one: (one.change, one.key)))


def counts_of(found: Scores) -> Mapping[str, int]:
    """``data set/concept`` -> count in the pretraining set of the model, for a single model whose set was counted."""
    if len(found.models) != 1:
        return {}
    counts = _counts(found.models[0].id, tuple(dict.fromkeys(found.concepts.tolist())))
    return {
        f"{name}/{concept}": counts[concept]
        for name, concept in zip(found.sets, found.concepts, strict=True)
        if concept in counts
    }


def headline(found: Scores, whole: Gain) -> str:
    """How much is gained over all data sets, and whether the tail gains as much as the head."""
    who = f"{whole.models} published models" if whole.models > 1 else found.models[0].id
    more = "more" if whole.change.value >= 0 else "less"
    scored = "score" if found.b == "ensemble" else "scores"
    size, sets = points(abs(whole.change.value)), len(set(found.sets.tolist()))
    told = f"Over {sets} data sets {WORDS[found.b]} {scored} {size} points {more} than {WORDS[found.a]} ({who})."
    apart = whole.tail_less_head
    if apart is None:
        return told
    if apart.low <= 0 <= apart.high:
        return f"{told} Tail and head change alike."
    side = "more" if apart.value > 0 else "less"
    return f"{told} The tail gains {points(abs(apart.value))} points {side} than the head."
