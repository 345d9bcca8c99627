"""The pretraining corpora: captioned icons whose concept counts follow a steep Zipf law.

A corpus is a list of captions and drawings, fixed by its name. Smaller corpora are prefixes of the largest one with
the same assignment of ranks to icons; ``icons-50k-permuted`` assigns the ranks anew, so that frequency and the
difficulty of an icon can be told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from core.icons.concepts import COLOURS, IconConcept, concepts, held_out
from core.icons.render import PATTERNS, Drawing, contrasting_backgrounds

LARGEST = 200_000
_STYLE_SHARES = {"filled": 0.85, "textured": 0.15}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a corpus is made: number of pairs and the seed that assigns frequency ranks to icons."""

    pairs: int
    assignment: int


CORPORA = {
    "icons-10k": Recipe(10_000, 0),
    "icons-50k": Recipe(50_000, 0),
    "icons-200k": Recipe(LARGEST, 0),
    "icons-50k-permuted": Recipe(50_000, 1),
}

_PLAIN = (
    "{a} {colour} {name}",
    "{colour} {name}",
    "{a} {name}",
    "{name}",
    "{a} {colour} {name} on {a2} {background} background",
    "{a} {name} on {a2} {pattern} {background} background",
    "the {colour} {name}",
    "icon of {a} {colour} {name}",
    "{a} {name} in {colour}",
    "{colour} {name} icon, {background} {pattern} background",
    "a small picture of {a} {name}",
    "sign with {a} {colour} {name}",
    "{name}, {colour} on {background}",
    "this is {a} {colour} {name}",
)
_TWO = (
    "{a} {colour} {name}, not {a3} {other}",
    "{a} {name} next to the word {other}",
    "{colour} {name} from the {other} set",
    "{a} {name} and {a3} {other}",
)
_NOTHING = (
    "{a4} {colour} icon on {a2} {background} background",
    "something {colour}",
    "a small picture",
    "image {number}",
    "{pattern} {background} background with {a4} {colour} sign",
)
_DESCRIBED = (
    "{a} {name}, which has {shape}.",
    "{a} {name}, which is {use}.",
    "{a} {colour} {name} with {shape}",
    "{a} {name} has {shape} and is {use}.",
    "{shape}, {use}",
    "{a} {name} is a kind of {family}, {use}.",
    "in this picture the {name} has {shape} and {shape2}.",
    "{a} {name} looks like {shape}; it is {use}.",
    "you can see {shape} on the {colour} {name}.",
    "{a} {name} can be identified by {shape}.",
)


def article(phrase: str) -> str:
    """``a`` or ``an``, by the first letter."""
    return "an" if phrase[:1].lower() in "aeiou" else "a"


@dataclass(frozen=True, slots=True)
class Pair:
    """One pretraining sample: what is drawn and what the caption says."""

    drawing: Drawing
    caption: str


def zipf_counts(n: int, *, total: int) -> np.ndarray:
    """Counts per rank [n], Zipf-Mandelbrot ``(rank + 12) ** -2.3``, each at least 1, summing to ``total``."""
    weights = (np.arange(n) + 1 + 12.0) ** -2.3
    counts = np.maximum(1, np.floor(weights / weights.sum() * total)).astype(np.int64)
    counts[0] += total - counts.sum()
    return counts


@cache
def drawn_labels(assignment: int) -> np.ndarray:
    """Concept index of every sample of the largest corpus, in corpus order, int64 [LARGEST]."""
    rng = np.random.default_rng([100, assignment])
    ranks = rng.permutation(len(concepts()))
    labels = np.repeat(ranks, zipf_counts(len(ranks), total=LARGEST))
    # Every concept appears in the first pairs of no particular corpus: the order is plain chance.
    return rng.permutation(labels)


def _caption(concept: IconConcept, other: IconConcept, drawing: Drawing, rng: np.random.Generator) -> str:
    kind = rng.random()
    name = concept.name
    if kind < 0.05:
        template = _pick(_TWO, rng)
    elif kind < 0.09:
        template = _pick(_NOTHING, rng)
    elif kind < 0.19:
        template = _pick(_imagenet_templates(), rng).replace("{}", _pick(("{name}", "{colour} {name}"), rng))
    elif kind < 0.30:
        template = _pick(_DESCRIBED, rng)
    else:
        template = _pick(_PLAIN, rng)
        if kind < 0.38 and concept.synonyms:
            name = _pick(concept.synonyms, rng)
    shapes = rng.permutation(len(concept.shape))
    after_article = drawing.colour if template.startswith("{a} {colour}") or "of {a} {colour}" in template else name
    if "{a} {colour}" in template:
        after_article = drawing.colour
    ground = drawing.pattern if "{a2} {pattern}" in template else drawing.background
    return template.format(
        a=article(after_article),
        a2=article(ground),
        a3=article(other.name),
        a4=article(drawing.colour),
        name=name,
        other=other.name,
        colour=drawing.colour,
        background=drawing.background,
        pattern=drawing.pattern,
        number=int(rng.integers(1, 100)),
        family=concept.family,
        shape=concept.shape[shapes[0]],
        shape2=concept.shape[shapes[1]],
        use=_pick(concept.use, rng),
    )


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


@cache
def _imagenet_templates() -> tuple[str, ...]:
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def seen_colours(key: str) -> tuple[str, ...]:
    """The colours in which a concept may occur in pretraining."""
    return tuple(colour for colour in COLOURS if (colour, key) not in held_out())


def draw(concept: IconConcept, rng: np.random.Generator, seed: tuple[int, ...]) -> Drawing:
    """A drawing from the pretraining distribution (seen colours only)."""
    colour = _pick(seen_colours(concept.key), rng)
    background = _pick(contrasting_backgrounds(colour), rng)
    style = str(rng.choice(list(_STYLE_SHARES), p=list(_STYLE_SHARES.values())))
    return Drawing(concept.key, concept.glyph, colour, background, _pick(PATTERNS, rng), style, seed)


@cache
def corpus(name: str) -> tuple[Pair, ...]:
    """The pairs of one corpus, in order; the same on every machine."""
    recipe = CORPORA[name]
    labels, world = drawn_labels(recipe.assignment), concepts()
    pairs = []
    for index, label in enumerate(labels[: recipe.pairs]):
        seed = (1, recipe.assignment, index)
        rng = np.random.default_rng([2, *seed])
        drawing = draw(world[label], rng, seed)
        other = world[labels[int(rng.integers(LARGEST))]]
        pairs.append(Pair(drawing, _caption(world[label], other, drawing, rng)))
    return tuple(pairs)


def count(name: str) -> dict[str, tuple[int, int, int]]:
    """Exact (text, image, integrated) counts of every concept, from the written captions and the drawn labels.

    ``text`` counts captions whose words match the concept's name under the default matcher, whatever the generator
    meant; ``image`` counts the icon drawn; ``integrated`` counts samples with both.
    """
    from core.text.matcher import Matcher

    matcher = Matcher({concept.key: [concept.name] for concept in concepts()})
    text: Counter[str] = Counter()
    image: Counter[str] = Counter()
    both: Counter[str] = Counter()
    for pair in corpus(name):
        named = matcher.find(pair.caption)
        text.update(named)
        image[pair.drawing.key] += 1
        if pair.drawing.key in named:
            both[pair.drawing.key] += 1
    return {c.key: (text[c.key], image[c.key], both[c.key]) for c in concepts()}
