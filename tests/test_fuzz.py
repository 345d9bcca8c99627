"""A few inputs for every fuzz target; ``make fuzz SECONDS=600`` tries more (``tests/fuzz.py``)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz import PIECES, TARGETS, mutated, tried


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_in_a_file_ends_in_a_sentence(name: str, tmp_path: Path) -> None:
    target, rng = TARGETS[name], random.Random(name)
    for whole in target.corpus:
        assert not tried(target, whole, tmp_path)
    inputs = [mutated(rng.choice(target.corpus), rng) for _ in range(25)]
    for data in (*PIECES, *inputs):
        assert not tried(target, data, tmp_path), data[:500]
