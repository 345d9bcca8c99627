"""Where an answer comes from: run live here, shipped with Tailscope, published by the authors, or brought in.

``auto`` runs live where weights and pictures are on this disk, else takes what ships, was published or was imported,
in this order. A published answer has per-class values only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from core import datasets
from core.errors import BadInput, ImagesMissing, NotHere, TailscopeError, UnknownName
from core.evaluation import imported as imported_answers
from core.models import registry as models
from core.models.names import split_model
from core.published import openclip
from core.published.answers import find_set, published_answer
from core.published.models import find_model
from core.published.openclip import set_name
from core.types import Answer, ClassAnswer, Lens

Choice = Literal["auto", "live", "shipped", "published", "imported"]
DEFAULT_PROMPTS = "simple"


@dataclass(frozen=True, slots=True)
class Question:
    """Model, image set and prompts as a person names them; ``prompts`` None is the usual strategy of the origin."""

    model: str
    image_set: str
    prompts: str | None = None
    precision: str = "auto"

    def lens(self) -> Lens:
        """The lens of a live run; raises UnknownName for a model that open_clip does not know."""
        prompts = self.prompts or DEFAULT_PROMPTS
        return Lens(models.canonical(self.model), self.image_set, prompts, precision=self.precision)


def answer(question: Question, origin: Choice, live: Callable[[Lens], Answer]) -> Answer | ClassAnswer:
    """Answer a question from one origin, or from the first that has it.

    Args:
        live: runs a lens here.

    Raises:
        NotHere, BadInput: the origin (for ``auto``: none of them) has this answer; the message says what to do.
    """
    if origin == "auto":
        return _first(question, live)
    if origin == "live":
        if (missing := why_not_live(question)) is not None:
            raise missing
        return live(question.lens())
    if origin == "shipped":
        return _shipped(question)
    if origin == "published":
        return published_answer(question.model, question.image_set, question.prompts)
    return imported_answers.find(question.model, question.image_set, question.prompts)


def why_not_live(question: Question) -> TailscopeError | None:
    """What a live run lacks (the model's name, its weights, or the pictures), or None when it can start."""
    return why_no_model(question) or why_no_pictures(question)


def why_no_model(question: Question) -> TailscopeError | None:
    """Why the model cannot run here, or None; looks at no picture."""
    try:
        models.find(question.lens().model)
    except TailscopeError as error:
        return error
    return None


def why_no_pictures(question: Question) -> TailscopeError | None:
    """Why there are no pictures of the image set, or None."""
    try:
        datasets.open_set(question.image_set)
    except UnknownName as error:
        published = find_set(question.image_set)
        if published is None:
            return error
        return ImagesMissing(
            f"Computing on {published.title} needs its pictures: give the path of a copy on this disk in place of "
            f"{question.image_set}."
        )
    except TailscopeError as error:
        return error
    return None


def published_total(question: Question) -> tuple[float, str, str] | None:
    """Metric value, metric and source of a model on a set where only the whole was published (open_clip's table)."""
    arch, pretrained = split_model(question.model)
    name = set_name(question.image_set)
    for one in openclip.results():
        if (one.arch, one.pretrained, one.benchmark.set) == (arch, pretrained, name):
            return one.value, one.benchmark.metric, openclip.SOURCE
    return None


def _first(question: Question, live: Callable[[Lens], Answer]) -> Answer | ClassAnswer:
    missing = why_not_live(question)
    if missing is None:
        return live(question.lens())
    known = find_model(question.model) is not None and find_set(question.image_set) is not None
    for origin in ("shipped", "published", "imported"):
        try:
            return answer(question, origin, _never)
        except NotHere:
            continue
        except BadInput:
            if origin == "published" and known:  # released, but under other prompts: worth more than the live error
                raise
    raise missing


def _shipped(question: Question) -> Answer:
    from core.evaluation.shipped import shipped_answer

    found = shipped_answer(question.lens())
    if found is None:
        raise NotHere(
            f"No run of {question.model} on {question.image_set} ships with Tailscope; use --origin live or auto."
        )
    return found


def _never(lens: Lens) -> Answer:
    raise NotHere(f"{lens.model} is not run here.")
