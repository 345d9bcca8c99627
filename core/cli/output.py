"""How commands talk: JSON or a small table on standard output, progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from tqdm import tqdm

from core.strict_json import strict_json
from core.types import Progress, Report

if TYPE_CHECKING:
    from core.robustness.records import Record


def echo_json(value: object) -> None:
    """Print strict JSON."""
    typer.echo(strict_json(value))


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header, columns as wide as their widest cell."""
    table = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *table, strict=True)]
    for row in ([*header], *table):
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A report that draws a progress bar on a terminal and is silent elsewhere."""
    bar = tqdm(disable=not sys.stderr.isatty(), leave=False)

    def report(progress: Progress) -> None:
        if progress.total and bar.total != progress.total:
            bar.reset(total=progress.total)
        bar.set_description_str(progress.message)
        bar.n = progress.done
        bar.refresh()

    try:
        yield report
    finally:
        bar.close()


def echo_notes(notes: Iterable[str], *, of: str = "") -> None:
    """Print what a person should know of the prompts on standard error, which JSON on standard output leaves free."""
    for note in notes:
        typer.echo(f"prompts{f' of {of}' if of else ''}: {note}", err=True)


def echo_records_notes(rows: Iterable[Record]) -> None:
    """``echo_notes`` of every model and strategy among records, each note once."""
    told = dict.fromkeys((row.model, row.prompts, note) for row in rows for note in row.more.get("prompt_notes", ()))
    for model, prompts, note in told:
        echo_notes([note], of=f"{model}, {prompts}")


def megabytes(size: int | None) -> str:
    """A size in MB as people read it, or ``?``."""
    return "?" if size is None else f"{size / 1e6:,.1f} MB"
