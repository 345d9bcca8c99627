"""Other names under which a class was counted: ImageNet's classes by wnid, and one Let It Wag! concept.

The release counts ImageNet under OpenAI's list of names; open_clip has since given two classes names that other
classes hold (744 ``missile``, 836 ``sunglasses``). Tables of counts from elsewhere are often keyed by wnid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from core.datasets.names import imagenet_classes

RENAMED = {744: "projectile", 836: "sunglass"}
"""Index of the class -> its own name in OpenAI's list, where open_clip's is that of another class."""
LET_IT_WAG = {"stratified_texture": "stratified"}
"""Let It Wag! concept -> its name in DTD, from which it comes."""


def wnids(keys: Sequence[str]) -> Sequence[str]:
    """The keys themselves, or the WordNet ids behind ImageNet's thousand integer folders."""
    listed = imagenet_classes()
    if listed and list(keys) == [str(index) for index in range(len(listed))]:
        return [wnid for wnid, _ in listed]
    return keys


def of_wnid(key: str) -> tuple[str, ...]:
    """ImageNet names of a class given as a WordNet id, the one that is its own first; empty for another key."""
    return _by_wnid().get(key, ())


def of_name(name: str) -> tuple[str, ...]:
    """WordNet id and other names of the ImageNet class of this name, or what a Let It Wag! concept was counted as."""
    other = LET_IT_WAG.get(name.replace(" ", "_"))
    return (other,) if other else _by_name().get(name, ())


@cache
def _by_wnid() -> Mapping[str, tuple[str, ...]]:
    listed = imagenet_classes()
    held = Counter(name for _, name in listed)
    found = {}
    for index, (wnid, name) in enumerate(listed):
        own = RENAMED.get(index)
        # The name that two classes hold stays with the class that had it first.
        found[wnid] = (own,) if own and held[name] > 1 else tuple(dict.fromkeys((name, *([own] if own else ()))))
    return found


@cache
def _by_name() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for wnid, names in _by_wnid().items():
        for name in names:
            found[name] = (wnid, *(other for other in names if other != name))
    return found
