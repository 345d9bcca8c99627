"""What a lens stands for, so that a question about it has a key made from content.

A lens names weights, images, sentences and counts. All of them can change behind their names, so it is their digests
that count. Importing this module registers lenses with ``core.runtime.content``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from cache import keys
from core.datasets.layout import stamp
from core.errors import TailscopeError
from core.evaluation import embed
from core.evaluation.evaluate import ANSWER_SCHEMA
from core.frequency import sources
from core.models import registry, weights
from core.prompts import prompt_file
from core.runtime.content import content
from core.runtime.machine import settled_precision
from core.supervised import answers
from core.supervised import names as supervised
from core.types import ImageSet, Lens
from core.versions import version

_in_use: WeakValueDictionary[str, ImageSet] = WeakValueDictionary()


def use(image_set: ImageSet) -> None:
    """From now on lenses that name this set mean this state of it (its pictures and its class names)."""
    _in_use[image_set.id] = image_set


def in_use(id: str) -> ImageSet | None:
    """The state of this set that lenses mean, if it was opened here."""
    return _in_use.get(id)


@content.register
def _(lens: Lens) -> bytes:
    path = prompt_file(lens.prompts)
    return content(
        {
            "schema": [ANSWER_SCHEMA, embed.SCHEMA],
            "model": model_digest(lens.model),
            "precision": settled_precision(lens.precision),
            "images": _images(lens.image_set),
            "prompts": [lens.prompts, keys.file_digest(path) if path else None],
            "frequency": sources.info(lens.frequency) if lens.frequency else None,
        }
    )


def model_digest(model: str) -> str:
    """Digest of what answers under a model's name: the weights, their configuration and the libraries that run them."""
    versions = {name: version(name) for name in ("torch", "open_clip_torch", "timm")}
    try:
        if supervised.is_supervised(model):
            found: object = answers.digests(model)
        else:
            found = weights.digests(registry.find(model))
    except TailscopeError:
        found = None  # not on this disk; once it is, a question about it is another one
    return keys.digest([model, found, versions])


def _images(id: str) -> ImageSet | list[Any]:
    """The set of this id as it is in use here; else the state of its folder, for an id that is a path."""
    image_set = _in_use.get(id)
    if image_set is not None:
        return image_set
    return [id, *(stamp(Path(id)) if Path(id).exists() else ())]
