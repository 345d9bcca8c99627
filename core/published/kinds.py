"""What kind of thing a concept is: bird, dog, aircraft … A data set's name is no kind.

ImageNet's classes stand in the order of their WordNet ids, in which kinds are runs; other data sets are of one kind
each, as their makers describe them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from core.datasets.names import imagenet_classes
from core.published.letitwag import concepts

RUNS = (
    (0, "fish"), (7, "bird"), (25, "amphibian"), (33, "reptile"), (52, "snake"), (69, "insect or arachnid"),
    (80, "bird"), (101, "mammal"), (107, "invertebrate"), (127, "bird"), (147, "mammal"), (151, "dog"),
    (269, "mammal"), (281, "cat"),
    (286, "mammal"), (300, "insect or arachnid"), (327, "invertebrate"), (330, "mammal"), (365, "primate"),
    (385, "mammal"), (389, "fish"), (398, "object"), (924, "food"), (970, "scene"), (981, "person"), (984, "flower"),
    (987, "plant"), (991, "fungus"), (998, "plant"), (999, "object"),
)  # fmt: skip
"""First class of every run among the thousand; objects include vehicles, buildings and instruments."""
OF_SET = {
    "birdsnap": "bird", "cub": "bird", "fgvcaircraft": "aircraft", "flowers102": "flower", "food101": "food",
    "stanfordcars": "car", "dtd": "texture", "eurosat": "scene", "sun397": "scene", "country211": "country",
    "ucf101": "action",
}  # fmt: skip


@cache
def of_imagenet() -> Mapping[str, str]:
    """WordNet id and name -> kind, for ImageNet's classes."""
    found: dict[str, str] = {}
    for index, (wnid, name) in enumerate(imagenet_classes()):
        kind = next(kind for start, kind in reversed(RUNS) if index >= start)
        found[wnid] = kind
        found.setdefault(name, kind)
    return found | {"projectile": "object", "sunglass": "object"}


@cache
def of_let_it_wag() -> Mapping[str, str]:
    """Key -> kind, for the 290 Let It Wag! concepts."""
    return {one.key: one.family for one in concepts()}


def kind(concept: str, dataset: str) -> str:
    """The kind of a concept of one data set; empty where neither its name nor its set tells."""
    known = OF_SET.get(dataset) or of_imagenet().get(concept) or of_imagenet().get(concept.replace("_", " "))
    return known or of_let_it_wag().get(concept, "")
