"""Bench rows of what a person waits for in a browser: the first chart of a cold server, and what follows a click."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.bench import Row
from core.bench.server import PATIENCE, serving
from core.errors import ExtraMissing, TailscopeError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_COLD, _ROUNDS = 5, 8
_WARM = 2
"""Rounds that fill the caches, one for each choice of prompts; they count for neither side."""
_LONGEST = 180.0
"""Seconds after which no further round of interactions begins; one that counts is always made."""
_CHART_IS_THERE = "[data-testid=stApp][data-test-script-state=notRunning] .js-plotly-plot .main-svg"

FIRST_CHART = """
window.firstChart = null
const look = () => {
  const mark = document.querySelector('.js-plotly-plot .scatterlayer .trace path')
  const box = mark?.closest('.js-plotly-plot').getBoundingClientRect()
  if (box && box.width > 0 && box.height > 0) window.firstChart = performance.now()
  else requestAnimationFrame(look)
}
requestAnimationFrame(look)
"""
"""Milliseconds from the navigation to the frame in which the first mark of a figure is in the page."""

QUIET = """
window.watched = {asked: null, changed: 0, acting: null, armed: false, over: false}
for (const kind of ['click', 'keydown'])
  addEventListener(kind, () => { watched.acting = performance.now() }, {capture: true})
