"""Bench rows of a graphics card: ``python -m core bench --gpu``, about ten minutes; without a card each says so."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from core.bench import Row, paired, seconds
from core.bench.encoding import BATCH, decoded, random_encoder, write_photos
from core.models.encoder import Encoder, EncoderPool, load_encoder

Measure = Callable[[Encoder, Path], float | str]
"""A ratio, or the sentence why there is none."""
_PHOTOS, _LARGE = 256, 1024
NO_CARD = "no CUDA device on this machine"


def checks() -> list[Row]:
    """Every check that needs a card, on one model with random weights and photos made here."""
    import torch

    if not torch.cuda.is_available():
        return [Row(name, None, op, aim, against, 0, NO_CARD) for name, op, aim, against, _ in _CHECKS]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        photos.mkdir()
        write_photos(photos, _PHOTOS)
        for name, op, aim, against, measure in _CHECKS:
            with random_encoder() as encoder:
                try:
                    found = measure(encoder, photos)
                except Exception as error:  # one check that fails leaves the others their minutes
                    found = f"{type(error).__name__}: {error}"
            if isinstance(found, str):
                rows.append(Row(name, None, op, aim, against, 0, found.partition("\n")[0]))
            else:
                rows.append(Row(name, found, op, aim, against, _PHOTOS))
    return rows


def _pixels(encoder: Encoder, photos: Path) -> np.ndarray:
    return np.stack([encoder.preprocess(Image.open(path).convert("RGB")) for path in sorted(photos.glob("*/*.jpg"))])


def least_cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Smallest cosine between unit vectors of the same rows."""
    return float((a.astype(np.float64) * b).sum(1).min())


def _half_precision(encoder: Encoder, photos: Path) -> float | str:
    if encoder.precision == "float32":
        return "this card resolves to float32"
    pixels = _pixels(encoder, photos)
    whole = load_encoder(encoder.id, precision="float32")
    try:
        return least_cosine(encoder.encode_images(pixels), whole.encode_images(pixels))
    finally:
        whole.close()


def _out_of_memory(encoder: Encoder, photos: Path) -> float | str:
    import torch

    pixels = np.concatenate([_pixels(encoder, photos)] * (_LARGE // _PHOTOS))
    expected = np.concatenate([encoder.encode_images(pixels[low : low + BATCH]) for low in range(0, _LARGE, BATCH)])
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    needed = 2 * 4 * pixels[: _LARGE // 4].size  # a quarter of the batch in float32, and room to work
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + needed) / total))
    try:
        found = encoder.encode_images(pixels)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    return least_cosine(found, expected) if encoder._most else "the batch fitted, so nothing was halved"


def _unloaded(encoder: Encoder, _photos: Path) -> float:
    import torch

    before = torch.cuda.memory_allocated()
    other = load_encoder(encoder.id)
    model = torch.cuda.memory_allocated() - before
    other.close()
    return (torch.cuda.memory_allocated() - before) / model


def _two_resident(encoder: Encoder, _photos: Path) -> float:
    import torch

    before = torch.cuda.memory_allocated()
    one = load_encoder(encoder.id)
    model = torch.cuda.memory_allocated() - before
    one.close()
    turn = iter(range(3))
    pool: EncoderPool[Encoder] = EncoderPool(
        lambda _name, /, *, precision: load_encoder(encoder.id, precision=precision), state=lambda _: None
    )
    for _ in range(3):
        pool.get(f"model {next(turn)}")
    held = torch.cuda.memory_allocated() - before
    pool.clear()
    return held / (2 * model)


def _attack(encoder: Encoder, photos: Path) -> float:
    import torch

    from core.robustness.attacks.losses import climb
    from core.robustness.attacks.steps import pgd

    pixels = torch.from_numpy(_pixels(encoder, photos)[:BATCH]).to(encoder.device).permute(0, 3, 1, 2).float() / 255
    weights = torch.randn(encoder.dim, 10, device=encoder.device)
    labels = torch.arange(len(pixels), device=encoder.device) % 10
    steps, generator = 10, torch.Generator().manual_seed(0)

    def logits(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(encoder.image_features(x).float(), dim=-1) @ weights

    def attack() -> None:
        pgd(logits, pixels, labels, 4 / 255, alpha=0.25, steps=steps, generator=generator).cpu()

    def gradients() -> None:
        for _ in range(steps):
            climb(logits, pixels, labels, "ce")[0].sum().cpu()

    gradients()
    return paired(attack, gradients)


def _corrupted(encoder: Encoder, photos: Path) -> float:
    from cache.matrices import MatrixStore
    from core.datasets import open_set
    from core.evaluation.embed import embed_images
    from core.robustness.corruptions.registry import corrupt, framed

    images = open_set(str(photos))
    pictures = [framed(images.image(index)) for index in range(len(images.labels))]

    def corrupted(index: int) -> Image.Image:
        return corrupt(pictures[index], "gaussian_noise", 3, seed=index)

    pixels = [encoder.preprocess(corrupted(index)) for index in range(len(pictures))]
    derived = decoded(images, corrupted)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as store:
            embed_images(encoder, derived, MatrixStore(store), batch=BATCH)

    def forward() -> None:
        for start in range(0, len(pixels), BATCH):
            encoder.encode_images(pixels[start : start + BATCH])

    forward()
    limit = max(seconds(forward), seconds(lambda: [corrupted(index) for index in range(len(pictures))]))
    return limit / seconds(ours)


def _ray_actor(encoder: Encoder, photos: Path) -> float:
    from cache.matrices import MatrixStore
    from core.cluster.embedding import embed_on_ray
    from core.datasets import open_set
    from core.evaluation.embed import embed_images

    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        alone = embed_images(encoder, open_set(str(photos)), MatrixStore(here))
        ours = embed_on_ray(
            partial(load_encoder, encoder.id), partial(open_set, str(photos)), MatrixStore(there), workers=1
        )
        return least_cosine(np.asarray(ours.vectors), np.asarray(alone.vectors))


_CHECKS: Sequence[tuple[str, str, float, str, Measure]] = (
    ("gpu_half_precision", ">=", 0.999, "least cosine to float32 vectors", _half_precision),
    ("gpu_out_of_memory", ">=", 0.999, "least cosine of a halved batch to small ones", _out_of_memory),
    ("gpu_unload", "<=", 0.01, "bytes of the model, left after it was closed", _unloaded),
    ("gpu_two_models", "<=", 1.05, "bytes of two models, after three were asked for", _two_resident),
    ("gpu_attack", "<=", 1.3, "ten gradients of the same tower (PGD, ten steps)", _attack),
    ("gpu_corruption", ">=", 0.85, "the slower of corrupting and the forward pass", _corrupted),
    ("gpu_ray_actor", ">=", 0.999, "least cosine to vectors made in this process", _ray_actor),
)
