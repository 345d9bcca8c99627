"""The Attacks page as Streamlit runs it, with a real icon model; and the sentences and figures it shows."""

from __future__ import annotations

import numpy as np
import pytest

from core.charts.attacks import eps_curves, needed_figure, transfer_figure
from core.robustness import committed
from core.robustness.attacks.findings import evidence, headline, prompts_matter, tail_breaks_first
from core.robustness.metrics import difference
from core.robustness.records import Record, record
from core.runtime.jobs import Engine
from core.stats.intervals import wilson
from tests.helpers.pages import figures, opened, words

MODEL = "icon-RN,icons-200k"


@pytest.fixture
def engine(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No background work but the page's own."""
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing shipped."""
    monkeypatch.setattr(committed, "table", lambda name: ())


def made(right: int, n: int = 100, **rest) -> Record:
    more = {"clean": 0.6, "clean_right": 60, "success": 1 - right / 60, "success_low": 0.1, "success_high": 0.9}
    return record(
        MODEL, "icons", "pgd", right=right, n=n, units="pixel/255", seed=0,
        **{"prompts": "simple", "eps": 2.0, "more": {**more, **rest.pop("more", {})}, **rest},
    )  # fmt: skip


@pytest.mark.slow
def test_one_picture_is_attacked_and_said_before_and_after(engine) -> None:
    app = opened("attacks", attack="FGSM", eps="4.0")
    assert not app.exception
    said = words(app)
    assert "Change × 10" in said
    assert said.count("data:image/png;base64,") == 3
    assert "FGSM: Goodfellow" in said
    assert "Largest change of a value: 4.00 of 255" in said
    before, after = figures(app)
    assert len(before["data"][0]["y"]) == len(after["data"][0]["y"]) == 5


@pytest.mark.slow
def test_a_typed_word_is_written_and_never_rendered(engine) -> None:
    app = opened("attacks", attack="Typographic", word="<b>apple</b>", copies="2")
    assert not app.exception
    assert "copies of the word" in words(app) or "copy of the word" in words(app)
    assert "<b>apple" not in words(app)


@pytest.mark.parametrize("word", ["x" * 80, "a\x00b"])
def test_a_word_that_cannot_be_written_is_told(engine, word: str) -> None:
    app = opened("attacks", attack="Typographic", word=word)
    assert not app.exception
    assert "Write a word or a few" in words(app)


@pytest.mark.slow
def test_strategies_are_measured_side_by_side(engine, unmeasured) -> None:
    query = {"attacks-view": "accuracy", "attack-curve": "FGSM", "attack-n": "50", "attack-who": ["simple", "class"]}
    app = opened("attacks", **query)
    app.run()
    assert not app.exception
    curves, parts = figures(app)
    assert [trace["name"] for trace in curves["data"]] == ["simple", "class"]
    assert [trace["name"] for trace in parts["data"]] == ["head", "tail"]
    assert "At 2/255 the prompts leave between" in words(app)
    assert "drops accuracy from" in words(app.run())


@pytest.mark.slow
def test_the_minimal_eps_of_every_image_is_drawn(engine) -> None:
    app = opened("attacks", **{"attacks-view": "minimal ε", "minimal-n": "50"})
    assert not app.exception
    assert "Half of the" in words(app)
    assert "DeepFool" in words(app)
    assert any(trace.get("name", "").startswith("tail") for trace in figures(app)[0]["data"])


def test_another_model_is_only_measured_when_asked(engine, unmeasured, monkeypatch) -> None:
    monkeypatch.setattr("pages.attacks.shared.icon_models", lambda: [])
    app = opened("attacks", **{"attacks-view": "accuracy"})
    assert not app.exception
    assert [button.label for button in app.button if button.label == "Measure"]
    assert not app.get("plotly_chart")


def test_transfer_asks_for_a_second_model(engine, unmeasured) -> None:
    app = opened("attacks", **{"attacks-view": "transfer"})
    assert not app.exception
    assert "Choose a second model" in words(app)


def test_sentences_say_what_was_counted() -> None:
    records = [made(40, eps=1.0), made(20), made(25, eps=2.0), made(5, eps=4.0)]
    assert headline(records).endswith("drops accuracy from 60 % to 20 %.")
    assert evidence(records).startswith("95 % CI 13–29 %; 100 images")
    assert "Changing each pixel by at most 2/255" in headline(records)
    assert headline([]) is None
    assert prompts_matter(records) is None
    told = prompts_matter([made(20), made(50, prompts="class")])
    assert "between 20 % (simple) and 50 % (class) correct, more than noise (30.0 points" in told
    assert "no more than noise" in prompts_matter([made(20), made(22, prompts="class")])


def test_head_and_tail_are_only_told_apart_beyond_noise() -> None:
    def parts(tail: float) -> Record:
        more = {"head_clean_right": 50, "head_success": 0.2, "tail_clean_right": 50, "tail_success": tail}
        return made(20, more=more)

    assert tail_breaks_first(parts(0.6)).startswith("The tail breaks first")
    assert tail_breaks_first(parts(0.0)).startswith("The head breaks first")
    assert tail_breaks_first(parts(0.3)).startswith("No difference between head and tail")
    assert "too few to say" in tail_breaks_first(made(20, more={**parts(0.3).more, "tail_clean_right": 4}))
    assert tail_breaks_first(made(20)) is None


def test_newcombes_interval_is_the_published_one() -> None:
    """56/70 against 48/80: 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    gap = difference(wilson(56, 70), wilson(48, 80))
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_figures_hold_what_they_are_given() -> None:
    curves = eps_curves({"<b>a": [made(40, eps=1.0), made(20)], "b": [made(30, prompts="supervised")]})
    assert curves.data[0].name == "&lt;b&gt;a"
    assert list(curves.data[0].x) == [0, 1, 2]
    assert list(curves.data[0].y) == [0.6, 0.4, 0.2]
    assert curves.data[1].line.dash == "dash"
    needed = needed_figure(np.array([0.5, 1.5, np.inf, np.nan]), np.array(["head", "tail", "", "head"]), upto=2)
    everyone = needed.data[0]
    assert everyone.name.startswith("all (3")
    assert everyone.y[-1] == pytest.approx(2 / 3)
    matrix = transfer_figure([made(30, more={"surrogate": "other"}), made(0)], {MODEL: "a", "other": "b"}).data[0]
    assert np.asarray(matrix.z)[0].tolist() == [1.0, 0.5]
    assert np.isnan(np.asarray(matrix.z, float)[1]).all()


def test_what_ships_is_shown_at_once(engine) -> None:
    app = opened("attacks", **{"attacks-view": "transfer"})
    assert not app.exception
    assert "drops accuracy from 65 % to" in words(app)
    assert "is broken by pixels crafted elsewhere" in words(app)
    assert "noise of the same ε breaks 0 %" in words(app)
    app = opened("attacks", **{"attacks-view": "accuracy"})
    assert {"simple", "class", "ensemble"} == {trace["name"] for trace in figures(app)[0]["data"]}
