"""Attacks as records: robust accuracy by model, prompts, attack and ε, with what breaks first and trust in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core.datasets.sampling import sample_rows
from core.errors import BadInput
from core.evaluation.evaluate import notes_of
from core.frequency import sources
from core.frequency.sources import Frequency, Groups
from core.robustness.attacks import Attack, Kind, find, loss_of, settings_of
from core.robustness.attacks.figures import Arrays, guard, median, on_grid, shares
from core.robustness.attacks.plan import Plan, Units
from core.robustness.attacks.runner import AttackRunner
from core.robustness.records import Record, record
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.supervised import names as supervised
from core.types import ImageSet, Lens, Report, silent

if TYPE_CHECKING:
    import torch

DEFAULT_ATTACKS = ("fgsm", "bim", "mim", "dim", "deepfool", "pgd", "apgd", "noise", "typographic", "letters")
DEFAULT_EPS = (1.0, 2.0, 4.0)
MOST_EPS = 64.0


@dataclass(frozen=True)
class Question:
    """What is asked of every model.

    Attributes:
        image_set: opened; n, seed: the sample, and what attacks draw.
        attacks: ids; eps: strengths in 255ths of ``units``; bisect: attacks whose minimal ε is searched for.
        presets: attack id -> preset, where another than the first is wanted.
        loss: ``ce``, ``margin`` or ``dlr`` for the attacks that can climb it; empty for each one's own.
        few: images that score-based attacks are run on, at most (they cost thousands of passes each).
        guarded: run the margin loss beside cross-entropy.
        frequency: counts for accuracies of head and tail.
    """

    image_set: ImageSet
    n: int = 100
    seed: int = 0
    attacks: tuple[str, ...] = DEFAULT_ATTACKS
    eps: tuple[float, ...] = DEFAULT_EPS
    units: Units = "pixel"
    bisect: tuple[str, ...] = ()
    presets: Mapping[str, str] = field(default_factory=dict)
    loss: str = ""
    few: int = 16
    guarded: bool = True
    frequency: Frequency = None

    def __post_init__(self) -> None:
        for name in (*self.attacks, *self.bisect, *self.presets):
            find(name)
        for name, preset in self.presets.items():
            settings_of(find(name), preset)
        if not self.attacks or self.n < 1 or self.few < 1:
            raise BadInput("Ask for at least one attack and one image.")
        if self.seed < 0:
            raise BadInput(f"A seed is a whole number from 0, not {self.seed}.")
        if not self.eps or not all(0 < eps <= MOST_EPS for eps in self.eps):
            raise BadInput(f"ε is given in 255ths, above 0 and up to {MOST_EPS:g}: 1, 2 and 4 are usual.")

    def plan(self, attack: str, eps: float | None) -> Plan:
        """This attack at this strength."""
        loss = self.loss if self.loss in find(attack).losses else ""
        return Plan(attack, eps, self.units, self.presets.get(attack, ""), loss, self.seed)

    def groups(self, model: str) -> Groups:
        """Head, torso and tail of the set's classes for one model."""
        return sources.groups(model, self.image_set.keys, self.image_set.names, frequency=self.frequency)

    def rows(self, kind: Kind = "white-box") -> np.ndarray:
        """The sample, shorter for a score-based attack."""
        n = min(self.n, self.few) if kind == "score" else self.n
        return sample_rows(self.image_set.labels, n, seed=self.seed)


