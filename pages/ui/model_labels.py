"""How a model stands in a list: its id first, then what a person should know before choosing it."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import PurePosixPath

from core.downloads.plan import in_words
from core.errors import TailscopeError
from core.models import registry as models
from core.published import letitwag, openclip
from core.published.models import find_model

LONG = 48
"""A path that makes a name longer than this is shown by its end."""


@lru_cache(maxsize=1024)
def label(id: str, group: str, size: int | None) -> str:
    """One model of the list in words.

    Args:
        group: where its answers come from, in words; size: bytes of the weights on this disk.
    """
    return f"{short(id)} · {about(id, group, size)}"


@lru_cache(maxsize=1024)
def about(id: str, group: str, size: int | None) -> str:
    """What a person should know of it: ImageNet accuracy, size, where its answers come from, a wrong activation."""
    parameters, imagenet = _figures().get(id, (None, None))
    facts = [
        f"ImageNet {imagenet:.1f} %" if imagenet else "",
        f"{parameters:,.0f} M parameters" if parameters else "",
        in_words(size) if size else "",
        group,
        _activation(id),
    ]
    return ", ".join(filter(None, facts))


def short(id: str) -> str:
    """A model's id, a long path in it by its last two parts."""
    path = models.path_of(id)
    if path is None or len(id) <= LONG:
        return id
    head = id.removesuffix(str(path))
    return f"{head}…/{PurePosixPath(*path.parts[-2:])}"


def _activation(id: str) -> str:
    """A word of warning for weights under a configuration of the other activation."""
    try:
        wrong = models.kind(id) == "open_clip" and models.quickgelu_warning(id)
    except TailscopeError:
        return ""
    return "QuickGELU mismatch: lower accuracy" if wrong else ""


@cache
def _figures() -> dict[str, tuple[float | None, float | None]]:
    """Model -> millions of parameters and ImageNet accuracy in percent, as open_clip or the release tell them."""
    found: dict[str, tuple[float | None, float | None]] = {
        f"{one.arch},{one.pretrained}": (None, 100 * one.value)
        for one in openclip.results()
        if one.benchmark.set == "imagenet1k"
    }
    for one in letitwag.models():
        try:
            known = find_model(f"{one.model},{one.pretraining}")
        except TailscopeError:  # a damaged release
            continue
        if known is not None:
            found[known.id] = (one.parameters, one.imagenet)
    return found
