"""``frequency count``, ``frequency import`` and ``frequency delete``: one's own counts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.catalogue import frequency
from core.cli.engines import Address, Chosen, Engine, chosen
from core.cli.options import AsJson, LabelColumn, Method, PathColumn, Split
from core.cli.output import echo_json, echo_table, echo_time, progress_bar
from core.cli.sets import read_as, say
from core.errors import BadInput

if TYPE_CHECKING:
    from core.counting import run


def register(app: typer.Typer) -> None:
    """Add this module's commands to ``frequency``."""
    frequency.command("count")(count)
    frequency.command("delete")(delete)
    frequency.command("import")(import_)


def count(
    captions: Annotated[str, typer.Argument(help="Path, folder, glob or URL of captions (for images, an image set).")],
    concepts: Annotated[str, typer.Option(help="A list of concepts (.txt, .csv, .json) or an image set.")],
    out: Annotated[Path, typer.Option(help="Folder for counts.csv and everything else.")],
    mode: Annotated[Literal["text", "text-paper", "image", "integrated"], typer.Option(help="What counts.")] = "text",
    scores: Annotated[str, typer.Option(help="Score matrix of the images: .npy or .parquet.")] = "",
    threshold: Annotated[
        list[float] | None, typer.Option(help="Score from which an image shows a concept; repeat for several. [0.5]")
    ] = None,
    column: Annotated[str, typer.Option(help="Column with captions; the likeliest one if not given.")] = "",
    id_column: Annotated[str, typer.Option(help="Column with the sample's id; # for the number of the row.")] = "",
    synonyms: Annotated[Path | None, typer.Option(help="JSON {concept: [terms]} or CSV concept,term.")] = None,
    attributes: Annotated[str, typer.Option(help="A list of attributes to pair with the concepts.")] = "",
    window: Annotated[int, typer.Option(help="Words of a phrase may stand within so many words, in any order.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, or Ray workers; all cores if not given.")
    ] = None,
    name: Annotated[str, typer.Option(help="Keep the counts as the frequency source counted:NAME.")] = "",
    model: Annotated[str, typer.Option(help="Without --scores: CLIP model that scores the images.")] = "",
    images: Annotated[str, typer.Option(help="With --model: image set, if not CAPTIONS.")] = "",
    prompts: Annotated[str, typer.Option(help="With --model: prompt strategy.")] = "simple",
    tagger: Annotated[str, typer.Option(help="text-paper: spaCy pipeline for captions [en_core_web_lg].")] = "",
    speller: Annotated[str, typer.Option(help="text-paper: spaCy pipeline for queries [en_core_web_sm].")] = "",
    label_column: LabelColumn = None,
    path_column: PathColumn = None,
    split: Split = None,
    engine: Engine = "local",
    address: Address = None,
    as_json: AsJson = False,
) -> None:
    """Count concepts in captions, images or both; a run that was stopped goes on where it was."""
    from core.counting import output, run
    from core.counting.names import concepts as listed
    from core.counting.names import synonyms as read_synonyms
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.frequency import counted

    if name:
        counted.check_name(name)
    if mode in ("image", "integrated") and not (scores or model):
        raise BadInput(f"--mode {mode} needs --scores F, or --model to score the images with CLIP.")
    choices = (label_column, path_column, split)
    found = listed(concepts if Path(concepts).expanduser().is_file() else read_as(concepts, *choices))
    pictures = None
    if model and not scores and mode in ("image", "integrated"):
        if images:
            images = read_as(images, *choices)
        elif mode == "image":
            captions = read_as(captions, *choices)
        pictures = coverage(open_set(images or captions, captions=True))
        say(pictures)
    further, left_out = read_synonyms(synonyms, found) if synonyms else ({}, [])
    request = run.Request(
        captions, found, mode=mode, synonyms=further, attributes=tuple(listed(attributes)) if attributes else (),
        column=column, id_column=id_column, window=window, scores=scores, thresholds=tuple(threshold or [0.5]),
        images=images, model=model, prompts=prompts, tagger=tagger, speller=speller, left_out=tuple(left_out),
    )  # fmt: skip
    computing = chosen(engine, address, workers, processes=True)
    with progress_bar() as report, _parts_by(computing) as parts_by:
        result = run.count(
            request, out, name=name, workers=workers, engine=parts_by, report=report, beforehand=echo_time
        )
    if name:
        counted.keep(out, name)
    facts = output.provenance(result)
    if pictures is not None:
        facts |= pictures.as_json()
    if as_json:
        echo_json(facts)
        return
    rows = sorted(result.counts(), key=lambda row: (row["count"] is None, -(row["count"] or 0), row["concept"]))
    echo_table(
        ("concept", "count", "status", "query"),
        [(r["concept"], "" if r["count"] is None else r["count"], r["status"], r["query"]) for r in rows[:20]],
    )
    if len(rows) > 20:
        typer.echo(f"… and {len(rows) - 20:,} more in {out / 'counts.csv'}")
    column_said = f" from column “{facts['column']}”" if facts["column"] else ""
    bad = f", {facts['bad_rows']:,} of them without a usable caption" if facts["bad_rows"] else ""
    bad += f" ({facts['undecoded_rows']:,} are not UTF-8)" if facts["undecoded_rows"] else ""
    typer.echo(f"{facts['rows']:,} rows{column_said}{bad}; {facts['seconds']:,.1f} s (engine: {computing}).")
    for item in result.left_out[:10]:
        typer.echo(f"left out: {item.item}: {item.reason}", err=True)
    if len(result.left_out) > 10:
        typer.echo(f"left out: {len(result.left_out) - 10:,} more, listed in {out / counted.PROVENANCE}", err=True)


def _parts_by(engine: Chosen) -> AbstractContextManager[run.Engine | None]:
    """Who counts the parts: a cluster's workers, or None for local processes."""
    if not engine.ray:
        return nullcontext()
    from core.cluster.counting import counting_on_ray

    return counting_on_ray(address=engine.address, workers=engine.workers)


def delete(name: Annotated[str, typer.Argument(help="counted:NAME (or NAME), or imported:NAME.")]) -> None:
    """Remove counts that were made here or imported."""
    from core.frequency import counted, imported

    if name.startswith(imported.PREFIX):
        imported.delete(name)
    else:
        name = counted.PREFIX + name.removeprefix(counted.PREFIX)
        counted.delete(name)
    typer.echo(f"Removed {name}.")


def import_(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines, Parquet or JSON with concepts and counts.")],
    name: Annotated[str, typer.Option(help="Keep the counts as the frequency source imported:NAME.")],
    concept_column: Annotated[str, typer.Option(help="Column or field of the concepts, if not found by itself.")] = "",
    count_column: Annotated[str, typer.Option(help="Column or field of the counts, if not found by itself.")] = "",
    method: Annotated[Method, typer.Option(help="What was counted.")] = "text",
    citation: Annotated[str, typer.Option(help="Where the counts come from, in words.")] = "",
    as_json: AsJson = False,
) -> None:
    """Bring in counts of concepts from a file: lists, NeglectedTails' metrics files, MetaCLIP's entry counts."""
    from dataclasses import asdict

    from core.frequency import imported

    found = imported.keep(
        file, name, method=method, concept_column=concept_column, count_column=count_column, citation=citation
    )
    if as_json:
        echo_json(asdict(found))
        return
    more = f", {found.unknown:,} listed without one" if found.unknown else ""
    typer.echo(
        f"{found.source}: {found.concepts:,} concepts with a count{more} "
        f"(“{found.concept_column}” and “{found.count_column}” of {file.name})."
    )
