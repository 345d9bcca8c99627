"""Take the README's pictures from the running app: ``python docs/pictures.py http://127.0.0.1:8501``.

Start the dashboard first (``make run``).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

OUT = Path(__file__).parent / "img"
SETTLED = "[data-testid=stApp][data-test-script-state=notRunning]"
PAGES = {
    "overview": "/",
    "frequency": "/frequency?concept=raised+hand",
    "explore": "/explore?concept=apple",
    "tail": "/tail",
    "lab": "/lab",
    "failures": "/failures",
    "inspector": "/inspector?inspect=two+classes",
    "counts": "/counts",
    "shifts": "/shifts",
    "corruptions": "/corruptions",
    "attacks": "/attacks",
    "composition": "/composition?composition=pairs",
    "published": "/published",
    "letitwag": "/letitwag",
    "corpora": "/corpora",
    "claims": "/claims",
}


EXAMPLE = "Try it on the captions of icons-10k"
"""A button of Count captions: without any counts there is nothing to see."""


def take(page: Page, address: str, name: str) -> None:
    """One page at 1440 x 1000, as a small PNG."""
    page.goto(address)
    page.wait_for_selector(SETTLED, timeout=180_000)
    page.wait_for_selector("h1", timeout=180_000)
    example = page.get_by_role("button", name=EXAMPLE)
    if example.count():
        example.click()
        page.wait_for_selector("[data-testid=stDataFrame]", timeout=120_000)
        page.wait_for_selector(SETTLED)
    page.wait_for_function("document.querySelectorAll('[data-testid=stSkeleton]').length === 0", timeout=60_000)
    page.wait_for_function("!document.querySelector('[data-testid=stProgress]')", timeout=900_000)  # jobs have ended
    page.wait_for_timeout(6_000)  # plots draw and pictures load after the script has ended
    picture = Image.open(io.BytesIO(page.screenshot(timeout=120_000)))
    picture.convert("RGB").quantize(192, dither=Image.Dither.NONE).save(OUT / f"{name}.png", optimize=True)


def main(base: str, names: list[str]) -> None:
    OUT.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from pages.bench.browsing import find_chromium

        browser = playwright.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        for name in names or PAGES:
            take(page, base + PAGES[name], name)
            print(OUT / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2:])
