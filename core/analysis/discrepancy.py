"""Why is my number different? A run's fingerprint against a published figure for the same model and images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cache import keys
from core.analysis.references import Reference, strategy_of
from core.models import registry as models
from core.models.names import split_model
from core.stats import intervals as stats
from core.stats.format import percent
from core.types import Answer, Interval

_ENOUGH = 0.99
"""Share of the published images from which a run counts as a run on the whole set."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that makes this run differ from the published one.

    Attributes:
        title, detail: in words, with what to do.
        seen: True when the fingerprint shows it, False when it is possible but cannot be seen from here.
    """

    title: str
    detail: str
    seen: bool = True


@dataclass(frozen=True)
class Explanation:
    """One published figure beside this run.

    Attributes:
        own: top-1 accuracy of this run with its Wilson interval over images.
        difference: own less published, a fraction.
        noise: the published figure lies within the interval, so chance in the images alone would explain it.
        causes: those that the fingerprint shows first.
    """

    reference: Reference
    own: Interval
    difference: float
    noise: bool
    causes: tuple[Cause, ...]

    @property
    def sentence(self) -> str:
        """The comparison in one sentence."""
        ref, seen = self.reference, [cause.title for cause in self.causes if cause.seen]
        points = f"{100 * abs(self.difference):.1f} points {'above' if self.difference > 0 else 'below'}"
        start = f"This run reaches {percent(self.own.value, 1)}, {points} the published {percent(ref.acc1, 1)}"
        if abs(self.difference) < 0.0005:
            start = f"This run reproduces the published {percent(ref.acc1, 1)}"
        if not seen:
            chance = "; chance explains the difference" if self.noise else ""
            return f"{start}; the fingerprint shows no reason{chance}."
        return f"{start}; the runs differ in {', '.join(seen)}."


def explain(answer: Answer, reference: Reference) -> Explanation:
    """What makes this run differ from a published one, as far as its fingerprint shows."""
    right = int((answer.top[:, 0] == answer.labels).sum())
    own = stats.wilson(right, len(answer.labels))
    noise = own.low <= reference.acc1 <= own.high
    seen = [*_prompts(answer, reference), *_images(answer, reference), *_model(answer, reference)]
    if reference.fingerprint:
        seen += _recorded(answer.fingerprint, reference.fingerprint)
    unseen = [] if reference.fingerprint else _unseen(answer)
    return Explanation(reference, own, own.value - reference.acc1, noise, (*seen, *unseen))


def _prompts(answer: Answer, reference: Reference) -> list[Cause]:
    causes = []
    own, about = strategy_of(answer), answer.fingerprint.get("prompts", {})
    if own != reference.prompts:
        causes.append(
            Cause(
                "prompts",
                f"The published run used {reference.prompts}, this one {answer.lens.prompts}: on ImageNet the 80 "
                "templates alone are worth one to five points over one. Choose the same strategy.",
            )
        )
    expected = "similarity" if reference.prompts in ("dclip", "waffle") else "embedding"
    if own == reference.prompts and about.get("aggregation", expected) != expected:
        causes.append(
            Cause("aggregation", f"The published run averaged by {expected}, this one by {about['aggregation']}.")
        )
    return causes


def _images(answer: Answer, reference: Reference) -> list[Cause]:
    causes = []
    n, classes = len(answer.rows), len(answer.keys)
    if n < _ENOUGH * reference.images:
        causes.append(
            Cause("images", f"Only {n:,} of {reference.images:,} images were used ({len(answer.left_out):,} left out).")
        )
    if classes != reference.classes:
        causes.append(
            Cause(
                "classes",
                f"This run chooses among {classes:,} classes, the published one among {reference.classes:,}: fewer "
                "choices are easier. Sets like ImageNet-A and -R are scored over their own 200 classes.",
            )
        )
    names = answer.fingerprint.get("names")
    if names and reference.set.startswith("imagenet") and classes == 1000 and names != _imagenet_names():
        causes.append(
            Cause(
                "class names",
                "The names are not the 1,000 of open_clip; names alone move ImageNet by points. Give a names file.",
            )
        )
    return causes


def _model(answer: Answer, reference: Reference) -> list[Cause]:
    causes, model = [], answer.fingerprint.get("model", {})
    arch, pretrained = split_model(answer.lens.model)
    # OpenAI's figures are those of QuickGELU whatever the name says; others were measured under the name they carry.
    alike = reference.arch == arch and pretrained != "openai"
    if not alike and (warning := models.quickgelu_warning(answer.lens.model)):
        causes.append(Cause("activation", warning))
    precision = model.get("precision", "float32")
    if precision != "float32" and not reference.fingerprint:
        causes.append(
            Cause(
                "precision",
                f"This run computed in {precision}; ask for float32 to exclude it (rarely over 0.2 points).",
            )
        )
    seen = model.get("preprocessing", {})
    if seen.get("interpolation", "bicubic") != "bicubic" and not reference.fingerprint:
        causes.append(
            Cause("interpolation", f"Pictures were resized with {seen['interpolation']} interpolation, not bicubic.")
        )
    causes += [Cause("loading", warning) for warning in model.get("warnings", ()) if "runs" not in warning]
    if models.kind(answer.lens.model) in ("checkpoint", "local-dir", "hf-hub"):
        causes.append(Cause("weights", "The weights come from a file of your own; they need not be the released ones."))
    return causes


def _recorded(own: Mapping[str, Any], other: Mapping[str, Any]) -> list[Cause]:
    """Every entry in which two fingerprints differ; library versions and devices as one cause."""
    mine, theirs = own.get("model", {}), other.get("model", {})
    causes = [
        Cause(name, f"{name} is {_short(mine.get(name))} here and {_short(theirs.get(name))} in the published run.")
        for name in ("arch", "activation", "config", "weights", "preprocessing", "tokenizer", "precision")
        if mine.get(name) != theirs.get(name)
    ]
    causes += [
        Cause(title, f"The {title} are not those of the published run (digest {_short(own.get(name))}).")
        for name, title in (("images", "pictures"), ("names", "class names"))
        if own.get(name) != other.get(name)
    ]
    if own.get("prompts", {}).get("sentences") != other.get("prompts", {}).get("sentences"):
        causes.append(Cause("sentences", "The sentences are not those of the published run."))
    around = [
        f"{name} {mine.get('versions', {}).get(name)} / {version}"
        for name, version in theirs.get("versions", {}).items()
        if mine.get("versions", {}).get(name) != version
    ]
    if mine.get("device") != theirs.get("device"):
        around.append(f"device {mine.get('device')} / {theirs.get('device')}")
    if around:
        causes.append(Cause("environment", f"Here / there: {', '.join(around)}. This moves single images at most."))
    return causes


def _unseen(answer: Answer) -> list[Cause]:
    versions = answer.fingerprint.get("model", {}).get("versions", {})
    said = ", ".join(f"{name} {version}" for name, version in versions.items()) or "unknown"
    return [
        Cause(
            "picture files", "Copies of a set differ: re-encoded or resized files move a few images a thousand.", False
        ),
        Cause("library versions", f"Decoders and resizers change between versions (here {said}).", False),
    ]


def _imagenet_names() -> str:
    from open_clip import IMAGENET_CLASSNAMES

    return keys.digest(list(IMAGENET_CLASSNAMES))


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:12]}..."
