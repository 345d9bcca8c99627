"""The released scores as answers: per-class accuracies of a published model on a published image set.

Sets are the release's data sets by its own names (CLIP_benchmark's are aliases), ``letitwag``, and ``paper-17``: the
17 classification sets of the paper pooled, with keys ``set/concept``. Concepts are spelled as released, with the one
rename that the authors make (CIFAR-10's plane is counted as airplane).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from core.errors import BadInput, NotHere
from core.published.anomalies import RENAMED
from core.published.manifest import CITATION
from core.published.models import PublishedModel, find_model, published_models
from core.published.names import (
    LET_IT_WAG,
    METRIC_WORDS,
    MORE_SETS,
    PROMPTS,
    RETRIEVAL,
    RETRIEVAL_METRICS,
    RETRIEVAL_SETS,
    SKETCH,
    ZERO_SHOT,
    ZERO_SHOT_SETS,
)
from core.published.store import Store, open_store
from core.stats.intervals import UNDEFINED, wilson
from core.types import ClassAnswer, ClassValue, Lens

PAPER_17 = "paper-17"
PAPER_SETS = tuple(name for name in ZERO_SHOT_SETS if name != SKETCH)
IMAGES = {"imagenet": 50, "cifar10": 1_000, "cifar100": 100, "country211": 100, LET_IT_WAG: 450}
"""Images of every class, where the data set's makers give each class as many and the released scores fit that."""
_TITLES = {
    "imagenet": "ImageNet", "cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "caltech101": "Caltech-101",
    "caltech256": "Caltech-256", "sun397": "SUN397", "birdsnap": "Birdsnap", "country211": "Country211",
    "cub": "CUB-200", "dtd": "Describable Textures", "eurosat": "EuroSAT", "fgvcaircraft": "FGVC Aircraft",
    "flowers102": "Oxford Flowers-102", "food101": "Food-101", "imagenet-sketch": "ImageNet-Sketch",
    "oxfordpets": "Oxford-IIIT Pet", "stanfordcars": "Stanford Cars", "ucf101": "UCF101", "imagenet-r": "ImageNet-R",
    "coco": "COCO (retrieval)", "flickr": "Flickr30k (retrieval)", LET_IT_WAG: "Let It Wag!",
    PAPER_17: "The paper's 17 classification sets together",
}  # fmt: skip
_ALIASES = {
    "imagenet1k": "imagenet", "imagenetval": "imagenet", "ilsvrc2012": "imagenet", "imagenetsketch": SKETCH,
    "imagenetr": "imagenet-r", "fgvc": "fgvcaircraft", "flowers": "flowers102", "oxfordflowers102": "flowers102",
    "pets": "oxfordpets", "oxfordiiitpet": "oxfordpets", "cars": "stanfordcars", "cub200": "cub",
    "describabletextures": "dtd", "flickr30k": "flickr", "mscoco": "coco", "mscococaptions": "coco",
}  # fmt: skip
_RECIPES = {
    "class": "class names alone",
    "simple": "one template, “a photo of a {c}.”",
    "ensemble": "80 ImageNet templates, averaged",
}


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """One image set with released scores: id, title, strategies (metrics for retrieval), images a class (0 unknown)."""

    id: str
    title: str
    strategies: tuple[str, ...]
    images: int


def published_sets() -> tuple[PublishedSet, ...]:
    """Every image set with released per-class scores, ``paper-17`` and ``letitwag`` first."""
    names = (PAPER_17, LET_IT_WAG, *ZERO_SHOT_SETS, *MORE_SETS, *RETRIEVAL_SETS)
    return tuple(PublishedSet(name, _TITLES[name], _strategies(name), IMAGES.get(name, 0)) for name in names)


def _strategies(image_set: str) -> tuple[str, ...]:
    if image_set in RETRIEVAL_SETS:
        return RETRIEVAL_METRICS
    return ("ensemble",) if image_set == LET_IT_WAG else PROMPTS


def find_set(text: str) -> PublishedSet | None:
    """The published set of this name or alias, or None."""
    plain = "".join(letter for letter in text.strip().casefold() if letter.isalnum())
    plain = plain.removeprefix("wds").removeprefix("vtab")
    for one in published_sets():
        if text == one.id or plain in (one.id.replace("-", ""), one.id):
            return one
        if _ALIASES.get(plain) == one.id:
            return one
    return None


