"""ImageNet-C as it lies on disk: ``<corruption>/<severity>/<class>/*.JPEG``, and the trees that share its layout.

Its pictures are 224 x 224 JPEG already: each condition is opened as an ordinary folder set and the model's own
preprocessing finds nothing to resize or crop at 224 pixels. A single condition (``ROOT/gaussian_noise/3``), and
Stylized-ImageNet as its users generate it, are ordinary folder sets too and need nothing of this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cache import keys
from core.datasets import open_set
from core.datasets.derived import Derived
from core.errors import BadInput
from core.robustness.corruptions.registry import CORRUPTIONS, SEVERITIES
from core.robustness.corruptions.run import CLEAN, Condition, Plan
from core.robustness.sampling import balanced_rows
from core.types import ImageSet


def conditions_in(root: Path) -> dict[Condition, Path]:
    """The conditions that a folder holds, in the order of the paper; empty when it is no such tree.

    Folders named after the downloads (``noise/gaussian_noise/1``) are looked into as well.
    """
    if not root.is_dir():
        return {}
    tops = [root, *(root / group for group in ("noise", "blur", "weather", "digital", "extra"))]
    return {
        (name, severity): folder
        for name in CORRUPTIONS
        for severity in SEVERITIES
        for folder in [top / name / str(severity) for top in tops][::-1]
        if folder.is_dir()
    }


class OnDisk:
    """The conditions of a tree, with the clean pictures from another set.

    Args:
        clean: the set that was corrupted (ImageNet's validation images); without it nothing relative to clean is known.
        roots: folders that may be read; None on the command line.

    Raises:
        BadInput: nothing of the plan is there, or two conditions hold different images.
    """

    made = "files on disk"

    def __init__(
        self, root: Path, plan: Plan, *, clean: ImageSet | None = None, roots: Sequence[Path] | None = None
    ) -> None:
        folders = {
            condition: folder
            for condition, folder in conditions_in(root).items()
            if condition[0] in plan.corruptions and condition[1] in plan.severities
        }
        if not folders:
            raise BadInput(
                f"{root} holds none of the conditions to measure; ImageNet-C lies in ROOT/CORRUPTION/SEVERITY/CLASS/*."
            )
        self._sets: dict[Condition, ImageSet] = {} if clean is None else {CLEAN: clean}
        self._sets |= {condition: open_set(str(folder), roots=roots) for condition, folder in folders.items()}
        first = self._sets[next(iter(folders))]
        for condition, one in self._sets.items():
            if not _same(one, first):
                raise BadInput(
                    f"{one.id} holds other images than {first.id}, so {condition[0] or 'clean'} cannot be compared; "
                    "give complete folders of the same validation images."
                )
        self.id, self.keys, self.names = str(root), first.keys, first.names
        self._rows = balanced_rows(first.labels, plan.per_class, seed=plan.seed)
        self.labels = np.asarray(first.labels)[self._rows]
        self.conditions = list(self._sets)

    def view(self, condition: Condition) -> ImageSet:
        """The sample of one condition."""
        one = self._sets[condition]
        if len(self._rows) == len(one.labels):
            return one
        rows = self._rows
        return Derived(
            parent=one,
            rows=rows,
            conditions=["as on disk"] * len(rows),
            make=lambda index: one.image(int(rows[index])),
            id=one.id,
            image_ids=[one.image_ids[row] for row in rows.tolist()],
            fingerprint=keys.digest({"part of": one.fingerprint, "rows": rows.tolist()}),
            note=f"{len(rows):,} of {len(one.labels):,} pictures of {one.id}.",
        )


def _same(one: ImageSet, other: ImageSet) -> bool:
    return list(one.keys) == list(other.keys) and np.array_equal(one.labels, other.labels)
