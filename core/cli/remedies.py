"""What can be done about the tail without training a tower: adjusted scores and few-shot heads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from core.cli.options import Frequency, Model, Precision, Records, Set, Strategy
from core.cli.output import echo_json, echo_table, progress_bar
from core.cli.sets import reads_set, say
from core.types import Lens

if TYPE_CHECKING:
    from core.analysis.group_change import GroupChange
    from core.types import ImageSet


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(adjust)
    app.command("few-shot")(few_shot)
    app.command()(relabel)
    app.command()(explain)


@reads_set
def adjust(
    model: Model,
    image_set: Set,
    prompts: Strategy = "simple",
    frequency: Frequency = None,
    method: Annotated[
        Literal["counts", "label-free", "labelled"],
        typer.Option(help="Where the prior comes from: counts, pseudo-labels, or the labels of the other half."),
    ] = "counts",
    strength: Annotated[float, typer.Option(min=0, help="How much of the log prior is subtracted.")] = 1.0,
    permutations: Annotated[int, typer.Option(min=0, help="Priors dealt at random, for the null.")] = 100,
    precision: Precision = "auto",
    out: Records = None,
) -> None:
    """Take a model's preference for common classes out of its scores: head and tail before and after, with a null."""
    from core.analysis import label_bias
    from core.datasets import open_set

    lens = _lens(model, image_set, prompts, precision)
    opened = open_set(lens.image_set)
    source, counts = counts_of(lens, opened, frequency)
    with progress_bar() as report:
        found = label_bias.adjust_lens(
            lens, image_set=opened, counts=counts, method=method, strength=strength, permutations=permutations,
            report=report,
        )  # fmt: skip
    result = {**_about(lens, source), **label_bias.as_json(found), **_covered(opened, len(found.predicted))}
    _tell(result, label_bias.headline(found), found.changes, out)


