"""``robustness shifts``, ``overlap`` and ``curate``: other sets of the same classes, and flaws within one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import AsJson, Frequency, Model, Records, Set, Strategy
from core.cli.output import echo_json, echo_table, echo_time, progress_bar
from core.cli.sets import reads_set, say
from core.errors import BadInput
from core.opening import read_regular

Cosine = Annotated[float, typer.Option(help="Least cosine of the vectors of a pair.")]
Bits = Annotated[int, typer.Option(help="Most bits of the 64-bit perceptual hashes that differ.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(shifts)
    app.command()(overlap)
    app.command()(curate)


@reads_set
def shifts(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="One or more, zero-shot or supervised.")],
    image_set: Annotated[str, typer.Argument(metavar="SET", help="The set in distribution: icons, or a path.")],
    shift: Annotated[
        list[str] | None,
        typer.Option(
            help="A shifted set: id, path, or SET#over=imagenet; several times. Default: all shifts of icons."
        ),
    ] = None,
    prompts: Strategy = "simple",
    baselines: Annotated[
        Path | None, typer.Option(help="imagenet-testbed's robustness_top1s.csv, or a table like it.")
    ] = None,
    types: Annotated[
        Path | None, typer.Option(help="CSV of model and type, to fit the standard ones only; the testbed's own ship.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="SHIFT=IN:OUT, columns of the table where names do not say it.")
    ] = None,
    against: Annotated[str | None, typer.Option(help="Relative robustness against this model; default: first.")] = None,
    frequency: Frequency = None,
    out: Records = None,
) -> None:
    """Accuracy, drop, relative and effective robustness of models under natural shifts."""
    from core.cli.records import accuracy, echo_records, number
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.robustness.shifts.baselines import ICONS, MOST_BYTES, icon_baselines, read_baselines, read_types
    from core.robustness.shifts.measure import board, icon_shifts
    from core.robustness.shifts.records import fit_sets, records
    from core.supervised.ask import estimate, named

    asked = [named(one) for one in models]
    base = named(against) if against else asked[0]
    if base not in asked:
        raise BadInput(f"--against {against} is none of the models that are measured; add it to them.")
    ids = shift or (icon_shifts() if image_set == "icons" else [])
    if not ids:
        raise BadInput(f"Say which shifts of {image_set} to look at: --shift SET, several times.")
    table = None
    if baselines is not None:
        given = read_types(read_regular(types, limit=MOST_BYTES), name=types.name) if types else None
        table = read_baselines(baselines, types=given)
        typer.echo(f"{table.name}: {table.note}", err=True)
    elif image_set == "icons" and ICONS.exists():
        table = icon_baselines()
    pairs = _columns(column or [])
    reference, others = open_set(image_set), [open_set(id) for id in ids]
    covered = coverage(reference)
    for one in (reference, *others):
        say(coverage(one))
    with progress_bar() as report:
        echo_time(estimate(asked, [reference, *others], prompts=prompts, report=report))
        found = board(asked, reference, others, prompts=prompts, frequency=frequency, report=report)
    fits, without = fit_sets(found, table, columns=pairs)
    rows = records(found, image_set, fits=fits, table=table.name if table else None, against=base)
    for condition, reason in without.items():
        typer.echo(f"no effective robustness for {condition}: {reason}", err=True)
    echo_records(
        rows,
        out,
        ("model", "condition", "acc1", "95 %", "drop", "tau", "rho", "n", ""),
        lambda row: (
            row.model,
            row.condition,
            *accuracy(row),
            *(number(row, name, "+.3f") for name in ("drop", "tau", "rho")),
            row.n,
            "not ranked" if row.more.get("excluded_from_ranking") else "",
        ),
        covered=covered,
    )


def _columns(texts: list[str]) -> dict[str, tuple[str, str]]:
    found = {}
    for text in texts:
        shift, equals, columns = text.rpartition("=")
        x, colon, y = columns.partition(":")
        if not (equals and colon and shift and x and y):
            raise BadInput(f"{text!r} names no columns; write SHIFT=IN:OUT, for example imagenet-r=val:imagenet-r.")
        found[shift] = (x, y)
    return found


@reads_set
def overlap(
    model: Model,
    image_set: Set,
    listed: Annotated[Path | None, typer.Option("--list", help="Ids of images known to overlap: text or CSV.")] = None,
    against: Annotated[
        str | None, typer.Option(help="Find them in this set: id or path. SET itself: near-duplicates within it.")
    ] = None,
    prompts: Strategy = "simple",
    cosine: Cosine = 0.95,
    bits: Bits = 10,
    finder: Annotated[str | None, typer.Option(help="Model whose vectors find the pairs; default: MODEL.")] = None,
    out: Records = None,
) -> None:
    """Accuracy on all images, on those that a training set holds too, and on the clean rest."""
    from core.cli.records import accuracy, echo_records
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.robustness.shifts import overlap as overlaps
    from core.robustness.shifts.measure import hits
    from core.supervised.ask import answer_for, named

    if (listed is None) == (against is None):
        raise BadInput("Give --list FILE with the ids of overlapping images, or --against SET to find them.")
    name, opened = named(model), open_set(image_set)
    covered = coverage(opened)
    say(covered)
    with progress_bar() as report:
        if listed is not None:
            rows, unknown = overlaps.locate(opened, overlaps.read_ids(listed))
            if unknown:
                typer.echo(f"{len(unknown)} listed names are no image of {image_set}: {unknown[0]} ...", err=True)
        else:
            looked = named(finder) if finder else name
            searched = opened if against == image_set else open_set(against or image_set)
            echo_time(overlaps.estimate(looked, [opened, searched], report=report))
            pairs = overlaps.find(looked, opened, searched, cosine=cosine, bits=bits, report=report)
            rows = overlaps.overlapping(opened, searched, pairs)
            for pair in pairs:
                typer.echo(f"{pair.image} ~ {pair.other}: cosine {pair.cosine:.4f}, {pair.bits} bits", err=True)
        answer = answer_for(name, opened, prompts=prompts, report=report)
    found = overlaps.overlap(answer, hits(answer, opened), rows)
    result = overlaps.records(found, answer.lens, source=str(listed or against))
    result = [replace(one, more={**one.more, "prompt_notes": list(answer.prompt_notes)}) for one in result]
    table = echo_records(
        result,
        out,
        ("images", "acc1", "95 %", "n"),
        lambda one: (one.condition, *accuracy(one), one.n),
        covered=covered,
    )
    if table:
        typer.echo(
            f"overlapping minus clean {100 * found.gap.value:+.1f} points (95 % CI {100 * found.gap.low:+.1f} to "
            f"{100 * found.gap.high:+.1f}); all minus clean {100 * found.gain:+.2f}"
        )


@reads_set
def curate(model: Model, image_set: Set, cosine: Cosine = 0.95, bits: Bits = 10, as_json: AsJson = False) -> None:
    """Near-duplicates within a set, different classes first, and pictures far from the others of their class."""
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.models.registry import canonical
    from core.robustness.shifts import curation
    from core.robustness.shifts.overlap import estimate

    opened = open_set(image_set)
    model = canonical(model)
    with progress_bar() as report:
        echo_time(estimate(model, [opened], report=report))
        found = curation.curate(model, opened, cosine=cosine, bits=bits, report=report)
    covered = coverage(opened)
    say(covered)
    if as_json:
        echo_json({
            "model": model, "set": opened.id, "cosine": cosine, "bits": bits,
            **curation.as_json(found, opened), **covered.as_json(),
        })  # fmt: skip
        return
    header, rows = curation.pair_rows(found.pairs, opened)
    echo_table(header, [[*row[:4], f"{row[4]:.4f}", row[5]] for row in rows])
    listed = [(one.image, one.key, f"{one.cosine:.3f}", f"{one.score:.1f}", one.nearest) for one in found.outliers]
    echo_table(("outlier", "class", "cosine", "score", "nearest"), listed)
    typer.echo(curation.headline(found))
