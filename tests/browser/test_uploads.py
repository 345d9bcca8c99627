"""Files as large as the pages allow, sent by a real browser to the real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import Visit

pytestmark = pytest.mark.browser
Open = Callable[..., Visit]


def test_a_file_below_the_stated_limit_arrives(visit: Open, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    with captions.open("w") as file:
        file.write("caption\n")
        file.writelines(f"a photo of a dog number {n:08} on the grass\n" for n in range(1_000_000))
    assert 40 << 20 < captions.stat().st_size < 64 << 20
    found = visit("/counts")
    refused = []
    found.page.on("response", lambda answer: answer.status == 413 and refused.append(answer.url))
    uploader = found.page.locator("[data-testid=stFileUploader]").first
    uploader.get_by_text("64MB per file").wait_for()
    uploader.locator("input[type=file]").set_input_files(captions)
    found.page.get_by_text("48.0 MB, in").or_(found.page.get_by_text("1 file, ")).first.wait_for()
    assert not refused
    assert not found.errors


def test_a_larger_one_is_refused_with_the_limit(visit: Open, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_bytes(b"caption\n" + b"x" * (65 << 20))
    found = visit("/counts")
    found.page.locator("[data-testid=stFileUploader] input[type=file]").first.set_input_files(captions)
    found.page.get_by_text("64MB or smaller").or_(found.page.get_by_text("must be 64")).first.wait_for()


def test_pictures_are_for_the_visitor_and_this_site_alone(visit: Open) -> None:
    found = visit("/explore?concept=dog", wait=False)
    with found.page.expect_response(lambda answer: "/thumbs/" in answer.url) as caught:
        found.settle()
    headers = caught.value.headers
    assert headers["cache-control"].startswith("private")
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
