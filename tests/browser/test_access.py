"""What people with other eyes and hands than ours meet: axe-core on every page, and what it cannot see in figures."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from pages import registry
from tests.helpers.browser import DRAWN, Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
GRAVE = ("serious", "critical")
COLOURS = """selector => {
  const node = document.querySelector(selector), style = getComputedStyle(node)
  const ground = getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor
  return [style.fill, style.fillOpacity, ground]
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(visit: Open, dark: bool) -> None:
    found, axe, bad = visit("/explore", dark=dark), Axe(), []
    for info in registry.PAGES:
        found.page.goto(urllib.parse.urljoin(found.page.url, f"/{info.id}"))
        found.painted()
        assert not found.page.get_by_role("dialog").count(), info.id
        for _ in range(3):  # what is drawn anew while it looks is faint for a moment
            seen = [one for one in axe.run(found.page).response["violations"] if one["impact"] in GRAVE]
            if not seen:
                break
            found.painted()
        for violation in seen:
            nodes = [node["html"][:200] for node in violation["nodes"][:3]]
            bad.append((info.id, violation["id"], len(violation["nodes"]), nodes))
    assert not bad, "\n".join(map(str, bad))


def light_of(colour: tuple[float, ...]) -> float:
    """Relative luminance by WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(css: str) -> tuple[float, ...]:
    """Red, green and blue of ``rgb(...)``, 0 to 1."""
    return tuple(float(part) / 255 for part in re.findall(r"[\d.]+", css)[:3])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_words_of_axes_stand_out_from_their_ground(visit: Open, dark: bool) -> None:
    found = visit("/frequency", dark=dark)
    found.page.wait_for_function(DRAWN)
    for what in (".xtick text", ".ytick text", ".xtitle", ".ytitle"):
        fill, opacity, ground = found.page.evaluate(COLOURS, f"[data-testid=stPlotlyChart] {what}")
        share = float(opacity)
        mixed = tuple(share * a + (1 - share) * b for a, b in zip(rgb(fill), rgb(ground), strict=True))
        dim, bright = sorted((light_of(mixed), light_of(rgb(ground))))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, what
