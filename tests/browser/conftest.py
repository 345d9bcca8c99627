"""A real server on a free port and a real Chromium that records what goes wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Error, Page, TimeoutError, sync_playwright

from tests.browser.ensure_chromium import find

ROOT = Path(__file__).resolve().parents[2]
SHOTS = Path(__file__).parent / "shots"
FAILED = pytest.StashKey[bool]()
PATIENCE = 120_000
HOSTILE = "<img src=x onerror=alert(1)> **bold** $x$"
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"


@dataclass
class Visit:
    """One browser tab and what it complained about."""

    page: Page
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def settle(self) -> Page:
        """Wait until the script has run and the finding is there."""
        self.page.wait_for_selector(SETTLED)
        self.page.wait_for_selector("h1")
        return self.page

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

    def click_point(self, where: str, url: str, arg: object = None) -> None:
        """Click at what the script ``where`` finds until the address is ``url``: a figure drawn anew eats a click."""
        for attempt in range(8):
            place = self.page.evaluate(where, arg)
            self.page.mouse.click(place["x"], place["y"])
            try:
                self.page.wait_for_url(url, timeout=15_000, wait_until="commit")
                return
            except TimeoutError:
                if attempt == 7:
                    raise
                self.page.mouse.move(0, 0)


@pytest.fixture(scope="session")
def folder_of_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders, one with a name that is markup in three languages."""
    root = tmp_path_factory.mktemp("roots") / "photos"
    for name, colour in ((HOSTILE, (200, 30, 30)), ("blue thing", (30, 30, 200))):
        (root / name).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (96, 80), colour).save(root / name / f"{index}.png")
    (root / "blue thing" / "broken.png").write_bytes(b"not a picture")
    return root


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, folder_of_photos: Path) -> Iterator[str]:
    """Address of the dashboard, started as a user starts it, with a cache of its own and no way to the hub."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    env = {
        **os.environ,
        "TAILSCOPE_CACHE": str(tmp_path_factory.mktemp("cache")),
        "TAILSCOPE_DATA_ROOTS": str(folder_of_photos.parent),
        "HF_HUB_OFFLINE": "1",
    }
    log = tmp_path_factory.mktemp("log") / "server.txt"
    with log.open("w") as out:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT)
        try:
            _await(f"{url}/_stcore/health", process, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _await(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            time.sleep(0.1)
    raise RuntimeError(f"the server did not come up: {log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless browser for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find())
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Remember how the test went, so that a failed one leaves a picture."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def visit(chromium: Browser, server: str, request: pytest.FixtureRequest) -> Iterator[Callable[..., Visit]]:
    """Open an address in a fresh context: ``visit("/tail", dark=True, width=390)``."""
    contexts = []

    def opened(path: str, *, dark: bool = False, width: int = 1440, wait: bool = True) -> Visit:
        context = chromium.new_context(
            color_scheme="dark" if dark else "light", viewport={"width": width, "height": 1000 if width > 500 else 844}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        found = Visit(page)
        page.on("console", lambda message: _note(found, message))
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("request", lambda request: _is_home(request.url, server) or found.foreign.append(request.url))
        page.goto(server + path, wait_until="commit")
        if wait:
            found.settle()
        return found

    yield opened
    if request.node.stash.get(FAILED, False):
        SHOTS.mkdir(exist_ok=True)
        for number, context in enumerate(contexts):
            context.pages[0].screenshot(path=SHOTS / f"{request.node.name[:80].replace('/', '-')}-{number}.png")
    for context in contexts:
        context.close()


def _note(found: Visit, message) -> None:
    # On a deep link Streamlit first asks below the page's own path where its server is; those two 404s are its way.
    probing = "_stcore/health" in message.location["url"] or "_stcore/host-config" in message.location["url"]
    if message.type in ("error", "warning") and not (probing and "404" in message.text):
        found.errors.append(f"{message.type}: {message.text}")


def _is_home(url: str, server: str) -> bool:
    return url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))
