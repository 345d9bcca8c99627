"""Figures of one attack from what was said of every image: success among the clean-right, minimal ε, masking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.robustness.attacks import MANY
from core.stats.format import percent
from core.stats.intervals import wilson

Arrays = dict[str, np.ndarray]


def shares(clean: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Clean accuracy, and the share of clean-right images that were broken, with its interval."""
    n, broken = int(clean.sum()), int((clean & ~right).sum())
    success = wilson(broken, n)
    return {
        "clean": float(clean.mean()) if len(clean) else float("nan"),
        "clean_right": n,
        "success": success.value,
        "success_low": success.low,
        "success_high": success.high,
    }


def guard(unattacked: Arrays, clean: np.ndarray, right: np.ndarray, answer: Arrays) -> dict[str, Any]:
    """Signs of gradient masking with a ``warning`` in words (or None), and the accuracy left by the margin loss."""
    saturated, flat = (float(unattacked[name].mean()) for name in ("saturated", "flat"))
    found: dict[str, Any] = {"saturated": saturated, "zero_gradient": flat}
    said = []
    if max(saturated, flat) >= MANY:
        said.append(
            f"{percent(max(saturated, flat))} of the images saturate the softmax or give no gradient, so attacks on "
            "cross-entropy may fail blindly."
        )
    if "margin_said" in answer:
        after = right & (answer["margin_said"] == answer["labels"])
        found["margin_acc1"] = float(after.mean())
        more = int(right.sum() - after.sum())
        if more > max(1, MANY * clean.sum()):
            said.append(f"The margin loss breaks {more} more of {int(clean.sum())} images: trust the lower accuracy.")
    return {**found, "warning": " ".join(said) or None}


def on_grid(clean: Arrays, answers: Sequence[Arrays], eps: Sequence[float]) -> np.ndarray:
    """Smallest tried ε that broke each image [m]: NaN where it is wrong unattacked, inf where none did."""
    right = clean["said"] == clean["labels"]
    needed = np.full(len(right), np.inf)
    for strength, answer in sorted(zip(eps, answers, strict=True), key=lambda pair: -pair[0]):
        needed[answer["said"] != answer["labels"]] = strength
    return np.where(right, needed, np.nan)


def median(needed: np.ndarray) -> dict[str, Any]:
    """Median over the clean-right images; None where half of them need more than was tried."""
    needed = needed[~np.isnan(needed)]
    # The upper of two middle values: an average with an unbroken image would be infinite, with a broken one too small.
    median = float(np.sort(needed)[len(needed) // 2]) if len(needed) else np.nan
    return {"minimal_eps": median if np.isfinite(median) else None, "unbroken": int(np.isinf(needed).sum())}
