"""The exact counts of the icon corpora, committed as CSV so that no one has to write 200,000 captions to read them."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from cache import keys
from core.frequency.table import METHODS, Records, SourceInfo
from core.icons.concepts import ASSETS, concepts
from core.icons.corpus import CORPORA, count
from core.types import FrequencyTable

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
def _read(name: str) -> dict[str, dict[str, int]]:
    with (COUNTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row["concept"]: {method: int(row[method]) for method in METHODS} for row in csv.DictReader(file)}


@cache
def _digest(name: str) -> str:
    return keys.digest([name, _read(name)])


def _origin(name: str) -> str:
    return f"Exact counts over the {CORPORA[name].pairs:,} captioned icons of {name}, on which the icon models trained."


def infos() -> list[SourceInfo]:
    """The icon corpora, in the order in which they are defined."""
    return [SourceInfo(name, _origin(name), METHODS, len(_read(name)), digest=_digest(name)) for name in CORPORA]


def table(name: str, method: str) -> FrequencyTable:
    """Counts of one corpus: captions naming the concept, icons drawn, or samples with both."""
    counts = {key: record[method] for key, record in _read(name).items()}
    queries = {concept.key: concept.name for concept in concepts() if concept.name != concept.key}
    return FrequencyTable(name, _origin(name), method, counts, queries)


def records(name: str) -> Records:
    """All concepts of one corpus with their text, image and integrated counts."""
    return {key: dict(record) for key, record in _read(name).items()}


def families(name: str) -> dict[str, str]:
    """Concept key -> family word; the same for every corpus."""
    return {concept.key: concept.family for concept in concepts()}
