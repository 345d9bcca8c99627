"""From a lens to its answer: the one path that the pages, the command line and the tests share.

Images are embedded once per model and set, prompts once per model and text; everything after that is a small matrix
product. This module knows which parts to call in which order and nothing about how they work.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image

from cache import keys
from cache.matrices import MatrixStore
from cache.results import Results
from core import embed, zeroshot
from core.datasets import open_set
from core.prompts import prompt_set
from core.types import Answer, Embeddings, ImageSet, Lens, PromptSet, Report

ANSWER_SCHEMA = 1


@cache
def _stores(root: str) -> tuple[MatrixStore, Results]:
    folder = keys.root()
    return MatrixStore(folder / "embeddings"), Results(folder / "results")


def matrices() -> MatrixStore:
    """The store of image-embedding matrices under the cache folder."""
    return _stores(str(keys.root()))[0]


def results() -> Results:
    """The store of small values whose loss costs a recomputation."""
    return _stores(str(keys.root()))[1]


@cache
def encoders() -> Any:
    """The models in memory, at most two; one worker thread owns them."""
    from core.encoder import EncoderPool

    return EncoderPool()


def silent(_progress: object) -> None:
    """A report for callers that show no progress."""


def embeddings_for(lens: Lens, *, report: Report = silent) -> Embeddings:
    """Image vectors of the lens's set under its model, from the cache or computed now."""
    image_set = open_set(lens.image_set)
    return embed.embed_images(encoders().get(lens.model, lens.precision), image_set, matrices(), report=report)


def classifier_for(lens: Lens, prompts: PromptSet, *, report: Report = silent):
    """Zero-shot classifier of these prompts under the lens's model; each sentence is encoded once ever."""
    encoder = encoders().get(lens.model, lens.precision)
    flat = [sentence for sentences in prompts.sentences for sentence in sentences]
    owners = np.repeat(np.arange(len(prompts.sentences)), [len(sentences) for sentences in prompts.sentences])
    vectors = embed.embed_texts(encoder, flat, results(), report=report)
    return zeroshot.build_classifier(
        vectors,
        owners,
        aggregation=prompts.aggregation,
        scale=encoder.scale,
        bias=encoder.bias,
        sigmoid=encoder.sigmoid,
    )


def evaluate(
    lens: Lens,
    *,
    report: Report = silent,
    image_set: ImageSet | None = None,
    prompts: PromptSet | None = None,
) -> Answer:
    """Answer one lens.

    Args:
        report: called with Progress; raises Stopped to end the work.
        image_set, prompts: given when a person corrected names or sentences; otherwise made from the lens.

    Raises:
        TailscopeError: one sentence that says what is wrong and what to do.
    """
    image_set = image_set or open_set(lens.image_set)
    prompts = prompts or prompt_set(lens.prompts, image_set)
    encoder = encoders().get(lens.model, lens.precision)
    fingerprint = fingerprint_of(encoder, image_set, prompts)
    key = "answer:" + keys.digest({"schema": ANSWER_SCHEMA, **fingerprint})
    stored = results().get_arrays(key)
    if stored is None:
        embeddings = embed.embed_images(encoder, image_set, matrices(), report=report)
        classifier = classifier_for(lens, prompts, report=report)
        labels = np.asarray(image_set.labels)[embeddings.rows]
        scores = zeroshot.classify(embeddings.vectors, classifier, labels, report=report)
        stored = {
            "rows": embeddings.rows,
            "top": scores.top,
            "scores": scores.scores,
            "margin": scores.margin,
            "probability": scores.probability,
        }
        results().put_arrays(key, stored)
        left_out = embeddings.left_out
    else:
        left_out = matrices_left_out(encoder, image_set)
    return assemble(lens, image_set, stored, left_out=left_out, fingerprint=fingerprint, source="live")


def matrices_left_out(encoder: Any, image_set: ImageSet):
    """Images that could not be decoded when this set was embedded, from the matrix's own record."""
    return embed.left_out(matrices().meta(embed.image_key(encoder, image_set)))


