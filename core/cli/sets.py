"""Opening an image set as a command's options say, and the line that says what was detected."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from core.cli.options import LabelColumn, PathColumn, Split
from core.cli.output import echo_time
from core.datasets.choices import Choices, with_choices
from core.datasets.coverage import Coverage
from core.runtime import estimates
from core.types import ImageSet, Lens, Report

T = TypeVar("T")


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


def reads_set(command: Callable[..., T]) -> Callable[..., T]:
    """A command with ``--label-column``, ``--path-column`` and ``--split``, which say how its set is read."""

    def reading(
        image_set: str,
        label_column: LabelColumn = None,
        path_column: PathColumn = None,
        split: Split = None,
        **others: Any,
    ) -> T:
        return command(image_set=read_as(image_set, label_column, path_column, split), **others)

    own = inspect.signature(command, eval_str=True)
    added = [*inspect.signature(reading, eval_str=True).parameters.values()][1:4]
    shown = own.replace(parameters=[*own.parameters.values(), *added])
    functools.update_wrapper(reading, command)
    reading.__annotations__ = {name: parameter.annotation for name, parameter in shown.parameters.items()}
    vars(reading)["__signature__"] = shown  # what Typer makes the options from
    return reading


def say_time(lens: Lens, image_set: ImageSet, report: Report, *, advice: str = "") -> None:
    """Print on standard error how long embedding what is missing takes here, where that is worth a word.

    Nothing is measured for a lens whose answer is there.

    Args:
        advice: how to get a first look, printed with the time that it takes.
    """
    from core.evaluation import looks
    from core.evaluation.evaluate import stored_answer

    if stored_answer(lens, image_set=image_set) is not None:
        return
    expected = looks.estimate(lens, image_set=image_set, report=report)
    echo_time(expected, look=estimates.LOOK if advice else 0, advice=advice)


def say(covered: Coverage) -> None:
    """Print on standard error what was detected and how much of it was used."""
    typer.echo(f"{covered.id}: {covered.line}", err=True)
