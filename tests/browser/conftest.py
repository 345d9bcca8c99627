"""A real server on a free port and a real Chromium that records what goes wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from pages.bench.browsing import find_chromium
from tests.helpers.browser import HOSTILE, PATIENCE, Visit
from tests.live import serving

ROOT = Path(__file__).resolve().parents[2]
SHOTS = Path(__file__).parent / "shots"
FAILED = pytest.StashKey[bool]()
LOG = pytest.StashKey[Path]()


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
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the built-in answer: how long embedding all icons takes is no test's business.

    The first worker that needs it makes it for all of them, and each gets a copy.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "answered"
    with FileLock(shared.with_suffix(".lock")):
        if not shared.exists():
            command = [sys.executable, "-m", "core", "evaluate", "icon-RN,icons-200k", "icons"]
            made = tmp_path_factory.mktemp("answered") / "cache"
            env = {**os.environ, "TAILSCOPE_CACHE": str(made), "HF_HUB_OFFLINE": "1"}
            subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True)
            made.rename(shared)
    return Path(shutil.copytree(shared, tmp_path_factory.mktemp("copied") / "cache"))


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, answered: Path, folder_of_photos: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Address of the dashboard, started as a user starts it, with a cache of its own and no way to the hub."""
    roots = str(folder_of_photos.parent)
    with serving(tmp_path_factory.mktemp("log"), TAILSCOPE_CACHE=str(answered), TAILSCOPE_DATA_ROOTS=roots) as live:
        request.session.stash[LOG] = live.log
        yield f"http://{live.address}:{live.port}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless browser for the tests of a file: Playwright keeps an event loop, beside which no other may run."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        yield browser
        browser.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Remember how the test went, so that a failed one leaves a picture, and show what the server wrote meanwhile."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
        if report.failed and (log := item.session.stash.get(LOG, None)):
            report.sections.append(("the server's log", log.read_text()[-10_000:]))
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
        found.listen(server)
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
