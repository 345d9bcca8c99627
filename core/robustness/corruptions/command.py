"""One question about corruptions and sequences from first to last: sources, models, reference, records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.datasets import open_set
from core.datasets.coverage import require_classes
from core.frequency import sources
from core.frequency.sources import Frequency
from core.robustness.corruptions import perturbation_run
from core.robustness.corruptions import records as corruption_records
from core.robustness.corruptions.folders import OnDisk, conditions_in
from core.robustness.corruptions.metrics import Reference
from core.robustness.corruptions.records import default_reference, reference_named, reference_of
from core.robustness.corruptions.run import InMemory, Plan, Source, run
from core.robustness.records import Record
from core.supervised.ask import named
from core.types import ImageSet, Report

NONE = "none"
"""What a person gives for no reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants measured.

    Attributes:
        models: canonical names. reference: a model, ``alexnet``, ``none``, or None for what fits the set.
        clean: the clean set of an ImageNet-C folder. perturbations: of the sequences, none for no sequences.
        frequency: counts for accuracies of head and tail. sequences: how many of each.
        roots: folders that may be read; None on the command line.
    """

    models: tuple[str, ...]
    image_set: str
    plan: Plan
    reference: str | None = None
    clean: str | None = None
    frequency: Frequency = None
    perturbations: tuple[str, ...] = ()
    sequences: int = perturbation_run.MOST_AT_ONCE
    roots: tuple[Path, ...] | None = None


def measure(asked: Asked, *, report: Report, image_set: ImageSet | None = None) -> list[Record]:
    """Records of every model under every condition, then of the sequences.

    The models asked about come first in the records; a model that only serves as the reference is measured and left
    out of them.

    Args:
        image_set: the set when it is open already.

    Raises:
        TailscopeError: one sentence that says what is wrong and what to do.
    """
    source, opened = _source(asked, image_set)
    wanted = asked.reference if asked.reference is not None else default_reference(source.id, source.keys)
    wanted = None if wanted == NONE else wanted
    published = reference_named(wanted)
    if wanted and published is None:
        wanted = named(wanted)
    measured = [*asked.models, *([wanted] if wanted and published is None else [])]
    outcomes = run(measured, source, asked.plan, report=report)
    reference: Reference | None = published
    if wanted and published is None:
        reference = reference_of(outcomes[wanted])
    found = corruption_records.records(
        {model: outcomes[model] for model in asked.models},
        set_id=source.id,
        seed=asked.plan.seed,
        made=source.made,
        reference=reference,
        frequency=asked.frequency,
    )
    if asked.perturbations and opened is not None:
        found += _sequences(asked, opened, measured, None if published else wanted, report)
    notes = {model: list(outcome.prompt_notes) for model, outcome in outcomes.items()}
    return [replace(one, more={**one.more, "prompt_notes": notes.get(one.model, [])}) for one in found]


def _source(asked: Asked, image_set: ImageSet | None) -> tuple[Source, ImageSet | None]:
    root = Path(asked.image_set).expanduser()
    if image_set is None and conditions_in(root):
        clean = open_set(asked.clean, roots=asked.roots) if asked.clean else None
        return OnDisk(root, asked.plan, clean=clean, roots=asked.roots), clean
    opened = image_set or open_set(asked.image_set, roots=asked.roots)
    require_classes(opened)
    return InMemory(opened, asked.plan), opened


def _sequences(
    asked: Asked, image_set: ImageSet, models: Sequence[str], reference: str | None, report: Report
) -> list[Record]:
    watched = perturbation_run.watch(
        models, image_set, perturbations=asked.perturbations, most=asked.sequences, seed=asked.plan.seed,
        prompts=asked.plan.prompts, report=report,
    )  # fmt: skip
    tags = {
        model: sources.groups(model, image_set.keys, image_set.names, frequency=asked.frequency).tags
        for model in asked.models
    }
    found = perturbation_run.records(watched, set_id=image_set.id, seed=asked.plan.seed, reference=reference, tags=tags)
    return [one for one in found if one.model in asked.models]