def attack_records(model: str, question: Question, *, prompts: str = "simple", report: Report = silent) -> list[Record]:
    """One record for the clean sample and one for every attack and ε, each from the cache or computed now."""
    whole, short = (
        AttackRunner(model, question.image_set, question.rows(kind), prompts=prompts, report=report)
        for kind in ("white-box", "score")
    )
    groups = question.groups(model)
    found = [_record(question, whole, Plan("clean", seed=question.seed), whole.clean(), groups=groups)]
    for attack in map(find, dict.fromkeys(question.attacks)):
        bench = short if attack.kind == "score" else whole
        if attack.kind == "overlay":
            plan = question.plan(attack.id, None)
            found.append(_record(question, bench, plan, bench.written(plan), groups=groups))
            continue
        # DeepFool looks for the nearest boundary anyway: its distance needs no bisection.
        searched = attack.id in question.bisect or attack.id == "deepfool"
        plans = [question.plan(attack.id, eps) for eps in question.eps]
        answers = [bench.attacked(plan, guarded=question.guarded) for plan in plans]
        if searched:
            needed = bench.minimal(replace(plans[0], eps=1.0))["eps"]
            how = "nearest boundary" if attack.id == "deepfool" else "bisection"
        else:
            needed, how = on_grid(bench.clean(), answers, question.eps), "grid"
        minimal = {**median(needed), "minimal_by": how}
        found += [
            _record(question, bench, plan, answer, groups=groups, more=minimal)
            for plan, answer in zip(plans, answers, strict=True)
        ]
    return found


def estimate(
    asked: Sequence[tuple[str, str]],
    question: Question,
    *,
    surrogates: Sequence[str] = (),
    direct: bool = True,
    minimal: bool = False,
    report: Report = silent,
) -> Estimate | None:
    """About how long attacks take here for what is not cached; None for nothing.

    Args:
        asked: models with their prompts. surrogates: models that attacks are also crafted on, for the others; with
            noise on every model as the control.
        direct: whether the models themselves are attacked; minimal: only for the smallest ε of every image.
    """

    def runner(model: str, prompts: str, attack: Attack) -> AttackRunner:
        return AttackRunner(model, question.image_set, question.rows(attack.kind), prompts=prompts, report=report)

    parts: list[Estimate | None] = []
    for attack in map(find, dict.fromkeys(question.attacks)):
        plans = [question.plan(attack.id, eps) for eps in ((None,) if attack.kind == "overlay" else question.eps)]
        for model, prompts in asked if direct or minimal else ():
            bench = runner(model, prompts, attack)
            if not minimal:
                parts += [bench.expected(plan, guarded=question.guarded) for plan in plans]
            if minimal or attack.id in question.bisect or attack.id == "deepfool":
                parts.append(bench.expected(replace(plans[0], eps=1.0), minimal=True))
        for source in dict.fromkeys(surrogates) if attack.transfers else ():
            prompts = asked[0][1]
            bench = runner(source, prompts, attack)
            targets = [
                runner(model, prompts, attack) for model in dict.fromkeys(m for m, _ in asked) if model != source
            ]
            if targets:
                parts += [bench.expected(for_transfer(plan), targets=targets) for plan in plans]
    if surrogates and not (direct and "noise" in question.attacks):
        noise = [question.plan("noise", eps) for eps in question.eps]
        parts += [runner(model, prompts, find("noise")).expected(plan) for model, prompts in asked for plan in noise]
    return estimates.total(parts)


def for_transfer(plan: Plan) -> Plan:
    """The plan with the settings of transfer, where the attack has some and no other preset is chosen."""
    known = "paper-transfer" in find(plan.attack).presets
    return replace(plan, preset="paper-transfer") if known and not plan.preset else plan


def minimal_eps(
    model: str, question: Question, attack: str = "deepfool", *, prompts: str = "simple", report: Report = silent
) -> Arrays:
    """Smallest ε of every image: ``eps`` [m] as in ``AttackRunner.minimal``, with ``rows`` and ``labels``."""
    bench = AttackRunner(model, question.image_set, question.rows(find(attack).kind), prompts=prompts, report=report)
    return bench.minimal(question.plan(attack, 1.0))


