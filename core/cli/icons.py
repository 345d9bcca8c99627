"""``icons``: regenerate everything the embedded world commits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cache import keys
from core.cli.output import progress_bar
from core.errors import UnknownName
from core.icons.concepts import ASSETS

app = typer.Typer(help="The embedded world: write its corpora and counts, train its models.", no_args_is_help=True)
Device = Annotated[str | None, typer.Option(help="cuda, mps or cpu; default: the best one here.")]
MODELS = ASSETS.parent / "models"


@app.command()
def corpus(name: str, out: Annotated[Path, typer.Option(help="Folder for NAME.parquet.")]) -> None:
    """Write the captions and drawn labels of a corpus as parquet."""
    from core.icons.training.export import write_corpus

    typer.echo(str(write_corpus(name, out)))


@app.command()
def counts() -> None:
    """Recount every corpus: concepts (assets/icons/counts), (colour, icon) pairs (assets/icons/pairs), spellings."""
    from core.composition.counts import FOLDER, write_icon_counts
    from core.icons.counts import COUNTS, write_counts
    from core.icons.synonyms import SYNONYMS, write_synonyms

    write_counts()
    write_synonyms()
    write_icon_counts()
    typer.echo(f"{COUNTS}\n{SYNONYMS}\n{FOLDER}")


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="For example icon-RN,icons-200k (see core/icons/training/train.py).")],
    device: Device = None,
) -> None:
    """Train one icon model from scratch (resumes after a stop) and write it to assets/models."""
    from core.icons.training.train import train as run

    with progress_bar() as report:
        folder = run(name, out=MODELS, work=keys.root() / "training", device=device, report=report)
    typer.echo(str(folder))


@app.command()
def answers(
    name: Annotated[str, typer.Argument(help="An icon model, e.g. icon-RN,icons-200k.")],
    prompts: Annotated[str, typer.Option(help="A strategy named by one word.")] = "simple",
    image_set: Annotated[str, typer.Option("--set", help="icons, or icons-composition for Composition.")] = "icons",
) -> None:
    """Evaluate an icon model on a built-in set and commit its per-image answers beside its weights."""
    from core.composition import shipped as comparisons
    from core.evaluation import shipped

    if image_set not in (shipped.SET, comparisons.SET):
        raise UnknownName(f"No answers on {image_set!r} ship; --set is {shipped.SET} or {comparisons.SET}.")
    with progress_bar() as report:
        if image_set == shipped.SET:
            written = shipped.write_answers(name, prompts=prompts)
        else:
            written = comparisons.write_comparison(name, prompts=prompts, report=report)
    typer.echo(str(written))


@app.command()
def classifier(
    name: Annotated[str, typer.Argument(help="The tower and corpus, e.g. icon-RN,icons-200k.")], device: Device = None
) -> None:
    """Train the supervised classifier that ships beside an icon model and write it to assets/supervised."""
    from core.icons.training.classifier import SHIPPED, train
    from core.supervised.names import SHIPPED as folder

    if name not in SHIPPED:
        raise UnknownName(f"No supervised classifier {name!r} ships; there is {', '.join(SHIPPED)}.")
    command = f"python -m core icons classifier {name}"
    work = keys.root() / "training"
    with progress_bar() as report:
        written = train(name, SHIPPED[name], out=folder, work=work, device=device, command=command, report=report)
    typer.echo(str(written))


@app.command()
def baselines(
    out: Annotated[Path | None, typer.Option(help="The CSV; default: the committed one.")] = None, device: Device = None
) -> None:
    """Train the standard models that effective robustness is measured against, and put them on every shift.

    Also writes the reference model and the adversarial set that is filtered with it.
    """
    from core.robustness.shifts.baseline_table import ICONS, write_baselines

    with progress_bar() as report:
        written = write_baselines(out or ICONS, work=keys.root() / "training", device=device, report=report)
    typer.echo(str(written))


@app.command()
def adversarial() -> None:
    """Search for pictures that the reference model gets wrong and write their numbers (assets/robustness)."""
    from core.robustness.shifts.adversarial import write_adversarial

    with progress_bar() as report:
        written = write_adversarial(report=report)
    typer.echo(str(written))
