"""What a real server sends: the interface compressed once, pictures and ranges as they are."""

from __future__ import annotations

import gzip
import http.client
import re
from collections.abc import Iterator

import pytest

from core.runtime.compression import LEAST
from tests.live import Live, serving

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with serving(tmp_path_factory.mktemp("live")) as found:
        yield found


def got(live: Live, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and bytes of one answer, as they came over the wire."""
    connection = http.client.HTTPConnection(live.address, live.port, timeout=60)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def scripts(live: Live) -> list[str]:
    """Scripts and styles that the first document names."""
    document = got(live, "/")[2].decode()
    return ["/" + path.lstrip("./") for path in re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', document)]


def test_scripts_and_styles_travel_as_a_third_of_their_size(live: Live) -> None:
    whole = small = 0
    for path in scripts(live):
        _, bare, plain = got(live, path)
        status, headers, sent = got(live, path, **GZIP)
        assert status == 200
        assert "Content-Encoding" not in bare
        if len(plain) < LEAST:
            assert sent == plain
            continue
        assert headers["Content-Encoding"] == "gzip"
        assert int(headers["Content-Length"]) == len(sent)
        assert "Accept-Encoding" in headers["Vary"]
        assert "immutable" in headers["Cache-Control"]
        assert gzip.decompress(sent) == plain
        whole, small = whole + len(plain), small + len(sent)
    assert small < 0.4 * whole
    assert whole > 100_000


def test_a_file_is_compressed_once(live: Live) -> None:
    path = scripts(live)[0]
    first, second = got(live, path, **GZIP), got(live, path, **GZIP)
    assert first[2] == second[2]
    assert [one for one in first[1].items() if one[0] != "date"] == [
        one for one in second[1].items() if one[0] != "date"
    ]
    assert first[1]["ETag"].startswith("W/")
    assert got(live, path, If_None_Match=first[1]["ETag"], **GZIP)[0] == 304


def test_documents_are_compressed_and_not_kept(live: Live) -> None:
    for path in ("/", "/explore"):
        _, headers, sent = got(live, path, **GZIP)
        assert headers["Content-Encoding"] == "gzip"
        assert headers["Cache-Control"] == "no-cache"
        assert b"<script" in gzip.decompress(sent)


@pytest.mark.slow
def test_every_document_names_the_script_that_draws_figures_and_nothing_else_does(live: Live) -> None:
    for path in ("/", "/explore"):
        link = got(live, path)[1]["Link"]
        assert "rel=modulepreload" in link
        script = re.search("<(.+?)>", link)[1].removeprefix(".")
        status, headers, body = got(live, script)
        assert (status, headers["Link"]) == (200, None)
        assert b"scatter" in body


@pytest.mark.slow
def test_ranges_and_what_is_compressed_already_pass_unchanged(live: Live) -> None:
    status, headers, sent = got(live, scripts(live)[0], Range="bytes=0-99", **GZIP)
    assert (status, len(sent)) == (206, 100)
    assert "Content-Encoding" not in headers
    _, headers, sent = got(live, "/favicon.png", **GZIP)
    assert "Content-Encoding" not in headers
    assert sent.startswith(b"\x89PNG")
