"""The exact counts of the icon corpora, committed as CSV so that no one has to write 200,000 captions to read them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from cache.files import write_bytes
from core.icons.concepts import ASSETS
from core.icons.corpus import CORPORA, count
from core.text.tables import csv_text
from core.types import METHODS

COUNTS = ASSETS / "counts"


def write_counts(folder: Path = COUNTS) -> None:
    """Count all icon corpora and write ``NAME.csv`` (concept, text, image, integrated) for each; takes a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CORPORA:
        rows = ((key, *counts) for key, counts in count(name).items())
        write_bytes(folder / f"{name}.csv", csv_text(("concept", *METHODS), rows).encode())


@cache
def read_counts(name: str) -> dict[str, dict[str, int]]:
    """Concept key -> {"text", "image", "integrated"} of one corpus."""
    with (COUNTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["concept"]: {method: int(row[method]) for method in METHODS} for row in csv.DictReader(file)}
