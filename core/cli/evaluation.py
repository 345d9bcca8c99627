"""``embed``, ``evaluate``, ``curve``: questions about one model and one image set."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.engines import Address, Chosen, Engine, Workers, chosen
from core.cli.output import echo_json, echo_notes, echo_table, progress_bar
from core.cli.sets import LabelColumn, PathColumn, Split, read_as, say
from core.errors import BadInput
from core.types import Embeddings, Lens, Report

Model = Annotated[str, typer.Argument(help="ARCH,PRETRAINED | hf-hub:org/repo | local-dir:/path | ARCH,/checkpoint")]
Set = Annotated[str, typer.Argument(metavar="SET", help="A built-in id (icons, icons-tail ...) or a path.")]
Prompts = Annotated[str, typer.Option(help="Strategy id, path of a prompt file, or a quoted template with {}.")]
Precision = Annotated[Literal["auto", "float32"], typer.Option(help="float32 switches mixed precision off.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (embed, evaluate, curve):
        app.command()(command)


def embed(
    model: Model,
    image_set: Set,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
    precision: Precision = "auto",
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Embed the images of a set once; every later question reuses the vectors."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.models.registry import canonical

    image_set = read_as(image_set, label_column, path_column, split)
    lens, engine = Lens(canonical(model), image_set, precision=precision), chosen(engine, address, workers)
    with progress_bar() as report:
        found = _embedded(lens, engine, report)
    opened = open_set(image_set, captions=True)
    covered = coverage(opened, used=len(found.rows), skipped=(*opened.left_out, *found.left_out))
    say(covered)
    typer.echo(f"{covered.used} of {covered.found} images embedded (engine: {engine}); key {found.key}")
    for item in covered.skipped:
        typer.echo(f"left out: {item.item}: {item.reason}", err=True)


def _embedded(lens: Lens, engine: Chosen, report: Report) -> Embeddings:
    from core.cluster.embedding import embeddings_on_ray
    from core.evaluation.evaluate import embeddings_for

    return engine.run(partial(embeddings_for, lens, report=report), partial(embeddings_on_ray, lens, report=report))


def evaluate(
    model: Model,
    image_set: Set,
    prompts: Prompts = "simple",
    out: Annotated[Path | None, typer.Option(help="Write CLIP_benchmark JSON here instead of printing it.")] = None,
    task: Annotated[Literal["zeroshot_classification", "retrieval"], typer.Option()] = "zeroshot_classification",
    names: Annotated[Literal["shown", "released"], typer.Option(help="released = class keys verbatim.")] = "shown",
    names_file: Annotated[Path | None, typer.Option(help="Readable names by key: JSON, CSV or text.")] = None,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
    precision: Precision = "auto",
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Zero-shot classification (or retrieval) with per-class accuracies, in CLIP_benchmark's schema."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation import reports
    from core.models.registry import canonical

    image_set = read_as(image_set, label_column, path_column, split)
    lens, engine = Lens(canonical(model), image_set, prompts, precision=precision), chosen(engine, address, workers)
    with progress_bar() as report:
        if engine.ray:
            _same_here(lens, _embedded(lens, engine, report))
        if task == "retrieval":
            from core.evaluation.evaluate import evaluate_retrieval

            metrics, used = evaluate_retrieval(lens, report=report)
            covered = coverage(open_set(image_set, captions=True), used=used.used, skipped=used.left_out)
            result = reports.retrieval(lens, metrics, used)
        else:
            from core.evaluation.evaluate import evaluate as answer_lens

            opened = open_set(image_set, names=names_file, naming=names)
            answer = answer_lens(lens, report=report, image_set=opened)
            covered = coverage(opened, used=len(answer.rows), skipped=answer.left_out)
            result = reports.clip_benchmark(answer)
    result |= covered.as_json()
    say(covered)
    echo_notes(result.get("prompt_notes", ()))
    typer.echo(f"engine: {engine}", err=True)
    if out is None:
        echo_json(result)
        return
    reports.write_json(result, out)
    typer.echo(f"{out}: " + ", ".join(f"{k} {v:.4f}" for k, v in result["metrics"].items() if v is not None))


def _same_here(lens: Lens, found: Embeddings) -> None:
    """Refuse to embed once more what a cluster embedded, because this machine computes otherwise."""
    from core.datasets import open_set
    from core.evaluation.embed import image_key, precomputed
    from core.evaluation.evaluate import encoders

    encoder, image_set = encoders().get(lens.model, lens.precision), open_set(lens.image_set, captions=True)
    if precomputed(encoder, image_set) is None and image_key(encoder, image_set) != found.key:
        raise BadInput(
            f"The cluster embedded {lens.image_set} (key {found.key}), but this machine computes in "
            f"{encoder.precision} and would do so again: set TAILSCOPE_PRECISION alike on all machines."
        )


def curve(
    model: Model,
    image_set: Set,
    frequency: Annotated[str, typer.Option(help="Frequency source, e.g. icons-200k.")],
    prompts: Prompts = "simple",
    method: Annotated[
        Literal["text", "image", "integrated"] | None, typer.Option(help="Kind of count; default: the source's own.")
    ] = None,
    recipe: Annotated[Literal["honest", "paper"], typer.Option()] = "honest",
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the finding.")] = False,
) -> None:
    """Accuracy against pretraining frequency: slope per decade, correlations, intervals."""
    from core.analysis.curve import curve as build
    from core.analysis.curve import headline
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation.evaluate import evaluate as answer_lens
    from core.frequency.sources import load_source
    from core.models.registry import canonical

    image_set = read_as(image_set, label_column, path_column, split)
    lens = Lens(canonical(model), image_set, prompts, frequency)
    table = load_source(frequency, method=method)
    with progress_bar() as report:
        opened = open_set(image_set)
        answer = answer_lens(lens, report=report, image_set=opened)
        found = build(answer, table, recipe=recipe)
    covered = coverage(opened, used=len(answer.rows), skipped=answer.left_out)
    say(covered)
    echo_notes(answer.prompt_notes)
    if not as_json:
        typer.echo(headline(found))
        echo_table(
            ("count", "accuracy", "low", "high", "n"),
            [(f"{b.count:,.0f}", f"{b.mean:.3f}", f"{b.low:.3f}", f"{b.high:.3f}", b.n) for b in found.bins],
        )
        return

    def interval(figure):
        return {"value": figure.value, "low": figure.low, "high": figure.high}

    echo_json(
        {
            "model": lens.model,
            "set": image_set,
            "prompts": prompts,
            "prompt_notes": list(answer.prompt_notes),
            "unread": found.unread,
            "frequency": {"name": table.name, "method": table.method, "source": table.source},
            "recipe": recipe,
            "rows": [[row.key, row.count, row.accuracy, row.n] for row in found.rows],
            "n": found.n,
            "n_zero": found.n_zero,
            "n_unknown": found.n_unknown,
            "slope_per_decade": interval(found.slope_per_decade),
            "pearson": interval(found.pearson),
            "spearman": interval(found.spearman),
            **covered.as_json(),
        }
    )
