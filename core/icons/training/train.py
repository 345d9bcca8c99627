"""Training the icon models from scratch, through open_clip's own classes and config format.

``python -m core icons train icon-RN,icons-200k`` writes ``open_clip_model.safetensors`` (half precision),
``open_clip_config.json`` and ``card.json``; ``local-dir:`` loads the folder unchanged. A run stopped at any moment
resumes from its last checkpoint; the same seed, device and thread count give the same weights.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from cache.files import write_bytes
from core.icons.corpus import corpus
from core.icons.render import SIZE
from core.icons.training.fitting import Run, as_images, optimise, rendered, save_run
from core.models.text_tower import trimmed_text_features
from core.types import Report, silent

CONTEXT = 48
VOCAB = 49408
_TEXT = {"context_length": CONTEXT, "vocab_size": VOCAB, "width": 128, "heads": 4, "layers": 2}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "icon-RN": {
        "embed_dim": 128,
        "vision_cfg": {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 24},
        "text_cfg": _TEXT,
    },
    "icon-ViT": {
        "embed_dim": 128,
        "vision_cfg": {"image_size": SIZE, "layers": 4, "width": 96, "head_width": 32, "patch_size": 8},
        "text_cfg": _TEXT,
    },
}
PREPROCESS = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "shortest"}


RUNS = {
    f"{run.arch},{run.corpus}": run
    for run in (
        Run("icon-RN", "icons-200k", 3),
        Run("icon-RN", "icons-50k", 4),
        Run("icon-RN", "icons-50k-permuted", 4),
        Run("icon-RN", "icons-10k", 8),
        Run("icon-ViT", "icons-200k", 1),
    )
}


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Pixels uint8 [n, 64, 64, 3], compact token ids int32 [n, context], and the vocabulary id of each compact id."""

    pixels: np.ndarray
    tokens: np.ndarray
    vocabulary: np.ndarray


def training_data(
    name: str, *, folder: Path | None = None, limit: int | None = None, report: Report = silent
) -> TrainingData:
    """Render and tokenise a corpus; pixels are kept in ``folder`` when one is given."""
    import open_clip

    pixels = rendered(name, folder=folder, limit=limit, report=report)
    tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)([pair.caption for pair in corpus(name)[:limit]]).numpy()
    vocabulary, compact = np.unique(tokens, return_inverse=True)  # 0 (padding) stays first, end-of-text stays last
    return TrainingData(pixels, compact.reshape(tokens.shape).astype(np.int32), vocabulary)


def build(arch: str, *, vocabulary: int = VOCAB) -> torch.nn.Module:
    """A fresh model of open_clip's own class, its token table cut to ``vocabulary`` rows."""
    from open_clip.model import CLIP

    config = ARCHITECTURES[arch]
    return CLIP(
        embed_dim=config["embed_dim"],
        vision_cfg=dict(config["vision_cfg"]),
        text_cfg={**config["text_cfg"], "vocab_size": vocabulary},
    )


def fit(
    run: Run,
    data: TrainingData,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    stop_after: int | None = None,
    report: Report = silent,
) -> tuple[torch.nn.Module, list[float]]:
    """Train, resuming from ``checkpoint`` when it exists.

    Args:
        stop_after: return after this many steps in all (for tests and interrupted runs).

    Returns:
        The model (float32, compact vocabulary) and the loss of every step.
    """
    torch.manual_seed(run.seed)
    model: Any = build(run.arch, vocabulary=len(data.vocabulary)).to(device)
    if run.arch == "icon-RN":
        model.visual.to(memory_format=torch.channels_last)
    targets = torch.arange(run.batch, device=device)

    def contrastive(rows: np.ndarray) -> torch.Tensor:
        images = as_images(data.pixels[rows], device)
        tokens = torch.from_numpy(data.tokens[rows]).long().to(device)
        with torch.autocast(device, torch.bfloat16):
            image_vectors = model.encode_image(images, normalize=True)
            text_vectors = trimmed_text_features(model, tokens)
        logits = model.logit_scale.exp() * image_vectors.float() @ text_vectors.float().T  # [batch, batch]
        return (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2

    def hold_scale() -> None:
        model.logit_scale.clamp_(0, math.log(100))

    losses = optimise(
        run, model, len(data.tokens), contrastive, device=device, checkpoint=checkpoint, stop_after=stop_after,
        after_step=hold_scale, report=report,
    )  # fmt: skip
    return model.eval(), losses


def save(
    model: torch.nn.Module, run: Run, data: TrainingData, losses: list[float], folder: Path, *, seconds: float
) -> None:
    """Write weights, config and card in open_clip's ``local-dir:`` layout; untouched token rows are zeros."""
    state = model.state_dict()
    known = state["token_embedding.weight"].detach().cpu()
    table = torch.zeros(VOCAB, known.shape[1])
    table[torch.from_numpy(data.vocabulary)] = known
    save_run(
        folder,
        "open_clip_model.safetensors",
        {**state, "token_embedding.weight": table},
        f"{run.arch},{run.corpus}",
        run,
        losses,
        seconds=seconds,
        command=f"python -m core icons train {run.arch},{run.corpus}",
        parameters=sum(p.numel() for p in build(run.arch).parameters()),
        training_pairs=len(data.tokens),
    )
    config = {"model_cfg": ARCHITECTURES[run.arch], "preprocess_cfg": PREPROCESS}
    write_bytes(folder / "open_clip_config.json", (json.dumps(config, indent=1) + "\n").encode())


def train(name: str, *, out: Path, work: Path, device: str | None = None, report: Report = silent) -> Path:
    """Train one of ``RUNS`` from scratch (or from its checkpoint in ``work``) and save it under ``out``."""
    run = RUNS[name]
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    data = training_data(run.corpus, folder=work, report=report)
    checkpoint = work / f"{run.arch}-{run.corpus}.pt"
    started = time.monotonic()
    model, losses = fit(run, data, device=device, checkpoint=checkpoint, report=report)
    folder = out / f"{run.arch}-{run.corpus}"
    save(model, run, data, losses, folder, seconds=time.monotonic() - started)
    return folder
