"""Published accuracies of known models on known images, each with its source.

The figures are open_clip's published top-1 accuracies (``core.published.openclip``) and those of other prompts, from
``assets/published/reference_accuracies.csv``; the built-in models bring the run committed beside their weights.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from core.evaluation.shipped import SET, STRATEGY
from core.icons.concepts import concepts
from core.models import registry as models
from core.models.names import split_model
from core.paths import ASSETS
from core.prompts import strategy_id
from core.published import openclip
from core.published.openclip import set_name
from core.types import Answer

TABLE = ASSETS / "published" / "reference_accuracies.csv"


@dataclass(frozen=True)
class Reference:
    """One published top-1 accuracy (a fraction).

    Attributes:
        arch, pretrained: open_clip's names; set: CLIP_benchmark's name without ``wds_``.
        images: how many were scored, 0 where the source does not tell; classes; prompts: the strategy, or in words.
        source: citation.
        fingerprint: that of the run, where it is known (the committed runs of the icon models).
    """

    arch: str
    pretrained: str
    set: str
    images: int
    classes: int
    prompts: str
    acc1: float
    source: str
    fingerprint: Mapping[str, Any] = field(default_factory=dict)


@cache
def table() -> tuple[Reference, ...]:
    """All cited figures: open_clip's, then those of other prompts."""
    return (*_open_clip(), *_other_prompts())


def _open_clip() -> tuple[Reference, ...]:
    # OpenAI's weights are listed under both activations with the same figures; they are QuickGELU's in any case.
    listed = {(one.arch, one.pretrained) for one in openclip.results()}
    twice = {pair for pair in listed if pair[1] == "openai" and (f"{pair[0]}-quickgelu", pair[1]) in listed}
    return tuple(
        Reference(
            one.arch, one.pretrained, one.benchmark.set, one.benchmark.images, one.benchmark.classes,
            "ensemble" if one.benchmark.set.startswith(("imagenet", "objectnet")) else "dataset",
            one.value, openclip.SOURCE,
        )
        for one in openclip.results()
        if one.benchmark.metric == openclip.ACCURACY and (one.arch, one.pretrained) not in twice
    )  # fmt: skip


@cache
def _other_prompts() -> tuple[Reference, ...]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            Reference(
                row["arch"], row["pretrained"], row["set"], int(row["images"]), int(row["classes"]), row["prompts"],
                float(row["acc1"]), row["source"],
            )
            for row in csv.DictReader(file)
        )  # fmt: skip


def references(answer: Answer) -> tuple[Reference, ...]:
    """Published figures for this answer's model and images: those with the same prompts first."""
    arch, pretrained = split_model(answer.lens.model)
    if models.kind(answer.lens.model) == "icon":
        return _committed(answer.lens.model) if answer.lens.image_set == SET else ()
    name = set_name(answer.lens.image_set)
    found = [
        one for one in table() if one.set == name and one.pretrained == pretrained and _base(one.arch) == _base(arch)
    ]
    # open_clip publishes some weights under both activations: then only the same architecture is the same model.
    exact = [one for one in found if one.arch == arch]
    prompts = strategy_of(answer)
    return tuple(sorted(exact or found, key=lambda one: one.prompts != prompts))


@cache
def prompt_models() -> tuple[str, ...]:
    """Models (``arch,pretrained``) with published figures under other prompts, those on most sets first."""
    by_model: dict[str, set[str]] = {}
    for one in _other_prompts():
        by_model.setdefault(f"{one.arch},{one.pretrained}", set()).add(one.set)
    return tuple(sorted(by_model, key=lambda model: -len(by_model[model])))


def prompt_figures(model: str) -> tuple[Reference, ...]:
    """A model's published figures under other prompts (CuPL, DCLIP, WaffleCLIP and their baselines), set by set."""
    arch, pretrained = split_model(model)
    return tuple(one for one in _other_prompts() if one.pretrained == pretrained and _base(one.arch) == _base(arch))


def on_sets(image_sets: Sequence[str]) -> tuple[Reference, ...]:
    """All published figures under other prompts on these image sets (ids or paths), whatever the model."""
    names = {set_name(one) for one in image_sets}
    return tuple(one for one in _other_prompts() if one.set in names)


def strategy_of(answer: Answer) -> str:
    """The strategy without its option: the file or seed is not what a table can name."""
    return strategy_id(answer.lens.prompts)


def _committed(model: str) -> tuple[Reference, ...]:
    path = models.icon_folder(model) / f"{SET}_{STRATEGY}.json"
    if not path.exists():
        return ()
    record = json.loads(path.read_text(encoding="utf-8"))
    arch, pretrained = split_model(model)
    source = "The run committed beside the model's weights"
    return (Reference(arch, pretrained, SET, record["n"], len(concepts()), STRATEGY, record["acc1"], source, record),)


def _base(arch: str) -> str:
    return arch.removesuffix("-quickgelu")
