"""``python -m core published``: the released evidence without a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from core.cli.options import AsJson
from core.cli.output import echo_json, echo_table, fields, megabytes, progress_bar
from core.types import Progress

if TYPE_CHECKING:
    from core.published.importer import ImportReport

app = typer.Typer(help="The frequency–performance results that the paper's authors released.", no_args_is_help=True)
Pretraining = Annotated[str, typer.Option(help="Pretraining set, such as cc3m or laion400m.")]
Model = Annotated[str, typer.Option(help="Model, such as RN50.")]
Recipe = Annotated[Literal["honest", "paper"], typer.Option(help="honest, or paper (exactly as released).")]
Datasets = Annotated[str | None, typer.Option(help="Comma-separated data sets; default: those of the figures.")]


@app.command("fetch")
def fetch() -> None:
    """Download the release (26 MB) at its pinned commit, verified file by file, and import it."""
    from core.published import fetch as fetching
    from core.published.importer import import_release

    todo = fetching.outstanding()
    typer.echo(f"{len(todo)} files, {megabytes(fetching.total_bytes(todo))}, from {fetching.base()}")
    with progress_bar() as report:
        folder = fetching.fetch_release(report=report)
        result = import_release(folder, report=report)
    _tell(result, as_json=False)


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A clone, a folder, or a zip or tar archive of the release.")],
    as_json: AsJson = False,
) -> None:
    """Read a copy of the release that is already on this disk."""
    from core.published.importer import import_release

    with progress_bar() as report:
        result = import_release(path, report=report)
    _tell(result, as_json=as_json)


@app.command("forget")
def forget() -> None:
    """Drop what was imported: the tables that ship with Tailscope are used again."""
    from core.published.importer import forget as drop
    from core.published.manifest import CITATION

    drop()
    typer.echo(f"In use: the tables that ship. {CITATION}.")


@app.command("ship", hidden=True)
def ship(path: Annotated[Path, typer.Argument(help="A clone of the release at its pinned commit.")]) -> None:
    """Write the tables that ship with Tailscope anew (for its maintainers)."""
    from core.analysis import overview
    from core.published import letitwag_assets, store
    from core.published.importer import ship as write

    with progress_bar() as report:
        result = write(path, report=report)
    letitwag_assets.write_assets(store=store.Store(store.SHIPPED))
    overview.write()
    size = sum(file.stat().st_size for file in store.SHIPPED.iterdir())
    typer.echo(f"{sum(result.read.values())} files read, {megabytes(size)} in {store.SHIPPED}")


def _tell(result: ImportReport, *, as_json: bool) -> None:
    if as_json:
        echo_json(result.as_json())
        return
    typer.echo(
        f"Imported {sum(result.read.values())} files ({', '.join(f'{n} {kind}' for kind, n in result.read.items())})."
    )
    typer.echo(
        f"{len(result.skipped)} skipped, {len(result.missing)} of the release missing, {len(result.unlisted)} unlisted."
    )
    for item in (*result.skipped[:20], *result.unlisted[:20]):
        typer.echo(f"  {item.item}: {item.reason}")
    for odd in result.anomalies:
        typer.echo(f"  {odd.kind}{f' ({odd.where})' if odd.where else ''}: {odd.sentence} {odd.handled}")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Name every combination, with its status and why some are absent."""
    from core.published.curves import listing

    found = listing()
    if as_json:
        echo_json(found)
        return
    columns = ("family", "pretraining", "method", "model", "status", "reason")
    echo_table(
        (*columns[:3], "prompts or metric", *columns[3:]),
        [
            [item[name] or "–" for name in columns[:3]]
            + [item.get("prompts") or item.get("metric")]
            + [item[name] for name in columns[3:]]
            for item in found
        ],
    )


