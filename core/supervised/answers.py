"""Supervised classifiers beside zero-shot ones: what they are called, and what they answer.

``supervised:icon-RN,icons-200k`` ships with Tailscope, ``supervised:/folder`` is one of your own in the same layout,
``timm:NAME`` and ``timm:ARCH,/checkpoint`` are timm's ImageNet models on this disk. torch is loaded only when pictures
must be scored.
"""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import keys
from core.analysis.findings import model_name
from core.datasets.coverage import require_classes
from core.datasets.subset import Subset
from core.errors import UnknownName, UnreadableData
from core.evaluation import embed
from core.evaluation.evaluate import assemble, cached_answer, made_from, matrices
from core.models import weights
from core.opening import read_object, regular
from core.paths import ASSETS
from core.types import Answer, Embeddings, ImageSet, Lens, Progress, Report, silent
from core.versions import version

if TYPE_CHECKING:
    from core.models.encoder import EncoderPool
    from core.supervised.classifiers import SupervisedModel
    from core.supervised.scorer import Scorer


PROMPTS = "supervised"
"""What stands for the prompt strategy of a classifier that reads no prompts."""

ICON, TIMM = "supervised:", "timm:"
SHIPPED = ASSETS / "supervised"
WEIGHTS, CARD = "model.safetensors", "card.json"
MOST_OF_CARD = 16 << 20
"""Bytes of a card; those of 586 classes have 20 KB."""
_SCHEMA = 1
_BLOCK = 8192


def is_supervised(model: str) -> bool:
    """Whether a model's name is that of a supervised classifier."""
    return model.startswith((ICON, TIMM))


def known_as(model: str) -> str:
    """Any classifier in words, a supervised one marked as such."""
    return f"{model_name(model.partition(':')[2])}, supervised" if is_supervised(model) else model_name(model)


def shipped() -> list[str]:
    """Names of the classifiers that ship with Tailscope."""
    return [f"{ICON}{_named(folder)}" for folder in sorted(SHIPPED.glob("*/")) if (folder / CARD).is_file()]


def canonical(text: str) -> str:
    """The one spelling of a supervised classifier's name; UnknownName or UnreadableData for one that leads nowhere."""
    prefix, _, name = text.strip().partition(":")
    arch, comma, file = name.partition(",")
    if prefix + ":" == TIMM:
        if not arch or (comma and not file):
            raise UnknownName(f"{text!r} names no model: write timm:NAME or timm:ARCH,/path/to/checkpoint.")
        return f"{TIMM}{arch},{_file(file)}" if comma else f"{TIMM}{arch}"
    if "/" in name or name.startswith("~"):
        return f"{ICON}{_absolute(name)}"
    folder_of(text.strip())
    return text.strip()


def path_of(model: str) -> Path | None:
    """The folder or file that a canonical name leads to; None for a name that leads to no path."""
    name = model.partition(":")[2]
    path = name.partition(",")[2] if model.startswith(TIMM) else name
    return Path(path) if path.startswith("/") else None


def typed_path(text: str) -> str:
    """The path in a classifier's name as a person typed it, without a look at the disk; empty for one without."""
    prefix, _, name = text.strip().partition(":")
    if prefix + ":" == TIMM:
        return name.partition(",")[2]
    return name if "/" in name or name.startswith("~") else ""


def folder_of(model: str) -> Path:
    """The folder of a ``supervised:`` classifier.

    Raises:
        UnknownName: none of this name ships. UnreadableData: the folder holds no classifier.
    """
    folder = path_of(model) or SHIPPED / model.removeprefix(ICON).replace(",", "-")
    if (folder / CARD).exists() and (folder / WEIGHTS).exists():
        for name in (CARD, WEIGHTS):
            regular(folder / name)
        return folder
    if path_of(model):
        raise UnreadableData(f"{folder} holds no {WEIGHTS} with its {CARD}: it is no supervised classifier.")
    near = difflib.get_close_matches(model, shipped(), n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(shipped()) or 'none'}."
    raise UnknownName(f"No supervised classifier is called {model!r}: {hint}")


def answer_key(model: str, image_set: ImageSet) -> str:
    """Digest of all that decides a classifier's answer; computed from files, without loading the model."""
    labels = np.asarray(image_set.labels).tolist()
    return keys.digest(
        {
            "schema": [_SCHEMA, embed.SCHEMA],
            "model": model,
            "weights": weights_digest(model),
            "versions": {name: version(name) for name in ("torch", "timm", "open_clip_torch")},
            "images": image_set.fingerprint,
            "classes": keys.digest([list(image_set.keys), list(image_set.names), labels]),
        }
    )


