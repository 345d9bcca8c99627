"""How the commands end that measure records: JSON, or a file and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from core.cli.output import echo_json, echo_notes, echo_table
from core.datasets.coverage import Coverage
from core.robustness.records import Record, write_records

MOST = 20
"""Skipped images that a record names."""


def accuracy(row: Record, digits: int = 3) -> tuple[str, str]:
    """Accuracy and its interval as cells of a table."""
    return f"{row.acc1:.{digits}f}", f"{row.low:.{digits}f}-{row.high:.{digits}f}"


def number(row: Record, name: str, form: str = ".3f") -> str:
    """A further figure of a record as a cell, empty where it is not known."""
    value = row.more.get(name)
    return "" if value is None or value != value else f"{value:{form}}"


def echo_records(
    rows: Iterable[Record],
    out: Path | None,
    header: Sequence[str],
    cells: Callable[[Record], Sequence[object]],
    *,
    shown: Callable[[Record], bool] = lambda _: True,
    covered: Coverage | None = None,
) -> list[Record]:
    """Print records as JSON, or write them to ``out`` and print a table; notes on prompts go to standard error.

    Args:
        shown: which records have a place in the table.
        covered: what was detected in the image set, which every record then carries.

    Returns:
        The records; none where JSON was printed.
    """
    facts = covered.as_json(most=MOST) if covered else {}
    rows = [replace(row, more={**row.more, **facts}) for row in rows]
    notes = dict.fromkeys((row.model, row.prompts, note) for row in rows for note in row.more.get("prompt_notes", ()))
    for model, prompts, note in notes:
        echo_notes([note], of=f"{model}, {prompts}")
    if out is None:
        echo_json([row.as_json() for row in rows])
        return []
    write_records(rows, out)
    echo_table(header, [cells(row) for row in rows if shown(row)])
    return rows
