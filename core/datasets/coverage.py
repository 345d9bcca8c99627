"""How much of an image set was used: found, used and skipped with reasons, in one line and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.datasets.choices import choices_in
from core.errors import BadInput
from core.types import ImageSet, LeftOut

_REASONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What was detected and how much of it was used.

    Attributes:
        id, kind, note: of the image set; classes: how many.
        found: images of the set, with those that cannot be used; used: images that were.
        skipped: everything that was not used, with reasons.
    """

    id: str
    kind: str
    note: str
    classes: int
    found: int
    used: int
    skipped: Sequence[LeftOut]

    @property
    def line(self) -> str:
        """One line: kind, classes, images used of images found, skipped with the commonest reasons, and the note."""
        classes = f"{self.classes:,} {'class' if self.classes == 1 else 'classes'}"
        reasons = Counter(item.reason for item in self.skipped).most_common(_REASONS)
        listed = "; ".join(f"{times:,} × {reason[:100]}" if times > 1 else reason[:100] for reason, times in reasons)
        skipped = f", {len(self.skipped):,} skipped ({listed})" if self.skipped else ", none skipped"
        return f"{self.kind}, {classes}: {self.used:,} of {self.found:,} images used{skipped}. {self.note}"

    def as_json(self, *, most: int | None = None) -> dict[str, Any]:
        """``set_note``, ``n_found``, ``n_used`` and ``skipped``, of which at most ``most`` are listed."""
        return {
            "set_note": self.line,
            "n_found": self.found,
            "n_used": self.used,
            "skipped": [{"item": item.item, "reason": item.reason} for item in self.skipped[:most]],
        }


def coverage(image_set: ImageSet, *, used: int | None = None, skipped: Sequence[LeftOut] | None = None) -> Coverage:
    """The coverage of a set as it was listed, or of work on it.

    Args:
        used: images that were used; all that were listed by default.
        skipped: everything that was not used, from listing and from the work; what was skipped in listing by default.
    """
    used = len(image_set.labels) if used is None else used
    skipped = tuple(image_set.left_out if skipped is None else skipped)
    return Coverage(
        id=image_set.id,
        kind=image_set.kind,
        note=image_set.note,
        classes=len(image_set.keys),
        found=used + images_in(skipped),
        used=used,
        skipped=skipped,
    )


def images_in(skipped: Sequence[LeftOut]) -> int:
    """How many images these records stand for."""
    return sum(item.images for item in skipped)


def require_classes(image_set: ImageSet) -> None:
    """Refuse to compute accuracies over one class, which are 100 % whatever the model does.

    Raises:
        BadInput: the set has one class, and nobody asked for it by ``--label-column``.
    """
    if len(image_set.keys) == 1 and not choices_in(image_set.id).label_column:
        raise BadInput(
            f"{image_set.id} has one class ({image_set.keys[0]!r}), so every image would be correct. {image_set.note} "
            "If another column or folder holds the classes, name it with --label-column NAME or --split NAME; to "
            "measure it all the same, name the column (--label-column folder for class folders)."
        )
