"""The deck: project files round-trip and are distrusted; the exported page runs nothing that came from data."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image

from core.deck import example
from core.deck import store as deck_store
from core.deck.deck import MOST_SLIDES, Deck, Picture, Slide, figure_json, from_json, to_json
from core.deck.page import page
from core.deck.slides import comparison_slide, concept_slide, image_slide, plot_slide
from core.errors import BadInput, UnreadableData
from tests.answers import answer_with_accuracies
from tests.fakes import FakeImageSet
from tests.helpers.decks import HOSTILE, hostile_deck, webp


class Reader(HTMLParser):
    """Collects tags, attributes, scripts and visible text as a browser's parser would see them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts[-1] += data
        else:
            self.words.append(data)


def test_a_project_file_opens_as_it_was_saved() -> None:
    deck = hostile_deck().add(Slide("image", "second", pictures=(Picture(webp((1, 2, 3)), "b", None),)))
    assert from_json(to_json(deck).encode()) == deck


def test_the_export_runs_only_scripts_of_the_project() -> None:
    found = Reader(page(hostile_deck()))
    assert len(found.scripts) == 2  # Plotly and the deck's own
    assert not any("alert(1)" in script for script in found.scripts)
    assert all(not name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert [attributes["src"][:23] for tag, attributes in found.tags if tag == "img"] == ["data:image/webp;base64,"]
    assert {tag for tag, _ in found.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "button", "span", "main", "section",
        "h2", "div", "figure", "img", "figcaption", "table", "thead", "tbody", "tr", "th", "td", "footer", "script",
        "nav", "aside",
    }  # fmt: skip
    assert sum(HOSTILE in words for words in found.words) >= 7


def test_the_policy_of_the_export_names_its_scripts_by_digest_and_no_network() -> None:
    found = Reader(page(hostile_deck()))
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    allowed = policy.split("script-src ")[1].split(";")[0]
    assert "unsafe-inline" not in allowed
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in found.scripts]
    assert allowed.split() == [f"'sha256-{digest}'" for digest in digests]


def test_the_figure_arrives_in_the_export_unchanged() -> None:
    deck = hostile_deck()
    found = Reader(page(deck))
    shown = next(attributes["data-figure"] for _, attributes in found.tags if "data-figure" in attributes)
    assert shown == deck.slides[0].figure
    assert json.loads(shown)["data"][0]["name"] == HOSTILE


def test_a_deck_without_plots_stays_small() -> None:
    assert len(page(Deck("t", (Slide("image", "a", pictures=(Picture(webp(), "b"),)),)))) < 20_000


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole.update(version=2),
        lambda whole: whole.update(slides={}),
        lambda whole: whole.update(title=7),
        lambda whole: whole.update(slides=[{"kind": "image", "title": "x"}] * (MOST_SLIDES + 1)),
        lambda whole: whole["slides"][0].update(kind="script"),
        lambda whole: whole["slides"][0].update(html="<b>"),
        lambda whole: whole["slides"][0].update(caption=["a"]),
        lambda whole: whole["slides"][0].update(title="a" * 3000),
        lambda whole: whole["slides"][0].update(rows=[["a"] * 100]),
        lambda whole: whole["slides"][0]["pictures"][0].update(right="yes"),
        lambda whole: whole["slides"][0]["pictures"][0].update(right=1),
        lambda whole: whole["slides"][0]["pictures"][0].update(webp="!!!"),
        lambda whole: whole["slides"][0]["pictures"][0].update(webp=base64.b64encode(b"<svg/>").decode()),
        lambda whole: whole["slides"][0]["pictures"][0].update(src="http://example.org/x.png"),
        lambda whole: whole["slides"][0]["figure"].update(data=[{"type": "scattermap"}]),
        lambda whole: whole["slides"][0]["figure"].update(data=[{"type": "bar", "nonsense": 1}]),
    ],
)
def test_a_project_file_that_is_not_what_it_should_be_is_refused(change) -> None:
    whole = json.loads(to_json(hostile_deck()))
    change(whole)
    with pytest.raises(UnreadableData) as refused:
        from_json(json.dumps(whole).encode())
    assert len(str(refused.value).splitlines()) == 1


def test_the_refusal_of_a_project_file_says_where() -> None:
    whole = json.loads(to_json(hostile_deck()))
    whole["slides"][0]["pictures"][0]["label"] = 7
    with pytest.raises(UnreadableData, match="slides, 1, pictures, 1, label"):
        from_json(json.dumps(whole).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"<html>"])
def test_bytes_that_are_no_project_file_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadableData):
        from_json(data)


def test_pictures_of_a_project_file_are_written_anew() -> None:
    smuggled = webp() + b"<script>alert(1)</script>"
    whole = json.loads(to_json(Deck("t", (Slide("image", "a", pictures=(Picture(webp(), "b"),)),))))
    whole["slides"][0]["pictures"][0]["webp"] = base64.b64encode(smuggled).decode()
    opened = from_json(json.dumps(whole).encode()).slides[0].pictures[0].data
    assert b"script" not in opened
    assert Image.open(io.BytesIO(opened)).getpixel((3, 3)) == (9, 99, 200)


def test_figures_lose_what_reaches_for_the_network_or_webgl() -> None:
    figure = go.Figure(go.Scattergl(x=np.arange(3), y=np.arange(3)))
    figure.add_layout_image(source="http://example.org/x.png")
    kept = json.loads(figure_json(figure))
    assert kept["data"][0]["type"] == "scatter"
    assert "images" not in kept["layout"]
    assert "template" not in kept["layout"]
    with pytest.raises(BadInput, match="surface"):
        figure_json(go.Figure(go.Surface(z=[[1, 2], [3, 4]])))


