"""``fetch``, ``cache``, ``bench``: what is on disk and how fast it is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.options import AsJson, Yes
from core.cli.output import echo_json, echo_table, fields, megabytes, progress_bar

if TYPE_CHECKING:
    from core.downloads.plan import Plan

fetch = typer.Typer(help="Download weights or image sets; sizes are stated first.", no_args_is_help=True)
cache = typer.Typer(help="Cached embeddings and answers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.add_typer(fetch, name="fetch")
    app.add_typer(cache, name="cache")
    app.command()(bench)


@fetch.command("model")
def fetch_model(pair: str, yes: Yes = False) -> None:
    """Download the weights of ARCH,PRETRAINED or hf-hub:org/repo to where open_clip looks for them."""
    from core.downloads import plan_model

    _run(plan_model(pair), yes=yes)


@fetch.command("set")
def fetch_set(
    set_id: Annotated[str, typer.Argument(metavar="ID", help="letitwag, or wds_NAME from the clip-benchmark hub.")],
    per_class: Annotated[int | None, typer.Option(min=1, help="Only the first images of every class.")] = None,
    yes: Yes = False,
) -> None:
    """Download an image set into the cache."""
    from core.downloads import plan_set

    _run(plan_set(set_id, per_class=per_class), yes=yes)


@fetch.command("counts")
def fetch_counts(
    name: Annotated[str, typer.Argument(help="A pack of counts, such as metaclip-400m or neglectedtails-laion2b.")],
    yes: Yes = False,
) -> None:
    """Download concept counts that others published, as the frequency source imported:NAME."""
    from core.downloads.counts import plan_counts
    from core.frequency import imported

    _run(plan_counts(name), yes=yes)
    found = next(info for info in imported.infos() if info.name == f"{imported.PREFIX}{name}")
    typer.echo(f"{found.name}: {found.concepts:,} concepts with a count.")


@fetch.command("descriptions")
def fetch_descriptions(
    dataset: Annotated[str, typer.Argument(help="An image set as the release calls it, such as dtd or imagenet.")],
    yes: Yes = False,
) -> None:
    """Download the class descriptions by GPT-4 with which arXiv 2404.04125 tagged images, as a prompt file."""
    from core.downloads import descriptions
    from core.published.manifest import CITATION

    entry = descriptions.announced(dataset)
    typer.echo(f"{descriptions.title(dataset)}; {megabytes(entry.size)}. {CITATION}.")
    if not yes:
        typer.confirm(f"Download {megabytes(entry.size)}?", abort=True)
    path = descriptions.fetch(entry)
    typer.echo(f"{path}\nUse it with --prompts {shlex.quote(str(path))}.")


def _run(plan: Plan, *, yes: bool) -> None:
    from core.downloads import run

    typer.echo(plan.sentence)
    if not yes and plan.bytes:
        typer.confirm(f"Download {megabytes(plan.bytes)}?", abort=True)
    with progress_bar() as report:
        folder = run(plan, report=report)
    typer.echo(str(folder))


@cache.command("info")
def cache_info(as_json: AsJson = False) -> None:
    """What is cached, how large it is and by which policy it goes."""
    from cache import keys
    from core.evaluation.evaluate import matrices, results

    entries = matrices().entries()
    small = results().info()
    if as_json:
        echo_json(
            {
                "folder": str(keys.root()),
                "matrices": fields(entries, "key", "bytes", "rows", "dim", "complete", "meta"),
                "results": fields([small], "values", "bytes", "limit")[0],
            }
        )
        return
    typer.echo(f"{keys.root()}: {len(entries)} embedding matrices, {megabytes(sum(e.bytes for e in entries))}")
    echo_table(
        ("key", "rows", "dim", "size", "complete", "model", "set"),
        [
            (e.key, e.rows, e.dim, megabytes(e.bytes), e.complete, e.meta.get("model", ""), e.meta.get("set", ""))
            for e in entries
        ],
    )
    typer.echo(
        f"{small.values} small values, {megabytes(small.bytes)} of at most {megabytes(small.limit)}; "
        "those stored longest ago go first, embedding matrices stay until cleared."
    )


@cache.command("verify")
def cache_verify() -> None:
    """Check vectors and drawn pictures against their full checksums; what is damaged is made again when it is needed.

    Files that killed processes left unfinished are deleted.
    """
    from core.evaluation import cache_check

    if orphans := cache_check.remove_orphans():
        typer.echo(f"{orphans} unfinished files that killed processes left behind were deleted")
    problems = cache_check.verify_all()
    for problem in problems:
        typer.echo(problem)
    typer.echo("no damage found" if not problems else f"{len(problems)} damaged")
    if problems:
        raise typer.Exit(1)


@cache.command("clear")
def cache_clear(yes: Yes = False) -> None:
    """Delete cached embeddings and answers (fetched models and image sets stay)."""
    from cache import CacheError
    from core.evaluation import cache_check
    from core.evaluation.evaluate import matrices

    entries = matrices().entries()
    if not yes:
        size = sum(entry.bytes for entry in entries)
        typer.confirm(f"Delete {len(entries)} matrices ({megabytes(size)}) and all cached answers?", abort=True)
    cleared, in_use = 0, []
    for entry in entries:
        try:
            matrices().remove(entry.key)
            cleared += entry.bytes
        except CacheError as error:
            in_use.append(str(error))
    try:
        cache_check.clear_results()
    except CacheError as error:
        in_use.append(str(error))
    cache_check.remove_orphans()
    typer.echo(f"cleared {megabytes(cleared)}")
    if in_use:
        raise CacheError(" ".join(in_use))


def bench(
    as_json: AsJson = False,
    only: Annotated[list[str] | None, typer.Option(help="Run only these rows.")] = None,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Run the rows that need a graphics card, about ten minutes.")
    ] = False,
) -> None:
    """Measure speed as ratios within this run, each against a peer or a limit."""
    from core.bench import GPU, rows

    measured = rows([*(only or ()), *(GPU if gpu else ())])
    if as_json:
        echo_json([row.as_dict() for row in measured])
        return
    echo_table(
        ("name", "ratio", "aim", "against", "n", "reason"),
        [
            (r.name, "-" if r.ratio is None else f"{r.ratio:.2f}", f"{r.op} {r.aim}", r.against, r.n, r.reason)
            for r in measured
        ],
    )
