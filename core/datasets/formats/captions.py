"""Pictures with captions in CLIP_benchmark's retrieval layout: tar shards whose ``.txt`` holds one caption a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.datasets.format import Opening
from core.datasets.formats.webdataset import asked_splits
from core.datasets.io.tars import Part, picture_part, shards_of, sizes
from core.datasets.listing import Listing, fingerprint, require_images
from core.errors import UnreadableData
from core.text.lines import lines_of
from core.types import LeftOut

_LONGEST = 10_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CaptionedImages(Listing):
    """An ImageSet without classes (no keys, every label -1) whose pictures have captions."""

    captions: Sequence[tuple[int, str]] = ()


def open_captions(path: Path, how: Opening) -> CaptionedImages:
    """List a retrieval set; there are no classes to be named.

    Raises:
        UnreadableData: no picture has a caption.
        BadInput: the split that was asked for is not there.
    """
    split = asked_splits(path, how.choices)[0]
    _, shards, left_out = shards_of(path, how.roots, split=split)
    ids: list[str] = []
    parts: list[Part] = []
    captions: list[tuple[int, str]] = []
    for sample in shards.samples:
        picture = picture_part(sample)
        try:
            if picture is None or "txt" not in sample.parts:
                raise UnreadableData("a picture and a .txt with captions must have the same key")
            lines = _captions(shards.read_label(sample.parts["txt"]))
        except UnreadableData as error:
            left_out.append(LeftOut(sample.id, str(error), images=int(picture is not None)))
        else:
            captions += [(len(ids), line) for line in lines]
            ids.append(sample.id)
            parts.append(picture)
    require_images(ids, str(path), left_out, "A retrieval set has a picture and a .txt with captions for every key.")
    labels = np.full(len(ids), -1, np.int64)
    listed = [f"{index} {caption}" for index, caption in captions]
    return CaptionedImages(
        id=how.id,
        kind="captions",
        keys=(),
        names=(),
        labels=labels,
        image_ids=ids,
        source=lambda index: shards.read(parts[index]),
        fingerprint=fingerprint(ids, sizes(parts), labels, listed, lambda index: shards.ends(parts[index])),
        note=f"Detected pictures with captions{f' in {split}/' if split else ''} ({len(captions):,} captions of "
        f"{len(ids):,} pictures), for retrieval.",
        left_out=tuple(left_out),
        captions=captions,
    )


def _captions(data: bytes) -> list[str]:
    try:
        lines = [line.strip() for line in lines_of(data.decode("utf-8-sig"))]
    except UnicodeDecodeError as error:
        raise UnreadableData("its captions are not UTF-8") from error
    lines = [line for line in lines if line]
    if not lines:
        raise UnreadableData("its .txt holds no caption")
    if max(map(len, lines)) > _LONGEST:
        raise UnreadableData(f"a caption has more than {_LONGEST:,} characters")
    return lines
