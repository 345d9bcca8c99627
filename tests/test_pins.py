"""Pins on every page where a person sees a finding: each makes a slide that a project file can hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.deck.deck import Deck, from_json, to_json
from core.evaluation import evaluate
from core.published.manifest import CITATION
from core.runtime.jobs import Engine
from tests.helpers.pages import answered, deck_of, opened, settled


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


def pin_all(app: AppTest) -> Deck:
    """Press every pin of the page, and what the deck holds then."""
    pins = [button.key for button in app.button if (button.key or "").startswith("pin-")]
    for done, key in enumerate(pins, start=1):
        app.button(key=key).click().run()
        assert not app.exception
        assert len(deck_of(app).slides) == done, key
    deck = deck_of(app)
    assert from_json(to_json(deck).encode()) == deck
    return deck


@pytest.mark.parametrize(("page", "least"), [("published", 4), ("letitwag", 2), ("corpora", 3), ("claims", 5)])
def test_published_evidence_is_pinned_with_its_source(release: Path, page: str, least: int) -> None:
    deck = pin_all(opened(page))
    assert len(deck.slides) >= least
    assert all(CITATION in slide.source for slide in deck.slides)
    assert len({slide.title for slide in deck.slides}) == len(deck.slides)
    if page != "claims":
        assert all(json.loads(slide.figure)["data"] for slide in deck.slides)


def test_ones_own_run_among_the_published_ones_is_pinned(release: Path) -> None:
    app = opened("among", **{"among-origin": "A file", "counts-of": "CC-3M"})
    content = json.dumps({"my model": {"classwise": {f"dtd {index:02d}": 5.0 * index for index in range(12)}}}).encode()
    app.file_uploader(key="results-file").set_value([("mine.json", content, "application/json")]).run()
    settled(app)
    deck = pin_all(app)
    assert len(deck.slides) == 2
    assert all(slide.source.startswith("my model") for slide in deck.slides)


@pytest.mark.slow
def test_the_tail_is_pinned_with_its_concepts_and_pictures() -> None:
    app = opened("tail")
    app.button(key="pin-tail").click().run()
    assert not app.exception
    (slide,) = deck_of(app).slides
    assert slide.header == ("concept", "count", "correct")
    assert len(slide.rows) == len(slide.pictures) == 12
    seen = [int(row[1].replace(",", "")) for row in slide.rows]
    assert seen == sorted(seen)
    assert max(seen) <= 5
    assert "icons" in slide.source
