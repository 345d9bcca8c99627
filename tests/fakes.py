"""An encoder and an image set small enough to reason about: vectors are made from colours and words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.plain import Plain
from core.types import LeftOut


def _unit(seed: str, dim: int) -> np.ndarray:
    digest = hashlib.sha256(seed.encode()).digest()
    vector = np.random.default_rng(list(digest[:8])).normal(size=dim)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class FakeEncoder:
    """Encodes a text to a random unit vector of its last word, a picture to that of its first pixel's colour index."""

    id = "fake,fake"
    dim = 16
    scale = 100.0
    bias = 0.0
    sigmoid = False
    context_length = 77
    precision = "float32"

    def __init__(self) -> None:
        self.images_encoded = 0
        self.texts_encoded = 0
        self.fingerprint: dict[str, Any] = {"arch": "fake", "weights": "0" * 64}

    def preprocess(self, picture: Image.Image) -> np.ndarray:
        return np.asarray(picture.resize((1, 1)), np.uint8)[0, 0]

    def encode_images(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        self.images_encoded += len(batch)
        return np.stack([_unit(f"word{int(pixel[0])}", self.dim) for pixel in batch])

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.texts_encoded += len(texts)
        return np.stack([_unit(text.rstrip(".").split()[-1], self.dim) for text in texts])

    def token_counts(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 2 for text in texts]

    def as_read(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        words = [text.split()[: self.context_length - 2] for text in texts]
        return [tuple(int.from_bytes(word.encode(), "big") for word in listed) for listed in words]

    def close(self) -> None:
        pass


class FakeImageSet(Plain):
    """``n`` flat pictures of ``classes`` classes; class i is named ``wordi`` and painted with red value i."""

    kind = "folders"
    has_images = True
    note = "made for a test"
    templates: Sequence[str] = ("a {c}",)
    left_out: Sequence[LeftOut] = ()
    reference = ""
    captions: Sequence[tuple[int, str]] = ()
    vectors: np.ndarray | None = None

    def __init__(self, *, classes: int = 6, n: int = 30, broken: Sequence[int] = ()) -> None:
        self.id = f"fake-{classes}-{n}"
        self.keys = [f"key{i}" for i in range(classes)]
        self.names = [f"word{i}" for i in range(classes)]
        self.labels = np.arange(n, dtype=np.int64) % classes
        self.image_ids = [f"{self.keys[label]}/{i}" for i, label in enumerate(self.labels)]
        self.fingerprint = hashlib.sha256(self.id.encode()).hexdigest()[:32]
        self.broken = set(broken)

    def image(self, index: int) -> Image.Image:
        if index in self.broken:
            from core.errors import UnreadableData

            raise UnreadableData(f"{self.image_ids[index]} is cut short; it was left out.")
        return Image.new("RGB", (8, 8), (int(self.labels[index]), 0, 0))

    def preview(self, index: int, longest: int) -> Image.Image:
        return self.image(index)

    def prepare(self, report: Callable[[Any], None]) -> None:
        pass

    def details(self, index: int) -> Mapping[str, Any]:
        return {}
