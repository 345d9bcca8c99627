"""Retrieval by concept: recall over the captions (or images) that name it, to be set against its frequency.

As in arXiv 2404.04125 (section 3.1): the performance of a concept is the mean over the queries in whose caption it
occurs. Concepts are found by the default matcher.
"""

from __future__ import annotations

import re

import numpy as np

from core.errors import BadInput
from core.evaluation.evaluate import Retrieved, evaluate_retrieval
from core.evaluation.retrieval import KS
from core.stats.intervals import wilson
from core.text.matcher import Matcher
from core.types import ClassAnswer, ClassValue, FrequencyTable, ImageSet, Lens, Progress, Report, silent

METRICS = tuple(f"{way}_k={k}" for way in ("t2i", "i2t") for k in KS)
"""As the release calls them: text to image and image to text, recall among the k nearest."""
DEFAULT = "t2i_k=10"
_EVERY = 2000


def concept_retrieval(
    lens: Lens, *, image_set: ImageSet, table: FrequencyTable, metric: str = DEFAULT, report: Report = silent
) -> ClassAnswer:
    """Recall of every counted concept that a caption of the set names.

    Args:
        table: whose concepts are looked for; metric: one of ``METRICS``.

    Raises:
        BadInput: no caption names a concept, or there is no such metric.
    """
    if metric not in METRICS:
        raise BadInput(f"There is no retrieval metric {metric!r}; choose one of {', '.join(METRICS)}.")
    found = evaluate_retrieval(lens, image_set=image_set, report=report)
    named = _named(found, table, report)
    to_image = metric.startswith("t2i")
    hits = found.hits[clip_benchmark(metric)]
    classes = []
    for concept, captions in named.items():
        queries = captions if to_image else np.unique(found.owners[captions])
        share = wilson(int(hits[queries].sum()), len(queries))
        classes.append(ClassValue(concept, concept, share.value, share.low, share.high, len(queries)))
    if not classes:
        raise BadInput(f"No caption of {lens.image_set} names a concept of {table.name}; choose other counts.")
    keys = tuple(one.key for one in classes)
    query = "captions" if to_image else "images"
    return ClassAnswer(
        lens, keys, keys, tuple(classes), float(hits.mean()), "live",
        f"{metric}: share of {query} whose match is among the {metric.partition('=')[2]} nearest",
        f"{found.used:,} of {found.images:,} images and {len(found.captions):,} captions, computed here",
        f"{query} that name the concept", clip_benchmark(metric),
    )  # fmt: skip


def clip_benchmark(metric: str) -> str:
    """CLIP_benchmark's name of one of ``METRICS``."""
    k = re.search(r"[0-9]+\Z", metric)
    assert k is not None
    return f"{'image' if metric.startswith('t2i') else 'text'}_retrieval_recall@{k[0]}"


def _named(found: Retrieved, table: FrequencyTable, report: Report) -> dict[str, np.ndarray]:
    """Concept -> positions of the captions that name it, for those that any does, in the table's order."""
    matcher = Matcher({concept: (concept,) for concept in table.counts})
    positions: dict[str, list[int]] = {}
    for at, caption in enumerate(found.captions):
        if at % _EVERY == 0:
            report(Progress(at, len(found.captions), "Finding concepts in captions"))
        for concept in matcher.find(caption):
            positions.setdefault(concept, []).append(at)
    return {concept: np.array(positions[concept], np.int64) for concept in table.counts if concept in positions}
