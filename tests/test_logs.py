"""The server's log: no line that a visitor's words can forge, and no entry without end."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from core.runtime import logs
from core.runtime.jobs import Engine, question

FORGED = "x\r\n2026-01-01 00:00:00 root logged in\x1b[2J\u2028now\u202e"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a handler writes with escaping on, each entry with a margin of its own."""
    before, text = logging.getLogRecordFactory(), io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("ENTRY %(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logs.escape()
    yield text
    logging.setLogRecordFactory(before)
    logging.getLogger().removeHandler(handler)


def fail(words: str) -> None:
    raise ValueError(words)


def test_a_visitor_s_words_cannot_begin_an_entry(log: io.StringIO) -> None:
    logging.getLogger("streamlit.any").error("Uncaught %s", FORGED)
    own = Engine()
    job = own.submit(question(fail, FORGED, label=f"Reading {FORGED}"))
    assert job.wait(60)
    assert own.close(patience=60)
    lines = log.getvalue().splitlines()
    assert sum(line.startswith("ENTRY ") for line in lines) == 2
    assert all(line.startswith(("ENTRY ", "    ")) for line in lines)
    assert not any(character in log.getvalue() for character in "\r\x1b\u2028\u202e")
    assert r"x\r\n2026-01-01 00:00:00 root logged in\x1b[2J\u2028now\u202e" in lines[0]
    assert any("ValueError" in line for line in lines)


def test_an_entry_does_not_grow_without_end(log: io.StringIO) -> None:
    try:
        fail("y" * 1_000_000)
    except ValueError:
        logging.getLogger("any").exception("z" * 1_000_000)
    assert len(log.getvalue()) < 3 * logs.LONGEST
    assert "ValueError" in log.getvalue() or "Traceback" in log.getvalue()
