"""Video frames around anchors: ImageNet-Vid-Robust and YTBB-Robust, whose frames may have several true classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.datasets.format import Opening
from core.datasets.io.picture import read_text
from core.datasets.io.roots import Files, problem
from core.datasets.listing import Listing, file_ends, fingerprint, make_listing, require_images, unique
from core.datasets.names import read_names, shown
from core.errors import UnreadableData
from core.opening import parse_object
from core.types import ImageSet, LeftOut, Track

FOLDERS = ("", "metadata", "misc", "annotations")
_MAPS = ("rev_class_idx_map.json", "class_idx_map.json")
_MOST_FRAMES = 2_000_000
NEAR = 10
_NUMBER = re.compile(r"([0-9]+)\.[A-Za-z]+$")


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameListing(Listing):
    """A Listing of frames; ``imagenet`` is empty when no map lies beside the set."""

    tracks: Sequence[Track] = ()
    accepted: Sequence[frozenset[int]] = ()
    imagenet: Sequence[Sequence[int]] = ()
    merged: bool = True


def reach_of(image_set: ImageSet) -> int:
    """Frames to either side that pm-k looks at: 10 as published, fewer where drawn sequences are shorter."""
    return min(NEAR, image_set.reach or NEAR)


def beside(path: Path, *names: str, roots: Sequence[Path] | None = None) -> Path | None:
    """The first of these files in the folder or in a usual place below it; UnreadableData for a link out of roots."""
    found = next((path / f / name for name in names for f in FOLDERS if (path / f / name).is_file()), None)
    if found and (reason := problem(found, roots)):
        raise UnreadableData(f"{found.name} cannot be read: {reason}.")
    return found


def read_object(path: Path) -> Any:
    """A JSON object from outside; UnreadableData when it is anything else."""
    return parse_object(read_text(path), name=path.name)


def list_frames(
    path: Path,
    top: Path,
    near: Mapping[str, Mapping[str, int]],
    labels: Mapping[str, frozenset[int]],
    how: Opening,
    *,
    kind: str,
    what: str,
    classes: Path | None,
    left_out: list[LeftOut],
) -> FrameListing:
    """A set of frames from its lists.

    Args:
        top: folder that the frames' names are relative to.
        near: anchor -> neighbour -> offset in frames. labels: frame -> class indices.
        classes: file with the names of the classes by index (``0 ... g - 1``).
    """
    count = max((max(own) for own in labels.values() if own), default=-1) + 1
    listed = read_names(classes).by_key if classes else {}
    count = max(count, *(int(key) + 1 for key in listed if key.isdecimal()), 0) if listed else count
    if not 0 < count <= 10_000:
        raise UnreadableData(f"{path} names {count:,} classes; its labels must be class numbers from 0.")
    given = [shown(listed.get(str(index), str(index))) for index in range(count)]
    files = Files(top / "frames", how.roots, absolute=False)
    sizes: dict[str, int] = {}
    for frame in dict.fromkeys(name for anchor, others in near.items() for name in (anchor, *others)):
        try:
            if not labels.get(frame):
                raise UnreadableData("no label belongs to this frame")
            if len(sizes) >= _MOST_FRAMES:
                raise UnreadableData(f"more than {_MOST_FRAMES:,} frames")
            sizes[frame] = files.size(frame)
        except UnreadableData as error:
            left_out.append(LeftOut(ascii(frame)[1:-1][:200], str(error)))
    ids = list(sizes)
    require_images(ids, str(path), left_out, f"{what} needs its frames below {top}.")
    at = {frame: index for index, frame in enumerate(ids)}
    tracks = tuple(_track(at, anchor, others) for anchor, others in near.items() if anchor in at)
    accepted = [labels[frame] for frame in ids]
    own = np.array([min(labels) for labels in accepted], np.int64)
    keys = unique(given)
    imagenet = _imagenet_map(beside(path, *_MAPS, roots=how.roots), count, left_out)
    return make_listing(
        FrameListing,
        how,
        kind=kind,
        keys=keys,
        labels=own,
        own=given,
        image_ids=ids,
        source=lambda index: Path(files.path(ids[index])),
        fingerprint=fingerprint(
            ids, np.array(list(sizes.values())), own, keys, lambda index: file_ends(files.path(ids[index]))
        ),
        note=[f"Detected {what}: {len(tracks):,} anchors, {len(ids):,} frames."],
        after="A map beside them says which ImageNet classes they stand for." if imagenet else "",
        left_out=left_out,
        tracks=tracks,
        accepted=accepted,
        imagenet=imagenet,
    )


def _track(at: Mapping[str, int], anchor: str, others: Mapping[str, int]) -> Track:
    usable = [(at[name], offset) for name, offset in others.items() if name in at and name != anchor]
    return Track(at[anchor], tuple(index for index, _ in usable), tuple(offset for _, offset in usable))


def offset_between(anchor: str, other: str) -> int | None:
    """Frames from one to the other by the numbers that their file names end in; None without numbers."""
    first, second = _NUMBER.search(anchor), _NUMBER.search(other)
    return int(second[1]) - int(first[1]) if first and second else None


def _imagenet_map(file: Path | None, count: int, left_out: list[LeftOut]) -> tuple[tuple[int, ...], ...]:
    """The testbed's map beside the set: ``{class: [ImageNet index]}`` or ``{ImageNet index: class}``."""
    if file is None:
        return ()
    groups: list[list[int]] = [[] for _ in range(count)]
    try:
        for key, value in read_object(file).items():
            pairs = [(int(key), int(index)) for index in value] if isinstance(value, list) else [(int(value), int(key))]
            for label, index in pairs:
                if not 0 <= index < 1000:
                    raise ValueError(f"{index} is no ImageNet class")
                groups[label].append(index)
    except (ValueError, TypeError, IndexError, UnreadableData) as error:
        left_out.append(LeftOut(file.name, f"it maps no classes ({error})", images=0))
        return ()
    return tuple(tuple(sorted(group)) for group in groups)
