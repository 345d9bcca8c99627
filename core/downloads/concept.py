"""A few pictures of one Let It Wag! concept: the row groups that hold them are read, and nothing else of the set."""

from __future__ import annotations

from functools import cache

from cache import keys
from cache.files import write_bytes
from core.datasets.io.picture import safe_open
from core.downloads import hub, letitwag, parquet
from core.downloads.plan import Meter, Plan, in_words
from core.downloads.ranges import RangeFile
from core.downloads.site import note, provenance
from core.errors import DownloadFailed, UnknownName, UnreadableData
from core.published.names import LET_IT_WAG
from core.runtime.thumbnails import SIZES, encode
from core.text.spelling import fold
from core.types import Report, silent

FEW = 5
NOTE = "provenance.json"


def plan_pictures(concept: str, *, most: int = FEW, report: Report = silent) -> Plan:
    """Plan the first pictures of a concept; footers and labels are read by range requests to know the size.

    Raises:
        UnknownName: Let It Wag! has no such concept. DownloadFailed: the hub cannot be reached.
    """
    files, card = letitwag.listed()
    found = _survey(files, card, Meter(report, 0, "the labels of Let It Wag!"))
    label = next((at for at, name in enumerate(found.names) if fold(name) == fold(concept)), None)
    if label is None:
        raise UnknownName(f"Let It Wag! has no concept called {concept[:80]!r}.")
    picks = parquet.choose(found, most, only=label)
    size, pictures = sum(group.bytes for group, _ in picks), sum(len(rows) for _, rows in picks)
    if not pictures:
        raise DownloadFailed(f"The hub's files hold no picture of {concept[:80]!r} any more.")
    target = keys.root() / "pictures" / keys.digest([LET_IT_WAG, fold(concept)])
    groups = f"{len(picks)} of {len(found.groups)} row groups"
    sentence = (
        f"{pictures} pictures of “{found.names[label]}” from {files[0].in_repository.id}: {in_words(size)} ({groups}), "
        f"kept small in {target}."
    )

    def work(advance: Meter) -> None:
        sources = {file: RangeFile(files[file], advance=advance) for file in {group.file for group, _ in picks}}
        target.mkdir(parents=True, exist_ok=True)
        kept = 0
        with hub.download_errors(LET_IT_WAG):
            for group, rows in picks:
                opened = parquet.open_parquet(sources[group.file], found.footers[group.file])
                for _, data in parquet.pictures(opened, group.index, rows.tolist()):
                    try:
                        picture = safe_open(data, name="a picture of the hub's file")
                    except UnreadableData:
                        continue
                    write_bytes(target / f"{kept}.webp", encode(picture, SIZES[1]))
                    kept += 1
        repository = files[0].in_repository
        facts = {"concept": concept, "repository": repository.id, "commit": repository.commit}
        note(target / NOTE, {**facts, "pictures": kept, "unreadable": pictures - kept})

    return Plan(f"{LET_IT_WAG}/{fold(concept)}", "set", files, size, target, sentence, most, work)


@cache
def _last() -> dict[tuple[hub.RemoteFile, ...], parquet.Survey]:
    return {}


def _survey(files: tuple[hub.RemoteFile, ...], card: hub.RemoteFile | None, meter: Meter) -> parquet.Survey:
    """What the files hold, read once for a commit."""
    known = _last()
    if files not in known:
        found = letitwag.survey(files, card, meter)
        known.clear()
        known[files] = found
    return known[files]


def pictures(concept: str, *, most: int = FEW) -> tuple[bytes, ...] | None:
    """WebP pictures of a Let It Wag! concept that are on this disk, fetched for it or as part of the set; else None."""
    place = keys.root() / "pictures" / keys.digest([LET_IT_WAG, fold(concept)])
    if (place / NOTE).is_file():
        return tuple(file.read_bytes() for file in sorted(place.glob("*.webp"))[:most])
    folders = (provenance(LET_IT_WAG) or {}).get("classes", {})
    folder = next((name for name, shown in folders.items() if fold(shown) == fold(concept)), None)
    if folder is None:
        return None
    found = sorted((keys.root() / "sets" / LET_IT_WAG / folder).iterdir())[:most]
    return tuple(encode(safe_open(file.read_bytes(), name=file.name), SIZES[1]) for file in found)
