"""Tailscope in a notebook: five functions, each returning a value with ``to_pandas()`` and a line that reads well.

``import tailscope`` gives these. They are the command line's ``evaluate``, ``curve`` and ``compare`` without its
printing: the same cache, the same origins of answers, the same figures. docs/API.md shows them at work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from core import datasets
from core.analysis import compare as comparing
from core.analysis import curve as curves
from core.analysis.compare import ClassDifference, Comparison, Difference
from core.analysis.curve import Curve, Recipe
from core.errors import BadInput
from core.evaluation import origins
from core.frequency import choice, sources
from core.types import Answer, ClassAnswer, FrequencyTable, ImageSet, Lens, Report, silent

Method = Literal["text", "image", "integrated"]


def open_set(
    id: str | os.PathLike[str], *, names: str | os.PathLike[str] | Mapping[str, str] | None = None
) -> ImageSet:
    """Open an image set; its layout is detected and nothing is written into it.

    Args:
        id: a built-in id (``icons``), the id of a fetched set (``letitwag``), or a path.
        names: a names file, or corrections as class key -> name.

    Returns:
        a value with ``keys`` and ``names`` of the classes, ``labels`` [n], and ``image(index)`` as a PIL image.

    Raises:
        TailscopeError: there is no such set, it must be fetched first, or its layout is unknown; the message says it.
    """
    return datasets.open_set(id, names=names)


def evaluate(
    model: str,
    image_set: str | os.PathLike[str] | ImageSet,
    prompts: str | None = None,
    *,
    origin: origins.Choice = "auto",
    precision: Literal["auto", "float32"] = "auto",
    report: Report | None = None,
) -> Answer | ClassAnswer:
    """Zero-shot classification: the accuracy of every class, and of every image where the model runs here.

    Args:
        model: ``ARCH,PRETRAINED``, ``hf-hub:org/repo``, ``local-dir:/path`` or ``ARCH,/path/to/checkpoint``.
        image_set: an id, a path, or an opened set, which is evaluated here with the names it was opened with.
        prompts: a strategy id, a quoted template with ``{}``, or the path of a prompt file; ``simple`` by default, or
            what was published.
        origin: ``live`` runs the model here; ``shipped``, ``published`` and ``imported`` look an answer up; ``auto``
            takes the first of these that there is.
        report: called with ``core.types.Progress`` while images are embedded.

    Raises:
        TailscopeError: what is missing or wrong, and what to do about it, in one sentence.
    """
    from core.evaluation.evaluate import evaluate as answer_lens

    opened = None if isinstance(image_set, str | os.PathLike) else image_set
    if opened is not None and origin not in ("auto", "live"):
        raise BadInput(f"An opened set is evaluated here; for {origin} results give its id: {opened.id!r}.")
    id = os.fspath(image_set) if isinstance(image_set, str | os.PathLike) else image_set.id

    def live(lens: Lens) -> Answer:
        images = datasets.open_set(id) if opened is None else opened
        return answer_lens(lens, image_set=images, report=report or silent)

    question = origins.Question(model, id, prompts, precision)
    if opened is not None:
        return live(question.lens())
    return origins.answer(question, origin, live)


def load_counts(source: str, *, method: Method | None = None) -> FrequencyTable:
    """Pretraining counts of concepts.

    Args:
        source: a name that ``tailscope frequency list`` shows: ``icons-200k``,
            ``published:laion400m/integrated_ttext_i0.7``, ``counted:NAME``, ``imported:NAME``.
        method: kind of count; the source's own by default.

    Raises:
        UnknownName: no source has this name; the message suggests close ones. BadInput: it has no such counts.
    """
    return sources.load_source(source, method=method)


def curve(answer: Answer | ClassAnswer, counts: str | FrequencyTable = "auto", *, recipe: Recipe = "honest") -> Curve:
    """Accuracy of the classes against how often each concept occurred in pretraining.

    Args:
        counts: a source or a loaded table; ``auto`` takes the counts of the model's own pretraining set.
        recipe: ``honest`` (single concepts, intervals) or ``paper`` (binned means as in arXiv 2404.04125).

    Raises:
        BadInput: ``auto``, and the model's pretraining set was not counted; the message names what is near.
    """
    if counts == "auto":
        chosen = choice.choose(answer.lens.model, answer.keys, answer.names)
        if not chosen.source:
            raise BadInput(chosen.sentence)
        counts = chosen.source
    return curves.curve(answer, load_counts(counts) if isinstance(counts, str) else counts, recipe=recipe)


def compare(
    answers: Mapping[str, Answer | ClassAnswer], *, counts: str | FrequencyTable = "auto"
) -> Comparison[Difference | ClassDifference]:
    """Compare up to four answers about the same images, or over the same classes where one is not of images.

    Args:
        answers: what to call each -> the answer.
        counts: what tells head from tail; ``auto`` takes those of each model's own pretraining set, where counted.

    Raises:
        BadInput: more than four answers, or answers about different images.
    """
    tables = {}
    for name, answer in answers.items():
        own = sources.own(answer.lens.model, answer.keys, answer.names) if counts == "auto" else counts
        if own:
            tables[name] = load_counts(own) if isinstance(own, str) else own
    return comparing.compare(answers, tables=tables)
