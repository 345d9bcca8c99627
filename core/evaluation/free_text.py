"""Answers of multimodal language models on the same classes: free text or multiple choice, matched and kept.

A file holds one JSON object a line: ``{"image": id, "answer": text}``, for multiple choice with ``"options": [...]``.
Ways to match:

``inclusion``: open world. Correct when the answer names the true class, by the text matcher's folding; synonyms of
ImageNet's classes count.
``similarity``: the class whose name is nearest to the answer by the text vectors of a model.
``choice``: closed world. The option that the answer gives by its letter or its text.

The code of arXiv 2405.18415 (both worlds) and 2503.21851 (textual inclusion) counts an answer as correct when it holds
the letters of the true name, in lower case, anywhere ("dog" in "hotdog"): ``Matched.letters``. The semantic similarity
of 2503.21851 is the mean cosine of answer and true name, there by SentenceBERT: ``Matched.closeness``.
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
from core.evaluation import imported
from core.frequency import synonyms
from core.opening import read_regular
from core.stats.format import percent
from core.stats.intervals import wilson
from core.text.folding import fold
from core.text.matcher import Matcher
from core.types import ClassAnswer, ImageSet, Interval, Report, silent

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
        letters: share of replies that hold the letters of the true name, the rule of both papers' code.
    """

    match: Match
    labels: np.ndarray
    correct: np.ndarray
    predicted: np.ndarray
    nothing: int
    several: int
    unknown: tuple[str, ...]
    closeness: float
    letters: float

    @property
    def accuracy(self) -> Interval:
        """Share of replies that are correct, with its Wilson interval."""
        return wilson(int(self.correct.sum()), len(self.correct))


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
    names = [image_set.names[label].lower().strip() for label in labels.tolist()]
    letters = sum(name in reply.text.lower() for name, reply in zip(names, replies, strict=True)) / len(replies)
    if how == "similarity":
        if encode is None:
            raise BadInput("Matching by similarity needs the text tower of a model; give --text-model.")
        cosines = encode([reply.text for reply in replies]) @ encode(list(image_set.names)).T
        predicted = cosines.argmax(1)
        closeness = float(cosines[np.arange(len(labels)), labels].mean())
        return Matched(how, labels, predicted == labels, predicted, 0, 0, tuple(unknown), closeness, letters)
    matcher = Matcher(class_terms(image_set))
    exact: dict[str, set[int]] = {}
    for label, name in enumerate(image_set.names):
        exact.setdefault(fold(name), set()).add(label)
    means = [matcher.find(reply.text) if how == "inclusion" else _chosen(reply, matcher, exact) for reply in replies]
    predicted = np.array(
        [
            label
            if label in classes and (how == "inclusion" or classes == exact[fold(image_set.names[label])])
            else next(iter(classes))
            if len(classes) == 1
            else -1
            for classes, label in zip(means, labels.tolist(), strict=True)
        ],
        np.int64,
    )
    return Matched(
        how, labels, predicted == labels, predicted, sum(not classes for classes in means),
        sum(len(classes) > 1 for classes in means), tuple(unknown), closeness, letters,
    )  # fmt: skip


def class_terms(image_set: ImageSet) -> Mapping[int, tuple[str, ...]]:
    """The names by which an answer may call each class: its own, and those of the same ImageNet class."""
    keys = synonyms.wnids(image_set.keys)
    return {
        label: tuple(dict.fromkeys((name, *synonyms.of_wnid(key))))
        for label, (key, name) in enumerate(zip(keys, image_set.names, strict=True))
    }


