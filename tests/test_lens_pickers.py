"""The sidebar's lists: plain words are shown, names and ids are the values and stand in the address."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.frequency import labels, published, sources
from core.models import registry
from core.runtime.jobs import Engine
from pages.ui import model_labels
from tests.helpers.pages import opened, settled, words

MODEL = "RN50-quickgelu,cc12m"


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of the built-in model is made beside these pages."""
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)


def asked(app: AppTest, key: str) -> str | None:
    """A parameter of the address."""
    found = app.query_params.get(key)
    return found[0] if isinstance(found, list) else found


def steps(app: AppTest) -> list[str]:
    """The boxes below the set that was counted."""
    return [box.key for box in app.sidebar.selectbox if box.key in ("how-counted", "threshold", "count")]


def test_the_sources_are_few_sets_in_plain_words_and_all_are_reached() -> None:
    listed = sources.list_sources()
    sets = labels.counted_sets(listed)
    assert [name for one in sets for name in one.sources] == [info.name for info in listed]
    assert len({one.label for one in sets}) == len(sets)
    assert not any("published:" in one.label or "_" in one.label for one in sets)
    reached = set()
    for one in sets:
        if one.first.startswith(published.PREFIX):
            for way in labels.ways(one.first):
                reached |= {way, *labels.variants(way)}
    assert reached == {step.name for step in published.steps()}


def test_a_truncated_table_is_marked_and_never_stands_for_its_set() -> None:
    truncated = {step.name for step in published.steps() if step.truncated}
    for one in labels.counted_sets(sources.list_sources()):
        complete = set(one.sources) - truncated
        assert (one.first not in truncated) == bool(complete)
        assert one.label.endswith("(truncated)") == (not complete)
    for name in truncated:
        assert "(truncated)" in labels.variants(name)[name]
        assert labels.truncation(name).startswith("Truncated: ")
    taken = [way for step in published.steps() for way in labels.ways(step.name) if way != step.name]
    alone = {name for name in truncated if "laion_aesthetics" in name}
    assert set(taken) & truncated <= alone


@pytest.mark.slow
def test_counts_are_picked_in_three_steps_and_the_address_holds_the_name() -> None:
    app = opened("frequency", model=MODEL, set="imagenet")
    assert app.selectbox(key="frequency").value == "auto"
    assert steps(app) == ["how-counted", "threshold"]
    app.selectbox(key="how-counted").set_value("published:cc12m/rampp0.7").run()
    settled(app)
    assert asked(app, "frequency") == app.selectbox(key="frequency").value == "published:cc12m/rampp0.7"
    app.selectbox(key="threshold").set_value("published:cc12m/rampp0.55").run()
    settled(app)
    assert asked(app, "frequency") == "published:cc12m/rampp0.55"
    assert "published:cc12m/rampp0.55" in words(app)
    app.selectbox(key="frequency").set_value("published:laion200m_train_test_sim_normalized/rampp0.7").run()
    settled(app)
    assert steps(app) == []  # one way, one threshold
    app.selectbox(key="frequency").set_value("auto").run()
    assert asked(app, "frequency") is None
    assert not app.exception


@pytest.mark.slow
def test_old_addresses_name_a_source_and_its_column() -> None:
    app = opened("tail", model=MODEL, set="imagenet", frequency="published:cc3m/rampp0.65")
    assert app.selectbox(key="frequency").value == "published:cc3m/rampp0.65"
    assert app.selectbox(key="how-counted").value == "published:cc3m/rampp0.65"
    app = opened("tail", model=MODEL, set="imagenet", frequency="published:cc3m/rampp0.65", count="text")
    assert app.selectbox(key="frequency").value == "published:cc3m/lemmatized"
    app = opened("tail", frequency="icons-10k", count="text")
    assert (app.selectbox(key="frequency").value, app.selectbox(key="count").value) == ("icons-10k", "text")
    app = opened("tail", frequency="published:nothing/at_all")
    assert app.selectbox(key="frequency").value == "auto"


def test_models_are_described_and_their_ids_stay_the_value() -> None:
    app = opened("frequency", model=MODEL, set="imagenet")
    box = app.selectbox(key="model")
    assert (box.value, asked(app, "model")) == (MODEL, MODEL)
    assert f"{MODEL} · ImageNet 33.1 %, 102 M parameters, published scores" in box.options
    mismatch = next(option for option in box.options if option.startswith("ViT-B-32,laion400m_e32 ·"))
    assert mismatch.endswith("QuickGELU mismatch: lower accuracy")
    assert any(
        option.startswith("icon-RN,icons-200k · ") and option.endswith(" MB, on this disk") for option in box.options
    )
    box.set_value("ViT-B-16,laion400m_e32").run()
    assert asked(app, "model") == "ViT-B-16,laion400m_e32"
    assert not app.exception


@pytest.mark.slow
def test_a_link_that_is_followed_beats_what_was_chosen_before() -> None:
    app = opened("frequency", model=MODEL, set="imagenet")
    app.query_params["model"] = "ViT-B-16,laion400m"
    settled(app.run())
    assert app.selectbox(key="model").value == "ViT-B-16,laion400m"
    app.query_params["model"] = "icon-RN,icons-200k"
    app.query_params["set"] = "icons"
    settled(app.run())
    assert app.selectbox(key="model").value == "icon-RN,icons-200k"


def test_a_long_path_is_shown_by_its_end(tmp_path) -> None:
    folder = tmp_path / ("deep" * 12) / "model"
    assert model_labels.short(f"local-dir:{folder}") == f"local-dir:…/{'deep' * 12}/model"
    for info in registry.icon_models():
        assert model_labels.short(info.id) == info.id
