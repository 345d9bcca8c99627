"""The icon corpora at their full size: their committed counts, counting captions of that many, and their words.

The largest is drawn up once, in about 20 seconds; smaller ones with the same assignment are its first pairs.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from core.counting import names, run
from core.frequency import sources
from core.icons import corpus as corpora
from core.icons.corpus import CORPORA, Pair, corpus, count
from core.icons.training import export
from core.types import METHODS

pytestmark = pytest.mark.slow
LARGEST = "icons-200k"


@pytest.fixture(scope="module")
def pairs() -> tuple[Pair, ...]:
    return corpus(LARGEST)


def committed(name: str) -> dict[str, tuple[int, ...]]:
    return {key: tuple(row[method] for method in METHODS) for key, row in sources.records(name).items()}


@pytest.mark.parametrize("name", [name for name in CORPORA if CORPORA[name].assignment == CORPORA[LARGEST].assignment])
def test_the_first_pairs_of_the_largest_corpus_are_counted_exactly(
    pairs: tuple[Pair, ...], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "icons-10k":
        assert corpus(name) == pairs[: CORPORA[name].pairs]
    monkeypatch.setattr(corpora, "corpus", lambda asked: pairs[: CORPORA[asked].pairs])
    assert committed(name) == count(name)


def test_the_permuted_corpus_is_counted_exactly() -> None:
    name = "icons-50k-permuted"
    assert committed(name) == count(name)
    corpus.cache_clear()


def test_the_largest_corpus_is_counted_as_committed_in_every_mode(
    pairs: tuple[Pair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "corpus", lambda _: pairs)
    large = str(export.write_corpus(LARGEST, tmp_path))
    for mode in METHODS:
        asked = run.Request(large, names.concepts("icons"), mode=mode, scores=large if mode != "text" else None)
        run.count(asked, tmp_path / mode, workers=2)
        with (tmp_path / mode / "counts.csv").open(newline="") as file:
            counted = {row["concept"]: int(row["count"]) for row in csv.DictReader(file)}
        assert counted == {key: row[mode] for key, row in sources.records(LARGEST).items()}


def test_every_prompt_strategy_speaks_words_the_models_have_read(pairs: tuple[Pair, ...]) -> None:
    import open_clip

    from core.datasets import open_set
    from core.prompts import prompt_set, strategies

    encode = open_clip.SimpleTokenizer(context_length=48).encode
    words = {word for pair in pairs for word in pair.caption.split()}
    read = {token for word in words for token in encode(word)}
    icons = open_set("icons")
    for strategy in strategies(alone=True):
        if strategy.id == "dataset" and not icons.templates:
            continue
        sentences = {s for listed in prompt_set(strategy.id, icons).sentences for s in listed}
        tokens = [token for sentence in sentences for token in encode(sentence)]
        assert np.mean([token in read for token in tokens]) >= 0.95, strategy.id
