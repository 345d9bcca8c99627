"""One question about corruptions and sequences from first to last: sources, models, reference, records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from core.robustness.corruptions.perturbations import PERTURBATIONS
from core.robustness.corruptions.records import default_reference, reference_named, reference_of
from core.robustness.corruptions.run import InMemory, Plan, Source, estimate, run
from core.robustness.corruptions.videos import folders_in, videos
from core.robustness.records import Record
from core.runtime.estimates import Estimate
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


def measure(
    asked: Asked,
    *,
    report: Report,
    image_set: ImageSet | None = None,
    beforehand: Callable[[Estimate], None] | None = None,
) -> list[Record]:
    """Records of every model under every condition, then of the sequences.

    The models asked about come first in the records; a model that only serves as the reference is measured and left
    out of them.

    Args:
        image_set: the set when it is open already. beforehand: told how long the models will take.

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
    if beforehand and (expected := estimate(measured, source, report=report)):
        beforehand(expected)
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
    return _of_sequences(asked, watched, image_set.id, image_set.keys, image_set.names, reference)


def measure_sequences(asked: Asked, *, report: Report, image_set: ImageSet | None = None) -> list[Record]:
    """Records of the sequences alone: the videos of an ImageNet-P tree, else made in memory of an image set.

    A reference is measured beside the models and left out of the records; without one there is no flip rate.

    Args:
        image_set: the set when it is open already.
    """
    reference = named(asked.reference) if asked.reference not in (None, NONE) else None
    models = list(dict.fromkeys([*asked.models, *([reference] if reference else [])]))
    root = Path(asked.image_set).expanduser()
    if image_set is not None or not folders_in(root):
        opened = image_set or open_set(asked.image_set, roots=asked.roots)
        require_classes(opened)
        wanted = asked.perturbations or PERTURBATIONS
        return _sequences(replace(asked, perturbations=tuple(wanted)), opened, models, reference, report)
    found = videos(
        root, perturbations=asked.perturbations, most=asked.sequences, seed=asked.plan.seed, roots=asked.roots
    )
    watched = perturbation_run.watch_videos(models, found, prompts=asked.plan.prompts, report=report)
    return _of_sequences(asked, watched, str(root), found.keys, found.names, reference)


def _of_sequences(
    asked: Asked,
    watched: Mapping[str, perturbation_run.Watched],
    set_id: str,
    keys: Sequence[str],
    names: Sequence[str],
    reference: str | None,
) -> list[Record]:
    tags = {model: sources.groups(model, keys, names, frequency=asked.frequency).tags for model in asked.models}
    found = perturbation_run.records(watched, set_id=set_id, seed=asked.plan.seed, reference=reference, tags=tags)
    return [one for one in found if one.model in asked.models]
