"""Images of a test set that a training set holds too: which they are, and what they do to accuracy.

The question of Radford et al. (2021, arXiv 2103.00020, section 5): accuracy on all images, on those that overlap, and
on the clean rest.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from core.datasets.io.picture import read_text
from core.errors import BadInput, UnreadableData
from core.evaluation import looks
from core.evaluation.embed import embed_images
from core.evaluation.evaluate import encoders, matrices
from core.robustness.metrics import difference
from core.robustness.records import Record
from core.robustness.shifts.hashes import distance, hashes_of
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.stats.blocks import in_blocks
from core.stats.intervals import wilson
from core.text.lines import Rows
from core.types import Answer, ImageSet, Interval, Lens, Report, silent
from core.uploads import MOST_BYTES

COSINE, DIFFERENT_BITS = 0.95, 10
_NEAREST = 20
_COLUMNS = ("image", "image_id", "id", "path", "file", "filename", "file_name")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures nearly alike, of two sets or of one: cosine of their vectors, hash bits that differ."""

    image: str
    other: str
    cosine: float
    bits: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Accuracy of one answer with and without the images that overlap; intervals are Wilson's, 95 %.

    Attributes:
        all, overlapping, clean: shares right; n: images behind each.
        gap: overlapping minus clean (Newcombe's interval); gain: what the overlap adds to the figure, all minus clean.
    """

    all: Interval
    overlapping: Interval
    clean: Interval
    n: Mapping[str, int]
    gap: Interval
    gain: float


def read_ids(source: str | Path | bytes, *, name: str = "the list") -> list[str]:
    """Image ids from a text file, one a line, or a CSV: column ``image``, ``id``, ``path`` or ``file``, or the first.

    Raises:
        UnreadableData: it is no text, too large or empty.
    """
    if isinstance(source, bytes):
        if len(source) > MOST_BYTES:
            raise UnreadableData(f"{name} is larger than {MOST_BYTES >> 20} MB.")
        try:
            text = source.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UnreadableData(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    else:
        text = read_text(source, limit=MOST_BYTES)
    try:
        rows = [row for row in Rows(text, name=name) if row and row[0].strip()]
    except csv.Error as error:
        raise UnreadableData(f"{name} is neither a list nor a CSV table ({error}).") from error
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = next((head.index(word) for word in _COLUMNS if word in head), None)
    ids = [row[column or 0].strip() for row in rows[column is not None :] if len(row) > (column or 0)]
    if not any(ids):
        raise UnreadableData(f"{name} lists no image.")
    return [id for id in dict.fromkeys(ids) if id]


def locate(image_set: ImageSet, ids: Sequence[str]) -> tuple[set[int], list[str]]:
    """Indices of listed images in the set, and the listed names that are none of its images.

    A name is an image id; or the file's name alone, where only one image has it.
    """
    exact = {id: row for row, id in enumerate(image_set.image_ids)}
    by_file: dict[str, int] = {}
    for id, row in exact.items():
        file = PurePosixPath(id).name
        by_file[file] = -1 if file in by_file else row
    rows, unknown = set(), []
    for id in ids:
        row = exact.get(id, by_file.get(PurePosixPath(id.replace("\\", "/")).name, -1))
        if row < 0:
            unknown.append(id)
        else:
            rows.add(row)
    return rows, unknown


def estimate(model: str, image_sets: Sequence[ImageSet], *, report: Report = silent) -> Estimate | None:
    """How long embedding these sets takes here for ``find``, for what is not embedded yet; None for nothing."""
    encoder = encoders().get(model, "auto")
    wholes = {one.fingerprint: one for one in image_sets}.values()
    return estimates.total([looks.time_to_embed(encoder, one, report=report) for one in wholes])


def find(
    model: str,
    image_set: ImageSet,
    other: ImageSet,
    *,
    cosine: float = COSINE,
    bits: int = DIFFERENT_BITS,
    report: Report = silent,
) -> list[Pair]:
    """Images of a set that another set holds too, nearly alike: by vector and by perceptual hash at once.

    An image overlaps when one of its 20 nearest pictures there has at least this cosine and a hash that differs in at
    most this many of 64 bits. Either alone finds pictures of the same thing, or flat pictures with the same layout.

    Args:
        model: whose vectors are compared.
        other: the set to search; the set itself for near-duplicates within it.

    Returns:
        the most similar picture there of every image that overlaps; within one set every pair once.
    """
    if not (0 < cosine <= 1 and 0 <= bits <= 64):
        raise BadInput("A cosine lies between 0 and 1 and a hash has 64 bits; choose thresholds within these.")
    encoder = encoders().get(model, "auto")
    ours, theirs = (embed_images(encoder, one, matrices(), report=report) for one in (image_set, other))
    here, there = (dict(zip(*_by_row(one, report), strict=True)) for one in (image_set, other))
    vectors = np.asarray(theirs.vectors, np.float32)
    within = image_set.fingerprint == other.fingerprint
    pairs: dict[tuple[int, int], Pair] = {}

    def ask(part: slice) -> None:
        scores = np.asarray(ours.vectors[part], np.float32) @ vectors.T
        if within:
            scores[np.arange(len(scores)), np.arange(part.start, part.stop)] = -np.inf
        k = min(_NEAREST, scores.shape[1])
        near = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        for at, row in enumerate(ours.rows[part].tolist()):
            if row not in here:
                continue
            for column in sorted(near[at].tolist(), key=lambda column: -scores[at, column]):
                if scores[at, column] < cosine:
                    break
                index = int(theirs.rows[column])
                differ = int(distance(here[row], there[index])) if index in there else 64
                first, second = (min(row, index), max(row, index)) if within else (row, index)
                pair = (first, second if within else -1)
                known = pairs.get(pair)
                if differ <= bits and (known is None or differ < known.bits):
                    names = image_set.image_ids[first], other.image_ids[second]
                    pairs[pair] = Pair(*names, float(scores[at, column]), differ)

    in_blocks(len(ours.rows), ask, columns=len(vectors), rows=512, report=report, message="Comparing pictures")
    return [pairs[pair] for pair in sorted(pairs)]


def overlapping(image_set: ImageSet, other: ImageSet, pairs: Sequence[Pair]) -> set[int]:
    """Indices of the images in these pairs; within one set both pictures of each."""
    ids = [pair.image for pair in pairs]
    if image_set.fingerprint == other.fingerprint:
        ids += [pair.other for pair in pairs]
    return locate(image_set, ids)[0]


def _by_row(image_set: ImageSet, report: Report) -> tuple[list[int], np.ndarray]:
    hashes, rows = hashes_of(image_set, report=report)
    return rows.tolist(), hashes


def overlap(answer: Answer, right: np.ndarray, rows: Collection[int]) -> Overlap:
    """Accuracy on all images of an answer, on those that overlap and on the others.

    Args:
        right: bool [m], in the order of the answer; rows: indices into the image set of the images that overlap.

    Raises:
        BadInput: none of them, or all of them, are in the answer.
    """
    inside = np.isin(answer.rows, list(rows))
    if not inside.any() or inside.all():
        which = "None" if not inside.any() else "All"
        raise BadInput(f"{which} of the {len(inside):,} images overlap, so there is nothing to compare.")
    parts = {"all": np.ones(len(inside), bool), "overlapping": inside, "clean": ~inside}
    shares = {name: wilson(int(right[mask].sum()), int(mask.sum())) for name, mask in parts.items()}
    return Overlap(
        **shares,
        n={name: int(mask.sum()) for name, mask in parts.items()},
        gap=difference(shares["overlapping"], shares["clean"]),
        gain=shares["all"].value - shares["clean"].value,
    )


def records(found: Overlap, lens: Lens, *, source: str) -> list[Record]:
    """Three rows: all, overlapping, clean. ``source`` is the list or set that says what overlaps."""
    more = {"gap": found.gap.value, "gap_low": found.gap.low, "gap_high": found.gap.high, "gain": found.gain}
    return [
        Record(lens.model, lens.image_set, f"overlap:{name}", found.n[name], share.value, share.low, share.high,
               lens.prompts, reference=source, more=more)
        for name, share in (("all", found.all), ("overlapping", found.overlapping), ("clean", found.clean))
    ]  # fmt: skip
