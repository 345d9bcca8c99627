"""The training loop that contrastive and supervised runs share: batches, schedule, checkpoints, resumption.

A run stopped at any moment resumes from its last checkpoint; the same seed, device and thread count give the same
weights.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from cache.files import atomic_write, remove_orphans, write_bytes
from core.icons.corpus import CORPORA, LARGEST, corpus
from core.icons.render import render
from core.types import Progress, Report, silent

CARD = "card.json"
CHECKPOINT_EVERY = 100  # steps


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


def rendered(name: str, *, folder: Path | None = None, limit: int | None = None, report: Report = silent) -> np.ndarray:
    """Pictures of a corpus (or of its first ``limit`` pairs), uint8 [n, 64, 64, 3]; kept in ``folder`` if given."""
    n = min(CORPORA[name].pairs, limit or LARGEST)
    path = folder and folder / f"{name}-{n}.npy"
    if path and path.exists():
        return np.load(path, mmap_mode="r", allow_pickle=False)
    pictures = []
    for done, pair in enumerate(corpus(name)[:n]):
        report(Progress(done, n, f"rendering {name}"))
        pictures.append(np.asarray(render(pair.drawing)))
    pixels = np.stack(pictures)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, pixels)
    return pixels


def as_images(pixels: np.ndarray, device: str) -> torch.Tensor:
    """Pixels uint8 [b, 64, 64, 3] as the towers take them: float32 [b, 3, 64, 64] in -1..1, channels last."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(0, 3, 1, 2)
    return images.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)


def batches(run: Run, n: int, start: int) -> Iterator[tuple[int, np.ndarray]]:
    """Step number and sorted rows of every batch from step ``start``; each epoch is a permutation of its own."""
    per_epoch = n // run.batch
    for step in range(start, run.epochs * per_epoch):
        epoch, index = divmod(step, per_epoch)
        order = np.random.default_rng([run.seed, 11, epoch]).permutation(n)
        yield step, np.sort(order[index * run.batch : (index + 1) * run.batch])


def learning_rate(run: Run, step: int, total: int) -> float:
    """Linear warm-up over a tenth of the steps, then a cosine to zero."""
    warmup = max(1, total // 10)
    if step < warmup:
        return run.lr * (step + 1) / warmup
    return run.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))


def optimise(
    run: Run,
    model: torch.nn.Module,
    n: int,
    loss_of: Callable[[np.ndarray], torch.Tensor],
    *,
    device: str = "cpu",
    checkpoint: Path | None = None,
    stop_after: int | None = None,
    after_step: Callable[[], None] = lambda: None,
    report: Report = silent,
) -> list[float]:
    """Train ``model`` in place with AdamW, resuming from ``checkpoint`` when it exists.

    Args:
        n: training pictures. loss_of: rows int64 [batch] -> scalar loss that gradients flow from.
        stop_after: return after this many steps in all (for tests and interrupted runs).
        after_step: called after every step of the optimiser, without gradients.

    Returns:
        The loss of every step, those before the checkpoint included.
    """
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
    total = run.epochs * (n // run.batch)
    for step, rows in batches(run, n, len(losses)):
        if stop_after is not None and step >= stop_after:
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(run, step, total)
        loss = loss_of(rows)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            after_step()
        losses.append(loss.item())
        report(Progress(len(losses), total, f"{run.arch},{run.corpus}: loss {losses[-1]:.3f}"))
        if checkpoint is not None and (step + 1) % CHECKPOINT_EVERY == 0:
            _save_checkpoint(checkpoint, model, optimiser, losses)
    if checkpoint is not None:
        _save_checkpoint(checkpoint, model, optimiser, losses)
    return losses


def _save_checkpoint(path: Path, model: torch.nn.Module, optimiser: torch.optim.Optimizer, losses: list[float]) -> None:
    with atomic_write(path) as file:
        torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "losses": losses}, file)


def save_run(
    folder: Path,
    weights: str,
    state: Mapping[str, torch.Tensor],
    name: str,
    run: Run,
    losses: list[float],
    *,
    seconds: float,
    command: str,
    **facts: object,
) -> None:
    """Write tensors (half precision) and ``card.json``; ``facts`` stand in the card beside what every run has.

    The losses are about fifty means over blocks of steps.
    """
    from safetensors.torch import save as as_safetensors

    folder.mkdir(parents=True, exist_ok=True)
    remove_orphans(folder)
    plain = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    halved = {key: value.half() if value.is_floating_point() else value for key, value in plain.items()}
    write_bytes(folder / weights, as_safetensors(halved))
    block = max(1, len(losses) // 50)
    card = {
        "name": name,
        "run": asdict(run),
        **facts,
        "steps": len(losses),
        "git_revision": _revision(),
        "torch": torch.__version__,
        "seconds": round(seconds),
        "command": command,
        "loss_every": block,
        "loss": [round(float(np.mean(losses[i : i + block])), 4) for i in range(0, len(losses), block)],
        "licence": "MIT; drawn from Font Awesome Free icons (CC BY 4.0)",
    }
    write_bytes(folder / CARD, (json.dumps(card, indent=1) + "\n").encode())


def _revision() -> str:
    """The commit of the running code, empty outside a checkout."""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
