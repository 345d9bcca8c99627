"""Bench rows of a served dashboard: what is made of the waits, and that the load is real, bounded and stays here."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import torch

from core.bench import GPU, gpu, rows
from core.bench.server import serving
from core.errors import BadInput, ExtraMissing, TailscopeError
from core.published.answers import published_answer
from pages.bench import browsing, visitors
from pages.bench.browsing import Waits
from pages.bench.visitors import Load


def test_interactions_are_told_in_reruns_of_the_bare_page() -> None:
    waits = Waits({"page": [0.2, 0.4], "point": [0.1, 0.3]}, [0.1, 0.1, 5.0], [1000, 500])
    row = waits.row("interactions", ("<=", 3.0))
    assert row.ratio == pytest.approx(3.85)  # of 0.1 to 0.4 s the 95th percentile is 0.385 s
    assert row.n == 4
    assert "1,500 points in 2 series" in row.against
    assert "page 3.0, point 2.0" in row.against


def test_sessions_with_an_error_have_no_ratio() -> None:
    alone, fine = Load((0.1, 0.2, 0.3), (), 1), Load((0.4, 0.6), (), 50)
    row = visitors.row(alone, fine, (20, 100 << 20), (40, 200 << 20))
    assert row.ratio == pytest.approx(0.59 / 0.2)
    assert "descriptors 20 to 40, memory 100 to 200 MiB" in row.against
    failed = visitors.row(alone, Load((0.4,), ("TimeoutError: ",), 50), (20, 0), (20, 0))
    assert failed.ratio is None
    assert "1 errors" in failed.reason
    assert visitors.row(alone, Load((), (), 50), (20, 0), (20, 0)).ratio is None


@pytest.mark.parametrize("url", ["http://192.0.2.1:8501", "http://example.org", "https://127.0.0.1", "ftp://localhost"])
def test_load_is_put_on_this_machine_only(url: str) -> None:
    with pytest.raises(BadInput, match="not on this machine"):
        visitors.load(url, sessions=1, seconds=1)


@pytest.mark.parametrize(("sessions", "seconds"), [(0, 1), (1_001, 1), (1, 0), (1, 601), (1, float("nan"))])
def test_load_is_bounded(sessions: int, seconds: float) -> None:
    with pytest.raises(BadInput, match="sessions for at most"):
        visitors.load("http://127.0.0.1:1", sessions=sessions, seconds=seconds)


def test_a_server_that_is_not_there_is_an_error_of_every_session() -> None:
    found = visitors.load("http://127.0.0.1:1", sessions=3, seconds=1)
    assert (found.waits, len(found.errors)) == ((), 3)


def test_visitors_look_at_answers_that_ship() -> None:
    for _, query in visitors.LENSES:
        asked = dict(urllib.parse.parse_qsl(query))
        assert published_answer(asked["model"], asked["set"], asked["prompts"]).classes


@pytest.mark.slow
def test_sessions_change_the_lens_without_an_error(tmp_path: Path) -> None:
    with serving(cache=tmp_path) as server:
        before, _ = visitors.held(server.pid)
        found = visitors.load(server.url, sessions=3, seconds=6)
        descriptors, memory = visitors.held(server.pid)
    assert found.errors == ()
    assert len(found.waits) >= 3
    # Streamlit keeps closed sessions for a while, each with an event loop: two sockets and a selector.
    assert 0 < descriptors <= before + 3 * found.opened + 4
    assert memory > 10 << 20


def test_a_script_that_ends_its_server_is_told(tmp_path: Path) -> None:
    with pytest.raises(TailscopeError, match="the server ended"), serving(tmp_path / "none.py"):
        pass


def test_a_browser_row_without_a_browser_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_args: object) -> None:
        raise ExtraMissing("no Chromium on this machine")

    monkeypatch.setattr(browsing, "chromium", none)
    found = rows(["first_chart", "interactions", "interactions_large"])
    assert [(row.ratio, row.reason) for row in found] == [(None, "no Chromium on this machine")] * 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="a card is here")
def test_every_check_of_a_card_says_that_there_is_none() -> None:
    found = rows([name for name in GPU if name != "cold_embedding_gpu"])
    assert {(row.ratio, row.reason) for row in found} == {(None, gpu.NO_CARD)}
    assert [row.name for row in found] == list(GPU[1:])


def test_the_least_cosine_is_that_of_the_worst_row() -> None:
    a = np.eye(3, dtype=np.float32)
    b = np.array([[1, 0, 0], [0, 0.6, 0.8], [0, 0, 1]], np.float32)
    assert gpu.least_cosine(a, b) == pytest.approx(0.6)


@pytest.mark.browser
def test_an_interaction_ends_with_the_last_change_of_the_page(tmp_path: Path) -> None:
    script = tmp_path / "slow.py"
    script.write_text(browsing.bare_page(100, 2) + 'import time; time.sleep(0.7); st.write("done")\n')
    with browsing.chromium() as browser, browsing.watched_tab(browser) as page, serving(script) as server:
        page.goto(server.url)
        browsing.settle(page)
        took = browsing.timed(page, page.get_by_role("button", name="again").click)
        assert 0.7 < took < 60
        assert page.evaluate(browsing.DRAWN) == []  # fewer than a cloud of concepts
