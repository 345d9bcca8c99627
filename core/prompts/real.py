"""REAL-Prompt: each class under the synonym that pretraining captions use most; Parashar et al., 2024.

Sentences are those of ``simple``, so that the name is the only difference. In the icon world names, synonyms and
their exact caption counts are known (``assets/icons/synonyms.csv``). For other sets the release's
``metrics-LAION*.json`` is read from a person's path: ``real:/path`` takes the authors' choice (``most_common_name``),
``real:argmax:/path`` the synonym with the largest count; the two differ for about a tenth of ImageNet. The release
keys its records by class index; they carry names, and these decide which class a record is about
(``core.prompts.matching``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput, UnknownName, UnreadableData
from core.icons.corpus import CORPORA
from core.icons.synonyms import term_counts
from core.prompts.files import read_json, read_text
from core.prompts.icon_texts import icons_of
from core.prompts.matching import count, match_classes, some
from core.prompts.templates import SIMPLE, fill
from core.types import Classes, PromptSet

CORPUS = "icons-200k"
MODES = ("argmax",)


@dataclass(frozen=True, slots=True)
class Synonyms:
    """The spellings of one class with their counts in pretraining captions.

    Attributes:
        key, name: the class.
        counts: spelling -> captions that use it, the class name among them where it was counted.
        chosen: the spelling that REAL-Prompt uses.
    """

    key: str
    name: str
    counts: dict[str, int]
    chosen: str


def of_icons(image_set: Classes) -> PromptSet:
    """The most frequent spelling of every icon in the largest corpus."""
    return _made(icon_synonyms(image_set, CORPUS))


def of_option(image_set: Classes, option: str) -> PromptSet:
    """The most frequent spelling by another icon corpus, or by a released metrics file."""
    if not option or option in CORPORA:
        return _made(icon_synonyms(image_set, option or CORPUS))
    return _made(*_released(image_set, *_file(option)))


def synonyms(image_set: Classes, option: str = "") -> tuple[Synonyms, ...]:
    """Every class with its spellings, counts and the one chosen; the arrows from a name to its common synonym.

    Args:
        option: what follows ``real:``: empty, the name of an icon corpus, a path, or ``argmax:`` and a path.

    Returns:
        All classes in label order; one that the file does not know has no counts and keeps its name.
    """
    if not option or option in CORPORA:
        return icon_synonyms(image_set, option or CORPUS)
    return _released(image_set, *_file(option))[0]


def _file(option: str) -> tuple[Path, bool]:
    """The path in an option, and whether the largest count decides."""
    mode, colon, rest = option.partition(":")
    path = Path(rest if colon and mode in MODES else option).expanduser()
    if not path.is_file():
        raise UnknownName(f"There is no file {str(path)!r}; write real:/path/to/metrics-LAION400M.json.")
    return path, bool(colon) and mode in MODES


def icon_synonyms(image_set: Classes, corpus: str) -> tuple[Synonyms, ...]:
    """Names and unambiguous search terms of the icons with their exact caption counts in one corpus.

    Where the release asks a language model whether captions with a synonym are about the concept, the drawings tell
    here: a synonym whose captions mostly show other icons ("red" for apple) is left out.
    """
    found = icons_of(image_set, need="give the release's counts, real:/path/to/metrics-LAION400M.json.")
    listed = []
    for key, name, concept in zip(image_set.keys, image_set.names, found, strict=True):
        counted = term_counts(corpus)[concept.key]
        counts = {term: used for term, (used, shown) in counted.items() if term == concept.name or 2 * shown > used}
        # Ties keep the name, which stands first.
        listed.append(Synonyms(key, name, counts, max(counts, key=lambda text: counts[text])))
    return tuple(listed)


def _made(found: Sequence[Synonyms], notes: Sequence[str] = ()) -> PromptSet:
    renamed = [f"{one.name} → {one.chosen}" for one in found if one.chosen.lower() != one.name.lower()]
    note = f"{len(renamed):,} of {count(len(found), 'class is', 'classes are')} renamed"
    note += f": {some(renamed)}." if renamed else "."
    return PromptSet("real", tuple((fill(SIMPLE, one.chosen),) for one in found), notes=(note, *notes))


def _released(image_set: Classes, path: Path, argmax: bool) -> tuple[tuple[Synonyms, ...], tuple[str, ...]]:
    """The spellings of every class from a metrics file, and what to tell about the match."""
    content = read_json(path, read_text(path))
    records = content if isinstance(content, dict) else {}
    # One record without a count or a choice makes no other one unusable.
    usable = {key: record for key, record in records.items() if _is_record(record)}
    if not usable:
        raise UnreadableData(
            f"{path} is not a metrics file of the REAL release (class -> name, alternates, most_common_name)."
        )
    places, notes = _records_of(image_set, path, usable)
    if broken := [key for key in records if key not in usable]:
        notes = (*notes, f"{count(len(broken), 'record is', 'records are')} unusable and skipped: {some(broken)}.")
    listed, unknown = [], []
    for key, name, place in zip(image_set.keys, image_set.names, places, strict=True):
        if place is None:
            unknown.append(name)
            listed.append(Synonyms(key, name, {}, name))
            continue
        record = usable[place]
        counts = dict(record["alternates"])
        largest = max(counts, key=lambda text: counts[text]) if counts else name
        listed.append(Synonyms(key, name, counts, largest if argmax else record["most_common_name"]))
    have = "class is not in the file and keeps its", "classes are not in the file and keep their"
    told = (f"{count(len(unknown), *have)} name: {some(unknown, 20)}.",) if unknown else ()
    return tuple(listed), (*told, *notes)


def _records_of(
    image_set: Classes, path: Path, records: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str | None], tuple[str, ...]]:
    """The key of every class's record: by the record's name, else by a key that is a name or number itself."""
    numbered = all(key.isascii() and key.isdecimal() for key in records)
    # Numbered records are not in order in the release; by number they are in that of the classes.
    keys = sorted(records, key=int) if numbered else list(records)
    names = [_name(records[key]) or ("" if numbered else key) for key in keys]
    if numbered and not any(names):
        if len(keys) != len(image_set.keys) or [int(key) for key in keys] != list(range(len(keys))):
            raise BadInput(
                f"{path} has {count(len(keys), 'record', 'records')} without names, but {image_set.id} has "
                f"{count(len(image_set.keys), 'class', 'classes')}; use the file of this set."
            )
        return list(keys), (f"The file has no class names: its {len(keys):,} records were taken in label order.",)
    also = [[*records[key]["alternates"], *([] if numbered else [key])] for key in keys]
    found = match_classes(names, image_set, also=also)
    if all(place is None for place in found.places):
        raise BadInput(
            f"None of the {count(len(keys), 'class', 'classes')} in {path} is a class of {image_set.id}: the file's "
            f"are named like {names[0]!r}, the set's like {image_set.names[0]!r}."
        )
    return [None if place is None else keys[place] for place in found.places], found.notes


def _name(record: Mapping[str, Any]) -> str:
    name = record.get("name")
    return name.strip() if isinstance(name, str) else ""


def _is_record(record: object) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("alternates"), dict):
        return False
    chosen = record.get("most_common_name")
    names = isinstance(chosen, str) and bool(chosen.strip()) and all(name.strip() for name in record["alternates"])
    return names and all(isinstance(n, int | float) for n in record["alternates"].values())