def answer_for(model: str, image_set: ImageSet, report: Report = silent) -> Answer:
    """What a supervised classifier says of every image of a set, over the classes of the set.

    Scores and margins are logits, not cosines. A class that the classifier does not know is never said.

    Args:
        image_set: an open set.
        report: called with Progress; raises Stopped to end the work.

    Raises:
        BadInput: the classifier knows none of the set's classes. UnknownName, WeightsMissing, UnreadableData: as the
            weights are found.
    """
    model = canonical(model)
    require_classes(image_set)
    stored, about = cached_answer(answer_key(model, image_set), image_set, lambda: _compute(model, image_set, report))
    return assemble(Lens(model, image_set.id, PROMPTS, precision="float32"), image_set, stored, about=about)


def scorer(model: str, image_set: ImageSet) -> Scorer:
    """The classifier as a ``core.supervised.scorer.Scorer`` over the classes of a set; errors of ``answer_for``."""
    import torch

    from core.supervised.classifiers import project
    from core.supervised.scorer import Scorer

    loaded = pool().get(canonical(model), "float32")
    index = torch.from_numpy(loaded.columns(image_set)).to(loaded.device)
    return Scorer(
        loaded.id, PROMPTS, tuple(image_set.keys), tuple(image_set.names), loaded.device,
        lambda pixels: project(loaded.logits(pixels), index), loaded.preprocess, loaded.std,
    )  # fmt: skip


@cache
def pool() -> EncoderPool[SupervisedModel]:
    """The classifiers in memory (at most two); only the engine's worker, or a command, may use them."""
    from core.models.encoder import EncoderPool
    from core.supervised.classifiers import load

    return EncoderPool(load)


def _compute(model: str, image_set: ImageSet, report: Report) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    import torch

    from core.supervised.classifiers import project, ranked

    loaded = pool().get(model, "float32")
    index = torch.from_numpy(loaded.columns(image_set))
    found = _logits(loaded, image_set, report)
    labels, n = np.asarray(image_set.labels)[found.rows], len(found.rows)
    parts = []
    for start in range(0, n, _BLOCK):
        block = torch.from_numpy(np.array(found.vectors[start : start + _BLOCK], np.float32))
        parts.append(ranked(project(block, index), labels[start : start + _BLOCK]))
        report(Progress(min(start + _BLOCK, n), n, "Scoring images"))
    stored = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    unknown = int((loaded.columns(image_set)[:, 0] == loaded.dim).sum())
    about = {
        "left_out": [[item.item, item.reason] for item in found.left_out],
        "made_from": made_from(found, image_set),
        "fingerprint": {
            "model": dict(loaded.fingerprint),
            "images": image_set.fingerprint,
            "prompts": {"strategy": PROMPTS, "scores": "logits", "classes_it_cannot_say": unknown},
        },
    }
    return {"rows": np.asarray(found.rows), **stored}, about


def _logits(loaded: SupervisedModel, image_set: ImageSet, report: Report) -> Embeddings:
    """Logits of a set over all outputs, kept like an encoder's vectors; a view takes those of the set it looks at."""
    if not isinstance(image_set, Subset):
        return embed.embed_images(loaded, image_set, matrices(), report=report)
    whole = _logits(loaded, image_set.parent, report)
    place = np.full(len(image_set.parent.labels), -1)
    place[whole.rows] = np.arange(len(whole.rows))
    at = place[image_set.rows]
    rows, own = np.flatnonzero(at >= 0), set(image_set.image_ids)
    missing = tuple(item for item in whole.left_out if item.item in own)
    return Embeddings(whole.vectors[at[rows]], rows, missing, whole.key)


def weights_digest(model: str) -> str:
    """SHA-256 of a classifier's weights; errors as they are found."""
    if model.startswith(ICON):
        return weights.sha256(folder_of(model) / WEIGHTS)
    from core.supervised.timm_models import find

    return weights.sha256(find(model))


def _named(folder: Path) -> str:
    try:
        return str(read_object(folder / CARD, limit=MOST_OF_CARD)["name"])
    except (UnreadableData, KeyError):
        return folder.name


def _absolute(text: str) -> Path:
    return Path(text.strip()).expanduser().absolute()


def _file(text: str) -> Path:
    file = _absolute(text)
    if not file.exists():
        raise UnreadableData(f"There is no file {file}; give the path of a timm checkpoint.")
    return regular(file)
