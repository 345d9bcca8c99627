from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.datasets import open_set
from core.errors import BadInput, UnreadableData
from core.robustness.records import read_records
from core.robustness.shifts import measure as shifts_module
from core.robustness.shifts import overlap as overlaps
from core.robustness.shifts.baselines import read_baselines
from core.robustness.shifts.hashes import distance, perceptual_hash
from core.robustness.shifts.measure import CLEAN, board, hits, measure
from core.robustness.shifts.records import fit_sets, measured_of, records
from core.types import FrequencyTable
from tests.answers import make_answer
from tests.fakes import FakeImageSet
from tests.helpers.sets import vid_tree
from tests.pictures import encoded, write_tree
from tests.tiny import save

TABLE = "model,indoors,outdoors,type\na,60,40,standard\nb,70,50,standard\nc,80,65,standard\nm1,90,90,standard\n"


class Shifted(FakeImageSet):
    """Another set of the same classes; ``reference`` says whose errors chose its pictures."""

    def __init__(self, id: str, *, classes: int = 5, n: int = 20, reference: str = "") -> None:
        super().__init__(classes=classes, n=n)
        self.id, self.reference = id, reference
        self.fingerprint = id


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch):
    """Answers by hand: (model, set) -> how many of the first images are wrong."""
    wrong: dict[tuple[str, str], int] = {}

    def answer_for(model, image_set, *, prompts="simple", report=None):
        labels = np.asarray(image_set.labels)
        first = np.arange(len(labels)) < wrong[model, image_set.id]
        said = np.where(first, (labels + 1) % len(image_set.keys), labels)
        return make_answer(labels, said, keys=image_set.keys, names=image_set.names)

    monkeypatch.setattr(shifts_module, "answer_for", answer_for)
    return wrong


def test_every_figure_of_a_small_board_by_hand(said) -> None:
    inside, outside = Shifted("indoors"), Shifted("outdoors", reference="supervised:m2")
    said |= {("m1", "indoors"): 4, ("m1", "outdoors"): 10, ("supervised:m2", "indoors"): 8}
    said["supervised:m2", "outdoors"] = 16
    seen = []
    found = board(["m1", "supervised:m2"], inside, [outside], report=seen.append)
    assert [(one.model, one.condition, one.share.value) for one in found] == [
        ("m1", CLEAN, 0.8), ("m1", "outdoors", 0.5), ("supervised:m2", CLEAN, 0.6), ("supervised:m2", "outdoors", 0.2),
    ]  # fmt: skip
    assert [(one.done, one.total) for one in seen] == [(0, 4), (1, 4), (2, 4), (3, 4)]

    table = read_baselines(TABLE.encode(), name="lines.csv")
    fits, without = fit_sets(found, table, columns={"outdoors": ("indoors", "outdoors")})
    assert without == {}
    assert fits["outdoors"].models == ("a", "b", "c")  # m1 is under test
    rows = {(row.model, row.condition): row for row in records(found, "indoors", fits=fits, table="lines.csv")}
    first, second = rows["m1", "outdoors"], rows["supervised:m2", "outdoors"]
    assert first.set == "indoors"
    assert first.reference == "lines.csv"
    assert first.more["drop"] == pytest.approx(0.3)
    assert first.more["drop_low"] < 0.3 < first.more["drop_high"]
    assert "tau" not in first.more
    assert second.more["tau"] == pytest.approx(-0.3)
    assert second.more["tau_against"] == "m1"
    # Least squares through the logits of (.6, .4), (.7, .5), (.8, .65), at logit(.8).
    x, y = (np.log(np.array(v) / (1 - np.array(v))) for v in ([0.6, 0.7, 0.8], [0.4, 0.5, 0.65]))
    slope, intercept = np.polyfit(x, y, 1)
    expected = 1 / (1 + np.exp(-(slope * x[2] + intercept)))
    assert first.more["rho"] == pytest.approx(0.5 - expected)
    assert first.more["rho_low"] < first.more["rho"] < first.more["rho_high"]
    assert not first.more["extrapolated"]
    assert (first.more["excluded_from_ranking"], second.more["excluded_from_ranking"]) == (False, True)
    assert rows["m1", CLEAN].reference is None
    itself, _ = fit_sets(
        found, replace(table, ordinary=frozenset({"m1"})), columns={"outdoors": ("indoors", "outdoors")}
    )
    again = {row.model: row for row in records(found, "indoors", fits=itself) if row.condition == "outdoors"}
    assert "rho" not in again["m1"].more  # it is one of those that the line goes through
    assert "rho" in again["supervised:m2"].more