def transfer_records(
    models: Sequence[str],
    question: Question,
    *,
    surrogates: Sequence[str] = (),
    prompts: str = "simple",
    report: Report = silent,
) -> list[Record]:
    """Every attack that transfers, crafted on each surrogate (by default each of the models) for each other model.

    Ends with the control: noise of the same ε on every model. What noise breaks was not transferred.
    """
    found = []
    for source in dict.fromkeys(surrogates or models):
        for attack in (one for one in map(find, dict.fromkeys(question.attacks)) if one.transfers):
            for eps in question.eps:
                plan = for_transfer(question.plan(attack.id, eps))
                crafted = _Crafted(source, question, plan, prompts, report)
                for target in (one for one in models if one != source):
                    bench = AttackRunner(target, question.image_set, question.rows(), prompts=prompts, report=report)
                    answer = bench.transferred(plan, crafted.bench, crafted)
                    groups = question.groups(target)
                    found.append(_record(question, bench, plan, answer, groups=groups, more={"surrogate": source}))
    noise = replace(question, attacks=("noise",), bisect=(), presets={})
    for target in models:
        found += attack_records(target, noise, prompts=prompts, report=report)[1:]
    return found


def with_prompt_notes(records: Sequence[Record], image_set: ImageSet) -> list[Record]:
    """The records with what a person should know of their prompts, under ``prompt_notes``."""
    known: dict[tuple[str, str], list[str]] = {}
    for one in records:
        if (key := (one.model, one.prompts)) not in known:
            lens = Lens(one.model, image_set.id, one.prompts, precision="float32")
            known[key] = list(notes_of(lens, image_set)) if one.prompts != supervised.PROMPTS else []
    return [replace(one, more={**one.more, "prompt_notes": known[one.model, one.prompts]}) for one in records]


class _Crafted:
    """Pixels crafted on one surrogate, made when first needed and lent to every target."""

    def __init__(self, source: str, question: Question, plan: Plan, prompts: str, report: Report) -> None:
        self.bench = AttackRunner(source, question.image_set, question.rows(), prompts=prompts, report=report)
        self._plan = plan

    def __call__(self) -> list[torch.Tensor]:
        return self._pixels

    @cached_property
    def _pixels(self) -> list[torch.Tensor]:
        return self.bench.craft(self._plan)


def right_unattacked(bench: AttackRunner, answer: Arrays) -> np.ndarray:
    """Which images of an answer the model names correctly when nobody attacks, bool [m]."""
    clean = bench.clean()
    return (clean["said"] == clean["labels"])[np.isin(clean["rows"], answer["rows"])]


def _record(
    question: Question,
    bench: AttackRunner,
    plan: Plan,
    answer: Arrays,
    *,
    groups: Groups,
    more: Mapping[str, Any] | None = None,
) -> Record:
    clean = right_unattacked(bench, answer)
    right = clean & (answer["said"] == answer["labels"])
    figures = {**shares(clean, right), **(more or {}), **({"frequency": groups.source} if groups.tags else {})}
    of_part = np.array([groups.tags.get(question.image_set.keys[label], "") for label in answer["labels"]])
    for part in ("head", "tail"):
        inside = of_part == part
        if inside.any():
            figures |= {f"{part}_{name}": value for name, value in shares(clean[inside], right[inside]).items()}
            figures |= {part: float(right[inside].mean()), f"{part}_n": int(inside.sum())}
    if "word" in answer:
        figures |= {"said_word": float((answer["said"] == answer["word"]).mean())}
    figures |= guard(bench.clean(), clean, right, answer) if plan.attack != "clean" else {}
    if plan.attack != "clean":
        attack = find(plan.attack)
        chosen = plan.preset or next(iter(attack.presets))
        figures |= {
            "preset": chosen,
            "settings": dict(settings_of(attack, chosen)),
            "loss": loss_of(attack, plan.loss) or None,
            "preset_note": attack.preset_notes[chosen],
        }
    return record(
        bench.model,
        question.image_set.id,
        plan.attack,
        right=int(right.sum()),
        n=len(right),
        prompts=bench.prompts,
        eps=plan.eps,
        units=f"{plan.units}/255" if plan.eps is not None else None,
        seed=question.seed,
        more=figures,
    )
