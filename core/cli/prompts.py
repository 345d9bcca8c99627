"""``prompts``: the sentences themselves: list strategies, export them, look for flaws, have new ones written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.options import (
    AsJson,
    BaseUrl,
    Frequency,
    LabelColumn,
    Model,
    Names,
    PathColumn,
    Precision,
    PriceIn,
    PriceOut,
    Set,
    Split,
    Strategy,
    Yes,
)
from core.cli.output import echo_json, echo_notes, echo_table, fields, progress_bar
from core.cli.sets import read_as, reads_set, say

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
def names(
    image_set: Set,
    frequency: Annotated[str, typer.Option(help="Source of counts, as `frequency list` names it.")],
    names_file: Annotated[Path | None, typer.Option("--names", help="Other names: CSV of class and name.")] = None,
) -> None:
    """Which name of each class the captions use most: its own, other names given, ImageNet's. Prints JSON."""
    from core.datasets import open_set
    from core.frequency.sources import load_source
    from core.prompts import other_names

    opened = open_set(image_set)
    given = other_names.read(opened, str(names_file))[0] if names_file else None
    found = other_names.counted(opened, load_source(frequency), given)
    typer.echo(other_names.headline(found, frequency), err=True)
    listed = [
        {"key": one.key, "name": one.name, "most_counted": one.chosen, "counts": dict(one.counts)} for one in found
    ]
    echo_json({"set": image_set, "frequency": frequency, "n_classes": len(found), "classes": listed})


@app.command()
def table(
    model: Model,
    image_set: Annotated[list[str], typer.Option("--set", metavar="SET", help="An image set; several times.")],
    prompts: Annotated[list[str], typer.Option(help="A strategy; up to four times, the first is the baseline.")],
    precision: Precision = "auto",
    as_json: AsJson = False,
) -> None:
    """Several strategies on several image sets for one model: accuracy with its interval, change against the first.

    Published figures on the same sets under CuPL, DCLIP, WaffleCLIP and their baselines stand below, with their source.
    """
    from core.analysis import across_sets, references
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.models.registry import canonical
    from core.types import Lens

    opened = [open_set(one) for one in image_set]
    with progress_bar() as report:
        lens = Lens(canonical(model), opened[0].id, precision=precision)
        found = across_sets.set_table(lens, opened, prompts, report=report)
    covered = {one.id: coverage(one) for one in opened}
    published = references.on_sets(image_set)
    for covering in covered.values():
        say(covering)
    for cell in found.cells:
        echo_notes(cell.notes, of=f"{cell.strategy} on {cell.image_set}")
    if as_json:
        echo_json({
            **across_sets.as_json(found),
            "published": [
                listed | {"n": one.images or None}
                for one, listed in zip(
                    published,
                    fields(published, "arch", "pretrained", "set", "prompts", "acc1", "classes", "source"),
                    strict=True,
                )
            ],
            "coverage": {name: covering.as_json() for name, covering in covered.items()},
        })  # fmt: skip
        return
    cells = iter(map(across_sets.cell_text, found.cells))
    listed = [(name, *(next(cells) for _ in found.strategies)) for name in found.sets]
    echo_table(("set", *found.strategies), [*listed, ("mean", *(f"{100 * found.mean(s):.1f}" for s in prompts))])
    typer.echo(across_sets.headline(found))
    if published:
        typer.echo("\nPublished on these sets:")
        echo_table(
            ("model", "set", "prompts", "acc1, %", "n", "source"),
            [
                (
                    f"{one.arch},{one.pretrained}",
                    one.set,
                    one.prompts,
                    f"{100 * one.acc1:.1f}",
                    one.images or "–",
                    one.source,
                )
                for one in published
            ],
        )


@app.command()
@reads_set
def inspect(
    model: Model,
    image_set: Set,
    of: Annotated[str, typer.Argument(metavar="CLASS", help="Key or name of a class.")],
    prompts: Strategy = "simple",
    by_number: Annotated[
        bool, typer.Option(help="Also accuracy against sentences a class, and of random words.")
    ] = False,
    precision: Precision = "auto",
) -> None:
    """The sentences of one class: the other class each is nearest to, and what is wrong with it. Prints JSON."""
    from dataclasses import asdict

    from core.analysis.prompt_inspection import count_curves, flagged, inspect_class
    from core.datasets import open_set
    from core.errors import UnknownName
    from core.evaluation.sentences import read_sentences
    from core.models.registry import canonical
    from core.prompts import prompt_set
    from core.types import Lens

    lens, opened = Lens(canonical(model), image_set, prompts, precision=precision), open_set(image_set)
    index = next((at for at, own in enumerate(zip(opened.keys, opened.names, strict=True)) if of in own), None)
    if index is None:
        raise UnknownName(f"{image_set} has no class {of!r}; its keys look like {opened.keys[0]!r}.")
    with progress_bar() as report:
        checks = inspect_class(read_sentences(lens, prompt_set(prompts, opened), report=report), index, opened.names)
        curves = count_curves(lens, opened, report=report) if by_number else {}
    told = flagged(checks, opened.names)
    sentences = [
        {**asdict(one), "nearest": opened.keys[one.nearest], "remarks": list(told.get(at, ()))}
        for at, one in enumerate(checks)
    ]
    numbers = {label: [asdict(one) for one in points] for label, points in curves.items()}
    about = {"model": lens.model, "set": image_set, "prompts": prompts, "class": opened.keys[index]}
    echo_json({**about, "sentences": sentences, **({"by_number": numbers} if by_number else {})})


