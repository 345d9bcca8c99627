"""The shapes of icons as masks: the font's glyphs, turned, scaled and shifted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.icons.concepts import font_root

SIZE = 64
_GLYPH_PX = 80  # glyphs are drawn once at this size and scaled down by the affine transform


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a glyph lies: angle in radians, source pixels per output pixel, shift of its centre in output pixels."""

    angle: float
    scale: float
    dx: float
    dy: float


@lru_cache(maxsize=4096)
def glyph_mask(glyph: str) -> Image.Image:
    """The glyph in the middle of an 'L' picture of 128 x 128."""
    canvas = Image.new("L", (128, 128))
    path = font_root() / "otfs" / "Font Awesome 6 Free-Solid-900.otf"
    ImageDraw.Draw(canvas).text((64, 64), glyph, font=_font(str(path)), fill=255, anchor="mm")
    return canvas


@lru_cache(maxsize=1)
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _GLYPH_PX, layout_engine=ImageFont.Layout.BASIC)


def placed(glyph: str, pose: Pose) -> Image.Image:
    """Glyph mask in this pose, 'L' 64 x 64."""
    c, s = np.cos(pose.angle) * pose.scale, np.sin(pose.angle) * pose.scale
    cx = cy = SIZE / 2
    matrix = (c, -s, 64 - c * (cx + pose.dx) + s * (cy + pose.dy), s, c, 64 - s * (cx + pose.dx) - c * (cy + pose.dy))
    return glyph_mask(glyph).transform((SIZE, SIZE), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