@app.command("slopes")
def slopes(
    method: Annotated[str, typer.Option(help="How the pretraining sets were counted.")] = "integrated_tlemmatized_i0.7",
    prompts: Annotated[str, typer.Option(help="class, simple or ensemble.")] = "ensemble",
    as_json: AsJson = False,
) -> None:
    """Points per tenfold count of every model against its size, and how they change with size within training sets."""
    from dataclasses import asdict

    from core.published import scale

    with progress_bar() as report:
        found, absent = scale.slopes(method=method, prompts=prompts, report=report)
    change = scale.effect(found)
    if as_json:
        echo_json(
            {
                "slopes": [asdict(one) for one in found],
                "change_per_tenfold_parameters": asdict(change),
                "absent": [{"model": item.item, "reason": item.reason} for item in absent],
            }
        )
        return
    echo_table(
        ("model", "pretraining", "parameters, M", "slope", "95 %", "n"),
        [
            (one.model, one.pretraining, "" if one.parameters is None else f"{one.parameters:.0f}",
             f"{one.slope.value:.2f}", f"{one.slope.low:.2f}-{one.slope.high:.2f}", one.n)
            for one in found
        ],
    )  # fmt: skip
    typer.echo(change.sentence)


@app.command("thresholds")
def thresholds(
    pretraining: Annotated[str | None, typer.Option(help="Only models trained on this set, such as cc3m.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model, such as RN50.")] = None,
    prompts: Annotated[str, typer.Option(help="class, simple or ensemble.")] = "class",
    datasets: Datasets = None,
    as_json: AsJson = False,
) -> None:
    """Counts and curves of every RAM++ threshold and way of counting, beside the paper's own; some 1.5 s a curve."""
    from core.errors import UnknownName
    from core.published import thresholds as counting
    from core.published import view
    from core.published.names import ZERO_SHOT
    from core.published.store import open_store

    known = view.models(open_store(), ZERO_SHOT)
    chosen = [one for one in known if model in (None, one[0]) and pretraining in (None, one[1])]
    if not chosen:
        listed = ", ".join(f"{name} on {of}" for name, of in known)
        raise UnknownName(f"No counted model of that name and pretraining set; there are {listed}.")
    with progress_bar() as report:
        found, absent = counting.thresholds(chosen, prompts=prompts, datasets=_names(datasets), report=report)
    if as_json:
        echo_json(
            {
                "headline": counting.HEADLINE_METHOD,
                "prompts": prompts,
                "curves": [one.as_json() for one in found],
                "absent": [{"curve": item.item, "reason": item.reason} for item in absent],
            }
        )
        return
    echo_table(
        ("model", "pretraining", "counted by", "n", "never", "median", "/headline", "slope", "95 %", "paper's r"),
        [
            (one.model, one.pretraining, one.method, one.n, one.zeros, f"{one.median:,.0f}", f"{one.ratio:.2f}",
             f"{one.slope.value:.2f}", f"{one.slope.low:.2f} to {one.slope.high:.2f}", f"{one.r:.2f}")
            for one in found
        ],
    )  # fmt: skip
    for item in absent:
        typer.echo(f"Absent: {item.item}. {item.reason}")


@app.command("models")
def models(as_json: AsJson = False) -> None:
    """Models with published per-class accuracies, by open_clip's name, with the authors' spelling and which weights."""
    from core.published.models import published_models

    found = published_models()
    if as_json:
        echo_json(fields(found, "id", "backbone", "pretraining", "families", "note"))
        return
    rows = [(one.id, f"{one.backbone},{one.pretraining}", ", ".join(one.families)) for one in found]
    echo_table(("model", "as released", "results"), rows)


@app.command("sets")
def sets(as_json: AsJson = False) -> None:
    """Image sets with published per-class accuracies, their strategies, and images a class where known."""
    from core.published.answers import published_sets

    found = published_sets()
    if as_json:
        echo_json(fields(found, "id", "title", "strategies", "images"))
        return
    rows = [(one.id, one.title, ", ".join(one.strategies), one.images or "?") for one in found]
    echo_table(("set", "title", "prompts or metrics", "images a class"), rows)


@app.command("curve")
def curve(
    pretraining: Pretraining,
    model: Model,
    family: Annotated[str, typer.Option(help="zero-shot, retrieval or text-to-image.")] = "zero-shot",
    method: Annotated[
        str, typer.Option(help="Search method, named as in the count files.")
    ] = "integrated_tlemmatized_i0.7",
    prompts: Annotated[str | None, typer.Option(help="class, simple or ensemble (zero-shot).")] = None,
    metric: Annotated[
        str | None, typer.Option(help="Such as t2i_k=10 (retrieval) or human_align (text-to-image).")
    ] = None,
    datasets: Datasets = None,
    recipe: Recipe = "honest",
    as_json: AsJson = False,
) -> None:
    """Print one curve."""
    from core.published.curves import curve_record

    if prompts is None and metric is None and family in ("zero-shot", "zeroshot", "zs"):
        prompts = "class"
    record = curve_record(
        family=family,
        pretraining=pretraining,
        method=method,
        model=model,
        prompts=prompts,
        metric=metric,
        datasets=_names(datasets),
        recipe=recipe,
    )
    if as_json:
        echo_json(record)
        return
    from core.published.sentences import finding

    typer.echo(finding(record))


