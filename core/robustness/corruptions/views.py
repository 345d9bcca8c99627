"""An image set seen through corruptions, and one picture under all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from cache import keys
from core.datasets.derived import Derived
from core.robustness.corruptions.registry import (
    CORRUPTIONS,
    IN_MEMORY,
    SEVERITIES,
    check,
    corrupt,
    framed,
    image_seed,
    library_version,
    words,
)
from core.types import ImageSet

SCHEMA = 1
"""Counts up when the same case would give other pixels under the same library."""


class Case(NamedTuple):
    """One picture under one condition: row of the underlying set, corruption (None for none) and severity (0)."""

    row: int
    corruption: str | None = None
    severity: int = 0


def corrupted(
    image_set: ImageSet,
    corruption: str | None,
    severity: int = 0,
    *,
    seed: int = 0,
    rows: Sequence[int] | np.ndarray | None = None,
) -> Derived:
    """The set under one corruption (None for the clean pictures, framed alike), with its own labels and image ids.

    Args:
        rows: which images; all by default.

    Raises:
        BadInput: no such corruption or severity. ExtraMissing: the corruption package is not installed.
    """
    if corruption is not None:
        check(corruption, severity)
    chosen = range(len(image_set.labels)) if rows is None else np.asarray(rows).tolist()
    what = f"{condition(corruption, severity)}, {IN_MEMORY}" if corruption else "clean"
    ids = [image_set.image_ids[row] for row in chosen]
    return _view(image_set, [Case(row, corruption, severity) for row in chosen], ids, seed, what)


def severity_grid(image_set: ImageSet, rows: Sequence[int], *, corruptions: Sequence[str] = CORRUPTIONS) -> Derived:
    """A few pictures clean and under every corruption at every severity, each with an id of its own.

    All clean pictures come first; then, corruption by corruption and severity by severity, all pictures again.
    """
    conditions = [(None, 0), *((name, severity) for name in corruptions for severity in SEVERITIES)]
    cases = [Case(int(row), *one) for one in conditions for row in rows]
    ids = [f"{image_set.image_ids[case.row]} · {condition(*case[1:])}" for case in cases]
    what = f"{len(rows)} of its pictures under {len(corruptions)} corruptions, {IN_MEMORY}"
    return _view(image_set, cases, ids, 0, what)


def condition(corruption: str | None, severity: int) -> str:
    """A condition as people write it: ``clean`` or ``motion blur 3``."""
    return f"{words(corruption)} {severity}" if corruption else "clean"


def _view(image_set: ImageSet, cases: Sequence[Case], ids: Sequence[str], seed: int, what: str) -> Derived:
    corrupts = any(case.corruption for case in cases)
    digest = keys.digest(
        {
            "schema": SCHEMA,
            "base": image_set.fingerprint,
            "cases": [list(case) for case in cases],
            "seed": seed if corrupts else None,
            "library": library_version() if corrupts else None,
        }
    )

    def make(index: int) -> Image.Image:
        case = cases[index]
        picture = framed(image_set.image(case.row))
        if case.corruption is None:
            return picture
        own = image_seed(seed, case.corruption, image_set.image_ids[case.row])
        return corrupt(picture, case.corruption, case.severity, seed=own)

    return Derived(
        parent=image_set,
        rows=np.array([case.row for case in cases], np.int64),
        conditions=[condition(*case[1:]) for case in cases],
        make=make,
        id=f"{image_set.id} ({what})",
        image_ids=ids,
        fingerprint=digest,
        note=f"{len(cases):,} pictures of {image_set.id}: {what}.",
    )
