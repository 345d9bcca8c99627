"""How commands talk: JSON or a small table on standard output, progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from core.runtime.estimates import Estimate
from core.strict_json import strict_json
from core.types import Progress, Report


def echo_json(value: object) -> None:
    """Print strict JSON."""
    typer.echo(strict_json(value))


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header: fitted to a terminal, elsewhere plain lines of any length; no number is a dash."""
    table = Table(*header, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for row in rows:
        table.add_row(*(Text(text if (text := str(cell)) != "nan" else "–") for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 100_000)
    with console.capture() as drawn:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()))


@contextmanager
def progress_bar() -> Iterator[Report]:
    """A report that draws a progress bar on a terminal and is silent elsewhere."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # What is printed meanwhile goes where it would go without a bar, which may be a file.
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=None)

        def report(progress: Progress) -> None:
            bar.update(task, description=progress.message, completed=progress.done, total=progress.total or None)

        yield report


def echo_notes(notes: Iterable[str], *, of: str = "") -> None:
    """Print what a person should know of the prompts on standard error, which JSON on standard output leaves free."""
    for note in notes:
        typer.echo(f"prompts{f' of {of}' if of else ''}: {note}", err=True)


def echo_time(expected: Estimate | None, *, look: int = 0, advice: str = "") -> None:
    """Print on standard error how long the work that begins will take here, where that is worth a word.

    Args:
        look: so many pictures first give a look; advice: how.
    """
    if expected and (told := expected.words(look=look)):
        typer.echo(f"{told}{advice}", err=True)


def fields(things: Iterable[object], *names: str) -> list[dict[str, object]]:
    """These fields of every thing, as JSON objects."""
    return [{name: getattr(thing, name) for name in names} for thing in things]


def megabytes(size: int | None) -> str:
    """A size in MB as people read it, or ``?``."""
    return "?" if size is None else f"{size / 1e6:,.1f} MB"
