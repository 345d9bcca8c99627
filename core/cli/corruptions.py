"""``robustness corruptions``: accuracy under ImageNet-C's corruptions and over perturbation sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import Also, Frequency, Model, Records, Strategy
from core.cli.output import echo_time, progress_bar
from core.cli.sets import reads_set, say
from core.errors import BadInput

Set = Annotated[
    str, typer.Argument(metavar="SET", help="A built-in id or a path, or the root of ImageNet-C's own folders.")
]


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(corruptions)
    app.command()(sequences)


@reads_set
def corruptions(
    model: Model,
    image_set: Set,
    out: Records = None,
    corruption: Annotated[
        list[str] | None, typer.Option(help="One of the nineteen, several times; by default the fifteen of mCE.")
    ] = None,
    severity: Annotated[list[int] | None, typer.Option(help="1 to 5, several times; by default all.")] = None,
    per_class: Annotated[
        int | None, typer.Option(min=1, help="Images of each class, drawn by the seed; by default all.")
    ] = None,
    prompts: Strategy = "simple",
    also: Also = None,
    reference: Annotated[
        str | None,
        typer.Option(
            help="Whose errors are 100 percent: a model, or alexnet (published, ImageNet only). By default "
            "supervised:icon-reference for icon sets and alexnet for ImageNet's 1,000 classes; none drops CE."
        ),
    ] = None,
    clean: Annotated[str | None, typer.Option(help="With ImageNet-C folders: the clean images as a set.")] = None,
    sequences: Annotated[
        bool, typer.Option("--sequences", help="Also perturbation sequences: flip probability and top-5 distance.")
    ] = False,
    perturbation: Annotated[
        list[str] | None, typer.Option(help="Only these perturbations, several times; implies --sequences.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Sequences of each perturbation, one picture a class.")] = 200,
    frequency: Frequency = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of the corruptions.")] = 0,
) -> None:
    """Accuracy under corruptions: CE, mCE and relative mCE, head against tail, flips.

    Corruptions are made in memory (pip install imagecorruptions-imaug); accuracies differ from the JPEG benchmark's by
    a few points. A folder of ROOT/CORRUPTION/SEVERITY/CLASS/* is read as it is; one condition of it, or a generated
    Stylized-ImageNet, is an ordinary image set: python -m core evaluate MODEL ROOT/gaussian_noise/3
    """
    from core.cli.records import accuracy, echo_records, number
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.robustness.corruptions.command import Asked, measure
    from core.robustness.corruptions.folders import conditions_in
    from core.robustness.corruptions.perturbations import PERTURBATIONS
    from core.robustness.corruptions.registry import BENCHMARK, SEVERITIES
    from core.robustness.corruptions.run import Plan
    from core.supervised.ask import named

    plan = Plan(
        corruptions=tuple(dict.fromkeys(corruption or BENCHMARK)),
        severities=tuple(sorted(set(severity or SEVERITIES))),
        per_class=per_class,
        seed=seed,
        prompts=prompts,
    )
    if clean and not Path(image_set).is_dir():
        raise BadInput("--clean belongs to a folder of ImageNet-C's conditions; a built-in set is its own clean set.")
    asked = Asked(
        models=tuple(dict.fromkeys(named(one) for one in (model, *(also or [])))),
        image_set=image_set,
        plan=plan,
        reference=reference,
        clean=clean,
        frequency=frequency,
        perturbations=tuple(dict.fromkeys(perturbation or (PERTURBATIONS if sequences else ()))),
        sequences=most,
    )
    with progress_bar() as report:
        found = measure(asked, report=report, beforehand=echo_time)
    covered = None if conditions_in(Path(image_set).expanduser()) else coverage(open_set(asked.image_set))
    if covered:
        say(covered)
    table = echo_records(
        found,
        out,
        ("model", "condition", "severity", "acc1", "95 %", "head", "tail", "CE", "flip", "n"),
        lambda one: (
            one.model,
            one.condition,
            one.severity or "",
            *accuracy(one),
            *(number(one, name) for name in ("head", "tail")),
            number(one, "mce" if "mce" in one.more else "ce", ".1f"),
            number(one, "mfp" if "mfp" in one.more else "flip"),
            one.n,
        ),
        covered=covered,
    )
    names = {one.reference for one in table if one.reference}
    if table:
        told = f"CE in percent of {', '.join(names)}." if names else "No reference, so no CE; name one by --reference."
        typer.echo(told)


def sequences(
    model: Model,
    image_set: Annotated[
        str, typer.Argument(metavar="SET", help="Root of ImageNet-P's folders of mp4 files, or an image set.")
    ],
    out: Records = None,
    perturbation: Annotated[list[str] | None, typer.Option(help="Only these, several times; by default all.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Sequences of each perturbation, spread over the classes.")] = 200,
    prompts: Strategy = "simple",
    also: Also = None,
    reference: Annotated[
        str | None, typer.Option(help="The model whose flip probability is 100 percent (AlexNet in the paper).")
    ] = None,
    frequency: Frequency = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, and of sequences made in memory.")] = 0,
) -> None:
    """Perturbation sequences alone: flip probability (FP), flip rate against a reference (FR, mFR), top-5 distance.

    ROOT/PERTURBATION/CLASS/*.mp4 is read through PyAV (pip install av); of any other image set sequences are made in
    memory, one picture a class.
    """
    from core.cli.records import accuracy, echo_records, number
    from core.robustness.corruptions.command import Asked, measure_sequences
    from core.robustness.corruptions.run import Plan
    from core.supervised.ask import named

    asked = Asked(
        models=tuple(dict.fromkeys(named(one) for one in (model, *(also or [])))), image_set=image_set,
        plan=Plan(seed=seed, prompts=prompts), reference=reference, frequency=frequency,
        perturbations=tuple(dict.fromkeys(perturbation or ())), sequences=most,
    )  # fmt: skip
    with progress_bar() as report:
        found = measure_sequences(asked, report=report)
    echo_records(
        found,
        out,
        ("model", "condition", "acc1", "95 %", "FP", "FR", "T5D", "n"),
        lambda one: (
            one.model,
            one.condition,
            *accuracy(one),
            number(one, "mfp" if "mfp" in one.more else "flip", ".4f"),
            number(one, "mfr" if "mfr" in one.more else "flip_rate", ".1f"),
            number(one, "t5d", ".2f"),
            one.n,
        ),
    )
