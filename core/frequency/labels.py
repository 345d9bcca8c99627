"""What a source of counts is called in plain words, and the three steps in which one is picked.

A source's own name says three things at once (``published:cc3m/rampp0.65``). A person picks the set that was counted,
then how it was counted, then the threshold or the forms of the words, each where there is a choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.frequency import published
from core.frequency.published import Steps
from core.frequency.table import SourceInfo
from core.icons.corpus import CORPORA
from core.published.names import METHODS, PRETRAINING
from core.types import Origin

_MADE = {"imported": "imported", "counted": "counted here"}


def place(source: str) -> str:
    """What was counted, in a few words that follow “counted in”."""
    kind, _, rest = source.partition(":")
    if kind in _MADE and rest:
        return f"{rest} ({_MADE[kind]})"
    name = rest.partition("/")[0] if kind in ("published", "letitwag") else source
    known = (label for key, label in PRETRAINING.items() if name in (key, key.partition("_train")[0]))
    return next(known, source).partition(",")[0]


def label(source: str) -> str:
    """What was counted and how, in few words."""
    kind, _, rest = source.partition(":")
    if kind == "published":
        method = rest.partition("/")[2]
        return f"{place(source)}, {METHODS.get(method, method)}"
    return f"{place(source)}, the Let It Wag! concepts" if kind == "letitwag" else place(source)


def origin(source: str) -> Origin:
    """Who counted: it ships with Tailscope, was published by others, was counted here or was brought in."""
    kinds: dict[str, Origin] = {
        "published": "published", "letitwag": "published", "counted": "live", "imported": "imported",
    }  # fmt: skip
    return "shipped" if source in CORPORA else kinds.get(source.partition(":")[0], "imported")


@dataclass(frozen=True, slots=True)
class CountedSet:
    """The first step: a set that was counted.

    Attributes:
        label: in plain words, with a mark where no complete table of it exists; first: the source that stands for it,
            the headline method where its table is complete; sources: all of them.
    """

    label: str
    first: str
    sources: tuple[str, ...]


def counted_sets(listed: Iterable[SourceInfo]) -> list[CountedSet]:
    """The sets that were counted, in the order of their sources."""
    steps = {one.name: one for one in published.steps()} if not published.problem() else {}
    found: dict[str, list[str]] = {}
    for info in listed:
        one = steps.get(info.name)
        found.setdefault(f"{published.PREFIX}{one.pretraining}" if one else info.name, []).append(info.name)
    result = []
    for names in found.values():
        complete = [name for name in names if name not in steps or not steps[name].truncated]
        title = place(names[0]) if names[0] in steps else label(names[0])
        title += " (built in)" if names[0] in CORPORA else ""
        result.append(CountedSet(title if complete else f"{title} (truncated)", (complete or names)[0], tuple(names)))
    return result


def ways(source: str) -> dict[str, str]:
    """The second step: a source for each way in which this one's set was counted -> the way in words.

    The same threshold is kept where it exists; a truncated table stands only where there is no other.
    """
    current = _steps_of(source)
    found: dict[str, str] = {}
    for how in dict.fromkeys(one.how for one in _family(current)):
        same = [one for one in _family(current) if one.how == how]
        best = min(same, key=lambda one: (one.name != source, one.truncated, one.threshold != current.threshold))
        found[best.name] = best.how_label
    return found


def variants(source: str) -> dict[str, str]:
    """The third step: sources of the same set and way -> threshold of the image tagger, or forms of the words."""
    current = _steps_of(source)
    return {one.name: _variant(one) for one in _family(current) if one.how == current.how}


def truncation(source: str) -> str:
    """What is missing of a truncated table, in one sentence; empty for a complete one."""
    if not source.startswith(published.PREFIX) or not _steps_of(source).truncated:
        return ""
    one = _steps_of(source)
    return f"Truncated: {one.concepts:,} of the {one.expected:,} classes of the classification sets have a count."


def _steps_of(source: str) -> Steps:
    return next(one for one in published.steps() if one.name == source)


def _family(current: Steps) -> list[Steps]:
    return [one for one in published.steps() if one.pretraining == current.pretraining]


def _variant(one: Steps) -> str:
    words = "" if one.how == "image" else "any form of the words" if one.lemmatised else "the words in lower case only"
    tags = f"tags from {one.threshold:g}" if one.threshold is not None else ""
    return ", ".join(filter(None, (words if one.how == "text" else "", tags))) + (
        " (truncated)" if one.truncated else ""
    )
