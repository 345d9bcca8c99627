"""Bench rows of embedding images and sentences: a real architecture, random weights when none are on this disk."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from core.bench import Row, paired, seconds
from core.datasets.derived import Derived
from core.types import ImageSet, Report

if TYPE_CHECKING:
    from core.models.encoder import Encoder


ARCHITECTURE, BATCH = "ViT-B-32", 64
_PHOTOS = 256


@contextmanager
def random_encoder() -> Iterator[Encoder]:
    """An encoder of the benchmark architecture with random weights, loaded through ``local-dir:``."""
    import open_clip
    from safetensors.torch import save_file

    from core.models.encoder import load_encoder

    with tempfile.TemporaryDirectory() as folder:
        model = open_clip.create_model(ARCHITECTURE)
        save_file(model.state_dict(), f"{folder}/open_clip_model.safetensors")
        config = {"model_cfg": open_clip.get_model_config(ARCHITECTURE), "preprocess_cfg": model.visual.preprocess_cfg}
        Path(folder, "open_clip_config.json").write_text(json.dumps(config))
        del model
        encoder = load_encoder(f"local-dir:{folder}")
        yield encoder
        encoder.close()


def write_photos(folder: Path, n: int) -> None:
    """Write n JPEG pictures of 500 x 375 with the detail of photographs (smoothed noise), in ten class folders."""
    rng = np.random.default_rng(0)
    for index in range(n):
        coarse = rng.integers(0, 256, (60, 80, 3), np.uint8)
        fine = rng.normal(0, 8, (375, 500, 3))
        pixels = np.asarray(Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC)) + fine
        path = folder / f"class{index % 10}" / f"{index:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90)


def embedding() -> list[Row]:
    """Cold embedding of JPEG files and of decoded pixels against the pure forward pass of the same tower."""
    import torch

    with random_encoder() as encoder, tempfile.TemporaryDirectory() as folder:
        photos = Path(folder, "photos")
        photos.mkdir()
        write_photos(photos, _PHOTOS)
        forward, from_files, from_pixels = _three_ways(encoder, photos, Path(folder))
        on = f"forward pass of {ARCHITECTURE}, batch {BATCH}, {encoder.precision} on {encoder.device.type}"
        rows = [
            Row("cold_embedding_jpeg", 1 / paired(from_files, forward), ">=", 0.85, on, _PHOTOS),
            Row("cold_embedding_decoded", 1 / paired(from_pixels, forward), ">=", 0.97, on, _PHOTOS),
            _against_clip_benchmark(encoder, photos, from_files),
        ]
        against = "the slower of decoding on all cores and the forward pass"
        if not torch.cuda.is_available():
            return [*rows, Row("cold_embedding_gpu", None, ">=", 0.85, against, 0, "no CUDA device on this machine")]
        limit = max(seconds(forward), seconds(partial(_decode_all, photos)))
        return [*rows, Row("cold_embedding_gpu", limit / seconds(from_files), ">=", 0.85, against, _PHOTOS)]


def _three_ways(
    encoder: Encoder, photos: Path, scratch: Path
) -> tuple[Callable[[], None], Callable[[], None], Callable[[], None]]:
    from cache.matrices import MatrixStore
    from core.datasets import open_set
    from core.evaluation.embed import embed_images

    images = open_set(str(photos))
    pixels = [encoder.preprocess(images.image(index)) for index in range(len(images.labels))]
    pictures = [Image.fromarray(array) for array in pixels]

    def run(image_set: ImageSet) -> None:
        with tempfile.TemporaryDirectory(dir=scratch) as store:
            embed_images(encoder, image_set, MatrixStore(store), batch=BATCH)

    def forward() -> None:
        for start in range(0, len(pixels), BATCH):
            encoder.encode_images(pixels[start : start + BATCH])

    forward()
    return forward, partial(run, images), partial(run, decoded(images, pictures.__getitem__))


class _Decoded(Derived):
    """Pictures that are in memory: what is left is the overhead of the embedding loop."""

    def image(self, index: int) -> Image.Image:
        return self.make(index)

    def prepare(self, report: Report) -> None:
        pass


def decoded(images: ImageSet, make: Callable[[int], Image.Image]) -> ImageSet:
    """The same set with pictures by ``make`` from their index, which reads no file."""
    return _Decoded(
        parent=images,
        rows=np.arange(len(images.labels)),
        conditions=["decoded"] * len(images.labels),
        make=make,
        id=images.id,
        image_ids=images.image_ids,
        fingerprint=images.fingerprint + "-decoded",
        note=images.note,
    )


def _decode_all(photos: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from core.datasets.io.picture import safe_open
    from core.runtime.machine import cores

    with ThreadPoolExecutor(cores()) as pool:
        list(pool.map(safe_open, sorted(photos.glob("*/*.jpg"))))


def _against_clip_benchmark(encoder: Encoder, photos: Path, ours: Callable[[], None]) -> Row:
    """The same files through CLIP_benchmark's own zero-shot loop (its data loader, its autocast, its classifier)."""
    name, against = "cold_embedding_vs_clip_benchmark", "CLIP_benchmark's run_classification on the same files"
    try:
        from clip_benchmark.metrics.zeroshot_classification import run_classification
    except ImportError:
        reason = "clip_benchmark is not installed: pip install clip-benchmark scikit-learn"
        return Row(name, None, ">=", 1.0, against, 0, reason)
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder

    from core.runtime.machine import cores

    transform = image_transform_v2(PreprocessCfg(**encoder.fingerprint["preprocessing"]), is_train=False)
    loader = DataLoader(ImageFolder(str(photos), transform), batch_size=BATCH, num_workers=cores())
    classifier = torch.nn.functional.normalize(torch.randn(encoder.dim, 10), dim=0)
    model, device = deepcopy(encoder._model).float(), encoder.device.type
    half = encoder.precision != "float32"  # its own way to half precision is autocast over float32 weights

    def theirs() -> None:
        run_classification(model, classifier.to(device), loader, device, amp=half)

    ratio = seconds(theirs, repeat=2)
    return Row(name, ratio / seconds(ours, repeat=2), ">=", 1.0, against, _PHOTOS)


def texts() -> list[Row]:
    """The sentences of 290 concepts x 80 templates, a sample of them, against encoding them at full context."""
    import torch

    from core.icons.concepts import concepts
    from core.prompts import ensemble_templates, fill

    names = [concept.name for concept in concepts()[:290]]
    sentences = [fill(template, name) for name in names for template in ensemble_templates()]
    sample = [sentences[i] for i in np.random.default_rng(0).choice(len(sentences), 512, replace=False)]
    with random_encoder() as encoder:
        tokens = encoder._tokenizer(sample)

        @torch.no_grad()
        def full() -> None:
            for start in range(0, len(tokens), BATCH):
                encoder._model.encode_text(tokens[start : start + BATCH].to(encoder.device), normalize=True)

        ratio = 1 / paired(lambda: encoder.encode_texts(sample), full)
        on = f"the same {len(sample)} of 290 x 80 sentences at 77 tokens, {ARCHITECTURE}, {encoder.precision}"
    return [Row("text_classifier", ratio, ">=", 6.0, on, len(sample))]