def assemble(lens: Lens, image_set: ImageSet, stored: dict, *, left_out, fingerprint: dict, source: str) -> Answer:
    """An Answer from the per-image arrays ``rows, top, scores, margin, probability``."""
    labels = np.asarray(image_set.labels)[stored["rows"]]
    said = stored["top"][:, 0]
    return Answer(
        lens=lens,
        keys=tuple(image_set.keys),
        names=tuple(image_set.names),
        rows=stored["rows"],
        labels=labels,
        top=stored["top"],
        scores=stored["scores"],
        margin=stored["margin"],
        probability=stored["probability"],
        classes=zeroshot.class_scores(image_set.keys, image_set.names, labels, said == labels),
        left_out=(*image_set.left_out, *left_out),
        n_images=len(image_set.labels),
        fingerprint=fingerprint,
        source=source,
    )


def fingerprint_of(encoder: Any, image_set: ImageSet, prompts: PromptSet) -> dict[str, Any]:
    """Everything that decides the numbers, in words: model, preprocessing, images, names, sentences, versions."""
    return {
        "model": dict(encoder.fingerprint),
        "images": image_set.fingerprint,
        "names": keys.digest(list(image_set.names)),
        "prompts": {
            "strategy": prompts.strategy,
            "sentences": keys.digest([list(sentences) for sentences in prompts.sentences]),
            "aggregation": prompts.aggregation,
            "per_class": [min(map(len, prompts.sentences)), max(map(len, prompts.sentences))],
        },
    }


def versions() -> dict[str, str]:
    """Library versions that belong to a stated result."""
    return {name: version(name) for name in ("torch", "open_clip_torch", "numpy", "pillow")}


def score_pictures(
    lens: Lens, pictures: Sequence[Image.Image], *, texts: Sequence[str] | None = None, report: Report = silent
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Score pictures that belong to no set against the lens's concepts, or against typed texts as they are.

    Returns:
        cosines float32 [n, c], the class names [c], and softmax (sigmoid) probabilities float32 [n, c].
    """
    encoder = encoders().get(lens.model, lens.precision)
    if texts is None:
        image_set = open_set(lens.image_set)
        prompts, names = prompt_set(lens.prompts, image_set), tuple(image_set.names)
    else:
        prompts, names = PromptSet("typed", tuple((text,) for text in texts)), tuple(texts)
    classifier = classifier_for(lens, prompts, report=report)
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    cosines = zeroshot.similarities(vectors, classifier)
    return cosines, names, zeroshot.probabilities(cosines, classifier)


def evaluate_retrieval(lens: Lens, *, report: Report = silent) -> dict[str, Any]:
    """Image-text retrieval on an image-caption set, from the same cached vectors, in CLIP_benchmark's schema."""
    from core import reports
    from core.errors import BadInput
    from core.retrieval import recall_at_k

    image_set = open_set(lens.image_set)
    captions = getattr(image_set, "captions", None)
    if captions is None:
        raise BadInput(f"{lens.image_set} holds class labels, not captions; retrieval needs an image-caption set.")
    encoder = encoders().get(lens.model, lens.precision)
    embeddings = embed.embed_images(encoder, image_set, matrices(), report=report)
    position = {int(row): place for place, row in enumerate(embeddings.rows)}
    used = [(position[image], text) for image, text in captions if image in position]
    vectors = embed.embed_texts(encoder, [text for _, text in used], results(), report=report)
    owners = np.array([place for place, _ in used])
    arch, pretrained = reports.split_model(lens.model)
    return {
        "dataset": lens.image_set,
        "model": arch,
        "pretrained": pretrained,
        "task": "zeroshot_retrieval",
        "metrics": recall_at_k(embeddings.vectors, vectors, owners, k=5),
        "language": "en",
        "n_images": len(image_set.labels),
        "n_used": len(embeddings.rows),
        "n_captions": len(used),
    }
