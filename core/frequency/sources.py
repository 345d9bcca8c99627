"""Every frequency source under one roof: list them, load one, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from core import plugins
from core.errors import BadInput, UnknownName, UnreadableData
from core.frequency import choice, counted, icons, imported, letitwag, published
from core.frequency.table import Provider, Records, SourceInfo, match, split
from core.stats.intervals import Tag
from core.types import FrequencyTable

AUTO, NONE = "auto", "none"
"""What a person gives for the counts of the model's own pretraining data, and to leave counts out."""
Frequency = FrequencyTable | str | None
"""Counts to use: a table, a source's name, ``none`` or empty for none, ``auto`` or None for the model's own."""

PROVIDERS: list[Provider] = [icons, published, letitwag, counted, imported]
"""In the order in which they are listed; a further family of sources is one more entry, those of extensions follow."""


def list_sources() -> list[SourceInfo]:
    """All frequency sources that can be read now."""
    return [found for _, found in _all()]


def _all() -> Iterator[tuple[Provider, SourceInfo]]:
    names = set()
    for provider in PROVIDERS:
        for found in provider.infos():
            names.add(found.name)
            yield provider, found
    for plugin in plugins.plugins("tailscope.frequency", Provider):  # type: ignore[type-abstract]
        try:
            listed = list(plugin.value.infos())
        except Exception as error:  # whatever a foreign module does
            plugin.unusable(f"it cannot list its sources ({type(error).__name__}: {error})")
            continue
        for found in listed:
            if found.name in names:
                plugin.unusable(f"a source called {found.name!r} exists already")
                continue
            names.add(found.name)
            yield _Guarded(plugin), found


@dataclass(frozen=True, slots=True)
class _Guarded:
    """The provider of an extension, whose failures name it."""

    plugin: plugins.Plugin[Provider]

    def infos(self) -> Sequence[SourceInfo]:
        return self.plugin.guarded(self.plugin.value.infos)()

    def table(self, name: str, method: str) -> FrequencyTable:
        return self.plugin.guarded(self.plugin.value.table)(name, method)

    def records(self, name: str) -> Records:
        return self.plugin.guarded(self.plugin.value.records)(name)

    def families(self, name: str) -> Mapping[str, str]:
        return self.plugin.guarded(self.plugin.value.families)(name)


def info(name: str) -> SourceInfo:
    """What one source is; raises UnknownName with close names."""
    return _find(name)[1]


def load_source(name: str, method: str | None = None) -> FrequencyTable:
    """Counts of one source under one of its methods (``text``, ``image``, ``integrated``), its own when none is named.

    Raises:
        UnknownName: no source of this name; the message suggests close ones.
        BadInput: the source has no such method.
    """
    provider, found = _find(name)
    method = method or found.default
    if method not in found.methods:
        raise BadInput(f"{name} has no {method!r} counts; choose one of {', '.join(found.methods)}.")
    return provider.table(name, method)


def load(source: SourceInfo, method: str) -> FrequencyTable:
    """The counts of a source that was looked up, under one of its methods; same errors as ``load_source``."""
    return load_source(source.name, method)


def records(name: str) -> Records:
    """All concepts of one source: concept -> {"text", "image", "integrated"}; None is unknown, not zero."""
    return _find(name)[0].records(name)


def families_of(name: str, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, str]:
    """Class key -> family, for the classes of an image set whose concept in this source has one."""
    provider, found = _find(name)
    known = provider.families(name)
    met = match(provider.table(name, found.default), keys, names).spelled if known else {}
    return {key: known[concept] for key, concept in met.items() if concept in known}


def families_in(source: SourceInfo, keys: Sequence[str], names: Sequence[str] = ()) -> dict[str, str]:
    """The families of a source that was looked up; see ``families_of``."""
    return families_of(source.name, keys, names)


def own(model: str, keys: Sequence[str] = (), names: Sequence[str] = ()) -> str:
    """The source that counts a model's own pretraining data (``core.frequency.choice``), empty when there is none.

    Args:
        keys, names: classes of the image set, so that the way of counting that joins most of them is taken.
    """
    return choice.choose(model, keys, names).source


@dataclass(frozen=True, slots=True)
class Groups:
    """Head, torso and tail by one source: class key -> group, and the source's name; both empty without counts."""

    tags: Mapping[str, Tag]
    source: str


def table_for(
    model: str, keys: Sequence[str] = (), names: Sequence[str] = (), *, frequency: Frequency = None
) -> FrequencyTable | None:
    """The counts to use for a model and the classes of an image set; None without any."""
    if isinstance(frequency, FrequencyTable):
        return frequency
    source = own(model, keys, names) if frequency in (None, AUTO) else frequency
    return None if source in ("", NONE) else load_source(source)


def groups(model: str, keys: Sequence[str], names: Sequence[str] = (), *, frequency: Frequency = None) -> Groups:
    """Head, torso or tail of every class of an image set, for one model."""
    table = table_for(model, keys, names, frequency=frequency)
    return Groups(split(table, keys, names), table.name) if table else Groups({}, "")


def _find(name: str) -> tuple[Provider, SourceInfo]:
    names = []
    for provider, candidate in _all():
        if candidate.name == name:
            return provider, candidate
        names.append(candidate.name)
    if name.startswith(published.PREFIX) and (reason := published.problem()):
        raise UnreadableData(reason)
    close = get_close_matches(name, names, n=3, cutoff=0.4) or names[:5]
    raise UnknownName(f"No frequency source is called {name!r}; did you mean {' or '.join(close)}?")
