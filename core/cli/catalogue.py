"""``models``, ``datasets``, ``frequency``: what there is to ask about."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from core.cli.options import AsJson, Method
from core.cli.output import echo_json, echo_table, fields, megabytes

LABELS = ("pretraining_label", "how_label", "threshold", "truncated")
frequency = typer.Typer(help="Concept counts of pretraining sets.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command()(models)
    app.command()(datasets)
    app.command()(extensions)
    app.add_typer(frequency, name="frequency")


def models(
    as_json: AsJson = False,
    available: Annotated[bool, typer.Option("--available", help="Only models whose weights are on this disk.")] = False,
) -> None:
    """Every model open_clip knows, the icon models first, and whether its weights are on this disk."""
    from core.models.registry import list_models

    found = [model for model in list_models() if model.available or not available]
    if as_json:
        echo_json(fields(found, "id", "kind", "available", "size_bytes", "pretraining", "note"))
        return
    echo_table(
        ("model", "kind", "on disk", "size"),
        [(m.id, m.kind, "yes" if m.available else "no", megabytes(m.size_bytes)) for m in found],
    )


def datasets(as_json: AsJson = False) -> None:
    """Built-in and fetched image sets."""
    from core.datasets import list_sets

    found = list_sets()
    if as_json:
        echo_json(fields(found, "id", "kind", "available", "n_images", "n_classes", "title", "note"))
        return
    echo_table(
        ("set", "kind", "on disk", "images", "classes"),
        [(s.id, s.kind, "yes" if s.available else "no", s.n_images or "?", s.n_classes or "?") for s in found],
    )


def extensions(as_json: AsJson = False) -> None:
    """What other installed packages add: image sets, prompts, counts, attacks; and what of it is skipped, and why."""
    from core import plugins
    from core.datasets import layouts
    from core.frequency.sources import list_sources
    from core.prompts import strategies
    from core.robustness.attacks import ATTACKS

    for read in (layouts, list_sources, strategies, lambda: list(ATTACKS)):
        read()
    found = [one for group in plugins.GROUPS for one in plugins.plugins(group, object) if not plugins.skipped(one)]
    if as_json:
        echo_json({"extensions": fields(found, "group", "name", "package"), "skipped": list(plugins.problems())})
        return
    echo_table(("group", "name", "package"), [(one.group, one.name, one.package) for one in found])


@frequency.command("list")
def frequency_list(
    as_json: AsJson = False,
    origin: Annotated[
        Literal["auto", "live", "shipped", "published", "imported"],
        typer.Option(help="Only what was counted here, ships, was published or imported; auto: all."),
    ] = "auto",
) -> None:
    """Frequency sources that can be used with ``--frequency``."""
    from core.frequency import labels
    from core.frequency.published import steps as published_steps
    from core.frequency.sources import list_sources

    found = [source for source in list_sources() if origin in ("auto", labels.origin(source.name))]
    steps = {step.name: step for step in published_steps()}
    if as_json:
        listed = fields(found, "name", "source", "methods", "concepts")
        for one in listed:
            one["origin"] = labels.origin(str(one["name"]))
            one |= {key: getattr(steps.get(str(one["name"])), key, None) for key in LABELS}
        echo_json(listed)
        return
    cut = {name for name, step in steps.items() if step.truncated}
    rows = [(s.name, "/".join(s.methods), s.concepts, "cut short" if s.name in cut else "") for s in found]
    echo_table(("name", "methods", "concepts", ""), rows)


@frequency.command("show")
def frequency_show(
    name: str, as_json: AsJson = False, method: Annotated[Method, typer.Option(help="Sort by this column.")] = "image"
) -> None:
    """Counts of one source by concept; null is unknown, not zero."""
    from core.frequency.sources import info, records

    concepts = records(name)
    if as_json:
        echo_json({"name": name, "source": info(name).source, "concepts": concepts})
        return
    ordered = sorted(concepts.items(), key=lambda item: (item[1][method] is None, -(item[1][method] or 0), item[0]))
    echo_table(
        ("concept", "text", "image", "integrated"),
        [
            (key, *("unknown" if row[m] is None else row[m] for m in ("text", "image", "integrated")))
            for key, row in ordered
        ],
    )
