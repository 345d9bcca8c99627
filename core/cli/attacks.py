"""``robustness attacks``: how much of a classifier's accuracy small changes of the pixels leave."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.options import Also, Frequency, Model, Records, Set, Strategy
from core.cli.output import echo_time, progress_bar
from core.cli.sets import reads_set, say
from core.errors import BadInput


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(attacks)
    app.command()(written)


@reads_set
def attacks(
    model: Model,
    image_set: Set,
    out: Records = None,
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="fgsm, bim, mim, dim, deepfool, pgd, apgd (gradients), nes, spsa (scores), typographic; noise and "
            "letters are controls. Several times; by default all but the score-based two."
        ),
    ] = None,
    eps: Annotated[
        list[float] | None, typer.Option(help="Strength in 255ths, several times; by default 1, 2, 4.")
    ] = None,
    units: Annotated[
        Literal["pixel", "normalised"],
        typer.Option(help="pixel: ε of [0, 1]. normalised: ε after mean and std, about a quarter of that for CLIP."),
    ] = "pixel",
    prompts: Annotated[
        list[str] | None, typer.Option(help="Prompt strategy, several times; by default simple.")
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="Images, spread evenly over the classes by the seed.")] = 100,
    few: Annotated[int, typer.Option(min=1, help="Images at most for nes and spsa (thousands of passes each).")] = 16,
    also: Also = None,
    surrogate: Annotated[
        list[str] | None, typer.Option(help="Also craft fgsm, bim, mim, dim ... on this model; several times.")
    ] = None,
    matrix: Annotated[bool, typer.Option("--matrix", help="Craft on each model for every other one.")] = False,
    transfer_only: Annotated[bool, typer.Option("--transfer-only", help="Leave the direct attacks out.")] = False,
    bisect: Annotated[
        list[str] | None, typer.Option(help="Search for every image's minimal ε under this attack; several times.")
    ] = None,
    preset: Annotated[list[str] | None, typer.Option(help="ATTACK=PRESET, e.g. apgd=autoattack.")] = None,
    loss: Annotated[
        Literal["own", "ce", "margin", "dlr"], typer.Option(help="What is climbed, where an attack can (dlr: apgd).")
    ] = "own",
    guard: Annotated[bool, typer.Option(help="Also try the margin loss on what cross-entropy leaves standing.")] = True,
    frequency: Frequency = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample and of what attacks draw.")] = 0,
) -> None:
    """Attack a classifier: robust accuracy, success among the clean-right, minimal ε, head against tail."""
    from core.cli.records import accuracy, echo_records, number
    from core.datasets import open_set
    from core.datasets.coverage import coverage, require_classes
    from core.robustness.attacks.run import (
        DEFAULT_ATTACKS,
        DEFAULT_EPS,
        Question,
        attack_records,
        estimate,
        transfer_records,
        with_prompt_notes,
    )
    from core.supervised.ask import named
    from core.supervised.names import is_supervised

    models = list(dict.fromkeys(named(one) for one in (model, *(also or []))))
    sources = [named(one) for one in surrogate or []]
    if transfer_only and not (sources or matrix):
        raise BadInput("--transfer-only needs --surrogate MODEL or --matrix: there is nothing else to do.")
    opened = open_set(image_set)
    require_classes(opened)
    question = Question(
        opened,
        n=n,
        seed=seed,
        attacks=tuple(attack or DEFAULT_ATTACKS),
        eps=tuple(dict.fromkeys(eps or DEFAULT_EPS)),
        units=units,
        bisect=tuple(bisect or ()),
        presets=_presets(preset or []),
        loss="" if loss == "own" else loss,
        few=few,
        guarded=guard,
        frequency=frequency,
    )
    covered = coverage(question.image_set)
    say(covered)
    found = []
    strategies = list(dict.fromkeys(prompts or ["simple"]))
    asked = [(one, each) for one in models for each in (strategies[:1] if is_supervised(one) else strategies)]
    crafting = list(dict.fromkeys([*sources, *(models if matrix else [])]))
    with progress_bar() as report:
        echo_time(estimate(asked, question, surrogates=crafting, direct=not transfer_only, report=report))
        for one, strategy in asked if not transfer_only else ():
            found += attack_records(one, question, prompts=strategy, report=report)
        if sources or matrix:
            crossed = transfer_records(models, question, surrogates=crafting, prompts=strategies[0], report=report)
            found += [one for one in crossed if one not in found]
    found = echo_records(
        with_prompt_notes(found, question.image_set),
        out,
        ("model", "prompts", "attack", "eps", "from", "acc1", "95 %", "broken", "n"),
        lambda one: (
            one.model,
            one.prompts,
            one.condition,
            "" if one.eps is None else f"{one.eps:g}",
            one.more.get("surrogate", ""),
            *accuracy(one),
            number(one, "success", ".2f"),
            one.n,
        ),
        covered=covered,
    )
    for warning in dict.fromkeys(f"{one.model}: {one.more['warning']}" for one in found if one.more.get("warning")):
        typer.echo(warning, err=True)


def _presets(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, preset = pair.partition("=")
        if not equals:
            raise BadInput(f"{pair!r} is no preset: write ATTACK=PRESET, e.g. apgd=autoattack.")
        found[name] = preset
    return found


@reads_set
def written(
    model: Model,
    image_set: Set,
    words: Annotated[
        Path | None,
        typer.Option(
            help="The word on every picture: CSV or JSON of image and class, or ImageNet-T's imgNet_record.pickle; by "
            "default from file names such as label=cup_text=iPad.png."
        ),
    ] = None,
    clean: Annotated[
        str | None, typer.Option(metavar="SET", help="The same pictures without words, as the control.")
    ] = None,
    prompts: Strategy = "simple",
    also: Also = None,
    out: Records = None,
) -> None:
    """Pictures with a wrong word written on them (ImageNet-T): predicted correctly, or as the written word."""
    from core.cli.records import accuracy, echo_records
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.robustness.attacks import written as typographic
    from core.supervised.ask import answer_for, estimate, named

    opened = open_set(image_set)
    table = typographic.read_words(words) if words else typographic.words_in_names(opened)
    sets = {"written": opened} | ({"clean": open_set(clean)} if clean else {})
    found = {condition: typographic.written(one, table) for condition, one in sets.items()}
    for condition, on in found.items():
        if on.unmatched:
            typer.echo(f"{condition}: {len(on.unmatched):,} words unmatched, first {on.unmatched[0][:120]}", err=True)
    rows, models = [], list(dict.fromkeys(named(one) for one in (model, *(also or []))))
    with progress_bar() as report:
        echo_time(estimate(models, [*sets.values()], prompts=prompts, report=report))
        for name in models:
            for condition, one in sets.items():
                answer = answer_for(name, one, prompts=prompts, report=report)
                rows += typographic.records(answer, found[condition], condition=condition)
    covered = coverage(opened)
    say(covered)
    echo_records(
        rows, out, ("model", "condition", "share", "95 %", "n"),
        lambda row: (row.model, row.condition, *accuracy(row), row.n), covered=covered,
    )  # fmt: skip