const send = WebSocket.prototype.send
WebSocket.prototype.send = function (data) {
  if (watched.armed) Object.assign(watched, {armed: false, asked: watched.acting})
  return send.call(this, data)
}
const Plain = WebSocket
window.WebSocket = class extends Plain {
  constructor(...args) {
    super(...args)
    this.addEventListener('message', event => {
      if (watched.asked !== null && ends(new Uint8Array(event.data))) watched.over = true
    })
  }
}
// The message that ends a run is its one field FINISHED with another value than EARLY, after fields that are skipped.
function ends(bytes) {
  let at = 0
  const number = () => {
    for (let value = 0, scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = number(), field = Math.floor(tag / 8)
    if (tag % 8 === 0) {
      const value = number()
      if (field === FINISHED) return value !== EARLY
    } else if (tag % 8 === 2) {
      const length = number()
      at += length
    } else return false
  }
  return false
}
// What stands inside a canvas is never painted: a grid's cells for screen readers, written 200 ms after it is drawn.
new MutationObserver(list => {
  if (list.some(({target}) => !(target.parentElement ?? document.body).closest('canvas')))
    watched.changed = performance.now()
})
  .observe(document, {subtree: true, childList: true, attributes: true, characterData: true})
"""
"""Notes when a click or key first makes the page ask its server, whether the run is over, and when the page changed
last."""

ANSWERED = """quiet => {
  const app = document.querySelector('[data-testid=stApp]')
  return watched.over && performance.now() - watched.changed > quiet
    && app.dataset.testScriptState === 'notRunning' && document.querySelector('[data-stale=true]') === null
}"""


def _watching() -> str:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    finished, early = ForwardMsg.SCRIPT_FINISHED_FIELD_NUMBER, ForwardMsg.FINISHED_EARLY_FOR_RERUN
    return f"const FINISHED = {finished}, EARLY = {early}\n{QUIET}"


def bare_page(points: int, series: int) -> str:
    """Script of a bare page: a button, and one figure of as many points, different in each run."""
    return f"""
import numpy as np, plotly.graph_objects as go, streamlit as st
st.button("again")
rng = np.random.default_rng()
figure = go.Figure()
for _ in range({series}):
    figure.add_scatter(x=rng.random({points // series}), y=rng.random({points // series}), mode="markers")
st.plotly_chart(figure, key="chart")
"""


def find_chromium() -> str | None:
    """Path of a Chromium on this machine, or None (then Playwright's own is used)."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium without a profile; ExtraMissing when there is none or no Playwright."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise ExtraMissing("a browser row needs Playwright: pip install playwright") from error
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=find_chromium())
        except Error as error:
            raise ExtraMissing("no Chromium on this machine: python -m playwright install chromium") from error
        try:
            yield browser
        except Error as error:
            raise TailscopeError(f"the page did not do what was waited for: {str(error).splitlines()[0]}") from error
        finally:
            browser.close()


@contextmanager
def _tab(browser: Browser, script: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        context.add_init_script(script)
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        yield page
    finally:
        context.close()


def watched_tab(browser: Browser) -> AbstractContextManager[Page]:
    """A tab that notes what :func:`timed` needs."""
    return _tab(browser, _watching())


def first_chart() -> list[Row]:
    """A new server and a new browser each time: from the navigation to the first chart, against a bare page's."""
    from core.analysis import overview
    from core.charts.overview import curves_figure

    curves = overview.curves()
    figure = curves_figure(curves, curves[-1].model)
    points = sum(len(trace.x) for trace in figure.data)
    row = ("first_chart", "<=", 1.5)
    against = f"a bare Streamlit page with one Plotly chart of {points} points, both cold, in Chromium"
    try:
        with tempfile.TemporaryDirectory() as folder:
            bare = Path(folder, "bare.py")
            bare.write_text(bare_page(points, 1), encoding="utf-8")
            ours, theirs = zip(*((_cold(), _cold(bare)) for _ in range(_COLD)), strict=True)
    except TailscopeError as error:
        return [Row(row[0], None, *row[1:], against, 0, str(error))]
    shown = [[one.shown for one in side] for side in (ours, theirs)]
    ratios = [a / b for a, b in zip(*shown, strict=True)]
    up = statistics.median((a.up + a.shown) / (b.up + b.shown) for a, b in zip(ours, theirs, strict=True))
    note = (
        f"{against}; {_spread(ratios)}, medians {statistics.median(shown[0]):.2f} and "
        f"{statistics.median(shown[1]):.2f} s, from the start of the server {up:.2f}"
    )
    return [Row(row[0], statistics.median(ratios), *row[1:], note, _COLD)]


@dataclass(frozen=True, slots=True)
class _Cold:
    """Seconds until a server answers, and from there until its first chart is in the page."""

    up: float
    shown: float


def _cold(script: Path | None = None) -> _Cold:
    with chromium() as browser, _tab(browser, FIRST_CHART) as page, serving(*([script] if script else [])) as server:
        up = time.perf_counter() - server.started
        page.goto(server.url, wait_until="commit")
        shown = page.wait_for_function("() => window.firstChart").json_value()
        return _Cold(up, shown / 1000)


def _spread(ratios: Sequence[float]) -> str:
    return f"ratios {min(ratios):.2f} to {max(ratios):.2f}"


@dataclass(frozen=True, slots=True)
class _Case:
    """Where to act: a lens of published answers on the Frequency page, and the concepts to choose one of."""

    row: str
    lens: Mapping[str, Sequence[str]]
    concept: str
    point: int

    @property
    def path(self) -> str:
        return "/frequency?" + urllib.parse.urlencode(self.lens, doseq=True)


_MODELS = ("ViT-B-16,laion400m_e32", "ViT-B-32,laion400m_e32", "RN50-quickgelu,cc12m", "ViT-B-16,cc12m", "RN50,cc3m")
_CASES = (
    _Case("interactions", {"model": ["ViT-L-14,laion400m_e32"], "set": ["imagenet"]}, "vine snake", 20),
    _Case(
        "interactions_large",
        {"model": ["ViT-L-14,laion400m_e32"], "set": ["paper-17"], "overlay": _MODELS},
        "vine snake",
        20,
    ),
)
POINT = """index => {
  const plot = document.querySelector('.js-plotly-plot'), layout = plot._fullLayout
  const clouds = plot._fullData.filter(trace => (trace.mode ?? '').includes('markers') && trace.x.length > 100)
  const box = plot.getBoundingClientRect(), x = clouds[0].x[index], y = clouds[0].y[index]
  return {x: box.left + layout.xaxis._offset + layout.xaxis.d2p(x),
          y: box.top + layout.yaxis._offset + layout.yaxis.d2p(y)}
}"""
DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')[0]._fullData]
  .filter(trace => (trace.mode ?? '').includes('markers') && trace.x.length > 100).map(trace => trace.x.length)"""
"""Points of each cloud of the first figure."""


def interactions() -> list[Row]:
    """What follows a page, prompt or concept change and a click on a point, against the rerun of a bare page."""
    rows = []
    for case in _CASES:
        aim = ("<=", 3.0)
        try:
            found = _interactions(case)
        except TailscopeError as error:
            rows.append(Row(case.row, None, *aim, "a bare page's rerun in Chromium", 0, str(error)))
            continue
        rows.append(found.row(case.row, aim))
    return rows


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that each kind of interaction took, those of a bare page's rerun, and what the figure held."""

    of: Mapping[str, Sequence[float]]
    bare: Sequence[float]
    clouds: Sequence[int]

    def row(self, name: str, aim: tuple[str, float]) -> Row:
        """The 95th percentile over all interactions in medians of the bare page's reruns."""
        unit = statistics.median(self.bare)
        waits = [wait for kind in self.of.values() for wait in kind]
        told = ", ".join(f"{kind} {statistics.median(kinds) / unit:.1f}" for kind, kinds in self.of.items())
        against = (
            f"a bare page's rerun that redraws {sum(self.clouds):,} points in {len(self.clouds)} series "
            f"(median {unit * 1000:.0f} ms, p95 {np.percentile(self.bare, 95) * 1000:.0f}); medians: {told}"
        )
        return Row(name, float(np.percentile(waits, 95)) / unit, *aim, against, len(waits))


def _interactions(case: _Case) -> Waits:
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        watched_tab(browser) as page,
        watched_tab(browser) as beside,
        serving(cache=Path(folder, "cache")) as server,
    ):
        page.goto(server.url + case.path)
        settle(page)
        clouds = page.evaluate(DRAWN)
        bare = Path(folder, "bare.py")
        bare.write_text(bare_page(sum(clouds), len(clouds)), encoding="utf-8")
        with serving(bare) as simple:
            beside.goto(simple.url)
            settle(beside)
            reruns: list[float] = []
            waits: dict[str, list[float]] = {kind: [] for kind in _ACTS}
            until = time.monotonic() + _LONGEST
            for attempt in range(_WARM + _ROUNDS):
                if attempt > _WARM and time.monotonic() > until:
                    break
                for kind, act in _ACTS.items():
                    page.bring_to_front()
                    took = timed(page, partial(act, page, case, attempt))
                    beside.bring_to_front()
                    rerun = timed(beside, beside.get_by_role("button", name="again").click)
                    if attempt >= _WARM:
                        waits[kind].append(took)
                        reruns.append(rerun)
    return Waits(waits, reruns, clouds)


def timed(page: Page, act: Callable[[], object], *, quiet: float = 200) -> float:
    """Seconds from the click or key that asked the server to the last change of the page.

    The page has changed last when the run is over and nothing moves for ``quiet`` milliseconds.
    """
    page.evaluate("() => Object.assign(watched, {asked: null, over: false, armed: true})")
    act()
    page.wait_for_function(ANSWERED, arg=quiet)
    return page.evaluate("() => watched.changed - watched.asked") / 1000


def settle(page: Page) -> None:
    """Wait until a figure is drawn and nothing has moved for a second."""
    page.wait_for_selector(_CHART_IS_THERE)
    page.wait_for_function("() => performance.now() - watched.changed > 1000")


def _to(page: Page, title: str) -> None:
    page.get_by_test_id("stTopNavSection").filter(has_text="Concepts").click()
    page.get_by_role("menuitem", name=title, exact=True).click()


def _prompts(page: Page, _case: _Case, attempt: int) -> None:
    box = page.locator("[data-testid=stSidebar] input[aria-label=Prompts]")
    box.fill("simple" if attempt % 2 else "class")
    box.press("Enter")


def _concept(page: Page, case: _Case, attempt: int) -> None:
    box = page.get_by_role("combobox", name="Concepts", exact=True)
    box.click()
    if attempt % 2:
        box.press("Backspace")
    else:
        box.fill(case.concept)
        box.press("Enter")


def _point(page: Page, case: _Case, attempt: int) -> None:
    place = page.evaluate(POINT, case.point + attempt % 4)
    page.mouse.click(place["x"], place["y"])


_ACTS: Mapping[str, Callable[[Any, _Case, int], None]] = {
    "point": _point,
    "concept": _concept,
    "prompts": _prompts,
    "page": lambda page, _case, _attempt: _to(page, "Tail"),
    "page back": lambda page, _case, _attempt: _to(page, "Frequency"),
}
