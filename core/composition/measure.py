"""Everything that is measured of one model on one composition set: the question behind page, command and table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.composition import sets
from core.composition.additive import Additivity, additivity, pair_means
from core.composition.answers import Composed, ask, directions
from core.composition.association import Association, association
from core.composition.compact import Retrieved, SoftRank, retrieved, soft_rank
from core.composition.counts import PairCounts
from core.composition.disentangled import Disentanglement, disentanglement
from core.composition.pairs import Compositions, CompositionSet
from core.composition.probe import SHOTS, ProbePoint, Vectors, probe
from core.composition.scores import right
from core.composition.seen import SeenGap, seen_gap
from core.datasets import open_set
from core.evaluation import evaluate
from core.prompts import prompt_set
from core.stats import intervals as stats
from core.types import ClassNames, ImageSet, Lens, Progress, Report, silent


@dataclass(frozen=True, eq=False)
class Question:
    """A lens on a composition set.

    Attributes:
        images: its compositions; partner: a set of other pairs of the same attributes and objects, or None.
        captions, pictures: pair counts of pretraining in captions and in pictures, or None.
    """

    lens: Lens
    images: CompositionSet
    partner: CompositionSet | None
    captions: PairCounts | None
    pictures: PairCounts | None

    @property
    def partner_lens(self) -> Lens:
        """The lens on the partner, or on the set itself where there is none."""
        return replace(self.lens, image_set=self.partner.id) if self.partner else self.lens


@dataclass(frozen=True, eq=False)
class SeenSides:
    """Answers to seen and never-seen pairs among the same compositions.

    Attributes:
        found: the compositions chosen among; composed: answers of the set and of its partner, if there is one.
        gaps: ``composition``, ``object``, ``attribute`` -> seen less never seen.
    """

    found: Compositions
    composed: tuple[Composed, ...]
    gaps: dict[str, SeenGap]


def question(
    lens: Lens,
    *,
    image_set: ImageSet,
    partner: str | None = None,
    overrides: Path | None = None,
    objects: Path | None = None,
    counts: Path | None = None,
) -> Question:
    """What a lens asks about an open image set.

    Args:
        partner: id or path of the set of other pairs; for icon sets the one that goes with it.
        overrides, objects: for folders, see ``core.composition.sets``; counts: table of pair counts.
    """
    found = sets.composition_set(image_set, overrides=overrides, objects=objects)
    partner = partner or sets.PARTNER.get(lens.image_set)
    other = sets.composition_set(open_set(partner), overrides=overrides, objects=objects) if partner else None
    pair = sets.counts_for(lens.model, image_set, counts) or (None, None)
    return Question(lens, found, other, *pair)


def sides(asked: Question, *, report: Report = silent) -> SeenSides:
    """Answers of the set and its partner among the compositions of both, and the comparison of seen with never seen."""
    among = among_all(asked)
    return compared(asked, tuple(ask(lens, one, report=report) for lens, one in among))


def among_all(asked: Question) -> list[tuple[Lens, CompositionSet]]:
    """The set and its partner with their lenses, both choosing among the compositions of both."""
    if asked.partner is None:
        return [(asked.lens, asked.images)]
    images = sets.with_partner(asked.images, asked.partner)
    return list(zip((asked.lens, asked.partner_lens), images, strict=True))


def compared(asked: Question, composed: tuple[Composed, ...]) -> SeenSides:
    """Seen against never-seen pairs, from the answers to ``among_all``."""
    found = among_all(asked)[0][1].compositions
    known = sets.seen_pairs(found, asked.pictures, icons=asked.images.drawn)
    labels = np.concatenate([one.answer.labels for one in composed])
    used = ~np.isnan(known[labels])
    if asked.pictures is not None:
        attribute_counts, object_counts = asked.pictures.margins(found)
    else:
        attribute_counts, object_counts = np.ones(len(found.attributes)), np.ones(len(found.objects))
    gaps = {}
    for condition in ("composition", "object", "attribute"):
        hit = np.concatenate([right(one, condition) for one in composed])
        attribute, thing = found.pairs[labels[used]].T
        gaps[condition] = seen_gap(
            hit[used], known[labels[used]] == 1, attribute, thing,
            attribute_counts=attribute_counts, object_counts=object_counts,
        )  # fmt: skip
    return SeenSides(found, composed, gaps)


@dataclass(frozen=True, eq=False)
class Embedded:
    """What is measured of the vectors, each of the composition ``texts`` and of the ``images``.

    Additivity and soft rank of images are those of the mean image of every pair shown. ``retrieved``: queries of a
    picture and words, of the images alone.
    """

    additive: dict[str, Additivity]
    disentangled: dict[str, Disentanglement]
    soft_rank: dict[str, SoftRank]
    retrieved: Retrieved


def embedded(asked: Question, *, report: Report = silent) -> Embedded:
    """Measure the vectors of a question's texts and images."""
    message = "Fitting attribute and object factors"
    report(Progress(0, 2, message))
    found = asked.images.compositions
    prompts, pairs = prompt_set(asked.lens.prompts, asked.images), found.pairs
    texts = directions(evaluate.classifier_for(asked.lens, prompts, report=report))
    attributes = ClassNames("attributes", found.attributes, found.attributes, asked.images.templates)
    alone = directions(evaluate.classifier_for(asked.lens, prompt_set(asked.lens.prompts, attributes), report=report))
    report(Progress(1, 2, message))
    vectors, labels = _vectors(asked.lens, asked.images, report)
    means, present = pair_means(vectors, labels)
    return Embedded(
        {"texts": additivity(texts, pairs), "images": additivity(means, pairs[present])},
        {"texts": disentanglement(texts, pairs), "images": disentanglement(vectors, pairs[labels])},
        {"texts": soft_rank(texts), "images": soft_rank(means)},
        retrieved(vectors, pairs[labels], alone),
    )


