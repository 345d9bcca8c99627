"""Counts by image and by both: scores, labels and cosines, against the exactly known corpora."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core.cli.app import app
from core.counting import names, run
from core.counting.workers import here
from core.datasets import open_set
from core.errors import BadInput, UnreadableData
from core.frequency import sources
from core.icons.training.export import write_corpus
from core.models.registry import icon_models
from tests.helpers.counting import CAPTIONS, CONCEPTS, as_lines, request, table


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return as_lines(tmp_path / "captions.jsonl", CAPTIONS)


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
