"""The command of compositions, with supervised models beside zero-shot ones."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.composition import rivals
from core.composition.pairs import composed as composed_set
from core.composition.pairs import compositions
from core.robustness.records import Record
from core.types import Answer, FrequencyTable, ImageSet, Interval, Report
from tests.answers import make_answer
from tests.fakes import FakeImageSet


@pytest.mark.slow
def test_the_command_line_measures_a_folder_of_compositions(tmp_path: Path):
    """Nine folders, one of them without a known object, under a real (random) model, with a table of counts."""
    from typer.testing import CliRunner

    from core.cli.app import app
    from core.robustness.records import read_records
    from tests import tiny

    rng = np.random.default_rng(0)
    folders = [f"{a} {o}" for a in ("red", "moss covered") for o in ("goldfish", "tench", "garbage truck", "tabby cat")]
    for name in [*folders, "nothing known"]:
        (tmp_path / "ao" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(0, 255, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "ao" / name / f"{number}.png")
    (tmp_path / "pairs.csv").write_text("attribute,object,count\nred,goldfish,9\nmoss covered,tench,0\nred,tench,3\n")
    model = f"local-dir:{tiny.save(tmp_path / 'model')}"
    command = ["composition", model, str(tmp_path / "ao"), "--shots", "1,2", "--seeds", "2"]
    command += ["--frequency", "published:laion400m/integrated_tlemmatized_i0.7", "--counts"]
    found = CliRunner().invoke(app, [*command, str(tmp_path / "pairs.csv"), "--out", str(tmp_path / "out.json")])
    assert found.exit_code == 0, found.output
    assert "nothing known" in found.output
    rows = {}
    for row in read_records(tmp_path / "out.json"):
        rows.setdefault(row.condition, []).append(row)
    whole = rows["composition"][0]
    assert (whole.n, whole.more["candidates"], whole.more["unmatched"]) == (24, 8, 1)
    assert sum(whole.more["errors"].values()) == 24
    assert whole.more["frequency"] == "published:laion400m/integrated_tlemmatized_i0.7"
    assert [whole.more[f"{group}_n"] for group in ("head", "torso", "tail")] == [1, 2, 1]
    average = (whole.more["head"] + 2 * whole.more["torso"] + whole.more["tail"]) / 4
    assert average == pytest.approx(whole.acc1)  # six images of every object
    assert (rows["seen"][0].n, rows["never seen"][0].n) == (6, 3)
    assert {row.more["vectors"] for row in rows["additivity"]} == {"texts", "images"}
    kept = {row.more["vectors"]: row for row in rows["disentanglement"]}
    assert (kept["texts"].n, kept["images"].n) == (8, 24)
    assert 0 <= kept["images"].more["z_diff"]["low"] <= kept["images"].more["z_diff"]["value"] <= 1
    assert {"disentanglement", "completeness", "informativeness", "explicitness"} <= set(kept["images"].more)
    assert [row.n for row in rows["soft rank"]] == [8, 8]
    assert rows["attribute exchanged"][0].n == 24
    assert rows["attribute exchanged"][0].more["chance"] == pytest.approx(3 / 23)
    assert rows["captions"][0].more["captions"] == 12
    assert {(row.more["k"], row.more["method"]) for row in rows["probe"]} == {
        (1, "linear"), (1, "nearest mean"), (2, "linear"), (2, "nearest mean")
    }  # fmt: skip
    assert all(row.low <= row.acc1 <= row.high for row in rows["object"])
    command = ["composition-few-shot", model, str(tmp_path / "ao"), "--also", "supervised:icon-RN,icons-200k"]
    found = CliRunner().invoke(app, [*command, "--shots", "1,2", "--seeds", "2", "--out", str(tmp_path / "few.json")])
    assert found.exit_code == 0, found.output
    few = read_records(tmp_path / "few.json")
    assert {(row.model == model, row.more["head"], row.more["k"]) for row in few} == {
        (True, "zero-shot", 0), *((True, head, k) for head in ("two probes", "mixed") for k in (1, 2)),
        (False, "two probes", 1), (False, "two probes", 2),
    }  # fmt: skip
    held_out = [row for row in few if row.more["group"] == "held out" and row.more["what"] == "composition"]
    # Four objects of two compositions: one of them trains, the three images of the other test.
    assert {row.n for row in held_out} == {12}
    assert {row.more["pictures"] for row in held_out if row.more["k"] == 2} == {8}


def test_supervised_rivals_are_compared_on_the_object_and_on_the_common_line(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [("red", "ant"), ("blue", "ant"), ("red", "bee"), ("blue", "bee"), (None, "cat"), ("red", "cat")]
    pairs = compositions([a for a, _ in words], [o for _, o in words], {name: name for _, name in words})
    images = composed_set(FakeImageSet(n=len(words)), pairs)
    objects = rivals.objects_of(images)
    assert (list(objects.keys), objects.labels.tolist()) == (["ant", "bee", "cat"], [0, 0, 1, 1, 2])

    def answer_for(model: str, asked: ImageSet, report: Report) -> Answer:
        if asked is not objects_seen.get("known"):
            return make_answer([0, 0, 1, 1, 2], [0, 1, 1, 1, 0], keys=["ant", "bee", "cat"])
        return make_answer([0] * 10, [0] * 8 + [1] * 2, keys=["a", "b"])

    objects_seen = {"known": FakeImageSet()}
    monkeypatch.setattr(rivals, "answer_for", answer_for)
    counts = FrequencyTable("t", "made", "text", {"ant": 100, "bee": 10, "cat": 1})
    (row,) = rivals.object_records("timm:x", images, known_set=objects_seen["known"], frequency=counts)
    assert (row.condition, row.n, row.acc1, row.prompts) == ("object", 5, 3 / 5, "supervised")
    assert (row.more["known"]["value"], row.more["known"]["n"]) == (0.8, 10)
    assert (row.more["head"], row.more["torso"], row.more["tail"]) == (0.5, 1.0, 0.0)
    shares = {"a": (0.5, 0.3), "b": (0.7, 0.5), "c": (0.9, 0.6)}
    rows = [
        Record(name, "s", "object", 100, after, after - 0.05, after + 0.05, "simple",
               more={"known": asdict(Interval(before, before - 0.05, before + 0.05))})
        for name, (before, after) in shares.items()
    ]  # fmt: skip
    found = {one.model: one.more["residual"]["value"] for one in rivals.effective_records(rows, "object")}
    x, y = (np.log(np.array(side) / (1 - np.array(side))) for side in zip(*shares.values(), strict=True))
    slope, intercept = np.polyfit(x, y, 1)
    for at, (name, (_, after)) in enumerate(shares.items()):
        assert found[name] == pytest.approx(after - 1 / (1 + np.exp(-(slope * x[at] + intercept))))
    assert rivals.effective_records(rows[:2], "object") == []
