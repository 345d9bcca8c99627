"""What supervised classifiers answer; torch is loaded only when pictures must be scored."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import keys
from core.datasets.coverage import require_classes
from core.datasets.subset import Subset
from core.evaluation import embed
from core.evaluation.evaluate import assemble, cached_answer, made_from, matrices
from core.models import weights
from core.supervised.names import CARD, ICON, PROMPTS, WEIGHTS, canonical, folder_of
from core.types import Answer, Embeddings, ImageSet, Lens, Progress, Report, silent
from core.versions import version

if TYPE_CHECKING:
    from core.models.encoder import EncoderPool
    from core.supervised.model import SupervisedModel

_SCHEMA = 1
_BLOCK = 8192


def answer_key(model: str, image_set: ImageSet) -> str:
    """Digest of all that decides a classifier's answer; computed from files, without loading the model."""
    labels = np.asarray(image_set.labels).tolist()
    return keys.digest(
        {
            "schema": [_SCHEMA, embed.SCHEMA],
            "model": model,
            "weights": digests(model),
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


@cache
def pool() -> EncoderPool[SupervisedModel]:
    """The classifiers in memory (at most two); only the engine's worker, or a command, may use them."""
    from core.models.encoder import EncoderPool
    from core.supervised.classifiers import load

    return EncoderPool(load, state=digests)


def _compute(model: str, image_set: ImageSet, report: Report) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    import torch

    from core.supervised.model import project, ranked

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


def logits_for(model: str, image_set: ImageSet, report: Report = silent) -> Embeddings:
    """Logits float16 or float32 [n, outputs] of a classifier over all its classes, from the cache or computed now.

    Raises:
        UnknownName, WeightsMissing, UnreadableData: as the weights are found.
    """
    return _logits(pool().get(canonical(model), "float32"), image_set, report)


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


def digests(model: str) -> str | list[str]:
    """SHA-256 of the files that decide what a classifier computes; errors as they are found."""
    if model.startswith(ICON):
        return [weights.sha256(folder_of(model) / name) for name in (WEIGHTS, CARD)]
    from core.supervised.timm_models import find

    return weights.sha256(find(model))
