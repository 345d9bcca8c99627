"""A browser tab that looks at the dashboard: waiting for what it shows, never for time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Error, Locator, Page, TimeoutError
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE = 300_000  # milliseconds after which something hangs
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$"
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
PAINTED = """() => !document.querySelector('[data-stale=true]')
  && [...document.images].every(image => image.complete || image.loading === 'lazy')
  && [...document.querySelectorAll('[data-testid=stPlotlyChart]')].every(chart => chart.querySelector('.main-svg'))"""
DRAWN = "() => document.querySelector('.js-plotly-plot')?._fullData?.some(trace => trace.customdata?.length > 100)"


@dataclass
class Visit:
    """One browser tab and what it complained about."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    runs: int = 0

    def listen(self, server: str) -> None:
        """Write down what the page complains of, what it asks elsewhere, and every run of its script."""
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._count))
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: _is_home(request.url, server) or self.foreign.append(request.url))

    def _count(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.runs += ForwardMsg.FromString(frame).WhichOneof("type") == "script_finished"

    def _note(self, message: ConsoleMessage) -> None:
        # On a deep link Streamlit first asks below the page's own path where its server is; those two 404s are its way.
        probing = "_stcore/health" in message.location["url"] or "_stcore/host-config" in message.location["url"]
        slow = "GL Driver Message" in message.text  # a machine without a graphics card draws WebGL slowly, and says so
        if message.type in ("error", "warning") and not slow and not (probing and "404" in message.text):
            self.errors.append(f"{message.type}: {message.text}")

    @contextmanager
    def run(self) -> Iterator[None]:
        """Do in the block what makes the server run the page's script, and leave it once a run after that is over."""
        before = self.runs
        yield
        until = time.monotonic() + PATIENCE / 1000
        while self.runs == before:
            assert time.monotonic() < until, "the script did not run"
            self.page.wait_for_timeout(20)  # Playwright hears of frames meanwhile
        self.page.wait_for_selector(SETTLED)

    def painted(self) -> Page:
        """Wait until every chart is drawn, every picture has come or failed, and nothing is on its way."""
        self.settle()
        self.page.wait_for_function(PAINTED)
        # Frames of slides hold their content; Chromium does not always tell that nothing is on its way in them.
        with suppress(TimeoutError):
            self.page.wait_for_load_state("networkidle", timeout=15_000)
        return self.page

    def settle(self) -> Page:
        """Wait until the script has run and the finding is there."""
        self.page.wait_for_selector(SETTLED)
        self.page.wait_for_selector("h1")
        return self.page

    def go(self, place: str, title: str) -> None:
        """Open a page from its menu in the navigation."""
        self.page.get_by_test_id("stTopNavSection").filter(has_text=place).click()
        self.page.get_by_role("menuitem", name=title, exact=True).click()

    def see_picture(self) -> None:
        """Wait until the first picture of the gallery is drawn, looking again when it is drawn anew."""
        for attempt in range(8):
            self.settle()
            first = self.page.locator(".tile img").first
            try:
                first.wait_for()
                first.evaluate("image => { image.scrollIntoView(); return image.decode(); }")
                return
            except Error as error:
                if attempt == 7 or isinstance(error, TimeoutError):
                    raise

    def click_point(self, where: str, reached: str | Locator, arg: object = None) -> None:
        """Click at what the script ``where`` finds in the first plot until the address, or what the locator names, is
        there: a figure that is drawn anew while the page fills has nothing to find for a moment, and eats a click.
        """
        drawn = f"arg => document.querySelector('.js-plotly-plot')?._fullLayout?.xaxis && ({where})(arg)"
        for attempt in range(8):
            place = self.page.wait_for_function(drawn, arg=arg).json_value()
            self.page.mouse.click(place["x"], place["y"])
            try:
                if isinstance(reached, str):
                    self.page.wait_for_url(reached, timeout=15_000, wait_until="commit")
                else:
                    reached.wait_for(timeout=15_000)
                return
            except TimeoutError:
                if attempt == 7:
                    raise
                self.page.mouse.move(0, 0)


def _is_home(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))


def await_images(visit: Visit) -> None:
    """Wait until the first picture of the gallery has arrived, then make sure that none is missing."""
    pictures = visit.page.locator(".tile img")
    pictures.first.wait_for()
    pictures.first.evaluate("image => image.decode()")
    assert visit.page.locator(".tile.gone").count() == 0
