"""Which counts belong to a model: those of its own pretraining set, or the nearest ones, which are only offered.

The pretraining set is read from the name of the weights. Of several ways to count it, the one that joins most classes
is chosen. Where a set was not counted nothing is chosen by itself: counts of another set say how rare a concept is
there, not how often the model saw it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from core.errors import UnreadableData
from core.frequency import counted, icons, imported, labels, published
from core.frequency.table import match
from core.icons.corpus import CORPORA
from core.models.names import split_model
from core.published.models import find_model
from core.published.names import METHODS, PRETRAINING
from core.published.store import current

_TRAINED_ON = (
    (r"laion400m(_.*)?", "laion400m"),
    (r"cc3m(_.*)?", "cc3m"),
    (r"cc12m(_.*)?", "cc12m"),
    (r"yfcc15m(_.*)?", "yfcc15m"),
    (r"synthci(30m)?(_.*)?", "synthci30m"),
    (r"laion200m_train_test_sim_normalized", "laion200m_train_test_sim_normalized"),
)
ICON_REFERENCE = "supervised:icon-reference"
"""The icon world's baseline in AlexNet's place, whose name does not tell its training data."""
_NEAREST = (
    (r"laion[-_]?(2b|5b|aesthetic).*|.*_laion(2b|5b)_.*", "both are LAION's selections of web pairs"),
    (r"merged2b.*", "the model's own are LAION-2B and COYO"),
    (r"datacomp.*|commonpool.*|dfn.*|metaclip.*|meta", "both are web pairs of Common Crawl, selected otherwise"),
    (r"openai|webli|v2_webli", "the model's own web pairs were never published"),
)
_NEAR_SETS = ("laion400m", "cc12m", "yfcc15m")


@dataclass(frozen=True, slots=True)
class Offer:
    """Counts that may stand in: source, classes matched of all, and why it is near."""

    source: str
    matched: int
    total: int
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The counts of a model's own pretraining set, or offers.

    Attributes:
        source: the source chosen, empty when the model's own pretraining set was not counted.
        pretraining: that set in words, empty when unknown; matched, total: classes with a count, and all.
        offers: other counts, nearest first, when none are its own.
        sentence: the choice in words.
    """

    source: str
    pretraining: str
    matched: int
    total: int
    offers: tuple[Offer, ...]
    sentence: str


def trained_on(model: str) -> str:
    """Counted set that a model was trained on: an icon corpus or a pretraining set of the release; empty otherwise."""
    _, tag = split_model(model)
    tag = tag.casefold().replace("-", "_")
    for name in CORPORA:
        if tag == name.replace("-", "_"):
            return name
    for pattern, name in _TRAINED_ON:
        if re.fullmatch(pattern, tag):
            return name
    if model == ICON_REFERENCE:
        return "icons-200k"
    known = find_model(model)
    return known.pretraining if known is not None and known.pretraining in PRETRAINING else ""


def choose(model: str, keys: Sequence[str] = (), names: Sequence[str] = (), *, how: str = "") -> Choice:
    """Counts for a model and the classes of an image set (without classes: by the headline method).

    Args:
        how: only counts by ``text``, ``image`` or ``integrated``; any when empty.
    """
    brought = tuple(f"{info.name} {info.concepts}" for provider in (imported, counted) for info in provider.infos())
    return _choose(model, tuple(keys), tuple(names), how, str(current()), brought, _damage())


def _damage() -> str:
    """Why the published counts cannot be read; empty when they can."""
    try:
        published.steps()
    except UnreadableData as error:
        return str(error)
    return ""


def elsewhere(model: str, source: str) -> str:
    """What to call counts that are not of the model's own pretraining set, in words; empty when they are its own.

    Sentences then speak of ``counted in LAION-400M`` and not of what the model saw.

    Args:
        source: the counts; without any there is nothing to name.
    """
    own = trained_on(model)
    if not source:
        return ""
    counted_in = source.removeprefix(published.PREFIX).partition("/")[0].removeprefix("letitwag:")
    if own and (source == own or own == counted_in or own.startswith(f"{counted_in}_")):
        return ""
    return labels.place(source)


def place(model: str, source: str) -> str:
    """Where a concept was counted, to follow ``counted in``: ``pretraining``, or the set that is not the model's."""
    return elsewhere(model, source) or "pretraining"


@lru_cache(maxsize=128)
def _choose(
    model: str,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    how: str,
    _place: str,
    _brought: tuple[str, ...],
    damage: str,
) -> Choice:
    own = trained_on(model)
    if own in CORPORA:
        table = icons.table(own, "image")
        matched = len(match(table, keys, names).counts)
        return Choice(own, own, matched, len(keys), (), f"Counted in {own}, on which the model was trained.")
    if own and not damage:
        found = _best(own, keys, names, "", how)
        if found is not None and (found.matched or not keys):
            told = f"Counted in {PRETRAINING[own]} by {METHODS[found.source.partition('/')[2]]}, "
            told += f"on which the model was trained; {_matched(found)}"
            return Choice(found.source, PRETRAINING[own], found.matched, found.total, (), told)
    tag = split_model(model)[1] or model
    reason = next((words for pattern, words in _NEAREST if re.fullmatch(pattern, tag.casefold())), "")
    sets = () if damage else _NEAR_SETS
    near = (_best(name, keys, names, reason if name == "laion400m" else "", how) for name in sets)
    offers = [*_brought_in(keys, names), *near]
    known = [offer for offer in offers if offer is not None and (offer.matched or not keys)]
    most = max((offer.matched for offer in known), default=0)
    # Counts that were brought in stand first, unless they know far fewer of the classes.
    usable = tuple(sorted(known, key=lambda offer: offer.matched < 0.9 * most))
    return Choice("", "", 0, len(keys), usable, damage or _offered(tag, own, usable))


def _best(pretraining: str, keys: tuple[str, ...], names: tuple[str, ...], reason: str, how: str) -> Offer | None:
    """The complete source of a pretraining set that joins most classes; the headline method where several do."""
    order = {method: index for index, method in enumerate(METHODS)}
    found = []
    for step in published.steps():
        if step.pretraining == pretraining and not step.truncated and how in ("", step.how):
            matched = len(match(published.table(step.name, step.how), keys, names).counts) if keys else 0
            found.append((-matched, order[step.name.partition("/")[2]], Offer(step.name, matched, len(keys), reason)))
    return min(found, key=lambda item: item[:2])[2] if found else None


def _brought_in(keys: tuple[str, ...], names: tuple[str, ...]) -> list[Offer]:
    """What was imported or counted here: a person brought it in for a reason."""
    found = []
    for provider in (imported, counted):
        for info in provider.infos():
            matched = len(match(provider.table(info.name, info.default), keys, names).counts) if keys else 0
            found.append(Offer(info.name, matched, len(keys), "brought in here"))
    return found


def _matched(offer: Offer) -> str:
    return f"{offer.matched:,} of {offer.total:,} classes matched." if offer.total else "no classes are given."


def _offered(tag: str, own: str, offers: tuple[Offer, ...]) -> str:
    if own:
        return f"{PRETRAINING[own]}, on which the model was trained, was counted, but knows none of these classes."
    told = f"What {tag} holds was not counted, so no counts are taken for the model's own"
    if not offers:
        return f"{told}, and none that are known name these classes."
    near = offers[0]
    why = f" ({near.reason})" if near.reason else ""
    label = labels.place(near.source)
    return f"{told}. Nearest: counted in {label}{why}, {_matched(near)} Choose it with --frequency {near.source}."
