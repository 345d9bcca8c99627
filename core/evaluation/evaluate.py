"""From a lens to its answer: the one path that the pages, the command line and the tests share.

Images are embedded once per model and set, prompts once per model and text; everything after that is a small matrix
product, and its answer is kept. This module knows which parts to call in which order and nothing of how they work.
torch is only loaded when something must be encoded.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from cache import keys
from cache.matrices import MatrixStore
from cache.results import Results
from core.datasets.coverage import images_in, require_classes
from core.errors import BadInput
from core.evaluation import embed, retrieval, zeroshot
from core.models import registry as models
from core.models import weights
from core.prompts import prompt_set
from core.prompts.notes import notes_on, read_of, reading_of
from core.runtime.machine import settled_precision
from core.types import (
    Answer,
    Classifier,
    Embeddings,
    ImageSet,
    LeftOut,
    Lens,
    PromptSet,
    Reading,
    Report,
    TextEncoder,
    silent,
)
from core.versions import version

if TYPE_CHECKING:
    from core.models.encoder import Encoder, EncoderPool

Arrays = dict[str, np.ndarray]

ANSWER_SCHEMA = 2
"""Counts up when the same question would get another answer from the same vectors."""


_matrices = cache(MatrixStore)
_results = cache(Results)  # apart: on a full disk the database cannot be opened, but vectors can be cleared


def matrices() -> MatrixStore:
    """The store of image-embedding matrices (``keys.embeddings``); several machines may share it."""
    return _matrices(keys.embeddings())


def results() -> Results:
    """The store of small values whose loss costs a recomputation; one machine's own (it is a database)."""
    return _results(keys.root() / "results")


@cache
def encoders() -> EncoderPool[Encoder]:
    """The models in memory (at most two); only the engine's worker, or a command, may use them."""
    import open_clip  # noqa: F401

    from core.models.encoder import EncoderPool, load_encoder

    # Streamlit collects garbage after each run, under the interpreter lock: without this every poll of a progress bar
    # would walk all objects of torch while the model waits.
    gc.collect()
    gc.freeze()
    return EncoderPool(load_encoder, state=lambda model: weights.digests(models.find(model)))


def embeddings_for(lens: Lens, *, image_set: ImageSet, report: Report = silent) -> Embeddings:
    """Vectors of an open image set under the lens's model, from the cache or computed now."""
    encoder = encoders().get(lens.model, lens.precision)
    return embed.embed_images(encoder, image_set, matrices(), report=report)


def classifier_for(lens: Lens, prompts: PromptSet, *, report: Report = silent) -> Classifier:
    """Zero-shot classifier of these prompts under the lens's model; a sentence is encoded once ever."""
    encoder = encoders().get(lens.model, lens.precision)
    return zeroshot.build_classifier(
        sentence_vectors(encoder, prompts, report=report),
        np.repeat(np.arange(len(prompts.sentences)), [len(sentences) for sentences in prompts.sentences]),
        aggregation=prompts.aggregation,
        scale=encoder.scale,
        bias=encoder.bias,
        sigmoid=encoder.sigmoid,
    )


def sentence_vectors(encoder: Encoder, prompts: PromptSet, *, report: Report = silent) -> np.ndarray:
    """Unit vectors of all sentences, class by class: from the cache, or under a learned context computed now."""
    flat = [sentence for sentences in prompts.sentences for sentence in sentences]
    if prompts.context is not None:
        return encoder.encode_in_context(flat, prompts.context)
    return embed.embed_texts(encoder, flat, results(), report=report)


def evaluate(lens: Lens, *, image_set: ImageSet, report: Report = silent, prompts: PromptSet | None = None) -> Answer:
    """Answer one lens, from the cache or computed now.

    Args:
        report: called with Progress; raises Stopped to end the work.
        image_set: the lens's set, open: who opened it knows which folders may be read.
        prompts: given when a person corrected sentences; otherwise made from the lens.

    Raises:
        TailscopeError: one sentence that says what is wrong and what to do.
    """
    require_classes(image_set)
    prompts = prompts or prompt_set(lens.prompts, image_set)
    stored, about = cached_answer(
        answer_key(lens, image_set, prompts), image_set, lambda: _compute(lens, image_set, prompts, report)
    )
    # Names decide nothing that is cached (the sentences do), so they are those of the set as it is now.
    named = {**about["fingerprint"], "names": keys.digest(list(image_set.names))}
    return assemble(lens, image_set, stored, about={**about, "fingerprint": named}, prompts=prompts)


def stored_answer(lens: Lens, *, image_set: ImageSet) -> Answer | None:
    """The answer of a lens that an earlier run left in the cache; None without one."""
    prompts = prompt_set(lens.prompts, image_set)
    kept = _stored(answer_key(lens, image_set, prompts), image_set, kind="answer")
    return assemble(lens, image_set, kept[0], about=kept[1], prompts=prompts) if kept else None


