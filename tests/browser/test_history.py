"""The browser's Back undoes one change, and Forward does it again."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]


def test_back_undoes_one_change_and_forward_redoes_it(visit: Open) -> None:
    found = visit("/explore")
    model = found.page.get_by_role("combobox", name="Model", exact=True)

    def choose_model() -> None:
        model.click()
        model.fill("icons-10k")
        model.press("Enter")

    changes: list[tuple[Callable[[], None], str, dict[str, list[str] | None]]] = [
        (choose_model, "/explore", {"model": ["icon-RN,icons-10k"]}),
        (found.page.get_by_role("radio", name="wrong").click, "/explore", {"verdict": ["wrong"]}),
        (found.page.get_by_role("button", name="Page 3", exact=True).click, "/explore", {"gallery-page": ["3"]}),
        (found.page.locator(".tile").first.click, "/explore", {"image": ["*"]}),
        (lambda: found.page.keyboard.press("Escape"), "/explore", {"image": None}),
    ]
    states = [(found.page.url, 1)]
    for change, path, asked in changes:
        with found.run():
            change()
        await_address(found, path, asked)
        found.settle()
        states.append((found.page.url, found.page.evaluate("history.length")))
    assert [length - states[1][1] for _, length in states[1:]] == list(range(len(changes)))
    for url, _ in reversed(states[:-1]):
        with found.run():
            found.page.go_back(wait_until="commit")
        found.page.wait_for_url(url, wait_until="commit")
    assert model.input_value().startswith("icon-RN,icons-200k")
    for url, _ in states[1:]:
        with found.run():
            found.page.go_forward(wait_until="commit")
        found.page.wait_for_url(url, wait_until="commit")
    found.settle()
    assert found.page.url == states[-1][0]


def await_address(visit: Visit, path: str, asked: dict[str, list[str] | None]) -> None:
    """Wait until the address is this page with these values; ``*`` stands for any, None for no such parameter."""

    def there(url: str) -> bool:
        query = parse_qs(urlparse(url).query)
        return urlparse(url).path == path and all(
            (key in query) if value == ["*"] else query.get(key) == value for key, value in asked.items()
        )

    visit.page.wait_for_url(there, wait_until="commit")


def test_back_to_another_page_restores_its_choice(visit: Open) -> None:
    """Both pages have a "by", which old addresses write alike."""
    found = visit("/letitwag?by=family", wait=False)
    await_address(found, "/letitwag", {"letitwag-by": ["family"]})
    found.settle()
    with found.run():
        found.go("Library", "Count captions")
    await_address(found, "/counts", {})
    with found.run():
        found.page.get_by_role("radio", name="integrated", exact=True).click()
    await_address(found, "/counts", {"counts-by": ["integrated"]})
    for path, asked in (("/counts", {}), ("/letitwag", {"letitwag-by": ["family"]})):
        with found.run():
            found.page.go_back(wait_until="commit")
        await_address(found, path, asked)
    expect(found.page.get_by_role("radio", name="family", exact=True)).to_be_checked()
