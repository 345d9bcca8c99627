"""``answers``: results that were computed elsewhere, brought in and used like a live run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.options import AsJson, BaseUrl, PriceIn, PriceOut, Set, Yes
from core.cli.output import echo_json, echo_table, progress_bar
from core.cli.sets import reads_set, say

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
    from core.evaluation import free_text

    with progress_bar() as report:
        kept = free_text.keep(
            file, open_set(image_set), model=model, how=match, text_model=text_model, name=name, report=report
        )
    typer.echo(free_text.headline(kept), err=True)
    echo_json(free_text.as_json(kept))


@app.command()
@reads_set
def ask(
    image_set: Set,
    base_url: BaseUrl,
    model: Annotated[str, typer.Option(help="The endpoint's name of a model that reads pictures.")],
    out: Annotated[Path, typer.Option(help="JSON lines to write, for `answers read`; a stopped run goes on from it.")],
    options: Annotated[
        int, typer.Option(min=0, help="Class names to choose from, the true one among them; 0 asks the open question.")
    ] = 0,
    question: Annotated[
        str, typer.Option(help="Another question; {options} stands for the names to choose from.")
    ] = "",
    per_class: Annotated[int, typer.Option(min=1, help="Pictures of each class, drawn by the seed.")] = 1,
    most: Annotated[int | None, typer.Option(min=1, help="Pictures in all, spread over the classes.")] = None,
    side: Annotated[int, typer.Option(help="Longest side of what is sent, in pixels.")] = 512,
    temperature: Annotated[float, typer.Option()] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="Longest answer; models that think first need more.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and the options; sent along too.")] = 0,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    yes: Yes = False,
) -> None:
    """Ask a multimodal language model about a sample of pictures; prints JSON.

    Pictures and questions are sent to the address that is given, with the key in TAILSCOPE_LLM_KEY or OPENAI_API_KEY.
    The cost is stated first.
    """
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation import picture_questions as asking
    from core.prompts.generate import own_key

    opened = open_set(image_set)
    covered = coverage(opened)
    say(covered)
    asked = asking.Asked(
        base_url=base_url, model=model, question=question, options=options, per_class=per_class, most=most, side=side,
        temperature=temperature, max_tokens=max_tokens, seed=seed,
    )  # fmt: skip
    expected = asking.cost(asked, opened, out, price_in=price_in, price_out=price_out)
    typer.echo(expected.sentence, err=True)
    if not yes and expected.pictures:
        typer.confirm(f"Send them to {base_url}?", abort=True, err=True)
    with progress_bar() as report:
        made = asking.ask_about(asked, opened, out, key=own_key(), report=report)
    for note in made.notes:
        typer.echo(note, err=True)
    match = "choice" if options else "inclusion"
    typer.echo(f"Next: python -m core answers read {out} --set {opened.id} --model {model} --match {match}", err=True)
    echo_json(asking.as_json(made, asked) | covered.as_json())


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
