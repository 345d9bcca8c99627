"""A second accuracy from cleaned or multi-label annotations, and accuracy where two concepts are in one picture.

ReaL (Beyer et al., arXiv 2006.07159): a prediction is correct when it is one of the labels that annotators accept;
pictures without an accepted label do not count.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.analysis.group_change import GroupChange, group_changes, in_words
from core.datasets.names import imagenet_classes
from core.errors import BadInput, UnreadableData
from core.evaluation.free_text import rows_by_name
from core.frequency import synonyms
from core.opening import read_regular
from core.stats import intervals as stats
from core.stats.format import percent
from core.text.spelling import fold
from core.types import Answer, ImageSet, Interval

MAX_BYTES = 64 << 20
_VAL = re.compile(r"val_(\d{8})\b")
_SEPARATORS = re.compile(r"[;|]")

Accepted = tuple[frozenset[int] | None, ...]
"""Labels accepted for every picture of a set; empty where annotators accept none, None where the file lacks it."""


def read_labels(content: bytes, filename: str, image_set: ImageSet) -> Accepted:
    """Accepted labels of every picture.

    Two layouts: ReaL's ``real.json`` (a list of lists of ImageNet indices in the order of the validation pictures,
    which are found by the number in their names), or CSV with the columns ``image`` and ``labels`` (class keys or
    names, several separated by ``;`` or ``|``, none for a picture without an accepted label).

    Raises:
        UnreadableData: the file is neither. BadInput: it is about other pictures.
    """
    text = content.decode("utf-8-sig", "replace")
    found = _from_csv(text, filename, image_set) if filename.lower().endswith(".csv") else _real(text, image_set)
    if all(one is None for one in found):
        raise BadInput(f"{filename} names no picture of {image_set.id}; its ids look like {image_set.image_ids[0]!r}.")
    return found


def read_file(path: Path, image_set: ImageSet) -> Accepted:
    """``read_labels`` of a file on this disk."""
    return read_labels(read_regular(path, limit=MAX_BYTES), path.name, image_set)


def _real(text: str, image_set: ImageSet) -> Accepted:
    try:
        lists = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(
            f"The labels are no JSON ({error}); give real.json, or a CSV with image and labels."
        ) from error
    flat = isinstance(lists, list) and all(
        isinstance(one, list) and all(type(index) is int and 0 <= index < 1000 for index in one) for one in lists
    )
    if not flat:
        raise UnreadableData("The labels must be a list of lists of ImageNet indices below 1,000, as in real.json.")
    places = {wnid: index for index, (wnid, _) in enumerate(imagenet_classes())}
    of_index = {places[key]: label for label, key in enumerate(synonyms.wnids(image_set.keys)) if key in places}
    if not of_index:
        raise BadInput(f"{image_set.id} is not labelled by WordNet ids, so ImageNet indices mean nothing there.")
    found: list[frozenset[int] | None] = []
    for id in image_set.image_ids:
        number = _VAL.search(id)
        place = int(number[1]) - 1 if number else -1
        # A class that the set lacks is kept as a label that no prediction meets.
        found.append(frozenset(of_index.get(i, -1) for i in lists[place]) if 0 <= place < len(lists) else None)
    return tuple(found)


def _from_csv(text: str, filename: str, image_set: ImageSet) -> Accepted:
    rows = csv.DictReader(io.StringIO(text))
    if not {"image", "labels"} <= set(rows.fieldnames or ()):
        raise UnreadableData(f"{filename} needs the columns image and labels, not {', '.join(rows.fieldnames or ())}.")
    place = rows_by_name(image_set.image_ids)
    label_of = {fold(name): label for label, name in enumerate(image_set.names)}
    label_of |= {fold(key): label for label, key in enumerate(image_set.keys)}
    found: list[frozenset[int] | None] = [None] * len(image_set.image_ids)
    for row in rows:
        at = place.get((row["image"] or "").replace("\\", "/"), -1)
        if at >= 0:
            words = [word for part in _SEPARATORS.split(row["labels"] or "") if (word := fold(part))]
            found[at] = frozenset(label_of.get(word, -1) for word in words)
    return tuple(found)


@dataclass(frozen=True)
class SecondAccuracy:
    """An answer under its own labels (before) and under the accepted ones (after), on the same pictures.

    Attributes:
        n: pictures judged; none: without an accepted label; missing: not in the file; several: with two labels or more.
        disagree: judged pictures whose own label is not accepted.
        first, second: top-1 accuracy over the judged pictures; changes: head, torso and tail, by the own label.
    """

    n: int
    none: int
    missing: int
    several: int
    disagree: int
    first: Interval
    second: Interval
    changes: tuple[GroupChange, ...]


def second_accuracy(answer: Answer, accepted: Accepted, counts: Mapping[str, int]) -> SecondAccuracy:
    """Judge an answer by the accepted labels; counts tell head from tail."""
    mine = [accepted[row] for row in answer.rows.tolist()]
    judged = np.array([bool(one) for one in mine])
    if not judged.any():
        raise BadInput("No picture that was answered has an accepted label.")
    labels, predicted = answer.labels[judged], answer.top[judged, 0]
    sets = [one for one in mine if one]
    was = predicted == labels
    now = np.array([said in one for said, one in zip(predicted.tolist(), sets, strict=True)])
    tags = stats.tags(counts)
    parts = [tags.get(key, "") for key in answer.keys]
    columns = (None, was, now, now & ~was, was & ~now)
    tallies = np.stack([np.bincount(labels, one, len(parts)).astype(np.float64) for one in columns])
    return SecondAccuracy(
        n=len(labels),
        none=sum(one is not None and not one for one in mine),
        missing=sum(one is None for one in mine),
        several=sum(len(one) > 1 for one in sets),
        disagree=sum(label not in one for label, one in zip(labels.tolist(), sets, strict=True)),
        first=stats.wilson(int(was.sum()), len(labels)),
        second=stats.wilson(int(now.sum()), len(labels)),
        changes=group_changes(tallies, parts),
    )


def headline(found: SecondAccuracy) -> str:
    """Both accuracies, and how head and tail change, in a sentence."""
    changes = ", ".join(in_words(one) for one in found.changes if one.group in ("head", "tail"))
    return (
        f"{percent(found.first.value, 1)} of {found.n:,} pictures are correct by their own label, "
        f"{percent(found.second.value, 1)} by the accepted ones{f' ({changes})' if changes else ''}; "
        f"{found.disagree:,} own labels are not accepted, {found.several:,} pictures have several."
    )


@dataclass(frozen=True)
class PairAccuracy:
    """Pictures of class ``a`` that hold ``b`` too: number and share predicted as a; PMI of both in captions."""

    a: int
    b: int
    pmi: float
    n: int
    accuracy: float


def pairs_by_pmi(answer: Answer, accepted: Accepted, pmi: Mapping[tuple[str, str], float]) -> list[PairAccuracy]:
    """Accuracy on pictures that hold two concepts, by how much more often captions name both than chance (PMI).

    Definition as in arXiv 2507.08000: is the picture's own class predicted while the other concept is there?

    Args:
        pmi: folded names (a, b), in either order -> PMI.

    Raises:
        BadInput: no picture holds two concepts of which the PMI is known.
    """
    both = {pair: value for (a, b), value in pmi.items() for pair in ((a, b), (b, a))}
    names = [fold(name) for name in answer.names]
    hits: dict[tuple[int, int], list[bool]] = defaultdict(list)
    for row, label, said in zip(answer.rows.tolist(), answer.labels.tolist(), answer.top[:, 0].tolist(), strict=True):
        for other in accepted[row] or ():
            if other not in (label, -1) and (names[label], names[other]) in both:
                hits[label, other].append(said == label)
    if not hits:
        raise BadInput("No picture has two labels whose co-occurrence in captions is known.")
    return [
        PairAccuracy(a, b, both[names[a], names[b]], len(right), float(np.mean(right)))
        for (a, b), right in sorted(hits.items())
    ]


def read_pmi(content: bytes, filename: str) -> dict[tuple[str, str], float]:
    """PMI by folded names from ``cooccurrence.parquet`` of ``frequency count``, or a CSV with a, b and pmi."""
    try:
        if filename.endswith(".parquet"):
            import pyarrow.parquet as pq

            rows = pq.read_table(io.BytesIO(content), columns=["a", "b", "pmi"]).to_pylist()
        else:
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig", "replace"))))
        known = [row for row in rows if row["pmi"] not in (None, "")]
        return {(fold(str(row["a"])), fold(str(row["b"]))): float(row["pmi"]) for row in known}
    except (KeyError, ValueError, OSError) as error:
        raise UnreadableData(f"{filename} is no table of pairs with the columns a, b and pmi ({error}).") from error


def association(pairs: Sequence[PairAccuracy]) -> Interval:
    """Pearson's r of PMI and accuracy over pairs; pairs of one class are drawn together."""
    return stats.pearson(
        np.array([one.pmi for one in pairs]), np.array([one.accuracy for one in pairs]),
        clusters=np.array([one.a for one in pairs]),
    )  # fmt: skip


def as_json(found: SecondAccuracy) -> dict[str, Any]:
    """Both accuracies as a JSON object."""
    from core.analysis.group_change import as_json as change_json

    return {
        "n": found.n, "n_none_accepted": found.none, "n_missing": found.missing, "n_several": found.several,
        "n_own_not_accepted": found.disagree,
        **{name: {"value": one.value, "low": one.low, "high": one.high}
           for name, one in (("acc1", found.first), ("acc1_accepted", found.second))},
        "groups": [change_json(one) for one in found.changes],
    }  # fmt: skip
