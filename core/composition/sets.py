"""From what a person types to the compositions of an image set, with the set of seen pairs that goes with it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from core.composition.counts import PairCounts, icon_corpus, icon_counts, read_counts
from core.composition.folders import folder_compositions, object_names, read_overrides
from core.composition.pairs import Compositions, CompositionSet, composed, compositions, joined
from core.datasets import open_set
from core.icons.concepts import held_out
from core.types import ImageSet

PARTNER = {"icons-composition": "icons", "icons": "icons-composition", "icons-tail": "icons-composition"}
"""The set of seen pairs for the set of held-out ones, and the other way round."""


def composition_set(
    image_set: ImageSet, *, overrides: Path | None = None, objects: Path | None = None
) -> CompositionSet:
    """An open image set as compositions: icons by what was drawn, any other set by its class folders.

    Args:
        overrides: CSV of folder splits; objects: file of object names (both for folders only).
    """
    if image_set.drawn:
        return composed(image_set, _icon_compositions(image_set.id, tuple(image_set.names)))
    splits = read_overrides(overrides) if overrides else None
    return composed(image_set, folder_compositions(image_set, objects=object_names(objects), overrides=splits))


@lru_cache(maxsize=4)
def _icon_compositions(id: str, names: tuple[str, ...]) -> Compositions:
    icons = open_set(id)
    drawn = [icons.details(index)["colour"] for index in range(len(icons.labels))]
    keys = [icons.keys[label] for label in np.asarray(icons.labels).tolist()]
    return compositions(drawn, keys, dict(zip(icons.keys, names, strict=True)))


def with_partner(found: CompositionSet, partner: CompositionSet) -> tuple[CompositionSet, CompositionSet]:
    """Both sets choosing among the compositions of both, so that their accuracies can be compared."""
    first, second = joined(found.compositions, partner.compositions)
    return found.among(first), partner.among(second)


def counts_for(model: str, image_set: ImageSet, path: Path | None = None) -> tuple[PairCounts, PairCounts] | None:
    """Pair counts in captions and in pictures: a table given, else those of an icon model's own corpus, else None.

    A table of one's own counts for both.
    """
    if path is not None:
        given = read_counts(path)
        return given, given
    corpus = icon_corpus(model)
    if not corpus or not image_set.drawn:
        return None
    return icon_counts(corpus, "text"), icon_counts(corpus, "image")


def seen_pairs(found: Compositions, counts: PairCounts | None, *, icons: bool) -> np.ndarray:
    """Whether pretraining paired attribute and object, float64 [c]: 1 seen, 0 never seen, NaN unknown.

    By the counts where there are some; for icons without counts by the list of pairs that no corpus holds.
    """
    if counts is not None:
        known = counts.of(found)
        return np.where(np.isnan(known), np.nan, known > 0)
    if not icons:
        return np.full(len(found.pairs), np.nan)
    return np.array([(found.attributes[a], found.objects[o]) not in held_out() for a, o in found.pairs.tolist()], float)