def reading_for(encoder: TextEncoder, prompts: PromptSet) -> Reading:
    """How much of a prompt set a model reads, counted once."""
    tokenizer = {name: encoder.fingerprint.get(name) for name in ("config", "weights", "tokenizer")}
    key = keys.digest([tokenizer, encoder.context_length, [list(listed) for listed in prompts.sentences]])
    stored = results().get_json(f"reading:{key}")
    if stored is None:
        stored = asdict(read_of(encoder, prompts))
        results().put_json(f"reading:{key}", stored)
    return reading_of(stored)


def notes_of(lens: Lens, image_set: ImageSet) -> tuple[str, ...]:
    """What a person should know of a lens's prompts, where no answer is at hand; none for a supervised classifier."""
    prompts = prompt_set(lens.prompts, image_set)
    read = reading_for(encoders().get(lens.model, lens.precision), prompts)
    return notes_on(prompts, read, image_set.names)


def cached_answer(
    key: str, image_set: ImageSet, compute: Callable[[], tuple[Arrays, dict[str, Any]]], *, kind: str = "answer"
) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of an answer: cached while the vectors it was made from are there unchanged, else computed.

    Args:
        image_set: whose images were embedded.
        compute: returns the arrays and a JSON object with ``made_from`` (see ``made_from``) among its facts.
        kind: separates answers of different shape.
    """
    if (kept := _stored(key, image_set, kind=kind)) is not None:
        return kept
    stored, about = compute()
    results().put_arrays(f"{kind}:{key}", stored)
    results().put_json(f"about:{key}", about)
    return stored, about


def is_answered(key: str, image_set: ImageSet) -> bool:
    """Whether the answer under this key (``answer_key``) is cached and holds."""
    return _stored(key, image_set, kind="answer") is not None


def _stored(key: str, image_set: ImageSet, *, kind: str) -> tuple[Arrays, dict[str, Any]] | None:
    stored, about = results().get_arrays(f"{kind}:{key}"), results().get_json(f"about:{key}")
    return (stored, about) if stored is not None and about is not None and _still_holds(about, image_set) else None


def made_from(embeddings: Embeddings, image_set: ImageSet) -> dict[str, str | None]:
    """Key and version of the vectors that an answer is made from; the answer is discarded when they change."""
    return {"key": embeddings.key, "version": embed.version_of(matrices(), embeddings.key, image_set)}


def _still_holds(about: Mapping[str, Any], image_set: ImageSet) -> bool:
    source: Mapping[str, Any] = about.get("made_from") or {}
    # Answers without it are of a version that did not notice damaged vectors.
    return bool(source) and embed.version_of(matrices(), source["key"], image_set) == source["version"]


def answer_key(lens: Lens, image_set: ImageSet, prompts: PromptSet) -> str:
    """Digest of all that decides an answer; computed from files, without loading the model."""
    versions = {name: version(name) for name in ("torch", "open_clip_torch")}
    how = {"precision": settled_precision(lens.precision), "versions": versions}
    return keys.digest({**_content(lens, image_set, prompts), **how})


def content_key(lens: Lens, image_set: ImageSet, prompts: PromptSet) -> str:
    """Digest of what an answer is about, whichever libraries and precision compute it: weights, pictures, sentences."""
    return keys.digest(_content(lens, image_set, prompts))


def _content(lens: Lens, image_set: ImageSet, prompts: PromptSet) -> dict[str, Any]:
    return {
        "schema": [ANSWER_SCHEMA, embed.SCHEMA],
        "model": lens.model,
        **weights.digests(models.find(lens.model)),
        "images": image_set.fingerprint,
        "classes": keys.digest([list(image_set.keys), np.asarray(image_set.labels).tolist()]),
        "prompts": _about_prompts(prompts),
    }


def _about_prompts(prompts: PromptSet) -> dict[str, Any]:
    counts = [len(sentences) for sentences in prompts.sentences]
    return {
        "strategy": prompts.strategy,
        "aggregation": prompts.aggregation,
        "sentences": keys.digest([list(sentences) for sentences in prompts.sentences]),
        "sentences_per_class": [min(counts), max(counts)],
        **({"context": keys.digest(asdict(prompts.context))} if prompts.context else {}),
    }


def _compute(
    lens: Lens, image_set: ImageSet, prompts: PromptSet, report: Report
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    encoder = encoders().get(lens.model, lens.precision)
    embeddings = embed.embed_images(encoder, image_set, matrices(), report=report)
    return answer_of(lens, image_set, prompts, embeddings, report=report)


def answer_of(
    lens: Lens, image_set: ImageSet, prompts: PromptSet, embeddings: Embeddings, *, report: Report = silent
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and facts of an answer (``assemble``) on the images whose vectors are given."""
    encoder = encoders().get(lens.model, lens.precision)
    classifier = classifier_for(lens, prompts, report=report)
    labels = np.asarray(image_set.labels)[embeddings.rows]
    scores = zeroshot.classify(embeddings.vectors, classifier, labels, report=report)
    stored = {
        "rows": np.asarray(embeddings.rows),
        "top": scores.top,
        "scores": scores.scores,
        "margin": scores.margin,
        "probability": scores.probability,
    }
    about = {
        "left_out": [[item.item, item.reason] for item in embeddings.left_out],
        "made_from": made_from(embeddings, image_set),
        "fingerprint": {
            "model": dict(encoder.fingerprint),
            "images": image_set.fingerprint,
            "prompts": _about_prompts(prompts),
        },
        "reading": asdict(reading_for(encoder, prompts)),
    }
    return stored, about


