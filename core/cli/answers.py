"""``answers``: results that were computed elsewhere, brought in and used like a live run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import AsJson
from core.cli.output import echo_json, echo_table

app = typer.Typer(help="Results from elsewhere, brought in as answers.", no_args_is_help=True)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CLIP_benchmark JSON with classwise, or CSV by class or by image.")],
    name: Annotated[str, typer.Option(help="Name to keep them under; the file's own if not given.")] = "",
    model: Annotated[str, typer.Option(help="Model the results are of, if the file does not say.")] = "",
    image_set: Annotated[str, typer.Option("--set", help="Image set, if the file does not say.")] = "",
    prompts: Annotated[str, typer.Option(help="Prompt strategy, if the file does not say.")] = "",
) -> None:
    """Bring results in: per-class accuracies (class, accuracy, n), or images (image, true, predicted)."""
    from core.evaluation import imported as imported_answers

    found = imported_answers.keep(file, name=name or file.stem, model=model, image_set=image_set, prompts=prompts)
    typer.echo(f"{found.provenance}: {found.lens.model} on {found.lens.image_set}, {len(found.keys):,} classes.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """What was brought in."""
    from core.evaluation import imported as imported_answers

    found = {name: imported_answers.load(name) for name in imported_answers.names()}
    rows = [(name, one.lens.model, one.lens.image_set, one.lens.prompts, len(one.keys)) for name, one in found.items()]
    header = ("name", "model", "set", "prompts", "classes")
    if as_json:
        echo_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        echo_table(header, rows)


@app.command("delete")
def delete(name: str) -> None:
    """Remove results that were brought in."""
    from core.evaluation import imported as imported_answers

    imported_answers.delete(name)
    typer.echo(f"Removed {name}.")