def test_a_condition_without_columns_or_with_too_few_models_says_why(said) -> None:
    inside, outside = Shifted("indoors"), Shifted("elsewhere")
    said |= {("m1", "indoors"): 4, ("m1", "elsewhere"): 10}
    found = board(["m1"], inside, [outside])
    fits, without = fit_sets(found, read_baselines(TABLE.encode(), name="lines.csv"))
    assert fits == {}
    assert without == {"elsewhere": "lines.csv has no column for it"}
    few = read_baselines(b"model,indoors,outdoors\na,60,40\nb,70,50\n", name="few.csv")
    assert "at least 3" in fit_sets(found, few, columns={"elsewhere": ("indoors", "outdoors")})[1]["elsewhere"]
    with pytest.raises(BadInput, match="once"):
        board(["m1", "m1"], inside, [outside])
    with pytest.raises(BadInput, match="once"):
        board(["m1"], inside, [inside])


def test_head_and_tail_are_those_of_all_classes_in_distribution(said) -> None:
    inside, outside = Shifted("indoors"), Shifted("outdoors")
    said |= {("m1", "indoors"): 0, ("m1", "outdoors"): 16}
    counts = FrequencyTable("t", "made for a test", "text", {f"key{i}": 10 ** (i + 1) for i in range(5)})
    (found,) = measure("m1", inside, outside, frequency=counts)
    # Only images 16..19 are right, one of each class but the first, which is the rarest.
    shares = {name: value for name, value in found.parts.items() if not name.endswith(("_low", "_high"))}
    assert shares == {"head": 0.25, "torso": 0.25, "tail": 0.0, "id_head": 1.0, "id_torso": 1.0, "id_tail": 1.0}
    assert found.parts["torso_low"] <= 0.25 <= found.parts["torso_high"]
    assert not measure("m1", inside, outside, frequency="none")[0].parts
    (row,) = records([found], "indoors")
    assert row.more["frequency"] == "t"
    again = measured_of(row)
    assert (again.share, again.inside, again.parts) == (found.share, found.inside, found.parts)
    assert records([again], "indoors")[0].as_json() == row.as_json()


def test_frames_give_two_conditions(said, tmp_path) -> None:
    frames = open_set(vid_tree(tmp_path / "vid"))
    said |= {("m1", f"{frames.id}"): 0}
    inside = write_tree(tmp_path / "val", {f"{name}/1.png": encoded() for name in ("airplane", "sea fish", "bear")})
    reference = open_set(inside)
    said["m1", f"{reference.id}#matching={frames.id}"] = 0
    pm0, pm10 = measure("m1", reference, frames)
    assert (pm0.condition, pm10.condition) == (f"{frames.id}_pm0", f"{frames.id}_pm10")
    assert (pm0.share.value, pm10.share.value, pm0.n) == (1.0, 1.0, 2)
    said["m1", frames.id] = 3  # both neighbours and their anchor wrong
    assert measure("m1", reference, frames)[0].share.value == 0.5
    answer = make_answer(frames.labels, [1, 1, 2, 1], keys=frames.keys)
    assert hits(answer, frames).tolist() == [True, True, True, True]  # frame 2 shows classes 0 and 2
    assert hits(make_answer(frames.labels, [1, 1, 1, 1], keys=frames.keys), frames).tolist() == [
        True,
        True,
        False,
        True,
    ]


def picture_of(seed: int, size: int = 96) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    return coarse.resize((size, size), Image.Resampling.BICUBIC)


def test_a_hash_survives_rescaling_and_compression_and_tells_pictures_apart(tmp_path) -> None:
    first = perceptual_hash(picture_of(1))
    picture_of(1, 300).save(tmp_path / "x.jpg", quality=40)
    assert distance(first, perceptual_hash(Image.open(tmp_path / "x.jpg"))) <= 6
    others = [int(distance(first, perceptual_hash(picture_of(seed)))) for seed in range(2, 30)]
    assert min(others) > 10
    assert 24 < np.mean(others) < 40
    assert int(distance(np.uint64(0b1011), np.uint64(0b0001))) == 2


