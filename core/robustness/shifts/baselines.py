"""Tables of baseline models: the accuracies that the line of ordinary models is fitted to."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.datasets.io.picture import read_text
from core.errors import BadInput, UnknownName, UnreadableData
from core.paths import ASSETS
from core.robustness.shifts.fit import Fit, fit_line
from core.text.lines import Rows
from core.uploads import MOST_BYTES

ICONS = ASSETS / "robustness" / "icon_baselines.csv"
TESTBED_TYPES = ASSETS / "robustness" / "testbed_types.csv"
"""Model -> type of imagenet-testbed's 228 typed models: facts of ``plotting/model_types.py`` at commit 0170eec of
https://github.com/modestyachts/imagenet-testbed (MIT)."""
STANDARD = "standard"
MOST_ROWS, MOST_COLUMNS = 20_000, 2_000
_MODEL = ("model", "name", "model_name")
_TYPE = ("type", "model_type", "kind")
_IMAGENET = "val"
# The testbed fits no line to networks trained on parts of ImageNet or re-trained for its corruption study.
_SUBSAMPLED = re.compile(r"subsample|aws|batch64")
_MATCHED = {
    "imagenet-a": "val-on-imagenet-a-classes",
    "imagenet-r": "val-on-imagenet-r-classes",
    "objectnet-1.0-beta": "val-on-objectnet-classes",
    "imagenet-vid-robust": "val-on-vid-robust-classes",
    "ytbb-robust": "val-on-ytbb-robust-classes",
}
_KNOWN_AS = {
    "imagenetv2": "imagenetv2-matched-frequency-format-val",
    "imagenet_v2": "imagenetv2-matched-frequency-format-val",
    "imagenetv2-matched-frequency": "imagenetv2-matched-frequency-format-val",
    "imagenet_sketch": "imagenet-sketch",
    "sketch": "imagenet-sketch",
    "objectnet": "objectnet-1.0-beta",
    "objectnet-1.0": "objectnet-1.0-beta",
    "stylized-imagenet": "stylized_imagenet",
}


@dataclass(frozen=True)
class Baselines:
    """Accuracies of baseline models.

    Attributes:
        name: what the table is called; models: names [n]; types: kind of each model, empty where unknown [n].
        columns: setting -> accuracies as fractions, NaN where not measured [n].
        note: how the table was read.
        filters: column -> the model whose mistakes chose its pictures; it is 0 % right there by construction and no
            line goes through it.
        ordinary: ids under which a model of the table can itself be asked; it has no distance from its own line.
    """

    name: str
    models: tuple[str, ...]
    types: tuple[str, ...]
    columns: Mapping[str, tuple[float, ...]]
    note: str
    filters: Mapping[str, str] = field(default_factory=dict)
    ordinary: frozenset[str] = frozenset()


@dataclass(frozen=True)
class FitSet:
    """The models that one line is fitted to, and the line.

    Attributes:
        x, y: names of the columns; models: names [n]; xs, ys: their accuracies as fractions [n].
        note: which rows were taken, in one sentence.
        ordinary: as in ``Baselines``.
    """

    x: str
    y: str
    models: tuple[str, ...]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    fit: Fit
    note: str
    ordinary: frozenset[str] = frozenset()


