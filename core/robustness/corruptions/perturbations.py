"""ImageNet-P style sequences of one picture: a little more of something in every frame, made in memory by seed.

Kinds and ranges follow Hendrycks and Dietterich (ICLR 2019, arXiv 1903.12261): noise of one small strength drawn anew
for every frame, and nine slow changes. The published sequences are videos cut from larger pictures; these are made
from the picture itself, its border repeated outwards, with lengths scaled to its size. They need no optional package.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates

from cache import keys
from core.datasets.derived import Derived
from core.errors import BadInput
from core.robustness.corruptions.registry import FRAME, framed, image_seed, words
from core.types import ImageSet

SCHEMA = 1
"""Counts up when the same frame would have other pixels."""

FRAMES = 31

_Frame = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
"""Pixels float32 [h, w, 3] in 0..1, how far along (0..1), generator -> pixels of that frame."""


def is_noise(name: str) -> bool:
    """Whether the frames of this perturbation are compared with the first instead of the one before."""
    return "noise" in name


def frame(picture: Image.Image, name: str, index: int, *, seed: int, frames: int = FRAMES) -> Image.Image:
    """Frame ``index`` of a sequence, RGB of the (framed) picture's size; the same seed gives the same pixels.

    Raises:
        BadInput: no such perturbation, or fewer than two frames.
    """
    if name not in PERTURBATIONS:
        raise BadInput(f"There is no perturbation {name!r}; choose among {', '.join(PERTURBATIONS)}.")
    if frames < 2:
        raise BadInput(f"A sequence needs at least two frames, not {frames}.")
    pixels = np.asarray(framed(picture).convert("RGB"), np.float32) / 255
    # Every frame starts from the same generator, so that snow falls on instead of being drawn anew; noise differs.
    rng = np.random.default_rng([seed, index if is_noise(name) else 0])
    made = _MAKERS[name](pixels, index / (frames - 1), rng)
    return Image.fromarray((np.clip(made, 0, 1) * 255).astype(np.uint8))


def sequences(
    image_set: ImageSet, name: str, rows: Sequence[int] | np.ndarray, *, seed: int = 0, frames: int = FRAMES
) -> Derived:
    """All frames of one perturbation of some pictures, sequence after sequence, as an image set."""
    chosen: list[int] = np.asarray(rows, np.int64).tolist()
    seeds = [image_seed(seed, f"sequence {name}", image_set.image_ids[row]) for row in chosen]
    what = f"{words(name)} sequences of {frames} frames, in memory"

    def make(index: int) -> Image.Image:
        which, number = divmod(index, frames)
        return frame(image_set.image(chosen[which]), name, number, seed=seeds[which], frames=frames)

    return Derived(
        parent=image_set,
        rows=np.repeat(np.array(chosen, np.int64), frames),
        conditions=[f"{words(name)}, frame {number}" for _ in seeds for number in range(frames)],
        make=make,
        id=f"{image_set.id} ({what})",
        image_ids=[f"{image_set.image_ids[row]} · {words(name)} {n}" for row in chosen for n in range(frames)],
        fingerprint=keys.digest(
            {
                "schema": SCHEMA,
                "base": image_set.fingerprint,
                "rows": chosen,
                "name": name,
                "seeds": seeds,
                "frames": frames,
            }
        ),
        note=f"{len(rows)} pictures of {image_set.id}: {what}.",
    )


def _gaussian_noise(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return pixels if along == 0 else pixels + rng.normal(0, 0.03, pixels.shape)


def _shot_noise(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return pixels if along == 0 else rng.poisson(pixels * 300.0) / 300.0


def _motion_blur(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return _streaked(pixels, angle=120 * along - 120, length=10 * _unit(pixels), sigma=3 * _unit(pixels))


def _zoom_blur(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    layers = [_transformed(pixels, scale=1 + 0.12 * along * step / 15) for step in range(16)]
    return np.mean(layers, axis=0)


def _brightness(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    value = pixels.max(axis=2, keepdims=True)  # the V of HSV: scaling RGB by it leaves hue and saturation alone
    wanted = np.clip(value + 0.6 * along - 0.3, 0, 1)
    return np.where(value > 0, pixels * wanted / np.maximum(value, 1e-6), wanted)


def _translate(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return _transformed(pixels, shift=(40 * along - 20) * _unit(pixels))


def _rotate(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return _transformed(pixels, angle=30 * along - 15)


def _scale(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    return _transformed(pixels, scale=0.4 + 0.75 * along)


def _tilt(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    """The picture turned about both of its axes, seen from as far away as its diagonal."""
    height, width = pixels.shape[:2]
    turn = math.radians(30 * along - 15)
    distance = math.hypot(height, width)
    corners = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        x, y = x * width / 2, y * height / 2
        depth = math.sin(turn) * y
        y = math.cos(turn) * y
        x, depth = math.cos(turn) * x - math.sin(turn) * depth, math.sin(turn) * x + math.cos(turn) * depth
        away = distance / (distance + depth)
        corners.append((x * away + width / 2, y * away + height / 2))
    flat = [(0, 0), (width, 0), (width, height), (0, height)]
    rows = []
    for (x, y), (u, v) in zip(corners, flat, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    solved = np.linalg.solve(np.array(rows, float), np.array(flat, float).ravel())
    return _warped(pixels, solved.tolist())


def _snow(pixels: np.ndarray, along: float, rng: np.random.Generator) -> np.ndarray:
    height, width = pixels.shape[:2]
    coarse = rng.normal(0.05, 0.3, (-(-height // 3), -(-width // 3))).astype(np.float32)
    flakes = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BILINEAR))
    flakes = np.where(flakes < 0.5, 0, np.clip(flakes, 0, 1))[..., None]
    unit = _unit(pixels)
    flakes = _streaked(flakes, angle=120 * along - 150, length=14 * unit, sigma=4 * unit)
    grey = pixels @ np.array([[0.299], [0.587], [0.114]], np.float32)
    paler = 0.85 * pixels + 0.15 * np.maximum(pixels, grey * 1.5 + 0.5)
    return paler + flakes + flakes[::-1, ::-1]


_MAKERS: dict[str, _Frame] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "brightness": _brightness,
    "translate": _translate,
    "rotate": _rotate,
    "tilt": _tilt,
    "scale": _scale,
}
PERTURBATIONS = tuple(_MAKERS)
"""The ten that mFP averages, in the order of the paper."""


def _unit(pixels: np.ndarray) -> float:
    """What one pixel of a 224-pixel frame measures here."""
    return min(pixels.shape[:2]) / FRAME


def _streaked(pixels: np.ndarray, *, angle: float, length: float, sigma: float) -> np.ndarray:
    """Mean of copies shifted along a direction with falling (half Gaussian) weight."""
    steps = np.linspace(0, 2 * length, 13)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    turn = math.radians(angle)
    copies = [_transformed(pixels, shift=step * math.cos(turn), down=step * math.sin(turn)) for step in steps]
    return np.tensordot(weights / weights.sum(), np.stack(copies), axes=1)


def _transformed(
    pixels: np.ndarray, *, angle: float = 0, scale: float = 1, shift: float = 0, down: float = 0
) -> np.ndarray:
    """Rotated by degrees and scaled about the middle, then shifted by pixels to the right and down."""
    height, width = pixels.shape[:2]
    cosine, sine = math.cos(math.radians(angle)) / scale, math.sin(math.radians(angle)) / scale
    x, y = width / 2, height / 2
    inverse = [
        cosine, sine, x - cosine * (x + shift) - sine * (y + down),
        -sine, cosine, y + sine * (x + shift) - cosine * (y + down), 0, 0,
    ]  # fmt: skip
    return _warped(pixels, inverse)


def _warped(pixels: np.ndarray, inverse: Sequence[float]) -> np.ndarray:
    """Pixels float32 [h, w, c] under the eight numbers of a map from target to source; the border is repeated."""
    down, right = (grid + 0.5 for grid in np.indices(pixels.shape[:2], dtype=np.float32))
    a, b, c, d, e, f, g, h = inverse
    below = g * right + h * down + 1
    places = [(d * right + e * down + f) / below - 0.5, (a * right + b * down + c) / below - 0.5]
    layers = [map_coordinates(layer, places, order=1, mode="nearest") for layer in np.moveaxis(pixels, 2, 0)]
    return np.stack(layers, axis=2)
