"""The page of new sentences, against the stand-in endpoint on loopback: cost, start, stop, go on, use."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation import evaluate, imported
from core.icons.concepts import concepts
from core.prompts import generate
from core.prompts.generate import Settings
from core.runtime.jobs import Engine
from core.types import Progress
from pages.ui import lensbar
from pages.ui.answers import IMPORTED
from tests.fakes import FakeImageSet
from tests.helpers.llm import SECRET, StandIn
from tests.helpers.pages import PATIENCE, answered, figures, opened, settled, switch, words

IMAGES = lensbar.images


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> FakeImageSet:
    """Four classes in place of 586, so that a run is short."""
    images = FakeImageSet(classes=4, n=8)
    images.id = "icons"
    monkeypatch.setattr("pages.ui.lensbar.images", lambda *_: images)
    return images


def asked(few: FakeImageSet, url: str, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    monkeypatch.setenv("TAILSCOPE_LLM_URL", url)
    app = opened("sentences", **{"llm-questions": "base", **query})
    app.text_input(key="llm-model").input("small").run()
    app.number_input(key="llm-count").set_value(2).run()
    return app


def test_without_an_endpoint_the_page_says_how_to_get_one() -> None:
    app = opened("sentences")
    assert not app.exception
    assert "Generate prompts with a language model (optional)" in words(app)
    assert "None yet." in words(app)
    assert "No key is set (TAILSCOPE_LLM_KEY or OPENAI_API_KEY)" in words(app)


def test_cost_first_then_sentences_that_become_a_strategy(
    endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    app = asked(few, endpoint.url, monkeypatch)
    assert "3 questions about each of 4 classes of icons: 12 requests to small." in words(app)
    app.number_input(key="llm-in").set_value(1000.0).run()
    app.number_input(key="llm-out").set_value(2000.0).run()
    hand = generate.estimate(
        Settings(endpoint.url, "small", generate.QUESTIONS["base"], 2), few.names, price_in=1000.0, price_out=2000.0
    )
    assert hand.cost > 1
    assert hand.sentence in words(app)
    assert not endpoint.requests
    app.button(key="llm-start").click().run()
    settled(app)
    assert not app.exception
    assert "24 sentences for 4 classes by stand-in-1b" in words(app)
    assert len(endpoint.requests) == 12
    assert endpoint.keys == {f"Bearer {SECRET}"}
    assert "The key comes from TAILSCOPE_LLM_KEY" in words(app)
    assert SECRET not in words(app) + json.dumps(dict(app.query_params), default=str)
    assert "llm-url" not in app.query_params
    (file,) = generate.written(few)
    assert set(json.loads(file.read_text())) == set(few.keys)
    app.button(key="llm-use").click().run()
    assert app.session_state["prompts"] == str(file)
    assert app.session_state["_lens"].prompts == str(file)
    # Asked again with the same settings nothing is sent.
    assert "all answered by small" in words(app)


def test_an_address_that_was_typed_never_receives_the_key(
    endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    app = asked(few, "https://llm.example/v1", monkeypatch)
    app.text_input(key="llm-url").input(endpoint.url).run()
    assert "No key is sent to this address" in words(app)
    app.button(key="llm-start").click().run()
    settled(app)
    assert "24 sentences for 4 classes" in words(app)
    assert endpoint.keys == {""}


def test_a_stopped_run_is_taken_up_where_it_ended(
    page_engine: Engine, endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, gate, real = threading.Event(), threading.Event(), generate.generate

    def slowly(*args, report, **options):
        def told(progress: Progress) -> None:
            if progress.done >= 6:
                first.set()
                gate.wait(PATIENCE)
            report(progress)

        return real(*args, report=told, parallel=1, **options)

    monkeypatch.setattr(generate, "generate", slowly)
    app = asked(few, endpoint.url, monkeypatch)
    app.button(key="llm-start").click().run()
    assert first.wait(PATIENCE)
    job = next(one for one in page_engine.jobs() if "writes about" in one.label)
    # Seen from any tab the run is under way, and nothing reads or repairs its open file.
    assert "small is answering" in words(app.run())
    job.stop()
    gate.set()
    settled(app)
    assert "was stopped" in words(app)
    asked_so_far = len(endpoint.requests)
    assert 3 <= asked_so_far < 12
    app.button(key="llm-again").click().run()
    settled(app)
    assert "24 sentences for 4 classes" in words(app)
    assert len(endpoint.requests) == 12


def test_an_endpoint_that_refuses_is_told_in_a_sentence_and_may_be_tried_again(
    endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.fail = [401] * 4
    app = asked(few, endpoint.url, monkeypatch)
    app.button(key="llm-start").click().run()
    settled(app)
    assert "answered 401" in words(app).replace("\\", "")
    endpoint.fail = []
    app.button(key="llm-again").click().run()
    settled(app)
    assert "24 sentences" in words(app)


def test_an_address_that_is_none_is_refused(few: FakeImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    app = asked(few, "ftp://x/v1", monkeypatch)
    assert "is no endpoint" in words(app).replace("\\", "")
    assert not app.exception


def test_a_read_only_server_asks_nobody(endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILSCOPE_ALLOW_JOBS", "0")
    app = opened("sentences")
    assert "read-only" in words(app)
    assert not [field for field in app.text_input if field.key == "llm-url"]
    assert not endpoint.requests


def test_settings_decide_the_file(few: FakeImageSet) -> None:
    base = Settings("http://localhost/v1", "a/b:c", generate.QUESTIONS["base"])
    places = {
        generate.place(one, few)
        for one in (
            base,
            Settings("http://localhost/v1", "a/b:c", generate.QUESTIONS["full"]),
            Settings("http://localhost/v1", "a/b:c", generate.QUESTIONS["base"], seed=1),
            Settings("http://localhost/v1", "../../x", generate.QUESTIONS["base"]),
        )
    }
    assert len(places) == 4
    assert {place.parent for place in places} == {generate.folder()}
    assert generate.place(base, few) in places


def test_a_model_is_asked_about_pictures_and_stands_on_the_frequency_axis(
    endpoint: StandIn, few: FakeImageSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAILSCOPE_LLM_URL", endpoint.url)
    monkeypatch.setenv("TAILSCOPE_LLM_KEY", SECRET)
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    few.keys = [concept.key for concept in concepts()[:4]]
    endpoint.contents = ["I see word1."] * 4
    app = opened("sentences", **{"llm-view": "answers about pictures"})
    assert "No language model has answered about icons yet." in words(app)
    app.text_input(key="llm-model").input("small-vlm").run()
    settled(app)
    assert "4 pictures, about 0.0 MB: 4 requests" in words(app)
    assert not endpoint.requests
    app.button(key="llm-ask").click().run()
    settled(app)
    assert not app.exception
    assert endpoint.keys == {f"Bearer {SECRET}"}
    assert "4 answers by stand-in-1b; 40 tokens sent, 20 received." in words(app)
    assert "small-vlm names 25.0 % of 4 pictures correctly" in words(app)
    assert "25.0 % hold the letters of the true name" in words(app)
    (name,) = imported.names()
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps({"image": few.image_ids[0], "answer": "B", "options": ["word1", "word0"]}))
    app.text_input(key="answers-file").input(str(file)).run()
    app.text_input(key="answers-model").input("other-vlm").run()
    app.segmented_control(key="match-read-3").set_value("choice").run()
    settled(app)
    assert "other-vlm names 100.0 % of 1 pictures correctly" in words(app)
    monkeypatch.setattr(lensbar, "images", IMAGES)
    switch(app, "frequency")
    app.query_params["overlay"] = [f"{IMPORTED}{name}"]
    settled(app.run())
    assert not app.exception
    drawn = figures(app)[0]["data"]
    assert any(str(trace.get("name", "")).endswith(name) for trace in drawn)
