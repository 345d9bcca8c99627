"""``answers``: results that were computed elsewhere, brought in and used like a live run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.options import AsJson
from core.cli.output import echo_json, echo_table

if TYPE_CHECKING:
    import numpy as np

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


@app.command()
def read(
    file: Annotated[Path, typer.Argument(help='JSON lines: {"image", "answer"}, perhaps with "options".')],
    image_set: Annotated[str, typer.Option("--set", help="The image set that was shown.")],
    model: Annotated[str, typer.Option(help="What to call the model that answered.")],
    match: Annotated[
        Literal["inclusion", "similarity", "choice"],
        typer.Option(help="The true name occurs; the nearest class name; or the option that was chosen."),
    ] = "inclusion",
    text_model: Annotated[str, typer.Option(help="Model whose text tower measures similarity.")] = "",
    name: Annotated[str, typer.Option(help="Name to keep them under; the file's own if not given.")] = "",
) -> None:
    """Match the free text or choices of a multimodal language model with the classes, and keep them as an answer."""
    from core.datasets import open_set
    from core.evaluation import free_text, imported

    opened = open_set(image_set)
    replies, unknown = free_text.read(file, opened)
    encode = None
    if text_model:
        from core.evaluation.embed import embed_texts
        from core.evaluation.evaluate import encoders, results
        from core.models.registry import canonical

        encoder = encoders().get(canonical(text_model), "auto")

        def encode(texts: Sequence[str]) -> np.ndarray:
            return embed_texts(encoder, texts, results())

    found = free_text.match(replies, opened, how=match, unknown=unknown, encode=encode)
    kept = imported.keep_classes(
        free_text.by_class(found, opened), name=name or file.stem, model=model, image_set=opened.id,
        prompts=f"answers by {match}", acc1=float(found.correct.mean()), file=file.name,
        note=f"{len(replies):,} answers of a language model, matched by {match}",
    )  # fmt: skip
    echo_json({
        "name": name or file.stem, "model": model, "set": opened.id, "match": match, "n": len(replies),
        "acc1": kept.acc1, "classes": len(kept.keys), "n_nothing_named": found.nothing,
        "n_several_named": found.several, "mean_cosine_true": found.closeness,
        "unknown_images": list(found.unknown[:20]), "n_unknown": len(found.unknown),
    })  # fmt: skip


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
