"""Every way from page to page, while the lens and the selection are in the address."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator

from tests.helpers.browser import SETTLED, Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
STARTS = ("model=RN50-quickgelu%2Copenai", "set=letitwag", "concept=dog")
TOGETHER = ("model=RN50-quickgelu%2Copenai&concept=dog", "set=letitwag")
BOXES = {"model": "Model", "set": "Images"}
"""Parameter -> the box of the sidebar that is bound to it, where a page has it."""
LINKS = "[data-testid=stMain] [data-testid=stPageLink] a"
ENTRIES = "[data-testid=stTopNavLink], [data-testid=stTopNavDropdownLink]"
BROKEN = "[data-testid=stException]"


def sound(visit: Visit, query: str) -> None:
    """The page that is shown is whole and still in the lens of this query."""
    visit.page.wait_for_selector(SETTLED)
    visit.page.wait_for_selector(f"h1, [data-testid=stAlert], [data-testid=stProgress], {BROKEN}")
    assert visit.page.locator(BROKEN).count() == 0, visit.page.url
    key, value = next(iter(urllib.parse.parse_qsl(query)), ("", ""))
    if key in BOXES and visit.page.get_by_role("combobox", name=BOXES[key], exact=True).count():
        found = urllib.parse.parse_qs(urllib.parse.urlparse(visit.page.url).query)
        assert found.get(key) == [value], visit.page.url


def path_of(url: str) -> str:
    """Path of an address."""
    return urllib.parse.urlparse(url).path


def follow(visit: Visit, link: Locator) -> None:
    """Press a link and wait until its page has taken over."""
    there = path_of(urllib.parse.urljoin(visit.page.url, link.get_attribute("href")))
    with visit.run():
        link.click()
    visit.page.wait_for_url(lambda url: path_of(url) == there, wait_until="commit")


def menus(visit: Visit) -> Locator:
    """The menus of the navigation."""
    return visit.page.get_by_test_id("stTopNavSection")


def entries(visit: Visit) -> list[tuple[int | None, str]]:
    """Every entry of the navigation: the menu that it is in, and its address."""
    plain = visit.page.get_by_test_id("stTopNavLink").all()
    found: list[tuple[int | None, str]] = [(None, link.get_attribute("href")) for link in plain]
    for number in range(menus(visit).count()):
        menus(visit).nth(number).click()
        listed = visit.page.get_by_test_id("stTopNavDropdownLink")
        listed.first.wait_for()
        found += [(number, link.get_attribute("href")) for link in listed.all()]
        visit.page.keyboard.press("Escape")
        listed.first.wait_for(state="hidden")
    return found


def go(visit: Visit, entry: tuple[int | None, str]) -> None:
    """Press an entry of the navigation."""
    menu, href = entry
    if menu is not None:
        menus(visit).nth(menu).click()
    follow(visit, visit.page.locator(ENTRIES).and_(visit.page.locator(f"[href='{href}']")))


@pytest.mark.parametrize("query", TOGETHER)
def test_every_link_of_every_page_can_be_pressed(visit: Open, query: str) -> None:
    found = visit(f"/explore?{query}", wait=False)
    sound(found, query)
    listed, pressed = entries(found), 0
    assert len(listed) >= 19
    for entry in listed:
        go(found, entry)
        sound(found, query)
        for number in range(found.page.locator(LINKS).count()):
            link = found.page.locator(LINKS).nth(number)
            own = urllib.parse.urlparse(link.get_attribute("href")).query
            follow(found, link)
            pressed += 1
            if BOXES.keys() & urllib.parse.parse_qs(own).keys():  # a link may offer a lens of its own
                sound(found, "")
                found.page.goto(urllib.parse.urljoin(found.page.url, f"/explore?{query}"))
            sound(found, query)
            go(found, entry)
            sound(found, query)
    assert pressed >= 2


@pytest.mark.parametrize("query", STARTS)
def test_the_logo_leads_home(visit: Open, query: str) -> None:
    found = visit(f"/explore?{query}", wait=False)
    sound(found, query)
    found.page.get_by_test_id("stHeaderLogo").or_(found.page.get_by_test_id("stSidebarLogo")).first.click()
    found.page.wait_for_url(lambda url: path_of(url) != "/explore", wait_until="commit")
    sound(found, query)


def test_the_way_to_a_missing_model_names_it(visit: Open) -> None:
    found = visit("/explore?model=RN50-quickgelu%2Copenai", wait=False)
    found.page.get_by_role("link", name="Fetch it under Models and images").click()
    found.page.wait_for_url("**/data?*")
    box = found.page.get_by_role("combobox", name="Model to fetch")
    box.wait_for()
    assert box.input_value() == "RN50-quickgelu,openai"


def test_enter_in_the_model_box_takes_the_best_match(visit: Open) -> None:
    found = visit("/explore")
    box = found.page.get_by_role("combobox", name="Model", exact=True)
    for typed, taken in (("icons-10k", "icon-RN,icons-10k"), ("ViT-B-32", "ViT-B-32-quickgelu,")):
        box.click()
        box.fill(typed)
        box.press("Enter")
        found.page.wait_for_url(lambda url, taken=taken: taken in urllib.parse.unquote(url), wait_until="commit")
        sound(found, "")
        assert box.input_value().startswith(taken)