@reads_set
def few_shot(
    model: Model,
    image_set: Set,
    prompts: Strategy = "simple",
    frequency: Frequency = None,
    support: Annotated[
        str, typer.Option(metavar="SET", help="Pictures to train on, of the same class keys; default: of SET itself.")
    ] = "",
    only: Annotated[
        Literal["head", "torso", "tail"] | None, typer.Option(help="Give pictures to these classes only.")
    ] = None,
    shots: Annotated[list[int] | None, typer.Option(min=1, help="Pictures a class; several times. [1 2 4 8]")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of pictures.")] = 3,
    alpha: Annotated[float, typer.Option(min=0, max=1, help="Weight of the trained head in the mixture.")] = 0.5,
    precision: Precision = "auto",
    out: Records = None,
) -> None:
    """Train a linear head on a few (or retrieved) pictures and mix it with the zero-shot head: fixed and broken."""
    from core.analysis import few_shot_head
    from core.datasets import open_set

    lens = _lens(model, image_set, prompts, precision)
    opened, other = open_set(lens.image_set), open_set(support) if support else None
    source, counts = counts_of(lens, opened, frequency)
    with progress_bar() as report:
        found = few_shot_head.heads_of_lens(
            lens, image_set=opened, counts=counts, support=other, only=(only,) if only else (),
            shots=sorted(set(shots or few_shot_head.SHOTS)), seeds=range(seeds), alpha=alpha, report=report,
        )  # fmt: skip
    facts = {"support": support or lens.image_set, "only": only, "alpha": alpha, "n_seeds": seeds}
    result = {**_about(lens, source), **facts, "points": [few_shot_head.as_json(one) for one in found]}
    _tell(result, few_shot_head.headline(found), found[-2].changes, out)


@reads_set
def relabel(
    model: Model,
    image_set: Set,
    labels: Annotated[Path, typer.Argument(help="ReaL's real.json, or CSV with image and labels (separated by ;).")],
    prompts: Strategy = "simple",
    frequency: Frequency = None,
    pmi: Annotated[
        Path | None, typer.Option(help="cooccurrence.parquet of frequency count, or CSV a,b,pmi: accuracy by pair.")
    ] = None,
    precision: Precision = "auto",
) -> None:
    """Accuracy by cleaned or several accepted labels beside the first, by head and tail; pairs by PMI. Prints JSON."""
    from core.analysis import second_labels
    from core.datasets import open_set
    from core.evaluation.evaluate import evaluate
    from core.opening import read_regular

    lens = _lens(model, image_set, prompts, precision)
    opened = open_set(lens.image_set)
    accepted = second_labels.read_file(labels, opened)
    source, counts = counts_of(lens, opened, frequency)
    with progress_bar() as report:
        answer = evaluate(lens, image_set=opened, report=report)
    found = second_labels.second_accuracy(answer, accepted, counts)
    result = {**_about(lens, source), **second_labels.as_json(found)}
    if pmi is not None:
        table = second_labels.read_pmi(read_regular(pmi, limit=second_labels.MAX_BYTES), pmi.name)
        pairs = second_labels.pairs_by_pmi(answer, accepted, table)
        r = second_labels.association(pairs)
        result["pairs"] = [[answer.keys[one.a], answer.keys[one.b], one.pmi, one.accuracy, one.n] for one in pairs]
        result["pearson_pmi_accuracy"] = {"value": r.value, "low": r.low, "high": r.high}
    typer.echo(second_labels.headline(found), err=True)
    echo_json({**result, **_covered(opened, len(answer.rows))})


def explain(
    model: Model,
    image_set: Set,
    image: Annotated[str, typer.Argument(help="Id of a picture in the set.")],
    of: Annotated[str, typer.Option(help="Class key or name asked about; the picture's own by default.")] = "",
    method: Annotated[Literal["occlusion", "gradient"], typer.Option(help="How parts are weighed.")] = "occlusion",
    cells: Annotated[int, typer.Option(min=1, max=32, help="Cells of the grid a side.")] = 8,
    prompts: Strategy = "simple",
) -> None:
    """Which parts of a picture speak for a class: an aid to explanation, not a proof. Prints JSON."""
    from core.analysis import picture_parts
    from core.datasets import open_set
    from core.errors import UnknownName

    opened = open_set(image_set)
    if image not in opened.image_ids:
        raise UnknownName(f"{image_set} has no picture {image!r}; its ids look like {opened.image_ids[0]!r}.")
    index = list(opened.image_ids).index(image)
    named = [of in (key, name) for key, name in zip(opened.keys, opened.names, strict=True)]
    if of and not any(named):
        raise UnknownName(f"{image_set} has no class {of!r}.")
    label = named.index(True) if of else int(opened.labels[index])
    lens = _lens(model, image_set, prompts, "float32")
    with progress_bar() as report:
        found = picture_parts.parts_of_lens(
            lens, image_set=opened, index=index, of=label, method=method, cells=cells, report=report
        )
    about = {"model": lens.model, "set": image_set, "image": image, "class": opened.keys[label], "prompts": prompts}
    note = "An aid to explanation: the map depends on the grid and on what covers a cell."
    echo_json({**about, **picture_parts.as_json(found), "note": note})


def _lens(model: str, image_set: str, prompts: str, precision: str) -> Lens:
    from core.models.registry import canonical

    return Lens(canonical(model), image_set, prompts, precision=precision)


def counts_of(lens: Lens, image_set: ImageSet, frequency: str | None) -> tuple[str, dict[str, int]]:
    """The source of counts (empty for none) and the counts of the classes that it knows."""
    from core.frequency import sources
    from core.frequency.table import join

    table = sources.table_for(lens.model, image_set.keys, image_set.names, frequency=frequency)
    return (table.name, join(table, image_set.keys, image_set.names)) if table else ("", {})


def _about(lens: Lens, source: str) -> dict[str, Any]:
    return {"model": lens.model, "set": lens.image_set, "prompts": lens.prompts, "frequency": source or None}


def _covered(image_set: ImageSet, used: int) -> dict[str, Any]:
    from core.datasets.coverage import coverage

    covered = coverage(image_set, used=used, skipped=image_set.left_out)
    say(covered)
    return covered.as_json()


def _tell(result: dict[str, Any], sentence: str, changes: tuple[GroupChange, ...], out: Path | None) -> None:
    from core.strict_json import write_json

    if out is None:
        echo_json(result)
        return
    write_json(result, out)
    typer.echo(sentence)
    echo_table(
        ("group", "classes", "n", "before", "after", "fixed", "broken"),
        [
            (one.group, one.classes, one.n, f"{one.before.value:.3f}", f"{one.after.value:.3f}", one.fixed, one.broken)
            for one in changes
        ],
    )
