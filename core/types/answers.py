"""The question that a lens is, and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from core.types.encoders import Reading
from core.types.images import LeftOut

if TYPE_CHECKING:
    import pandas as pd


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


Origin = Literal["live", "shipped", "published", "imported"]
"""Where an answer comes from: computed here, shipped with Tailscope, published by others, brought in by a person."""
ORIGINS: Mapping[Origin, str] = {
    "live": "computed here",
    "shipped": "precomputed",
    "published": "published by the authors",
    "imported": "imported",
}
"""The words that every badge, source line and slide has for it."""


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
    """Accuracy of one class whose images are known: fraction correct, Wilson 95 % interval, images."""

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
        probability: float32 [m], softmax (or sigmoid) probability of the predicted class.
        classes: per-class scores, in label order; classes without images have n = 0 and accuracy NaN.
        left_out: images not used, with reasons; n_images: images in the set ("m of n used").
        fingerprint: the configuration in words (weights hash, preprocessing, precision, templates, names, versions).
        source: ``live`` or ``shipped``.
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
