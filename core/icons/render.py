"""Drawing one icon: deterministic by seed, 64 x 64 RGB.

The renderer knows nothing of captions, counts or models. Styles other than ``filled`` and ``textured`` never occur
in pretraining; distribution shifts are built from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from core.icons.concepts import COLOURS
from core.icons.glyphs import SIZE, Pose, placed
from core.icons.setting import PRETRAINING, Setting, cluttered, frame_seed, generator, moment, occluded, tinted

BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (252, 252, 252),
    "cream": (250, 238, 208),
    "silver": (196, 198, 204),
    "sky": (186, 220, 246),
    "mint": (196, 236, 208),
    "peach": (250, 206, 184),
    "lilac": (220, 204, 242),
    "navy": (24, 36, 78),
    "forest": (20, 66, 44),
    "charcoal": (54, 56, 60),
}
PATTERNS = ("plain", "gradient", "striped", "dotted", "noisy")
_MIN_CONTRAST = 90.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is on one picture; equal drawings give equal pixels."""

    key: str
    glyph: str
    colour: str
    background: str
    pattern: str
    style: str
    seed: tuple[int, ...]


@cache
def contrasting_backgrounds(colour: str) -> tuple[str, ...]:
    """Background names on which an icon of this colour can be seen."""
    ink = np.array(COLOURS[colour], float)
    return tuple(name for name, rgb in BACKGROUNDS.items() if np.linalg.norm(ink - rgb) >= _MIN_CONTRAST)


def _backdrop(drawing: Drawing, rng: np.random.Generator) -> np.ndarray:
    """Background as float32 [64, 64, 3]."""
    base = np.array(BACKGROUNDS[drawing.background], np.float32)
    toward = np.float32(255.0 if base.mean() < 128 else 0.0)
    other = base + (toward - base) * np.float32(rng.uniform(0.12, 0.30))
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    if drawing.pattern == "gradient":
        weight = (along - along.min()) / np.ptp(along)
    elif drawing.pattern == "striped":
        weight = (np.sin(along * 2 * np.pi / rng.uniform(6, 14)) > 0).astype(np.float32)
    elif drawing.pattern == "dotted":
        step = rng.uniform(7, 12)
        weight = (np.hypot((x % step) - step / 2, (y % step) - step / 2) < step * 0.28).astype(np.float32)
    elif drawing.pattern == "noisy":
        weight = _clouds((rng.random((10, 10), dtype=np.float32) * 255).astype(np.uint8))
    else:
        weight = np.zeros((SIZE, SIZE), np.float32)
    return base + weight[..., None] * (other - base)


def _clouds(coarse: np.ndarray) -> np.ndarray:
    """A coarse grid uint8 [k, k] blown up smoothly to float32 [64, 64] in 0..1."""
    picture = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.asarray(picture, np.float32) / 255


def _pose(setting: Setting, rng: np.random.Generator) -> Pose:
    """A random rotation, scale and shift."""
    angle = np.deg2rad(rng.uniform(-20, 20) * setting.wobble)
    scale = rng.uniform(*setting.scale)
    dx, dy = rng.uniform(-6, 6, 2) * setting.wobble
    return Pose(angle, scale, dx, dy)


def _styled(mask: Image.Image, style: str, rng: np.random.Generator) -> np.ndarray:
    """Opacity of the ink as float32 [64, 64] in 0..1."""
    if style in ("outline", "sketch"):
        edge = ImageChops.subtract(mask.filter(ImageFilter.MaxFilter(3)), mask.filter(ImageFilter.MinFilter(3)))
        alpha = np.asarray(edge, np.float32) / 255
        if style == "sketch":
            alpha = np.maximum(alpha, np.roll(alpha, tuple(rng.integers(-2, 3, 2)), (0, 1)) * 0.6)
            alpha *= rng.uniform(0.55, 1.0, (SIZE, SIZE)).astype(np.float32)
        return alpha
    alpha = np.asarray(mask, np.float32) / 255
    if style == "stamped":
        worn = _clouds((rng.random((20, 20)) * 255).astype(np.uint8))
        alpha = alpha * np.clip((worn - 0.30) * 6, 0.05, 1)
    return alpha


def render(drawing: Drawing, setting: Setting = PRETRAINING, *, frame: int = 0) -> Image.Image:
    """Draw one icon.

    Args:
        setting: how the renderer is set up.
        frame: of a jittered sequence around this picture, which is frame 0.

    Returns:
        RGB image, 64 x 64; the same drawing and options give the same pixels.
    """
    rng = np.random.default_rng(list(drawing.seed))
    backdrop = _backdrop(drawing, rng)
    now = moment(_pose(setting, rng), frame, drawing.seed)
    mask = placed(drawing.glyph, now.pose)
    alpha = _styled(mask, drawing.style, rng)[..., None]
    ink = np.array(COLOURS[drawing.colour], np.float32) + rng.uniform(-14, 14, 3).astype(np.float32)
    fill = np.broadcast_to(ink, (SIZE, SIZE, 3))
    backdrop = cluttered(tinted(backdrop, setting, drawing.seed), setting, drawing.key, drawing.seed)
    if drawing.style == "textured":
        stripes = np.sin(np.arange(SIZE, dtype=np.float32) * rng.uniform(0.5, 1.1))[:, None, None]
        fill = fill + stripes * np.float32(28)
    elif drawing.style == "embossed":
        light = np.array(mask.filter(ImageFilter.EMBOSS), np.float32)[..., None] - 128
        light[[0, -1]] = light[:, [0, -1]] = 0  # the filter leaves the border rows unset
        fill = backdrop + light * np.float32(0.9)
        alpha = np.ones_like(alpha)
    elif drawing.style == "low-contrast":
        fill = backdrop + (fill - backdrop) * np.float32(0.3)
    elif drawing.style == "marbled":
        fill, backdrop = _marbled(ink, rng), _marbled(backdrop.mean((0, 1)), rng)
    picture = occluded(backdrop + alpha * (fill - backdrop), setting, drawing.seed)
    if frame:
        blurred = Image.fromarray(np.clip(picture * now.light, 0, 255).astype(np.uint8))
        picture = np.asarray(blurred.filter(ImageFilter.GaussianBlur(now.blur)), np.float32)
        rng = generator(drawing.seed, *frame_seed(frame))  # a sensor's noise is new in every frame
    picture = picture + rng.normal(0, setting.noise, picture.shape).astype(np.float32)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def _marbled(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Veins of a darker and a lighter tone of a colour, float32 [64, 64, 3]: texture without the colour's flatness."""
    veins = np.sin(_clouds((rng.random((9, 9)) * 255).astype(np.uint8)) * np.float32(rng.uniform(18, 30)))
    return colour + veins[..., None] * np.float32(55)
