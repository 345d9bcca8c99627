"""Every page as Streamlit runs it: links, empty data, errors; the engine's work is replaced, nothing else."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.datasets import open_set
from core.errors import ReadOnly, WeightsMissing
from core.evaluation import evaluate
from core.models.registry import icon_models
from core.paths import ROOT
from core.runtime.jobs import Engine
from core.types import Answer, Lens, Report
from pages.frequency.overlay import selected
from pages.ui.selection import labels_of
from tests.helpers.pages import (
    MODEL,
    PATIENCE,
    Endless,
    Stub,
    answered,
    figures,
    galleries,
    launched,
    links,
    opened,
    settled,
    words,
)

PAGES = ("explore", "frequency", "tail", "letitwag", "published", "data")


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_without_an_exception(page: str) -> None:
    app = opened(page)
    assert not app.exception
    assert "<h1" in words(app)


def test_a_deep_link_sets_the_lens_and_the_selection() -> None:
    app = opened("frequency", model=MODEL, prompts="class", concept=["dog", "cat"], colour="part")
    assert app.session_state["_lens"] == Lens(MODEL, "icons", "class", "icons-200k")
    assert app.session_state["concept"] == ["dog", "cat"]
    assert {group["title"] for group in galleries(app)[0]["groups"]} == {"dog", "cat"}


def test_a_link_may_name_a_concept_by_its_key() -> None:
    app = opened(concept="apple-whole")
    assert app.session_state["concept"] == ["apple"]
    assert "“apple” is recognised in" in words(app)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"model": "icon-RN,icons-9k"}, "No model is called"),
        ({"set": "/etc"}, "TAILSCOPE_DATA_ROOTS"),
        ({"set": "no-such-set"}, "no image set"),
        ({"prompts": "a photo of nothing"}, "has no slot"),
    ],
)
def test_a_bad_link_is_one_sentence_and_a_way_back(query: dict[str, str], said: str) -> None:
    app = opened(**query)
    assert not app.exception
    assert said in words(app).replace("\\", "")
    assert "The page stays with" in words(app)
    assert len(galleries(app)) == 1
    next(button for button in app.button if button.label == "Use the built-in model and images").click().run()
    assert "are classified correctly" in words(app)
    assert "The address asks for" not in words(app)
    assert app.session_state["_lens"].model == icon_models()[0].id


def test_an_unknown_model_leaves_the_page_and_offers_the_nearest_that_fit() -> None:
    app = opened(model="ViT-B-32")
    assert "The page stays with icon-RN,icons-200k" in words(app).replace("\\", "")
    assert len(galleries(app)) == 1
    labels = [button.label.replace("\\", "") for button in app.button]
    assert "Use ViT-B-32-quickgelu,openai" in labels
    assert "Use ViT-B-32,openai" not in labels
    app.button[labels.index("Use ViT-B-32-quickgelu,openai")].click().run()
    assert app.session_state["_lens"].model == "ViT-B-32-quickgelu,openai"


@pytest.mark.parametrize(
    ("query", "ignored"),
    [
        ({"concept": "unicorn"}, "concept=unicorn"),
        ({"concept": ["dog", "unicorn"]}, "concept=unicorn"),
        ({"frequency": "nonsense"}, "frequency=nonsense"),
        ({"part": "bogus", "verdict": "maybe"}, "part=bogus, verdict=maybe"),
    ],
)
def test_what_an_address_asks_for_in_vain_is_said(query: dict[str, str | list[str]], ignored: str) -> None:
    app = opened(**query)
    assert not app.exception
    assert f"The address asks for {ignored}, which does not exist here" in words(app)


def test_after_an_estimate_that_was_stopped_a_person_says_whether_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    monkeypatch.setattr(evaluate, "evaluate", Endless())
    monkeypatch.setattr("core.supervised.ask.estimate", Stub(lambda *_, report, **__: endless(None, report=report)))
    app = launched("explore", model=MODEL)
    next(button for button in app.button if button.label == "Compute it here").click().run()
    assert endless.begun.wait(PATIENCE)
    app.run()
    next(button for button in app.button if button.label == "Stop").click().run()
    told = words(settled(app))
    assert "Estimating how long this takes was stopped" in told
    assert "precomputed" in told
    monkeypatch.setattr("core.supervised.ask.estimate", Stub(lambda *_, **__: None))
    next(button for button in app.button if button.label == "Go on").click().run()
    assert any(button.label == "Stop" for button in app.button)


def test_an_address_that_is_followed_is_not_commented() -> None:
    app = opened(concept="apple-whole", part="head", verdict="all", frequency="icons-10k", model=MODEL, colour="part")
    assert "The address asks for" not in words(app)


def test_a_picture_that_is_not_there_is_said() -> None:
    assert "icons has no picture “nothing/99”" in words(opened(image="nothing/99"))


def test_the_shipped_run_is_shown_before_the_live_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise WeightsMissing("there is no rate")

    monkeypatch.setattr(evaluate, "evaluate", Endless())
    monkeypatch.setattr("core.supervised.ask.estimate", Stub(failing))  # then nothing is said, and the run goes on
    app = launched("explore", model=MODEL)
    assert "precomputed" in words(app)
    assert not any(button.label == "Stop" for button in app.button)
    next(button for button in app.button if button.label == "Compute it here").click().run()
    next(button for button in app.button if button.label == "Stop").click().run()
    told = words(settled(app))
    assert "Computing it here was stopped; what is shown is precomputed." in told
    assert "computed here" not in told
    assert not any(word in told for word in ("shipped", "live run"))
    assert any(button.label == "Compute it here" for button in app.button)


def test_an_answer_that_is_under_way_shows_its_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    monkeypatch.setattr(evaluate, "evaluate", endless)
    app = launched("explore", set="icons-tail")
    assert endless.begun.wait(PATIENCE)
    app.run()
    bars = [item.proto.text for item in app.get("progress")]
    assert any("of 1,000" in text for text in bars)
    next(button for button in app.button if button.label == "Stop").click().run()
    assert "was stopped" in words(settled(app))


def test_new_prompts_leave_the_page_until_they_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened("explore", model=MODEL)
    monkeypatch.setattr(evaluate, "evaluate", Endless())
    app.selectbox(key="prompts").set_value("class").run()
    assert "Under class prompts this is being computed; meanwhile it shows simple." in words(app)
    assert len(galleries(app)) == 1
    assert any(button.label == "Stop" for button in app.button)


def test_an_engine_error_is_explained_and_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(lens: Lens, *, report: Report, **_: object) -> Answer:
        raise WeightsMissing(
            f"The weights of {lens.model} are not on this disk; fetch them with: python -m core fetch."
        )

    monkeypatch.setattr(evaluate, "evaluate", Stub(missing))
    app = opened("frequency", set="icons-tail")
    assert "are not on this disk" in words(app)
    assert links(app)["Fetch it under Models and images"] == ("data", {"show": ["models"], "fetch_model": [MODEL]})
    monkeypatch.setattr(evaluate, "evaluate", answered)
    next(button for button in app.button if button.label == "Try again").click().run()
    assert "are not on this disk" not in words(app)


def test_a_link_fills_the_fields_of_the_data_page() -> None:
    app = opened("data", fetch_model="RN50-quickgelu,openai")
    assert app.selectbox(key="fetch_model").value == "RN50-quickgelu,openai"
    app = opened("data", show="image sets", fetch_set="letitwag")
    assert app.selectbox(key="fetch_set").value == "letitwag"


def test_an_error_nobody_foresaw_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(lens: Lens, **_: object) -> Answer:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(evaluate, "evaluate", Stub(broken))
    app = opened("frequency", set="icons-tail")
    assert not app.exception
    assert "failed unexpectedly (RuntimeError: the disk is on fire)" in words(app).replace("\\", "")


def test_without_counts_the_pages_say_so() -> None:
    for page in ("explore", "frequency", "tail"):
        app = opened(page, frequency="none")
        assert not app.exception
        assert page == "explore" or "Pretraining counts are switched off" in words(app)


def test_a_search_without_a_match_says_what_to_do() -> None:
    app = opened(q="qqqqqqqq")
    assert galleries(app)[0]["groups"] == []
    assert "No concept matches" in galleries(app)[0]["empty"]


def test_the_search_forgives_a_slip_and_keeps_to_the_part() -> None:
    app = opened(q="elefant", part="head")
    table = app.dataframe[0].value
    assert not set(table["Part"] if "Part" in table else table["part"]) - {"head"}


def after_selecting(monkeypatch: pytest.MonkeyPatch, points: list[dict]) -> dict:
    """Session state after a plot reported these points."""
    keys = list(open_set("icons").keys)
    labels = labels_of(keys, open_set("icons").names)
    state = {"cloud": SimpleNamespace(selection=SimpleNamespace(points=points)), "_labels": labels, "concept": ["dog"]}
    with monkeypatch.context() as patched:
        patched.setattr(st, "session_state", state)
        selected("cloud", keys)
    return state


def test_points_become_the_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    state = after_selecting(monkeypatch, [{"customdata": {"0": 4, "1": 2, "2": 20}}, {"customdata": [5, 9, 20]}])
    assert state["concept"] == ["apple", "archway"]


def test_a_large_selection_gets_a_name_in_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    state = after_selecting(monkeypatch, [{"customdata": [index, 3, 20]} for index in range(80)])
    assert state["concept"] == []
    assert "The 80 selected concepts" in words(opened(selection=state["selection"]))


def test_a_click_on_a_mean_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after_selecting(monkeypatch, [{"customdata": ["1k", "3.2k", 18]}])["concept"] == ["dog"]


def test_the_overlay_draws_one_more_curve() -> None:
    app = opened("frequency", overlay="prompts: class")
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    named = {trace.get("name") for trace in figure["data"]}
    assert any(name and name.startswith("prompts: class (") for name in named)


def test_the_overlay_takes_the_authors_names_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)
    app = opened("frequency", model="RN50,cc3m", set="imagenet", overlay=["RN50,cc12m", "RN50,nowhere"])
    named = [trace.get("name") or "" for trace in figures(app)[0]["data"]]
    assert any(name.startswith("RN50,cc12m (") for name in named)
    assert "The address asks for overlay=RN50,nowhere, which does not exist here" in words(app)


def test_the_control_experiment_is_told_where_it_applies() -> None:
    assert "own control" in words(opened("frequency", model="icon-RN,icons-50k-permuted"))
    assert "own control" not in words(opened("frequency", model=MODEL))


def test_names_are_never_markup() -> None:
    from pages.ui.text import plain

    assert plain("<b>*x*</b> $y$ :red[z]") == r"\<b\>\*x\*\</b\> \$y\$ \:red\[z\]"


def test_a_server_open_to_others_is_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    app = opened("data", show="cache")
    assert "read-only" in words(app)
    assert next(button for button in app.button if button.label == "Clear").disabled
    monkeypatch.setenv("TAILSCOPE_ALLOW_JOBS", "1")
    assert "read-only" not in words(opened("data", show="cache"))


def test_verifying_sets_files_aside_and_is_closed_to_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cache.matrices.MatrixStore.verify_all", lambda self: pytest.fail("it was verified"))
    open_to_all = opened("data", show="cache")
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    app = opened("data", show="cache")
    assert app.button(key="verify").disabled
    # Drawn before the server was closed, the button does nothing any more either.
    open_to_all.button(key="verify").click().run()
    assert "_verify" not in open_to_all.session_state


@pytest.mark.parametrize("local", [True, False])
def test_where_embedded_sets_lie_is_for_the_owner(monkeypatch: pytest.MonkeyPatch, local: bool) -> None:
    from cache import keys

    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: local)
    entry = SimpleNamespace(
        key="k", rows=1, dim=2, dtype="float16", bytes=4, complete=True,
        meta={"model": MODEL, "set": "/home/somebody/private/cats"},
    )  # fmt: skip
    store = SimpleNamespace(entries=lambda: [entry], damaged=["/home/somebody/private is damaged"])
    monkeypatch.setattr(evaluate, "matrices", lambda: store)
    app = opened("data", show="cache")
    assert not app.exception
    told = words(app) + app.dataframe[0].value.to_csv()
    assert "cats" in told
    assert ("/home/somebody" in told) == local
    assert (str(keys.root()) in told) == local


@pytest.mark.parametrize("local", [True, False])
def test_a_large_selection_of_a_reader_stays_in_the_tab(monkeypatch: pytest.MonkeyPatch, local: bool) -> None:
    from pages.ui import selection

    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: local)
    kept = []
    monkeypatch.setattr(selection, "results", lambda: SimpleNamespace(
        put_json=lambda key, value: kept.append(value), get_json=lambda key: None
    ))  # fmt: skip
    app = AppTest.from_function(_large_selection).run()
    assert app.markdown[0].value == "60"
    assert len(kept) == local


def _large_selection() -> None:
    import streamlit as st

    from core.datasets import open_set
    from pages.ui import selection

    images = open_set("icons")
    st.session_state["_labels"] = selection.labels_of(images.keys, images.names)
    selection.select(images.keys[:60])
    st.markdown(str(len(selection.chosen(images))))


def test_a_reader_stops_only_what_nobody_else_waits_for(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui import jobs

    monkeypatch.setattr(jobs, "session", lambda: "mine")
    gate = threading.Event()
    waiting = jobs.question(Stub(lambda: gate.wait(PATIENCE)), label="Own")
    own = page_engine.submit(waiting, session="mine")
    try:
        for local in (False, True):
            monkeypatch.setattr("pages.ui.jobs.is_local", lambda local=local: local)
            assert jobs._may_stop(own)
        page_engine.submit(waiting, session="other")
        assert jobs._may_stop(own)
        monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
        assert not jobs._may_stop(own)
        with pytest.raises(ReadOnly, match="Others wait"):
            jobs._stop(own)
        kept = page_engine.submit(jobs.question(Stub(lambda: None), label="Kept", keep=True), session="mine")
        assert not jobs._may_stop(kept)
    finally:
        gate.set()
        assert own.wait(PATIENCE)


@pytest.mark.parametrize("show", ["models", "image sets", "cache", "jobs"])
def test_every_part_of_the_data_page_draws(show: str) -> None:
    app = opened("data", show=show)
    assert not app.exception
    assert "<h1" in words(app)


def test_corrected_names_are_said_and_can_be_taken_back() -> None:
    from pages.ui import corrections

    corrections.keep("icons", {"dog": "hound"})
    assert "“hound” is recognised" in words(opened(concept="hound"))
    corrections.keep("icons", {})
    assert "“dog” is recognised" in words(opened(concept="dog"))


@pytest.mark.slow
@pytest.mark.parametrize("page", ["attacks", "shifts", "corruptions"])
def test_the_documentation_opens_where_it_is_referred_to(page_engine: Engine, page: str) -> None:
    app = launched(page)
    next(button for button in app.button if button.label.startswith("How ")).click().run()
    assert not app.exception
    text = (ROOT / "docs" / f"{page.upper()}.md").read_text(encoding="utf-8")
    assert any(item.value.startswith(text.splitlines()[0]) for item in app.markdown)
    assert not [item.value for item in app.markdown if ".md)" in item.value]
