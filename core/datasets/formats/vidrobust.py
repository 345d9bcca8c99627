"""ImageNet-Vid-Robust (Shankar et al., 2021): ``metadata/pmsets.json`` and ``labels.json`` over ``val/<video>/``."""

from __future__ import annotations

from pathlib import Path

from core.datasets.format import Format, Opening
from core.datasets.formats.tracks import FrameListing, beside, list_frames, offset_between, read_object
from core.errors import UnreadableData
from core.types import LeftOut

PM_SETS = "pmsets.json"
_CLASSES = ("imagenet_vid_class_index.json", "names.json", "names.csv", "names.txt")


def open_vid_robust(path: Path, how: Opening) -> FrameListing:
    """List the anchors and the frames near them; a frame may have several true classes.

    ``pmsets.json`` gives the neighbours of every anchor, ``labels.json`` the class numbers of every frame.

    Raises:
        UnreadableData: a list is missing or damaged, or no frame of it is there.
    """
    sets, labels = beside(path, PM_SETS, roots=how.roots), beside(path, "labels.json", roots=how.roots)
    if sets is None or labels is None:
        raise UnreadableData(f"{path} needs metadata/{PM_SETS} and metadata/labels.json.")
    left_out: list[LeftOut] = []
    near: dict[str, dict[str, int]] = {}
    for anchor, listed in read_object(sets).items():
        if not isinstance(listed, list) or not all(isinstance(frame, str) for frame in listed):
            left_out.append(LeftOut(ascii(anchor)[1:-1][:200], "its neighbours are no list of frames", images=0))
            continue
        # Without numbers in the names, neighbours are taken in the order listed.
        near[anchor] = {frame: offset_between(anchor, frame) or place for place, frame in enumerate(listed, 1)}
    return list_frames(
        path,
        path,
        near,
        _labels(labels),
        how,
        kind="vidrobust",
        what="ImageNet-Vid-Robust",
        classes=beside(path, *_CLASSES, roots=how.roots),
        left_out=left_out,
    )


def _labels(path: Path) -> dict[str, frozenset[int]]:
    found = {}
    for frame, listed in read_object(path).items():
        values = listed if isinstance(listed, list) else [listed]
        if not all(isinstance(label, int) and 0 <= label < 10_000 for label in values):
            raise UnreadableData(f"{path.name}: the labels of {ascii(frame)[:80]} are no class numbers.")
        found[frame] = frozenset(values)
    return found


FORMAT = Format(
    "vidrobust",
    lambda path: beside(path, PM_SETS) is not None,
    lambda path, **how: open_vid_robust(path, Opening(**how)),
)
