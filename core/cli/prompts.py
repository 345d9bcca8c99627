"""``prompts``: the sentences themselves: list strategies, export them, look for flaws, have new ones written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.options import AsJson, LabelColumn, Names, PathColumn, Set, Split, Strategy, Yes
from core.cli.output import echo_json, echo_notes, echo_table, fields, progress_bar
from core.cli.sets import read_as, say

app = typer.Typer(help="Prompt strategies and their sentences.", no_args_is_help=True)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The named strategies and what may follow their id after a colon."""
    from core.prompts import strategies

    found = strategies()
    if as_json:
        echo_json(fields(found, "id", "title", "help", "option"))
        return
    echo_table(("strategy", "option", ""), [(one.id, one.option, one.help) for one in found])


@app.command()
def export(
    image_set: Set,
    prompts: Strategy,
    out: Annotated[Path | None, typer.Option(help="Write the file here instead of printing it.")] = None,
    names: Names = "shown",
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
) -> None:
    """The finished sentences of every class as a prompt file, {class key: [sentence, ...]}."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.prompts import prompt_set
    from core.strict_json import write_json

    opened = open_set(read_as(image_set, label_column, path_column, split, names=names))
    say(coverage(opened))
    made = prompt_set(prompts, opened)
    content = dict(zip(opened.keys, map(list, made.sentences), strict=True))
    typer.echo(f"aggregation: {made.aggregation}", err=True)
    echo_notes(made.notes)
    if out is None:
        echo_json(content)
    else:
        write_json(content, out)


@app.command()
def generate(
    image_set: Set,
    base_url: Annotated[str, typer.Option(help="OpenAI-compatible address, for example http://localhost:11434/v1.")],
    model: Annotated[str, typer.Option(help="The endpoint's name of the model.")],
    out: Annotated[Path, typer.Option(help="Prompt file to write; raw replies are kept beside it.")],
    questions: Annotated[Literal["base", "full"], typer.Option(help="CuPL's question set.")] = "full",
    count: Annotated[int, typer.Option(help="Sentences for each question.")] = 10,
    temperature: Annotated[float, typer.Option()] = 0.99,
    max_tokens: Annotated[int, typer.Option(help="Longest reply.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Where the endpoint takes one.")] = None,
    price_in: Annotated[float | None, typer.Option(help="Price of a million tokens sent.")] = None,
    price_out: Annotated[float | None, typer.Option(help="Price of a million tokens received.")] = None,
    yes: Yes = False,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
) -> None:
    """Have a language model write sentences about every class.

    The key is read from TAILSCOPE_LLM_KEY or OPENAI_API_KEY. The expected cost is stated first; a run that was stopped
    goes on where it ended.
    """
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.prompts.generate import QUESTIONS, Settings, answered, estimate, own_key
    from core.prompts.generate import generate as run

    opened = open_set(read_as(image_set, label_column, path_column, split))
    say(coverage(opened))
    settings = Settings(base_url, model, QUESTIONS[questions], count, temperature, max_tokens, seed)
    have = {question: len(texts) for question, texts in answered(out, settings).items()}
    expected = estimate(settings, opened.names, answered=have, price_in=price_in, price_out=price_out)
    typer.echo(expected.sentence)
    if not yes and expected.requests:
        typer.confirm(f"Send them to {base_url}?", abort=True)
    with progress_bar() as report:
        made = run(settings, opened, out, key=own_key(), report=report)
    for note in made.notes:
        typer.echo(note)
    typer.echo(f"{made.path}: {made.sentences:,} sentences for {made.classes:,} classes by {', '.join(made.models)}")
