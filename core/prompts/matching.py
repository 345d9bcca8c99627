"""Which entry of somebody's file is about which class of an image set: by name or number, never by total alone.

An exact spelling comes first, then one that differs in case, hyphens, blanks, apostrophes, brackets or Unicode form,
then WordNet ids and ImageNet's order, then a further name that the file itself gives. A place in the file counts only
where the names around it prove that the file is in label order.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from core.datasets.names import imagenet_classes
from core.text.spelling import spellings
from core.types import Classes

_WNID = re.compile(r"(?<![0-9A-Za-z])n[0-9]{8}(?![0-9])")


@dataclass(frozen=True, slots=True)
class Matched:
    """The place of every class's entry in the file, None for none [c], and what to tell a person about it."""

    places: tuple[int | None, ...]
    notes: tuple[str, ...]


def match_classes(
    entries: Sequence[str],
    image_set: Classes,
    *,
    filled: Sequence[bool] | None = None,
    also: Sequence[Sequence[str]] = (),
) -> Matched:
    """Find the entry of every class.

    Args:
        entries: what the file calls its classes, in its order.
        filled: whether each entry holds anything; of two spellings of a class the one that does is taken.
        also: further names of each entry (synonyms), used when nothing else fits and one entry has them alone.
    """
    pairs = list(zip(image_set.keys, image_set.names, strict=True))
    exact = _exact(entries, pairs, filled or [True] * len(entries))
    folded, ambiguous = _unique(entries, pairs, exact)
    numbered = _by_imagenet(entries, image_set, exact)
    first = [_first(*found) for found in zip(numbered, exact, folded, strict=True)]
    placed = _in_order(entries, first, image_set.names)
    known = [_first(*found) for found in zip(first, placed, strict=True)]
    further = _further(also, pairs, known)
    places = tuple(_first(*found) for found in zip(known, further, strict=True))

    notes: list[str] = []

    def tell(found: Sequence[int | None], how: str) -> None:
        shown = [
            f"{image_set.names[index]} = {entries[place]}"
            for index, place in enumerate(found)
            if place is not None and places[index] == place
        ]
        if shown:
            notes.append(f"{count(len(shown), 'class was', 'classes were')} matched {how}: {some(shown)}.")

    tell(_where(folded, [exact, numbered]), "after folding case, hyphens, blanks or Unicode form")
    tell(_where(numbered, [exact]), "by WordNet id or in ImageNet's order")
    tell(_where(placed, [first]), "by place in the file")
    tell(further, "by a further name in the file")
    unclear = [image_set.names[i] for i in ambiguous if places[i] is None]
    if unclear:
        notes.append(f"{count(len(unclear), 'class fits', 'classes fit')} several entries of the file and none was "
                     f"taken: {some(unclear)}.")  # fmt: skip
    shared = {place for place, n in Counter(place for place in places if place is not None).items() if n > 1}
    if shared:
        listed = [
            f"{entries[p]} ({', '.join(str(i) for i, place in enumerate(places) if place == p)})"
            for p in sorted(shared, key=lambda place: entries[place])
        ]
        notes.append(f"{count(len(shared), 'name belongs', 'names belong')} to several classes, which share a list: "
                     f"{some(listed)}.")  # fmt: skip
    unused = [entry for place, entry in enumerate(entries) if place not in set(places)]
    if unused:
        notes.append(f"{count(len(unused), 'class of the file is', 'classes of the file are')} not in this set: "
                     f"{some(unused)}.")  # fmt: skip
    return Matched(places, tuple(notes))


