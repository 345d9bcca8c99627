"""ImageNet-C's corruptions of one picture, made in memory and repeatable by seed.

The pixels come from the optional package ``imagecorruptions-imaug``. What is measured with it is *in memory*: the
published benchmark stores its pictures as JPEG, which moves accuracies by a few points, so the two are never mixed.

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
ICLR 2019 (arXiv 1903.12261).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from PIL import Image

from cache import keys
from core.errors import BadInput, ExtraMissing, UnreadableData

PACKAGE = "imagecorruptions-imaug"
IN_MEMORY = "in memory, not the JPEG benchmark"
GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
EXTRA = GROUPS["extra"]
BENCHMARK = tuple(name for group, names in GROUPS.items() if group != "extra" for name in names)
"""The fifteen that mCE averages, in the order of the paper."""
CORRUPTIONS = (*BENCHMARK, *EXTRA)
SEVERITIES = (1, 2, 3, 4, 5)
FRAME = 224
"""Side in pixels for which the strengths are meant."""

_SHORT_SIDE = 256
_MOST_ELONGATED = 4
# These two take a seed of their own and leave NumPy's global generator alone; the others know only the latter.
_OWN_SEED = frozenset({"impulse_noise", "glass_blur"})
_one_at_a_time = threading.Lock()


def words(name: str) -> str:
    """A corruption or perturbation as people write it: ``jpeg_compression`` is “JPEG compression”."""
    return name.replace("_", " ").replace("jpeg", "JPEG").replace("gaussian", "Gaussian")


def library_version() -> str:
    """Version of the package that makes the corruptions.

    Raises:
        ExtraMissing: it is not installed; the message holds the command.
    """
    try:
        found = version(PACKAGE)
    except PackageNotFoundError as error:
        raise ExtraMissing(
            f"Corruptions need the optional package {PACKAGE}. Install it with: pip install {PACKAGE}"
        ) from error
    _functions()
    return found


@cache
def _functions() -> dict[str, Any]:
    try:
        from imagecorruptions import corruption_dict
    except ImportError as error:
        raise ExtraMissing(
            f"{PACKAGE} is installed but cannot be imported ({error}); another package of the same import name may "
            f"have overwritten it. Repair it with: pip install --force-reinstall {PACKAGE}"
        ) from error
    return corruption_dict


def check(name: str, severity: int) -> None:
    """BadInput unless this is one of the nineteen corruptions at a severity from 1 to 5."""
    if name not in CORRUPTIONS:
        raise BadInput(f"There is no corruption {name!r}; choose among {', '.join(CORRUPTIONS)}.")
    if severity not in SEVERITIES:
        raise BadInput(f"Severity {severity} does not exist; ImageNet-C has 1 (mild) to 5 (severe).")


def image_seed(seed: int, name: str, image_id: str) -> int:
    """Seed of one picture under one corruption; the same at all severities, so that only strength grows along them."""
    return int(keys.digest([seed, name, image_id])[:8], 16) & 0x7FFFFFFF


def framed(picture: Image.Image) -> Image.Image:
    """The part of a picture that is shown and corrupted: as ImageNet-C was made, short side to 256, the middle 224.

    A picture with a side below 224 is all kept, at its own size.

    Raises:
        UnreadableData: a small picture is too elongated; fog alone would need a square of its long side.
    """
    if min(picture.size) < FRAME:
        if max(picture.size) > _MOST_ELONGATED * min(picture.size):
            raise UnreadableData(f"a picture of {picture.width} x {picture.height} pixels is too elongated to corrupt.")
        return picture
    width, height = _with_short_side(picture, _SHORT_SIDE)
    left, top = (width - FRAME) // 2, (height - FRAME) // 2
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + FRAME, top + FRAME))


def corrupt(picture: Image.Image, name: str, severity: int, *, seed: int) -> Image.Image:
    """One RGB picture of any size under one corruption; the same seed gives the same pixels, from any thread.

    Strengths are meant for a side of 224 pixels. A smaller picture is enlarged to that, corrupted and shrunk back,
    which gives about the strengths that the authors chose for Tiny-ImageNet-C's 64 pixels. NumPy's global generator
    is seeded for the call and put back; calls wait for one another.

    Raises:
        BadInput: no such corruption or severity. ExtraMissing: the package is not installed.
    """
    check(name, severity)
    library_version()
    function, size = _functions()[name], picture.size
    if min(size) < FRAME:
        picture = picture.resize(_with_short_side(picture, FRAME), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture.convert("RGB"))
    with _one_at_a_time, _seeded(seed):
        options = {"seed": seed} if name in _OWN_SEED else {}
        made = Image.fromarray(np.asarray(function(Image.fromarray(pixels), severity, **options)).astype(np.uint8))
    return made if made.size == size else made.resize(size, Image.Resampling.BICUBIC)


def _with_short_side(picture: Image.Image, short: int) -> tuple[int, int]:
    scale = short / min(picture.size)
    return max(short, round(picture.width * scale)), max(short, round(picture.height * scale))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(before)
