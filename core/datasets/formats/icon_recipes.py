"""How the test sets of the embedded world are drawn, and what is on each of their pictures.

Seeds are disjoint from those of the corpora and of one another. The shifts keep what the pretraining distribution
decides (seen colours, backgrounds, patterns) and change one thing each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from cache import keys as cache_keys
from core.errors import UnreadableData
from core.icons.concepts import IconConcept, concepts, held_out
from core.icons.corpus import draw
from core.icons.counts import read_counts
from core.icons.render import Drawing, contrasting_backgrounds
from core.icons.setting import PRETRAINING, Setting
from core.paths import ASSETS

RENDERER = 1
"""Raised whenever pictures change; the test against committed thumbnails fails when that is forgotten."""
KEPT = ASSETS / "robustness" / "icons_adversarial.json"
"""The candidates that the reference model gets wrong; written by ``python -m core icons adversarial``."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a test set is drawn.

    Attributes:
        title: what it is, in a few words.
        seed: first number of every picture's seed, unique to the set.
        per_concept: pictures of each concept; candidates of each for a filtered set.
        rarest_fifth: only the tail of the largest corpus, by icons drawn.
        held_out: colours from the held-out pairs instead of the seen ones.
        styles: drawing styles in turn by chance, instead of those of pretraining.
        setting: how the renderer is set up.
        reach: frames on either side of an anchor, in sequences of 2 reach + 1; 0 for single pictures.
        every: only each so many-th concept.
        filtered: only the candidates listed in ``KEPT``.
    """

    title: str
    seed: int
    per_concept: int
    rarest_fifth: bool = False
    held_out: bool = False
    styles: tuple[str, ...] = ()
    setting: Setting = PRETRAINING
    reach: int = 0
    every: int = 1
    filtered: bool = False

    @property
    def frames(self) -> int:
        """Pictures of one sequence, 1 for single pictures."""
        return 2 * self.reach + 1


RECIPES = {
    "icons": Recipe("Icons, balanced", 3, 20),
    "icons-tail": Recipe("Icons, the rarest fifth", 4, 40, rarest_fifth=True),
    "icons-composition": Recipe("Icons in colours never seen together", 5, 10, held_out=True),
    "icons-v2": Recipe(
        "Icons, collected again", 6, 10, setting=Setting(wobble=1.3, noise=9.0, scale=(1.45, 2.6), tint=16.0)
    ),
    "icons-sketch": Recipe("Icons as sketches and outlines", 7, 10, styles=("outline", "sketch")),
    "icons-stylised": Recipe(
        "Icons embossed, stamped, faded and marbled", 8, 10, styles=("embossed", "stamped", "low-contrast", "marbled")
    ),
    "icons-cluttered": Recipe("Icons among others, behind a bar", 9, 10, setting=Setting(clutter=5, occluder=9.0)),
    "icons-adversarial": Recipe("Icons that the reference model gets wrong", 10, 50, filtered=True),
    "icons-frames": Recipe("Icons in shaky sequences", 11, 11, reach=5, every=4),
}
SHIFTS = tuple(RECIPES)[3:]
"""The natural shifts of ``icons``, in the order in which they are shown."""


@cache
def concepts_of(id: str) -> tuple[IconConcept, ...]:
    """The concepts of a set, in the order of its labels."""
    recipe = RECIPES[id]
    if not recipe.rarest_fifth:
        return concepts()[:: recipe.every]
    counts = {key: record["image"] for key, record in read_counts("icons-200k").items()}
    # A fixed set: equal counts are ordered by key, so that it does not grow with the ties at its edge.
    rarest = set(sorted(counts, key=lambda key: (counts[key], key))[: len(counts) // 5])
    return tuple(concept for concept in concepts() if concept.key in rarest)


def numbers_of(id: str, key: str) -> Sequence[int]:
    """The numbers of a concept's pictures in a set, rising."""
    recipe = RECIPES[id]
    return kept_numbers().get(key, ()) if recipe.filtered else range(recipe.per_concept)


@cache
def _index() -> dict[str, int]:
    return {concept.key: index for index, concept in enumerate(concepts())}


def draw_one(id: str, key: str, number: int) -> Drawing:
    """The drawing ``key/number`` of a built-in set; it depends on nothing else. Frames of a sequence share theirs."""
    recipe, index = RECIPES[id], _index()[key]
    seed = (recipe.seed, index, number // recipe.frames)
    rng = np.random.default_rng([2, *seed])
    drawing = draw(concepts()[index], rng, seed)
    if recipe.styles:
        drawing = replace(drawing, style=recipe.styles[int(rng.integers(len(recipe.styles)))])
    if not recipe.held_out:
        return drawing
    colours = _held_out_colours()[key]
    colour = colours[int(rng.integers(len(colours)))]
    backgrounds = contrasting_backgrounds(colour)
    return replace(drawing, colour=colour, background=backgrounds[int(rng.integers(len(backgrounds)))])


def frame_of(id: str, number: int) -> int:
    """Frames after the anchor (before, if negative) of picture ``number``; 0 for single pictures."""
    return number % RECIPES[id].frames - RECIPES[id].reach


@cache
def _held_out_colours() -> dict[str, list[str]]:
    colours: dict[str, list[str]] = {}
    for colour, key in sorted(held_out()):
        colours.setdefault(key, []).append(colour)
    return colours


@cache
def fingerprint(id: str) -> str:
    """Digest of what the pictures of a set are, without drawing them."""
    recipe, keys = RECIPES[id], [concept.key for concept in concepts_of(id)]
    sample = [repr(draw_one(id, key, recipe.per_concept - 1)) for key in keys[::5]]
    value = {"set": id, "renderer": RENDERER, "n": recipe.per_concept, "keys": keys, "sample": sample}
    if recipe.setting != PRETRAINING:
        value["setting"] = json.loads(json.dumps(asdict(recipe.setting)))
    if recipe.reach:
        value["reach"] = recipe.reach
    if recipe.filtered:
        value["kept"] = {key: list(numbers) for key, numbers in kept_numbers().items()}
    return cache_keys.digest(value)


def reference_of(id: str) -> str:
    """The model whose errors chose the pictures of a set: it has no place in rankings on it. Empty for most sets."""
    return _kept()["reference"] if RECIPES[id].filtered else ""


@cache
def kept_numbers() -> Mapping[str, tuple[int, ...]]:
    """Concept key -> numbers of the candidates that the filter kept."""
    return {key: tuple(map(int, numbers.split())) for key, numbers in _kept()["kept"].items()}


def reread() -> None:
    """Forget what the filter kept, after it has been written anew."""
    for remembered in (_kept, kept_numbers, fingerprint):
        remembered.cache_clear()


@cache
def _kept() -> Mapping[str, Any]:
    try:
        return json.loads(KEPT.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableData(
            f"{KEPT} cannot be read ({error}); write it with: python -m core icons adversarial"
        ) from error
