"""The exact counts of the icon corpora, committed as CSV so that no one has to write 200,000 captions to read them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from core.icons.concepts import ASSETS
from core.icons.corpus import CORPORA, count
from core.types import METHODS

COUNTS = ASSETS / "counts"


def write_counts(folder: Path = COUNTS) -> None:
    """Count all icon corpora and write ``NAME.csv`` (concept, text, image, integrated) for each; takes a minute."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in CORPORA:
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("concept", *METHODS))
            rows.writerows((key, *counts) for key, counts in count(name).items())


@cache
def read_counts(name: str) -> dict[str, dict[str, int]]:
    """Concept key -> {"text", "image", "integrated"} of one corpus."""
    with (COUNTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["concept"]: {method: int(row[method]) for method in METHODS} for row in csv.DictReader(file)}
