"""What a visitor does, in a real browser against the real server."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable

import pytest

from tests.helpers.browser import DRAWN, HOSTILE, SETTLED, Visit, await_images

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]
DATA = ("/data", "/data?show=image+sets", "/data?show=cache")
POINT = """row => {
  const plot = document.querySelector('.js-plotly-plot'), layout = plot._fullLayout
  const cloud = plot._fullData.find(trace => trace.customdata && trace.customdata.length > 100)
  if (!cloud) return null
  const box = plot.getBoundingClientRect()
  const order = [...cloud.x.keys()].sort((a, b) => cloud.x[a] - cloud.x[b] || cloud.y[a] - cloud.y[b])
  const at = order[row]
  return {name: cloud.text[at],
          x: box.left + layout.xaxis._offset + layout.xaxis.d2p(cloud.x[at]),
          y: box.top + layout.yaxis._offset + layout.yaxis.d2p(cloud.y[at])}
}"""


def titles(visit: Visit) -> list[str]:
    """Concepts that the gallery shows."""
    return visit.page.locator(".group .title").all_inner_texts()


def asked(visit: Visit, key: str) -> list[str]:
    """Values of one query parameter."""
    return urllib.parse.parse_qs(urllib.parse.urlparse(visit.page.url).query).get(key, [])


def await_plot(visit: Visit) -> None:
    """Wait until the plot of concepts is drawn and takes clicks."""
    visit.page.wait_for_function(DRAWN)
    visit.page.locator(".tile img").first.wait_for()


def test_the_first_visit_may_be_a_deep_link(visit: Open) -> None:
    found = visit("/frequency?concept=dog&colour=part")
    assert found.page.inner_text("h1").startswith("Accuracy rises with pretraining frequency")
    assert found.page.locator("[data-testid=stTopNav] a").all_inner_texts() == ["Overview", "Failures"]
    assert found.page.title() == "Frequency · Tailscope"
    found.page.wait_for_selector(".js-plotly-plot")
    found.page.locator(".tile img").first.wait_for()
    assert titles(found) == ["dog"]
    assert asked(found, "concept") == ["dog"]


def test_a_click_on_a_point_selects_its_concept(visit: Open) -> None:
    found = visit("/frequency")
    await_plot(found)
    before = titles(found)
    found.click_point(POINT, "**concept=*", 2)
    chosen = asked(found, "concept")
    found.page.locator(".group .title", has_text=chosen[0]).wait_for()
    assert titles(found) == chosen != before
    await_images(found)
    found.page.go_back()
    found.page.wait_for_url(lambda url: "concept=" not in url)


def test_a_lasso_selects_several(visit: Open) -> None:
    found = visit("/frequency")
    await_plot(found)
    found.page.locator(".modebar-btn[data-title='Lasso Select']").click()
    box = found.page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    right, top = box["x"] + box["width"] - 4, box["y"] + 4
    found.page.mouse.move(right, top)
    found.page.mouse.down()
    for x, y in (
        (right - 150, top),
        (right - 150, box["y"] + box["height"] - 4),
        (right, box["y"] + box["height"] - 4),
    ):
        found.page.mouse.move(x, y, steps=6)
    found.page.mouse.up()
    found.page.wait_for_url("**concept=*")
    assert len(asked(found, "concept")) > 3


def test_the_gallery_is_walked_with_the_keyboard_and_its_picture_is_a_link(visit: Open) -> None:
    found = visit("/explore?concept=dog")
    await_images(found)
    first = found.page.locator(".tile").first
    first.focus()
    assert found.page.locator(".tile[tabindex='0']").count() == 1
    found.page.keyboard.press("ArrowRight")
    found.page.keyboard.press("ArrowDown")
    focused = found.page.locator(".tile:focus").get_attribute("data-id")
    assert focused != first.get_attribute("data-id")
    found.page.keyboard.press("Enter")
    found.page.wait_for_url("**image=*")
    assert asked(found, "image") == [focused]
    again = visit("/explore?" + found.page.url.partition("?")[2])
    again.page.get_by_text("cosine of the true class minus the best other one").wait_for()


def test_a_click_on_a_card_enlarges_the_picture_until_it_is_closed(visit: Open) -> None:
    found = visit("/tail")
    await_images(found)
    found.page.locator(".tile").first.click()
    dialog = found.page.locator("[role=dialog]")
    dialog.get_by_text("cosine of the true class minus the best other one").wait_for()
    dialog.locator(".tile").nth(5).wait_for()
    found.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    found.go("Concepts", "Frequency")
    await_plot(found)
    assert found.page.locator("[role=dialog]").count() == 0


def test_a_bad_link_says_what_is_wrong(visit: Open) -> None:
    found = visit("/explore?model=icon-RN%2Cicons-9k&concept=nothing+of+the+kind", wait=False)
    found.page.get_by_text("No model is called").wait_for()
    found.page.get_by_role("button", name="Use the built-in model and images").click()
    found.page.wait_for_url(lambda url: "model=" not in url)
    found.page.get_by_text("of 11,720 images are classified correctly").wait_for()


def test_nothing_is_fetched_from_elsewhere_and_nothing_is_complained_of(visit: Open) -> None:
    found = visit("/")
    for path in ("/", "/explore", "/frequency", "/tail", "/letitwag", "/published", *DATA):
        found.page.goto(urllib.parse.urljoin(found.page.url, path))
        found.painted()
        assert found.foreign == [], path
        assert found.errors == [], path


@pytest.mark.parametrize("path", ["/explore", "/frequency", "/tail", "/data"])
def test_a_phone_needs_no_sideways_scrolling(visit: Open, path: str) -> None:
    found = visit(path, width=390)
    found.painted()
    widths = "main => [main.scrollWidth, main.clientWidth]"
    wide, room = found.page.locator("[data-testid=stMain]").evaluate(widths)
    assert wide <= room == 390


def test_light_and_dark_follow_the_browser(visit: Open) -> None:
    ground = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    assert visit("/tail").page.evaluate(ground) == "rgb(255, 255, 255)"
    assert visit("/tail", dark=True).page.evaluate(ground) == "rgb(20, 23, 27)"


def test_pictures_are_served_for_ever_and_nothing_else_is(visit: Open, server: str) -> None:
    found = visit("/explore?concept=dog")
    source = found.page.locator(".tile img").first.get_attribute("src")
    with urllib.request.urlopen(f"{server}/{source}") as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"] == "image/webp"
    _, fingerprint, size, _ = source.split("/")
    for bad in (
        f"thumbs/{fingerprint}/{size}/999999.webp",
        f"thumbs/{fingerprint}/5000/0.webp",
        f"thumbs/{'0' * 32}/{size}/0.webp",
        f"thumbs/..%2F..%2Fapp.py/{size}/0.webp",
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server}/{bad}")
        refused.value.close()
        assert refused.value.code in (400, 404)


@pytest.mark.slow
def test_a_folder_with_hostile_names_runs_live_and_shows_them_as_text(visit: Open, folder_of_photos) -> None:
    found = visit("/explore?set=" + urllib.parse.quote(str(folder_of_photos)), wait=False)
    found.page.on("dialog", lambda dialog: found.errors.append(f"a script ran: {dialog.message}"))
    found.page.get_by_text("6 of 7 images used").wait_for()
    found.settle()
    await_images(found)
    assert HOSTILE in titles(found)
    found.page.goto(found.page.url.replace("?", "?concept=" + urllib.parse.quote(HOSTILE) + "&"))
    found.page.get_by_text(f"“{HOSTILE}” is recognised").wait_for()
    assert found.errors == found.foreign == []


def test_a_path_outside_the_served_folders_is_refused(visit: Open) -> None:
    found = visit("/explore?set=/etc", wait=False)
    found.page.get_by_text("TAILSCOPE_DATA_ROOTS").wait_for()
    found.page.wait_for_selector(SETTLED)
    assert found.errors == []
