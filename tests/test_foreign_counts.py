"""Counts of another corpus than a model's own: no page or command speaks of what the model saw."""

from __future__ import annotations

import html
import json
import re

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core.analysis import findings
from core.analysis.curve import curve, headline
from core.cli.app import app as command
from core.frequency import sources
from core.published.answers import published_answer
from core.runtime.jobs import Engine
from tests.helpers.pages import figures, galleries, opened, words

SAW = re.compile(r"\b(?:seen|saw)\b|pretraining frequency|in pretraining\b", re.IGNORECASE)
BORROWED = (
    ("ViT-B-32,laion2b_s34b_b79k", "letitwag", "LAION-400M"), ("ViT-L-14,datacomp_xl_s13b_b90k", "letitwag", "CC-12M"),
    ("ViT-L-16-SigLIP-384,webli", "letitwag", "LAION-400M"), ("ViT-H-14-quickgelu,dfn5b", "letitwag", "CC-3M"),
    ("ViT-B-32-quickgelu,metaclip_400m", "letitwag", "YFCC-15M"), ("RN50-quickgelu,cc12m", "letitwag", "LAION-400M"),
)  # fmt: skip
SOURCES = {"LAION-400M": "laion400m", "CC-12M": "cc12m", "CC-3M": "cc3m", "YFCC-15M": "yfcc15m"}


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer of the built-in model is made beside these pages."""
    monkeypatch.setattr("pages.ui.answers.offer_live", lambda: None)


def shown(app: AppTest) -> str:
    """All words of a page: text, captions, plots, galleries and the columns of its tables."""
    assert not app.exception, app.exception
    parts = [words(app), *(item.value for item in (*app.caption, *app.text)), json.dumps(galleries(app))]
    parts += [frame.proto.columns for frame in app.dataframe]
    return html.unescape(" ".join([*parts, json.dumps([figure["layout"] for figure in figures(app)])]))


@pytest.mark.parametrize(("model", "image_set", "label"), BORROWED)
def test_sentences_name_the_set_that_was_counted(model: str, image_set: str, label: str) -> None:
    answer = published_answer(model, image_set, None)
    found = curve(answer, sources.load_source(f"letitwag:{SOURCES[label]}"))
    assert f"the count in {label} " in headline(found)
    assert f"counted in {label}" in findings.tail(found) or not found.groups.tags
    assert not SAW.search(headline(found) + findings.tail(found) + findings.tail_note(found))


@pytest.mark.slow
@pytest.mark.parametrize("page", ["explore", "frequency", "tail"])
def test_published_pages_never_say_seen(page: str) -> None:
    query = {"model": BORROWED[0][0], "set": "letitwag", "frequency": "letitwag:laion400m"}
    told = shown(opened(page, **query))
    assert not SAW.search(told), SAW.search(told)
    assert "LAION-400M" in told


@pytest.mark.parametrize("page", ["explore", "frequency", "tail", "failures", "lab"])
def test_an_icon_model_under_the_counts_of_another_corpus(page: str) -> None:
    told = shown(opened(page, model="icon-RN,icons-200k", frequency="icons-10k", concept="anchor", fail="worst"))
    assert not SAW.search(told), SAW.search(told)
    if page in ("frequency", "tail", "failures"):
        assert "in icons-10k" in told


@pytest.mark.parametrize("counts", ["letitwag:laion400m", "published:cc12m/rampp0.7"])
def test_the_command_names_it_too(counts: str) -> None:
    arguments = ["curve", BORROWED[0][0], "letitwag", "--frequency", counts]
    told = CliRunner().invoke(command, arguments, catch_exceptions=False).stdout
    label = "LAION-400M" if "laion" in counts else "CC-12M"
    assert f"count in {label}" in told
    assert not SAW.search(told)
    record = json.loads(CliRunner().invoke(command, [*arguments, "--json"]).stdout)
    assert record["counted_in"] == label


def test_its_own_counts_are_pretraining_counts() -> None:
    answer = published_answer("RN50-quickgelu,cc12m", "imagenet", "class")
    found = curve(answer, sources.load_source("published:cc12m/rampp0.7"))
    assert found.counted_in == ""
    assert "pretraining frequency" in headline(found)
