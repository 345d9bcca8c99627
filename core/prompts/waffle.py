"""WaffleCLIP: random words and characters instead of descriptions, the honest null of every description strategy.

Roth et al., 2023: 15 pairs of a random phrase and a random string, the same for every class; the mean of cosines
counts. One seed is one draw: the result of the method is the mean and standard deviation over seeds
(``core.analysis.random_words_band``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from core.errors import BadInput
from core.prompts.icon_texts import ASSETS
from core.types import Classes, PromptSet

PAIRS = 15
SEEDS = 7
"""Seeds over which the authors report mean and standard deviation."""

# Letters and digits that are tokens of their own and that the icon models have read; alternating keeps them apart.
_LETTERS, _DIGITS = "abcdilmoprstvxy", "0123456789"


def drawn(image_set: Classes, seed: str = "0") -> PromptSet:
    """The sentences of one seed, ``waffle:SEED``."""
    if not (seed.isascii() and seed.isdecimal() and len(seed) <= 9):
        raise BadInput(f"waffle takes a seed, for example waffle:3, not {seed!r}.")
    noise = fillings(image_set.names, int(seed))
    sentences = tuple(tuple(f"A photo of a {name}, which has {text}." for text in noise) for name in image_set.names)
    return PromptSet(f"waffle:{seed}", sentences, "similarity")


def fillings(names: Sequence[str], seed: int) -> tuple[str, ...]:
    """The 30 random texts of a seed, as long as the class names are on average (words and letters a word).

    Unlike the release, words are chosen by length instead of being cut to it: a cut word is a random string again.
    """
    count = max(1, round(float(np.mean([len(name.split()) for name in names]))))
    length = round(float(np.mean([np.mean([len(word) for word in name.split()] or [1]) for name in names])))
    near = min(range(3, 9), key=lambda size: abs(size - length))
    words = [word for word in word_list() if abs(len(word) - near) <= 1]
    rng = np.random.default_rng([11, seed])
    texts = []
    for _ in range(PAIRS):
        texts.append(" ".join(rng.choice(words, count)))
        texts.append(" ".join(_characters(length, rng) for _ in range(count)))
    return tuple(texts)


def _characters(length: int, rng: np.random.Generator) -> str:
    return "".join(rng.choice(list((_LETTERS, _DIGITS)[place % 2])) for place in range(max(2, length)))


@cache
def word_list() -> tuple[str, ...]:
    """Words of the icon captions that name no concept (``assets/prompts/waffle-words.txt``)."""
    return tuple((ASSETS / "waffle-words.txt").read_text(encoding="utf-8").split())
