"""The sentence vectors behind a classifier: one class can be looked into, edited and scored without the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import BadInput
from core.evaluation import embed, zeroshot
from core.evaluation.evaluate import encoders, results, sentence_vectors
from core.types import Classifier, Lens, PromptSet, Report, silent

_BLOCK = 8192


@dataclass(frozen=True)
class Sentences:
    """All sentences of a prompt set under one model.

    Attributes:
        prompts: the sentences themselves and how they are aggregated.
        vectors: float32 [s, d], unit rows, in the order of the classes; owners: int64 [s], class of each.
        tokens: tokens of each sentence [s] before truncation; context_length: how many the model reads.
        scale, bias, sigmoid: of the model, as in ``Classifier``.
    """

    prompts: PromptSet
    vectors: np.ndarray
    owners: np.ndarray
    tokens: tuple[int, ...]
    context_length: int
    scale: float
    bias: float
    sigmoid: bool

    def of(self, index: int) -> slice:
        """Where the sentences of one class are."""
        return slice(*np.searchsorted(self.owners, (index, index + 1)).tolist())

    def classifier(self) -> Classifier:
        """The zero-shot classifier of all classes."""
        return self._classifier(self.vectors, self.owners)

    def class_classifier(self, index: int) -> Classifier:
        """The classifier with this class only; its similarities are those of the class in the whole."""
        rows = self.vectors[self.of(index)]
        return self._classifier(rows, np.zeros(len(rows), np.int64))

    def _classifier(self, vectors: np.ndarray, owners: np.ndarray) -> Classifier:
        return zeroshot.build_classifier(
            vectors,
            owners,
            aggregation=self.prompts.aggregation,
            scale=self.scale,
            bias=self.bias,
            sigmoid=self.sigmoid,
        )


def read_sentences(lens: Lens, prompts: PromptSet, *, report: Report = silent) -> Sentences:
    """Encode (or take from the cache) every sentence; for the engine's worker, or a command."""
    encoder = encoders().get(lens.model, lens.precision)
    flat = [text for listed in prompts.sentences for text in listed]
    return Sentences(
        prompts,
        sentence_vectors(encoder, prompts, report=report),
        np.repeat(np.arange(len(prompts.sentences)), [len(listed) for listed in prompts.sentences]),
        tuple(encoder.token_counts(flat)),
        encoder.context_length,
        encoder.scale,
        encoder.bias,
        encoder.sigmoid,
    )


def edit(lens: Lens, sentences: Sentences, index: int, texts: Sequence[str]) -> Sentences:
    """The same with other sentences for one class; only sentences never seen are encoded.

    Raises:
        BadInput: no sentence is left, or one is empty.
    """
    if sentences.prompts.context is not None:
        raise BadInput("The words before the name are learned here, so no sentence can be edited.")
    texts = tuple(" ".join(text.split()) for text in texts)
    if not texts or not all(texts):
        raise BadInput("A class needs at least one sentence, and none may be empty.")
    encoder = encoders().get(lens.model, lens.precision)
    place = sentences.of(index)
    listed = sentences.prompts.sentences
    vectors = embed.embed_texts(encoder, texts, results())
    around = sentences.vectors[: place.start], sentences.vectors[place.stop :]
    owners = sentences.owners[: place.start], sentences.owners[place.stop :]
    counts = tuple(encoder.token_counts(list(texts)))
    return replace(
        sentences,
        prompts=replace(sentences.prompts, sentences=(*listed[:index], texts, *listed[index + 1 :])),
        vectors=np.concatenate([around[0], vectors, around[1]]),
        owners=np.concatenate([owners[0], np.full(len(texts), index), owners[1]]),
        tokens=(*sentences.tokens[: place.start], *counts, *sentences.tokens[place.stop :]),
    )


def class_column(vectors: np.ndarray, sentences: Sentences, index: int) -> np.ndarray:
    """Similarity of every image with one class, float32 [m].

    Args:
        vectors: float16 or float32 [m, d], unit rows, possibly memory-mapped.
    """
    classifier = sentences.class_classifier(index)
    parts = [zeroshot.similarities(vectors[low : low + _BLOCK], classifier) for low in range(0, len(vectors), _BLOCK)]
    return np.concatenate([np.empty((0, 1), np.float32), *parts])[:, 0]