def test_slides_are_moved_captioned_and_removed() -> None:
    deck = Deck().add(Slide("image", "a")).add(Slide("image", "b")).add(Slide("image", "c"))
    assert [slide.title for slide in deck.move(2, 0).slides] == ["c", "a", "b"]
    assert [slide.title for slide in deck.move(0, 99).slides] == ["b", "c", "a"]
    assert deck.write(1, caption="said").slides[1].caption == "said"
    assert [slide.title for slide in deck.remove(1).slides] == ["a", "c"]
    assert deck.write(1, caption="said").add(Slide("image", "b")).slides == deck.write(1, caption="said").slides
    assert deck.add(Slide("image", "b", pinned="2026-12-01 09:00 UTC")) == deck
    assert len(deck.add(Slide("image", "b", source="inputs 0a1b2c3d")).slides) == 4


def test_titles_and_notes_are_written_and_kept() -> None:
    shown = comparison_slide("A", ("lens",), [("a",)], "here")
    deck = Deck().add(shown).write(0, title="Mine", notes="say this")
    assert (deck.slides[0].title, deck.slides[0].notes) == ("Mine", "say this")
    assert deck.write(0, title="").slides[0].title == "Mine"
    noted = Deck().add(shown).write(0, notes="say this")
    assert noted.add(shown) == noted
    assert from_json(to_json(deck).encode()) == deck
    assert '<aside class="notes" aria-label="Notes">say this</aside>' in page(deck)
    older = json.loads(to_json(deck))
    del older["slides"][0]["notes"]
    assert from_json(json.dumps(older).encode()).slides[0].notes == ""


def test_a_table_that_is_cut_says_so() -> None:
    rows = [tuple(range(20)) for _ in range(100)]
    slide = comparison_slide("A", [f"column {place}" for place in range(20)], rows, "here")
    assert slide.header[-1] == "… and 9 more columns"
    assert slide.rows[-1] == ("… and 41 more rows",)
    assert {len(row) for row in slide.rows[:-1]} == {11}
    whole = comparison_slide("A", ("a",), rows[0:60], "here")
    assert len(whole.rows) == 60
    assert "more" not in str(whole.rows)


@pytest.mark.parametrize(
    ("n", "wide", "tall"),
    [(1, (1, 1), (1, 1)), (2, (2, 1), (1, 2)), (6, (3, 2), (2, 3)), (12, (6, 2), (3, 4)), (24, (8, 3), (4, 6))],
)
def test_pictures_stand_in_the_grid_that_makes_them_largest(
    n: int, wide: tuple[int, int], tall: tuple[int, int]
) -> None:
    slide = Slide("concept", "a", pictures=(Picture(webp(), "b"),) * n)
    grid = f"--columns:{wide[0]};--rows:{wide[1]};--tall-columns:{tall[0]};--tall-rows:{tall[1]}"
    assert f'style="{grid}"' in page(Deck("t", (slide,)))


@pytest.mark.slow
def test_the_example_that_ships_is_what_its_command_computes() -> None:
    shipped, computed = example.example(), example.compute()
    assert shipped.title == computed.title
    for old, new in zip(shipped.slides, computed.slides, strict=True):
        assert replace(old, pictures=(), figure="") == replace(new, pictures=(), figure="")
        assert [one.label for one in old.pictures] == [one.label for one in new.pictures]
        assert bool(old.figure) == bool(new.figure)
        if old.figure:
            before, after = json.loads(old.figure)["data"], json.loads(new.figure)["data"]
            assert [sorted(trace) for trace in before] == [sorted(trace) for trace in after]


def test_a_full_deck_refuses_more() -> None:
    deck = Deck("t", tuple(Slide("image", str(number)) for number in range(MOST_SLIDES)))
    with pytest.raises(BadInput, match="remove one"):
        deck.add(Slide("image", "one more"))


def test_slides_carry_what_the_answer_says() -> None:
    images = FakeImageSet(classes=3, n=12)
    answer = answer_with_accuracies([4, 2, 0], 4, keys=images.keys, names=images.names)
    wrong = int(np.flatnonzero(answer.top[:, 0] != answer.labels)[0])
    slide = image_slide(answer, images, wrong)
    assert slide.title == "“word1” is predicted as “word2”"
    assert [picture.right for picture in slide.pictures] == [False]
    concept = concept_slide(answer, images, 1, [4, 5, 6, 7], count=9)
    assert "2 of 4 images" in concept.facts[0]
    assert [picture.right for picture in concept.pictures] == [True, True, False, False]
    table = comparison_slide("A", ("lens", "top-1"), [("a", 0.5)], "here")
    assert table.rows == (("a", "0.5"),)
    assert json.loads(plot_slide("P", go.Figure(go.Bar(y=[1])), "here").figure)["data"][0]["type"] == "bar"
    deck = Deck("t", (slide, concept, table))
    assert from_json(to_json(deck).encode()) == deck


def test_the_kept_deck_outlives_whoever_made_it():
    assert deck_store.load() == deck_store.Kept(Deck(), ())
    deck = hostile_deck()
    first = deck_store.save(deck)
    assert deck_store.load() == deck_store.Kept(deck, first)
    second = deck_store.save(deck.write(0, caption="other"))
    assert first != second == deck_store.version()
    assert [path.name for path in deck_store.place().parent.iterdir()] == [deck_store.NAME]


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": "tailscope-deck", "version": 1}'])
def test_a_damaged_kept_deck_is_set_aside(content):
    deck_store.place().write_bytes(content)
    with pytest.raises(UnreadableData, match="set aside"):
        deck_store.load()
    assert deck_store.load() == deck_store.Kept(Deck(), ())
    assert deck_store.place().with_suffix(".damaged").read_bytes() == content
