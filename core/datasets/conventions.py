"""Names that image sets on disk use everywhere: of splits, and of picture files."""

from __future__ import annotations

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
SPLITS = ("test", "val", "validation", "valid", "train", "training")
"""Names of splits in the order in which they are preferred."""
