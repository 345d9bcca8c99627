"""A few pictures of one concept of a published image set: the row groups that hold them are read, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from cache import keys
from cache.files import write_bytes
from core.analysis.concepts import of_set
from core.datasets.io.picture import safe_open
from core.downloads import hub, on_hub, parquet
from core.downloads.on_hub import ON_HUB, OnHub
from core.downloads.plan import Meter, Plan, in_words
from core.downloads.ranges import RangeFile
from core.downloads.site import note, provenance
from core.errors import DownloadFailed, UnknownName, UnreadableData
from core.prompts.matching import match_classes
from core.published.answers import find_set
from core.published.names import LET_IT_WAG
from core.runtime.thumbnails import SIZES, encode
from core.text.search import nearest_names
from core.text.spelling import fold
from core.types import ClassNames, Report, silent

FEW = 5
NOTE = "provenance.json"


def plan_pictures(image_set: str, concept: str, *, most: int = FEW, report: Report = silent) -> Plan:
    """Plan pictures of a concept, as a published set spells it; footers and labels are read to know the size.

    Raises:
        UnknownName: the set has no copy with labels on the hub, or that copy has no class of this name.
        DownloadFailed: the hub cannot be reached, or gives its files out only after terms are accepted.
    """
    if image_set not in ON_HUB:
        raise UnknownName(without_copy(image_set))
    where, title = ON_HUB[image_set], title_of(image_set)
    files, card = on_hub.listed(where)
    found = _survey(where, files, card, Meter(report, 0, f"the labels of {title}"))
    label = _label(found.names, concept, of_set(image_set))
    if label is None:
        near = ", ".join(f"“{found.names[at]}”" for at in nearest_names(concept, found.names, most=3))
        raise UnknownName(
            f"{where.repository} has no class called {concept[:80]!r}, so none of its pictures is shown for it"
            f"{f'; nearest there: {near}' if near else ''}."
        )
    picks = [(group, _apart(group, label, len(rows))) for group, rows in parquet.choose(found, most, only=label)]
    size, pictures = sum(group.bytes for group, _ in picks), sum(len(rows) for _, rows in picks)
    if not pictures:
        raise DownloadFailed(f"The hub's files hold no picture of {concept[:80]!r} any more.")
    target, repository = _place(image_set, concept), files[0].in_repository
    groups = f"{len(picks)} of {len(found.groups)} row groups"
    sentence = (
        f"{pictures} pictures of “{found.names[label]}” from {repository.id} (commit {repository.commit[:7]}): "
        f"{in_words(size)} ({groups}), kept small in {target}."
    )

    def work(advance: Meter) -> None:
        sources = {file: RangeFile(files[file], advance=advance) for file in {group.file for group, _ in picks}}
        target.mkdir(parents=True, exist_ok=True)
        kept = 0
        with hub.download_errors(title):
            for group, rows in picks:
                opened = parquet.open_parquet(sources[group.file], found.footers[group.file], columns=where.columns)
                for _, data in parquet.pictures(opened, group.index, rows, image=where.columns.image):
                    try:
                        picture = safe_open(data, name="a picture of the hub's file")
                    except UnreadableData:
                        continue
                    write_bytes(target / f"{kept}.webp", encode(picture, SIZES[1]))
                    kept += 1
        facts = {"set": image_set, "concept": concept, "repository": repository.id, "commit": repository.commit}
        note(target / NOTE, {**facts, "pictures": kept, "unreadable": pictures - kept})

    return Plan(f"{image_set}/{fold(concept)}", "set", files, size, target, sentence, most, work)


def without_copy(image_set: str) -> str:
    """Why no picture of a single concept of this set can be fetched, in one sentence."""
    if image_set == "country211":
        return "Country211 stands on the hub as tar files only; fetch a few images of every class as wds_country211."
    return f"{title_of(image_set)} does not stand on the hub as Parquet with class labels; open a copy of your own."


def title_of(image_set: str) -> str:
    """What a published set is called."""
    found = find_set(image_set)
    return found.title if found else image_set


def _label(names: Sequence[str], concept: str, concepts: Sequence[str]) -> int | None:
    """The class of the hub's copy that is this concept, matched as any foreign list of classes is."""
    listed = list(concepts) if concept in concepts else [*concepts, concept]
    classes = ClassNames("concepts", listed, [name.replace("_", " ") for name in listed])
    return match_classes(names, classes, also=[_further(name) for name in names]).places[listed.index(concept)]


def _further(name: str) -> list[str]:
    """Synonyms in one name (“tench, Tinca tinca”), and a place or year before the name instead of after it."""
    words = name.replace("_", " ").replace("/", " ").split()
    return [*(part.strip() for part in name.split(",")), " ".join([*words[-1:], *words[:-1]])]


def _apart(group: parquet.RowGroup, label: int, most: int) -> list[int]:
    """Rows of a class spread over its row group: neighbours can be frames of one film."""
    rows = np.flatnonzero(group.labels == label)
    return [int(rows[at]) for at in np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)]


@cache
def _last() -> dict[tuple[hub.RemoteFile, ...], parquet.Survey]:
    return {}


def _survey(
    where: OnHub, files: tuple[hub.RemoteFile, ...], card: hub.RemoteFile | None, meter: Meter
) -> parquet.Survey:
    """What the files hold, read once for a commit."""
    known = _last()
    if files not in known:
        found = on_hub.survey(where, files, card, meter)
        known.clear()
        known[files] = found
    return known[files]


def _place(image_set: str, concept: str) -> Path:
    return keys.root() / "pictures" / keys.digest([image_set, fold(concept)])


def pictures(image_set: str, concept: str, *, most: int = FEW) -> tuple[bytes, ...] | None:
    """WebP pictures of a concept of a published set that are on this disk, fetched for it or as part of the set."""
    place = _place(image_set, concept)
    if (place / NOTE).is_file():
        return tuple(file.read_bytes() for file in sorted(place.glob("*.webp"))[:most])
    folders = (provenance(LET_IT_WAG) or {}).get("classes", {}) if image_set == LET_IT_WAG else {}
    folder = next((name for name, shown in folders.items() if fold(shown) == fold(concept)), None)
    if folder is None:
        return None
    found = sorted((keys.root() / "sets" / LET_IT_WAG / folder).iterdir())[:most]
    return tuple(encode(safe_open(file.read_bytes(), name=file.name), SIZES[1]) for file in found)
