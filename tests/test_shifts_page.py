"""The Shifts page as Streamlit runs it; what models say is made by hand, everything after that is real."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.datasets import open_set
from core.paths import ASSETS
from core.robustness.shifts import baselines
from core.runtime.jobs import Engine
from core.types import Answer
from pages.shifts import board as board_view
from pages.shifts import shared
from tests.answers import make_answer
from tests.helpers.pages import figures, galleries, opened, words
from tests.pictures import encoded, write_tree

MODELS = ["icon-RN,icons-200k", "icon-RN,icons-50k"]
SHIFTS = ["icons-sketch", "icons-frames"]
TABLE = """model,icons,icons-sketch,icons-frames_pm0,icons-frames_pm5,type
a,40,20,30,10,standard
b,50,26,40,18,standard
c,60,37,52,26,standard
d,70,45,60,40,standard
icon-RN-icons-200k,99,1,1,1,standard
"""


def answer_for(model, image_set, *, prompts="simple", report=None) -> Answer:
    """In distribution every fifth image is wrong, under shift every other; the second model is wrong more often."""
    images = open_set(image_set) if isinstance(image_set, str) else image_set
    labels = np.asarray(images.labels)
    step = (5 if images.id.startswith("icons#") or images.id in ("icons", "photos") else 2) - (model == MODELS[1])
    wrong = np.arange(len(labels)) % max(step, 2) == 0
    if model == MODELS[1]:
        wrong |= np.arange(len(labels)) % 3 == 0
    found = make_answer(
        labels, np.where(wrong, (labels + 1) % len(images.keys), labels), keys=images.keys, names=images.names
    )
    return found


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No committed rows, answers by hand and a small table of ordinary models."""
    monkeypatch.setattr("core.robustness.shifts.measure.answer_for", answer_for)
    monkeypatch.setattr("core.supervised.ask.answer_for", answer_for)
    monkeypatch.setattr("pages.ui.answers.answer_for", lambda lens: answer_for(lens.model, lens.image_set))
    monkeypatch.setattr(shared, "COMMITTED", tmp_path / "none.json")
    lines = tmp_path / "lines.csv"
    lines.write_text(TABLE, encoding="utf-8")
    monkeypatch.setattr(baselines, "ICONS", lines)


def page(**query) -> AppTest:
    return opened("shifts", **{"shift-models": MODELS, "shifts": SHIFTS, **query})


def test_the_page_opens_with_what_the_board_says() -> None:
    app = page()
    assert not app.exception
    said = words(app)
    assert "Largest drop: " in said
    assert "robust than its accuracy predicts" in said or "robust on" in said
    board, scatter = figures(app)[:2]
    cells = [cell for trace in board["data"] for cell in trace["customdata"]]
    assert {(cell[0], cell[1]) for cell in cells} == {
        (model, shift)
        for model in MODELS
        for shift in ("clean", "icons-sketch", "icons-frames_pm0", "icons-frames_pm5")
    }
    assert "50<br>±1.3" in board["data"][0]["text"]
    names = [trace.get("name") for trace in scatter["data"]]
    assert "line of 4 ordinary models" in names  # the row of the model under test is left out
    assert "95 % CI of the line" in names
    assert "4 of 5 models of icon baselines" in said
    assert "clipped to 0.1–99.9 %" in said


@pytest.mark.parametrize(("kind", "cell"), [("drop", "+30<br>±1.5"), ("relative", "−17<br>±1.0"), ("rho", "−")])
def test_the_switch_changes_what_the_cells_say(kind: str, cell: str) -> None:
    app = page(**{"shift-figure": kind})
    assert not app.exception
    shown = [text for trace in figures(app)[0]["data"] for text in trace["text"]]
    assert any(cell in text for text in shown), shown


def test_a_click_on_the_board_chooses_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [{"customdata": [MODELS[1], "icons-sketch", "hover"]}]
    state = {"shift-board": SimpleNamespace(selection=SimpleNamespace(points=points))}
    monkeypatch.setattr(st, "session_state", state)
    board_view._clicked()
    assert (state["shift-model"], state["shift"]) == (MODELS[1], "icons-sketch")
    points[0]["customdata"] = {"0": MODELS[0], "1": "clean", "2": "hover"}
    board_view._clicked()
    assert (state["shift-model"], state["shift"]) == (MODELS[0], "icons-sketch")


