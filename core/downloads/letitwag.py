"""Let It Wag! (Udandarao et al., 2024): 290 rare concepts, 450 images each, as class folders of the original bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cache.files import write_bytes
from core.downloads import hub, on_hub, parquet
from core.downloads.on_hub import ON_HUB
from core.downloads.plan import Meter, Plan, in_words
from core.downloads.ranges import RangeFile
from core.downloads.site import Site, finished, note
from core.published.names import LET_IT_WAG


def plan_letitwag(per_class: int | None, meter: Meter) -> Plan:
    """Plan Let It Wag!: nine parquet files, or the row groups that hold ``per_class`` images of every class."""
    where = ON_HUB[LET_IT_WAG]
    files, card = on_hub.listed(where)
    if done := finished("letitwag", files, per_class):
        return done
    whole = sum(file.size for file in files)
    site = Site("letitwag", files, per_class)
    if per_class is None:
        names = on_hub.names_of_card(card)
        sentence = f"letitwag: {in_words(whole)} in {len(files)} files from {site.origin}."
        return site.plan(whole, sentence, lambda advance: _all_pictures(site, names, advance))
    found = on_hub.survey(where, files, card, meter)
    picks = parquet.choose(found, per_class)
    size = sum(group.bytes for group, _ in picks)
    sentence = (
        f"letitwag: {in_words(size)} ({len(picks)} of {len(found.groups)} row groups) hold {per_class} images of each "
        f"of {len(found.names)} classes; all images would be {in_words(whole)}. From {site.origin}."
    )
    return site.plan(size, sentence, lambda advance: _some_pictures(site, found, picks, advance))


def _all_pictures(site: Site, names: Sequence[str], advance: Meter) -> dict[str, Any]:
    """Unpack one parquet file after the other; only one of them is on disk at any time."""
    folders: dict[str, str] = {}
    left_out: list[dict[str, str]] = []
    for index, file in enumerate(site.files):
        mark, local = site.work / f"{index}.done", site.work / f"{index}.parquet"
        if mark.exists():
            advance(file.size)
        else:
            hub.download(file, local, advance=advance)
            with open(local, "rb") as source:
                found = parquet.survey([source], names=names)
                folders = class_folders(found.names, folders)
                opened = parquet.open_parquet(source)
                missed = []
                for group in found.groups:
                    advance(0)
                    where = [folders[found.names[label]] for label in group.labels]
                    missed += _unpack(site, opened, group, range(len(where)), where, file=index)
            note(mark, {"folders": folders, "left_out": missed})
        done = json.loads(mark.read_text())
        folders = done["folders"]
        left_out += done["left_out"]
        local.unlink(missing_ok=True)
    return _facts(site, folders, left_out)


def _some_pictures(
    site: Site, found: parquet.Survey, picks: Sequence[tuple[parquet.RowGroup, Any]], advance: Meter
) -> dict[str, Any]:
    folders = class_folders(found.names)
    left_out: list[dict[str, str]] = []
    sources = [RangeFile(file, advance=advance) for file in site.files]
    for group, rows in picks:
        mark = site.work / f"{group.file}-{group.index}.done"
        if mark.exists():
            advance(group.bytes)
        else:
            opened = parquet.open_parquet(sources[group.file], found.footers[group.file])
            where = [folders[found.names[label]] for label in group.labels]
            note(mark, _unpack(site, opened, group, rows, where, file=group.file))
        left_out += json.loads(mark.read_text())
    return _facts(site, folders, left_out)


def _unpack(
    site: Site, opened: object, group: parquet.RowGroup, rows: Sequence[int], where: Sequence[str], *, file: int
) -> list[dict[str, str]]:
    """Write the original bytes of these rows into their folders; what is not a picture is left out, with the reason."""
    left_out = []
    for row, data in parquet.pictures(opened, group.index, rows):
        name = f"{file:02d}-{group.first_row + row:06d}"
        if kind := parquet.image_type(data):
            (site.data / where[row]).mkdir(exist_ok=True)
            write_bytes(site.data / where[row] / f"{name}.{kind}", data)
        else:
            left_out.append({"item": f"{where[row]}/{name}", "reason": "its bytes are in no picture format known here"})
    return left_out


def _facts(site: Site, folders: Mapping[str, str], left_out: list[dict[str, str]]) -> dict[str, Any]:
    for folder in folders.values():
        (site.data / folder).mkdir(exist_ok=True)
    return {"classes": {folder: name for name, folder in folders.items()}, "left_out": left_out}


def class_folders(names: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """A harmless folder of its own for every class name, added to those already ``known``.

    What is unusual in a file name becomes ``_``; a name that would meet another one's folder gets a number.
    """
    folders = dict(known or {})
    taken = {folder.casefold() for folder in folders.values()}  # some file systems do not tell cases apart
    for name in names:
        if name in folders:
            continue
        plain = re.sub(r"[^\w ()&',.+-]", "_", name)[:100].strip(" .") or "class"
        folder, number = plain, 1
        while folder.casefold() in taken:
            number += 1
            folder = f"{plain}-{number}"
        taken.add(folder.casefold())
        folders[name] = folder
    return folders
