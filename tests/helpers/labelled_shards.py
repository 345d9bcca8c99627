"""Shards and tables with labels of every type."""

from __future__ import annotations

from core.types import ImageSet
from tests.pictures import encoded

PNG = encoded()


def said(image_set: ImageSet) -> list[str]:
    return [image_set.keys[label] for label in image_set.labels]
