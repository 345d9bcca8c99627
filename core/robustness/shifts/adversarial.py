"""The natural-adversarial filter of the icon world, as ImageNet-A's: pictures of the pretraining distribution that a
reference model gets wrong (Hendrycks et al., Natural Adversarial Examples, 2021).

Only the numbers of the kept candidates are stored; the pictures are drawn from them like any others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from core.datasets import open_set
from core.datasets.formats.icon_recipes import KEPT, RECIPES, RENDERER, draw_one, reread
from core.icons.concepts import concepts
from core.icons.render import render
from core.icons.training.classifier import REFERENCE
from core.models.weights import sha256
from core.strict_json import write_json
from core.supervised.names import ICON, WEIGHTS, folder_of
from core.supervised.scorer import Scorer, scorer_for
from core.types import Progress, Report

ID = "icons-adversarial"
EACH = 8
"""Wrong pictures wanted of every concept; the search ends at the recipe's number of candidates."""
_BATCH = 10


def write_adversarial(*, report: Report) -> Path:
    """Search the candidates and write which the reference gets wrong; a concept without any is left out."""
    model = f"{ICON}{REFERENCE}"
    scorer = scorer_for(model, open_set("icons"))
    kept: dict[str, list[int]] = {}
    for label, concept in enumerate(concepts()):
        wrong = []
        for number, said in _said(concept.key, scorer):
            if said != label:
                wrong.append(number)
            if len(wrong) == EACH:
                break
        if wrong:
            kept[concept.key] = wrong
        report(Progress(label + 1, len(concepts()), f"Looking for what {model} gets wrong"))
    about = {
        **_settings(),
        "command": "python -m core icons adversarial",
        "kept": {key: " ".join(map(str, numbers)) for key, numbers in kept.items()},
    }
    write_json(about, KEPT)
    reread()
    return KEPT


def is_current(path: Path = KEPT) -> bool:
    """Whether the list was written with these weights, candidates and pictures."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return all(about[name] == value for name, value in _settings().items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _settings() -> dict[str, Any]:
    model = f"{ICON}{REFERENCE}"
    return {
        "reference": model,
        "weights": sha256(folder_of(model) / WEIGHTS),
        "renderer": RENDERER,
        "candidates": RECIPES[ID].per_concept,
        "each": EACH,
    }


def _said(key: str, scorer: Scorer) -> Iterator[tuple[int, int]]:
    """The candidates of a concept in order, with the class said of each."""
    for start in range(0, RECIPES[ID].per_concept, _BATCH):
        numbers = range(start, min(start + _BATCH, RECIPES[ID].per_concept))
        pictures = [render(draw_one(ID, key, number), RECIPES[ID].setting) for number in numbers]
        with torch.no_grad():
            said = scorer.logits(scorer.batch(pictures)).argmax(1).tolist()
        yield from zip(numbers, said, strict=True)