def test_a_cell_is_shown_in_pictures() -> None:
    app = page(**{"shift-model": MODELS[1], "shift": "icons-frames_pm0"})
    assert not app.exception
    shown = [json.loads(item.proto.json) for item in app.get("bidi_component") if item.proto.json]
    before, groups = [one["groups"] for one in shown if one.get("groups")]
    assert all(item["right"] for group in before for item in group["items"])
    assert all(item["right"] is False for group in groups for item in group["items"])
    assert all("in distribution" in group["note"] for group in groups)
    assert "classes lose accuracy" in words(app)
    assert "icon-RN (icons-50k) on frames pm-0" in words(app)


def test_frames_show_the_sequences_that_flip() -> None:
    app = page(**{"shifts-view": "frames", "shift": "icons-frames_pm5"})
    assert not app.exception
    said = words(app)
    # Every other frame is wrong, and the anchor of every other sequence of eleven is.
    assert "in 74 of those some frame nearby flips" in said
    (strips,) = [shown["groups"] for shown in galleries(app)]
    assert [len(strip["items"]) for strip in strips] == [11] * 6
    assert all("−1, anchor, +1" in strip["note"] for strip in strips)
    assert "single pictures" in words(page(**{"shifts-view": "frames", "shift": "icons-sketch"}))


def test_head_and_tail_have_their_own_finding() -> None:
    app = page(**{"shifts-view": "head and tail"})
    assert not app.exception
    assert "loses" in words(app)
    assert {trace["name"] for trace in figures(app)[0]["data"]} == {"head", "torso", "tail"}


def test_a_persons_own_folders_are_measured_and_unknown_ones_explained(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    for name in ("photos", "paintings"):
        write_tree(tmp_path / name, {f"{c}/{i}.png": encoded() for c in ("cat", "<b>dog</b>") for i in range(4)})
    app = opened("shifts", set=str(tmp_path / "photos"), shifts=[str(tmp_path / "paintings")])
    assert not app.exception
    assert "Largest drop: paintings" in words(app) or "paintings" in words(app)
    assert "No line is drawn: no table of baselines was given" in words(app)
    assert "<b>dog</b>" not in "".join(item.body for item in app.get("html"))
    outside = opened("shifts", set=str(tmp_path / "photos"), shifts=["/etc"])
    assert not outside.exception
    assert "outside the folders" in words(outside).replace("\\", "") or "lies outside" in words(outside)


def test_nothing_chosen_asks_for_something(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    write_tree(tmp_path / "photos", {f"{c}/{i}.png": encoded() for c in "ab" for i in range(2)})
    app = opened("shifts", set=str(tmp_path / "photos"))
    assert not app.exception
    assert "Choose models and shifts" in words(app)


def test_overlap_says_what_the_shared_images_change(monkeypatch) -> None:
    from core.robustness.shifts.overlap import Pair

    found = [Pair("apple-whole/0", "x/1.png", 0.99, 2), Pair("apple-whole/1", "x/2.png", 0.98, 1)]
    monkeypatch.setattr("core.robustness.shifts.overlap.find", lambda *_, **__: found)
    app = page(**{"shifts-view": "overlap", "overlap-set": "icons-sketch"})
    assert not app.exception
    assert "2 of 11,720 images overlap" in words(app)
    assert app.dataframe[1].value["image"].tolist() == ["apple-whole/1", "apple-whole/0"]
    assert "itself" in words(page(**{"shifts-view": "overlap", "overlap-set": "icons"}))


def test_committed_rows_are_shown_at_once_and_only_for_the_pictures_they_are_about(monkeypatch, tmp_path) -> None:
    real = ASSETS / "robustness" / "shifts.json"
    monkeypatch.setattr(shared, "COMMITTED", real)
    monkeypatch.setattr(
        "core.robustness.shifts.measure.answer_for", lambda *_, **__: pytest.fail("nothing is to be measured")
    )
    app = page(**{"shifts-view": "head and tail", "shift-models": [MODELS[0]]})
    assert not app.exception
    assert "precomputed" in words(app)
    assert "Largest drop: sketch, from 60.2 % to 2.3 %" in words(app)
    assert "the tail does not break first" in words(app)
    other = json.loads(real.read_text(encoding="utf-8"))
    stale = tmp_path / "stale.json"
    stale.write_text(json.dumps([{**row, "images": "drawn otherwise"} for row in other]), encoding="utf-8")
    monkeypatch.setattr(shared, "COMMITTED", stale)
    monkeypatch.setattr("core.robustness.shifts.measure.answer_for", answer_for)
    st.cache_resource.clear()
    again = page(**{"shifts-view": "head and tail", "shift-models": [MODELS[0]]})
    assert "computed here" in words(again)
