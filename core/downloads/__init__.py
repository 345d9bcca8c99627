"""Downloads a person asks for: a plan that states the size first, then a run with progress, Stop and resume.

Weights land where open_clip itself looks (Hugging Face cache, ``~/.cache/clip``); image sets land under
``cache.keys.root()/sets/<id>/`` with a ``provenance.json`` that records the commit.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cache import keys
from core.downloads.model import plan_model
from core.downloads.plan import Meter, Plan, in_words
from core.downloads.site import provenance
from core.errors import BadInput, DownloadFailed, UnknownName
from core.types import Progress, Report, silent

__all__ = [
    "Fetchable",
    "Plan",
    "fetchable",
    "in_words",
    "list_fetchable",
    "plan_model",
    "plan_set",
    "provenance",
    "run",
]

SPARE = 256 << 20  # bytes that a download leaves free on the disk


def run(plan: Plan, *, report: Report) -> Path:
    """Carry out a plan and return its target; units of progress are bytes.

    Stopped or killed at any moment, the next run of the same plan goes on where this one ended. A second process with
    the same plan waits for the first.
    """
    _require_room(plan)
    with _alone(plan, report):
        plan.work(Meter(report, plan.bytes, plan.id))
    return plan.target


def plan_set(id: str, per_class: int | None = None, *, report: Report = silent) -> Plan:
    """Plan an image set: ``letitwag`` or ``wds_NAME`` (also CLIP_benchmark's ``wds/NAME``).

    With ``per_class``, labels are read first (a few MB by range requests, told to ``report``) to find out which parts
    of the files hold that many images of every class.
    """
    from core.downloads.letitwag import plan_letitwag
    from core.downloads.webdatasets import plan_wds

    id = fetchable(id)
    if per_class is not None and per_class < 1:
        raise BadInput(f"{per_class} images of every class cannot be fetched; ask for at least 1.")
    meter = Meter(report, 0, f"the labels of {id}")
    return plan_letitwag(per_class, meter) if id == "letitwag" else plan_wds(id, per_class, meter)


def fetchable(text: str) -> str:
    """The id of an image set that a person wants fetched; UnknownName for what no hub is asked for."""
    id = f"wds_{text.removeprefix('wds/').replace('/', '-')}" if text.startswith("wds/") else text
    if id == "letitwag" or id.startswith("wds_"):
        return id
    raise UnknownName(f"{text!r} cannot be fetched; choose letitwag or one of clip-benchmark's wds_NAME sets.")


@dataclass(frozen=True, slots=True)
class Fetchable:
    """An image set that can be downloaded.

    Attributes:
        bytes: size of the whole set where it is known without asking the hub (the plan states it exactly).
        classes: whether it has classes, so that a few images of every class can be asked for.
        available: it is on this disk, as a whole or in part (see ``provenance``).
    """

    id: str
    title: str
    note: str
    bytes: int | None
    classes: bool
    available: bool


def list_fetchable() -> list[Fetchable]:
    """The sets on offer; any other ``wds_NAME`` of clip-benchmark can be typed. Never uses the network."""
    return [
        Fetchable(id, title, note, size, classes, provenance(id) is not None)
        for id, title, note, size, classes in OFFERED
    ]


@contextmanager
def _alone(plan: Plan, report: Report) -> Iterator[None]:
    folder = keys.root() / "locks"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"fetch-{keys.digest(plan.id)}.lock")
    while not lock.is_locked:
        try:
            lock.acquire(timeout=0.5)
        except Timeout:
            report(Progress(0, plan.bytes, f"{plan.id} is being fetched by another process; waiting for it"))
    try:
        yield
    finally:
        lock.release()


def _require_room(plan: Plan) -> None:
    there = next(folder for folder in (plan.target, *plan.target.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if plan.bytes and free < plan.bytes + SPARE:
        raise DownloadFailed(
            f"{plan.id} needs {in_words(plan.bytes)}, but only {in_words(free)} are free in {there}. "
            "Make room, or point TAILSCOPE_CACHE (image sets) or HF_HOME (weights) to another disk."
        )


OFFERED = (
    ("letitwag", "Let It Wag!", "290 rare concepts, about 130,000 images (MIT)", 4_911_000_000, True),
    ("wds_imagenet1k", "ImageNet validation", "1,000 classes", None, True),
    ("wds_imagenetv2", "ImageNet-V2", "1,000 classes, 10,000 new images", None, True),
    ("wds_imagenet-a", "ImageNet-A", "200 classes, 7,500 natural adversarial images", 696_000_000, True),
    ("wds_imagenet-r", "ImageNet-R", "200 classes as art, cartoons, toys ...", None, True),
    ("wds_imagenet_sketch", "ImageNet-Sketch", "1,000 classes as drawings", None, True),
    ("wds_objectnet", "ObjectNet", "113 classes of household objects", None, True),
    ("wds_cars", "Stanford Cars", "196 models of cars", None, True),
    ("wds_fgvc_aircraft", "FGVC-Aircraft", "100 variants of aircraft", None, True),
    ("wds_sun397", "SUN397", "397 scenes", None, True),
    ("wds_country211", "Country211", "211 countries", None, True),
    ("wds_voc2007", "Pascal VOC 2007", "20 classes of objects", None, True),
    ("wds_vtab-caltech101", "Caltech-101", "objects", None, True),
    ("wds_vtab-cifar10", "CIFAR-10", "10 classes at 32 px", None, True),
    ("wds_vtab-cifar100", "CIFAR-100", "100 classes at 32 px", None, True),
    ("wds_vtab-dtd", "Describable Textures", "47 textures", None, True),
    ("wds_vtab-eurosat", "EuroSAT", "10 kinds of land in satellite images", None, True),
    ("wds_vtab-flowers", "Oxford Flowers", "102 flowers", None, True),
    ("wds_vtab-pets", "Oxford-IIIT Pets", "37 breeds of cats and dogs", None, True),
    ("wds_flickr8k", "Flickr8k", "images with captions, for retrieval", None, False),
    ("wds_flickr30k", "Flickr30k", "images with captions, for retrieval", None, False),
    ("wds_mscoco_captions", "MS COCO captions", "images with captions, for retrieval", None, False),
)
