"""``embed``, ``evaluate``, ``curve``: questions about one model and one image set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.cli.engines import Address, Chosen, Engine, Workers, chosen
from core.cli.options import Method, Model, Names, Origin, Precision, Prompts, Set
from core.cli.output import echo_json, echo_notes, echo_table, progress_bar
from core.cli.sets import reads_set, say, say_time
from core.errors import BadInput, UnknownName
from core.types import Answer, ClassAnswer, Embeddings, FrequencyTable, ImageSet, Lens, Report

if TYPE_CHECKING:
    from core.datasets.coverage import Coverage
    from core.evaluation.origins import Choice, Question


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    for command in (embed, evaluate, curve):
        app.command()(command)


@reads_set
def embed(
    model: Model,
    image_set: Set,
    precision: Precision = "auto",
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
) -> None:
    """Embed the images of a set once; every later question reuses the vectors."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.models.registry import canonical

    lens, computing = Lens(canonical(model), image_set, precision=precision), chosen(engine, address, workers)
    with progress_bar() as report:
        found = _embedded(lens, computing, report)
    opened = open_set(image_set, captions=True)
    covered = coverage(opened, used=len(found.rows), skipped=(*opened.left_out, *found.left_out))
    say(covered)
    typer.echo(f"{covered.used} of {covered.found} images embedded (engine: {computing}); key {found.key}")
    for item in covered.skipped:
        typer.echo(f"left out: {item.item}: {item.reason}", err=True)


def _embedded(lens: Lens, engine: Chosen, report: Report) -> Embeddings:
    from core.cluster.embedding import embeddings_on_ray
    from core.datasets import open_set
    from core.evaluation.evaluate import embeddings_for

    def here() -> Embeddings:
        opened = open_set(lens.image_set)
        say_time(lens, opened, report)
        return embeddings_for(lens, image_set=opened, report=report)

    return engine.run(here, partial(embeddings_on_ray, lens, report=report))


