"""Image sets with a wrong word written on every picture, as published: how often is the written word predicted?

ImageNet-T (arXiv 2403.10499): folders and file names of ImageNet's validation set, and ``imgNet_record.pickle``, which
holds the index of the written class (classes sorted by wnid) for every file name.
"""

from __future__ import annotations

import csv
import pickletools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnreadableData
from core.opening import parse_object, read_regular
from core.robustness.records import Record, record
from core.stats.format import percent
from core.stats.intervals import wilson
from core.text.folding import fold
from core.text.lines import Rows
from core.types import Answer, ImageSet, Interval

MOST_BYTES = 64 << 20
_IN_NAME = re.compile(r"(?:^|_)text=([^_=]+)$")
_STRUCTURE = {"PROTO", "FRAME", "EMPTY_DICT", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT", "SETITEMS", "SETITEM",
            "STOP"}  # fmt: skip
_TEXTS = {"BINUNICODE", "SHORT_BINUNICODE"}
_NUMBERS = {"BININT", "BININT1", "BININT2", "LONG1", "INT", "LONG"}


@dataclass(frozen=True, eq=False)
class Written:
    """The words on the pictures of a set.

    Attributes:
        labels: int64 [n], class of the word on every picture; -1 where none is known.
        unmatched: listed files that are no picture, and words that are no class.
    """

    labels: np.ndarray
    unmatched: tuple[str, ...]


def read_words(path: Path) -> dict[str, str]:
    """File name -> written word (class name, key or ImageNet index): JSON, CSV (image, word), or the authors' pickle.

    The pickle is read token by token and never executed: anything but texts and numbers in it is refused.

    Raises:
        UnreadableData: it is none of them.
    """
    data = read_regular(path, limit=MOST_BYTES)
    if path.suffix.lower() in (".pickle", ".pkl"):
        return _from_pickle(data, path.name)
    if path.suffix.lower() == ".json":
        return {name: str(word) for name, word in parse_object(data, name=path.name).items()}
    try:
        rows = [row for row in Rows(data.decode("utf-8-sig"), name=path.name) if len(row) >= 2]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableData(f"{path.name} is no CSV of image and word ({error}).") from error
    if rows and rows[0][0].strip().lower() in ("image", "file", "path", "filename"):
        rows = rows[1:]
    if not rows:
        raise UnreadableData(f"{path.name} lists no image; its columns are image and word.")
    return {row[0].strip(): row[1].strip() for row in rows}


def _from_pickle(data: bytes, name: str) -> dict[str, str]:
    values: list[str | int] = []
    tables = 0
    try:
        for opcode, value, _ in pickletools.genops(data):
            if isinstance(value, str | int) and opcode.name in _TEXTS | _NUMBERS:
                values.append(value)
            tables += opcode.name == "EMPTY_DICT"
            if opcode.name not in _STRUCTURE | _TEXTS | _NUMBERS:
                raise UnreadableData(f"{name} holds more than file names and numbers ({opcode.name}); save it as JSON.")
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise UnreadableData(f"{name} is no pickle of file names and numbers ({error}).") from error
    names, words = values[::2], values[1::2]
    if tables != 1 or len(names) != len(words) or not all(isinstance(one, str) for one in names):
        raise UnreadableData(f"{name} does not map file names to class numbers; save it as JSON.")
    return {str(one): str(word) for one, word in zip(names, words, strict=True)}


def words_in_names(image_set: ImageSet) -> dict[str, str]:
    """Image id -> the word that its file name tells, as ``label=cup_text=iPad.png`` (Materzynska et al., CVPR 2022)."""
    found = {id: _IN_NAME.search(PurePosixPath(id).stem) for id in image_set.image_ids}
    return {id: match[1] for id, match in found.items() if match}