def _vectors(lens: Lens, images: CompositionSet, report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors float32 [m, d] and compositions [m] of the images used."""
    embeddings = evaluate.embeddings_for(lens, image_set=images.parent, report=report)
    labels = images.labels[embeddings.rows]
    return np.asarray(embeddings.vectors[labels >= 0], np.float32), labels[labels >= 0]


@dataclass(frozen=True, eq=False)
class Measured:
    """All that takes seconds: the set's own answer, seen against never seen, vectors, captions."""

    found: Composed
    sides: SeenSides
    embedded: Embedded
    association: Association | None


def measure(asked: Question, *, report: Report = silent) -> Measured:
    """Answer a question, from cached vectors where they are cached."""
    found = ask(asked.lens, asked.images, report=report)
    composed = tuple(ask(lens, one, report=report) for lens, one in among_all(asked))
    return assemble(asked, found, composed, embedded(asked, report=report))


def assemble(asked: Question, found: Composed, composed: tuple[Composed, ...], embedded: Embedded) -> Measured:
    """All of an answer, from its predictions and what was measured of the vectors.

    Args:
        found: the set's own answer; composed: those of ``among_all``.
    """
    shown = compared(asked, composed)
    return Measured(found, shown, embedded, _association(asked, shown))


def _association(asked: Question, shown: SeenSides) -> Association | None:
    if asked.captions is None:
        return None
    labels = np.concatenate([one.answer.labels for one in shown.composed])
    return association(asked.captions, shown.found, labels, np.concatenate([one.right for one in shown.composed]))


def probes(
    asked: Question, *, shots: tuple[int, ...] = SHOTS, seeds: tuple[int, ...] = (0, 1, 2), report: Report = silent
) -> list[ProbePoint]:
    """Few-shot probes for objects.

    The support is drawn from the set with more images of every object (for icons, ``icons``: 20 a concept), and tested
    on what is left of it and on all images of the other set.
    """
    support, other = _probe_sets(asked, report)
    parts = {}
    if asked.pictures is not None:
        found = asked.images.compositions
        _, seen = asked.pictures.margins(found)
        tagged = stats.tags({key: int(n) for key, n in zip(found.objects, seen, strict=True)})
        parts = {at: tagged[key] for at, key in enumerate(found.objects) if key in tagged}
    return probe(support, other, parts=parts, shots=shots, seeds=seeds, report=report)


def _probe_sets(asked: Question, report: Report) -> tuple[Vectors, Vectors | None]:
    """Support and other test vectors, with objects numbered as in the asked set."""
    own = _probed(asked, asked.lens, asked.images, report)
    if asked.partner is None:
        return own, None
    other = _probed(asked, asked.partner_lens, asked.partner, report)
    return (other, own) if len(other.objects) > len(own.objects) else (own, other)


def _probed(asked: Question, lens: Lens, images: CompositionSet, report: Report) -> Vectors:
    vectors, labels = _vectors(lens, images, report)
    place = {key: at for at, key in enumerate(asked.images.compositions.objects)}
    number = np.array([place.get(key, -1) for key in images.compositions.objects])
    objects = number[images.compositions.pairs[labels, 1]]
    seen = sets.seen_pairs(images.compositions, asked.pictures, icons=images.drawn)[labels]
    kept = objects >= 0
    return Vectors(vectors[kept], objects[kept], seen[kept])
