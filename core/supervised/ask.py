"""One way to ask any classifier, zero-shot or supervised, what it sees on an image set."""

from __future__ import annotations

from core.evaluation.evaluate import evaluate
from core.models import registry as models
from core.supervised import answers
from core.supervised import names as supervised
from core.types import Answer, ImageSet, Lens, Report, silent


def answer_for(model: str, image_set: ImageSet, *, prompts: str = "simple", report: Report = silent) -> Answer:
    """The answer of ``model`` on ``image_set``, from the cache or computed now.

    Args:
        model: an open_clip name as in ``core.models.registry``, or a supervised classifier.
        image_set: an open set.
        prompts: strategy of a zero-shot model.
    """
    if supervised.is_supervised(model):
        return answers.answer_for(model, image_set, report)
    return evaluate(Lens(model, image_set.id, prompts), report=report, image_set=image_set)


def answer_of(lens: Lens, image_set: ImageSet, *, report: Report = silent) -> Answer:
    """The answer of the lens's model on an open set, under the lens's prompts."""
    return answer_for(lens.model, image_set, prompts=lens.prompts, report=report)


def named(text: str) -> str:
    """The one spelling of any classifier's name; UnknownName for one that leads nowhere."""
    return supervised.canonical(text) if supervised.is_supervised(text.strip()) else models.canonical(text)
