"""Let It Wag!: 290 concepts that are rare everywhere, under 40 models. The facts are committed; the matrix is imported.

The committed tables (``assets/published/letitwag_*.csv``) are written by :func:`write_assets` from an imported release.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from core.paths import ASSETS
from core.published.names import LET_IT_WAG
from core.published.store import Store, open_store

ASSETS = ASSETS / "published"
COLUMNS = (
    *(f"{pretraining}/{kind}" for pretraining in ("cc3m", "cc12m", "yfcc15m", "laion400m", "synthci30m")
      for kind in ("text", "image", "integrated")),
    "laion200m/image",
)  # fmt: skip
"""Pretraining set / search method of every count column."""
SPLIT_AT = 50.0
"""ImageNet accuracy at which the paper's scatter is fitted by two lines."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One of the 290: released key, readable name, family, data set it comes from, counts by column, mean accuracy.

    ``mean_accuracy`` is over the 40 models, in percent.
    """

    key: str
    name: str
    family: str
    source: str
    counts: Mapping[str, int]
    mean_accuracy: float


@dataclass(frozen=True, slots=True)
class Model:
    """One of the 40: accuracies in percent, parameters in millions (None = not stated), and what to know about it.

    ``imagenet_source`` is ``release`` (its own 80-template runs) or ``open_clip`` (copied there from that project's
    table); ``at_zero`` and ``below_ten`` count concepts with accuracies of 0 and under 10 %.
    """

    model: str
    pretraining: str
    family: str
    parameters: float | None
    imagenet: float
    imagenet_source: str
    letitwag: float
    at_zero: int
    below_ten: int
    note: str

    @property
    def name(self) -> str:
        """Backbone and pretraining set."""
        return f"{self.model} · {self.pretraining}"


@dataclass(frozen=True, slots=True)
class Line:
    """A least-squares line: slope, intercept, models it was fitted to."""

    slope: float
    intercept: float
    n: int


@cache
def concepts() -> tuple[Concept, ...]:
    """The 290 concepts, in alphabetical order of their keys."""
    return tuple(
        Concept(
            row["concept"],
            readable(row["concept"]),
            row["family"],
            row["source"],
            {column: int(row[column]) for column in COLUMNS},
            float(row["mean_accuracy"]),
        )
        for row in _read("letitwag_concepts.csv")
    )


@cache
def models() -> tuple[Model, ...]:
    """The 40 models, best on Let It Wag! first."""
    return tuple(
        Model(
            row["model"],
            row["pretraining"],
            row["family"],
            float(row["parameters_millions"]) if row["parameters_millions"] else None,
            float(row["imagenet"]),
            row["imagenet_source"],
            float(row["letitwag"]),
            int(row["classes_at_zero"]),
            int(row["classes_below_ten"]),
            row["note"],
        )
        for row in _read("letitwag_models.csv")
    )


def _read(name: str) -> list[dict[str, str]]:
    with (ASSETS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def readable(key: str) -> str:
    """A concept's key with spaces."""
    return key.replace("_", " ")


def fits() -> dict[str, Line]:
    """Let It Wag! on ImageNet accuracy: the paper's two segments (``below``, ``above``) and one line (``all``)."""
    imagenet = np.array([model.imagenet for model in models()])
    tail = np.array([model.letitwag for model in models()])
    parts = {"below": imagenet < SPLIT_AT, "above": imagenet > SPLIT_AT, "all": np.ones(len(tail), dtype=bool)}
    return {name: _line(imagenet[part], tail[part]) for name, part in parts.items()}


def _line(x: np.ndarray, y: np.ndarray) -> Line:
    (slope, intercept), *_ = np.linalg.lstsq(np.column_stack((x, np.ones_like(x))), y, rcond=None)
    return Line(float(slope), float(intercept), len(x))


@dataclass(frozen=True)
class Matrix:
    """Accuracies in percent, float64 [40 models, 290 concepts], in the order of ``models()`` and ``concepts()``."""

    models: tuple[Model, ...]
    concepts: tuple[Concept, ...]
    accuracy: np.ndarray


def matrix(store: Store | None = None) -> Matrix:
    """Every concept under every model; raises NotHere without an imported release."""
    found = (store or open_store()).columns(
        "SELECT model, pretraining, concept, value FROM scores JOIN units USING (unit) WHERE family = ?", [LET_IT_WAG]
    )
    rows = {(model.model, model.pretraining): index for index, model in enumerate(models())}
    columns = {item.key: index for index, item in enumerate(concepts())}
    accuracy = np.full((len(rows), len(columns)), np.nan)
    columns_found = (found[name] for name in ("model", "pretraining", "concept", "value"))
    for model, pretraining, key, value in zip(*columns_found, strict=True):
        if (model, pretraining) in rows and key in columns:
            accuracy[rows[model, pretraining], columns[key]] = value
    return Matrix(models(), concepts(), accuracy)


def scale(found: Matrix) -> dict[str, np.ndarray]:
    """Which concepts larger models predict correctly: accuracy against parameters, within training sets.

    Models of one training set are compared with each other only (three sizes or more), so that better data is not
    taken for scale.

    Returns:
        ``gain``: points per tenfold parameters [290]; ``best``, ``worst``: over all models [290]; ``models``: how many
        models the gain is from (one number).
    """
    sizes = np.array([np.log10(model.parameters) if model.parameters else np.nan for model in found.models])
    sets = np.array([model.pretraining for model in found.models])
    used = np.array([np.sum(sets == name) >= 3 for name in sets]) & np.isfinite(sizes)
    x, y = sizes.copy(), found.accuracy.copy()
    for name in np.unique(sets[used]):
        part = used & (sets == name)
        x[part] -= x[part].mean()
        y[part] -= y[part].mean(axis=0)
    gain = x[used] @ y[used] / (x[used] @ x[used])
    best, worst = np.nanmax(found.accuracy, axis=0), np.nanmin(found.accuracy, axis=0)
    return {"gain": gain, "best": best, "worst": worst, "models": np.array(int(used.sum()))}
