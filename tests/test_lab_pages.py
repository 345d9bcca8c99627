"""The prompt lab, inspector, failures and deck pages as Streamlit runs them; the engine's work is replaced."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import streamlit as st

from core.analysis import random_words_band as waffle_band
from core.datasets import open_set
from core.deck import store as deck_store
from core.deck.deck import Deck, Slide
from core.deck.example import example
from core.evaluation import evaluate, sentences
from core.runtime.jobs import Engine
from core.types import Answer, ImageSet, Lens, Report
from pages.failures import pairs
from tests.fakes import FakeEncoder
from tests.helpers.pages import (
    PATIENCE,
    Endless,
    Stub,
    answered_by_prompts,
    deck_of,
    figures,
    launched,
    links,
    opened,
    settled,
    switch,
    words,
)

HOSTILE = "<script>alert(1)</script> **bold** [x](http://example.org)"


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers made at once and an encoder without weights."""
    monkeypatch.setattr(evaluate, "evaluate", answered_by_prompts)
    monkeypatch.setattr("pages.ui.answers.shipped", lambda lens: None)
    monkeypatch.setattr(waffle_band, "evaluate", answered_by_prompts)
    pool = SimpleNamespace(get=lambda *_: FakeEncoder())
    monkeypatch.setattr(evaluate, "encoders", lambda: pool)
    monkeypatch.setattr(sentences, "encoders", lambda: pool)


def test_the_lab_opens_with_a_computed_sentence_and_every_pair() -> None:
    app = opened("lab", lenses=["simple", "ensemble", "class"])
    assert not app.exception
    # A third against a quarter of 11,720 images wrong: 3,907 and 2,930, of which 977 both.
    assert "ensemble is 8.3 points above simple" in words(app)
    assert "2,930 images fixed, 1,953 broken of 11,720" in words(app)
    table = app.dataframe[0].value
    assert table["lens"].tolist() == ["simple", "ensemble", "class"]
    assert table["acc1"].round(1).tolist() == [66.7, 75.0, 75.0]
    assert len(app.dataframe[1].value) == 3


def test_a_setup_that_is_being_computed_has_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()

    def one_waits(lens: Lens, *, report: Report, image_set: ImageSet) -> Answer:
        return (endless if lens.prompts == "class" else answered_by_prompts)(lens, report=report, image_set=image_set)

    monkeypatch.setattr(evaluate, "evaluate", Stub(one_waits))
    app = launched("lab", lenses=["simple", "ensemble", "class"])
    assert endless.begun.wait(PATIENCE)
    assert "ensemble is 8.3 points above simple" in words(app.run())
    assert app.dataframe[0].value["lens"].tolist() == ["simple", "ensemble", "class · progress below"]
    # Alone with it: the table stands there before there is anything to compare.
    app = launched("lab", lenses=["simple", "class"]).run()
    assert app.dataframe[0].value["lens"].tolist() == ["simple", "class · progress below"]
    assert any(button.label == "Stop" for button in app.button)
    # A view that ends the run hides nothing of what is under way.
    monkeypatch.setattr("pages.lab.several_sets.sets_and_strategies", lambda *_: st.stop())
    app = launched("lab", lenses=["simple", "ensemble", "class"], **{"lab-view": "several sets"})
    assert any(button.label == "Stop" for button in app.button)


@pytest.mark.slow
def test_equal_lenses_are_called_equal() -> None:
    app = opened("lab", lenses=["ensemble", "class"])
    assert "class and ensemble answer all 11,720 images alike" in words(app)


def test_one_lens_asks_for_another() -> None:
    app = opened("lab", lenses="simple")
    assert "Choose two to four setups" in words(app)
    assert not app.exception


@pytest.mark.parametrize("lenses", [["simple", "nonsense"], ["simple", "nobody,knows::class"]])
def test_a_bad_link_says_what_is_wrong(lenses: list[str]) -> None:
    app = opened("lab", lenses=lenses)
    assert not app.exception
    assert "nonsense" in words(app) or "nobody" in words(app)


def test_frequency_curves_are_laid_over_one_another() -> None:
    app = opened("lab", lenses=["simple", "ensemble"], **{"lab-view": "frequency"})
    assert not app.exception
    assert {"simple", "ensemble"} <= {trace.get("name") for trace in figures(app)[0]["data"]}
    assert "points per tenfold count" in words(app)


def test_class_changes_are_drawn_for_every_class() -> None:
    app = opened("lab", lenses=["simple", "ensemble"], **{"lab-view": "classes"})
    assert not app.exception
    scatter, bars = figures(app)
    assert sum(len(trace["text"]) for trace in scatter["data"] if trace.get("text")) == 586
    assert bars["data"][0]["type"] == "bar"


