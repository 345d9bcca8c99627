"""``board``: your own rows of the Let It Wag! board, beside the 40 published models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import AsJson, Model, Precision, Set, Strategy
from core.cli.output import echo_json, echo_table, progress_bar
from core.stats.format import percent

app = typer.Typer(help="Your own rows of the Let It Wag! board.", no_args_is_help=True)


@app.command("add")
def add(
    model: Model,
    image_set: Set = "letitwag",
    prompts: Strategy = "ensemble",
    names: Annotated[
        str, typer.Option(help="shown (spaces) or released (underscores, as the published runs).")
    ] = "shown",
    precision: Precision = "auto",
) -> None:
    """Run a model on the images of Let It Wag! (cached vectors are reused) and put the result on the board."""
    from core.cli.sets import read_as, say
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation.evaluate import evaluate
    from core.models.registry import canonical
    from core.published import board
    from core.types import Lens

    lens = Lens(canonical(model), read_as(image_set, None, None, None, names=names), prompts, precision=precision)
    opened = open_set(lens.image_set)
    say(coverage(opened))
    with progress_bar() as report:
        answer = evaluate(lens, image_set=opened, report=report)
    row = board.entry(answer, spelling=names)
    board.add([row])
    typer.echo(f"{row.name}: {percent(row.letitwag, 1)} over {len(row.concepts)} concepts is on the board.")


@app.command("show")
def show(as_json: AsJson = False) -> None:
    """The board: your rows and the 40 published models, best first."""
    from core.published import board, letitwag

    rows = board.entries()
    if as_json:
        echo_json(board.as_json(rows))
        return
    own = [(one.letitwag, one.imagenet, one.name, one.source) for one in rows]
    theirs = [(one.letitwag / 100, one.imagenet / 100, one.name, "Udandarao et al., 2024") for one in letitwag.models()]
    echo_table(
        ("model", "Let It Wag!", "ImageNet", "source"),
        [
            (name, f"{100 * tail:.1f}", "" if imagenet is None else f"{100 * imagenet:.1f}", source)
            for tail, imagenet, name, source in sorted([*own, *theirs], key=lambda row: -row[0])
        ],
    )


@app.command("export")
def export(file: Path) -> None:
    """Write your rows to a JSON file that others can import."""
    from core.published import board
    from core.strict_json import write_json

    rows = board.entries()
    write_json(board.as_json(rows), file)
    typer.echo(f"{len(rows)} rows are in {file}.")


@app.command("import")
def import_(file: Path) -> None:
    """Put the rows of a board file on the board; one of the same model, prompts and spelling is replaced."""
    from core.published import board

    rows = board.read_file(file)
    board.add(rows)
    typer.echo(f"{len(rows)} rows of {file.name} are on the board.")


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Name of the row, or its model.")]) -> None:
    """Take one of your rows off the board."""
    from core.published import board

    board.remove(name)
    typer.echo(f"Removed {name}.")