def read_baselines(source: str | Path | bytes, *, name: str = "", types: Mapping[str, str] | None = None) -> Baselines:
    """Read a table in the layout of imagenet-testbed's ``robustness_top1s.csv``.

    One row a model: its name, then one column a setting in percent, empty where it was not measured. A table without
    any number above 1 holds fractions, which the note says. A ``type`` column or ``types`` (model -> type) says which
    models are ordinary ones (``standard``); for the testbed's own table without either the types that ship are used.

    Args:
        source: a path, or the bytes of the file.

    Raises:
        UnreadableData: it is no such table, or one of unreasonable size.
    """
    name = name or (Path(source).name if not isinstance(source, bytes) else "the table")
    text = _decoded(source, name)
    try:
        rows = [
            row for row, _ in zip(Rows(text, name=name), range(MOST_ROWS + 2), strict=False) if "".join(row).strip()
        ]
    except csv.Error as error:
        raise UnreadableData(f"{name} is not a CSV table ({error}).") from error
    if len(rows) < 2 or len(rows) > MOST_ROWS + 1 or len(rows[0]) > MOST_COLUMNS:
        raise UnreadableData(
            f"{name} needs a header and 1 to {MOST_ROWS:,} rows of at most {MOST_COLUMNS:,} columns, one row a model."
        )
    header = [cell.strip() for cell in rows[0]]
    if len(set(header)) < len(header):
        raise UnreadableData(f"{name} has two columns of one name; rename one of them.")
    lower = [cell.lower() for cell in header]
    where = next((lower.index(word) for word in _MODEL if word in lower), None)
    if where is None:
        raise UnreadableData(f"{name} has no column “model” (its first columns: {', '.join(header[:6])[:200]}).")
    kind = next((lower.index(word) for word in _TYPE if word in lower), None)
    models = tuple(row[where].strip() if where < len(row) else "" for row in rows[1:])
    if not all(models) or len(set(models)) < len(models):
        raise UnreadableData(f"{name} has a row without a model name, or two rows of one model.")
    numbers = {
        title: _numbers(name, title, [row[at] if at < len(row) else "" for row in rows[1:]])
        for at, title in enumerate(header)
        if title and at not in (where, kind)
    }
    if not numbers:
        raise UnreadableData(f"{name} has no column of accuracies beside the models' names.")
    unit = _unit(name, numbers)
    columns = {title: tuple(value / unit for value in values) for title, values in numbers.items()}
    given = {model: row[kind].strip() for model, row in zip(models, rows[1:], strict=True) if kind and kind < len(row)}
    said = {**given, **(types or {})} or _testbed_types(models)
    listed = tuple(said.get(model, "") for model in models)
    whose = "" if given or types else " in imagenet-testbed's list"
    typed = f", {sum(map(bool, listed)):,} of them with a type{whose}" if any(listed) else ", no types"
    read = "read as fractions, since no number is above 1" if unit == 1 else "read as percentages"
    return Baselines(name, models, listed, columns, f"{len(models):,} models, {len(columns):,} settings{typed}; {read}")


