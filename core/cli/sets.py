"""Options of every command that opens an image set, and the line that says what was detected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from core.datasets.choices import Choices, with_choices
from core.datasets.coverage import Coverage

if TYPE_CHECKING:
    from core.robustness.records import Record

LabelColumn = Annotated[
    str | None,
    typer.Option("--label-column", metavar="NAME", help="Column with classes; folder = the folder of the picture."),
]
PathColumn = Annotated[
    str | None, typer.Option("--path-column", metavar="NAME", help="Column with the paths of pictures.")
]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Split to read; default: test, val, train.")]

_MOST = 20


def read_as(
    image_set: str, label_column: str | None, path_column: str | None, split: str | None, *, names: str = "shown"
) -> str:
    """The id of a set that is read in the way these options say (``SET#split=val``)."""
    choices = Choices(
        label_column=label_column or "",
        path_column=path_column or "",
        split=split or "",
        names=names if names == "released" else "",
    )
    return with_choices(image_set, choices)


def say(covered: Coverage) -> None:
    """Print on standard error what was detected and how much of it was used."""
    typer.echo(f"{covered.id}: {covered.line}", err=True)


def noted(records: Iterable[Record], covered: Coverage) -> list[Record]:
    """Records that carry what was detected, with the first few of what was skipped."""
    facts = covered.as_json(most=_MOST)
    return [replace(one, more={**one.more, **facts}) for one in records]
