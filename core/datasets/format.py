"""Layouts that recognise themselves: those listed here, and those of other packages (``tailscope.datasets``).

To add one, give its module a ``FORMAT`` and list it in ``LISTED``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path

from core import plugins
from core.types import ImageSet


@dataclass(frozen=True, slots=True)
class Format:
    """One layout of an image set on a disk.

    Attributes:
        kind: what the layout is called; one word.
        detect: whether a file or folder is laid out so. It is asked of every path that is opened, before any other
            layout is tried: look at a few names, and say True only to what can be nothing else.
        open: opens such a path as ``open(path, id=, names=, naming=, roots=)``, like the functions of
            ``core.datasets.formats``; raises UnreadableData where it cannot.
    """

    kind: str
    detect: Callable[[Path], bool]
    open: Callable[..., ImageSet]


LISTED = ("core.datasets.formats.vidrobust", "core.datasets.formats.ytbbrobust")


@cache
def _listed() -> Mapping[str, Format]:
    found = [import_module(module).FORMAT for module in LISTED]
    return {one.kind: one for one in found}


def kinds(taken: Collection[str]) -> tuple[str, ...]:
    """Every such layout.

    Args:
        taken: kinds that are recognised in another way, which no extension may take.
    """
    return (*_listed(), *_added(taken))


def claimed(path: Path, taken: Collection[str]) -> Format | None:
    """The layout that recognises a path; an extension that fails while it looks is reported and passed over."""
    for one in _listed().values():
        if one.detect(path):
            return one
    for plugin in _added(taken).values():
        try:
            if plugin.value.detect(path):
                return replace(plugin.value, open=plugin.guarded(plugin.value.open))
        except Exception as error:  # whatever a foreign module does
            plugin.unusable(f"it failed to look at {path.name} ({type(error).__name__}: {error})")
    return None


def _added(taken: Collection[str]) -> dict[str, plugins.Plugin[Format]]:
    return plugins.by_id("tailscope.datasets", Format, lambda one: one.kind, {*_listed(), *taken})
