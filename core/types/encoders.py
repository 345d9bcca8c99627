"""Models that make vectors, and what is made with them: image vectors, prompts, classifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from PIL import Image

from core.types.images import LeftOut

Aggregation = Literal["embedding", "similarity", "max"]


class Vectorizer(Protocol):
    """What encoders of pictures and of sentences share.

    Attributes:
        id: canonical name; dim: length of the vectors; precision: ``float32``, ``bf16`` or ``fp16``.
        fingerprint: what decides the vectors, and where they are made (JSON).
    """

    @property
    def id(self) -> str: ...
    @property
    def dim(self) -> int: ...
    @property
    def precision(self) -> str: ...
    @property
    def fingerprint(self) -> Mapping[str, Any]: ...


class ImageEncoder(Vectorizer, Protocol):
    """A model that makes vectors of pictures (the logits of a classifier are vectors too)."""

    def preprocess(self, picture: Image.Image) -> np.ndarray:
        """The pixels that the model sees of an RGB picture: uint8 [h, w, 3]; UnreadableData for a sliver."""
        ...

    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors float32 [n, dim] of preprocessed pictures."""
        ...


class TextEncoder(Vectorizer, Protocol):
    """A model that makes vectors of sentences.

    Attributes:
        context_length: tokens of the text tower.
    """

    @property
    def context_length(self) -> int: ...

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 [n, dim]."""
        ...

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of every text with its start and end marks, before truncation to ``context_length``."""
        ...

    def as_read(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The tokens of every text that the model reads, after truncation to ``context_length``."""
        ...


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Image vectors of one set under one model.

    Attributes:
        vectors: float16 or float32 [m, d], unit rows, usually memory-mapped.
        rows: int64 [m], index into the image set of every vector (m < n when images were left out).
        left_out: images that could not be decoded.
        key: content key under which the matrix is cached.
    """

    vectors: np.ndarray
    rows: np.ndarray
    left_out: tuple[LeftOut, ...]
    key: str


@dataclass(frozen=True, slots=True)
class LearnedContext:
    """Learned token vectors that stand for the first words of every sentence.

    Attributes:
        vectors: [k][width]; weights: SHA-256 of the model's weights file, to which they belong.
        placeholder: the word that stands for each of them in the sentences.
    """

    vectors: tuple[tuple[float, ...], ...]
    weights: str
    placeholder: str = "X"


@dataclass(frozen=True, slots=True)
class PromptSet:
    """The sentences of every class under one strategy.

    Attributes:
        strategy: the id, path or template that made it.
        sentences: per class, in label order, a tuple of finished sentences.
        aggregation: ``embedding`` (normalise, mean, normalise), ``similarity`` (mean of cosines) or ``max``.
        notes: what a person should know (classes without sentences, shared lists ...).
        context: what the first words of every sentence are replaced by, if they are learned.
    """

    strategy: str
    sentences: tuple[tuple[str, ...], ...]
    aggregation: Aggregation = "embedding"
    notes: tuple[str, ...] = ()
    context: LearnedContext | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How much of a prompt set a model reads.

    Attributes:
        sentences: how many there are; cut: those of more tokens than ``context_length``.
        cut_classes: indices of the classes with such a sentence.
        alike: indices of the classes that differ from another only in what is not read.
    """

    sentences: int = 0
    cut: int = 0
    context_length: int = 0
    cut_classes: tuple[int, ...] = ()
    alike: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Classifier:
    """Text side of a zero-shot classifier.

    Attributes:
        weights: float32 [s, d] unit rows; one row a class for ``embedding``, one row a sentence otherwise.
        owners: int64 [s], class index of each row, non-decreasing.
        aggregation: how sentence scores become class scores.
        scale: the model's exp(logit_scale); bias: the model's logit_bias (0 without one).
        sigmoid: True when the model was trained with a sigmoid loss (probabilities are per class).
    """

    weights: np.ndarray
    owners: np.ndarray
    aggregation: Aggregation
    scale: float
    bias: float = 0.0
    sigmoid: bool = False
