"""``composition``: attribute-object pairs, whole and in parts, seen and never seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from core.cli.options import Also, Frequency, Model, Precision, Records, Set, Strategy
from core.cli.output import echo_time, progress_bar
from core.cli.sets import reads_set, say
from core.errors import BadInput
from core.types import Lens

Overrides = Annotated[
    Path | None, typer.Option(help="CSV folder,attribute,object,imagenet_index for folders split wrongly.")
]
Objects = Annotated[Path | None, typer.Option(help="Names file of the objects; default: ImageNet's.")]


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command()(composition)
    app.command("composition-few-shot")(few_shot)
    app.command("composition-nearest")(nearest)


@reads_set
def composition(
    model: Model,
    image_set: Set,
    prompts: Strategy = "simple",
    also: Also = None,
    partner: Annotated[
        str | None, typer.Option(metavar="SET", help="Set of other pairs to compare with; for icons it is known.")
    ] = None,
    known: Annotated[
        str | None, typer.Option(metavar="SET", help="Set of accuracy in distribution; icons for the icon sets.")
    ] = None,
    overrides: Overrides = None,
    objects: Objects = None,
    counts: Annotated[Path | None, typer.Option(help="CSV attribute,object,count of the pretraining captions.")] = None,
    frequency: Frequency = None,
    shots: Annotated[
        str, typer.Option(help="Images a class of the few-shot probes; none for no probe.")
    ] = "1,2,4,8,16",
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Splits of the few-shot probes.")] = 3,
    precision: Precision = "auto",
    out: Records = None,
) -> None:
    """Composition accuracy with its parts, seen against never-seen pairs, additivity, captions, few-shot probes.

    Supervised classifiers (supervised:..., timm:...) are compared on the object; from three models on, every model has
    its accuracy beyond the common line on accuracy in distribution.
    """
    from core.cli.records import accuracy, echo_records
    from core.composition.measure import question
    from core.composition.records import as_records
    from core.composition.rivals import effective_records, object_records
    from core.composition.sets import PARTNER, composition_set
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.evaluation.evaluate import notes_of
    from core.models.registry import canonical
    from core.supervised.ask import estimate, named
    from core.supervised.names import is_supervised

    rows, covered = [], None
    known = known or ("icons" if image_set in PARTNER else "")
    images, known_set = open_set(image_set), open_set(known) if known else None
    with progress_bar() as report:
        for name in (model, *(also or [])):
            if is_supervised(name):
                found_set = composition_set(images, overrides=overrides, objects=objects)
                echo_time(estimate([named(name)], [images, *([known_set] if known_set else [])], report=report))
                rows += object_records(named(name), found_set, known_set=known_set, frequency=frequency, report=report)
                covered = coverage(images)
                continue
            lens = Lens(canonical(name), image_set, prompts, precision=precision)
            asked = question(
                lens, image_set=images, partner=partner, overrides=overrides, objects=objects, counts=counts
            )
            covered = coverage(asked.images.parent)
            for item in asked.images.compositions.left_out:
                typer.echo(f"left out: {item.item}: {item.reason}", err=True)
            others = [one for one in (asked.partner, known_set) if one]
            echo_time(estimate([lens.model], [asked.images, *others], prompts=prompts, report=report))
            found = as_records(
                asked,
                known_set=known_set,
                frequency=frequency,
                shots=_shots(shots),
                seeds=tuple(range(seeds)),
                report=report,
            )
            notes = list(notes_of(lens, asked.images))
            rows += [replace(row, more={**row.more, "prompt_notes": notes}) for row in found]
    rows += [*effective_records(rows, "composition"), *effective_records(rows, "object")]
    if covered is not None:
        say(covered)
    echo_records(
        rows,
        out,
        ("model", "condition", "accuracy", "95 %", "n"),
        lambda row: (row.model, row.condition, *accuracy(row, 4), row.n),
        shown=lambda row: row.condition not in ("probe", "additivity", "disentanglement", "soft rank", "captions"),
        covered=covered,
    )


@reads_set
def few_shot(
    model: Model,
    image_set: Set,
    prompts: Strategy = "simple",
    also: Also = None,
    partner: Annotated[
        str | None, typer.Option(metavar="SET", help="Set of other pairs to test on too; for icons it is known.")
    ] = None,
    overrides: Overrides = None,
    objects: Objects = None,
    shots: Annotated[str, typer.Option(help="Images of every object.")] = "1,2,4,8",
    seeds: Annotated[int, typer.Option(min=1, max=20, help="Splits of the compositions, draws of the images.")] = 3,
    precision: Precision = "auto",
    out: Records = None,
) -> None:
    """Few-shot curves over compositions: accuracy on pairs of attribute and object that were not trained on.

    Zero-shot models and supervised classifiers (supervised:..., timm:...) alike, on cached vectors (logits of the
    latter).
    """
    from core.cli.records import accuracy, echo_records
    from core.composition import few_shot as curves
    from core.composition.measure import question
    from core.datasets import open_set
    from core.datasets.coverage import coverage
    from core.supervised.ask import named
    from core.supervised.names import is_supervised

    opened = open_set(image_set)
    models = list(dict.fromkeys(named(one) for one in (model, *(also or []))))
    first = next((one for one in models if not is_supervised(one)), models[0])
    asked = question(
        Lens(first, image_set, prompts, precision=precision), image_set=opened, partner=partner, overrides=overrides,
        objects=objects,
    )  # fmt: skip
    if not (counts := _shots(shots)):
        raise BadInput("--shots takes whole numbers such as 1,2,4,8.")
    rows = []
    with progress_bar() as report:
        for one in models:
            points = curves.points_of(asked, one, shots=counts, seeds=range(seeds), report=report)
            rows += curves.as_records(points, asked, one)
    covered = coverage(opened)
    say(covered)
    echo_records(
        rows,
        out,
        ("model", "head", "k", "tested on", "accuracy", "95 %", "n"),
        lambda row: (row.model, *(row.more[name] for name in ("head", "k", "group")), *accuracy(row, 4), row.n),
        shown=lambda row: row.more["what"] == "composition",
        covered=covered,
    )


@reads_set
def nearest(
    model: Model,
    image_set: Set,
    attribute: Annotated[str, typer.Argument(help="Any attribute, such as red.")],
    thing: Annotated[str, typer.Argument(metavar="OBJECT", help="Any object, such as anchor.")],
    prompts: Strategy = "simple",
    most: Annotated[int, typer.Option(min=1, help="Pictures.")] = 24,
    precision: Precision = "auto",
) -> None:
    """The pictures nearest to “attribute object”, with the cosines of both words and of the pair. Prints JSON."""
    from core.cli.output import echo_json
    from core.composition.composer import compose
    from core.datasets import open_set
    from core.models.registry import canonical

    lens, opened = Lens(canonical(model), image_set, prompts, precision=precision), open_set(image_set)
    with progress_bar() as report:
        found = compose(lens, attribute, thing, image_set=opened, k=most, report=report)
    pictures = [
        {"image": opened.image_ids[row], "attribute": a, "object": o, "both": both}
        for row, (a, o, both) in zip(found.rows.tolist(), found.cosines.tolist(), strict=True)
    ]
    alone = {"attribute": found.alone[0], "object": found.alone[1], "sum": found.additive}
    echo_json({"model": lens.model, "set": image_set, "texts": found.texts, "text_cosines": alone, "nearest": pictures})


def _shots(text: str) -> tuple[int, ...]:
    if text.strip() == "none":
        return ()
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 0 < int(part) <= 1000 for part in parts):
        raise BadInput(f"--shots takes whole numbers such as 1,4,16, or none, not {text!r}.")
    return tuple(sorted({int(part) for part in parts}))
