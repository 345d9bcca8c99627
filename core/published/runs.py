"""One's own accuracy per class: from a run of Tailscope, the release's schema, CLIP_benchmark's, or rows of images."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core import uploads
from core.errors import UnreadableData
from core.published import reading
from core.types import Answer

TRUE_COLUMNS = ("label", "true", "target", "class")
PREDICTED_COLUMNS = ("said", "prediction", "predicted", "pred")
RIGHT_COLUMNS = ("correct", "right")
CLASS_COLUMNS = ("class", "classname", "class_name", "concept", "name", "key")
ACCURACY_COLUMNS = ("accuracy", "acc", "acc1", "recall")
N_COLUMNS = ("n", "images", "count", "support")
MAX_CSV_ROWS = 5_000_000


@dataclass(frozen=True)
class Run:
    """Accuracy per class of one model.

    Attributes:
        name: what to call it; values: class name -> accuracy in percent; note: what was read.
        n: class name -> images, where the file tells it; acc1: accuracy over all images, a fraction, None if unknown.
        keys: class name -> its key in the file, where that is another.
        model, image_set, prompts: what the file says that it is of, empty where it does not.
    """

    name: str
    values: Mapping[str, float]
    note: str
    n: Mapping[str, int] = field(default_factory=dict)
    acc1: float | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    image_set: str = ""
    prompts: str = ""


def from_answer(answer: Answer) -> Run:
    """A run of Tailscope, by the readable names of its classes that have images."""
    values = {score.name: 100 * score.accuracy for score in answer.classes if score.n}
    return Run(
        answer.lens.model, values, f"{len(values):,} classes of {answer.lens.image_set}, {answer.lens.prompts} prompts"
    )


def read(content: bytes, filename: str) -> list[Run]:
    """Runs in an uploaded file: JSON in the release's or CLIP_benchmark's schema, or a CSV, a row a class or an image.

    Raises:
        UnreadableData: it is none of these; the message says what was looked for.
    """
    if filename.lower().endswith(".csv"):
        return [_from_csv(content, filename)]
    try:
        value = reading.parse_json(content, limit=uploads.MOST_BYTES)
        entries = value if isinstance(value, list) else [value]
        runs = [run for entry in entries for run in _from_json(entry, filename)]
    except reading.Refused as reason:
        raise UnreadableData(f"{filename} cannot be used: {reason}.") from reason
    if not runs:
        raise UnreadableData(f"{filename} holds no results.")
    return runs


def _from_json(entry: object, filename: str) -> list[Run]:
    if not isinstance(entry, dict):
        raise reading.Refused("it is no object of results")
    if "metrics" in entry or "task" in entry:
        return [_from_clip_benchmark(entry, filename)]
    runs = []
    for model, part in entry.items():
        table = part.get("classwise") if isinstance(part, dict) else None
        if not isinstance(table, dict):
            raise reading.Refused(
                f"{reading.shown(model)} has no “classwise” table, and there are no CLIP_benchmark “metrics” either"
            )
        values = {name: _accuracy(value, name, 100) for name, value in table.items()}
        runs.append(Run(model, values, f"{len(values):,} classes, percent, in the release's schema"))
    return runs


def _from_clip_benchmark(entry: dict[str, Any], filename: str) -> Run:
    table = entry.get("classwise")
    if not isinstance(table, dict) or not table:
        raise reading.Refused(
            "it has no “classwise” table (CLIP_benchmark alone does not write one; “python -m core evaluate” does)"
        )
    values, n, keys = {}, {}, {}
    for key, cell in table.items():
        record = cell if isinstance(cell, dict) else {"accuracy": cell}
        if record.get("accuracy") is not None:
            name = str(record.get("name") or key)
            if name in values:  # two classes of one name are told apart by their keys
                name = str(key)
            values[name], keys[name] = 100 * _accuracy(record["accuracy"], key, 1), str(key)
            if type(record.get("n")) is int and record["n"] > 0:
                n[name] = record["n"]
    if not values:
        raise reading.Refused("no class of it has an accuracy")
    name = ",".join(str(entry[part]) for part in ("model", "pretrained") if entry.get(part))
    metrics = entry.get("metrics")
    acc1 = metrics.get("acc1") if isinstance(metrics, dict) else None
    return Run(
        name or filename, values, f"{len(values):,} classes, fractions, in CLIP_benchmark's schema", n=n,
        acc1=None if acc1 is None else _accuracy(acc1, "acc1", 1), keys=keys, model=name,
        image_set=str(entry.get("dataset") or ""), prompts=str(entry.get("prompts") or ""),
    )  # fmt: skip


def _accuracy(value: Any, name: str, upper: float) -> float:
    if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= upper:
        raise reading.Refused(f"the accuracy of {reading.shown(name)} is no number from 0 to {upper:g}")
    return float(value)


def _from_csv(content: bytes, filename: str) -> Run:
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        header = {name.strip().lower(): name for name in rows.fieldnames or []}
        accuracy, of = _column(header, ACCURACY_COLUMNS), _column(header, CLASS_COLUMNS)
        if accuracy is not None and of is not None:
            return _per_class(rows, of, accuracy, _column(header, N_COLUMNS), filename)
        true = _column(header, TRUE_COLUMNS)
        right, predicted = _column(header, RIGHT_COLUMNS), _column(header, PREDICTED_COLUMNS)
        if true is None or (right is None and predicted is None):
            raise UnreadableData(
                f"{filename} needs one row an image with a column for the true class ({', '.join(TRUE_COLUMNS)}) and "
                f"one for the answer ({', '.join(PREDICTED_COLUMNS)}) or for whether it is correct "
                f"({', '.join(RIGHT_COLUMNS)}), or one row a class with its accuracy ({', '.join(ACCURACY_COLUMNS)})."
            )
        return _tally(rows, true, right, predicted, filename)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableData(f"{filename} is not a CSV file that can be read: {error}.") from error


def _per_class(rows: Iterable[dict[str, str]], of: str, accuracy: str, images: str | None, filename: str) -> Run:
    """One row a class; accuracies above 1 make the whole column percent."""
    found: dict[str, float] = {}
    n: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        name, cell = (row[of] or "").strip(), (row[accuracy] or "").strip()
        if number > MAX_CSV_ROWS:
            raise UnreadableData(f"{filename} has more than {MAX_CSV_ROWS:,} rows.")
        if not name or name in found:
            why = f"names {reading.shown(name)} a second time" if name else "has no class"
            raise UnreadableData(f"{filename}, row {number} {why}.")
        found[name] = _fraction_or_percent(cell, f"{filename}, row {number}")
        if images is not None and (text := (row[images] or "").strip()):
            if not text.isdecimal() or not 0 < int(text) <= reading.MAX_COUNT:
                raise UnreadableData(f"{filename}, row {number}: {reading.shown(text)} is no number of images.")
            n[name] = int(text)
    if not found:
        raise UnreadableData(f"{filename} has no rows with a class.")
    percent = max(found.values()) > 1
    values = {name: value if percent else 100 * value for name, value in found.items()}
    known = len(n) == len(values)
    acc1 = sum(values[name] * n[name] for name in values) / sum(n.values()) / 100 if known else None
    unit = "percent" if percent else "fractions"
    note = f"{len(values):,} classes, {unit}, one row a class"
    return Run(filename.removesuffix(".csv"), values, note, n=n, acc1=acc1)


def _fraction_or_percent(text: str, where: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise UnreadableData(f"{where}: the accuracy {reading.shown(text)} is no number from 0 to 1 (or 100).")
    return value


def _tally(rows: Iterable[dict[str, str]], true: str, right: str | None, predicted: str | None, filename: str) -> Run:
    images: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for number, row in enumerate(rows):
        if number >= MAX_CSV_ROWS:
            raise UnreadableData(f"{filename} has more than {MAX_CSV_ROWS:,} rows.")
        name = row[true] or ""
        if right is not None:
            answer = (row[right] or "").strip().lower()
            if answer not in ("0", "1", "true", "false", "yes", "no"):
                raise UnreadableData(
                    f"{filename}, row {number + 2}: “{answer[:20]}” is neither correct nor wrong (use 1 and 0)."
                )
            hit = answer in ("1", "true", "yes")
        else:
            hit = predicted is not None and row[predicted] == name
        images[name][0] += hit
        images[name][1] += 1
    values = {name: 100 * hits / n for name, (hits, n) in images.items() if name}
    if not values:
        raise UnreadableData(f"{filename} has no rows with a class.")
    told = {name: n for name, (_, n) in images.items() if name}
    total, hits = sum(told.values()), sum(hits for name, (hits, _) in images.items() if name)
    note = f"{len(values):,} classes from {total:,} rows, one row an image"
    return Run(filename.removesuffix(".csv"), values, note, n=told, acc1=hits / total)


def _column(header: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((header[name] for name in names if name in header), None)
