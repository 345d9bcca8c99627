"""One picture under attack: what it looked like, what was changed, and what is said before and after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.errors import BadInput
from core.robustness.attacks.plan import Plan
from core.robustness.attacks.runner import AttackRunner
from core.robustness.attacks.typographic import overlay
from core.types import ImageSet, Report, silent

BEST = 5
MOST_LETTERS = 60


@dataclass(frozen=True)
class Said:
    """The best classes of one version of a picture: names and softmax probabilities, best first; ``true`` and ``word``
    are the probabilities of the true class and of the class written (None when no class was)."""

    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    true: float
    word: float | None = None


@dataclass(frozen=True)
class Looked:
    """A picture before and after.

    Attributes:
        before, after: uint8 [h, w, 3], as the model sees them. change: uint8 [h, w, 3], the change
            around grey, times ``factor``.
        said_before, said_after: answers; true_name: its class.
        largest: largest change of a value, in 255ths; placed: copies of a word that found a place, 0 for an attack.
    """

    before: np.ndarray
    after: np.ndarray
    change: np.ndarray
    factor: int
    said_before: Said
    said_after: Said
    true_name: str
    largest: float
    placed: int = 0


def attack_picture(
    model: str, image_set: ImageSet, row: int, plan: Plan, *, prompts: str = "simple", report: Report = silent
) -> Looked:
    """One picture under a white-box or score-based attack, whether or not it is right unattacked."""
    bench = AttackRunner(model, image_set, [row], prompts=prompts, report=report)
    x, y, _ = bench.batch(0)
    return _looked(bench, x, bench.perturbed(plan, 0), int(y))


def write_on_picture(
    model: str,
    image_set: ImageSet,
    row: int,
    word: str,
    *,
    copies: int,
    size: float,
    seed: int = 0,
    prompts: str = "simple",
    report: Report = silent,
) -> Looked:
    """One picture with a word on it; a word that is a class's name also tells how far it pulls towards that class.

    Args:
        size: height of the letters as a share of the picture's.
    """
    word = " ".join(word.split())
    if not word or len(word) > MOST_LETTERS or not word.isprintable():
        raise BadInput(f"Write a word or a few, up to {MOST_LETTERS} letters.")
    bench = AttackRunner(model, image_set, [row], prompts=prompts, report=report)
    x, y, _ = bench.batch(0)
    drawn, placed = overlay(_pixels(x), word, copies=copies, size=size, seed=seed)
    written = torch.from_numpy(drawn.copy()).to(x.device).permute(2, 0, 1)[None].float() / 255
    names = list(image_set.names)
    return _looked(bench, x, written, int(y), word=names.index(word) if word in names else None, placed=placed)


def _looked(
    bench: AttackRunner, x: torch.Tensor, after: torch.Tensor, label: int, *, word: int | None = None, placed: int = 0
) -> Looked:
    names = list(bench.image_set.names)
    factor = 1 if placed else 10
    change = (0.5 + factor * (after - x)).clamp(0, 1)
    with torch.no_grad():
        probabilities = bench.scorer.logits(torch.cat([x, after])).softmax(1).cpu().numpy()
    answers = []
    for given in probabilities:
        best = np.argsort(-given, kind="stable")[:BEST]
        shown = tuple(names[one] for one in best.tolist()), tuple(given[best].tolist())
        answers.append(Said(*shown, float(given[label]), None if word is None else float(given[word])))
    largest = 255 * float((after - x).abs().max())
    said_before, said_after = answers
    return Looked(
        _pixels(x), _pixels(after), _pixels(change), factor, said_before, said_after, names[label], largest, placed
    )


def _pixels(x: torch.Tensor) -> np.ndarray:
    return (255 * x[0]).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