def strategy(image_set: PublishedSet, prompts: str | None) -> str:
    """The strategy that a published answer is of: the one asked for, else one template, else the only one there is.

    Raises:
        BadInput: the release has no scores under these prompts.
    """
    if prompts is None:
        usual = {RETRIEVAL_METRICS: "t2i_k=10", PROMPTS: "simple"}
        return usual.get(image_set.strategies, image_set.strategies[0])
    if prompts not in image_set.strategies:
        raise BadInput(
            f"The release has {image_set.title} under {', '.join(image_set.strategies)}, not under {prompts[:80]!r}; "
            "choose one of these, or run the model on your own pictures."
        )
    return prompts


def published_answer(model: str, image_set: str, prompts: str | None = None) -> ClassAnswer:
    """The released per-class accuracies of a model on a set.

    Args:
        model: open_clip's id or the authors' pair; image_set: a published set; prompts: ``class``, ``simple`` or
            ``ensemble`` (a metric such as ``t2i_k=10`` for COCO and Flickr), None for the usual one.

    Raises:
        NotHere: the release has no such model, set, or scores of the two; the message says what there is.
        BadInput: it has them under other prompts only.
    """
    found, chosen = find_model(model), find_set(image_set)
    if found is None:
        raise NotHere(f"The release has no scores of {model}. It has {len(published_models())} other models.")
    if chosen is None:
        sets = ", ".join(one.id for one in published_sets())
        raise NotHere(f"The release has no scores on {image_set}. It has {sets}.")
    return _answer(open_store(), found, chosen, strategy(chosen, prompts))


@lru_cache(maxsize=64)
def _answer(store: Store, model: PublishedModel, image_set: PublishedSet, prompts: str) -> ClassAnswer:
    pooled = image_set.id == PAPER_17
    family = {LET_IT_WAG: LET_IT_WAG}.get(image_set.id, RETRIEVAL if image_set.id in RETRIEVAL_SETS else ZERO_SHOT)
    classes: list[ClassValue] = []
    for name in PAPER_SETS if pooled else (image_set.id,):
        rows = store.rows(
            "SELECT concept, value FROM scores JOIN units USING (unit) WHERE family = ? AND dataset = ? "
            "AND condition = ? AND model = ? AND pretraining = ? AND concept <> '' ORDER BY scores.rowid",
            [family, name, prompts, model.backbone, model.pretraining],
        )
        if not rows:
            raise NotHere(f"The release has no {prompts} scores of {model.backbone}, {model.pretraining} on {name}.")
        prefix, unit = f"{name}/" if pooled else "", 1 if family == RETRIEVAL else 100
        named = [(RENAMED.get((name, concept), concept), value) for concept, value in rows]
        # Pooled classes meet counts by their name, which stays verbatim; the others do by their key.
        classes += [
            _class(prefix + key, key if pooled else key.replace("_", " "), value / unit, IMAGES.get(name))
            for key, value in named
        ]
    total = store.rows(
        "SELECT score FROM totals WHERE family = ? AND dataset = ? AND condition = ? AND model = ? AND pretraining = ?",
        [family, image_set.id, prompts, model.backbone, model.pretraining],
    )
    known = sum(score.n is not None for score in classes)
    return ClassAnswer(
        lens=Lens(model.id, image_set.id, prompts),
        keys=tuple(score.key for score in classes),
        names=tuple(score.name for score in classes),
        classes=tuple(classes),
        acc1=total[0][0] / (1 if family == RETRIEVAL else 100) if total else None,
        origin="published",
        recipe=_recipe(image_set, prompts),
        provenance=f"{CITATION}. {model.note}".strip(),
        interval_over=_over(known, len(classes)),
        metric=_metric(prompts) if family == RETRIEVAL else "acc1",
    )


def _metric(condition: str) -> str:
    """CLIP_benchmark's name of a retrieval metric: ``t2i_k=10`` finds images for texts."""
    way, _, k = condition.partition("_k=")
    return f"{'image' if way == 't2i' else 'text'}_retrieval_recall@{k}"


def _class(key: str, name: str, accuracy: float, n: int | None) -> ClassValue:
    if n is None:
        return ClassValue(key, name, accuracy, math.nan, math.nan, None)
    right = round(accuracy * n)
    interval = wilson(right, n) if abs(right - accuracy * n) < 1e-3 else UNDEFINED
    return ClassValue(key, name, accuracy, interval.low, interval.high, n)


def _over(known: int, classes: int) -> str:
    if not known:
        return ""
    told = "images of the class (Wilson)"
    return told if known == classes else f"{told}, for the {known:,} of {classes:,} classes whose images are known"


def _recipe(image_set: PublishedSet, prompts: str) -> str:
    if image_set.id in RETRIEVAL_SETS:
        return f"Retrieval, {METRIC_WORDS[prompts]}; the mean over the captions or images that hold the concept."
    names = "names verbatim, with their underscores"
    return f"Zero-shot with {_RECIPES[prompts]}; {names}; accuracy over the images of each class."
