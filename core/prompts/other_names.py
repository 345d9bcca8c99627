"""Other names of the classes as a strategy: common against scientific names, from a file of two columns.

``other-name:/path/to/names.csv`` holds a class and another name a line, with or without a header; a class may have
several lines, of which the first counts. Sentences are those of ``simple``, so that the name is the only difference
(Parashar et al., *Prompting Scientific Names for Zero-Shot Species Recognition*, arXiv 2310.09929).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from core.errors import UnknownName, UnreadableData
from core.frequency import synonyms as imagenet_names
from core.frequency.table import match
from core.prompts.files import read_text
from core.prompts.matching import count, match_classes, some
from core.prompts.real import Synonyms
from core.prompts.templates import SIMPLE, fill
from core.types import Classes, FrequencyTable, PromptSet

Names = tuple[tuple[str, ...], ...]
"""Other names of every class in label order; empty for a class without any."""

WITHOUT_A_FILE = "Other names come from a file of two columns: write other-name:/path/to/names.csv (class,name)."


def of_file(image_set: Classes, path: str) -> PromptSet:
    """Every class under its first other name; one without keeps its own."""
    names, notes = read(image_set, path)
    missing = [name for name, others in zip(image_set.names, names, strict=True) if not others]
    if missing:
        have = "class has no other name and keeps its own", "classes have no other name and keep their own"
        notes = (f"{count(len(missing), *have)}: {some(missing, 20)}.", *notes)
    chosen = [others[0] if others else name for name, others in zip(image_set.names, names, strict=True)]
    return PromptSet(f"other-name:{path}", tuple((fill(SIMPLE, name),) for name in chosen), notes=notes)


def read(image_set: Classes, path: str) -> tuple[Names, tuple[str, ...]]:
    """Other names of every class from a CSV or tab-separated file, and what to tell about the match.

    Raises:
        UnknownName: there is no such file. UnreadableData: a line has not two columns, or no class is known.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UnknownName(f"There is no file {path!r}; write other-name:/path/to/names.csv (class,name).")
    text = read_text(file)
    rows = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if "\t" in text else ",") if any(row)]
    wrong = next((number for number, row in enumerate(rows, start=1) if len(row) != 2), None)
    if wrong is not None:
        raise UnreadableData(f"{path}, line {wrong}: each line holds a class and one other name.")
    by_class: dict[str, list[str]] = {}
    for entry, name in rows:
        if words := " ".join(name.split()):
            by_class.setdefault(entry.strip(), []).append(words)
    found = match_classes(list(by_class), image_set)
    listed = list(by_class.values())
    names = tuple(() if place is None else tuple(dict.fromkeys(listed[place])) for place in found.places)
    if not any(names):
        raise UnreadableData(f"{path} names no class of {image_set.id}.")
    return names, found.notes


def counted(image_set: Classes, table: FrequencyTable, names: Names | None = None) -> tuple[Synonyms, ...]:
    """Which name of each class a source counts most: its own, the other names given, and ImageNet's.

    Returns:
        Every class in label order; ``counts`` holds the names that the source knows, ``chosen`` the one counted most
        (the own name where several are equal, or none is known).
    """
    wnids = imagenet_names.wnids(image_set.keys)
    own = match(table, image_set.keys, image_set.names)
    found = []
    for place, (key, name) in enumerate(zip(image_set.keys, image_set.names, strict=True)):
        others = dict.fromkeys((*(names[place] if names else ()), *imagenet_names.of_wnid(wnids[place])))
        # Every name by itself, so that a class does not take the count of another of its names.
        counts = dict(match(table, [one for one in others if one != name], literal=True).counts)
        if own.steps.get(key) not in (None, "ImageNet name") or name in table.counts:
            counts = {name: int(table.counts.get(name, own.counts[key])), **counts}
        chosen = max(counts, key=lambda one: (counts[one], one == name), default=name)
        found.append(Synonyms(key, name, counts, chosen))
    return tuple(found)


def headline(found: Sequence[Synonyms], source: str) -> str:
    """How many classes are called otherwise in captions than here, in a sentence."""
    known = [one for one in found if one.counts]
    other = [one for one in known if one.chosen != one.name]
    ahead = sorted(other, key=lambda one: -one.counts[one.chosen] / (1 + one.counts.get(one.name, 0)))
    told = some([f"{one.name} → {one.chosen}" for one in ahead])
    return (
        f"{len(other):,} of {len(known):,} classes with a count in {source} have a name counted more often than their "
        f"own{f': {told}' if other else ''}."
    )
