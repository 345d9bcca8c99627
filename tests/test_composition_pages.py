"""The composition page as Streamlit runs it, on vectors made so that some attributes and objects are mistaken."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
import streamlit as st

from core.composition import few_shot as curves
from core.composition import measure, sets
from core.composition.probe import ProbePoint
from core.composition.shipped import shipped_comparison
from core.datasets import open_set
from core.evaluation import evaluate
from core.runtime.jobs import Engine
from core.types import Classifier, Embeddings, Interval, Lens, PromptSet
from pages.composition import pairs, shared
from tests.fakes import FakeEncoder
from tests.helpers.pages import Stub, answered, figures, opened, settled, words

DIM = 24
VIEWS = ["errors", "pairs", "seen and never seen", "models", "embedding", "few-shot", "composer"]


def part(word: str) -> np.ndarray:
    return np.random.default_rng(list(word.encode())).normal(size=DIM)


def vector(attribute: str, thing: str) -> np.ndarray:
    both = part(attribute) + part(thing)
    return both / np.linalg.norm(both)


@cache
def embedded(lens: Lens) -> Embeddings:
    """Vectors of the pair shown; every fifth picture shows the next attribute, so to speak."""
    images = sets.composition_set(open_set(lens.image_set))
    found = images.compositions
    said = found.pairs[found.labels].copy()
    said[::5, 0] = (said[::5, 0] + 1) % len(found.attributes)
    table = {pair: vector(found.attributes[pair[0]], found.objects[pair[1]]) for pair in set(map(tuple, said.tolist()))}
    rows = np.array([table[tuple(pair)] for pair in said.tolist()], np.float32)
    return Embeddings(rows, np.arange(len(rows)), (), lens.image_set)


@cache
def measured(lens: Lens) -> measure.Measured:
    """The real measurement, made once for all tests."""
    return REAL(measure.question(lens, image_set=open_set(lens.image_set)))


REAL = measure.measure
NAMES = {}


def classified(lens: Lens, prompts: PromptSet, *, report=None) -> Classifier:
    """Text vectors of "a photo of a red anchor." made from the words."""
    if not NAMES:
        icons = open_set("icons")
        NAMES.update({name: key for key, name in zip(icons.keys, icons.names, strict=True)})
    rows = []
    for sentence, *_ in prompts.sentences:
        attribute, _, thing = sentence.removeprefix("a photo of a ").removesuffix(".").partition(" ")
        rows.append(vector(attribute, NAMES.get(thing, thing)))
    return Classifier(np.array(rows, np.float32), np.arange(len(rows)), "embedding", 100.0)


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors without a model."""
    monkeypatch.setattr(evaluate, "evaluate", answered)
    monkeypatch.setattr(evaluate, "encoders", lambda: SimpleNamespace(get=lambda *_: FakeEncoder()))
    monkeypatch.setattr(evaluate, "embeddings_for", lambda lens, *, image_set, report=None: embedded(lens))
    monkeypatch.setattr(evaluate, "classifier_for", classified)
    monkeypatch.setattr(measure, "measure", Stub(lambda asked, *, report=None: measured(asked.lens)))
    monkeypatch.setattr(shared, "shipped_comparison", Stub(lambda _: None))
    # The probe has tests of its own; here it would take most of a minute.
    point = ("linear", 4, Interval(0.5, 0.4, 0.6), 0.45, 0.55, 80, 9, 3)
    points = [ProbePoint(point[0], point[1], group, *point[2:]) for group in ("all", "tail", "other set")]
    monkeypatch.setattr(measure, "probes", Stub(lambda *_, **__: points))
    monkeypatch.setattr(curves, "points_of", lambda asked, model, report: curve_of(model))


def curve_of(model: str) -> list[curves.FewShotPoint]:
    """Points of a model; a supervised one has neither zero-shot nor mixed head."""
    heads = {"two probes": 8} if model.startswith("supervised:") else {"zero-shot": 0, "two probes": 8, "mixed": 8}
    return [
        curves.FewShotPoint(head, k, group, what, Interval(0.25, 0.2, 0.3), 0.2, 0.3, 90, 40, 9, 3)
        for head, k in heads.items() for group in curves.GROUPS for what in curves.WHAT
    ]  # fmt: skip