def _decoded(source: str | Path | bytes, name: str) -> str:
    if not isinstance(source, bytes):
        return read_text(source, limit=MOST_BYTES)
    if len(source) > MOST_BYTES:
        raise UnreadableData(f"{name} is larger than {MOST_BYTES >> 20} MB.")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData(f"{name} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error


def _numbers(name: str, title: str, cells: Sequence[str]) -> tuple[float, ...]:
    """The numbers of a column as they stand, NaN where there is none."""
    values = []
    for cell in cells:
        try:
            value = float(cell.strip().removesuffix("%")) if cell.strip() else math.nan
        except ValueError:
            raise UnreadableData(
                f"{name}, column “{title[:60]}”: {cell[:40]!r} is no number; accuracies are percentages or fractions."
            ) from None
        if value < 0 or value > 100 or math.isinf(value):
            raise UnreadableData(f"{name}, column “{title[:60]}”: {cell[:40]!r} is no percentage between 0 and 100.")
        values.append(value)
    return tuple(values)


def _unit(name: str, numbers: Mapping[str, Sequence[float]]) -> int:
    """What the numbers are divided by to be fractions: 1, or 100 for percentages."""
    highest = {title: max((v for v in values if not math.isnan(v)), default=0.0) for title, values in numbers.items()}
    if max(highest.values()) <= 1:
        return 1
    for title, values in numbers.items():
        known = sorted(value for value in values if not math.isnan(value))
        # In percent, few models stay below 1 on a set; that most of them lie between 0.2 and 1 gives fractions away.
        if known and highest[title] <= 1 and known[len(known) // 2] >= 0.2:
            raise UnreadableData(
                f"{name}, column “{title[:60]}” holds fractions (up to {highest[title]:g}), another one percentages "
                f"(up to {max(highest.values()):g}); write all in one unit."
            )
    return 100


def icon_baselines() -> Baselines:
    """The committed baselines of the icon world."""
    if not ICONS.exists():
        raise UnknownName("The baselines of the icon world are not part of this copy; import a table of your own.")
    from core.datasets.formats.icon_recipes import SHIFTS, reference_of

    found = read_baselines(ICONS, name="icon baselines")
    about = ICONS.with_suffix(".json")
    if not about.exists():
        return found
    reference = json.loads(about.read_text(encoding="utf-8"))["reference"]
    filters = {id: reference["baseline"] for id in SHIFTS if reference_of(id)}
    return replace(found, filters=filters, ordinary=frozenset({reference["model"]}))


def read_types(source: bytes, *, name: str = "the list of types") -> dict[str, str]:
    """Model -> type from a CSV of two columns, for tables that do not say which models are ordinary."""
    rows = [row for row in Rows(_decoded(source, name), name=name) if len(row) >= 2]
    if not rows or len(rows) > MOST_ROWS:
        raise UnreadableData(f"{name} needs one model and its type a row, at most {MOST_ROWS:,} rows.")
    return {row[0].strip(): row[1].strip() for row in rows}


def _testbed_types(models: Sequence[str]) -> dict[str, str]:
    """The types that ship, for a table that is mostly the testbed's; empty for any other."""
    shipped = read_types(TESTBED_TYPES.read_bytes(), name=TESTBED_TYPES.name)
    return shipped if 2 * sum(model in shipped for model in models) > len(models) else {}


def columns_for(table: Baselines, condition: str) -> tuple[str, str] | None:
    """The columns (in distribution, under shift) of a table that belong to a condition; None when it has none.

    Args:
        condition: a set's id, path or address, with ``_pm0`` or ``_pm10`` at the end for frames.
    """
    frames = re.search(r"_pm[0-9]+\Z", condition)
    suffix = frames[0] if frames else ""
    base = condition.removesuffix(suffix)
    base = re.split(r"[/\\]", base.partition("#")[0].rstrip("/\\"))[-1].lower().removeprefix("wds_")
    found = None
    known = {title.lower(): title for title in table.columns}
    for candidate in (base, base.replace("_", "-"), _KNOWN_AS.get(base, "")):
        if candidate + suffix in known:
            found = candidate
            break
    if found is None:
        return None
    matched = (_MATCHED.get(found, ""), f"icons-on-{found}-classes", _IMAGENET, "icons")
    x = next((known[title] for title in matched if title in known), None)
    y = known[found + suffix]
    return (x, y) if x and x != y else None


def fit_set(table: Baselines, x: str, y: str, *, never: Collection[str] = ()) -> FitSet:
    """Choose the rows that the line is fitted to, and fit it.

    Ordinary models only where the table says which they are; otherwise all but those with ``clip`` in their name. Never
    a model under test.

    Raises:
        UnknownName: the table has no such column. BadInput: too few rows remain.
    """
    for column in (x, y):
        if column not in table.columns:
            raise UnknownName(f"{table.name} has no column “{column}”.")
    tested = {_plain(model) for model in never}
    typed = any(table.types)
    testbed = _IMAGENET in table.columns
    chosen = []
    for row, (model, kind) in enumerate(zip(table.models, table.types, strict=True)):
        ordinary = kind.lower().startswith(STANDARD) if typed else "clip" not in model.lower()
        if (testbed and _SUBSAMPLED.search(model)) or table.filters.get(y) == model:
            ordinary = False
        measured = not (math.isnan(table.columns[x][row]) or math.isnan(table.columns[y][row]))
        if ordinary and measured and _plain(model) not in tested:
            chosen.append(row)
    xs, ys = (tuple(table.columns[name][row] for row in chosen) for name in (x, y))
    try:
        found = fit_line(xs, ys)
    except BadInput as error:
        raise BadInput(f"{table.name}, {y} against {x}: {error}") from error
    how = "those typed standard" if typed else "those without “clip” in their name, since it gives no types"
    return FitSet(
        x, y, tuple(table.models[row] for row in chosen), xs, ys, found,
        f"{len(chosen):,} of {len(table.models):,} models of {table.name}: {how}, no model under test",
        table.ordinary,
    )  # fmt: skip


def _plain(model: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", model.lower())
