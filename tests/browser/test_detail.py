"""The dialog of one picture: reached by a click or an address, left for its neighbours, closed where it began."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urljoin, urlparse

import pytest

from tests.helpers.browser import DRAWN, Visit, await_images

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
TICKS = ".yaxislayer-above .ytick text, .yaxislayer-below .ytick text"


def await_shown(visit: Visit, id: str) -> None:
    """Wait until the dialog shows this picture and the address names it."""
    visit.page.wait_for_url(lambda url: parse_qs(urlparse(url).query).get("image") == [id], wait_until="commit")
    visit.page.get_by_role("dialog").get_by_text(f"{id} ·").wait_for()


def test_a_picture_opens_leads_on_and_gives_the_focus_back(visit: Open) -> None:
    found = visit("/explore?concept=dog")
    await_images(found)
    ids = [tile.get_attribute("data-id") for tile in found.page.locator(".tile").all()]
    found.page.locator(".tile").nth(1).click()
    dialog = found.page.get_by_role("dialog")
    dialog.locator(".js-plotly-plot").wait_for()
    assert dialog.bounding_box()["y"] < 1000
    await_shown(found, ids[1])
    dialog.get_by_role("button", name="Next").click()
    await_shown(found, ids[2])
    for key, place in (("ArrowLeft", 1), ("ArrowLeft", 0), ("ArrowRight", 1)):
        found.page.keyboard.press(key)
        await_shown(found, ids[place])
    found.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    found.page.wait_for_function(
        "id => { for (let at = document.activeElement; at; at = at.shadowRoot?.activeElement)"
        " if (at.dataset?.id === id) return true; return false }",
        arg=ids[1],
    )
    found.page.wait_for_url(lambda url: "image=" not in url)


def test_an_address_opens_the_picture_with_its_true_class_in_the_chart(visit: Open) -> None:
    found = visit("/explore")
    for page in ("explore", "frequency", "tail", "failures"):
        found.page.goto(urljoin(found.page.url, f"/{page}?image=apple-whole%2F3"))
        dialog = found.page.get_by_role("dialog")
        dialog.locator(".js-plotly-plot .ytick").first.wait_for()
        assert any("apple" in text for text in dialog.locator(TICKS).all_text_contents())
        assert "axis from" in dialog.locator(".xtitle").text_content()
        dialog.get_by_role("button", name="Pin picture").wait_for()


def test_a_figure_is_saved_as_svg(visit: Open) -> None:
    found = visit("/frequency")
    found.page.wait_for_function(DRAWN)
    with found.page.expect_download() as saved:
        found.page.get_by_role("button", name="Figure (SVG)").first.click()
    assert saved.value.suggested_filename == "frequency.svg"
    drawn = saved.value.path().read_text(encoding="utf-8")
    assert drawn.startswith("<svg")
    title = found.page.locator("[data-testid=stPlotlyChart] .xtitle").first.text_content()
    assert title.split()[0] in drawn


def test_a_picture_that_is_not_there_is_said(visit: Open) -> None:
    found = visit("/explore?image=nothing%2F99")
    found.page.get_by_text("icons has no picture “nothing/99”").wait_for()
    assert found.page.get_by_role("dialog").count() == 0
