"""The pages of published evidence, with a small release and without one."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from streamlit.testing.v1 import AppTest

from core.charts import letitwag as wag_charts
from core.charts import published as charts
from core.published import findings, letitwag, store, view
from core.published.overlay import lay_over
from core.published.runs import Run
from core.published.view import View
from core.runtime.jobs import Engine
from tests.helpers.pages import figures, opened, settled

PAGES = ("published", "among", "letitwag", "corpora", "claims")


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of the built-in model is made beside these pages."""
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)


@pytest.fixture
def release(release: Path) -> store.Store:
    return store.open_store()


def open_page(name: str, **query: str | list[str]) -> AppTest:
    """One page under the shell with a query string, after its jobs have ended."""
    app = opened(name, **query)
    assert not app.exception, app.exception
    return app


def said(app: AppTest) -> str:
    """The words of a page, markup included."""
    return html.unescape(" ".join(block.proto.body for block in app.get("html"))).replace("\u00a0", " ")


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_the_release_that_ships(name: str) -> None:
    app = open_page(name)
    assert not any(button.key == "release-fetch" for button in app.button)
    assert re.search(r"<h1[^>]*>[^<]*\d", said(app))


def test_let_it_wag_stands_on_the_committed_facts() -> None:
    app = open_page("letitwag", rare="partridge")
    assert app.selectbox(key="rare").value.key == "partridge"
    text = said(app)
    assert "71.9 %" in text
    assert "Suspected configuration slip" in text
    assert len(figures(app)) == 5  # the scatter, how rare they are, a concept's counts, its accuracies, the matrix


@pytest.mark.parametrize("name", ["published", "corpora", "claims"])
def test_with_the_release_every_page_opens_with_a_computed_sentence(name: str, release: store.Store) -> None:
    app = open_page(name)
    headline = re.search(r"<h1[^>]*>(.*?)</h1>", said(app))
    assert headline is not None
    assert re.search(r"\d", headline[1])
    assert not any(button.key == "release-fetch" for button in app.button)


def test_a_copy_without_let_it_wag_results_keeps_the_page(release: store.Store) -> None:
    app = open_page("letitwag")
    assert "lacks some of these scores" in said(app)
    assert "71.9 %" in said(app)


@pytest.mark.parametrize(
    "query",
    [
        {"results": "Retrieval"},
        {"results": "Text-to-image"},
        {"published-view": "by data set"},
        {"corpus": ["CC-3M", "LAION-400M"]},
        {"published-of": "RN50 · CC-3M", "tint": "flag"},
        {"published-of": "RN50 · CC-3M", "published-hide": "digits"},
        {"about": "imagenet 03"},
        {"about": "<img src=x onerror=alert(1)>"},
        {"corpus": "nonsense", "published-search": "nonsense", "published-on": "nonsense", "published-of": "nonsense"},
    ],
)
def test_the_url_chooses_and_nonsense_in_it_is_dropped(query: dict, release: store.Store) -> None:
    app = open_page("published", **query)
    assert figures(app) or "None of these curves" in said(app)
    assert "<img src=x" not in " ".join(block.proto.body for block in app.get("html"))


def test_models_follow_the_pretraining_sets(release: store.Store) -> None:
    app = open_page("published", corpus="CC-3M", **{"published-of": "ViT-B-16 · CC-3M"})
    assert app.multiselect(key="published-of").value == [("ViT-B-16", "cc3m")]
    app.multiselect(key="corpus").set_value(["laion400m"]).run()
    settled(app)
    assert app.multiselect(key="published-of").value == []
    assert "ViT-L-14 on LAION-400M" in said(app)


def test_hidden_concepts_leave_the_honest_recipe_only(release: store.Store) -> None:
    asked = View("zero-shot", "lemmatized", "class", (("RN50", "cc3m"),))
    (whole,), _ = view.draw(release, asked)
    (part,), _ = view.draw(release, replace(asked, hidden=("digits",)))
    assert whole.hidden == 0
    assert part.rows.concepts.tolist() == ["airplane"]  # the one name of the small release without a digit
    assert part.hidden == whole.honest["n_rows"] - 1
    assert part.paper == whole.paper


