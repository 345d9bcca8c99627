"""What can differ between a shifted picture and one of the pretraining distribution, apart from what is drawn.

Everything random here has a generator of its own, so that a picture's other randomness does not depend on its setting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.icons.concepts import COLOURS, concepts
from core.icons.glyphs import SIZE, Pose, placed

_TINT, _CLUTTER, _OCCLUSION, _MOTION, _SHAKE = range(1, 6)  # last numbers of the seeds of what is added


@dataclass(frozen=True, slots=True)
class Setting:
    """How the renderer is set up; the default is the pretraining distribution.

    Attributes:
        wobble: scale of rotation and shift.
        noise: standard deviation of the pixel noise, in 0-255 units.
        scale: range of source pixels per output pixel (larger = smaller icon).
        tint: largest change of the background's red, green and blue, in 0-255 units.
        clutter: small icons of other concepts around and behind the one that counts.
        occluder: width of a bar across the icon, in pixels; 0 for none.
    """

    wobble: float = 1.0
    noise: float = 6.0
    scale: tuple[float, float] = (1.5, 2.2)
    tint: float = 0.0
    clutter: int = 0
    occluder: float = 0.0


PRETRAINING = Setting()


def generator(seed: tuple[int, ...], *kind: int) -> np.random.Generator:
    """Randomness of one kind of change to the picture with this seed."""
    return np.random.default_rng([*seed, *kind])


def tinted(backdrop: np.ndarray, setting: Setting, seed: tuple[int, ...]) -> np.ndarray:
    """The background float32 [64, 64, 3] in a slightly different colour."""
    if not setting.tint:
        return backdrop
    return backdrop + generator(seed, _TINT).uniform(-setting.tint, setting.tint, 3).astype(np.float32)


def cluttered(backdrop: np.ndarray, setting: Setting, key: str, seed: tuple[int, ...]) -> np.ndarray:
    """The background with small icons of other concepts on it, a third to a half as tall as the one that counts."""
    if not setting.clutter:
        return backdrop
    rng = generator(seed, _CLUTTER)
    world, colours = concepts(), list(COLOURS.values())
    for turn in rng.uniform(0, 2 * np.pi) + np.arange(setting.clutter) * 2 * np.pi / setting.clutter:
        other = world[int(rng.integers(len(world)))]
        ink = np.array(colours[int(rng.integers(len(colours)))], np.float32)
        reach = rng.uniform(20, 27)
        pose = Pose(
            rng.uniform(-0.6, 0.6), rng.uniform(4.0, 5.5), float(np.cos(turn) * reach), float(np.sin(turn) * reach)
        )
        if other.key != key:
            alpha = np.asarray(placed(other.glyph, pose), np.float32)[..., None] / 255
            backdrop = backdrop + alpha * (ink - backdrop)
    return backdrop


def occluded(picture: np.ndarray, setting: Setting, seed: tuple[int, ...]) -> np.ndarray:
    """The picture float32 [64, 64, 3] behind a bar of one colour that crosses near its centre at any angle."""
    if not setting.occluder:
        return picture
    rng = generator(seed, _OCCLUSION)
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-10, 10)
    colour = rng.uniform(0, 255, 3).astype(np.float32)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) - (SIZE - 1) / 2
    across = np.abs(np.cos(angle) * x + np.sin(angle) * y - offset)
    return np.where((across < setting.occluder / 2)[..., None], colour, picture)


def frame_seed(frame: int) -> tuple[int]:
    """The number of a frame in seeds, which take no negative ones."""
    return (frame + 1000,)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a moving camera does to one frame: a pose, how bright, how blurred (pixels)."""

    pose: Pose
    light: float
    blur: float


def moment(pose: Pose, frame: int, seed: tuple[int, ...]) -> Moment:
    """The frame this many frames after (before, if negative) the anchor, whose pose is given; frame 0 is the anchor.

    The camera drifts at a constant speed of the sequence's own (up to 1.3 pixels, 4 degrees and 3 % of size a frame)
    and shakes in every frame; light and sharpness waver.
    """
    if not frame:
        return Moment(pose, 1.0, 0.0)
    speed = generator(seed, _MOTION).uniform(-1, 1, 4) * (1.3, 1.3, np.deg2rad(4), 0.03)
    shake = generator(seed, *frame_seed(frame), _SHAKE)
    dx, dy, turn, zoom = speed * frame + shake.normal(size=4) * (0.6, 0.6, np.deg2rad(1.5), 0.01)
    moved = replace(
        pose, angle=pose.angle + turn, scale=pose.scale * float(np.exp(zoom)), dx=pose.dx + dx, dy=pose.dy + dy
    )
    return Moment(moved, shake.uniform(0.85, 1.15), shake.uniform(0, 0.9))