def test_overlap_by_hand_and_lists_of_any_shape() -> None:
    answer = make_answer([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 0], keys=["a", "b", "c"])
    right = answer.top[:, 0] == answer.labels
    found = overlaps.overlap(answer, right, {0, 1, 2})
    assert (found.all.value, found.overlapping.value, found.clean.value) == pytest.approx((4 / 6, 1.0, 1 / 3))
    assert found.gap.value == pytest.approx(2 / 3)
    assert found.gain == pytest.approx(1 / 3)
    assert found.n == {"all": 6, "overlapping": 3, "clean": 3}
    rows = overlaps.records(found, answer.lens, source="list.csv")
    assert [row.condition for row in rows] == ["overlap:all", "overlap:overlapping", "overlap:clean"]
    for nothing in (set(), set(range(6))):
        with pytest.raises(BadInput, match="nothing to compare"):
            overlaps.overlap(answer, right, nothing)

    assert overlaps.read_ids(b"a/1.png\n\na/1.png\nb/2.png\n") == ["a/1.png", "b/2.png"]
    assert overlaps.read_ids(b"score,image\n0.9,a/1.png\n") == ["a/1.png"]
    for bad in (b"", b"\n\n", b"\xff", b"x" * (65 << 20)):
        with pytest.raises(UnreadableData):
            overlaps.read_ids(bad)
    images = FakeImageSet(classes=2, n=4)
    assert overlaps.locate(images, ["key0/0", "/train/key1/3", "nobody"]) == ({0, 3}, ["nobody"])


@pytest.fixture(scope="module")
def tiny_world(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A random model and two folders; three of the shifted pictures are also in the other one."""
    root = tmp_path_factory.mktemp("world")
    for part, seeds in (("val", range(12)), ("shifted", (0, 1, 2, *range(100, 109)))):
        for at, seed in enumerate(seeds):
            target = root / part / f"class {at % 3}" / f"{at}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            picture_of(seed).save(target)
    return f"local-dir:{save(root / 'model')}", root


@pytest.mark.slow
def test_the_command_line_measures_shifts_and_writes_records(tiny_world, tmp_path) -> None:
    model, root = tiny_world
    table = tmp_path / "lines.csv"
    table.write_text("model,val,shifted\na,20,10\nb,40,30\nc,60,50\n", encoding="utf-8")
    arguments = ["robustness", "shifts", model, str(root / "val"), "--shift", str(root / "shifted")]
    out = tmp_path / "r.json"
    done = CliRunner().invoke(app, [*arguments, "--baselines", str(table), "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    rows = read_records(out)
    assert [(row.condition, row.n) for row in rows] == [("clean", 12), (str(root / "shifted"), 12)]
    assert rows[1].reference == "lines.csv"
    assert rows[1].more["fit"]["n"] == 3
    strict = json.loads(out.read_text(encoding="utf-8"))
    assert {"model", "set", "condition", "severity", "units", "prompts", "n", "acc1", "low", "high", "seed"} <= set(
        strict[0]
    )
    bad = CliRunner().invoke(app, [*arguments, "--column", "nonsense"])
    assert "names no columns" in str(bad.exception)


def test_the_command_line_finds_the_pictures_that_both_folders_hold(tiny_world, tmp_path) -> None:
    model, root = tiny_world
    out = tmp_path / "o.json"
    arguments = ["robustness", "overlap", model, str(root / "shifted"), "--out", str(out)]
    done = CliRunner().invoke(app, [*arguments, "--against", str(root / "val")], catch_exceptions=False)
    assert done.exit_code == 0
    assert [row.n for row in read_records(out)] == [12, 3, 9]
    listed = tmp_path / "list.txt"
    listed.write_text("class 0/0.png\nclass 1/1.png\nclass 2/2.png\nnot there\n", encoding="utf-8")
    done = CliRunner().invoke(app, [*arguments, "--list", str(listed)], catch_exceptions=False)
    assert done.exit_code == 0
    assert [row.n for row in read_records(out)] == [12, 3, 9]
    assert "1 listed names are no image" in done.output
    assert "Give --list FILE" in str(CliRunner().invoke(app, arguments).exception)


def test_a_view_embeds_nothing_anew(tmp_path) -> None:
    from cache.matrices import MatrixStore
    from core.datasets.subset import Subset
    from core.evaluation.embed import embed_images
    from tests.fakes import FakeEncoder

    encoder, images = FakeEncoder(), FakeImageSet(classes=4, n=12, broken=[5])
    store = MatrixStore(tmp_path / "m")
    whole = embed_images(encoder, images, store)
    rows = np.array([10, 5, 1])
    view = Subset(
        id="v", parent=images, rows=rows, keys=images.keys, names=images.names, labels=images.labels[rows],
        fingerprint="v", note="",
    )  # fmt: skip
    before = encoder.images_encoded
    found = embed_images(encoder, view, store)
    assert encoder.images_encoded == before == 11
    assert found.rows.tolist() == [0, 2]
    place = whole.rows.tolist()
    np.testing.assert_array_equal(found.vectors, whole.vectors[[place.index(10), place.index(1)]])
    assert [item.item for item in found.left_out] == [images.image_ids[5]]
    everything = embed_images(encoder, replace(view, rows=np.arange(12), labels=images.labels), store)
    assert everything.rows.tolist() == whole.rows.tolist()
    np.testing.assert_array_equal(everything.vectors, whole.vectors)