def test_curves_that_cannot_be_drawn_say_why(release: store.Store) -> None:
    asked = View("zero-shot", "lowercased", "class", (("RN50", "cc3m"),), hidden=())
    shown, left_out = view.draw(release, asked)
    assert not shown
    assert left_out[0].item == "RN50 · CC-3M"
    assert "cut short: imagenet (1 of 14)" in left_out[0].reason


def test_a_data_set_by_itself_has_the_slope_of_its_own_rows(release: store.Store) -> None:
    asked = View("zero-shot", "rampp0.7", "class", (("RN50", "cc3m"),))
    shown, _ = view.draw(release, asked)
    parts = view.by_dataset(release, asked, shown)
    assert sum(len(one.rows.counts) for (one,) in parts.values()) == len(shown[0].rows.counts)
    (one,) = parts["dtd"]
    seen = one.rows.counts > 0
    slope = stats.linregress(np.log10(one.rows.counts[seen]), one.rows.values[seen]).slope
    assert one.honest["slope_per_decade"]["value"] == pytest.approx(slope, rel=1e-9)


def test_the_figures_draw_what_the_records_say(release: store.Store) -> None:
    models = tuple(view.models(release, "zero-shot"))
    shown, _ = view.draw(release, View("zero-shot", "rampp0.7", "class", models))
    paper = charts.paper_figure(shown)
    kept = [trace for trace in paper.data if trace.mode == "lines+markers"]
    for one, trace in zip(shown, kept, strict=True):
        start, stop = one.paper["kept"]
        np.testing.assert_allclose(trace.x, one.paper["edges"][start:stop])
        np.testing.assert_allclose(trace.y, one.paper["bin_mean"][start:stop])
    honest = charts.honest_figure(shown[:1])
    (cloud,) = [trace for trace in honest.data if trace.type == "scattergl"]
    zeros = shown[0].rows.counts == 0
    assert cloud.x.dtype == np.float32
    assert (cloud.x[zeros] < 1).all()
    np.testing.assert_array_equal(cloud.x[~zeros], shown[0].rows.counts[~zeros])


def test_the_paper_figure_undoes_nothing_when_recall_is_shown_in_percent(release: store.Store) -> None:
    models = tuple(view.models(release, "retrieval"))[:1]
    (one,), _ = view.draw(release, View("retrieval", "rampp0.7", "t2i_k=10", models))
    figure = charts.paper_figure([one])
    start, stop = one.paper["kept"]
    np.testing.assert_allclose(figure.data[0].y, 100 * np.array(one.paper["bin_mean"][start:stop]))


def test_let_it_wag_scatter_has_the_papers_slopes_and_one_honest_line() -> None:
    models, fits = letitwag.models(), letitwag.fits()
    figure = wag_charts.scatter(models, fits, chosen=["ViT-H-14 · dfn"])
    below, above, line = figure.data[1:4]
    for trace, slope in ((below, 0.6030346846828196), (above, 1.5776268224701806)):
        assert (trace.y[1] - trace.y[0]) / (trace.x[1] - trace.x[0]) == pytest.approx(slope, rel=1e-6)
    every = stats.linregress([m.imagenet for m in models], [m.letitwag for m in models])
    assert (line.y[1] - line.y[0]) / (line.x[1] - line.x[0]) == pytest.approx(every.slope)
    assert sorted(note.text for note in figure.layout.annotations) == [
        "ViT-B-32 · laion400m: doubtful",
        "ViT-H-14 · dfn",
    ]


def test_every_order_of_the_matrix_shows_every_concept() -> None:
    models, concepts = letitwag.models(), letitwag.concepts()
    accuracy = np.random.default_rng(0).uniform(0, 100, (len(models), len(concepts)))
    found = letitwag.Matrix(models, concepts, accuracy)
    for by in ("gain", "accuracy", "family", "likeness"):
        assert sorted(findings.order_of(found, by)) == list(range(len(concepts)))
    gains = findings.fate(found).gain[findings.order_of(found, "gain")]
    assert (np.diff(gains) <= 0).all()