def test_flips_are_counted_and_a_linked_picture_is_seen_through_both_lenses() -> None:
    images = open_set("icons")
    app = opened("lab", lenses=["simple", "ensemble"], image=images.image_ids[3], **{"lab-view": "flips"})
    assert not app.exception
    assert "2,930 simple wrong, ensemble correct" in words(app)
    assert len(app.get("plotly_chart")) == 2


def test_written_sentences_are_held_against_random_words() -> None:
    app = opened("lab", lenses=["simple", "cupl-full"])
    assert not app.exception
    # The stand-in answers every strategy but simple alike, so the seeds have no spread and cupl-full lies inside.
    assert "cupl-full: 75.0 % lies inside the 75.0 ± 0.00 % of random words (7 seeds)" in words(app)
    assert any("random words" in str(trace.get("name")) for figure in figures(app) for trace in figure["data"])
    assert "Against random words" not in words(opened("lab", lenses=["simple", "ensemble"]))


def test_arrows_lead_from_names_to_synonyms() -> None:
    app = opened("lab", lenses=["simple", "real"], **{"lab-view": "frequency"})
    assert not app.exception
    assert "of 586 classes have a more frequent synonym" in words(app)
    heads = figures(app)[1]["data"][2]
    assert heads["name"] == "synonym, real"
    assert len(heads["customdata"]) >= 20
    app = opened("lab", lenses=["simple", "class"], **{"lab-view": "frequency"})
    assert "among the setups to see arrows" in words(app)


def test_a_class_is_renamed_and_the_rename_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    def renamed(lens: Lens, *, report: Report, image_set=None, prompts=None) -> Answer:
        made = answered_by_prompts(lens, report=report, image_set=image_set)
        if made.names[made.keys.index("anchor")] != "anchor":
            made.top[made.labels == made.keys.index("anchor"), 0] = made.keys.index("bomb")
            made = evaluate.assemble(
                lens, image_set, {n: getattr(made, n) for n in ("rows", "top", "scores", "margin", "probability")},
                about={"left_out": [], "fingerprint": {"renamed": True}},
            )  # fmt: skip
        return made

    monkeypatch.setattr(evaluate, "evaluate", Stub(renamed))
    app = opened("lab", lenses=["simple", "class"], concept="anchor", **{"lab-view": "rename"})
    assert "What if it were called something else?" in words(app)
    app.text_input(key="called").input("ship <b>thing</b>").run()
    app.button(key=next(b.key for b in app.button if b.label == "Rename")).click().run()
    settled(app)
    assert not app.exception
    assert app.multiselect(key="renames").value == ["anchor → ship <b>thing</b>"]
    table = next(frame.value for frame in app.dataframe if "Takes from" in frame.value)
    assert table["Called"].tolist() == ["ship <b>thing</b>"]
    assert table["Loses to"].str.startswith("bomb").all()
    assert "the new naming is" in words(app).lower()
    app.button(key="pin-rename").click().run()
    assert deck_of(app).slides[0].rows[0][:2] == ("anchor", "ship <b>thing</b>")
    app.multiselect(key="renames").set_value([]).run()
    assert not any("Takes from" in frame.value for frame in app.dataframe)


def test_a_renaming_link_that_names_no_class_says_so() -> None:
    renames = ["nobody → somebody", "anchor → hook"]
    app = opened("lab", lenses=["simple", "class"], renames=renames, **{"lab-view": "rename"})
    assert "names no class of this set" in words(app)
    assert not app.exception


def test_pinning_fills_the_deck_and_the_deck_page_shows_it() -> None:
    app = opened("lab", lenses=["simple", "ensemble"])
    app.button(key="pin-lenses").click().run()
    app.button(key="pin-lenses").click().run()
    assert [slide.kind for slide in deck_of(app).slides] == ["comparison"]
    app.button(key="pin-reliability").click().run()
    assert [slide.kind for slide in deck_of(app).slides] == ["comparison", "plot"]
    switch(app, "deck")
    app.run()
    assert not app.exception
    assert "2 slides: 1 plot, 1 comparison." in words(app)


def test_the_deck_is_captioned_reordered_and_never_renders_data() -> None:
    app = opened("deck")
    assert "Nothing is pinned yet" in words(app)
    app.session_state["_deck"] = Deck("t", (Slide("image", HOSTILE), Slide("image", "second")))
    app.run()
    assert app.text_input[1].value == HOSTILE
    assert "<script>alert" not in "".join(item.body for item in app.get("html"))
    app.text_area[0].input(HOSTILE).run()
    assert deck_of(app).slides[0].caption == HOSTILE
    app.text_input[2].input("renamed").run()
    assert [slide.title for slide in deck_of(app).slides] == [HOSTILE, "renamed"]
    app.text_area[3].input("say this").run()
    assert deck_of(app).slides[1].notes == "say this"
    app.button(key="down-0").click().run()
    assert [slide.title for slide in deck_of(app).slides] == ["renamed", HOSTILE]
    app.button(key="remove-0").click().run()
    assert [slide.caption for slide in deck_of(app).slides] == [HOSTILE]
    app.segmented_control(key="deck-show").set_value("present").run()
    assert not app.exception


