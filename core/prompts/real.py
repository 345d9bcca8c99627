"""REAL-Prompt: each class under the synonym that pretraining captions use most; Parashar et al., 2024.

Sentences are those of ``simple``, so that the name is the only difference. In the icon world names, synonyms and
their exact caption counts are known (``assets/icons/synonyms.csv``). For other sets the release's
``metrics-LAION*.json`` is read from a person's path: ``real:/path`` takes the authors' choice (``most_common_name``),
``real:argmax:/path`` the synonym with the largest count; the two differ for about a tenth of ImageNet.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput, UnknownName, UnreadableData
from core.icons.corpus import CORPORA
from core.icons.synonyms import term_counts
from core.prompts.files import read_json, read_text, some
from core.prompts.icon_texts import icons_of
from core.prompts.templates import SIMPLE, fill
from core.types import ImageSet, PromptSet

CORPUS = "icons-200k"
MODES = ("argmax",)


@dataclass(frozen=True, slots=True)
class Synonyms:
    """The spellings of one class with their counts in pretraining captions.

    Attributes:
        key, name: the class.
        counts: spelling -> captions that use it, the class name among them where it was counted.
        chosen: the spelling that REAL-Prompt uses.
        judged: whether a person or model chose it (the authors' choice) instead of the largest count.
    """

    key: str
    name: str
    counts: dict[str, int]
    chosen: str
    judged: bool = False


def of_icons(image_set: ImageSet) -> PromptSet:
    """The most frequent spelling of every icon in the largest corpus."""
    return _made(icon_synonyms(image_set, CORPUS))


def of_option(image_set: ImageSet, option: str) -> PromptSet:
    """The most frequent spelling by another icon corpus, or by a released metrics file."""
    return _made(synonyms(image_set, option))


def synonyms(image_set: ImageSet, option: str = "") -> tuple[Synonyms, ...]:
    """Every class with its spellings, counts and the one chosen; the arrows from a name to its common synonym.

    Args:
        option: what follows ``real:``: empty, the name of an icon corpus, a path, or ``argmax:`` and a path.
    """
    if not option or option in CORPORA:
        return icon_synonyms(image_set, option or CORPUS)
    mode, colon, rest = option.partition(":")
    path = Path(rest if colon and mode in MODES else option).expanduser()
    if not path.is_file():
        raise UnknownName(f"There is no file {str(path)!r}; write real:/path/to/metrics-LAION400M.json.")
    return _released(image_set, path, argmax=mode in MODES)


def icon_synonyms(image_set: ImageSet, corpus: str) -> tuple[Synonyms, ...]:
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


def _made(found: tuple[Synonyms, ...]) -> PromptSet:
    renamed = [f"{one.name} → {one.chosen}" for one in found if one.chosen.lower() != one.name.lower()]
    note = f"{len(renamed)} of {len(found)} classes are renamed" + (f": {some(renamed)}." if renamed else ".")
    return PromptSet("real", tuple((fill(SIMPLE, one.chosen),) for one in found), notes=(note,))


def _released(image_set: ImageSet, path: Path, *, argmax: bool) -> tuple[Synonyms, ...]:
    content = read_json(path, read_text(path))
    wrong = UnreadableData(f"{path} is not a metrics file of the REAL release (class index -> name, alternates, ...).")
    if not isinstance(content, dict) or not all(map(_is_record, content.values())):
        raise wrong
    # The keys are class indices, and not in order; the names differ from open_clip's for 16 ImageNet classes.
    if set(content) != {str(index) for index in range(len(image_set.keys))}:
        raise BadInput(f"{path} has {len(content):,} classes, but {image_set.id} has {len(image_set.keys):,}.")
    listed = []
    for index, (key, name) in enumerate(zip(image_set.keys, image_set.names, strict=True)):
        record = content[str(index)]
        counts = dict(record["alternates"])
        largest = max(counts, key=lambda text: counts[text]) if counts else name
        listed.append(Synonyms(key, name, counts, largest if argmax else record["most_common_name"], not argmax))
    return tuple(listed)


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("alternates"), dict):
        return False
    chosen = record.get("most_common_name")
    names = isinstance(chosen, str) and bool(chosen.strip()) and all(name.strip() for name in record["alternates"])
    return names and all(isinstance(n, int | float) for n in record["alternates"].values())
