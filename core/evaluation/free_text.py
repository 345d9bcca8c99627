"""Answers of multimodal language models on the same classes: free text or multiple choice, matched and kept.

A file holds one JSON object a line: ``{"image": id, "answer": text}``, for multiple choice with ``"options": [...]``.
Ways to match (definitions: arXiv 2405.18415, closed world and inclusion; arXiv 2503.21851, inclusion and similarity):

``inclusion``: open world. Correct when the answer names the true class, by the text matcher's folding; synonyms of
ImageNet's classes count.
``similarity``: the class whose name is nearest to the answer by the text vectors of a model.
``choice``: closed world. The option that the answer gives by its letter or its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np

from core.errors import BadInput, UnreadableData
from core.frequency import synonyms
from core.opening import read_regular
from core.text.matcher import Matcher
from core.types import ImageSet

Match = Literal["inclusion", "similarity", "choice"]
MATCHES: tuple[Match, ...] = get_args(Match)
MAX_BYTES = 256 << 20
MOST_ANSWER = 20_000
"""Characters of an answer that are read."""
_LETTER = re.compile(
    r"\s*(?:(?:the\s+)?(?:answer|option)(?:\s+is)?\s*:?\s*)?\(?([A-Za-z])(?:[).:]|\s*$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: row of the image set, text, and the options that were offered (empty for free text)."""

    row: int
    text: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Matched:
    """Replies of one model by class.

    Attributes:
        labels: int [m], true class of every reply; correct: bool [m].
        predicted: int [m], the class that a reply means, -1 where none or several; by inclusion, the true class when
            it is named among others.
        nothing: replies that name no class (or no option); several: those that name more than one.
        unknown: images of the file that the set does not have.
        closeness: mean cosine of a reply and the true class's name, NaN unless matched by similarity.
    """

    match: Match
    labels: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray
    nothing: int
    several: int
    unknown: tuple[str, ...]
    closeness: float


def read(path: Path, image_set: ImageSet) -> tuple[list[Reply], tuple[str, ...]]:
    """Replies of a JSON-lines file about pictures of an image set, and the images that the set does not have.

    An image is named by its id in the set, or by the end of it where only one id ends so. The last reply about an image
    counts.

    Raises:
        UnreadableData: a line is no such object. BadInput: no image is one of the set.
    """
    rows = rows_by_name(image_set.image_ids)
    found: dict[int, Reply] = {}
    unknown: list[str] = []
    text = read_regular(path, limit=MAX_BYTES).decode("utf-8-sig", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            image, answer, options = record["image"], record["answer"], record.get("options") or []
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableData(
                f'{path.name}, line {number}: write one object a line, {{"image": "...", "answer": "..."}}.'
            ) from error
        listed = isinstance(options, list) and len(options) <= 1000 and all(isinstance(one, str) for one in options)
        if not isinstance(image, str) or not isinstance(answer, str) or not listed:
            raise UnreadableData(f"{path.name}, line {number}: image and answer are texts, options a list of texts.")
        row = rows.get(_plain(image), -1)
        if row < 0:
            unknown.append(image)
            continue
        found[row] = Reply(row, answer[:MOST_ANSWER], tuple(options))
    if not found:
        raise BadInput(f"{path.name} names no picture of {image_set.id}; its ids look like {image_set.image_ids[0]!r}.")
    return list(found.values()), tuple(unknown)


def _plain(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))


def rows_by_name(ids: Sequence[str]) -> dict[str, int]:
    """Row by id, and by every end of an id that is its own; -1 where several share it."""
    rows: dict[str, int] = {}
    for row, id in enumerate(ids):
        parts = PurePosixPath(_plain(id)).parts
        for start in range(1, len(parts)):
            end = "/".join(parts[start:])
            rows[end] = row if end not in rows else -1
    return rows | {_plain(id): row for row, id in enumerate(ids)}


def match(
    replies: Sequence[Reply],
    image_set: ImageSet,
    *,
    how: Match,
    unknown: Sequence[str] = (),
    encode: Callable[[Sequence[str]], np.ndarray] | None = None,
) -> Matched:
    """Decide which class every reply means.

    Args:
        encode: texts to unit vectors [n, d]; needed for similarity.

    Raises:
        BadInput: multiple choice without options, or similarity without an encoder.
    """
    labels = np.array([image_set.labels[reply.row] for reply in replies], np.int64)
    closeness = float("nan")
    if how == "similarity":
        if encode is None:
            raise BadInput("Matching by similarity needs the text tower of a model; give --text-model.")
        cosines = encode([reply.text for reply in replies]) @ encode(list(image_set.names)).T
        predicted = cosines.argmax(1)
        closeness = float(cosines[np.arange(len(labels)), labels].mean())
        return Matched(how, labels, predicted == labels, predicted, 0, 0, tuple(unknown), closeness)
    matcher = Matcher(class_terms(image_set))
    means = [_means(reply, matcher, how) for reply in replies]
    predicted = np.array(
        [
            label if how == "inclusion" and label in classes else next(iter(classes)) if len(classes) == 1 else -1
            for classes, label in zip(means, labels.tolist(), strict=True)
        ],
        np.int64,
    )
    return Matched(
        how, labels, predicted == labels, predicted, sum(not classes for classes in means),
        sum(len(classes) > 1 for classes in means), tuple(unknown), closeness,
    )  # fmt: skip


def class_terms(image_set: ImageSet) -> Mapping[int, tuple[str, ...]]:
    """The names by which an answer may call each class: its own, and those of the same ImageNet class."""
    keys = synonyms.wnids(image_set.keys)
    return {
        label: tuple(dict.fromkeys((name, *synonyms.of_wnid(key))))
        for label, (key, name) in enumerate(zip(keys, image_set.names, strict=True))
    }


def _means(reply: Reply, matcher: Matcher[int], how: Match) -> set[int]:
    if how == "inclusion":
        return matcher.find(reply.text)
    if not reply.options:
        raise BadInput('Multiple choice needs the options that were offered: {"image", "answer", "options": [...]}.')
    named = {place for place, option in enumerate(reply.options) if option.casefold() == reply.text.strip().casefold()}
    letter = _LETTER.match(reply.text)
    if not named and letter and (place := ord(letter[1].upper()) - ord("A")) < len(reply.options):
        named = {place}
    if not named:
        named = Matcher({place: (option,) for place, option in enumerate(reply.options)}).find(reply.text)
    return set().union(*(matcher.find(reply.options[place]) for place in named))


def by_class(found: Matched, image_set: ImageSet) -> list[list[Any]]:
    """Key, name, accuracy and number of replies of every class that has any."""
    n = np.bincount(found.labels, minlength=len(image_set.keys))
    right = np.bincount(found.labels, found.correct, len(image_set.keys))
    return [
        [image_set.keys[label], image_set.names[label], float(right[label] / n[label]), int(n[label])]
        for label in np.flatnonzero(n).tolist()
    ]
