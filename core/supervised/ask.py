"""One way to ask any classifier, zero-shot or supervised, what it sees on an image set."""

from __future__ import annotations

from collections.abc import Sequence

from core.evaluation import embed, looks
from core.evaluation.evaluate import answer_key, evaluate, is_answered
from core.models import registry as models
from core.prompts import prompt_set
from core.runtime import estimates
from core.runtime.estimates import Estimate
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


def estimate(
    asked: Sequence[str], image_sets: Sequence[ImageSet], *, prompts: str = "simple", report: Report = silent
) -> Estimate | None:
    """How long these models, zero-shot or supervised, take here for what they have not embedded yet; None for none.

    A model whose answer is cached is not loaded.
    """
    wholes = {embed.whole_of(one).fingerprint: one for one in image_sets}.values()
    return estimates.total([_time(model, one, prompts, report) for model in dict.fromkeys(asked) for one in wholes])


def _time(model: str, image_set: ImageSet, prompts: str, report: Report) -> Estimate | None:
    if supervised.is_supervised(model):
        if is_answered(answers.answer_key(supervised.canonical(model), image_set), image_set):
            return None
        return looks.time_to_embed(answers.pool().get(supervised.canonical(model), "float32"), image_set, report=report)
    lens = Lens(model, image_set.id, prompts)
    if is_answered(answer_key(lens, image_set, prompt_set(prompts, image_set)), image_set):
        return None
    return looks.estimate(lens, image_set=image_set, report=report)


def named(text: str) -> str:
    """The one spelling of any classifier's name; UnknownName for one that leads nowhere."""
    return supervised.canonical(text) if supervised.is_supervised(text.strip()) else models.canonical(text)
