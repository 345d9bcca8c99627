"""Answers as the JSON that other tools read: CLIP_benchmark's keys plus what a long tail needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.evaluation import looks
from core.models.names import split_model
from core.types import Answer, ClassAnswer, Lens

if TYPE_CHECKING:
    from core.evaluation.evaluate import Retrieved


def retrieval(lens: Lens, used: Retrieved) -> dict[str, Any]:
    """One retrieval run in CLIP_benchmark's schema, with how much of the set was used."""
    return {
        **_run(lens.model, lens.image_set, used.metrics, "zeroshot_retrieval"),
        "n_images": used.images,
        "n_used": used.used,
        "n_captions": len(used.captions),
        "left_out": [{"item": item.item, "reason": item.reason} for item in used.left_out],
    }


def clip_benchmark(answer: Answer) -> dict[str, Any]:
    """One zero-shot run in CLIP_benchmark's schema, with ``classwise`` (fractions, by original key) and fingerprint."""
    metrics = {"acc1": answer.acc1, "acc5": answer.acc5, "mean_per_class_recall": answer.mean_per_class_recall}
    return {
        **_run(answer.lens.model, answer.lens.image_set, metrics),
        "prompts": answer.lens.prompts,
        "prompt_notes": list(answer.prompt_notes),
        "n_images": answer.n_images,
        "n_used": len(answer.rows),
        "left_out": [{"item": item.item, "reason": item.reason} for item in answer.left_out],
        "classwise": {
            score.key: {"name": score.name, "accuracy": score.accuracy if score.n else None, "n": score.n}
            for score in answer.classes
        },
        "fingerprint": answer.fingerprint,
        "origin": answer.origin,
        **({"look": looks.as_json(answer)} if looks.is_look(answer) else {}),
    }


def class_results(answer: ClassAnswer) -> dict[str, Any]:
    """Published or imported per-class values in the same schema; ``n`` is null where the images are not told."""
    classified = answer.metric == "acc1"
    metrics = {answer.metric: answer.acc1, "mean_per_class_recall": answer.mean_per_class_recall}
    metrics |= {"acc5": None} if classified else {}
    task = "zeroshot_classification" if classified else "zeroshot_retrieval"
    return {
        **_run(answer.lens.model, answer.lens.image_set, metrics, task),
        "prompts": answer.lens.prompts,
        "classwise": {
            score.key: {"name": score.name, "accuracy": score.accuracy, "n": score.n, "low": score.low,
                        "high": score.high}
            for score in answer.classes
        },
        "interval_over": answer.interval_over,
        "origin": answer.origin,
        "recipe": answer.recipe,
        "provenance": answer.provenance,
    }  # fmt: skip


def only_total(model: str, image_set: str, value: float, metric: str, source: str) -> dict[str, Any]:
    """A published figure of a model on a whole set, in the same schema: no class of it is told."""
    metrics = {"acc1": None, "acc5": None, "mean_per_class_recall": None, metric: value}
    return {**_run(model, image_set, metrics), "classwise": {}, "origin": "published", "provenance": source}


def _run(
    model: str, image_set: str, metrics: Mapping[str, float | None], task: str = "zeroshot_classification"
) -> dict[str, Any]:
    """What CLIP_benchmark says of every run."""
    arch, pretrained = split_model(model)
    run = {"dataset": image_set, "model": arch, "pretrained": pretrained, "task": task}
    return {**run, "metrics": dict(metrics), "language": "en"}