def folded_name(text: str) -> str:
    """A name without what does not tell classes apart: case, Unicode form, hyphens, blanks, brackets, apostrophes."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in plain if unicodedata.category(c)[0] not in "ZC" and c not in _SILENT)


_SILENT = frozenset("-‐‑‒–—―_()[]{}'’‘ʼ´`\"“”.,:;/\\|·")


def _folded_forms(*texts: str) -> set[str]:
    """Folded spellings, also without what stands before a name: 001.Sooty_Albatross, n02085620-Chihuahua, /a/abbey."""
    return {found for text in texts for part in (text, _NUMBER.sub("", text, count=1)) if (found := folded_name(part))}


_NUMBER = re.compile(r"^(?:\d{1,4}\.\s*(?=[^\W\d])|n\d{8}[-_ ]+|/?[a-z]/)")


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few of many, for a note."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def count(n: int, one: str, many: str) -> str:
    """A number with the words that follow it."""
    return f"{n:,} {one if n == 1 else many}"


def _first(*found: int | None) -> int | None:
    return next((place for place in found if place is not None), None)


def _where(found: Sequence[int | None], before: Sequence[Sequence[int | None]]) -> list[int | None]:
    """The matches that no earlier way had found."""
    return [
        None if any(earlier[index] is not None for earlier in before) else place for index, place in enumerate(found)
    ]


def _exact(entries: Sequence[str], pairs: Sequence[tuple[str, str]], filled: Sequence[bool]) -> list[int | None]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, entry in enumerate(entries):
        places[entry].append(place)
    chosen: list[str | None] = []
    for key, name in pairs:
        spelled = [spelling for spelling in spellings(key, name) if spelling in places]
        chosen.append(next((text for text in spelled if filled[places[text][0]]), spelled[0] if spelled else None))
    # Several entries of one name, as records of ImageNet's two cranes: each class takes its own, in order, or none.
    owners, given = Counter(chosen), Counter[str]()
    found: list[int | None] = []
    for text in chosen:
        listed = places[text] if text is not None else []
        alone = len(listed) == 1
        found.append(listed[0 if alone else given[text or ""]] if alone or len(listed) == owners[text] else None)
        given[text or ""] += 1
    return found


def _unique(
    entries: Sequence[str], pairs: Sequence[tuple[str, str]], exact: Sequence[int | None]
) -> tuple[list[int | None], list[int]]:
    """Matches of folded spellings that one entry has alone, and the classes that fit several."""
    places: dict[str, set[int]] = defaultdict(set)
    for place, entry in enumerate(entries):
        for text in _folded_forms(entry):
            places[text].add(place)
    taken = {place for place in exact if place is not None}
    found: list[int | None] = []
    ambiguous: list[int] = []
    for index, (key, name) in enumerate(pairs):
        # An entry that is another class's exact name is not this class's misspelt one.
        fits = {p for text in _folded_forms(key, name) for p in places.get(text, ()) if p not in taken}
        found.append(next(iter(fits)) if len(fits) == 1 else None)
        if len(fits) > 1:
            ambiguous.append(index)
    return found, ambiguous


def _further(
    also: Sequence[Sequence[str]], pairs: Sequence[tuple[str, str]], known: Sequence[int | None]
) -> list[int | None]:
    if not also or None not in known:
        return [None] * len(pairs)
    taken = {place for place in known if place is not None}
    free = [(place, folded_name(name)) for place, names in enumerate(also) if place not in taken for name in names]
    owners: dict[str, set[int]] = defaultdict(set)
    for place, text in free:
        owners[text].add(place)
    found: list[int | None] = []
    for (key, name), already in zip(pairs, known, strict=True):
        fits = owners.get(folded_name(name), set()) | owners.get(folded_name(key), set())
        found.append(next(iter(fits)) if already is None and len(fits) == 1 else None)
    return found


@cache
def _imagenet() -> tuple[dict[str, int], tuple[str, ...], dict[str, str]]:
    """WordNet id -> index, the folded names of ImageNet's classes in label order, and folded name -> its one id."""
    classes = imagenet_classes()
    names = tuple(folded_name(name) for _, name in classes)
    uses = Counter(names)
    once = {name: wnid for name, (wnid, _) in zip(names, classes, strict=True) if uses[name] == 1}
    return {wnid: index for index, (wnid, _) in enumerate(classes)}, names, once


def _by_imagenet(entries: Sequence[str], image_set: Classes, exact: Sequence[int | None]) -> list[int | None]:
    """Matches through ImageNet: entries with WordNet ids, or entries that are its names in its order."""
    index, names, once = _imagenet()
    nothing: list[int | None] = [None] * len(image_set.keys)
    if not index:
        return nothing
    numbered = {wnid[0]: place for place, entry in enumerate(entries) if (wnid := _WNID.search(entry))}
    ordered = _in_imagenets_order([folded_name(entry) for entry in entries], names)
    if not numbered and not ordered:
        return nothing
    found: list[int | None] = []
    for key, name, spelled in zip(image_set.keys, image_set.names, exact, strict=True):
        own, plain = _WNID.search(key), folded_name(name)
        wordnet = own[0] if own else once.get(plain, once.get(folded_name(key), ""))
        if ordered and key.isascii() and key.isdecimal() and int(key) < len(names) and names[int(key)] == plain:
            found.append(ordered[int(key)])
        elif ordered and wordnet in index and (own or spelled is None):
            found.append(ordered[index[wordnet]])
        else:
            found.append(numbered.get(wordnet) if spelled is None else None)
    return found


def _in_imagenets_order(folded: Sequence[str], names: Sequence[str]) -> list[int]:
    """The place of every ImageNet class in a file that lists all of them in order; empty for any other file.

    Files made from names hold equal names once: ImageNet's 1,000 classes have 998 names.
    """
    different = list(dict.fromkeys(names))
    if len(folded) == len(names):
        places = list(range(len(names)))
    elif len(folded) == len(different):
        position = {name: place for place, name in enumerate(different)}
        places = [position[name] for name in names]
    else:
        return []
    agree = sum(folded[place] == name for place, name in zip(places, names, strict=True))
    return places if agree >= 0.9 * len(names) else []


def _in_order(entries: Sequence[str], found: Sequence[int | None], names: Sequence[str]) -> list[int | None]:
    """For classes that were not found: the entry at their place, if the file is in label order.

    It is if it has as many entries as there are different names, and all classes found, four fifths at least, agree.
    """
    different = list(dict.fromkeys(names))
    nothing: list[int | None] = [None] * len(names)
    if len(entries) != len(different) or None not in found:
        return nothing
    position = {name: place for place, name in enumerate(different)}
    agree = [position[name] == place for name, place in zip(names, found, strict=True) if place is not None]
    if len(agree) < max(4, 0.8 * len(names)) or not all(agree):
        return nothing
    return [position[name] if place is None else None for name, place in zip(names, found, strict=True)]
