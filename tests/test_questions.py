"""What a question is about decides its key: prompts, counts, names, pictures and weights behind unchanged names.

``test_look_again`` looks at pages; here is the heat map too, whose computation takes a server more than 20 seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core import questions
from core.cli.app import app
from core.datasets import open_set
from core.datasets.subset import renamed
from core.runtime.jobs import question
from core.supervised.ask import answer_of
from core.types import ImageSet, Lens
from pages.corruptions import shared
from pages.shifts import cell
from tests import tiny


def paint(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)).save(path)


def import_counts(root: Path, dogs: int) -> None:
    (root / "counts.csv").write_text(f"concept,count\ndog,{dogs}\ncat,5\n")
    done = CliRunner().invoke(app, ["frequency", "import", str(root / "counts.csv"), "--name", "mine"])
    assert done.exit_code == 0, done.output


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for number, key in enumerate(("cat", "dog")):
        paint(tmp_path / "photos" / key / "0.png", number)
    (tmp_path / "mine.txt").write_text("a photo of a {}.")
    tiny.save(tmp_path / "model")
    import_counts(tmp_path, 7)
    return tmp_path


def keys_of(root: Path, names: dict[str, str]) -> list[str]:
    """Keys of the heat map of corruptions, of the frames under a shift, and of an answer."""
    images: ImageSet = open_set(root / "photos")
    if names:
        images = renamed(images, names)
    questions.use(images)
    lens = Lens(f"local-dir:{root / 'model'}", images.id, str(root / "mine.txt"), "imported:mine")
    asked = (
        question(shared._sampled, [lens], images, 1, 0, "", None, label="heat map"),
        question(cell._both, lens, images, images, label="frames"),
        question(answer_of, lens, images, label="answer"),
    )
    return [one.key for one in asked]


CHANGES: dict[str, Callable[[Path], object]] = {
    "prompts": lambda root: (root / "mine.txt").write_text("art of a {}."),
    "counts": lambda root: import_counts(root, 8),
    "picture": lambda root: paint(root / "photos" / "dog" / "0.png", 9),
    "weights": lambda root: tiny.save(root / "model", seed=3),
    "configuration": lambda root: (root / "model" / "open_clip_config.json").write_text(
        json.dumps({**json.loads((root / "model" / "open_clip_config.json").read_text()), "more": 1})
    ),
    "names": lambda root: {"dog": "hound"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_behind_a_name_is_another_question(world: Path, change: str) -> None:
    before = keys_of(world, {})
    assert before == keys_of(world, {})
    made = CHANGES[change](world)
    after = keys_of(world, made if isinstance(made, dict) else {})
    assert [change for one, other in zip(before, after, strict=True) if one == other] == []
