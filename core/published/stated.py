"""What the paper's text states (arXiv 2404.04125v3, NeurIPS 2024), and the shape of a claim that was checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Verdict = Literal["agrees", "partly", "differs"]
TABLE_6 = {
    ("cc3m", "RN50"): (5.10, 13.89, 20.18, 32.93, 44.30),
    ("laion400m", "ViT-L-14"): (60.44, 58.87, 62.43, 67.63, 76.65),
}
TABLE_4 = {
    ("cc3m", "cc12m"): 0.79, ("cc3m", "yfcc15m"): 0.96, ("cc3m", "laion400m"): 0.63, ("cc12m", "yfcc15m"): 0.97,
    ("cc12m", "laion400m"): 0.74, ("yfcc15m", "laion400m"): 0.76,
}  # fmt: skip
TABLE_3 = {"cc3m": 16.81, "cc12m": 17.25, "yfcc15m": 36.48, "laion_aesthetics": 14.34, "laion400m": 5.31}
TABLE_7 = {"cc3m": 18.0, "cc12m": 14.5, "yfcc15m": 40.5, "laion400m": 7.0}
LET_IT_WAG_STATED = {"median": 97.5, "mean": 1096.2, "partridge": 9489, "Bank_Swallow": 9489, "eel": 7907}
HOMONYMS = frozenset(("watch", "bear", "bridge", "fly", "bar", "wave"))
BROAD = frozenset(("dog", "bird", "car", "food", "plant", "animal", "person", "people", "man", "woman", "building"))
"""Homonyms are the paper's examples (App. L); it gives the dog among its breeds for broad ones, the others are ours."""


@dataclass(frozen=True)
class Claim:
    """One statement and its check.

    Attributes:
        title; stated: what the text says and where; found: what the files give; verdict.
        recipe: how it was recomputed; rows: the figures side by side, one mapping a row.
    """

    id: str
    title: str
    stated: str
    found: str
    verdict: Verdict
    recipe: str
    rows: tuple[dict[str, Any], ...] = field(default_factory=tuple)
