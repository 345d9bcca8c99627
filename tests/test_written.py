"""Sets with written words: the published layout, words in file names, and the command on a small tree."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import BadInput, UnreadableData
from core.robustness.attacks import written
from core.robustness.committed import committed
from core.robustness.records import read_records
from core.runtime.jobs import Engine
from core.stats.intervals import wilson
from tests.answers import make_answer
from tests.fakes import FakeImageSet
from tests.helpers.pages import figures, opened, words
from tests.tiny import save

WNIDS = ("n01440764", "n01443537", "n01484850")


def test_shares_by_hand() -> None:
    answer = make_answer([0, 0, 1, 1, 2, 2], [0, 1, 2, 1, 0, 1], keys=["a", "b", "c"])
    # Words: the second, third and last picture are predicted as written; the fourth has its own name, the fifth none.
    on = written.Written(np.array([1, 1, 2, 1, -1, 1]), ())
    correct, word = written.records(answer, on, condition="written")
    assert (correct.n, word.n) == (4, 4)
    assert (correct.acc1, word.acc1) == (1 / 4, 3 / 4)


@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_the_authors_record_is_read_and_never_executed(tmp_path: Path, protocol: int) -> None:
    table = {f"ILSVRC2012_val_{at:08d}.JPEG": at * 7 % 1000 for at in range(1, 3000)}
    path = tmp_path / "imgNet_record.pickle"
    path.write_bytes(pickle.dumps(table, protocol))
    if protocol < 1:  # texts of protocol 0 are escaped in another way: refused with a sentence
        with pytest.raises(UnreadableData, match="save it as JSON"):
            written.read_words(path)
        return
    assert written.read_words(path) == {name: str(number) for name, number in table.items()}


@pytest.mark.parametrize(
    "value", [Path("x"), {"a": [1]}, {"a": np.int64(3)}, {1: 2}, {"a": {"b": 1}}, {"a": {}, "b": {}}, "text"]
)
def test_other_pickles_are_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "x.pickle"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(UnreadableData, match="save it as JSON"):
        written.read_words(path)
    path.write_bytes(b"\x80\x03}q\x00(X\xff\xff")
    with pytest.raises(UnreadableData):
        written.read_words(path)


def test_words_are_found_by_file_and_class_however_written() -> None:
    images = FakeImageSet(classes=3, n=6)
    names = [images.image_ids[at] for at in range(3)]
    found = written.written(
        images, {names[0]: "word1", names[1]: "KEY2".lower(), names[2]: "nobody", "gone.png": "word0"}
    )
    assert found.labels.tolist() == [1, 2, -1, -1, -1, -1]
    assert len(found.unmatched) == 2
    with pytest.raises(BadInput, match="No picture"):
        written.written(images, {"gone.png": "word0"})
    images.image_ids = [f"cup/label=cup_text={word}.png" for word in ("iPad", "word0", "word1", "a b", "x", "y")]
    assert list(written.words_in_names(images).values()) == ["iPad", "word0", "word1", "a b", "x", "y"]


@pytest.mark.slow
def test_the_command_and_the_page_on_the_published_layout(
    tmp_path: Path, page_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    record = {}
    for at, wnid in enumerate(WNIDS):
        for part in ("imagenet-t", "val"):
            (tmp_path / part / wnid).mkdir(parents=True)
        for number in range(4):
            name = f"ILSVRC2012_val_{4 * at + number:08d}.JPEG"
            for part in ("imagenet-t", "val"):
                Image.fromarray(rng.integers(0, 256, (48, 48, 3), np.uint8)).save(tmp_path / part / wnid / name)
            record[name] = (at + 1) % 3  # indices of ImageNet's classes sorted by wnid: 0, 1, 2
    (tmp_path / "imgNet_record.pickle").write_bytes(pickle.dumps(record, 3))
    out = tmp_path / "out.json"
    command = ["robustness", "written", f"local-dir:{save(tmp_path / 'model')}", str(tmp_path / "imagenet-t")]
    command += ["--words", str(tmp_path / "imgNet_record.pickle"), "--clean", str(tmp_path / "val")]
    done = CliRunner().invoke(app, [*command, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = {row.condition: row for row in read_records(out)}
    assert list(rows) == ["written:correct", "written:written word", "clean:correct", "clean:written word"]
    assert all(row.n == 12 and row.more["unmatched"] == 0 for row in rows.values())
    assert rows["written:correct"].acc1 + rows["written:written word"].acc1 <= 1
    # The page says the same of the same files.
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    query = {"attacks-view": "written word", "words-from": "on the files", "set": str(tmp_path / "imagenet-t"),
             "words-file": str(tmp_path / "imgNet_record.pickle"), "words-clean": str(tmp_path / "val"),
             "model": f"local-dir:{tmp_path / 'model'}"}  # fmt: skip
    page = opened("attacks", **query)
    assert not page.exception
    share = 100 * rows["written:written word"].acc1
    assert f"predicts the written word for {share:.1f} % of 12 pictures" in words(page)
    drawn = {trace["name"]: trace["x"] for trace in figures(page)[0]["data"]}
    assert drawn["as that word without it"] == [rows["clean:written word"].acc1]
    assert drawn["correct without a word"] == [rows["clean:correct"].acc1]


def test_the_words_written_here_ship_for_every_icon_model(page_engine: Engine) -> None:
    app = opened("attacks", **{"attacks-view": "written word"})
    assert not app.exception
    shipped = [one for one in committed("icons", "attacks") if one.condition == "typographic"]
    own = next(one for one in shipped if one.model == "icon-RN,icons-200k")
    assert f"for {100 * own.more['said_word']:.1f} % of {own.n} pictures" in words(app)
    drawn = {trace["name"]: trace for trace in figures(app)[0]["data"]}
    assert len(drawn["predicted as the word"]["y"]) == len(shipped) + 1  # and the supervised classifier
    assert len(drawn["correct with meaningless letters"]["y"]) == len(shipped) + 1
    told = written.shares([own])
    assert told["predicted as the word"] == wilson(round(own.more["said_word"] * own.n), own.n)
