"""Training the icon models from scratch, through open_clip's own classes and config format.

``python -m core icons train icon-RN,icons-200k`` writes ``open_clip_model.safetensors`` (half precision),
``open_clip_config.json`` and ``card.json``; ``local-dir:`` loads the folder unchanged. A run stopped at any moment
resumes from its last checkpoint; the same seed, device and thread count give the same weights.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from core.icons.corpus import CORPORA, corpus
from core.icons.render import SIZE, render
from core.text_tower import trimmed_text_features

CONTEXT = 48
VOCAB = 49408
CHECKPOINT_EVERY = 100  # steps
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
PREPROCESS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One training run; everything that decides the weights."""

    arch: str
    corpus: str
    epochs: int
    batch: int = 256
    lr: float = 1.5e-3
    weight_decay: float = 0.1
    seed: int = 0

    @property
    def steps(self) -> int:
        return self.epochs * (CORPORA[self.corpus].pairs // self.batch)


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


def training_data(name: str, *, folder: Path | None = None, limit: int | None = None) -> TrainingData:
    """Render and tokenise a corpus; pixels are kept in ``folder`` when one is given."""
    import open_clip

    pairs = corpus(name)[:limit]
    path = None if folder is None else folder / f"{name}-{len(pairs)}.npy"
    if path is None or not path.exists():
        pixels = np.stack([np.asarray(render(pair.drawing)) for pair in tqdm(pairs, desc=f"render {name}")])
        if path is not None:
            folder.mkdir(parents=True, exist_ok=True)
            np.save(path.with_suffix(".tmp.npy"), pixels)
            os.replace(path.with_suffix(".tmp.npy"), path)
    else:
        pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    tokens = open_clip.SimpleTokenizer(context_length=CONTEXT)([pair.caption for pair in pairs]).numpy()
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


def _batches(run: Run, n: int, start: int) -> Iterator[tuple[int, np.ndarray]]:
    per_epoch = n // run.batch
    for step in range(start, run.epochs * per_epoch):
        epoch, index = divmod(step, per_epoch)
        order = np.random.default_rng([run.seed, 11, epoch]).permutation(n)
        yield step, np.sort(order[index * run.batch : (index + 1) * run.batch])


def _learning_rate(run: Run, step: int, total: int) -> float:
    warmup = max(1, total // 10)
    if step < warmup:
        return run.lr * (step + 1) / warmup
    return run.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def fit(
    run: Run,
    data: TrainingData,
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    stop_after: int | None = None,
    report: Callable[[int, float], None] | None = None,
) -> tuple[torch.nn.Module, list[float]]:
    """Train, resuming from ``checkpoint`` when it exists.

    Args:
        stop_after: return after this many steps in all (for tests and interrupted runs).
        report: called with (step, loss) after every step.

    Returns:
        The model (float32, compact vocabulary) and the loss of every step.
    """
    torch.manual_seed(run.seed)
    model = build(run.arch, vocabulary=len(data.vocabulary)).to(device)
    if run.arch == "icon-RN":
        model.visual.to(memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    plain = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": run.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=run.lr, betas=(0.9, 0.98))
    losses: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        losses = state["losses"]
    n, total = len(data.tokens), run.epochs * (len(data.tokens) // run.batch)
    targets = torch.arange(run.batch, device=device)
    bar = tqdm(total=total, initial=len(losses), desc=f"{run.arch},{run.corpus}", unit="step")
    for step, rows in _batches(run, n, len(losses)):
        if stop_after is not None and step >= stop_after:
            break
        for group in optimiser.param_groups:
            group["lr"] = _learning_rate(run, step, total)
        pixels = torch.from_numpy(np.ascontiguousarray(data.pixels[rows])).to(device).permute(0, 3, 1, 2)
        images = pixels.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        tokens = torch.from_numpy(data.tokens[rows]).long().to(device)
        with torch.autocast(device, torch.bfloat16):
            image_vectors = model.encode_image(images, normalize=True)
            text_vectors = trimmed_text_features(model, tokens)
        logits = model.logit_scale.exp() * image_vectors.float() @ text_vectors.float().T  # [batch, batch]
        loss = (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
        bar.update()
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
        if report is not None:
            report(step, losses[-1])
        if checkpoint is not None and (step + 1) % CHECKPOINT_EVERY == 0:
            _save_checkpoint(checkpoint, model, optimiser, losses)
    bar.close()
    if checkpoint is not None:
        _save_checkpoint(checkpoint, model, optimiser, losses)
    return model.eval(), losses


def _save_checkpoint(path: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer, losses: list[float]) -> None:
    partial = path.with_suffix(".tmp")
    torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses}, partial)
    os.replace(partial, path)


def save(
    model: torch.nn.Module, run: Run, data: TrainingData, losses: list[float], folder: Path, *, seconds: float
) -> None:
    """Write weights, config and card in open_clip's ``local-dir:`` layout; untouched token rows are zeros."""
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    table = torch.zeros(VOCAB, state["token_embedding.weight"].shape[1])
    table[torch.from_numpy(data.vocabulary)] = state["token_embedding.weight"]
    state["token_embedding.weight"] = table
    half = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(half, folder / "open_clip_model.safetensors")
    config = {"model_cfg": ARCHITECTURES[run.arch], "preprocess_cfg": PREPROCESS}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    block = max(1, len(losses) // 50)
    card = {
        "name": f"{run.arch},{run.corpus}",
        "run": asdict(run),
        "parameters": sum(p.numel() for p in build(run.arch).parameters()),
        "training_pairs": len(data.tokens),
        "steps": len(losses),
        "git_revision": revision,
        "torch": torch.__version__,
        "seconds": round(seconds),
        "command": f"python -m core icons train {run.arch},{run.corpus}",
        "loss_every": block,
        "loss": [round(float(np.mean(losses[i : i + block])), 4) for i in range(0, len(losses), block)],
        "licence": "MIT; drawn from Font Awesome Free icons (CC BY 4.0)",
    }
    (folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def train(name: str, *, out: Path, work: Path, device: str | None = None) -> Path:
    """Train one of ``RUNS`` from scratch (or from its checkpoint in ``work``) and save it under ``out``."""
    run = RUNS[name]
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    data = training_data(run.corpus, folder=work)
    checkpoint = work / f"{run.arch}-{run.corpus}.pt"
    started = time.monotonic()
    model, losses = fit(run, data, device=device, checkpoint=checkpoint)
    folder = out / f"{run.arch}-{run.corpus}"
    save(model, run, data, losses, folder, seconds=time.monotonic() - started)
    return folder
