"""What is doubtful about a count stands beside it, colours plots and can be hidden."""

from __future__ import annotations

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.analysis.curve import curve
from core.frequency import sources
from core.frequency.table import flags
from core.published import corpora
from core.published.store import open_store
from core.runtime.jobs import Engine
from core.types import FrequencyTable
from tests.answers import answer_with_accuracies
from tests.helpers.pages import figures, opened, settled, words
from tests.shipped_release import _joined

MODEL = "RN50-quickgelu,cc12m"


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of the built-in model is made beside these pages."""
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)


def table(app: AppTest, column: str) -> list[str]:
    """A column of the first table that has it."""
    return next(frame.value[column].tolist() for frame in app.dataframe if column in frame.value)


def test_flags_follow_the_concept_that_a_class_takes_and_hidden_ones_are_unknown() -> None:
    counts = {"t-shirt": 3, "Boeing 747": 5, "eel": 7}
    made = FrequencyTable("t", "", "text", counts, {}, {"t-shirt": ("hyphen",), "Boeing 747": ("digits", "homonym")})
    keys = ["t-shirt", "Boeing_747", "eel", "yeti"]
    assert flags(made, keys) == {"t-shirt": ("hyphen",), "Boeing_747": ("digits", "homonym")}
    answer = answer_with_accuracies([1, 2, 3, 4], 5, keys=keys)
    found = curve(answer, made, hidden=["homonym"])
    assert [row.key for row in found.rows] == ["t-shirt", "eel"]
    assert found.unknown == ("Boeing_747", "yeti")
    assert curve(answer, made).n == 3


def test_published_and_let_it_wag_counts_have_them() -> None:
    for name in ("published:cc12m/lemmatized", "letitwag:laion400m"):
        found = sources.load_source(name)
        hyphened = {concept for concept in found.counts if "-" in concept}
        assert hyphened
        assert all("hyphen" in found.flags[concept] for concept in hyphened)


def test_frequency_colours_and_hides_them() -> None:
    app = opened("frequency", model=MODEL, set="imagenet", colour="flag")
    marks = {trace.get("name") for figure in figures(app) for trace in figure["data"]}
    assert marks & {"hyphen", "homonym", "digits", "text missed"}
    assert "1,000 concepts" in words(app)
    doubtful = sources.load_source("published:cc12m/integrated_tlemmatized_i0.7").flags
    held = [flag for flag in table(app, "flags") if flag]
    assert held
    app.multiselect(key="frequency-hide").set_value(["hyphen"]).run()
    settled(app)
    left = [name for name in _joined("counts")["imagenet", "cc12m", "lemmatized"]["concept"]
            if "hyphen" not in doubtful.get(name, ())]  # fmt: skip
    assert f"{len(left):,} concepts" in words(app)
    assert app.query_params["frequency-hide"] in (["hyphen"], "hyphen")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["explore", "tail"])
def test_tables_name_them(page: str) -> None:
    app = opened(page, model=MODEL, set="imagenet")
    assert any(table(app, "flags"))
    if page == "explore":
        app.selectbox(key="explore-flag").set_value("hyphen").run()
        assert all("hyphen" in cell for cell in table(app, "flags"))


def test_corpora_can_be_drawn_without_them() -> None:
    store = open_store()
    whole = corpora.long_tail(store, "cc12m", "lemmatized")
    less = corpora.long_tail(store, "cc12m", "lemmatized", ("hyphen",))
    assert whole is not None
    assert less is not None
    rows = [
        part["concept"] for (dataset, pretraining, method), part in _joined("counts").items()
        if (pretraining, method) == ("cc12m", "lemmatized") and dataset in corpora.LONG_TAIL_SETS
    ]  # fmt: skip
    hyphened = int(np.concatenate([names.str.contains("-").to_numpy() for names in rows]).sum())
    assert whole.rows - less.rows == hyphened > 0
    app = opened("corpora", **{"corpora-hide": "hyphen"})
    assert not app.exception
    assert f"{less.rows}" in json.dumps(table(app, "Concepts"))


def test_counts_of_ones_own_corpora_show_them_where_there_are_any() -> None:
    app = opened("explore", frequency="icons-10k")
    assert not any(box.key == "flag" for box in app.selectbox)
    assert not any("flags" in frame.value for frame in app.dataframe)
