"""Counting: the same numbers as the reference matcher; pairs, examples and lists of concepts."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from core.cli.app import app
from core.counting import names, pairs, run, summary, tally
from core.counting.captions import contained
from core.counting.query import spelled
from core.counting.scan import Scanner
from core.counting.workers import here
from core.errors import BadInput, UnknownName, UnreadableData
from core.frequency import counted, sources
from core.text.matcher import Matcher
from tests.helpers.counting import CAPTIONS, CONCEPTS, as_lines, request, table, words


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return as_lines(tmp_path / "captions.jsonl", CAPTIONS)


@pytest.mark.slow
@settings(max_examples=250, deadline=None)
@given(
    st.lists(st.lists(words, max_size=3).map(" ".join), max_size=9),
    st.lists(st.one_of(st.lists(words, max_size=7).map(" ".join), st.text(max_size=12)), max_size=9),
)
def test_batches_find_what_the_reference_matcher_finds(concepts, captions):
    captions = [text.encode("utf-8", "replace").decode() for text in captions]
    terms = {str(at): [name] for at, name in enumerate(concepts)}
    hits = Scanner(spelled({key: name for key, (name,) in terms.items()}, {})).scan(captions)
    found = [set() for _ in captions]
    for caption, owner in zip(hits.caption.tolist(), hits.owner.tolist(), strict=True):
        found[caption].add(str(owner))
    assert found == [Matcher(terms).find(text) for text in captions]


def test_a_hit_says_where_it_stands():
    hits = Scanner([["red apple", "red apples"], ["apple", "apples"]]).scan(["my red apples", "apple red"])
    rows = zip(hits.caption, hits.owner, hits.start, hits.stop, strict=True)
    # Words are numbered through the batch; the break between captions takes one number.
    assert [tuple(map(int, row)) for row in rows] == [(0, 0, 1, 3), (0, 1, 2, 3), (1, 1, 4, 5)]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3), min_size=1, max_size=5),
    st.lists(st.lists(st.sampled_from("abcde"), max_size=9), max_size=5),
    st.integers(2, 5),
)
def test_a_window_takes_all_words_in_any_order_and_no_further_apart(queries, captions, window):
    hits = Scanner([[" ".join(query)] for query in queries], window=window).scan([" ".join(text) for text in captions])
    found = set(zip(hits.caption.tolist(), hits.owner.tolist(), strict=True))
    expected = {
        (row, owner)
        for row, text in enumerate(captions)
        for owner, query in enumerate(queries)
        for low in range(len(text))
        if Counter(query) <= Counter(text[low : low + window])
    }
    assert found == expected


def test_counts_status_and_queries(lines, tmp_path):
    result = run.count(request(lines), tmp_path / "out", engine=here)
    assert table(tmp_path / "out") == {
        "snake": ("2", "ok", "snake | snakes"),
        "night snake": ("2", "ok", "night snake | night snakes"),
        "crane": ("1", "ok", "crane | cranes"),
        "Crane": ("1", "ok", "crane | cranes"),
        "747-300": ("1", "ok", "747 300 | 747 300s"),
        "dog": ("5", "ok", "dog | dogs"),
        "punct": ("", "unmatchable", ""),
        "apple": ("4", "ok", "apple | apples"),
    }
    columns = pq.read_table(tmp_path / "out" / "counts.parquet").column_names
    assert columns[:4] == ["concept", "count", "status", "query"]
    paper = json.loads((tmp_path / "out" / "own_phrase_search_counts.json").read_text())
    assert paper == {row["concept"]: row["count"] for row in result.counts() if row["status"] == "ok"}
    facts = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert (facts["rows"], facts["bad_rows"], facts["column"]) == (12, 0, "text")


def test_the_report_of_the_pass_is_what_the_captions_say(lines, tmp_path):
    run.count(request(lines, attributes=("red", "green")), tmp_path, engine=here)
    report = json.loads((tmp_path / "report.json").read_text())
    named = [Matcher({key: [name] for key, name in CONCEPTS.items()}).find(text) for text in CAPTIONS]
    assert report["homonyms"] == [["crane", "Crane"]]
    assert report["contained"] == [
        {"concept": "snake", "inside": "night snake", "count": 2, "together": 2, "share": 1.0}
    ]
    assert report["captions"]["several"] == sum(len(found) > 1 for found in named)
    assert report["captions"]["none"] == sum(not found for found in named)
    assert report["captions"]["several_apart"] == sum(len(found - {"snake"}) > 1 for found in named)
    assert report["unmatchable"] == ["punct"]
    together = Counter(pair for found in named for pair in combinations(sorted(found), 2))
    rows = pq.read_table(tmp_path / "cooccurrence.parquet").to_pylist()
    assert {tuple(sorted((row["a"], row["b"]))): row["together"] for row in rows} == together
    assert [row["together"] for row in rows] == sorted((row["together"] for row in rows), reverse=True)
    shown = json.loads((tmp_path / "examples.json").read_text())
    assert all(text in CAPTIONS and key in named[CAPTIONS.index(text)] for key in shown for text in shown[key])


def test_attribute_pairs_and_their_pmi(lines, tmp_path):
    run.count(request(lines, attributes=("red", "green")), tmp_path, engine=here)
    rows = {(row["attribute"], row["concept"]): row for row in pq.read_table(tmp_path / "pairs.parquet").to_pylist()}
    assert set(rows) == {("red", "apple"), ("red", "dog"), ("green", "dog")}
    red = rows["red", "apple"]
    apples = sum("apple" in Matcher({"apple": ["apple"]}).find(text) for text in CAPTIONS)
    assert (red["together"], red["adjacent"], red["attribute_count"], red["concept_count"]) == (3, 2, 3, apples)
    assert red["pmi"] == pytest.approx(np.log2((3 / 12) / ((3 / 12) * (apples / 12))))
    assert red["pmi_adjacent"] == pytest.approx(np.log2((2 / 12) / ((3 / 12) * (apples / 12))))


def test_pmi_of_what_never_meets_is_unknown():
    found = summary.pmi(np.array([0, 2]), np.array([3, 4]), np.array([5, 4]), 16)
    assert np.isnan(found[0])
    assert found[1] == 1.0


def test_a_crowded_caption_is_counted_but_not_paired(tmp_path):
    many = {f"w{n}": f"w{n}" for n in range(pairs.CROWD + 1)}
    path = as_lines(tmp_path / "a.jsonl", [" ".join(many), "w0 w1"])
    result = run.count(request(path, names=many), tmp_path / "out", engine=here)
    assert result.text.tally.text.tolist() == [2, 2, *[1] * (len(many) - 2)]
    assert result.text.tally.together.items()[1].tolist() == [1]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["captions"]["too_many_for_pairs"] == 1


def test_more_pairs_than_can_be_kept_drop_the_rarest_and_say_so(monkeypatch):
    monkeypatch.setattr(pairs, "MOST", 2)
    found = pairs.Pairs()
    found.add(np.array([5, 5, 7, 9, 9, 9]))
    assert [column.tolist() for column in found.items()] == [[5, 9], [2, 3]]
    assert not found.exact


def test_contained_names():
    assert contained([("snake",), ("night snake",), ("night",), ("sea snake", "snake"), ("red",)]) == [
        (1, 2), (1, 0), (1, 3), (3, 0),
    ]  # fmt: skip


def test_examples_are_a_uniform_draw():
    tallied = np.zeros(100)
    for seed in range(400):
        one = tally.Tally.empty(1)
        rows = np.arange(100)
        tally.keep_examples(one, np.zeros(100, int), rows, tally.draws(seed, 0, rows), [str(row) for row in rows])
        tallied[[int(text) for _, text in one.examples[0]]] += 1
    # 1,600 draws over 100 rows: each 16 times, standard deviation about 4.
    assert tallied.sum() == 1600
    assert tallied.min() > 2
    assert tallied.max() < 36


def test_synonyms_count_unless_another_concept_could_be_meant(lines, tmp_path):
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps({"apple": ["red", "dog", "snakes"], "dog": ["747"], "ghost": ["boo"]}))
    kept, left_out = names.synonyms(path, CONCEPTS)
    assert kept == {"apple": ["red"], "dog": ["747"]}
    assert [item.item for item in left_out] == ["ghost: boo", "apple: dog", "apple: snakes"]
    run.count(request(lines, synonyms=kept), tmp_path / "out", engine=here)
    assert table(tmp_path / "out")["apple"][2] == "apple | apples | red | reds"
    (tmp_path / "synonyms.csv").write_text("concept,term\napple,red\ndog,747\n")
    assert names.synonyms(tmp_path / "synonyms.csv", CONCEPTS)[0] == kept


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("a.txt", "dog\n\n# note\nnight snake\n", {"dog": "dog", "night snake": "night snake"}),
        ("a.csv", "id,name\n1,dog\n2,cat\n", {"dog": "dog", "cat": "cat"}),
        ("a.csv", "dog\ncat\n", {"dog": "dog", "cat": "cat"}),
        ("a.json", '["dog", "cat"]', {"dog": "dog", "cat": "cat"}),
        ("a.json", '{"n01": "dog"}', {"n01": "dog"}),
        ("a.json", '{"dog": 12, "cat": 0}', {"dog": "dog", "cat": "cat"}),
    ],
)
def test_lists_of_concepts(tmp_path, file, text, found):
    (tmp_path / file).write_text(text)
    assert names.concepts(str(tmp_path / file)) == found


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [("a.txt", "\n", "names no concepts"), ("a.json", "5", "neither a JSON list"), ("a.json", "{", "not JSON")],
)
def test_lists_that_are_none(tmp_path, file, text, said):
    (tmp_path / file).write_text(text)
    with pytest.raises((BadInput, UnreadableData), match=said):
        names.concepts(str(tmp_path / file))


def test_counts_become_a_frequency_source(lines, tmp_path):
    concepts = tmp_path / "names.json"
    concepts.write_text(json.dumps(CONCEPTS))
    command = ["frequency", "count", str(lines), "--concepts", str(concepts), "--out", str(tmp_path / "out")]
    assert CliRunner().invoke(app, [*command, "--name", "mine", "--workers", "1"]).exit_code == 0
    listed = {found.name: found for found in sources.list_sources()}
    assert (listed["counted:mine"].methods, listed["counted:mine"].concepts) == (("text",), 8)
    loaded = sources.load_source("counted:mine")
    assert (loaded.method, loaded.counts["snake"], "punct" in loaded.counts) == ("text", 2, False)
    assert loaded.flags == {"crane": ("homonym",), "Crane": ("homonym",), "snake": ("contained",)}
    assert loaded.queries["Crane"] == "crane | cranes"
    assert sources.records("counted:mine")["punct"] == {"text": None, "image": None, "integrated": None}
    shown = CliRunner().invoke(app, ["frequency", "show", "counted:mine", "--json"])
    assert json.loads(shown.output)["concepts"]["snake"]["text"] == 2
    assert counted.provenance("mine")["rows"] == 12
    assert CliRunner().invoke(app, ["frequency", "delete", "counted:mine"]).exit_code == 0
    assert "counted:mine" not in {found.name for found in sources.list_sources()}
    with pytest.raises(UnknownName):
        counted.delete("mine")


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 81])
def test_names_of_sources_are_no_paths(name):
    with pytest.raises(BadInput):
        counted.check_name(name)
