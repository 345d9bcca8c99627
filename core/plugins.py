"""Extensions that other installed packages offer under Tailscope's entry points, and which of them cannot be used.

A package names its extensions in the groups below (docs/EXTENDING.md). One that cannot be imported, or is not what its
group asks for, is named once in the log and skipped; nothing else is affected.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from functools import cache, wraps
from importlib.metadata import EntryPoint, distributions
from typing import Any, Generic, Literal, ParamSpec, TypeVar, get_args

from core.errors import ExtensionFailed, TailscopeError

Group = Literal["tailscope.datasets", "tailscope.prompts", "tailscope.frequency", "tailscope.attacks"]
GROUPS: tuple[Group, ...] = get_args(Group)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_log = logging.getLogger(__name__)
_problems: dict[tuple[Group, str, str], str] = {}


@dataclass(frozen=True, slots=True)
class Plugin(Generic[T]):
    """One usable extension: its entry point's name, and the package that offers it with its version."""

    group: Group
    name: str
    package: str
    value: T = field(compare=False, repr=False)

    def unusable(self, reason: str) -> None:
        """Say once that it is skipped after all, and why."""
        _report(self.group, self.name, self.package, reason)

    def guarded(self, function: Callable[P, R]) -> Callable[P, R]:
        """A function of the extension that raises ExtensionFailed where it fails in a way nobody planned for."""

        @wraps(function)
        def call(*args: P.args, **options: P.kwargs) -> R:
            try:
                return function(*args, **options)
            except TailscopeError:
                raise
            except Exception as error:
                told = f"{type(error).__name__}: {error}".rstrip(".")
                raise ExtensionFailed(
                    f"The extension {self.name} of {self.package} ({self.group}) failed: {told}. Report it to its "
                    "authors, or uninstall it."
                ) from error

        return call


def plugins(group: Group, kind: type[T]) -> tuple[Plugin[T], ...]:
    """The extensions of a group, by package and name; those that are no ``kind`` are reported and skipped."""
    found = []
    for name, package, value in _loaded(group):
        if isinstance(value, kind):
            found.append(Plugin(group, name, package, value))
        else:
            _report(group, name, package, f"it is of the type {type(value).__name__}, not {kind.__name__}")
    return tuple(found)


def by_id(group: Group, kind: type[T], id_of: Callable[[T], str], taken: Container[str]) -> dict[str, Plugin[T]]:
    """The extensions of a group by what ``id_of`` calls them, without those whose id is taken already."""
    found: dict[str, Plugin[T]] = {}
    for plugin in plugins(group, kind):
        id = id_of(plugin.value)
        if id in found or id in taken:
            plugin.unusable(f"{id!r} exists already")
        else:
            found[id] = plugin
    return found


def problems() -> tuple[str, ...]:
    """One sentence for every extension that is skipped, of the groups that were read so far."""
    return tuple(_problems.values())


def skipped(plugin: Plugin[Any]) -> bool:
    """Whether an extension is among those that are skipped."""
    return (plugin.group, plugin.name, plugin.package) in _problems


def forget() -> None:
    """Look for extensions anew: packages were installed or removed while this process ran."""
    _loaded.cache_clear()
    _problems.clear()


@cache
def _loaded(group: Group) -> tuple[tuple[str, str, Any], ...]:
    found = []
    for entry, package in sorted(_entries(group), key=lambda item: (item[1], item[0].name)):
        try:
            found.append((entry.name, package, entry.load()))
        except Exception as error:  # whatever a foreign module does while it is imported
            _report(group, entry.name, package, f"{type(error).__name__}: {error}")
    return tuple(found)


def _entries(group: Group) -> Iterator[tuple[EntryPoint, str]]:
    seen = set()
    for package in distributions(path=list(sys.path)):  # a copy: see core.versions
        if package.name in seen:  # the first on the path is the one that is imported
            continue
        seen.add(package.name)
        for entry in package.entry_points:
            if entry.group == group:
                yield entry, f"{package.name} {package.version}"


def _report(group: Group, name: str, package: str, reason: str) -> None:
    if (group, name, package) not in _problems:
        told = " ".join(reason.split())[:300].rstrip(".")
        _problems[group, name, package] = f"The extension {name} of {package} ({group}) is skipped: {told}."
        _log.warning(_problems[group, name, package])
