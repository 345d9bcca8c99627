"""The robustness pages in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.datasets import open_set
from tests.helpers.browser import SETTLED, Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
CELL = """([model, condition]) => {
  const plot = document.querySelector('.js-plotly-plot'), box = plot.getBoundingClientRect();
  const {xaxis, yaxis} = plot._fullLayout;
  for (const trace of plot._fullData)
    for (let at = 0; at < trace.x.length; at++)
      if (trace.customdata[at][0] === model && trace.customdata[at][1] === condition)
        return {
          x: box.left + xaxis._offset + xaxis.d2p(trace.x[at]),
          y: box.top + yaxis._offset + yaxis.d2p(trace.y[at]),
        };
}"""
"""Where a cell of the first plot is on the screen."""


def test_a_picture_is_attacked_where_one_clicks_and_a_stronger_attack_changes_more(visit: Open) -> None:
    tab = visit("/attacks?attack=BIM&eps=1.0")
    page = tab.page
    page.get_by_text("Largest change of a value: 1.00 of 255").wait_for(timeout=300_000)
    before = page.locator("img[alt^='Before']").get_attribute("src")
    page.locator(".tile").nth(3).click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_function("before => document.querySelector(\"img[alt^='Before']\")?.src !== before", arg=before)
    page.wait_for_selector(SETTLED)
    page.wait_for_url("**image=*", wait_until="commit")
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Largest change of a value: 2.00 of 255").wait_for()
    page.get_by_role("slider").first.press("ArrowRight")
    page.get_by_text("Largest change of a value: 4.00 of 255").wait_for()
    page.wait_for_url("**eps=4*", wait_until="commit")
    assert page.locator("img[alt^='After']").evaluate("image => image.naturalWidth") > 0
    assert not tab.foreign
    assert not tab.errors


def test_attacks_fit_a_phone(visit: Open) -> None:
    tab = visit("/attacks?attack=Typographic&word=anchor", width=390, dark=True)
    tab.page.get_by_text("copy of the word").wait_for(timeout=300_000)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.errors


def test_a_picture_is_corrupted_live_and_a_click_shows_the_best_classes(visit: Open) -> None:
    tab = visit("/corruptions?corruptions-class=anchor&group=weather&other=supervised:icon-reference")
    page = tab.page
    page.get_by_text("corrupted pictures of “anchor” correctly").wait_for(timeout=300_000)
    page.locator(".tile img").nth(47).wait_for()  # two models, four corruptions, six pictures each
    tab.see_picture()
    page.locator(".tile").nth(3).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("anchor/0 · snow 3").first.wait_for()
    dialog.locator(".js-plotly-plot").nth(1).wait_for()
    dialog.get_by_role("button", name="Next").click()
    dialog.get_by_text("anchor/0 · snow 4").first.wait_for()
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.wait_for_selector(SETTLED)
    page.get_by_text("sequences", exact=True).click()
    page.get_by_text("in 30 steps (FP").wait_for(timeout=300_000)
    page.wait_for_url("**corruption-view=sequences*", wait_until="commit")
    assert not tab.foreign
    assert not tab.errors


def test_the_studio_fits_a_phone(visit: Open) -> None:
    tab = visit("/corruptions?corruption-view=heat%20map", width=390, dark=True)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.errors


def draw_folders(root: Path) -> tuple[Path, Path]:
    """A few icons as class folders, and the same ones all but drowned in noise."""
    icons, rng = open_set("icons"), np.random.default_rng(0)
    for name in ("dog", "house", "star", "anchor"):
        for number in range(6):
            picture = np.asarray(icons.image(list(icons.image_ids).index(f"{name}/{number}")), float)
            drowned = np.clip(0.35 * picture + rng.normal(90, 70, picture.shape), 0, 255).astype(np.uint8)
            for folder, pixels in (("clear", picture.astype(np.uint8)), ("drowned", drowned)):
                (root / folder / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(root / folder / name / f"{number}.png")
    return root / "clear", root / "drowned"


def test_a_click_on_the_board_of_shifts_shows_what_breaks(visit: Open, folder_of_photos: Path) -> None:
    inside, outside = draw_folders(folder_of_photos.parent)
    models = "&".join(f"shift-models=icon-RN,icons-{size}" for size in ("200k", "50k"))
    tab = visit(f"/shifts?set={inside}&{models}&shifts={outside}")
    page = tab.page
    page.get_by_text("Largest drop: drowned").wait_for(timeout=300_000)
    page.wait_for_function(
        "document.querySelector('.js-plotly-plot')?._fullData?.flatMap(trace => trace.x)?.length === 4", timeout=300_000
    )
    tab.click_point(CELL, "**shift-model=icon-RN*icons-50k*", ["icon-RN,icons-50k", str(outside)])
    page.get_by_text("classes lose accuracy").wait_for(timeout=300_000)
    tab.see_picture()
    page.get_by_text("overlap", exact=True).click()
    page.get_by_role("textbox", name="Or a set to search").fill(str(outside))
    page.get_by_role("textbox", name="Or a set to search").press("Enter")
    page.get_by_text("nothing to compare").wait_for(timeout=300_000)
    assert not tab.foreign
    assert not tab.errors


def test_shifts_fit_a_phone(visit: Open, folder_of_photos: Path) -> None:
    inside, outside = draw_folders(folder_of_photos.parent)
    tab = visit(f"/shifts?set={inside}&shift-models=icon-RN,icons-200k&shifts={outside}", width=390, dark=True)
    tab.page.get_by_text("Largest drop").wait_for(timeout=300_000)
    assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.errors


def test_a_click_on_a_pair_shows_its_pictures_and_the_composer_answers(visit: Open) -> None:
    tab = visit("/composition?model=icon-RN,icons-10k&composition=pairs&aocolumns=commonest")
    page = tab.page
    page.get_by_text("attribute–object pairs with images").wait_for(timeout=900_000)
    page.locator(".tile img").first.wait_for()
    page.wait_for_function("document.querySelector('.js-plotly-plot')?._fullData?.length > 0")
    before = page.url
    tab.click_point(
        """() => {
          const plot = document.querySelector('.js-plotly-plot'), box = plot.getBoundingClientRect();
          const {xaxis, yaxis} = plot._fullLayout, [trace] = plot._fullData;
          if (!trace) return null;
          const at = trace.x.length >> 1;
          const x = xaxis._offset + xaxis.d2p(trace.x[at]), y = yaxis._offset + yaxis.d2p(trace.y[at]);
          return {x: box.left + x, y: box.top + y};
        }""",
        "**cell=*",
    )
    page.wait_for_selector(SETTLED)
    assert page.url != before
    tab.see_picture()
    page.get_by_text("composer", exact=True).click()
    page.get_by_label("Attribute", exact=True).fill("red")
    page.get_by_label("Attribute", exact=True).press("Enter")
    page.get_by_text("show “red").wait_for(timeout=300_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not tab.foreign
    assert not tab.errors