def test_ones_own_run_is_laid_over_with_names_mapped_by_hand(release: store.Store) -> None:
    run = Run("mine", {f"dtd {index:02d}": 10.0 * index for index in range(9)} | {"Textile": 50.0}, "ten classes")
    where = view.Where(pretraining="cc3m", method="rampp0.7", dataset="dtd")
    mapping = view.applicable(release, {"Textile": "dtd 13", "dtd 00": "no such name"}, where)
    assert mapping == {"Textile": "dtd 13"}
    mine = view.own(
        lay_over(run, mapping=mapping, pretraining=where.pretraining, method=where.method, dataset=where.dataset)
    )
    assert mine.rows.concepts.tolist().count("dtd 13") == 1
    assert findings.own(mine).endswith("for mine.")
    assert "10 of 10 classes have a count" in findings.own_evidence(mine, [], len(run.values))


def test_names_from_data_are_text_in_figures(release: store.Store) -> None:
    models = tuple(view.models(release, "zero-shot"))[:1]
    (one,), _ = view.draw(release, View("zero-shot", "rampp0.7", "class", models))
    concepts = np.array(["<b onmouseover=x>"] * len(one.rows.counts), dtype=object)
    bad = replace(one, rows=replace(one.rows, concepts=concepts))
    figure = charts.honest_figure([bad], about="<b onmouseover=x>")
    words = [word for trace in figure.data if trace.text is not None for word in trace.text]
    assert any("&lt;b onmouseover" in word for word in words)
    assert not any("<b onmouseover" in word for word in words)


@pytest.mark.slow
def test_an_uploaded_run_stands_among_the_published_ones_and_its_mapping_is_kept(release: store.Store) -> None:
    app = open_page("among", **{"among-origin": "A file", "counts-of": "CC-3M"})
    classes = {f"dtd {index:02d}": 5.0 * index for index in range(12)} | {"DTD 13": 40.0}
    content = json.dumps({"my model": {"full": 1.0, "classwise": classes}}).encode()
    app.file_uploader(key="results-file").set_value([("mine.json", content, "application/json")]).run()
    settled(app)
    assert "12 of 13 classes have a count" in said(app)
    app.session_state["names-several"] = True
    settled(app.run())
    app.slider(key="names-likeness").set_value(70).run()
    assert app.button(key="names-take").label == "Take these 1"
    app.button(key="names-take").click().run()
    settled(app)
    assert "13 of 13 classes have" in said(app)
    app.button(key="names-undo").click().run()
    settled(app)
    assert "12 of 13 classes have" in said(app)
    assert not any(button.key == "names-undo" for button in app.button)


def test_a_file_that_is_no_result_is_refused_in_a_sentence(release: store.Store) -> None:
    app = open_page("among", **{"among-origin": "A file"})
    app.file_uploader(key="results-file").set_value([("mine.json", b"[[1]]", "application/json")]).run()
    assert not app.exception
    assert any("mine" in warning.value for warning in app.warning)


@pytest.mark.slow
def test_slopes_stand_against_model_size() -> None:
    app = open_page("published", **{"published-view": "slope and size"})
    drawn = {trace["name"]: trace for trace in figures(app)[0]["data"]}
    assert drawn["LAION-400M"]["x"] == pytest.approx([149.62, 151.28, 427.62])
    assert "per tenfold size" in said(app)


@pytest.mark.slow
def test_thresholds_stand_beside_one_another(release: store.Store) -> None:
    app = open_page("published", corpus="cc3m", **{"published-view": "thresholds"})
    assert [len(figure["data"]) for figure in figures(app)][:4] == [2, 2, 2, 3]
    assert "one threshold only" in said(app)
    assert "image (RAM++ 0.5)" in said(app)


def test_a_concept_has_every_released_metric_of_text_to_image(release: store.Store) -> None:
    app = open_page("published", results="Text-to-image", about="prompt 03")
    (frame,) = [one.value for one in app.dataframe if "human-rated alignment" in one.value]
    assert list(frame.columns) == ["expected LPIPS", "human-rated alignment"]
    rows = release.rows(
        "SELECT value FROM scores JOIN units USING (unit) WHERE concept = 'prompt 03' AND condition = 'human_align' "
        "ORDER BY model"
    )
    assert frame["human-rated alignment"].tolist() == [value for (value,) in rows]
    assert "50,000 people" in said(app)