def _chosen(reply: Reply, matcher: Matcher[int], exact: Mapping[str, set[int]]) -> set[int]:
    """The classes that the chosen option means: those of its name, else those that it names."""
    options = reply.options
    if not options:
        raise BadInput('Multiple choice needs the options that were offered: {"image", "answer", "options": [...]}.')
    named = {place for place, option in enumerate(options) if fold(option) == fold(reply.text)}
    letter = _LETTER.match(reply.text)
    if not named and letter and (place := ord(letter[1].upper()) - ord("A")) < len(options):
        named = {place}
    if not named:
        found = Matcher({place: (option,) for place, option in enumerate(options)}).find(reply.text)
        # "hot dog" names the dog too, but chooses the hot dog.
        part_of = Matcher({place: (options[place],) for place in found})
        named = found - {part for place in found for part in part_of.find(options[place]) if part != place}
    return set().union(*(exact.get(fold(options[place])) or matcher.find(options[place]) for place in named))


def by_class(found: Matched, image_set: ImageSet) -> list[list[Any]]:
    """Key, name, accuracy and number of replies of every class that has any."""
    n = np.bincount(found.labels, minlength=len(image_set.keys))
    right = np.bincount(found.labels, found.correct, len(image_set.keys))
    return [
        [image_set.keys[label], image_set.names[label], float(right[label] / n[label]), int(n[label])]
        for label in np.flatnonzero(n).tolist()
    ]


@dataclass(frozen=True, eq=False)
class Kept:
    """Answers of a file, matched, and the imported answer that they became."""

    name: str
    found: Matched
    answer: ClassAnswer


def keep(
    file: Path,
    image_set: ImageSet,
    *,
    model: str,
    how: Match,
    text_model: str = "",
    name: str = "",
    report: Report = silent,
) -> Kept:
    """Read a file of answers, match them with the classes and keep them as an imported answer.

    Args:
        model: what to call the model that answered; text_model: whose text tower measures similarity.
        name: to keep them under; the file's own by default.

    Raises:
        UnreadableData, BadInput: as ``read`` and ``match``.
    """
    replies, unknown = read(file, image_set)
    encode = _encoder(text_model, report) if how == "similarity" and text_model else None
    found = match(replies, image_set, how=how, unknown=unknown, encode=encode)
    name = name or file.stem
    answer = imported.keep_classes(
        by_class(found, image_set), name=name, model=model, image_set=image_set.id, prompts=f"answers by {how}",
        acc1=found.accuracy.value, file=file.name,
        note=f"{len(replies):,} answers of a language model, matched by {how}",
    )  # fmt: skip
    return Kept(name, found, answer)


def _encoder(model: str, report: Report) -> Callable[[Sequence[str]], np.ndarray]:
    from core.evaluation.embed import embed_texts
    from core.evaluation.evaluate import encoders, results
    from core.models.registry import canonical

    encoder = encoders().get(canonical(model), "auto")
    return lambda texts: embed_texts(encoder, texts, results(), report=report)


def headline(kept: Kept) -> str:
    """Accuracy of the answers, and how many name nothing or several classes, in one sentence."""
    found = kept.found
    share, told = found.accuracy, ""
    if found.match != "similarity":
        what = "option" if found.match == "choice" else "class"
        told = f"; {found.nothing:,} name no {what}, {found.several:,} more than one"
    return (
        f"{kept.answer.lens.model} names {percent(share.value, 1)} of {len(found.correct):,} pictures correctly "
        f"(95 % CI {100 * share.low:.1f}–{100 * share.high:.1f}; by {found.match}{told})."
    )


def as_json(kept: Kept) -> dict[str, Any]:
    """What was kept, as a JSON object."""
    found, share = kept.found, kept.found.accuracy
    return {
        "name": kept.name, "model": kept.answer.lens.model, "set": kept.answer.lens.image_set, "match": found.match,
        "n": len(found.correct), "acc1": share.value, "low": share.low, "high": share.high,
        "classes": len(kept.answer.keys), "n_nothing_named": found.nothing, "n_several_named": found.several,
        "mean_cosine_true": found.closeness, "share_letters": found.letters,
        "unknown_images": list(found.unknown[:20]), "n_unknown": len(found.unknown),
    }  # fmt: skip
