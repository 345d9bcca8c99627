"""ObjectNet (Barbu et al., 2019): the folders that ImageNet knows too, through the set's own ``mappings/``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from cache import keys as cache_keys
from core.datasets.choices import FOLDER, Choices
from core.datasets.format import Opening
from core.datasets.formats.folders import open_folders
from core.datasets.formats.tracks import read_object
from core.datasets.io.picture import read_text
from core.datasets.io.roots import problem
from core.datasets.listing import Listing
from core.datasets.names import name_classes
from core.errors import UnreadableData
from core.text.lines import lines_of
from core.types import LeftOut

MAPPINGS = "mappings"
FOLDERS = "folder_to_objectnet_label.json"
_BORDER = 2
_FILES = ("objectnet_to_imagenet_1k.json", "pytorch_to_imagenet_2012_id.json", "imagenet_to_label_2012_v2")


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ObjectNetListing(Listing):
    """A Listing whose pictures lose their red border.

    Attributes:
        border: pixels cut from every side; imagenet: for every class the ImageNet indices it stands for.
    """

    border: int
    imagenet: Sequence[Sequence[int]] = ()

    def image(self, index: int) -> Image.Image:
        """The picture without its border."""
        picture = super().image(index)
        if min(picture.size) <= 2 * self.border:
            raise UnreadableData(f"{self.image_ids[index]} is no larger than the border to be cut off.")
        return ImageOps.crop(picture, self.border)

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same: the border is counted in pixels of the whole picture."""
        return self.image(index)


def open_objectnet(path: Path, how: Opening) -> ObjectNetListing:
    """List the 113 of 313 classes that overlap with ImageNet-1k; the others are left out and counted.

    The pictures carry a red frame of one pixel that marks a test set; imagenet-testbed cuts 2 pixels from every side
    before anything else, CLIP_benchmark none (``SET#border=0``).

    Raises:
        UnreadableData: the mappings are missing or damaged, or there is no picture.
    """
    mappings = path / MAPPINGS
    border = _BORDER if how.border is None else how.border
    for file in (FOLDERS, *_FILES):
        if reason := problem(mappings / file, how.roots):
            raise UnreadableData(f"{MAPPINGS}/{file} cannot be read: {reason}.")
    labels = {str(folder): str(label) for folder, label in read_object(mappings / FOLDERS).items()}
    imagenet = _imagenet_groups(mappings)
    as_folders = Opening(id=how.id, naming="released", roots=how.roots, choices=Choices(label_column=FOLDER))
    listed = open_folders(path / "images", as_folders)
    groups = [imagenet.get(labels.get(key, ""), ()) for key in listed.keys]
    kept = [label for label, group in enumerate(groups) if group]
    if not kept:
        raise UnreadableData(f"None of the folders in {path / 'images'} is in {FOLDERS}.")
    place = np.full(len(groups), -1)
    place[kept] = range(len(kept))
    rows = np.flatnonzero(place[listed.labels] >= 0)
    keys = [listed.keys[label] for label in kept]
    own = [labels[key] for key in keys]
    readable, told = name_classes(keys, how.names, naming=how.naming, own=own, released=own)
    left, outside = len(groups) - len(kept), len(listed.labels) - len(rows)
    others = LeftOut(f"{left:,} classes", f"not among ImageNet's; {outside:,} pictures", images=outside)
    return ObjectNetListing(
        id=how.id,
        kind="objectnet",
        keys=keys,
        names=readable,
        labels=place[listed.labels[rows]].astype(np.int64),
        image_ids=[f"images/{listed.image_ids[row]}" for row in rows.tolist()],
        source=lambda index: listed.source(int(rows[index])),
        fingerprint=cache_keys.digest([listed.fingerprint, rows.tolist(), border]),
        note=f"Detected ObjectNet: {len(kept):,} of {len(groups):,} classes are ImageNet's; {border} pixels of border "
        f"are cut off. {told}",
        left_out=(*listed.left_out, *([others] if left else [])),
        border=border,
        imagenet=[groups[label] for label in kept],
    )


def _imagenet_groups(mappings: Path) -> dict[str, tuple[int, ...]]:
    """ObjectNet label -> ImageNet indices, joined through the three files that come with the set."""
    names, numbers = (read_object(mappings / file) for file in _FILES[:2])
    try:
        lines = lines_of(read_text(mappings / _FILES[2]))
        index = {int(number): int(position) for position, number in numbers.items()}
        by_name = {line.strip(): index[number] for number, line in enumerate(lines) if number in index}
        return {label: tuple(by_name[name] for name in listed.split("; ")) for label, listed in names.items()}
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnreadableData(f"The files in {mappings} do not fit together ({error!r}).") from error
