"""Commands run on a shipped model and a few freshly drawn pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from core.cli.app import app
from core.icons.concepts import concepts
from core.icons.corpus import draw
from core.icons.render import render

MODEL = "icon-RN,icons-200k"
SHOWN, EACH = 10, 4


def draw_folder(root: Path) -> Path:
    """Class folders of freshly drawn icons, from the commonest to the rarest concepts."""
    for place, concept in enumerate(concepts()[:: len(concepts()) // SHOWN][:SHOWN]):
        (root / concept.key).mkdir()
        for index in range(EACH):
            seed = (9, place, index)
            render(draw(concept, np.random.default_rng([2, *seed]), seed)).save(root / concept.key / f"{index}.png")
    return root


def output(*arguments: str) -> Any:
    """What a command printed as JSON."""
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
