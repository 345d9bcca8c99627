"""The released files as the shipped tables hold them, read with pandas alone: an independent way to every figure."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from core.published.names import parse_path
from core.published.store import SHIPPED

LET_IT_WAG = "let_it_wag_datasets/evaluations/let_it_wag_ensemble_results.json"


@cache
def _table(name: str) -> pd.DataFrame:
    return pd.read_parquet(SHIPPED / f"{name}.parquet")


@cache
def _joined(name: str) -> dict[tuple, pd.DataFrame]:
    keys = {"counts": ["dataset", "pretraining", "method"], "scores": ["family", "dataset", "condition"]}[name]
    found = _table(name).merge(_table("units"), on="unit")
    return dict(iter(found.groupby(keys, observed=True)))


@cache
def load(path: Path) -> dict:
    """What the file at this place of the release holds: concept -> count, or model -> full and per-concept scores.

    It is read once: who changes it changes a copy.
    """
    file = parse_path(LET_IT_WAG if path.name.startswith("let_it_wag") else "/".join(path.parts[-2:]))
    assert file is not None
    if file.kind == "counts":
        rows = _joined("counts")[file.dataset, file.pretraining, file.method].sort_values("position")
        return dict(zip(rows["concept"], rows["count"].tolist(), strict=True))
    inner = "conceptwise" if file.kind == "retrieval" else "classwise"
    listed = file.kind == "text-to-image"
    found = {}
    rows = _joined("scores")[file.kind, file.dataset, file.condition]
    for (model, pretraining), part in rows.groupby(["model", "pretraining"], observed=True):
        values = [[value] if listed else value for value in part["value"].tolist()]
        key = f"backbone{model}_pretrained{pretraining}" if pretraining else str(model)
        found[key] = {inner: dict(zip(part["concept"], values, strict=True))}
    return found
