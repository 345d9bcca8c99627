"""Every layout of image sets: those told apart by ``layout``, and those that recognise themselves.

To add one of the latter, give its module a ``FORMAT`` and put that into ``LISTED``; other packages offer theirs under
``tailscope.datasets``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core import plugins
from core.datasets.beside import open_tables
from core.datasets.format import Format, Opening
from core.datasets.formats import vidrobust, ytbbrobust
from core.datasets.formats.captions import open_captions
from core.datasets.formats.embeddings import open_embeddings
from core.datasets.formats.folders import open_folders
from core.datasets.formats.imagefolder import open_imagefolder
from core.datasets.formats.objectnet import open_objectnet
from core.datasets.formats.parquet import open_parquet
from core.datasets.formats.webdataset import open_webdataset
from core.datasets.imagenet_val import open_imagenet_val
from core.types import ImageSet

OPENERS: Mapping[str, Callable[[Any, Opening], ImageSet]] = {
    "folders": open_folders,
    "letitwag": open_folders,
    "webdataset": open_webdataset,
    "captions": open_captions,
    "table": open_tables,
    "imagenetval": open_imagenet_val,
    "imagefolder": open_imagefolder,
    "parquet": open_parquet,
    "embeddings": open_embeddings,
    "objectnet": open_objectnet,
}
"""By the kind that ``layout.find_layout`` gives; they open a path, and webdatasets an address too."""
LISTED = (vidrobust.FORMAT, ytbbrobust.FORMAT)


def layouts() -> tuple[str, ...]:
    """Every kind of image set that is recognised by what lies at its path."""
    return (*OPENERS, *(one.kind for one in LISTED), *_added())


def claimed(path: Path) -> Format | None:
    """The layout that recognises a path; an extension that fails while it looks is reported and passed over."""
    for one in LISTED:
        if one.detect(path):
            return one
    for plugin in _added().values():
        try:
            if plugin.value.detect(path):
                return replace(plugin.value, open=plugin.guarded(plugin.value.open))
        except Exception as error:  # whatever a foreign module does
            plugin.unusable(f"it failed to look at {path.name} ({type(error).__name__}: {error})")
    return None


def _added() -> dict[str, plugins.Plugin[Format]]:
    taken = {*OPENERS, *(one.kind for one in LISTED)}
    return plugins.by_id("tailscope.datasets", Format, lambda one: one.kind, taken)
