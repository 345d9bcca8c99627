"""The few values that cross borders between modules: frozen, hashable where they are keys.

Nothing here knows how a value is made. Each shows itself in a notebook: as one line, and as a table (``to_pandas``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from PIL import Image

from cache import keys

if TYPE_CHECKING:
    import pandas as pd

Aggregation = Literal["embedding", "similarity", "max"]


@dataclass(frozen=True, slots=True)
class Lens:
    """One question: which model looks at which images with which prompts. Hashable: it is the URL and the cache key.

    Attributes:
        model: canonical open_clip spelling (``ARCH,PRETRAINED``, ``hf-hub:...``, ``local-dir:...``, ``ARCH,/file``).
        image_set: built-in id or path.
        prompts: strategy id, path of a prompt file, or a quoted template with a slot.
        frequency: name of a frequency source, or empty for none.
        precision: ``auto`` or ``float32``.
    """

    model: str
    image_set: str
    prompts: str = "simple"
    frequency: str = ""
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One item that could not be used, and why.

    ``images``: how many images of the set it stands for (0 for a file that is no image, an empty class, a list).
    """

    item: str
    reason: str
    images: int = 1


@dataclass(frozen=True, slots=True)
class FileState:
    """Size, time of the last change of content or attributes (ns) and digest (read when asked for) of a file."""

    size: int
    changed: int
    digest: Callable[[], str]

    def record(self) -> list[Any]:
        """The state as JSON, to be compared with later ones by ``is_as``."""
        return [self.size, self.changed, self.digest()]

    def is_as(self, record: Sequence[Any]) -> bool:
        """Whether the content is as recorded; it is read only when size or time differ."""
        size, changed, digest = record
        return (self.size, self.changed) == (size, changed) or (self.size == size and self.digest() == digest)


@dataclass(frozen=True, slots=True)
class Track:
    """An anchor frame and the frames near it, as indices into the set; ``offsets`` in frames, with a sign."""

    anchor: int
    neighbours: tuple[int, ...]
    offsets: tuple[int, ...]


