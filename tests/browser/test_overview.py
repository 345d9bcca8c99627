"""The first screen in a real browser: what is on it at once, and that all of it leads into the lens."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

import pytest

from tests.helpers.browser import Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
FAINT = """() => {
  const plot = document.querySelector('.js-plotly-plot'), layout = plot._fullLayout
  const line = plot._fullData.find(trace => trace.mode === 'lines+markers' && trace.customdata[0][0] === 'RN50,cc3m')
  const box = plot.getBoundingClientRect()
  return line && {x: box.left + layout.xaxis._offset + layout.xaxis.d2p(line.x[1]),
                  y: box.top + layout.yaxis._offset + layout.yaxis.d2p(line.y[1])}
}"""
SEEN = """() => {
  const box = document.querySelector('.js-plotly-plot')?.getBoundingClientRect()
  return box && box.top + 0.6 * box.height < innerHeight
}"""


def lens(visit: Visit) -> dict[str, str]:
    """The lens in the address."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlparse(visit.page.url).query))


@pytest.mark.parametrize("width", [1440, 390])
def test_a_chart_is_seen_without_scrolling(visit: Open, width: int) -> None:
    found = visit("/", width=width)
    found.painted()
    assert "CLIP is worst at what it rarely saw" in found.page.inner_text("h1")
    assert found.page.title() == "Overview · Tailscope"
    found.page.wait_for_function(SEEN)  # charts are drawn anew while the page fills
    assert found.page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert found.errors == found.foreign == []


def test_a_click_on_a_faint_line_shows_that_model_in_full(visit: Open) -> None:
    found = visit("/")
    found.click_point(FAINT, found.page.get_by_text("RN50,cc3m: mean accuracy"))


def test_links_lead_into_the_lens_which_is_kept_until_another_link_names_one(visit: Open) -> None:
    found = visit("/")
    found.page.get_by_role("link", name="Every concept on the curve").click()
    found.page.get_by_text("published by the authors").first.wait_for()
    assert lens(found) == {"model": "ViT-L-14,laion400m_e32", "set": "paper-17"}
    found.page.get_by_role("link", name="Overview").click()
    found.page.wait_for_url(lambda url: "?" not in url)
    found.go("Concepts", "Tail")
    found.page.get_by_text("on the concepts that were never counted and").first.wait_for()
    assert lens(found) == {"model": "ViT-L-14,laion400m_e32", "set": "paper-17"}
    found.page.get_by_role("link", name="Overview").click()
    found.page.get_by_role("link", name="Its accuracy by frequency").click()
    found.page.locator("h1", has_text="Accuracy rises with pretraining frequency").wait_for()
    found.page.wait_for_url(lambda url: "?" not in url)
    found.page.locator("[data-testid=stSidebar] input[value='icons']").wait_for()
    assert found.page.locator("[data-testid=stException]").count() == 0
    assert found.errors == []


def test_a_name_and_enter_lead_to_a_concepts_page_and_a_door_to_ones_own_picture(visit: Open) -> None:
    found = visit("/")
    box = found.page.get_by_role("combobox", name="Concept")
    box.click()
    box.fill("vine snake")
    box.press("Enter")
    found.page.get_by_role("link", name="All on “vine snake”").click()
    found.page.get_by_text("under the published models").wait_for()
    assert {"concept": "vine snake"}.items() <= lens(found).items()
    found.page.get_by_role("link", name="Overview").click()
    found.page.get_by_role("link", name="Or drop in one picture").click()
    found.page.locator("h1", has_text="see in a picture of yours").wait_for()
    found.page.get_by_test_id("stFileUploader").wait_for()
    assert found.page.locator("[data-testid=stException]").count() == 0
