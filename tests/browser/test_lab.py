"""From two strategies to a deck that somebody else opens without a network."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.deck.deck import Deck
from core.deck.example import example
from core.deck.page import page as export
from core.deck.slides import comparison_slide
from tests.helpers.browser import Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
SIZES = "all => all.filter(one => one.textContent).map(one => parseFloat(getComputedStyle(one).fontSize))"


def test_two_strategies_to_flips_to_a_deck_that_opens_offline(visit: Open, chromium: Browser, tmp_path: Path) -> None:
    tab = visit("/lab?lenses=simple&lenses=class")
    page = tab.page
    page.get_by_text("side by side").wait_for()
    page.get_by_text("flips", exact=True).click()
    page.locator(".tile img").first.wait_for()
    said = page.locator(".tile").evaluate_all("tiles => tiles.slice(0, 12).map(tile => tile.title)")
    page.get_by_role("button", name="Pin these pictures").click()
    page.get_by_text("Pinned; the deck holds 1 slide.").wait_for()
    page.locator(".tile").first.click()
    page.get_by_role("button", name="Pin picture").click()
    page.get_by_text("the deck holds 2 slides").wait_for()
    page.keyboard.press("Escape")
    page.locator("[role=dialog]").wait_for(state="detached")

    tab.go("Library", "Deck")
    page.locator("h1", has_text="2 slides").wait_for()
    caption = "<b>See</b> <script>document.title = 'owned'</script>"
    page.get_by_placeholder("Say what to see here").first.fill(caption)
    with tab.run():
        page.get_by_placeholder("Say what to see here").first.press("Control+Enter")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export HTML").click()
    file = tmp_path / "deck.html"
    download.value.save_as(file)
    assert not tab.foreign
    assert not tab.errors

    alone = chromium.new_context(offline=True).new_page()
    asked, errors = [], []
    alone.on("request", lambda request: asked.append(request.url))
    alone.on("pageerror", lambda error: errors.append(str(error)))
    alone.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    alone.goto(file.as_uri())
    assert alone.title() == "Failure cases"
    assert alone.locator(".caption").first.inner_text() == caption
    assert alone.locator(".slide").count() == 2
    labels = alone.locator(".slide").first.locator("img").evaluate_all("images => images.map(image => image.alt)")
    assert [label.split(", not ")[-1] for label in labels] == [one.split(" · ")[0] for one in said]
    assert alone.locator("img").evaluate_all("images => images.every(one => one.naturalWidth > 0)")
    alone.locator("#present").click()
    assert alone.locator(".slide:visible").count() == 1
    alone.keyboard.press("ArrowRight")
    assert alone.locator(".slide:visible").get_attribute("id") == "slide-2"
    alone.keyboard.press("Escape")
    assert alone.locator(".slide:visible").count() == 2
    assert not errors
    assert all(url.startswith(("file:", "data:")) for url in asked)
    pictures = re.findall(r"data:image/webp;base64,([A-Za-z0-9+/=]+)", file.read_text(encoding="utf-8"))
    assert len(pictures) == len(labels) + 1
    assert all(base64.b64decode(one)[8:12] == b"WEBP" for one in pictures)
    alone.context.close()


def test_slides_fill_the_screen_of_a_hall(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "deck.html"
    many = [(f"concept {row}", row) for row in range(90)]
    slides = (*example().slides, comparison_slide("Many", ("concept", "seen"), many, "here"))
    file.write_text(export(Deck("Example", slides)), encoding="utf-8")
    alone = chromium.new_context(offline=True, viewport={"width": 1440, "height": 900}).new_page()
    alone.goto(file.as_uri())
    for number in range(1, len(slides) + 1):
        alone.keyboard.press("ArrowRight")  # the first one begins
        slide = alone.locator(f"#slide-{number}")
        slide.wait_for()
        assert slide.evaluate("one => one.scrollHeight <= innerHeight && one.scrollWidth <= innerWidth")
        if slide.locator(".plot").count():
            slide.locator(".main-svg text").first.wait_for()
            assert min(slide.locator(".main-svg text").evaluate_all(SIZES)) >= 16
        for box in slide.locator("img").evaluate_all("all => all.map(one => one.clientHeight)"):
            assert box >= 200
        if slide.locator(".table").count():
            assert slide.locator("td").first.evaluate("cell => parseFloat(getComputedStyle(cell).fontSize)") >= 16
    shown = slide.locator("tr:visible").count() - 1
    assert f"… and {60 - shown} more rows" in slide.locator(".cut").inner_text()
    alone.keyboard.press("Home")
    assert not alone.locator("#slide-1 .notes").is_visible()
    alone.keyboard.press("s")
    assert alone.locator("#slide-1 .notes").inner_text() == slides[0].notes
    alone.emulate_media(color_scheme="dark")  # a chart that is shown takes the ink of the page
    expect(alone.locator("#slide-1 .xtick text").first).to_have_css("fill", "rgb(228, 230, 232)")
    alone.set_viewport_size({"width": 390, "height": 844})
    alone.reload()
    for number in range(1, len(slides) + 1):  # on a phone what a slide shows is most of it
        alone.keyboard.press("ArrowRight")
        box = alone.locator(f"#slide-{number} .body").bounding_box()
        assert box is not None
        assert box["height"] > 844 / 2
        assert box["y"] + box["height"] <= 844
    alone.context.close()


def test_arrows_move_the_slides_of_the_deck_page_at_once(visit: Open) -> None:
    tab = visit("/deck")
    if tab.page.get_by_text("present", exact=True).count():
        with tab.run():
            tab.page.get_by_text("present", exact=True).click()
    place = tab.page.frame_locator("iframe[title=Deck]").locator("#place")
    tab.page.wait_for_selector("iframe[title=Deck]")
    tab.page.keyboard.press("ArrowRight")
    place.filter(has_text=re.compile("^2 /")).wait_for()
    tab.page.keyboard.press("ArrowLeft")
    place.filter(has_text=re.compile("^1 /")).wait_for()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("path", ["/failures", "/failures?fail=matrix", "/inspector", "/deck"])
def test_pages_fit_a_phone_and_stay_at_home(visit: Open, path: str, dark: bool) -> None:
    tab = visit(path, dark=dark, width=390)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.foreign
    assert not tab.errors
