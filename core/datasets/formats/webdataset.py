"""CLIP_benchmark's webdataset layout: ``test/0.tar ...`` with ``.cls`` or ``.npy`` labels and lists beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from core.datasets.cells import same_spelling, single_labels
from core.datasets.choices import Choices
from core.datasets.format import Opening
from core.datasets.io.picture import read_text
from core.datasets.io.remote import AT_ONCE, Remote
from core.datasets.io.roots import problem
from core.datasets.io.tars import Part, Sample, Shards, picture_part, shards_of, sizes, tar_splits, without_picture
from core.datasets.levels import same_split
from core.datasets.listing import Listing, by_class, fingerprint, make_listing, require_images, unique
from core.errors import BadInput, UnreadableData
from core.stats.format import many
from core.text.lines import lines_of
from core.types import LeftOut

_BLANKS = " \t\r\n\ufeff"
_SLOT = re.compile(r"\{(c|class)?\}")


def open_webdataset(path: Path | Remote, how: Opening) -> Listing:
    """List a webdataset folder (or one tar); pictures are read in place by their offsets.

    Broken shards and samples without a usable label are left out. Classes are the lines of ``classnames.txt``; a name
    that occurs twice gives two keys, ``crane#134`` and ``crane#517``.

    Of several splits the first of test, val and train with labelled pictures is taken.

    Raises:
        UnreadableData: there is no usable sample, or ``classnames.txt`` has an empty line.
        BadInput: the split that was asked for is not there.
    """
    splits = asked_splits(path, how.choices)
    passed: list[str] = []
    for split in splits:
        top, shards, left_out = shards_of(path, how.roots, split=split)
        lines = _class_names(top / "classnames.txt", how.roots, left_out)
        keys = unique(lines)
        ids, parts, texts = _labelled(shards, keys, left_out)
        if ids or split == splits[-1]:
            break
        passed.append(f"{split}/ has no labelled pictures and was passed over.")
    require_images(ids, str(path), left_out, "A webdataset has a picture and a .cls label for every key.")
    tars = shards.paths
    told: list[str] = []
    if lines:
        labels = np.array([int(text) for text in texts], np.int64)
    else:
        if how.naming != "released":
            texts, told = same_spelling(texts)
        keys, labels = by_class(texts)
    read_from = ", ".join(tar.name for tar in tars[:3]) + (", ..." if len(tars) > 3 else "")
    at_once = AT_ONCE if isinstance(path, Remote) else 1
    others = [name for name in tar_splits(path) if name != split]
    note = [
        f"Detected a webdataset of {many(len(tars), 'shard')} ({f'{split}/: ' if split else ''}{read_from}).",
        *passed,
        f"Other splits: {', '.join(others)} (--split)." if others else "",
        *told,
    ]
    return make_listing(
        Listing,
        how,
        kind="webdataset",
        keys=keys,
        labels=labels,
        own=lines,
        image_ids=ids,
        source=lambda index: shards.read(parts[index]),
        holder=lambda index: shards.file(parts[index]),
        fingerprint=fingerprint(
            ids, sizes(parts), labels, keys, lambda index: shards.ends(parts[index]), at_once=at_once
        ),
        note=note,
        templates=_templates(top / "zeroshot_classification_templates.txt", how.roots, left_out),
        left_out=left_out,
    )


def asked_splits(path: Path | Remote, choices: Choices) -> list[str]:
    """Folders of splits to try in turn; one empty name where the tars lie in no split.

    Raises:
        BadInput: the split that was asked for is not there.
    """
    splits = tar_splits(path)
    if not choices.split:
        return splits or [""]
    found = [split for split in splits if split == choices.split or same_split(choices.split, split)]
    if not found:
        raise BadInput(f"{path} has no split {choices.split!r}; its splits: {', '.join(splits) or 'none'}.")
    return found[:1]


def _labelled(
    shards: Shards, classnames: Sequence[str], left_out: list[LeftOut]
) -> tuple[list[str], list[Part], list[str]]:
    ids, parts, texts = [], [], []
    index = {name: str(label) for label, name in enumerate(classnames)}
    for sample in shards.samples:
        picture = picture_part(sample)
        try:
            if picture is None:
                raise UnreadableData(without_picture(sample))
            texts.append(_label(shards, sample, index))
        except UnreadableData as error:
            dotted = any("." in suffix for suffix in sample.parts)
            left_out.append(LeftOut(sample.id, str(error), images=int(picture is not None or dotted)))
        else:
            ids.append(sample.id)
            parts.append(picture)
    return ids, parts, texts


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
    single, several = single_labels([text])
    if several:
        raise UnreadableData(f"it has {several[0]}; only pictures with one can be correct or wrong")
    if not single[0]:
        raise UnreadableData(f"its label {text[:40]!r} is no class")
    return single[0]


def _from_npy(data: bytes) -> int:
    try:
        label = np.load(io.BytesIO(data), allow_pickle=False)
        if label.size == 1:
            return int(label.reshape(-1)[0])
        marked = np.flatnonzero(np.asarray(label).reshape(-1))
    except Exception as error:  # a hostile header raises anything from EOFError to SyntaxError
        raise UnreadableData("its .npy label cannot be read") from error
    if len(marked) != 1:
        raise UnreadableData(f"it has {len(marked)} labels; only pictures with one can be correct or wrong")
    return int(marked[0])


def _lines(path: Path | Remote, roots: Sequence[Path] | None, left_out: list[LeftOut]) -> list[str]:
    """Lines of a list beside the shards, stripped; nothing (and a record) when it cannot be read."""
    if not path.is_file():
        return []
    try:
        if reason := problem(path, roots):
            raise UnreadableData(reason)
        lines = [line.strip(_BLANKS) for line in lines_of(read_text(path))]
    except UnreadableData as error:
        left_out.append(LeftOut(path.name, str(error), images=0))
        return []
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _class_names(path: Path | Remote, roots: Sequence[Path] | None, left_out: list[LeftOut]) -> list[str]:
    """One class a line, in the order of the labels; UnreadableData for an empty line, which would be a class."""
    lines = _lines(path, roots, left_out)
    if "" in lines:
        raise UnreadableData(
            f"{path.name}, line {lines.index('') + 1} is empty: every line is a class, in the order of the labels. "
            "Take the line out if it is none."
        )
    return lines


def _templates(path: Path | Remote, roots: Sequence[Path] | None, left_out: list[LeftOut]) -> tuple[str, ...]:
    lines = _lines(path, roots, left_out)
    for number, line in enumerate(lines, 1):
        if line and not _SLOT.search(line):
            left_out.append(LeftOut(f"{path.name}, line {number}", "a template without a {c} slot", images=0))
    return tuple(_SLOT.sub("{c}", line) for line in lines if _SLOT.search(line))