@app.command("curves")
def curves(
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    family: Annotated[str | None, typer.Option(help="Only this family.")] = None,
    pretraining: Annotated[str | None, typer.Option(help="Only this pretraining set.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    method: Annotated[str | None, typer.Option(help="Only this search method.")] = None,
    prompts: Annotated[str | None, typer.Option(help="Only this prompt strategy.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only this metric.")] = None,
    datasets: Datasets = None,
    recipe: Recipe = "paper",
    as_json: AsJson = False,
) -> None:
    """Write the records of every combination of the release."""
    from core.published.curves import curves as all_curves
    from core.strict_json import write_json

    with progress_bar() as report:
        records = list(
            all_curves(
                recipe=recipe,
                family=family,
                pretraining=pretraining,
                model=model,
                method=method,
                condition=prompts or metric,
                datasets=_names(datasets),
                report=report,
            )
        )
    if out is not None:
        write_json(records, out)
    if as_json and out is None:
        echo_json(records)
    elif not as_json:
        typer.echo(f"{len(records)} curves{f' in {out}' if out else ''}")


@app.command("decades")
def decades(pretraining: Pretraining, model: Model, as_json: AsJson = False) -> None:
    """Mean accuracy per decade of frequency, in the recipe that reproduces the paper's Table 6."""
    from core.published.curves import decades as decades_of

    result = decades_of(pretraining, model)
    if as_json:
        echo_json(result)
        return
    typer.echo(f"{result['recipe']['prompts']}, {result['recipe']['method']}: {result['recipe']['edges_rule']}")
    echo_table(
        ("from", "to", "n", "mean"),
        [
            (row["from"], row["to"], row["n"], "–" if row["mean"] is None else f"{row['mean']:.2f}")
            for row in result["decades"]
        ],
    )


@app.command("concept")
def concept(
    name: Annotated[str, typer.Argument(help="A concept as the release spells it, such as “golden retriever”.")],
    family: Annotated[
        str | None, typer.Option(help="Only zero-shot, retrieval, text-to-image or letitwag results.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print every released score of one concept: all models, prompt strategies and metrics."""
    from dataclasses import asdict

    from core.published import catalogue, one_concept
    from core.published.names import LET_IT_WAG, TEXT_TO_IMAGE
    from core.published.store import open_store

    chosen = family if family in (None, LET_IT_WAG) else catalogue.family_of(family)
    found = one_concept.scores(open_store(), name, chosen or "")
    if as_json:
        echo_json({"concept": name, "scores": [asdict(one) for one in found], "absent": one_concept.ABSENT})
        return
    echo_table(
        ("family", "data set", "prompts or metric", "model", "pretraining", "value", "prompts"),
        [
            (one.family, one.dataset, one.condition, one.model, one.pretraining or "–", f"{one.value:.4g}",
             one.n or "–")
            for one in found
        ],
    )  # fmt: skip
    if any(one.family == TEXT_TO_IMAGE for one in found):
        typer.echo(one_concept.ABSENT)


@app.command("claims")
def claims(
    claim: Annotated[list[str] | None, typer.Argument(help="Only these, such as misalignment; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute what the paper states: misalignment, correlations, dips, decades, Let It Wag! and others."""
    from dataclasses import asdict

    from core.published import claims as checking

    names = claim or list(checking.CLAIMS)
    with progress_bar() as report:
        checked = []
        for done, name in enumerate(names):
            report(Progress(done, len(names), "Claims"))
            checked.append(checking.check(name))
    if as_json:
        echo_json([asdict(one) for one in checked])
        return
    for one in checked:
        typer.echo(f"{one.title} ({one.id}): {one.verdict}.\n  Stated: {one.stated}\n  Found: {one.found}")


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] if text else None
