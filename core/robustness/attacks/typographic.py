"""The typographic attack: a class's name written on the picture (Goh et al., Distill 2021). No gradient, no ε."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TRIES = 40
"""Places tried for a copy before it is left out: words do not overlap."""


def overlay(
    pixels: np.ndarray, word: str, *, copies: int = 8, size: float = 0.12, seed: int = 0
) -> tuple[np.ndarray, int]:
    """The picture with a word written on it, and how many copies found a place.

    Args:
        pixels: uint8 [h, w, 3]; word: text, shrunk until it fits the width.
        copies: how many times, at random places that do not overlap; size: height of the letters as a share of the
            picture's; seed: of the places.
    """
    picture = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(picture)
    font, stroke = _fitting(canvas, word, size * picture.height, picture.width), max(1, round(picture.height / 128))
    left, top, right, bottom = canvas.textbbox((0, 0), word, font=font, stroke_width=stroke)
    width, height = int(np.ceil(right - left)), int(np.ceil(bottom - top))
    rng = np.random.default_rng([11, seed])
    boxes: list[tuple[int, int]] = []
    for _ in range(copies):
        for _ in range(TRIES):
            x = int(rng.integers(0, max(1, picture.width - width + 1)))
            y = int(rng.integers(0, max(1, picture.height - height + 1)))
            if all(abs(x - a) >= width or abs(y - b) >= height for a, b in boxes):
                boxes.append((x, y))
                canvas.text((x - left, y - top), word, "white", font=font, stroke_width=stroke, stroke_fill="black")
                break
    return np.asarray(picture), len(boxes)


def wrong_words(labels: Sequence[int] | np.ndarray, classes: int, *, seed: int = 0) -> np.ndarray:
    """For every image a class that is not its own, int64 [n], drawn evenly; needs two classes."""
    own = np.asarray(labels)
    return (own + np.random.default_rng([12, seed]).integers(1, classes, len(own))) % classes


def meaningless(word: str, *, seed: int = 0) -> str:
    """As many letters as the word has, each drawn from a to z; what is no letter stays. The control of a word."""
    rng = np.random.default_rng([14, seed])
    return "".join(chr(97 + int(rng.integers(26))) if letter.isalpha() else letter for letter in word)


def _fitting(
    canvas: ImageDraw.ImageDraw, word: str, height: float, width: int
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    wanted = max(5.0, height)
    font = ImageFont.load_default(wanted)
    length = canvas.textlength(word, font=font)
    if length > width - 4:
        font = ImageFont.load_default(max(4.0, wanted * (width - 4) / length))
    return font