class Classes(Protocol):
    """What prompts and tables need of a labelled set: its classes. All read-only.

    Attributes:
        id: what a person types (built-in id or path).
        keys: original class keys, unique, in label order [c].
        names: readable class names in the same order [c] (what prompts use).
        templates: the set's own prompt templates (``{c}`` slot), may be empty.
    """

    @property
    def id(self) -> str: ...
    @property
    def keys(self) -> Sequence[str]: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def templates(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class ClassNames:
    """Classes without pictures (see ``Classes``)."""

    id: str
    keys: Sequence[str]
    names: Sequence[str]
    templates: Sequence[str] = ()


class ImageSet(Classes, Protocol):
    """A labelled set of images, read lazily. Implementations live in ``core.datasets``; all are read-only.

    Attributes:
        kind: detected layout: ``icons``, ``folders``, ``webdataset``, ``table``, ``imagefolder``, ``parquet``,
            ``letitwag``, ``imagenetval``, ``embeddings``, ``captions`` ...
        labels: int64 [n], index into keys.
        image_ids: n strings: path relative to the set, ``shard/key`` or ``concept/index``.
        left_out: what could not be used, with reasons (found while listing).
        fingerprint: digest of what the images are (paths, sizes, sampled bytes); names are not part of it.
        has_images: False for precomputed embeddings without pictures.
        note: one sentence: what was detected and how the classes were named.

    What few sets have (``core.datasets.plain.Plain`` gives the defaults of the others):
        drawn: icons drawn from a recipe: ``details`` gives colour and pair, and every label is correct.
        pixel_art: pictures are shown enlarged with hard pixels.
        reference: the model whose errors chose the pictures, to be left out of rankings; else empty.
        accepted: [n], the labels that are correct for each picture, where several are; else empty.
        tracks: anchors and neighbours, for video frames and drawn sequences; else empty.
        reach: frames to either side of an anchor, 0 where that is not limited.
        imagenet: [c], the ImageNet indices that each class stands for, where the set says so; else empty.
        merged: a class of several ``imagenet`` indices stays one class in distribution.
        as_one: groups of labels that count as one class; else empty.
        captions: (index of the picture, caption), in the order of the pictures; empty for labelled sets.
        vectors: unit image vectors [n, d] that the set brings along, or None.
    """

    @property
    def kind(self) -> str: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def image_ids(self) -> Sequence[str]: ...
    @property
    def left_out(self) -> Sequence[LeftOut]: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def has_images(self) -> bool: ...
    @property
    def note(self) -> str: ...
    @property
    def drawn(self) -> bool: ...
    @property
    def pixel_art(self) -> bool: ...
    @property
    def reference(self) -> str: ...
    @property
    def accepted(self) -> Sequence[frozenset[int]]: ...
    @property
    def tracks(self) -> Sequence[Track]: ...
    @property
    def reach(self) -> int: ...
    @property
    def imagenet(self) -> Sequence[Sequence[int]]: ...
    @property
    def merged(self) -> bool: ...
    @property
    def as_one(self) -> Sequence[frozenset[int]]: ...
    @property
    def captions(self) -> Sequence[tuple[int, str]]: ...
    @property
    def vectors(self) -> np.ndarray | None: ...

    def image(self, index: int) -> Image.Image:
        """The picture at this index as RGB, from any thread; raises UnreadableData with the reason."""
        ...

    def preview(self, index: int, longest: int) -> Image.Image:
        """The same for a small display: it may come smaller, with sides of ``longest`` or more where it has them."""
        ...

    def prepare(self, report: Report) -> None:
        """Make a full pass quick (draw what is drawn on demand); called once before one."""
        ...

    def details(self, index: int) -> Mapping[str, Any]:
        """What else is recorded of this picture (icons: colour, background, style, seen_pair); may be empty."""
        ...

    def state(self, index: int) -> FileState | None:
        """In which state the file of this picture is now, None where there is no file on this disk."""
        ...

    def to_pandas(self) -> pd.DataFrame:
        """One row an image (``core.datasets.plain.Plain``)."""
        ...


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
class PromptSet:
    """The sentences of every class under one strategy.

    Attributes:
        strategy: the id, path or template that made it.
        sentences: per class, in label order, a tuple of finished sentences.
        aggregation: ``embedding`` (normalise, mean, normalise), ``similarity`` (mean of cosines) or ``max``.
        notes: what a person should know (classes without sentences, shared lists ...).
    """

    strategy: str
    sentences: tuple[tuple[str, ...], ...]
    aggregation: Aggregation = "embedding"
    notes: tuple[str, ...] = ()


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


Origin = Literal["live", "shipped", "published", "imported"]
"""Where an answer comes from: computed here, shipped with Tailscope, published by others, brought in by a person."""


@dataclass(frozen=True, slots=True)
class ClassValue:
    """Accuracy of one class (a fraction) with its 95 % interval, NaN where none can be given; n is None if unknown."""

    key: str
    name: str
    accuracy: float
    low: float
    high: float
    n: int | None


@dataclass(frozen=True, slots=True)
class ClassScore(ClassValue):
    """Accuracy of one class whose images are known: fraction right, Wilson 95 % interval, images."""

    n: int


@dataclass(frozen=True)
class Answer:
    """What one lens gives: per image and per class.

    Attributes:
        lens: the question.
        keys, names: class keys and names [c].
        rows: int64 [m], index into the image set; labels: int64 [m], true class.
        top: int32 [m, k], classes by falling score; scores: float32 [m, k], their cosine (aggregated similarity).
        margin: float32 [m], cosine of the true class minus the best other class (negative = wrong).
        probability: float32 [m], softmax (or sigmoid) probability of the class said.
        classes: per-class scores, in label order; classes without images have n = 0 and accuracy NaN.
        left_out: images not used, with reasons; n_images: images in the set ("m of n used").
        fingerprint: the configuration in words (weights hash, preprocessing, precision, templates, names, versions).
        source: ``live`` or ``shipped run``.
        prompt_notes: what a person should know of the prompts, one sentence each (``core.prompts.notes``).
        reading: how much of the prompts the model reads.
    """

    lens: Lens
    keys: tuple[str, ...]
    names: tuple[str, ...]
    rows: np.ndarray
    labels: np.ndarray
    top: np.ndarray
    scores: np.ndarray
    margin: np.ndarray
    probability: np.ndarray
    classes: tuple[ClassScore, ...]
    left_out: tuple[LeftOut, ...]
    n_images: int
    fingerprint: Mapping[str, Any]
    source: str = "live"
    prompt_notes: tuple[str, ...] = ()
    reading: Reading = field(default_factory=Reading)

    @property
    def origin(self) -> Origin:
        """``live``, or ``shipped`` for the run committed beside a model's weights."""
        return "live" if self.source == "live" else "shipped"

    @property
    def interval_over(self) -> str:
        """What the intervals of the classes are over."""
        return "images of the class (Wilson)"

    @property
    def acc1(self) -> float:
        """Top-1 accuracy over images, a fraction."""
        return float(np.mean(self.top[:, 0] == self.labels))

    @property
    def acc5(self) -> float | None:
        """Top-5 accuracy over images, a fraction; None below five classes."""
        if len(self.keys) < 5:
            return None
        return float(np.mean((self.top[:, :5] == self.labels[:, None]).any(1)))

    @property
    def mean_per_class_recall(self) -> float:
        """Mean of the per-class accuracies over classes with images, a fraction."""
        return float(np.mean([score.accuracy for score in self.classes if score.n]))

    def to_pandas(self, by: Literal["class", "image"] = "class") -> pd.DataFrame:
        """One row a class (key, name, accuracy, low, high, n; fractions), or one row an image that was used.

        ``by="image"``: row of the image set, keys of the true and the predicted class, whether it is correct, cosine of
        the predicted class, margin and probability.
        """
        if by == "class":
            return _classes_to_pandas(self.classes)
        import pandas as pd

        keys, predicted = np.array(self.keys, object), self.top[:, 0]
        return pd.DataFrame(
            {
                "row": self.rows,
                "true": keys[self.labels],
                "predicted": keys[predicted],
                "correct": predicted == self.labels,
                "score": self.scores[:, 0],
                "margin": self.margin,
                "probability": self.probability,
            }
        )

    def __repr__(self) -> str:
        used = f"{len(self.rows):,} of {self.n_images:,} images"
        return f"<Answer {_lens(self.lens)} ({self.origin}): {_accuracies(self)}; {len(self.keys):,} classes, {used}>"


@dataclass(frozen=True)
class ClassAnswer:
    """What one lens gives where only per-class values are known: published or imported results.

    Attributes:
        lens: the question, with the prompts that the values are of.
        keys, names: class keys and names [c], as released or imported.
        classes: per-class values, in the order of the keys.
        acc1: top-1 accuracy over images as it was published, a fraction; None where only classes are told.
        origin: ``published`` or ``imported``.
        recipe: how the classes were predicted, one sentence.
        provenance: where the values come from, with citation.
        interval_over: what the intervals of the classes are over; empty where the number of images is unknown.
        metric: CLIP_benchmark's name of what is told of every class and, as ``acc1``, of the whole.
    """

    lens: Lens
    keys: tuple[str, ...]
    names: tuple[str, ...]
    classes: tuple[ClassValue, ...]
    acc1: float | None
    origin: Origin
    recipe: str
    provenance: str
    interval_over: str
    metric: str = "acc1"

    @property
    def mean_per_class_recall(self) -> float:
        """Mean of the per-class accuracies, a fraction."""
        return float(np.nanmean([score.accuracy for score in self.classes]))

    def to_pandas(self) -> pd.DataFrame:
        """One row a class: key, name, accuracy, low, high (fractions) and n, which is missing where it is unknown."""
        return _classes_to_pandas(self.classes)

    def __repr__(self) -> str:
        return f"<ClassAnswer {_lens(self.lens)} ({self.origin}): {_accuracies(self)}; {len(self.keys):,} classes>"


METHODS = ("text", "image", "integrated")
"""Ways of counting: captions that name the concept, pictures that show it, samples with both."""


@dataclass(frozen=True)
class FrequencyTable:
    """Pretraining counts of concepts. Unknown (absent) is not zero.

    Attributes:
        name: unique id (``icons-200k``, ``published:cc3m/...``, ``counted:NAME``).
        source: where the counts come from, one sentence with citation.
        method: the column in use: ``text``, ``image`` or ``integrated``.
        counts: concept key -> count; a concept that is absent is unknown.
        queries: concept key -> spelling actually searched, when it differs.
        flags: concept key -> quality flags (``hyphen``, ``digits``, ``homonym`` ...).
    """

    name: str
    source: str
    method: str
    counts: Mapping[str, int]
    queries: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """Digest of the counts, how they were made and what was searched."""
        counts = {key: int(count) for key, count in self.counts.items()}
        flags = {key: list(value) for key, value in self.flags.items()}
        return keys.digest([self.name, self.source, self.method, counts, dict(self.queries), flags])

    def to_pandas(self) -> pd.DataFrame:
        """One row a concept with a known count, the commonest first: concept, count, query, flags."""
        import pandas as pd

        ordered = sorted(self.counts, key=lambda concept: (-self.counts[concept], concept))
        return pd.DataFrame(
            {
                "concept": ordered,
                "count": [int(self.counts[concept]) for concept in ordered],
                "query": [self.queries.get(concept, concept) for concept in ordered],
                "flags": [", ".join(self.flags.get(concept, ())) for concept in ordered],
            }
        )

    def __repr__(self) -> str:
        counts = self.counts.values()
        span = f", counted {min(counts):,} to {max(counts):,} times" if counts else ""
        return f"<FrequencyTable {self.name} ({self.method}): {len(counts):,} concepts{span}>"


def _classes_to_pandas(classes: Sequence[ClassValue]) -> pd.DataFrame:
    import pandas as pd

    columns = ("key", "name", "accuracy", "low", "high", "n")
    frame = pd.DataFrame([[getattr(one, column) for column in columns] for one in classes], columns=list(columns))
    return frame.astype({"n": "Int64"})


def _lens(lens: Lens) -> str:
    return f"{lens.model}::{lens.image_set}::{lens.prompts}"


def _accuracies(answer: Answer | ClassAnswer) -> str:
    top1 = "" if answer.acc1 is None else f"top-1 {100 * answer.acc1:.1f} %, "
    return f"{top1}mean per-class recall {100 * answer.mean_per_class_recall:.1f} %"


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: ``done`` of ``total`` units (total 0 = unknown), with a sentence and a rate per second."""

    done: int = 0
    total: int = 0
    message: str = ""
    rate: float = 0.0

    @property
    def seconds_left(self) -> float | None:
        """Expected seconds to the end, or None while unknown."""
        return (self.total - self.done) / self.rate if self.total and self.rate else None


Report = Callable[[Progress], None]
"""Called often by long work; raises ``Stopped`` when the work should end."""


def silent(_progress: Progress) -> None:
    """A Report that tells nobody and never stops the work."""
