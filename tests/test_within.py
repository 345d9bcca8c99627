"""The within-icon effect against a regression done by hand, and on the shipped pair of models."""

from __future__ import annotations

import numpy as np
import pytest

from core.evaluation.shipped import shipped_answer
from core.frequency.sources import load_source
from core.icons.training.within import PAIR, finding, within_icon
from core.types import FrequencyTable, Lens
from tests.answers import answer_with_accuracies


def test_difficulty_cancels_and_frequency_stays() -> None:
    rng = np.random.default_rng(0)
    n, keys = 300, [f"c{i}" for i in range(300)]
    hard = rng.uniform(0, 0.4, n)
    counts = np.floor(10 ** rng.uniform(0, 3, (2, n))).astype(int)
    right = np.rint(1000 * (0.1 + 0.12 * np.log10(counts) + hard)).astype(int)  # of 1,000 images
    answers = [answer_with_accuracies(row, 1000, keys=keys) for row in right]
    tables = tuple(FrequencyTable("t", "made", "image", dict(zip(keys, row.tolist(), strict=True))) for row in counts)
    found = within_icon(*answers, tables)
    assert found.effect.value == pytest.approx(0.12, abs=1e-3)
    assert found.effect.low <= 0.12 <= found.effect.high
    by_hand = np.polyfit(found.decades, found.change, 1)[0]
    assert found.effect.value == pytest.approx(by_hand)


def test_the_shipped_pair_shows_frequency_within_icons() -> None:
    answers = [shipped_answer(Lens(model, "icons")) for model in PAIR]
    found = within_icon(*answers, tuple(load_source(model.partition(",")[2]) for model in PAIR))
    assert len(found.keys) > 400
    assert found.effect.low > 0.05
    assert "own control" in finding(found)