@pytest.mark.slow
def test_few_shot_compositions_are_trained_when_wanted_for_supervised_models_too() -> None:
    app = opened("composition", composition="few-shot",
                 **{"shot-models": ["icon-RN,icons-200k", "supervised:icon-RN,icons-200k"]})  # fmt: skip
    assert "compositions that were not trained on" not in words(app)
    app.button(key="few-shot-run").click().run()
    settled(app)
    assert not app.exception
    assert "With 8 images an object, on compositions that were not trained on: icon-RN" in words(app)
    drawn = [trace["name"] for trace in figures(app)[0]["data"]]
    assert [name.rpartition(", ")[2] for name in drawn] == ["two probes", "mixed", "two probes"]


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_with_the_computed_sentence(view: str) -> None:
    app = opened("composition", composition=view)
    assert not app.exception
    if view == "few-shot":
        assert "linear probe" not in words(app)
        settled(app.button(key="probe-run").click().run())
    # Four of five pictures show their own pair and no other text is nearer; a few of the others still find theirs.
    assert "both correct in 80.3 %" in words(app)
    told = {
        "errors": "Kinds of error",
        "pairs": "attribute–object pairs with images, among 6,285 compositions",
        "seen and never seen": "At equal frequency of object and attribute",
        "models": "lies furthest off their common line",
        "embedding": "NMI(attribute; object) is 0.",
        "few-shot": "With 4 images a class a linear probe reaches 50.0 % on tail (80 images)",
        "composer": "nearest images",
    }
    assert told[view] in words(app)


@pytest.mark.slow
def test_what_ships_is_shown_at_once_and_computed_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "shipped_comparison", shipped_comparison)
    app = opened("composition")
    assert not app.exception
    assert "both correct in 82.1 %" in words(app)
    assert ":blue-badge[precomputed]" in words(app)
    next(button for button in app.button if button.label == "Compute it here").click().run()
    settled(app)
    assert "both correct in 80.3 %" in words(app)
    assert ":blue-badge[computed here]" in words(app)


@pytest.mark.slow
def test_a_linked_pair_shows_its_pictures() -> None:
    found = sets.composition_set(open_set("icons-composition")).compositions
    app = opened("composition", composition="pairs", cell=found.names[7])
    assert not app.exception
    assert "correct · from icons-composition · drawn 0 times in pretraining" in words(app)
    marks = [trace for trace in figures(app)[0]["data"] if trace.get("name")]
    assert {trace["name"] for trace in marks} == {"seen pair", "never-seen pair"}


@pytest.mark.parametrize("data", [[1, 0, 2], {"0": 1, "1": 0, "2": 2}])
def test_a_click_on_a_mark_chooses_its_pair(data, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a typed array come back from the browser as objects keyed by position."""
    state = {"pair-matrix": SimpleNamespace(selection=SimpleNamespace(points=[{"customdata": data}]))}
    monkeypatch.setattr(st, "session_state", state)
    pairs._clicked(["red ant", "blue ant"])()
    assert state["cell"] == "blue ant"


@pytest.mark.slow
def test_pictures_of_either_set_can_be_enlarged() -> None:
    lens = Lens("icon-RN,icons-200k", "icons-composition")
    sides = shared.sides(measure.question(lens, image_set=open_set(lens.image_set)), measured(lens))
    assert [one.parent.id for _, _, one in sides] == ["icons-composition", "icons"]
    for _, composed, images in sides:
        assert len(images.labels) == len(images.image_ids)
        assert np.array_equal(images.labels[composed.answer.rows], composed.answer.labels)


def test_a_folder_of_photographs_is_told_to_be_no_composition(tmp_path, monkeypatch) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "photos" / name / "0.png")
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    app = opened("composition", set=str(tmp_path / "photos"))
    assert not app.exception
    assert "with a known object at its end" in words(app).replace("\\", "")


def test_the_composer_tells_the_scores_of_the_parts() -> None:
    app = opened("composition", composition="composer", attribute="red", object="anchor")
    assert not app.exception
    table = next(frame for frame in app.dataframe if "both" in frame.value)
    assert table.value["both"].is_monotonic_decreasing


def test_supervised_classifiers_stand_among_the_models_on_the_object(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("composition", composition="models", **{"accuracy-of": "object"})
    assert not app.exception
    assert "supervised:icon-RN,icons-200k" in app.multiselect(key="generalise").options
    assert "object accuracy less that of a logit-linear fit" in words(app)
