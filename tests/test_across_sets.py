"""Strategies on several sets beside one another: the table, its command and its view."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from core.analysis import across_sets
from core.cli.app import app
from core.datasets import open_set
from core.errors import BadInput
from core.evaluation import evaluate
from core.models import registry as models
from core.runtime.jobs import Engine
from core.stats.intervals import wilson
from core.stats.paired import holm
from core.types import Lens, silent
from tests.fakes import FakeImageSet
from tests.helpers.pages import answered_by_prompts, opened, words

MODEL = "icon-RN,icons-200k"


def by_hand(image_set, strategy: str) -> np.ndarray:
    """Which images the replaced model gets right."""
    return np.arange(len(image_set.labels)) % (3 if strategy == "simple" else 4) != 0


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is wrong on every third image under ``simple`` and on every fourth under other strategies."""
    monkeypatch.setattr(evaluate, "evaluate", answered_by_prompts)


@pytest.mark.slow
def test_the_table_agrees_with_counts_and_exact_tests(replaced: None) -> None:
    sets = [FakeImageSet(classes=6, n=300), FakeImageSet(classes=5, n=60), FakeImageSet(classes=6, n=12)]
    found = across_sets.set_table(Lens(MODEL, "", "simple"), sets, ["simple", "ensemble", "class"])
    assert len(found.cells) == 9
    raw = []
    for cell in found.cells:
        (image_set,) = (one for one in sets if one.id == cell.image_set)
        right, before = by_hand(image_set, cell.strategy), by_hand(image_set, "simple")
        assert cell.acc1 == wilson(int(right.sum()), len(right))
        assert (cell.n, cell.classes) == (len(right), len(image_set.keys))
        if cell.strategy == "simple":
            assert cell.change is None
            continue
        assert cell.change is not None
        fixed, broken = int((right & ~before).sum()), int((before & ~right).sum())
        assert (cell.change.b01, cell.change.b10) == (fixed, broken)
        raw.append(binomtest(fixed, fixed + broken).pvalue)
    assert [cell.change.p_holm for cell in found.cells if cell.change] == pytest.approx(holm(raw))
    assert found.mean("class") == pytest.approx(np.mean([by_hand(one, "class").mean() for one in sets]))
    assert across_sets.headline(found).endswith("points of top-1 on average.")
    assert [cell.clear for cell in found.cells if cell.image_set == "fake-6-12"] == [False] * 3
    with pytest.raises(BadInput, match="fake-6-300 is given twice"):
        across_sets.set_table(Lens(MODEL, ""), [sets[0], sets[0]], ["simple"])
    with pytest.raises(BadInput, match="at least one"):
        across_sets.set_table(Lens(MODEL, ""), sets, [])


def test_answers_that_are_there_are_not_computed_again(replaced: None, monkeypatch: pytest.MonkeyPatch) -> None:
    image_set, strategies = FakeImageSet(classes=5, n=60), ["simple", "class"]
    lens = Lens(MODEL, image_set.id)
    expected = across_sets.rows(across_sets.set_table(lens, [image_set], strategies))
    known = [evaluate.evaluate(replace(lens, prompts=one), image_set=image_set, report=silent) for one in strategies]
    monkeypatch.setattr(evaluate, "evaluate", None)
    assert across_sets.rows(across_sets.set_table(lens, [image_set], strategies, known=known)) == expected
    with pytest.raises(TypeError):  # one of two: both are computed, so that both are of the same precision
        across_sets.set_table(lens, [image_set], strategies, known=known[:1])


def test_the_command_prints_sets_by_strategies(replaced: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "canonical", lambda text: text)
    asked = ["prompts", "table", MODEL, "--set", "icons-tail", "--set", "icons-v2", "--prompts", "simple",
             "--prompts", "ensemble"]  # fmt: skip
    sets = [asked[at + 1] for at, word in enumerate(asked) if word == "--set"]
    found = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert (found["sets"], found["baseline"]) == (sets, "simple")
    assert [(one["set"], one["strategy"]) for one in found["cells"]] == [
        (one, strategy) for one in sets for strategy in ("simple", "ensemble")
    ]
    for one in found["cells"]:
        assert one["acc1"] == pytest.approx(by_hand(open_set(one["set"]), one["strategy"]).mean())
    assert found["published"] == []
    printed = CliRunner().invoke(app, asked)
    assert printed.exit_code == 0
    assert "mean" in printed.stdout
    assert isinstance(CliRunner().invoke(app, [*asked, "--set", "icons-tail"]).exception, BadInput)


def test_the_lab_shows_the_table(replaced: None, page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.answers.shipped", lambda lens: None)
    sets = {"lab-view": "several sets", "lab-sets": ["icons", "icons-tail"]}
    page = opened("lab", lenses=["simple", "ensemble"], **sets)
    assert not page.exception
    table = page.dataframe[0].value
    assert table["set"].tolist() == ["icons", "icons-tail", "mean over sets"]
    assert table["ensemble"][0] == "75.0 (74.2–75.8) ▲"
    assert table["simple"][0].startswith("66.7 (")
    listed = page.dataframe[1].value
    assert listed.set_index("set")["cupl-full"]["dtd"] == pytest.approx(53.96)
    assert "ensemble is clearly above simple on 2 and clearly below on 0 of 2 image sets" in words(page)
