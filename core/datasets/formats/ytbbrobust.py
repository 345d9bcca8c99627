"""YTBB-Robust (Shankar et al., 2021): reviewed anchors and neighbours in two annotation files.

The rules of the review are those of imagenet-testbed: an anchor counts when it is marked good and neither bad nor
unsure, a neighbour when it is marked similar and carries none of the marks of a changed scene; a neighbour is judged by
its anchor's classes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.datasets.format import Format, Opening
from core.datasets.formats.tracks import FrameListing, beside, list_frames, offset_between, read_object
from core.datasets.io.picture import read_text
from core.datasets.names import read_names
from core.errors import UnreadableData
from core.text.lines import lines_of
from core.types import LeftOut

ANCHORS, PAIRS = "anchor_labels.json", "pmk_labels.json"
_CLASSES = "ytbb_class_index.json"
_FULL = "ytbb_robustness_test_anchors_full.csv"
_SPOILT = frozenset(
    {"dissimilar", "problematic", "incorrect", "dont know", "deformation", "background-change", "occlusion-increased",
     "blur-increase", "bad-anchor"}
)  # fmt: skip
_SWAPPED = {22: 23, 23: 22}
_FRAME = re.compile(r"[^/]+/frame-[0-9]+\.[A-Za-z]+")
_TOPS = ("", "val", "frames", "test")


def open_ytbb_robust(path: Path, how: Opening) -> FrameListing:
    """List the reviewed anchors and the reviewed frames near them, ``<video>_<ms>/frame-N.jpg``.

    A table of first labels (``ytbb_robustness_test_anchors_full.csv``), where there is one, is added to the reviewed
    labels; its classes 22 and 23 are swapped, as in imagenet-testbed.

    Raises:
        UnreadableData: a list is missing or damaged, or no frame of it is there.
    """
    anchors, pairs, classes = (beside(path, name, roots=how.roots) for name in (ANCHORS, PAIRS, _CLASSES))
    if anchors is None or pairs is None or classes is None:
        raise UnreadableData(f"{path} needs {ANCHORS}, {PAIRS} and {_CLASSES} (in it or in metadata/).")
    left_out: list[LeftOut] = []
    known = {name: int(key) for key, name in read_names(classes).by_key.items() if key.isdecimal()}
    first = _first_labels(beside(path, _FULL, roots=how.roots))
    labels: dict[str, frozenset[int]] = {}
    for key, marks in _annotations(anchors).items():
        frame = _frame(key)
        if "good" not in marks or marks & {"bad", "unsure"}:
            left_out.append(LeftOut(ascii(frame)[1:-1][:200], "the reviewers did not pass this anchor"))
            continue
        labels[frame] = frozenset(known[mark] for mark in marks if mark in known) | first.get(
            frame.partition("/")[0], frozenset()
        )
    reviewed = _annotations(pairs)
    bad = {_frame(key.partition(",")[0]) for key, marks in reviewed.items() if "bad-anchor" in marks}
    near: dict[str, dict[str, int]] = {frame: {} for frame in labels if frame not in bad}
    for key, marks in reviewed.items():
        anchor, other = (_frame(part) for part in (key.partition(",")[0], key.partition(",")[2]))
        if anchor in near and "similar" in marks and not marks & _SPOILT and other:
            near[anchor][other] = offset_between(anchor, other) or 0
            labels[other] = labels[anchor]
    some = next(iter(near), "")
    top = next((path / top for top in _TOPS if some and (path / top / some).is_file()), path)
    return list_frames(
        path, top, near, labels, how, kind="ytbbrobust", what="YTBB-Robust", classes=classes, left_out=left_out
    )


def _annotations(path: Path) -> dict[str, frozenset[str]]:
    """Key of every annotation -> the words of its labels; of several for one key the last counts."""
    value: Mapping[str, Any] = read_object(path)
    try:
        words = [str(word) for word in value["labels"]]
        return {str(row["key"]): frozenset(words[int(mark)] for mark in row["labels"]) for row in value["annotations"]}
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise UnreadableData(f"{path.name} holds no annotations ({error!r}).") from error


def _frame(key: str) -> str:
    """The last two parts of a frame's path, which name it; empty for anything else."""
    name = "/".join(key.replace("\\", "/").split("/")[-2:])
    return name if _FRAME.fullmatch(name) else ""


def _first_labels(path: Path | None) -> dict[str, frozenset[int]]:
    if path is None:
        return {}
    found = {}
    try:
        for row in csv.DictReader(lines_of(read_text(path))):
            label = int(row["label"])
            found[f"{row['ytid']}_{row['time_ms']}"] = frozenset({_SWAPPED.get(label, label)})
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise UnreadableData(f"{path.name} needs the columns ytid, time_ms and label ({error!r}).") from error
    return found


FORMAT = Format(
    "ytbbrobust",
    lambda path: beside(path, ANCHORS) is not None,
    lambda path, **how: open_ytbb_robust(path, Opening(**how)),
)
