"""The corruption studio as Streamlit runs it; classifiers are replaced, corruptions and sequences are real."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from core.evaluation import evaluate
from core.robustness import committed as shipped
from core.robustness.corruptions import records as corruption_records
from core.robustness.corruptions import registry as corruptions
from core.robustness.corruptions.run import InMemory, Plan, run
from core.runtime.jobs import Engine
from core.supervised import ask
from core.types import Answer, Lens
from tests.helpers.pages import answered, figures, opened, settled, words

pytest.importorskip("imagecorruptions")
MODEL = "icon-RN,icons-200k"


def answer_for(model, image_set, *, prompts="simple", report=lambda _: None) -> Answer:
    """Right when clean and at severities below three; from there on every image is called the next class."""
    labels, classes = np.asarray(image_set.labels), len(image_set.keys)
    conditions = getattr(image_set, "conditions", [""] * len(labels))
    harsh = np.array([one[-1:] in "345" and "frame" not in one and one != "" for one in conditions])
    odd = np.array(["frame 7" in one for one in conditions])
    said = np.where(harsh | odd, (labels + 1) % classes, labels)
    top = np.stack([(said + step) % classes for step in range(5)], axis=1).astype(np.int32)
    stored = {
        "rows": np.arange(len(labels)),
        "top": top,
        "scores": np.tile(np.linspace(0.5, 0.3, 5, dtype=np.float32), (len(labels), 1)),
        "margin": np.where(said == labels, 0.05, -0.05).astype(np.float32),
        "probability": np.full(len(labels), 0.7, np.float32),
    }
    lens = Lens(model, image_set.id, prompts)
    return evaluate.assemble(lens, image_set, stored, about={"left_out": [], "fingerprint": {"model": model}})


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers of known answers."""
    monkeypatch.setattr(evaluate, "evaluate", answered)
    monkeypatch.setattr(ask, "answer_for", answer_for)


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records as a real run makes them of those answers, in the place of the shipped table."""
    from core.datasets import open_set

    plan = Plan(corruptions=("fog", "contrast"), per_class=1)
    outcomes = run([MODEL], InMemory(open_set("icons"), plan), plan, report=lambda _: None)
    reference = corruption_records.reference_of(outcomes[MODEL])
    found = tuple(corruption_records.records(outcomes, set_id="icons", seed=0, reference=reference))
    monkeypatch.setattr(shipped, "table", lambda name: found)


def test_one_picture_is_shown_under_every_corruption_of_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "table", lambda name: ())
    app = opened("corruptions", **{"corruptions-class": "anchor", "group": "digital"})
    assert not app.exception
    assert "is not measured yet" in words(app)
    assert "1 of 1 clean and 8 of 20 corrupted pictures of “anchor” correctly" in words(app)


def test_two_models_stand_side_by_side() -> None:
    app = opened("corruptions", other="icon-ViT,icons-200k", **{"corruptions-class": "anchor"})
    assert not app.exception
    assert "A: icon-RN" in words(app)
    assert "B: icon-ViT" in words(app)


def test_a_whole_class_counts_its_pictures() -> None:
    app = opened("corruptions", whole="true", **{"corruptions-class": "anchor"})
    assert not app.exception
    assert "6 of 6 clean and 48 of 120 corrupted pictures" in words(app)


def test_the_finding_says_what_corruptions_cost_and_who_breaks_first(committed: None) -> None:
    app = opened("corruptions", **{"corruption-view": "heat map"})
    assert not app.exception
    assert "Corruptions cut accuracy from 100 % to 40 %, on average. " in words(app).replace("</h1>", " ")
    assert "Head and tail lose about the same share" in words(app)
    assert "mCE 100 %" in words(app)
    squares = figures(app)[0]["data"][1]  # on the cells of the heat map
    assert len(squares["customdata"]) == 10
    assert squares["text"][:5] == ["100", "100", "0", "0", "0"]
    assert "586 of 586 correct images" in words(app)


def test_a_clicked_square_is_the_condition_looked_at(committed: None) -> None:
    app = opened("corruptions", **{"corruption-view": "heat map"})
    app.session_state["_corruption"], app.session_state["_severity"] = "contrast", 1
    app = settled(app.run())
    assert "Broken by contrast 1" in words(app)
    assert "0 of 586 correct images" in words(app)


def test_head_and_tail_are_drawn_along_severity_with_intervals(committed: None) -> None:
    app = opened("corruptions", **{"corruption-view": "head and tail"})
    assert not app.exception
    lines = {trace["name"]: trace for trace in figures(app)[0]["data"]}
    assert set(lines) == {"head", "tail"}
    assert lines["tail"]["y"] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert all(value > 0 for value in lines["tail"]["error_y"]["arrayminus"][:3])


def test_a_sequence_marks_its_flips() -> None:
    asked = {"corruption-view": "sequences", "corruptions-class": "anchor"}
    app = opened("corruptions", perturbation="rotate", **asked)
    assert not app.exception
    assert "flips 2 times in 30 steps (FP 0.07" in words(app)
    assert "anchor ×7, then" in words(app)


def test_without_the_package_the_page_says_how_to_get_it(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(corruptions, "version", absent)
    app = opened("corruptions", **{"corruptions-class": "anchor"})
    assert not app.exception
    assert "pip install imagecorruptions-imaug" in app.info[0].value.replace("\\", "")
    assert "Corruptions cut accuracy from 100 %" in words(app)


def test_a_linked_model_that_does_not_exist_is_a_sentence() -> None:
    app = opened("corruptions", other="supervised:nobody")
    assert not app.exception
    assert "No supervised classifier is called" in words(app)


@pytest.mark.parametrize("view", ["heat map", "head and tail"])
def test_the_committed_table_is_shown_at_once_and_beside_a_supervised_model(view: str) -> None:
    app = opened("corruptions", other="supervised:icon-RN,icons-200k", **{"corruption-view": view})
    assert not app.exception
    assert "15 corruptions at 5 severities" in words(app)
    assert "mCE 78 % of icon-reference, supervised" in words(app)
    assert len(figures(app)) == (2 if view == "heat map" else 1)
    assert "is not measured" not in words(app)