@app.command()
def apart(
    model: Model,
    picture: Annotated[Path, typer.Argument(help="A picture.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Two class names or more.")],
    prompts: Annotated[list[str] | None, typer.Option(help="Strategy; several times. [class simple ensemble]")] = None,
) -> None:
    """One picture against a handful of class names, strategy by strategy: cosines and probabilities. Prints JSON."""
    from core.analysis.confusable import side_by_side
    from core.datasets.io.picture import safe_open
    from core.models.registry import canonical
    from core.opening import read_regular
    from core.types import Lens
    from core.uploads import MOST_BYTES

    lens = Lens(canonical(model), "")
    opened = safe_open(read_regular(picture, limit=MOST_BYTES), name=picture.name)
    with progress_bar() as report:
        found = side_by_side(lens, names, prompts or ["class", "simple", "ensemble"], [opened], report=report)
    echo_json({
        "model": lens.model, "names": names,
        "strategies": {
            one.strategy: {
                "cosines": one.cosines[0].tolist(), "probabilities": one.probabilities[0].tolist(),
                "margin": float(one.margins[0]),
            }
            for one in found
        },
    })  # fmt: skip


@app.command()
@reads_set
def learn(
    model: Model,
    image_set: Set,
    out: Annotated[Path, typer.Option(help="Name of the files: NAME-0.json for the first seed, and so on.")],
    shots: Annotated[int, typer.Option(min=1, help="Pictures a class, at most half of them.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of pictures.")] = 3,
    vectors: Annotated[int, typer.Option(min=1, max=32, help="Learned vectors; 4 start as: a photo of a.")] = 4,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = 50,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 32,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 0.002,
    frequency: Frequency = None,
) -> None:
    """Learn the words before the class name on a few pictures with frozen towers (CoOp); prints JSON.

    Each file is a strategy, learned:NAME-0.json, for every command and page.
    """
    from core.analysis import learned_prompts
    from core.analysis.group_change import as_json
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.frequency.sources import groups
    from core.models.registry import canonical
    from core.types import Lens

    lens = Lens(canonical(model), image_set, precision="float32")
    opened = open_set(lens.image_set)
    found = groups(lens.model, opened.keys, opened.names, frequency=frequency)
    with progress_bar() as report:
        made = learned_prompts.learn_contexts(
            lens, image_set=opened, parts=[found.tags.get(key, "") for key in opened.keys], out=out, shots=shots,
            seeds=range(seeds), size=vectors, epochs=epochs, batch=batch, rate=rate, report=report,
        )  # fmt: skip
    say(coverage(opened))
    echo_json({
        "model": lens.model, "set": lens.image_set, "frequency": found.source or None, "shots": shots,
        "vectors": vectors, "epochs": epochs, "batch": batch, "rate": rate,
        "against": {name: [as_json(one) for one in changes] for name, changes in made.changes.items()},
        "seeds": [
            {"strategy": one.strategy, "seed": one.seed, "pictures": one.pictures, "first_loss": one.losses[0],
             "last_loss": one.losses[-1], "acc1": one.acc1}
            for one in made.contexts
        ],
    })  # fmt: skip


@app.command()
@reads_set
def generate(
    image_set: Set,
    base_url: BaseUrl,
    model: Annotated[str, typer.Option(help="The endpoint's name of the model.")],
    out: Annotated[Path, typer.Option(help="Prompt file to write; raw replies are kept beside it.")],
    questions: Annotated[Literal["base", "full"], typer.Option(help="CuPL's question set.")] = "full",
    count: Annotated[int, typer.Option(help="Sentences for each question.")] = 10,
    temperature: Annotated[float, typer.Option()] = 0.99,
    max_tokens: Annotated[int, typer.Option(help="Longest reply.")] = 50,
    seed: Annotated[int | None, typer.Option(help="Where the endpoint takes one.")] = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    yes: Yes = False,
) -> None:
    """Have a language model write sentences about every class.

    The key is read from TAILSCOPE_LLM_KEY or OPENAI_API_KEY. The expected cost is stated first; a run that was stopped
    goes on where it ended.
    """
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.prompts.generate import QUESTIONS, Settings, answered, estimate, own_key
    from core.prompts.generate import generate as run

    opened = open_set(image_set)
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