def assemble(
    lens: Lens,
    image_set: ImageSet,
    stored: Mapping[str, np.ndarray],
    *,
    about: Mapping[str, Any],
    source: str = "live",
    prompts: PromptSet | None = None,
) -> Answer:
    """An Answer from the per-image arrays ``rows, top, scores, margin, probability`` and what is known about them.

    Args:
        prompts: the sentences behind it, whose notes belong to the answer.
    """
    labels = np.asarray(image_set.labels)[stored["rows"]]
    left_out = tuple(LeftOut(item, reason) for item, reason in about["left_out"])
    reading = reading_of(about.get("reading", {}))
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
        classes=zeroshot.class_scores(image_set.keys, image_set.names, labels, stored["top"][:, 0] == labels),
        left_out=(*image_set.left_out, *left_out),
        n_images=len(image_set.labels) + images_in(image_set.left_out),
        fingerprint=about["fingerprint"],
        source=source,
        prompt_notes=notes_on(prompts, reading, image_set.names),
        reading=reading,
    )


def score_pictures(
    lens: Lens,
    pictures: Sequence[Image.Image],
    *,
    image_set: ImageSet,
    texts: Sequence[str] | None = None,
    report: Report = silent,
) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Score pictures that belong to no set against the lens's concepts, or against typed texts as they are.

    Args:
        image_set: the lens's set, open, whose classes are compared unless there are ``texts``.

    Returns:
        cosines float32 [n, c], the class names [c], and softmax (sigmoid) probabilities float32 [n, c].
    """
    encoder = encoders().get(lens.model, lens.precision)
    if texts is None:
        prompts, names = prompt_set(lens.prompts, image_set), tuple(image_set.names)
    else:
        prompts, names = PromptSet("typed", tuple((text,) for text in texts)), tuple(texts)
    classifier = classifier_for(lens, prompts, report=report)
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures])
    cosines = zeroshot.similarities(vectors, classifier)
    return cosines, names, zeroshot.probabilities(cosines, classifier)


@dataclass(frozen=True, eq=False, kw_only=True)
class Retrieved:
    """Image-caption retrieval under one lens.

    Attributes:
        hits: CLIP_benchmark's metric -> whether each query found its match (``retrieval.hits``).
        captions: the captions used [t], in the order of the hits; owners: int64 [t], position of the image of each.
        images: images found in the set; used: images used, in the order of the hits; left_out: what was skipped.
    """

    hits: dict[str, np.ndarray]
    captions: tuple[str, ...]
    owners: np.ndarray
    images: int
    used: int
    left_out: tuple[LeftOut, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """Recall by CLIP_benchmark's names, fractions."""
        return {name: float(found.mean()) for name, found in self.hits.items()}


def evaluate_retrieval(lens: Lens, *, image_set: ImageSet, report: Report = silent) -> Retrieved:
    """Image-text retrieval on an image-caption set, from the same cached vectors."""
    if not image_set.captions:
        raise BadInput(f"{lens.image_set} holds class labels, not captions: retrieval needs an image-caption set.")
    encoder = encoders().get(lens.model, lens.precision)
    embeddings = embed.embed_images(encoder, image_set, matrices(), report=report)
    place = {int(row): position for position, row in enumerate(embeddings.rows)}
    used = [(place[image], text) for image, text in image_set.captions if image in place]
    captions, owners = tuple(text for _, text in used), np.array([owner for owner, _ in used], np.int64)
    vectors = embed.embed_texts(encoder, captions, results(), report=report)
    return Retrieved(
        hits=retrieval.hits(embeddings.vectors, vectors, owners, report=report),
        captions=captions,
        owners=owners,
        images=len(image_set.labels) + images_in(image_set.left_out),
        used=len(place),
        left_out=(*image_set.left_out, *embeddings.left_out),
    )
