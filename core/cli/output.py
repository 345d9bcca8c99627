"""How commands talk: JSON or a small table on standard output, progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager

import typer
from tqdm import tqdm

from core.evaluation.reports import strict_json
from core.types import Progress


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
def progress_bar() -> Iterable[Callable[[Progress], None]]:
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


def megabytes(size: int | None) -> str:
    """A size in MB as people read it, or ``?``."""
    return "?" if size is None else f"{size / 1e6:,.1f} MB"