@reads_set
def evaluate(
    model: Model,
    image_set: Set,
    prompts: Prompts = None,
    origin: Origin = "auto",
    out: Annotated[Path | None, typer.Option(help="Write CLIP_benchmark JSON here instead of printing it.")] = None,
    task: Annotated[Literal["zeroshot_classification", "retrieval"], typer.Option()] = "zeroshot_classification",
    names: Names = "shown",
    names_file: Annotated[Path | None, typer.Option(help="Readable names by key: JSON, CSV or text.")] = None,
    precision: Precision = "auto",
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    quick: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="A first look at N pictures spread over the classes; they are reused."),
    ] = None,
) -> None:
    """Zero-shot classification (or retrieval) with per-class accuracies, in CLIP_benchmark's schema."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation import reports
    from core.evaluation.origins import Question
    from core.strict_json import write_json

    question, computing = Question(model, image_set, prompts, precision), chosen(engine, address, workers)
    covered: list[Coverage] = []
    if quick and (task == "retrieval" or computing.ray or origin not in ("auto", "live")):
        raise BadInput(
            "--quick is a first look of a live classification on this machine; leave out what contradicts it."
        )
    with progress_bar() as report:

        def live(lens: Lens) -> Answer:
            if computing.ray:
                _same_here(lens, _embedded(lens, computing, report))
            opened = open_set(image_set, names=names_file, naming=names)
            if not computing.ray and not quick:
                say_time(lens, opened, report, advice=" (--quick N)")
            return _answered(lens, opened, covered, report, quick=quick)

        if task == "retrieval":
            from core.evaluation.evaluate import evaluate_retrieval

            lens = question.lens()
            if computing.ray:
                _same_here(lens, _embedded(lens, computing, report))
            opened = open_set(image_set, captions=True)
            used = evaluate_retrieval(lens, image_set=opened, report=report)
            covered.append(coverage(opened, used=used.used, skipped=used.left_out))
            result = reports.retrieval(lens, used)
        else:
            result = _evaluated(question, "live" if quick else origin, live)
    for one in covered:
        result |= one.as_json()
        say(one)
    echo_notes(result.get("prompt_notes", ()))
    if "origin" not in result or result["origin"] == "live":
        typer.echo(f"engine: {computing}", err=True)
    else:
        typer.echo(f"origin: {result['origin']}; {result.get('provenance', 'committed beside the weights')}", err=True)
    if out is None:
        echo_json(result)
        return
    write_json(result, out)
    typer.echo(f"{out}: " + ", ".join(f"{k} {v:.4f}" for k, v in result["metrics"].items() if v is not None))


def _answered(
    lens: Lens, opened: ImageSet, covered: list[Coverage], report: Report, *, quick: int | None = None
) -> Answer:
    """The answer of a live run, or a first look; how much of the set it used is appended to ``covered``."""
    from core.datasets.coverage import coverage
    from core.evaluation import looks
    from core.evaluation.evaluate import evaluate as answer_lens

    if quick:
        found = looks.look(lens, image_set=opened, pictures=quick, report=report)
        if looks.is_look(found):
            typer.echo(looks.words(found), err=True)
    else:
        found = answer_lens(lens, report=report, image_set=opened)
    covered.append(replace(coverage(opened, used=len(found.rows), skipped=found.left_out), found=found.n_images))
    return found


def _evaluated(question: Question, origin: Choice, live: Callable[[Lens], Answer]) -> dict[str, Any]:
    """The result of one origin; where nobody published classes, the figure of the whole set."""
    from core.errors import NotHere
    from core.evaluation import origins, reports

    try:
        answer = origins.answer(question, origin, live)
    except (NotHere, UnknownName):
        total = origins.published_total(question) if origin in ("auto", "published") else None
        if total is None:
            raise
        return reports.only_total(question.model, question.image_set, *total)
    return reports.clip_benchmark(answer) if isinstance(answer, Answer) else reports.class_results(answer)


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


def _retrieved(
    lens: Lens, metric: str, table: FrequencyTable | None, covered: list[Coverage], report: Report
) -> ClassAnswer:
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation.concept_retrieval import concept_retrieval
    from core.frequency import choice, sources

    table = table or sources.table_for(lens.model)
    if table is None:
        raise BadInput(choice.choose(lens.model).sentence)
    opened = open_set(lens.image_set, captions=True)
    covered.append(coverage(opened))
    return concept_retrieval(lens, image_set=opened, table=table, metric=metric, report=report)


@reads_set
def curve(
    model: Model,
    image_set: Set,
    frequency: Annotated[
        str, typer.Option(help="Frequency source, e.g. icons-200k; auto: counts of the model's own pretraining set.")
    ] = "auto",
    prompts: Prompts = None,
    origin: Origin = "auto",
    metric: Annotated[
        str | None, typer.Option(help="Retrieval by concept on an image-caption set: t2i_k=10, i2t_k=1 ...")
    ] = None,
    method: Annotated[Method | None, typer.Option(help="Kind of count; default: the source's own.")] = None,
    recipe: Annotated[Literal["honest", "paper"], typer.Option()] = "honest",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the finding.")] = False,
) -> None:
    """Accuracy against pretraining frequency: slope per decade, correlations, intervals."""
    from core.analysis.curve import as_json as record
    from core.analysis.curve import curve as build
    from core.analysis.curve import evidence, headline
    from core.datasets import open_set
    from core.evaluation import origins
    from core.frequency import choice, sources

    table = None if frequency == "auto" else sources.load_source(frequency, method=method)
    covered: list[Coverage] = []
    with progress_bar() as report:
        question = origins.Question(model, image_set, prompts)

        if metric is None:
            answer = origins.answer(
                question, origin, lambda lens: _answered(lens, open_set(image_set), covered, report)
            )
        else:
            answer = _retrieved(question.lens(), metric, table, covered, report)
    for one in covered:
        say(one)
    if isinstance(answer, Answer):
        echo_notes(answer.prompt_notes)
    chosen_counts = None
    if table is None:
        chosen_counts = choice.choose(answer.lens.model, answer.keys, answer.names, how=method or "")
        if not chosen_counts.source:
            raise BadInput(chosen_counts.sentence)
        frequency = chosen_counts.source
        table = sources.load_source(frequency, method=method)
    found = build(answer, table, recipe=recipe)
    if not as_json:
        typer.echo(f"{headline(found)} {evidence(found)}".strip())
        if chosen_counts is not None:
            typer.echo(chosen_counts.sentence)
        echo_table(
            ("count", "accuracy", "low", "high", "n"),
            [(f"{b.count:,.0f}", f"{b.mean:.3f}", f"{b.low:.3f}", f"{b.high:.3f}", b.n) for b in found.bins],
        )
        return
    result = {**record(found, answer, table), "choice": chosen_counts.sentence if chosen_counts else None}
    if isinstance(answer, Answer):
        result |= {"prompt_notes": list(answer.prompt_notes), "unread": found.unread}
    for one in covered:
        result |= one.as_json()
    echo_json(result)
