"""``compare``: several lenses on the same images."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import Frequency, LabelColumn, Origin, PathColumn, Precision, Split
from core.cli.output import echo_json, echo_notes, echo_table, progress_bar
from core.cli.sets import read_as, say
from core.errors import BadInput
from core.types import Answer, Lens

if TYPE_CHECKING:
    from core.evaluation.origins import Question


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(compare)


def compare(
    model: Annotated[str | None, typer.Argument(help="The one model, with --prompts.")] = None,
    image_set: Annotated[str | None, typer.Argument(metavar="SET", help="The one image set, with --prompts.")] = None,
    lens: Annotated[list[str] | None, typer.Option(help="MODEL::SET::STRATEGY; up to four times.")] = None,
    prompts: Annotated[list[str] | None, typer.Option(help="A strategy for MODEL and SET; up to four times.")] = None,
    frequency: Frequency = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the band drawn for `waffle`.")] = 7,
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
    precision: Precision = "auto",
    origin: Origin = "auto",
    out: Annotated[Path | None, typer.Option(help="Write JSON here and print the findings instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; so it is without --out.")] = False,
) -> None:
    """Compare up to four lenses: accuracy from head to tail, calibration, and paired tests of every difference."""
    from core.analysis.compare import as_json as record
    from core.analysis.compare import compare as compare_answers
    from core.analysis.compare import headline
    from core.analysis.random_words_band import band, waffle_answers
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation import origins
    from core.evaluation.evaluate import evaluate
    from core.frequency.sources import table_for
    from core.strict_json import write_json

    asked = {
        id: replace(one, image_set=read_as(one.image_set, label_column, path_column, split))
        for id, one in _questions(model, image_set, lens or [], prompts or [], precision).items()
    }
    with progress_bar() as report:

        def live(lens: Lens) -> Answer:
            return evaluate(lens, image_set=open_set(lens.image_set), report=report)

        answers = {id: origins.answer(one, origin, live) for id, one in asked.items()}
        bands = {
            id: waffle_answers(one.lens(), seeds=seeds, image_set=open_set(one.image_set), report=report)
            for id, one in asked.items()
            if one.prompts == "waffle"
        }
    chosen = {
        id: table_for(answer.lens.model, answer.keys, answer.names, frequency=frequency)
        for id, answer in answers.items()
    }
    tables = {id: table for id, table in chosen.items() if table is not None}
    found = compare_answers(answers, tables=tables)
    pictures = all(isinstance(answer, Answer) for answer in answers.values())
    result = record(found, open_set(next(iter(asked.values())).image_set).image_ids if pictures else ())
    for id, answer in answers.items():
        if isinstance(answer, Answer):
            result["lenses"][id]["prompt_notes"] = list(answer.prompt_notes)
            echo_notes(answer.prompt_notes, of=id)
    for id, drawn in bands.items():
        spread = band([answer.acc1 for answer in drawn])
        result["lenses"][id]["seeds"] = {"mean": spread.mean, "sd": spread.sd, "acc1": list(spread.values)}
    covered = {
        one.image_set: coverage(open_set(one.image_set), used=len(answer.rows), skipped=answer.left_out)
        for id, one in asked.items()
        if isinstance(answer := answers[id], Answer)
    }
    for covering in covered.values():
        say(covering)
    if covered:
        result |= next(iter(covered.values())).as_json()
        result["sets"] = {name: covering.as_json() for name, covering in covered.items()}
    if out is not None:
        write_json(result, out)
    if out is None or as_json:
        echo_json(result)
        return
    shown = ("acc1", "head", "torso", "tail", "ece")
    rows = [(id, *(_cell(getattr(one, name)) for name in shown)) for id, one in found.lenses.items()]
    echo_table(("setup", *shown), rows)
    for one in found.pairs:
        typer.echo(headline(one))


def _cell(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _questions(
    model: str | None, image_set: str | None, lenses: list[str], prompts: list[str], precision: str
) -> dict[str, Question]:
    """Lens id (MODEL::SET::STRATEGY as typed) -> its question."""
    from core.analysis.compare import MOST
    from core.evaluation.origins import Question

    if bool(lenses) == bool(prompts) or (prompts and not (model and image_set)) or (lenses and model):
        raise BadInput(
            "Give either --lens MODEL::SET::STRATEGY several times, or MODEL SET and --prompts several times."
        )
    typed = lenses or [f"{model}::{image_set}::{strategy}" for strategy in prompts]
    if len(typed) > MOST or len(set(typed)) < len(typed):
        raise BadInput(f"Give at most {MOST} different setups, not {len(typed)}.")
    found = {}
    for text in typed:
        parts = text.split("::", 2)
        if len(parts) != 3 or not all(parts):
            raise BadInput(f"{text!r} is not a setup; write MODEL::SET::STRATEGY.")
        name, images, strategy = parts
        found[text] = Question(name, images, strategy, precision)
    return found