def test_an_empty_deck_shows_the_example_to_start_from() -> None:
    app = opened("deck")
    assert not app.exception
    assert "an example of 4 slides" in words(app)
    app.button(key="deck-example").click().run()
    assert deck_of(app) == example()
    assert "4 slides: 1 concept, 2 plots, 1 comparison." in words(app)
    assert [box.value for box in app.text_area if "notes" in box.label] == [slide.notes for slide in example().slides]
    app.button(key="deck-empty").click().run()
    assert not deck_of(app).slides


def test_a_pin_leads_to_the_deck() -> None:
    app = opened("lab", lenses=["simple", "ensemble"])
    assert "Open the deck (1 slide)" not in links(app)
    app.button(key="pin-lenses").click().run()
    assert links(app)["Open the deck (1 slide)"][0] == "deck"


@pytest.mark.slow
def test_a_deck_outlives_its_tab_and_tabs_share_it() -> None:
    first = opened("lab", lenses=["simple", "ensemble"])
    second = opened("deck")
    first.button(key="pin-lenses").click().run()
    assert len(deck_of(second.run()).slides) == 1
    assert "1 slide: 1 comparison." in words(second)
    first.button(key="pin-reliability").click().run()
    second.run().text_area[0].input("mine").run()
    assert [slide.caption for slide in deck_of(second).slides] == ["mine", ""]
    assert len(deck_of(opened("deck")).slides) == 2  # a new tab, the old ones closed
    second.button(key="deck-empty").click().run()
    assert "Nothing is pinned yet" in words(second)
    assert "Nothing is pinned yet" in words(opened("deck"))


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["bound beyond localhost", "behind a proxy"])
def test_a_shared_server_keeps_no_deck(monkeypatch: pytest.MonkeyPatch, shared: str) -> None:
    if shared == "behind a proxy":
        monkeypatch.setenv("TAILSCOPE_ALLOW_JOBS", "0")
    else:
        monkeypatch.setattr("pages.ui.pins.is_local", lambda: False)
    app = opened("lab", lenses=["simple", "ensemble"])
    app.button(key="pin-lenses").click().run()
    assert len(deck_of(app).slides) == 1
    assert not deck_store.version()
    other = opened("deck")
    assert "Nothing is pinned yet" in words(other)
    assert "it keeps no deck" in words(other)


def test_the_inspector_shows_the_sentences_of_a_class() -> None:
    app = opened("inspector", prompts="cupl-full", **{"inspector-class": "anchor"})
    assert not app.exception
    assert "“cupl-full” uses 6 prompts per class" in words(app)
    assert "6 sentences of anchor" in words(app)


def test_the_rule_from_sentences_to_a_class_score_is_chosen_and_explained() -> None:
    app = opened("inspector", prompts="dclip", **{"inspector-class": "anchor"})
    assert "the same mean vector without the last normalisation" in words(app)
    app.segmented_control(key="rule-dclip").set_value("max").run()
    settled(app)
    assert not app.exception
    assert app.session_state["_lens"].prompts == "dclip@max"
    assert "only the most similar sentence of a class counts" in words(app)
    app.segmented_control(key="rule-dclip@max").set_value("similarity").run()
    assert app.session_state["_lens"].prompts == "dclip"


def test_two_classes_are_a_pair_found_by_computation() -> None:
    app = opened("inspector", inspect="two classes")
    assert "Here stands a pair found by computation" in words(app)


@pytest.mark.parametrize("view", ["pairs", "matrix", "worst", "absorbers", "confident", "names", "why"])
def test_every_view_of_failures_is_drawn(view: str) -> None:
    app = opened("failures", fail=view)
    assert not app.exception
    assert "% of the 3,907 errors" in words(app)


@pytest.mark.parametrize("cell", [[3, 7, 5], {"0": 3, "1": 7, "2": 5}])
def test_a_click_in_the_matrix_chooses_its_pair_as_lists_and_as_browsers_send_it(monkeypatch, cell) -> None:
    state = {"matrix": SimpleNamespace(selection=SimpleNamespace(points=[{"customdata": cell}]))}
    monkeypatch.setattr(st, "session_state", state)
    pairs._clicked()
    assert state["_cell"] == (3, 7)


def test_the_matrix_against_another_run_is_a_difference() -> None:
    app = opened("failures", fail="matrix", against="ensemble")
    assert not app.exception
    assert "Against ensemble prompts" in words(app)
    names = {trace.get("name") for trace in figures(app)[0]["data"]}
    assert "more mistakes" in names
    merged = opened("failures", fail="matrix", merge="true")
    assert not merged.exception
    assert "predicted as each other" in words(merged)
