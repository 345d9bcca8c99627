"""What a person made outlives kills, simultaneous writers, full disks and the cache's own limits."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from cache import CacheError, kept
from cache.files import remove_orphans
from core.deck import store as deck_store
from core.deck.deck import Deck, from_json, to_json
from core.errors import StorageFault, UnreadableData
from core.evaluation import evaluate
from core.published import overlay
from core.published.runs import Run
from pages.ui import corrections
from tests.helpers.decks import hostile_deck
from tests.killed import ROOT, at_every_step


def test_values_come_back(tmp_cache: Path) -> None:
    path = kept.place("names", "a")
    assert kept.read(path) is None
    kept.write(path, {"ä": ["\udcff", 1.5, None]})
    assert kept.read(path) == {"ä": ["\udcff", 1.5, None]}
    assert path.is_relative_to(tmp_cache)
    with pytest.raises(ValueError, match="JSON"):
        kept.write(path, float("nan"))
    assert kept.read(path) == {"ä": ["\udcff", 1.5, None]}


@pytest.mark.parametrize("content", [b"", b"{", b"[NaN]", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}\x00'])
def test_a_damaged_value_is_set_aside_once_and_never_replaced(content: bytes) -> None:
    path = kept.place("names", "a")
    for number in range(1, 4):
        kept.write(path, {"number": number})
        path.write_bytes(content)
        with pytest.raises(CacheError, match="was set aside as"):
            kept.read(path)
        assert kept.read(path) is None
        assert len(list(path.parent.glob("*.damaged*"))) == number


def test_changes_at_once_all_arrive() -> None:
    path, start = kept.place("numbers", "a"), threading.Barrier(16)

    def add(number: int) -> None:
        start.wait()
        with kept.lock(path):
            kept.write(path, [*(kept.read(path) or []), number])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept.read(path)) == list(range(16))


def test_a_kill_leaves_the_old_value_or_the_new_one() -> None:
    path = kept.place("names", "a")
    kept.write(path, "old")
    steps = 0
    for _ in at_every_step("kept.write(kept.place('names', 'a'), 'new')", prepare="from cache import kept"):
        assert kept.read(path) in ("old", "new")
        steps += 1
        kept.write(path, "old")
        remove_orphans(path.parent)
    assert steps >= 3
    assert kept.read(path) == "new"


PIN = """
import sys
from core.deck import store as deck_store
from core.deck.deck import Slide
for number in range(12):
    title = f"{sys.argv[1]}-{number}"
    slide = Slide("comparison", title, source="here", header=("a", "b"), rows=(("1", "2"),))
    deck_store.change(lambda deck: deck.add(slide))
"""


@pytest.mark.slow
def test_ninety_six_pins_at_once_are_all_kept() -> None:
    commands = [[sys.executable, "-c", PIN, str(number)] for number in range(8)]
    children = [subprocess.Popen(command, cwd=ROOT) for command in commands]
    assert [child.wait(120) for child in children] == [0] * 8
    titles = [slide.title for slide in deck_store.load().deck.slides]
    assert sorted(titles) == sorted(f"{who}-{number}" for who in range(8) for number in range(12))
    assert not list(deck_store.place().parent.glob("*.tmp"))


@pytest.mark.slow
def test_a_kill_while_pinning_keeps_a_whole_deck() -> None:
    deck = hostile_deck()
    deck_store.save(deck)
    other = json.dumps(to_json(deck.write(0, caption="other")))
    prepare = (
        "from core.deck import store as deck_store\nfrom core.deck.deck import from_json\n"
        f"other = from_json({other}.encode())"
    )
    for _ in at_every_step("deck_store.change(lambda deck: other)", prepare=prepare):
        assert deck_store.load().deck in (deck, from_json(json.loads(other).encode()))
        deck_store.save(deck)
    assert deck_store.load().deck.slides[0].caption == "other"


def test_a_damaged_deck_does_not_replace_the_one_set_aside_before() -> None:
    for number in range(1, 3):
        deck_store.place().write_bytes(b"not a deck %d" % number)
        with pytest.raises(UnreadableData, match="was set aside"):
            deck_store.load()
    assert {path.read_bytes() for path in deck_store.place().parent.glob("*.damaged*")} == {
        b"not a deck 1", b"not a deck 2",
    }  # fmt: skip
    assert deck_store.change(lambda deck: Deck("new", deck.slides))[1].deck == Deck("new")


def test_a_deck_that_could_not_be_written_is_not_lost_by_the_next_change() -> None:
    unwritten = deck_store.Kept(hostile_deck(), deck_store.version())
    before, now = deck_store.change(lambda deck: deck.write(0, caption="other"), known=unwritten)
    assert before == unwritten.deck
    assert deck_store.load().deck.slides[0].caption == "other"
    _, third = deck_store.change(lambda deck: Deck("third", deck.slides))
    before, _ = deck_store.change(lambda deck: deck.write(0, caption="stale"), known=now)
    assert before == third.deck, "another tab has written since"


def test_corrected_names_outlive_answers_and_clearing() -> None:
    corrections.keep("/photos", {"n01": "tench"})
    small = evaluate.results()
    small.size_limit, old = 1 << 20, small.size_limit
    small._cache.reset("size_limit", 1 << 20)
    try:
        for number in range(40):  # more than it holds: the oldest values go
            small.put_arrays(f"answer:{number}", {"top": np.random.default_rng(number).random(12_000)})
        assert small.get_arrays("answer:0") is None
        assert corrections.of("/photos") == {"n01": "tench"}
    finally:
        small.size_limit = old
    small.clear()
    assert corrections.of("/photos") == {"n01": "tench"}
    assert corrections.of("/other") == {}
    corrections.keep("/photos", {})
    assert corrections.of("/photos") == {}


def test_damaged_corrections_are_said_and_the_set_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(corrections, "toast", said.append)
    corrections.keep("/photos", {"n01": "tench"})
    corrections.file_of("/photos").write_bytes(b"{")
    assert corrections.of("/photos") == {}
    assert "/photos are lost" in said[0]
    assert corrections.of("/photos") == {}
    assert len(said) == 1


def test_a_full_disk_keeps_the_old_corrections_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    corrections.keep("/photos", {"n01": "tench"})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(StorageFault, match="no space left"):
            corrections.keep("/photos", {"n01": "goldfish"})
    assert corrections.of("/photos") == {"n01": "tench"}


def test_a_damaged_mapping_is_said_and_set_aside() -> None:
    run = Run("mine", {"DTD 1": 10.0}, "")
    overlay.keep_mapping(run, {"DTD 1": "dtd 01"})
    overlay._mapping_path(run).write_bytes(b'{"DTD 1"')
    with pytest.raises(UnreadableData, match="mapping of this vocabulary is lost"):
        overlay.kept_mapping(run)
    assert overlay.kept_mapping(run) == {}
