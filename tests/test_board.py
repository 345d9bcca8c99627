"""Rows of one's own on the Let It Wag! board: from answers, kept, exported, imported, compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from core.charts.letitwag import histogram
from core.cli.app import app
from core.errors import BadInput, NotHere, UnknownName, UnreadableData
from core.published import board, letitwag
from core.published.board import Entry
from tests.answers import answer_with_accuracies
from tests.helpers.pages import figures, opened, words

PER_CONCEPT = 20


def run_of(model: str, *, missing: int = 0):
    """A run that gets every concept's first images right, more with every concept; named as shown."""
    concepts = letitwag.concepts()[missing:]
    right = [at % (PER_CONCEPT + 1) for at in range(len(concepts))]
    answer = answer_with_accuracies(
        right, PER_CONCEPT, keys=[one.name for one in concepts], names=[one.name for one in concepts]
    )
    return replace(answer, lens=replace(answer.lens, model=model, image_set="letitwag", prompts="ensemble"))


def test_a_run_becomes_a_row_with_interval_images_and_imagenet_accuracy() -> None:
    row = board.entry(run_of("ViT-B-32,laion2b_s34b_b79k"))
    shares = [at % 21 / 20 for at in range(290)]
    assert row.letitwag == pytest.approx(np.mean(shares))
    assert row.low < row.letitwag < row.high
    assert (row.n, len(row.concepts)) == (290 * PER_CONCEPT, 290)
    assert row.concepts[letitwag.concepts()[3].key] == (3 / 20, PER_CONCEPT)
    assert row.imagenet == pytest.approx(0.6656, abs=5e-4)  # open_clip's own table
    assert board.entry(run_of("local-dir:/models/mine")).imagenet is None


def test_other_classes_are_no_row() -> None:
    with pytest.raises(BadInput, match="279 of the 290"):
        board.entry(run_of("a,b", missing=11))
    assert len(board.entry(run_of("a,b", missing=10)).concepts) == 280


def test_differences_are_taken_concept_by_concept() -> None:
    row, model, matrix = board.entry(run_of("a,b")), letitwag.models()[4], letitwag.matrix()
    found = board.differences(row, model, found=matrix)
    values = matrix.accuracy[4] / 100
    own = np.array([at % 21 / 20 for at in range(290)])
    known = np.isfinite(values)
    assert found.mean.value == pytest.approx(np.mean(own[known] - values[known]))
    assert np.all((found.low <= found.own) & (found.own <= found.high))
    with pytest.raises(NotHere, match="mean only"):
        board.differences(replace(row, concepts={}), model)


def test_rows_are_kept_replaced_exported_and_imported(tmp_path: Path) -> None:
    row = board.entry(run_of("a,b"))
    other = Entry("DynaCLIP", "ensemble", "released", 0.455, source="arXiv 2604.27932", imagenet=0.7)
    board.add([row, other])
    board.add([replace(row, letitwag=0.9)])
    assert [(one.model, one.letitwag) for one in board.entries()] == [("a,b", 0.9), ("DynaCLIP", 0.455)]
    run = CliRunner().invoke
    assert run(app, ["board", "export", str(tmp_path / "board.json")]).exit_code == 0
    kept = board.entries()
    board.remove("DynaCLIP")
    board.remove(kept[0].name)
    assert board.entries() == ()
    assert run(app, ["board", "import", str(tmp_path / "board.json")]).exit_code == 0
    assert board.entries() == kept
    shown = run(app, ["board", "show"]).output
    assert "arXiv 2604.27932" in shown
    assert "ViT-H-14" in shown
    assert json.loads(run(app, ["board", "show", "--json"]).output)["rows"][0]["letitwag"] == 0.9
    with pytest.raises(UnknownName, match="no row is called"):
        board.remove("nothing")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"letitwag": 45.5}, "not a fraction"),
        ({"letitwag": True}, "not a fraction"),
        ({"letitwag": float("nan")}, "not a fraction"),
        ({"low": "0.1"}, "not a fraction"),
        ({"source": ""}, "names no source"),
        ({"model": "a\nb"}, "one line"),
        ({"model": "x" * 1000}, "one line"),
        ({"concepts": {"no such concept": [0.5, 3]}}, "released keys"),
        ({"concepts": {"ankylosaurus": 0.5}}, "not \\[accuracy, images\\]|released keys"),
        ({"n": -1}, "images"),
        ({"spelling": "loud"}, "shown or released"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_taken(change: dict[str, object], told: str) -> None:
    good = Entry("a,b", "ensemble", "shown", 0.5, source="here").as_json()
    file = {"board": "letitwag", "format": 1, "rows": [good, good | change]}
    with pytest.raises(UnreadableData, match=told) as caught:
        board.read(json.dumps(file).encode(), "theirs.json")
    assert "theirs.json, row 2" in str(caught.value)
    assert board.entries() == ()


@pytest.mark.parametrize(
    "data", [b"", b"[1]", b"\xff\xfe", b"[" * 100_000, b'{"board": "letitwag", "rows": 3}', b"1" * 5000]
)
def test_what_is_no_board_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableData, match="no board file"):
        board.read(data, "x.json")


def test_own_rows_stand_on_the_page_beside_the_published_ones() -> None:
    board.add([board.entry(run_of("ViT-B-32,laion2b_s34b_b79k"))])
    app = opened("letitwag")
    assert not app.exception, app.exception
    (star,) = [trace for trace in figures(app)[0]["data"] if trace.get("name") == "yours"]
    assert star["x"] == [pytest.approx(66.56, abs=0.05)]
    (own,) = [table.value for table in app.dataframe if "95 % CI" in table.value and "Source" in table.value]
    assert own["Images"].tolist() == [290 * PER_CONCEPT]
    (gaps,) = [table.value for table in app.dataframe if "Yours, %" in table.value]
    assert gaps["Difference"].is_monotonic_increasing
    assert "points (95 % CI" in words(app).replace("\u00a0", " ")


@pytest.mark.slow
def test_an_answer_that_an_earlier_run_left_in_the_cache_is_known(tmp_path: Path) -> None:
    from core.datasets import open_set
    from core.evaluation import evaluate
    from core.types import Lens
    from tests import tiny
    from tests.pictures import encoded, write_tree

    folder = write_tree(tmp_path / "set", {f"{name}/1.png": encoded() for name in ("ant", "bee", "cat")})
    lens, images = Lens(f"local-dir:{tiny.save(tmp_path / 'model')}", str(folder), "simple"), open_set(str(folder))
    assert evaluate.stored_answer(lens, image_set=images) is None
    answer = evaluate.evaluate(lens, image_set=images)
    kept = evaluate.stored_answer(lens, image_set=images)
    assert kept is not None
    assert np.array_equal(kept.top, answer.top)
    assert evaluate.stored_answer(replace(lens, prompts="class"), image_set=images) is None


def test_the_histogram_counts_every_concept_once() -> None:
    concepts = letitwag.concepts()
    for column in letitwag.COLUMNS:
        (bars,) = histogram(concepts, column).data
        counts = [one.counts[column] for one in concepts]
        assert sum(bars.y) == 290
        assert bars.y[0] == counts.count(0)
        assert bars.y[2] == sum(10**0.5 <= count < 10 for count in counts)
