"""Answers as the JSON that other tools read: CLIP_benchmark's keys plus what a long tail needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from core.models.names import split_model
from core.types import Answer, ClassAnswer, Lens

if TYPE_CHECKING:
    from core.evaluation.evaluate import RetrievalUse


def retrieval(lens: Lens, metrics: Mapping[str, float], used: RetrievalUse) -> dict[str, Any]:
    """One retrieval run in CLIP_benchmark's schema, with how much of the set was used."""
    arch, pretrained = split_model(lens.model)
    run = {"dataset": lens.image_set, "model": arch, "pretrained": pretrained, "task": "zeroshot_retrieval"}
    return {
        **run,
        "metrics": dict(metrics),
        "language": "en",
        "n_images": used.images,
        "n_used": used.used,
        "n_captions": used.captions,
        "left_out": [{"item": item.item, "reason": item.reason} for item in used.left_out],
    }


def clip_benchmark(answer: Answer) -> dict[str, Any]:
    """One zero-shot run in CLIP_benchmark's schema, with ``classwise`` (fractions, by original key) and fingerprint."""
    arch, pretrained = split_model(answer.lens.model)
    return {
        "dataset": answer.lens.image_set,
        "model": arch,
        "pretrained": pretrained,
        "task": "zeroshot_classification",
        "metrics": {
            "acc1": answer.acc1,
            "acc5": answer.acc5,
            "mean_per_class_recall": answer.mean_per_class_recall,
        },
        "language": "en",
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
    }


def class_results(answer: ClassAnswer) -> dict[str, Any]:
    """Published or imported per-class values in the same schema; ``n`` is null where the images are not told."""
    arch, pretrained = split_model(answer.lens.model)
    classified = answer.metric == "acc1"
    return {
        "dataset": answer.lens.image_set,
        "model": arch,
        "pretrained": pretrained,
        "task": "zeroshot_classification" if classified else "zeroshot_retrieval",
        "metrics": {answer.metric: answer.acc1, "mean_per_class_recall": answer.mean_per_class_recall}
        | ({"acc5": None} if classified else {}),
        "language": "en",
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
    arch, pretrained = split_model(model)
    return {
        "dataset": image_set,
        "model": arch,
        "pretrained": pretrained,
        "task": "zeroshot_classification",
        "metrics": {"acc1": None, "acc5": None, "mean_per_class_recall": None, metric: value},
        "language": "en",
        "classwise": {},
        "origin": "published",
        "provenance": source,
    }
