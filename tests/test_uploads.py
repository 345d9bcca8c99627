"""One limit for what a browser sends: the server's, stated by every page, and none of the readers is stricter."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from core.counting import names
from core.deck.deck import Deck, Slide, from_json, to_json
from core.errors import UnreadableData
from core.evaluation import evaluate
from core.published import runs
from core.robustness.shifts import baselines, overlap
from core.runtime.jobs import Engine
from core.uploads import MOST_BYTES
from tests.helpers.pages import answered, opened


@pytest.fixture(autouse=True)
def fresh(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are made at once."""
    monkeypatch.setattr(evaluate, "evaluate", answered)


CONFIG = Path(__file__).resolve().parents[1] / ".streamlit" / "config.toml"
RUN = b'{"m": {"classwise": {"dog": 50.0, "cat": 5.0}}}'
READERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "deck": (to_json(Deck("t", (Slide("image", "a"),))).encode(), from_json),
    "baselines": (b"model,a,b\nx,10,20\n", lambda data: baselines.read_baselines(data, name="t.csv")),
    "types": (b"x,standard\n", lambda data: baselines.read_types(data, name="t.csv")),
    "overlap": (b"a.png\n", lambda data: overlap.read_ids(data, name="ids.txt")),
    "concepts": (b"dog\ncat\n", lambda data: names.parse(data.decode(), "list.txt")),
    "results": (RUN, lambda data: runs.read(data, "mine.json")),
}


def test_the_server_enforces_what_is_read() -> None:
    config = tomllib.loads(CONFIG.read_text(encoding="utf-8"))
    assert config["server"]["maxUploadSize"] * 2**20 == MOST_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("what", READERS)
def test_a_file_as_large_as_allowed_is_read(what: str) -> None:
    content, read = READERS[what]
    room = MOST_BYTES - len(content)
    assert read(content + (b"\n".rjust(1000) * (room // 1000 + 1))[-room:])


@pytest.mark.parametrize("what", ["deck", "baselines", "overlap", "results"])
def test_a_larger_one_is_refused_with_the_limit(what: str) -> None:
    content, read = READERS[what]
    with pytest.raises(UnreadableData, match=f"larger than {MOST_BYTES >> 20} MB"):
        read(content + b"\n" * (MOST_BYTES + 1 - len(content)))


@pytest.mark.parametrize("page", ["deck", "counts"])
def test_pages_state_the_limit_of_the_server(page: str) -> None:
    stated = [item.proto.max_upload_size_mb for item in opened(page).get("file_uploader")]
    assert set(stated) == {MOST_BYTES >> 20}
