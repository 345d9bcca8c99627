"""CLIP_benchmark's webdataset layout: ``test/0.tar ...`` with ``.cls`` or ``.npy`` labels and lists beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.datasets.io.picture import read_text
from core.datasets.io.remote import AT_ONCE, Remote
from core.datasets.io.roots import problem
from core.datasets.io.tars import Part, Sample, Shards, picture_part, shards_of, sizes
from core.datasets.listing import (
    Listing,
    by_class,
    empty_classes,
    fingerprint,
    repeated_names,
    require_images,
    unique,
)
from core.datasets.names import Names, Naming, name_classes
from core.errors import UnreadableData
from core.types import LeftOut

_SLOT = re.compile(r"\{(c|class)?\}")


def open_webdataset(
    path: Path | Remote,
    *,
    id: str = "",
    names: Names = None,
    naming: Naming = "shown",
    roots: Sequence[Path] | None = None,
) -> Listing:
    """List a webdataset folder (or one tar); pictures are read in place by their offsets.

    Broken shards and samples without a usable label are left out. Classes are the lines of ``classnames.txt``; a name
    that occurs twice gives two keys, ``crane#134`` and ``crane#517``.

    Raises:
        UnreadableData: there is no usable sample.
    """
    top, shards, left_out = shards_of(path, roots)
    tars = shards.paths
    lines = _lines(top / "classnames.txt", roots, left_out)
    keys = unique(lines)
    ids, parts, said = _labelled(shards, keys, left_out)
    require_images(ids, str(path), left_out, "A webdataset has a picture and a .cls label for every key.")
    if lines:
        labels = np.array([int(text) for text in said], np.int64)
    else:
        keys, labels = by_class(said)
    left_out += empty_classes(keys, labels)
    readable, how = name_classes(keys, names, naming=naming, own=lines, released=lines)
    read_from = ", ".join(tar.name for tar in tars[:3]) + (", ..." if len(tars) > 3 else "")
    at_once = AT_ONCE if isinstance(path, Remote) else 1
    note = f"Detected a webdataset of {len(tars):,} shards ({read_from}). {how} {repeated_names(readable)}".strip()
    return Listing(
        id=id or str(path),
        kind="webdataset",
        keys=keys,
        names=readable,
        labels=labels,
        image_ids=ids,
        source=lambda index: shards.read(parts[index]),
        fingerprint=fingerprint(
            ids, sizes(parts), labels, keys, lambda index: shards.ends(parts[index]), at_once=at_once
        ),
        note=note,
        templates=_templates(top / "zeroshot_classification_templates.txt", roots, left_out),
        left_out=tuple(left_out),
    )


def _labelled(
    shards: Shards, classnames: Sequence[str], left_out: list[LeftOut]
) -> tuple[list[str], list[Part], list[str]]:
    ids, parts, said = [], [], []
    index = {name: str(label) for label, name in enumerate(classnames)}
    for sample in shards.samples:
        picture = picture_part(sample)
        try:
            if picture is None:
                raise UnreadableData("no picture belongs to this key")
            said.append(_label(shards, sample, index))
        except UnreadableData as error:
            left_out.append(LeftOut(sample.id, str(error)))
        else:
            ids.append(sample.id)
            parts.append(picture)
    return ids, parts, said


def _label(shards: Shards, sample: Sample, index: Mapping[str, str]) -> str:
    """Label as text: a place among the class names when there are any, else whatever the set says."""
    if "cls" in sample.parts:
        text = shards.read_label(sample.parts["cls"]).decode("utf-8", "replace").strip()
    elif "npy" in sample.parts:
        text = str(_from_npy(shards.read_label(sample.parts["npy"])))
    else:
        raise UnreadableData("no .cls or .npy label belongs to this key")
    if re.fullmatch(r"[0-9]{1,18}", text):
        if index and int(text) >= len(index):
            raise UnreadableData(f"label {text} is not among the {len(index):,} classes")
        return str(int(text))
    if text in index:
        return index[text]
    if index or not text or len(text) > 1000 or "\ufffd" in text:
        raise UnreadableData(f"its label {text[:40]!r} is no class")
    return text


def _from_npy(data: bytes) -> int:
    try:
        label = np.load(io.BytesIO(data), allow_pickle=False)
        if label.size == 1:
            return int(label.reshape(-1)[0])
        marked = np.flatnonzero(np.asarray(label).reshape(-1))
    except Exception as error:  # a hostile header raises anything from EOFError to SyntaxError
        raise UnreadableData("its .npy label cannot be read") from error
    if len(marked) != 1:
        raise UnreadableData(f"it has {len(marked)} labels; only pictures with one can be right or wrong")
    return int(marked[0])


def _lines(path: Path | Remote, roots: Sequence[Path] | None, left_out: list[LeftOut]) -> list[str]:
    """Lines of a list beside the shards, stripped; nothing (and a record) when it cannot be read."""
    if not path.is_file():
        return []
    try:
        if reason := problem(path, roots):
            raise UnreadableData(reason)
        lines = [line.strip() for line in read_text(path).splitlines()]
    except UnreadableData as error:
        left_out.append(LeftOut(path.name, str(error)))
        return []
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _templates(path: Path | Remote, roots: Sequence[Path] | None, left_out: list[LeftOut]) -> tuple[str, ...]:
    lines = _lines(path, roots, left_out)
    for number, line in enumerate(lines, 1):
        if line and not _SLOT.search(line):
            left_out.append(LeftOut(f"{path.name}, line {number}", "a template without a {c} slot"))
    return tuple(_SLOT.sub("{c}", line) for line in lines if _SLOT.search(line))
