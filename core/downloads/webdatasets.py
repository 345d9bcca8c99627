"""clip-benchmark's webdatasets: all test shards as they are, or one shard with the first images of every class."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from core.downloads import hub, tars
from core.downloads.plan import Meter, Plan, in_words
from core.downloads.ranges import WORKERS, RangeFile, in_parallel
from core.downloads.site import Site, finished, note
from core.errors import BadInput, DownloadFailed, UnknownName
from core.text.lines import lines_of

WDS_ID = re.compile(r"wds_[A-Za-z0-9][A-Za-z0-9._-]{0,80}")
SHARD = re.compile(r"test/(\d+)\.tar")
TEXTS = ("classnames.txt", "zeroshot_classification_templates.txt", "dataset_type.txt")


def plan_wds(id: str, per_class: int | None, meter: Meter) -> Plan:
    """Plan a clip-benchmark webdataset: all test shards, or the first ``per_class`` images of every class."""
    if not WDS_ID.fullmatch(id):
        raise UnknownName(f"{id!r} is not the name of a clip-benchmark set; they look like wds_imagenet-a.")
    listed = {file.path: file for file in hub.files(f"clip-benchmark/{id}", kind="dataset")}
    numbers = sorted(int(match[1]) for path in listed if (match := SHARD.fullmatch(path)))
    shards = [listed[f"test/{number}.tar"] for number in numbers]
    texts = [listed[path] for path in TEXTS if path in listed]
    if not shards:
        raise DownloadFailed(f"clip-benchmark/{id} holds no test/0.tar; it is not a webdataset of images.")
    files = (*shards, *texts, *(listed[path] for path in ("test/nshards.txt",) if path in listed))
    if done := finished(id, files, per_class):
        return done
    whole = sum(file.size for file in files)
    site = Site(id, files, per_class)
    if per_class is None:
        sentence = f"{id}: {in_words(whole)} in {len(shards)} shards from {site.origin}."
        return site.plan(whole, sentence, lambda advance: _all_files(site, advance))
    names = hub.read_text(listed["classnames.txt"]) if "classnames.txt" in listed else ""
    n_classes = len(lines_of(names.rstrip()))
    typical = tars.typical_size(RangeFile(shards[0], window=tars.WINDOW, advance=meter))
    if not n_classes or not typical:
        raise BadInput(f"{id} has captions instead of classes, or no images: fetch all of it (leave out per class).")
    window = tars.window_for(typical)
    count = sum(file.size for file in shards) // typical + 1
    looked = count * window if window < typical else whole
    size = min(whole, looked + min(count, n_classes * per_class) * typical)
    sentence = (
        f"{id}: about {in_words(size)} for the first {per_class} images of each of {n_classes} classes, found by "
        f"reading the headers of up to {count:,} images; all images would be {in_words(whole)}. From {site.origin}."
    )
    return site.plan(
        size, sentence, lambda advance: _quick_look(site, shards, texts, n_classes, window, per_class, advance)
    )


def _all_files(site: Site, advance: Meter) -> dict[str, Any]:
    for file in site.files:
        hub.download(file, site.data / file.path, advance=advance)
    return {}


def _quick_look(
    site: Site,
    shards: Sequence[hub.RemoteFile],
    texts: Sequence[hub.RemoteFile],
    n_classes: int,
    window: int,
    per_class: int,
    advance: Meter,
) -> dict[str, Any]:
    wanted = {"per_class": per_class, "n_classes": n_classes}

    def walk(shard: int) -> list[tars.Sample]:
        marks = site.work / f"{shard}.walked"
        if not marks.exists():
            source = RangeFile(shards[shard], window=window, largest=tars.LARGEST_PICTURE, advance=advance)
            note(marks, [sample.to_json() for sample in tars.walk(source, shard, **wanted)])
        return [tars.Sample.from_json(value) for value in json.loads(marks.read_text())]

    samples: list[tars.Sample] = []
    for first in range(0, len(shards), WORKERS):
        for found in in_parallel(walk, range(first, min(first + WORKERS, len(shards)))):
            samples += found
        samples, complete = tars.first_of_every_class(samples, **wanted)
        if complete:
            break
    sources = [RangeFile(file, largest=tars.LARGEST_PICTURE, advance=advance) for file in shards]
    tars.fetch_pictures(sources, samples, site.work / "pictures")
    for file in texts:
        hub.download(file, site.data / file.path, advance=advance)
    (site.data / "test").mkdir(exist_ok=True)
    tars.write_shard(samples, site.work / "pictures", site.data / "test" / "0.tar")
    (site.data / "test" / "nshards.txt").write_text("1")
    return {"images": len(samples)}
