"""The first screen, and the lens over published answers: what they say against the release itself."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.analysis import concepts, overview
from core.evaluation import evaluate
from core.published.answers import PAPER_SETS, published_answer
from core.published.names import HEADLINE_METHOD
from core.published.pool import Combination, pool
from core.published.store import open_store
from core.runtime.jobs import Engine
from pages import registry
from tests.helpers.pages import answered, figures, opened, words

MODEL = "RN50-quickgelu,cc12m"


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


def badges(app: AppTest) -> str:
    """What the badges say, as Markdown."""
    return " ".join(item.value for item in app.markdown if "badge" in item.value)


def links(app: AppTest) -> dict[str, str]:
    """Label of every link to a page -> page and query."""
    return {item.proto.label: f"{item.proto.page}?{item.proto.query_string}" for item in app.get("page_link")}


def test_the_shipped_table_is_what_the_release_gives() -> None:
    with overview.TABLE.open(newline="", encoding="utf-8") as file:
        committed = [row for row in csv.reader(file) if row[0] == MODEL]
    assert committed == [[str(value) for value in row] for row in overview.rows(MODEL)]


def test_concepts_never_counted_agree_with_a_join_of_the_raw_tables() -> None:
    store = open_store()
    for one in overview.curves():
        if one.model != MODEL:
            continue
        rows = pool(store, Combination("zero-shot", "cc12m", HEADLINE_METHOD, "simple", "RN50"), PAPER_SETS, "honest")
        assert one.never is not None
        assert one.common is not None
        assert one.never.n == pytest.approx(rows.n_zero, abs=5)
        assert one.never.accuracy.value == pytest.approx(rows.values[rows.counts == 0].mean() / 100, abs=0.005)
        common = rows.values[rows.counts >= overview.COMMON].mean() / 100
        assert one.common.accuracy.value == pytest.approx(common, abs=0.005)


def test_the_headline_is_the_range_of_the_gaps() -> None:
    found = overview.curves()
    gaps = [one.common.accuracy.value - one.never.accuracy.value for one in found if one.never and one.common]
    assert len(gaps) == len(found) == 12
    assert f"{100 * min(gaps):.0f} to {100 * max(gaps):.0f} points" in overview.headline(found)


def test_the_overview_needs_no_job_and_no_lens(page_engine: Engine) -> None:
    app = opened("overview")
    assert not app.exception
    assert overview.headline(overview.curves()) in words(app)
    assert len(figures(app)) == 2
    assert page_engine.jobs() == []
    assert not any(box.label == "Model" for box in app.selectbox)


def test_everything_on_the_overview_leads_into_the_lens() -> None:
    app = opened("overview")
    found = links(app)
    assert "model=ViT-L-14%2Claion400m_e32" in found["Every concept on the curve"]
    assert "set=paper-17" in found["Every concept on the curve"]
    assert "set=icons" in found["Its mistakes"]
    app.selectbox(key="overview-wag-model").select("ViT-B-16 · laion400m").run()
    assert "39.1 % on Let It Wag!" in words(app)
    assert "model=ViT-B-16%2Claion400m&set=letitwag" in links(app)["Its concepts by frequency"]


def test_the_pretraining_set_chooses_the_model_in_full() -> None:
    app = opened("overview")
    app.session_state["trained-on"] = "cc3m"
    app.run()
    shown = figures(app)[0]["data"]
    full = {trace["customdata"][0][0] for trace in shown if trace.get("error_y", {}).get("array")}
    assert full == {"ViT-B-16,cc3m"}
    assert "ViT-B-16,cc3m: mean accuracy" in words(app)


def test_a_concept_is_looked_up_among_all_published_ones() -> None:
    app = opened("overview")
    next(box for box in app.selectbox if box.key == "look-up").set_value("vine snake").run()
    assert "4 in CC-12M" in words(app)
    assert "concept=vine+snake" in links(app)["All on “vine snake”"].replace("%20", "+")


def test_one_concept_holds_its_counts_and_every_model() -> None:
    found = concepts.find("Vine_Snake")
    assert found is not None
    assert [place.image_set for place in found.places] == ["imagenet", "imagenet-sketch", "letitwag"]
    by_set = {one.pretraining: one.by_method for one in found.counts}
    assert by_set["cc12m"][HEADLINE_METHOD] == 4
    answer = published_answer(MODEL, "imagenet", "simple")
    released = next(score.accuracy for score in answer.classes if score.name == "vine snake")
    mine = next(one for one in found.scores if (one.model, one.image_set) == (MODEL, "imagenet"))
    assert (mine.accuracy, mine.count) == (released, 4)
    assert concepts.find("no such concept") is None


@pytest.mark.parametrize("page", ["explore", "frequency", "tail"])
def test_a_published_model_on_a_published_set_needs_nothing_fetched(page: str) -> None:
    app = opened(page, model=MODEL, set="imagenet", prompts="simple")
    assert not app.exception
    assert "published by the authors" in badges(app)
    assert "needs its pictures" in words(app)
    if page != "explore":
        assert "Counted in CC-12M by text and image (RAM++ 0.7)" in words(app)
        assert "of 1,000 classes matched" in words(app)


def test_the_points_on_frequency_are_the_released_accuracies() -> None:
    app = opened("frequency", model=MODEL, set="imagenet")
    cloud = next(trace for trace in figures(app)[0]["data"] if trace.get("mode") == "markers" and trace.get("text"))
    answer = published_answer(MODEL, "imagenet", "simple")
    assert len(cloud["text"]) == len(answer.keys)
    from base64 import b64decode

    drawn = np.frombuffer(b64decode(cloud["y"]["bdata"]), np.float32)
    np.testing.assert_allclose(drawn, [score.accuracy for score in answer.classes], rtol=1e-6)


def test_published_retrieval_is_called_recall_by_a_chosen_metric() -> None:
    app = opened("frequency", model=MODEL, set="flickr", metric="i2t_k=1")
    told = words(app)
    assert "Recall on the rarest fifth" in told
    assert "Retrieval, image to text, recall@1" in told
    assert "other prompts" not in told
    assert figures(app)[0]["layout"]["yaxis"]["title"]["text"] == "Zero-shot recall"
    answer = published_answer(MODEL, "flickr", "i2t_k=1")
    shown = next(trace for trace in figures(app)[0]["data"] if trace.get("mode") == "markers" and trace.get("text"))
    assert len(shown["text"]) == len(answer.keys)


def test_the_authors_spelling_names_the_same_model() -> None:
    app = opened("explore", model="ViT-B-16,laion400m", set="letitwag")
    assert app.session_state["_lens"].model == "ViT-B-16,laion400m_e32"
    assert "80 ImageNet templates" in words(app)
    assert "under other prompts" in words(app)


def test_counts_of_another_set_are_offered_and_never_assumed() -> None:
    app = opened("frequency", model="ViT-B-16-quickgelu,openai", set="letitwag", prompts="ensemble")
    assert "The pretraining data of ViT-B-16-quickgelu (openai) was never counted." in words(app)
    assert figures(app) == []
    next(button for button in app.button if "LAION" in button.label).click().run()
    assert app.session_state["frequency"].startswith("published:laion400m/")
    assert len(figures(app)) == 1


def test_a_page_of_pictures_says_what_it_lacks_and_where_the_scores_are() -> None:
    app = opened("failures", model=MODEL, set="imagenet")
    assert not app.exception
    assert "needs its pictures" in words(app).replace("\\", "")
    assert "See its published accuracies" in links(app)


@pytest.mark.parametrize("id", [page.id for page in registry.PAGES if not page.needs])
def test_a_page_that_reads_no_lens_shows_none(id: str) -> None:
    app = opened(id)
    assert not app.exception
    assert not {"Model", "Prompts", "Frequency"} & {box.label for box in app.sidebar.selectbox}


def test_a_page_shows_the_parts_that_it_reads() -> None:
    assert {box.label for box in opened("sentences").sidebar.selectbox} == {"Model", "Images", "Prompts"}
    labels = {box.label for box in opened("tail").sidebar.selectbox}
    assert labels == {"Model", "Images", "Prompts", "Frequency", "How counted"}
