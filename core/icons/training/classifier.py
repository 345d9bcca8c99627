"""Supervised classifiers of the icon world: the visual tower of an icon model with a linear head on the drawn labels.

``python -m core icons classifier icon-RN,icons-200k`` trains the one that ships: the tower, the pictures and the
optimiser of the contrastive model of that name, with labels instead of captions, in one pass of small batches. A folder
holds ``model.safetensors`` (half precision) and ``card.json`` (run, classes in the order of the head).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from core.icons.concepts import concepts
from core.icons.corpus import CORPORA, drawn_labels
from core.icons.training.fitting import Run, as_images, optimise, rendered, save_run
from core.icons.training.train import ARCHITECTURES
from core.types import Report, silent

WEIGHTS = "model.safetensors"
REFERENCE = "icon-reference"
"""The classifier in the place of AlexNet: corruption errors and the adversarial filter are relative to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRun(Run):
    """One supervised run.

    Attributes:
        width: channels of the first stage of the residual tower (the shipped models have 24).
        images: only the first this many pictures of the corpus, 0 for all.
    """

    width: int = 24
    images: int = 0


SHIPPED = {"icon-RN,icons-200k": ClassifierRun("icon-RN", "icons-200k", 1, batch=128)}
"""The classifiers that ship, by the name of the zero-shot model with the same tower."""


@dataclass(frozen=True, slots=True)
class LabelledData:
    """Pixels uint8 [n, 64, 64, 3] and the index of the concept drawn, int64 [n]."""

    pixels: np.ndarray
    labels: np.ndarray


def labelled(run: ClassifierRun, *, folder: Path | None = None, report: Report = silent) -> LabelledData:
    """The pictures of a run with their drawn labels; pixels of the whole corpus are kept in ``folder``."""
    recipe = CORPORA[run.corpus]
    n = min(run.images or recipe.pairs, recipe.pairs)
    pixels = rendered(run.corpus, folder=folder, limit=None if folder else n, report=report)
    return LabelledData(pixels[:n], drawn_labels(recipe.assignment)[:n].astype(np.int64))


def build(arch: str, *, width: int, classes: int) -> torch.nn.Sequential:
    """Visual tower of open_clip's own class, float [n, 3, 64, 64] -> logits [n, classes]."""
    from open_clip.model import CLIP

    config = ARCHITECTURES[arch]
    vision = {**config["vision_cfg"], "width": width}
    text = {**config["text_cfg"], "vocab_size": 1, "layers": 1}  # dropped: CLIP is open_clip's public way to a tower
    tower = CLIP(embed_dim=config["embed_dim"], vision_cfg=vision, text_cfg=text).visual
    return torch.nn.Sequential(tower, torch.nn.Linear(config["embed_dim"], classes))


def fit(
    run: ClassifierRun,
    data: LabelledData,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    stop_after: int | None = None,
    report: Report = silent,
) -> tuple[torch.nn.Sequential, list[float]]:
    """Train with cross-entropy; arguments and resumption as in ``core.icons.training.train.fit``."""
    torch.manual_seed(run.seed)
    model = build(run.arch, width=run.width, classes=len(concepts())).to(device)
    model.to(memory_format=torch.channels_last)

    def supervised(rows: np.ndarray) -> torch.Tensor:
        images = as_images(data.pixels[rows], device)
        with torch.autocast(device, torch.bfloat16):
            logits = model(images)
        return cross_entropy(logits.float(), torch.from_numpy(data.labels[rows]).to(device))

    losses = optimise(
        run, model, len(data.labels), supervised, device=device, checkpoint=checkpoint, stop_after=stop_after,
        report=report,
    )  # fmt: skip
    return model.eval(), losses


def save(
    model: torch.nn.Module, name: str, run: ClassifierRun, losses: list[float], folder: Path, *, seconds: float,
    command: str,
) -> None:  # fmt: skip
    """Write weights (half precision) and card."""
    save_run(
        folder, WEIGHTS, model.state_dict(), name, run, losses, seconds=seconds, command=command,
        classes=[concept.key for concept in concepts()], parameters=sum(p.numel() for p in model.parameters()),
        training_images=run.images or CORPORA[run.corpus].pairs,
    )  # fmt: skip


def train(
    name: str,
    run: ClassifierRun,
    *,
    out: Path,
    work: Path,
    device: str | None = None,
    command: str,
    report: Report = silent,
) -> Path:
    """Train one run from scratch (or from its checkpoint in ``work``) and save it under ``out``."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    data = labelled(run, folder=work, report=report)
    stem = name.replace(",", "-")
    started = time.monotonic()
    model, losses = fit(run, data, device=device, checkpoint=work / f"supervised-{stem}.pt", report=report)
    save(model, name, run, losses, out / stem, seconds=time.monotonic() - started, command=command)
    return out / stem
