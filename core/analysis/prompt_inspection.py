"""A class's sentences under the lens: what each contributes, what is wrong with it, and what happens without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluation import evaluate, zeroshot
from core.evaluation.sentences import Sentences, class_column, read_sentences
from core.prompts import prompt_set
from core.text.folding import fold
from core.types import Answer, ImageSet, Lens, Progress, PromptSet, Report, silent

RANDOM = "random words"
STEPS, DRAWS = (1, 2, 3, 5, 10, 20, 30, 50, 80), 3
"""Numbers of sentences that are tried, and how often each is drawn."""


@dataclass(frozen=True, slots=True)
class SentenceCheck:
    """One sentence of a class.

    Attributes:
        cosine: with the mean direction of its class's sentences (itself among them).
        nearest: the other class whose mean direction it is most similar to, and ``nearest_cosine`` how much.
        duplicate_of: place of an equal earlier sentence of the class, None for none (case and spaces ignored).
        tokens: with start and end marks; cut: the model reads only the first ``context_length`` of them.
        name_missing: the class name does not occur (case, hyphens and underscores ignored).
    """

    text: str
    cosine: float
    nearest: int
    nearest_cosine: float
    duplicate_of: int | None
    tokens: int
    cut: bool
    name_missing: bool


@dataclass(frozen=True, slots=True)
class Lint:
    """How many sentences of a prompt set have each flaw; ``shared`` stand under more than one class."""

    sentences: int
    duplicates: int
    shared: int
    cut: int
    name_missing: int


@dataclass(frozen=True)
class Rescored:
    """All images after the sentences of one class changed.

    Attributes:
        said: int32 [m]; margin: float32 [m], as in ``Answer``.
        acc1, mean_per_class_recall: fractions.
        fixed, broken: int64, rows of the image set that became right or wrong.
    """

    said: np.ndarray
    margin: np.ndarray
    acc1: float
    mean_per_class_recall: float
    fixed: np.ndarray
    broken: np.ndarray


@dataclass(frozen=True, slots=True)
class CountPoint:
    """Top-1 accuracy with ``n`` sentences a class: the value of every draw, their mean and standard deviation."""

    n: int
    values: tuple[float, ...]
    mean: float
    sd: float


def directions(sentences: Sentences) -> np.ndarray:
    """Unit mean vector of every class, float32 [c, d], whatever the aggregation."""
    return zeroshot.build_classifier(sentences.vectors, sentences.owners, scale=1.0).weights


def inspect_class(sentences: Sentences, index: int, names: Sequence[str]) -> tuple[SentenceCheck, ...]:
    """Every sentence of one class with its place in text space and its flaws, in the order of the file."""
    means, place = directions(sentences), sentences.of(index)
    cosines = sentences.vectors[place] @ means.T
    own = cosines[:, index].copy()
    cosines[:, index] = -np.inf
    nearest = cosines.argmax(1)
    first: dict[str, int] = {}
    checks = []
    for row, text in enumerate(sentences.prompts.sentences[index]):
        earlier = first.setdefault(fold(text), row)
        tokens = sentences.tokens[place.start + row]
        checks.append(
            SentenceCheck(
                text=text,
                cosine=float(own[row]),
                nearest=int(nearest[row]),
                nearest_cosine=float(cosines[row, nearest[row]]),
                duplicate_of=None if earlier == row else earlier,
                tokens=tokens,
                cut=tokens > sentences.context_length,
                name_missing=fold(names[index]) not in fold(text),
            )
        )
    return tuple(checks)


def lint(prompts: PromptSet, names: Sequence[str], *, tokens: Sequence[int] = (), context_length: int = 77) -> Lint:
    """Count the flaws of a whole prompt set.

    Args:
        tokens: of every sentence in order (``Sentences.tokens``); without them none counts as cut.
    """
    folded = [[fold(text) for text in listed] for listed in prompts.sentences]
    classes_of: dict[str, int] = {}
    for listed in folded:
        for text in set(listed):
            classes_of[text] = classes_of.get(text, 0) + 1
    return Lint(
        sentences=sum(map(len, folded)),
        duplicates=sum(len(listed) - len(set(listed)) for listed in folded),
        shared=sum(classes_of[text] > 1 for listed in folded for text in listed),
        cut=sum(count > context_length for count in tokens),
        name_missing=sum(fold(name) not in text for name, listed in zip(names, folded, strict=True) for text in listed),
    )


def rescore(answer: Answer, vectors: np.ndarray, sentences: Sentences, index: int) -> Rescored:
    """The answer after the sentences of one class changed, from that class's similarities alone.

    The other classes keep their scores, and the best of them is among the answer's top-k, so nothing else is computed.

    Args:
        answer: with at least its three best classes an image (or all of fewer).
        vectors: the image vectors of the answer [m, d]; sentences: with the new sentences of class ``index``.
    """
    new = class_column(vectors, sentences, index)
    m, labels = len(new), answer.labels
    other = answer.top != index
    place = other.argmax(1)
    rival, best = answer.top[np.arange(m), place], answer.scores[np.arange(m), place]
    # Equal scores go to the lower class index, as everywhere.
    wins = (new > best) | ((new == best) & (index < rival))
    said = np.where(wins, index, rival).astype(np.int32)
    # The true class's score follows from the old margin, which is against the best class that is not the true one.
    wrong = answer.top[:, 0] != labels
    true = answer.margin + np.where(wrong, answer.scores[:, 0], answer.scores[:, min(1, answer.top.shape[1] - 1)])
    third = other & (answer.top != labels[:, None])
    best_third = np.where(third.any(1), answer.scores[np.arange(m), third.argmax(1)], -np.inf)
    margin = np.where(labels == index, new - best, true - np.maximum(best_third, new)).astype(np.float32)
    before, after = answer.top[:, 0] == labels, said == labels
    n = np.bincount(labels, minlength=len(answer.keys))
    hits = np.bincount(labels, weights=after, minlength=len(answer.keys))
    return Rescored(
        said,
        margin,
        float(after.mean()),
        float((hits[n > 0] / n[n > 0]).mean()),
        answer.rows[~before & after],
        answer.rows[before & ~after],
    )


def accuracy_by_count(
    vectors: np.ndarray,
    labels: np.ndarray,
    sentences: Sentences,
    counts: Sequence[int],
    *,
    draws: int = 5,
    seed: int = 0,
    report: Report = silent,
) -> tuple[CountPoint, ...]:
    """Top-1 accuracy against the number of sentences a class, drawn without replacement.

    Where all classes have as many sentences, one draw takes the same places for all of them, so that templates and
    random words stay the same for every class; a class with fewer sentences than asked keeps them all.

    Args:
        vectors, labels: image vectors [m, d] and true classes [m].
        counts: numbers of sentences; draws: random choices for each.
    """
    owned = [sentences.of(index) for index in range(len(sentences.prompts.sentences))]
    sizes = np.array([place.stop - place.start for place in owned])
    starts = np.array([place.start for place in owned])
    points = []
    for done, n in enumerate(counts):
        values = []
        # With every sentence there is only one choice.
        for draw in range(1 if n >= sizes.max() else draws):
            rng = np.random.default_rng([seed, n, draw])
            if np.ptp(sizes) == 0:
                rows = (starts[:, None] + np.sort(rng.permutation(sizes[0])[:n])).ravel()
            else:
                chosen = zip(starts, sizes, strict=True)
                rows = np.concatenate([start + np.sort(rng.permutation(size)[:n]) for start, size in chosen])
            classifier = zeroshot.build_classifier(
                sentences.vectors[rows],
                sentences.owners[rows],
                aggregation=sentences.prompts.aggregation,
                scale=sentences.scale,
            )
            values.append(float(np.mean(zeroshot.predict(vectors, classifier) == labels)))
            report(Progress(done * draws + draw + 1, len(counts) * draws, f"{n} sentences a class"))
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        points.append(CountPoint(int(n), tuple(values), float(np.mean(values)), sd))
    return tuple(points)


def count_curves(lens: Lens, image_set: ImageSet, *, report: Report = silent) -> dict[str, tuple[CountPoint, ...]]:
    """``accuracy_by_count`` of a lens's sentences, and of as many of random words (``RANDOM``)."""
    embedded = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    labels = np.asarray(image_set.labels)[embedded.rows]
    found = {}
    for label, strategy in ((lens.prompts, lens.prompts), (RANDOM, "waffle")):
        sentences = read_sentences(lens, prompt_set(strategy, image_set), report=report)
        most = max(map(len, sentences.prompts.sentences))
        counts = [*(step for step in STEPS if step < most), most]
        found[label] = accuracy_by_count(embedded.vectors, labels, sentences, counts, draws=DRAWS, report=report)
    return found


def flagged(checks: Sequence[SentenceCheck], names: Sequence[str]) -> Mapping[int, tuple[str, ...]]:
    """Place of a sentence -> what is wrong with it, in words; sentences without a flaw are absent."""
    told: dict[int, tuple[str, ...]] = {}
    for row, check in enumerate(checks):
        flaws = []
        if check.duplicate_of is not None:
            flaws.append(f"repeats sentence {check.duplicate_of + 1}")
        if check.cut:
            flaws.append(f"too long: only its first tokens of {check.tokens} are read")
        if check.name_missing:
            flaws.append("does not name the class")
        if check.nearest_cosine > check.cosine:
            flaws.append(f"is closer to {names[check.nearest]}")
        if flaws:
            told[row] = tuple(flaws)
    return told
