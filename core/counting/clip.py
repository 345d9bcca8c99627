"""Image counts by Tailscope itself: a sample shows a concept when the cosine of its CLIP embedding and the concept's
prompts reaches a threshold. Cheap and always at hand; it is no tagger, and its output says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import keys
from core.counting.hits import HitWriter
from core.counting.query import Query
from core.counting.tally import Tally
from core.counting.work import hits_path
from core.datasets.io.addresses import is_url
from core.errors import BadInput
from core.runtime.estimates import Estimate
from core.types import ClassNames, Lens, Progress, Report

if TYPE_CHECKING:
    from core.counting.request import Request

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class ClipScores:
    """Which model scored how many images with which prompts, how many could not be read, and the hits on disk."""

    model: str
    prompts: str
    images: int
    left_out: int
    hits: Path


def score_images(
    request: Request, query: Query, store: Path, report: Report, beforehand: Callable[[Estimate], None] | None = None
) -> tuple[Tally, ClipScores]:
    """Embed the image set that ``request`` names (cached as always) and count cosines above the thresholds.

    For integrated counts the images are the set in ``request.images``; their ids are the set's image ids.
    """
    from core.datasets import open_set
    from core.evaluation import evaluate, looks, zeroshot
    from core.prompts import prompt_set

    if not request.model:
        raise BadInput("Image counts need --scores F, or --model to score the images with CLIP.")
    lens = Lens(request.model, request.images or request.captions, request.prompts)
    # An address lies in no folder; whoever made the request decides whether it may hold one.
    roots = None if is_url(lens.image_set) else request.roots
    image_set = open_set(lens.image_set, captions=True, roots=roots)
    concepts = ClassNames(image_set.id, query.concepts, query.names, image_set.templates)
    if beforehand and (expected := looks.estimate(lens, image_set=image_set, report=report)):
        beforehand(expected)
    embeddings = evaluate.embeddings_for(lens, image_set=image_set, report=report)
    classifier = evaluate.classifier_for(lens, prompt_set(request.prompts, concepts), report=report)
    tally = Tally.empty(len(query.concepts), 0, len(query.thresholds))
    path = hits_path(store, keys.digest([query.digest, embeddings.key, request.model, request.prompts]))
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = HitWriter(path, scored=True)
    try:
        for low in range(0, len(embeddings.rows), _BLOCK):
            report(Progress(low, len(embeddings.rows), "Comparing images with concepts"))
            rows = embeddings.rows[low : low + _BLOCK]
            cosines = zeroshot.similarities(np.asarray(embeddings.vectors[low : low + _BLOCK], np.float32), classifier)
            row, concept = np.nonzero(cosines >= min(query.thresholds))
            score = cosines[row, concept]
            for at, threshold in enumerate(query.thresholds):
                tally.image[at] += np.bincount(concept[score >= threshold], minlength=len(query.concepts))
            ids = [image_set.image_ids[int(rows[at])] for at in row.tolist()]
            writer.add(rows[row], concept, score=score, ids=ids)
            tally.rows += len(rows)
        writer.close()
    finally:
        writer.discard()
    return tally, ClipScores(request.model, request.prompts, len(image_set.labels), len(embeddings.left_out), path)
