"""Every way from page to page, while the lens and the selection are in the address."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

import pytest

from pages import registry
from pages.registry import PageInfo
from tests.helpers.browser import SETTLED, Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
STARTS = ("model=RN50-quickgelu%2Copenai", "set=letitwag", "concept=dog")
LINKS = "[data-testid=stMain] [data-testid=stPageLink] a"
BROKEN = "[data-testid=stException]"


def sound(visit: Visit, query: str) -> None:
    """The page that is shown is whole and still in the lens it was opened with."""
    visit.page.wait_for_selector(SETTLED)
    visit.page.wait_for_selector(f"h1, [data-testid=stAlert], [data-testid=stProgress], {BROKEN}")
    assert visit.page.locator(BROKEN).count() == 0, visit.page.url
    key, value = urllib.parse.parse_qsl(query)[0]
    if key != "concept":  # not every page works on concepts
        found = urllib.parse.parse_qs(urllib.parse.urlparse(visit.page.url).query)
        assert found.get(key) == [value], visit.page.url


def go(visit: Visit, info: PageInfo) -> None:
    """Press the page's entry in the navigation."""
    navigation = visit.page.get_by_test_id("stTopNav")
    with visit.run():
        if info.group:
            navigation.get_by_text(info.group, exact=True).click()
        visit.page.locator(f"[data-testid^=stTopNav][href$='/{info.id}']").click()


@pytest.mark.parametrize("query", STARTS)
def test_every_link_of_every_page_can_be_pressed(visit: Open, query: str) -> None:
    found = visit(f"/explore?{query}", wait=False)
    sound(found, query)
    pressed = 0
    for info in registry.PAGES:
        go(found, info)
        sound(found, query)
        for number in range(found.page.locator(LINKS).count()):
            with found.run():
                found.page.locator(LINKS).nth(number).click()
            sound(found, query)
            pressed += 1
            go(found, info)
            sound(found, query)
    assert pressed >= 2


def test_the_way_to_a_missing_model_names_it(visit: Open) -> None:
    found = visit("/explore?model=RN50-quickgelu%2Copenai", wait=False)
    found.page.get_by_role("link", name="Fetch it on the Data page").click()
    found.page.wait_for_url("**/data?*")
    box = found.page.get_by_role("combobox", name="Model to fetch")
    box.wait_for()
    assert box.input_value() == "RN50-quickgelu,openai"
