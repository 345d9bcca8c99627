"""One's own accuracy per class: from a run of Tailscope, the release's schema, CLIP_benchmark's, or rows of images."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import UnreadableData
from core.published import reading
from core.types import Answer

TRUE_COLUMNS = ("label", "true", "target", "class")
SAID_COLUMNS = ("said", "prediction", "predicted", "pred")
RIGHT_COLUMNS = ("correct", "right")
MAX_CSV_ROWS = 5_000_000


@dataclass(frozen=True)
class Run:
    """Accuracy per class of one model.

    Attributes:
        name: what to call it; values: class name -> accuracy in percent; note: what was read.
    """

    name: str
    values: Mapping[str, float]
    note: str


def from_answer(answer: Answer) -> Run:
    """A run of Tailscope, by the readable names of its classes that have images."""
    values = {score.name: 100 * score.accuracy for score in answer.classes if score.n}
    return Run(
        answer.lens.model, values, f"{len(values)} classes of {answer.lens.image_set}, {answer.lens.prompts} prompts"
    )


def read(content: bytes, filename: str) -> list[Run]:
    """Runs in an uploaded file: JSON in the release's or CLIP_benchmark's schema, or a CSV with one row an image.

    Raises:
        UnreadableData: it is none of these; the message says what was looked for.
    """
    if filename.lower().endswith(".csv"):
        return [_from_csv(content, filename)]
    try:
        value = reading.parse_json(content)
        entries = value if isinstance(value, list) else [value]
        runs = [run for entry in entries for run in _from_json(entry, filename)]
    except reading.Refused as reason:
        raise UnreadableData(f"{filename} cannot be used: {reason}.") from reason
    if not runs:
        raise UnreadableData(f"{filename} holds no results.")
    return runs


def _from_json(entry: Any, filename: str) -> list[Run]:
    if not isinstance(entry, dict):
        raise reading.Refused("it is no object of results")
    if "metrics" in entry or "task" in entry:
        return [_from_clip_benchmark(entry, filename)]
    runs = []
    for model, part in entry.items():
        table = part.get("classwise") if isinstance(part, dict) else None
        if not isinstance(table, dict):
            raise reading.Refused(
                f"{reading.shown(model)} has no «classwise» table, and there are no CLIP_benchmark «metrics» either"
            )
        values = {name: _accuracy(value, name, 100) for name, value in table.items()}
        runs.append(Run(model, values, f"{len(values)} classes, percent, in the release's schema"))
    return runs


def _from_clip_benchmark(entry: dict[str, Any], filename: str) -> Run:
    table = entry.get("classwise")
    if not isinstance(table, dict) or not table:
        raise reading.Refused(
            "it has no «classwise» table (CLIP_benchmark alone does not write one; «python -m core evaluate» does)"
        )
    values = {}
    for key, cell in table.items():
        record = cell if isinstance(cell, dict) else {"accuracy": cell}
        if record.get("accuracy") is not None:
            values[str(record.get("name") or key)] = 100 * _accuracy(record["accuracy"], key, 1)
    name = ",".join(str(entry[part]) for part in ("model", "pretrained") if entry.get(part)) or filename
    return Run(name, values, f"{len(values)} classes, fractions, in CLIP_benchmark's schema")


def _accuracy(value: Any, name: str, upper: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= upper:
        raise reading.Refused(f"the accuracy of {reading.shown(name)} is no number from 0 to {upper:g}")
    return float(value)


def _from_csv(content: bytes, filename: str) -> Run:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        header = {name.strip().lower(): name for name in rows.fieldnames or []}
        true = _column(header, TRUE_COLUMNS)
        right, said = _column(header, RIGHT_COLUMNS), _column(header, SAID_COLUMNS)
        if true is None or (right is None and said is None):
            raise UnreadableData(
                f"{filename} needs one row an image with a column for the true class ({', '.join(TRUE_COLUMNS)}) and "
                f"one for the answer ({', '.join(SAID_COLUMNS)}) or for whether it was right "
                f"({', '.join(RIGHT_COLUMNS)})."
            )
        return _tally(rows, true, right, said, filename)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableData(f"{filename} is not a CSV file that can be read: {error}.") from error


def _tally(rows: Iterable[dict[str, str]], true: str, right: str | None, said: str | None, filename: str) -> Run:
    images: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for number, row in enumerate(rows):
        if number >= MAX_CSV_ROWS:
            raise UnreadableData(f"{filename} has more than {MAX_CSV_ROWS:,} rows.")
        name = row[true] or ""
        if right is not None:
            answer = (row[right] or "").strip().lower()
            if answer not in ("0", "1", "true", "false", "yes", "no"):
                raise UnreadableData(
                    f"{filename}, row {number + 2}: «{answer[:20]}» is neither right nor wrong (use 1 and 0)."
                )
            hit = answer in ("1", "true", "yes")
        else:
            hit = row[said] == name
        images[name][0] += hit
        images[name][1] += 1
    values = {name: 100 * hits / n for name, (hits, n) in images.items() if name}
    if not values:
        raise UnreadableData(f"{filename} has no rows with a class.")
    total = sum(n for _, n in images.values())
    return Run(filename.removesuffix(".csv"), values, f"{len(values)} classes from {total:,} rows")


def _column(header: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((header[name] for name in names if name in header), None)