def written(image_set: ImageSet, words: Mapping[str, str]) -> Written:
    """The class of the word on every picture of a set.

    A picture is found by its id or its file name, a class by key, ImageNet index or folded name.

    Raises:
        BadInput: no picture has a known word.
    """
    place = {key: label for label, key in reversed(list(enumerate(image_set.keys)))}
    names = {fold(name): label for label, name in reversed(list(enumerate(image_set.names)))}
    wnids = sorted(wnid for wnid, _ in imagenet_classes())
    by_file: dict[str, list[int]] = {}
    for row, id in enumerate(image_set.image_ids):
        for name in {id, PurePosixPath(id).name}:
            by_file.setdefault(name, []).append(row)
    labels, unmatched = np.full(len(image_set.labels), -1, np.int64), []
    for file, word in words.items():
        rows = by_file.get(file) or by_file.get(PurePosixPath(file.replace("\\", "/")).name, [])
        label = place.get(word, names.get(fold(word)))
        if label is None and word.isdecimal() and int(word) < len(wnids):
            label = place.get(wnids[int(word)])
        if len(rows) != 1 or label is None:
            unmatched.append(f"{file}: {word}")
        else:
            labels[rows[0]] = label
    if not (labels >= 0).any():
        first = f", for example {unmatched[0][:120]}" if unmatched else ""
        raise BadInput(f"No picture of {image_set.id} has a known written word{first}; give a table of image and word.")
    return Written(labels, tuple(unmatched))


def shares(records: Sequence[Record]) -> dict[str, Interval]:
    """What the records of one model say of pictures with a wrong word on them, as the figure names it.

    Args:
        records: of a set with words and perhaps its clean pictures (``records``), or of the words that Tailscope writes
            itself: the attacks ``typographic`` and ``letters``, whose share correct is of pictures correct before too.
    """
    found: dict[str, Interval] = {}
    for one in records:
        share = Interval(one.acc1, one.low, one.high)
        if one.condition == "typographic":
            found["correct without a word"] = wilson(round(one.more["clean"] * one.n), one.n)
            found["correct with the word"] = share
            found["predicted as the word"] = wilson(round(one.more["said_word"] * one.n), one.n)
        elif one.condition == "letters":
            found["correct with meaningless letters"] = share
            found["as that word without it"] = wilson(round(one.more["said_word"] * one.n), one.n)
        elif one.condition in _TOLD:
            found[_TOLD[one.condition]] = share
    return found


_TOLD = {
    "clean:correct": "correct without a word",
    "written:correct": "correct with the word",
    "written:written word": "predicted as the word",
    "clean:written word": "as that word without it",
}


def headline(model: str, shares: Mapping[str, Interval], n: int) -> str:
    """How often one model predicts the written word, with and without it, in one sentence."""
    word = shares["predicted as the word"]
    without = shares.get("as that word without it")
    control = f"; in the control without the word {percent(without.value, 1)}" if without else ""
    return (
        f"{model} predicts the written word for {percent(word.value, 1)} of {n:,} pictures (95 % CI "
        f"{100 * word.low:.1f}–{100 * word.high:.1f}){control}; {percent(shares['correct with the word'].value, 1)} "
        "are predicted correctly in spite of it."
    )


def records(answer: Answer, on: Written, *, condition: str) -> list[Record]:
    """Two rows over the pictures with a word of another class: share correct, and share predicted as that word."""
    words = on.labels[answer.rows]
    used = (words >= 0) & (words != answer.labels)
    if not used.any():
        raise BadInput(f"No picture of {answer.lens.image_set} carries the name of another class.")
    said, n = answer.top[used, 0], int(used.sum())
    counts = {"correct": int((said == answer.labels[used]).sum()), "written word": int((said == words[used]).sum())}
    about = {"unmatched": len(on.unmatched), "prompt_notes": list(answer.prompt_notes)}
    return [
        record(answer.lens.model, answer.lens.image_set, f"{condition}:{what}", right=count, n=n,
               prompts=answer.lens.prompts, more={**about, "counted": what})
        for what, count in counts.items()
    ]  # fmt: skip
