"""Corruption runs: numbers made by hand from faked answers, folders of ImageNet-C, and the command line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.errors import BadInput, Stopped, UnknownName
from core.robustness.committed import committed
from core.robustness.corruptions import findings as corruption_findings
from core.robustness.corruptions import perturbation_run
from core.robustness.corruptions import records as corruption_records
from core.robustness.corruptions.command import Asked, measure
from core.robustness.corruptions.folders import OnDisk, conditions_in
from core.robustness.corruptions.metrics import ALEXNET
from core.robustness.corruptions.run import CLEAN, InMemory, Plan, run
from core.robustness.records import read_records
from core.robustness.tail_first import tail_first, verdict
from core.supervised import ask
from core.types import Answer, Progress
from tests.answers import make_answer
from tests.fakes import FakeImageSet

pytest.importorskip("imagecorruptions")
TWO = Plan(corruptions=("fog", "contrast"), severities=(1, 5))


def silent(_progress: Progress) -> None:
    pass


def wrong_first(view, share: float) -> Answer:
    """The first ``share`` of the images are called the next class."""
    labels, classes = np.asarray(view.labels), len(view.keys)
    wrong = np.arange(len(labels)) < round(share * len(labels))
    said = np.where(wrong, (labels + 1) % classes, labels)
    answer = make_answer(labels.tolist(), said.tolist(), keys=view.keys)
    top = np.stack([(said + step) % classes for step in range(5)], axis=1).astype(np.int32)
    object.__setattr__(answer, "top", top)
    return answer


def shares(model: str, view) -> float:
    """Error of a model by condition: the reference twice that of the other."""
    condition = view.conditions[0] if hasattr(view, "conditions") else "clean"
    own = {"clean": 0.1, "fog 1": 0.2, "fog 5": 0.4, "contrast 1": 0.1, "contrast 5": 0.3}.get(condition, 0.5)
    return min(1.0, own * (2 if "reference" in model else 1))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Answers of known error; the models and sets asked about, in order."""
    seen = []

    def answer_for(model, image_set, *, prompts="simple", report: Callable = silent) -> Answer:
        seen.append(f"{model} {image_set.id}")
        return wrong_first(image_set, shares(model, image_set))

    monkeypatch.setattr(ask, "answer_for", answer_for)
    return seen


def test_records_hold_accuracy_ce_and_mce_of_known_errors(asked: list[str]) -> None:
    images = FakeImageSet(n=60)
    outcomes = run(["own,model", "the,reference"], InMemory(images, TWO), TWO, report=silent)
    reference = corruption_records.reference_of(outcomes["the,reference"])
    found = corruption_records.records({"own,model": outcomes["own,model"]}, set_id="s", seed=0, reference=reference)
    by = {(one.condition, one.severity): one for one in found}
    assert by["clean", None].acc1 == pytest.approx(0.9)
    assert by["fog", 5].acc1 == pytest.approx(0.6)
    assert by["fog", 1].n == 60
    # Half of the reference's errors everywhere; above clean (0.2 + 0.4 - 0.2) / (0.4 + 0.8 - 0.4).
    assert by["fog", 1].more["ce"] == pytest.approx(50)
    assert by["contrast", 5].more["relative_ce"] == pytest.approx(50)
    assert by["fog", 5].more["flip"] == pytest.approx(0.3)  # the clean tenth is wrong in the same way
    total = by[corruption_records.ALL, None]
    assert total.more["mce"] == pytest.approx(50)
    assert total.more["relative_mce"] == pytest.approx(50)
    assert total.more["relative_over"] == 2
    assert not total.more["complete"]
    assert total.acc1 == pytest.approx(1 - (0.2 + 0.4 + 0.1 + 0.3) / 4)
    assert {one.reference for one in found} == {"the,reference"}
    assert by["fog", 5].as_json()["source"].startswith("in memory")


def test_the_reference_against_itself_is_100(asked: list[str]) -> None:
    outcomes = run(["the,reference"], InMemory(FakeImageSet(n=60), TWO), TWO, report=silent)
    found = corruption_records.records(
        outcomes, set_id="s", seed=0, reference=corruption_records.reference_of(outcomes["the,reference"])
    )
    assert found[-1].more["mce"] == pytest.approx(100)
    assert found[-1].more["relative_mce"] == pytest.approx(100)


def test_published_alexnet_is_no_reference_for_other_severities(asked: list[str]) -> None:
    outcomes = run(["own,model"], InMemory(FakeImageSet(), TWO), TWO, report=silent)
    found = corruption_records.records(outcomes, set_id="s", seed=0, reference=ALEXNET)
    assert math.isnan(found[-1].more["mce"])
    assert found[0].reference is None


def test_a_run_stops_between_conditions_and_asks_all_models_about_one_corruption_first(asked: list[str]) -> None:
    def stop_at_third(progress: Progress) -> None:
        if progress.done == 3:
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        run(["a,a", "b,b"], InMemory(FakeImageSet(), TWO), TWO, report=stop_at_third)
    assert [line.split(" ")[0] for line in asked] == ["a,a", "b,b", "a,a"]


def test_unreadable_images_are_left_out_of_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(model, image_set, *, prompts, report) -> Answer:
        answer = wrong_first(image_set, 0)
        object.__setattr__(answer, "rows", np.arange(2, 30))
        object.__setattr__(answer, "top", answer.top[2:])
        return answer

    monkeypatch.setattr(ask, "answer_for", some)
    outcome = run(["a,a"], InMemory(FakeImageSet(), TWO), TWO, report=silent)["a,a"]
    assert len(outcome.right(CLEAN)) == 28
    assert outcome.error(CLEAN) == 0


@pytest.mark.parametrize(
    "wrong", [{"corruptions": ("rain",)}, {"severities": (6,)}, {"per_class": 0}, {"corruptions": ()}]
)
def test_plans_that_cannot_be_measured_are_refused(wrong: dict) -> None:
    with pytest.raises(BadInput):
        Plan(**wrong)


def test_the_tail_keeps_less_by_hand() -> None:
    keys = [f"k{i}" for i in range(60)]
    tags = {key: "head" if i < 30 else "tail" for i, key in enumerate(keys)}
    clean = np.array([0.9] * 30 + [0.5] * 30)
    after = np.array([0.6] * 30 + [0.1] * 30)
    found = tail_first(clean, after, keys, tags)
    assert found.kept["head"].value == pytest.approx(2 / 3)
    assert found.kept["tail"].value == pytest.approx(0.2)
    assert found.kept_gap.value == pytest.approx(2 / 3 - 0.2)
    assert found.drop_gap.value == pytest.approx(0.4 - 0.3)
    assert verdict(found.kept_gap) == "tail"
    assert tail_first(clean, after, keys, {}) is None


def test_a_tail_that_was_hardly_ever_right_has_no_share_to_keep() -> None:
    keys = [f"k{i}" for i in range(60)]
    tags = {key: "head" if i < 30 else "tail" for i, key in enumerate(keys)}
    found = tail_first(np.array([0.9] * 30 + [0.1] * 30), np.array([0.6] * 30 + [0.2] * 30), keys, tags)
    assert math.isnan(found.kept["tail"].value)
    assert math.isnan(found.kept_gap.value)
    assert verdict(found.kept_gap) == "neither"
    assert found.drop_gap.value == pytest.approx(-0.1 - 0.3)


def test_head_and_tail_that_keep_alike_differ_by_no_more_than_noise() -> None:
    rng = np.random.default_rng(0)
    keys = [f"k{i}" for i in range(200)]
    tags = {key: "head" if i < 100 else "tail" for i, key in enumerate(keys)}
    clean = np.concatenate([rng.binomial(10, 0.9, 100), rng.binomial(10, 0.5, 100)]) / 10
    after = np.concatenate([rng.binomial(10, 0.45, 100), rng.binomial(10, 0.25, 100)]) / 10
    found = tail_first(clean, after, keys, tags)
    assert found.kept_gap.low < 0 < found.kept_gap.high
    assert verdict(found.kept_gap) == "neither"


def test_sequences_count_flips_against_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    def flipping(model, view, *, prompts, report) -> Answer:
        answer = wrong_first(view, 0)
        frames = np.arange(len(view.labels)) % 31
        odd = frames % (2 if "reference" in model else 4) == 1
        top = np.where(odd[:, None], (answer.top + 1) % len(view.keys), answer.top)
        object.__setattr__(answer, "top", top)
        return answer

    monkeypatch.setattr(ask, "answer_for", flipping)
    watched = perturbation_run.watch(
        ["own,model", "the,reference"],
        FakeImageSet(),
        perturbations=("rotate", "gaussian_noise"),
        most=3,
        report=silent,
    )
    found = perturbation_run.records(watched, set_id="s", seed=0, reference="the,reference", tags={})
    own = {one.condition: one for one in found if one.model == "own,model"}
    # Frames 1, 5, ..., 29 of 31 differ: 16 changes to the frame before, or 8 differences from the first.
    assert own["rotate sequence"].more["flip"] == pytest.approx(16 / 30)
    assert own["gaussian_noise sequence"].more["flip"] == pytest.approx(8 / 30)
    assert own["rotate sequence"].n == 3
    assert own["rotate sequence"].more["flip_rate"] == pytest.approx(100 * 16 / 30)
    assert own[perturbation_run.ALL].more["mfp"] == pytest.approx(12 / 30)
    theirs = [one for one in found if one.model == "the,reference"][-1]
    assert theirs.more["mfr"] == pytest.approx(100)
    assert theirs.more["mt5d"] == pytest.approx(100)


def tree(root: Path, *, severities=(1, 2, 3, 4, 5), classes=("n01", "n02")) -> Path:
    for severity in severities:
        for label, name in enumerate(classes):
            folder = root / "fog" / str(severity) / name
            folder.mkdir(parents=True)
            for number in range(2):
                Image.new("RGB", (32, 32), (10 * severity, 100 * label, number)).save(folder / f"{number}.png")
    return root


def test_a_tree_of_imagenet_c_is_found_and_measured_without_any_corruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path / "c")
    assert list(conditions_in(root)) == [("fog", severity) for severity in range(1, 6)]
    assert conditions_in(tmp_path / "c" / "fog") == {}
    sizes = []

    def answer_for(model, view, *, prompts, report) -> Answer:
        sizes.append(view.image(0).size)
        return wrong_first(view, 0.5)

    monkeypatch.setattr(ask, "answer_for", answer_for)
    found = measure(Asked(models=("a,a",), image_set=str(root), plan=Plan(), reference="alexnet"), report=silent)
    assert [one.severity for one in found] == [1, 2, 3, 4, 5, None]
    assert found[0].more["source"] == "files on disk"
    assert found[0].more["ce"] == pytest.approx(100 * 0.5 / ALEXNET.errors["fog"])
    assert set(sizes) == {(32, 32)}


def test_a_tree_with_other_images_in_one_condition_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path / "c")
    (root / "fog" / "3" / "n02" / "1.png").unlink()
    with pytest.raises(BadInput, match="other images"):
        OnDisk(root, Plan())
    with pytest.raises(BadInput, match="none of the conditions to measure"):
        OnDisk(root, Plan(corruptions=("snow",)))


def test_references_are_alexnet_a_model_or_a_clear_refusal() -> None:
    assert corruption_records.reference_named("AlexNet") is ALEXNET
    assert corruption_records.reference_named("supervised:icon-reference") is None
    with pytest.raises(UnknownName, match="no reference"):
        corruption_records.reference_named("resnet")
    assert corruption_records.default_reference("icons", ["a"]) == "supervised:icon-reference"
    assert corruption_records.default_reference("/val", [f"n{i:08d}" for i in range(1000)]) == "alexnet"
    assert corruption_records.default_reference("/photos", ["cat"]) is None


@pytest.mark.slow
def test_the_command_writes_records(asked: list[str], tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    line = ["robustness", "corruptions", "icon-RN,icons-10k", "icons", "--per-class", "1", "--corruption", "fog"]
    line += ["--severity", "1", "--severity", "5", "--reference", "icon-RN,icons-200k", "--out", str(out)]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    found = read_records(out)
    assert [(one.condition, one.severity) for one in found] == [
        ("clean", None), ("fog", 1), ("fog", 5), (corruption_records.ALL, None)
    ]  # fmt: skip
    assert {one.model for one in found} == {"icon-RN,icons-10k"}
    assert found[1].more["ce"] == pytest.approx(100)
    assert (found[1].more["head_n"], found[1].more["tail_n"]) == (121, 254)  # the 254 icons never drawn are one tail
    assert found[-1].more["kept_gap"] is not None
    row = json.loads(out.read_text())[1]
    assert {"model", "set", "condition", "severity", "n", "acc1", "low", "high", "reference", "seed", "ce"} <= set(row)


def test_the_documented_table_is_the_committed_one() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "CORRUPTIONS.md").read_text(encoding="utf-8")
    records = committed("icons", corruption_findings.TABLE)
    models = list(dict.fromkeys(one.model for one in records))
    assert len(models) >= 6
    for model in models:
        own = corruption_findings.of_model(records, model, "simple")
        whole, before = corruption_findings.total(own), corruption_findings.clean(own)
        row = f"| `{model}` | {100 * before.acc1:.1f} | {100 * whole.acc1:.1f} ("
        assert row in page
        assert f"| {whole.more['mce']:.1f} |" in page[page.index(row) :].partition("\n")[0]
    reference = [one for one in records if one.model == corruption_records.ICON_REFERENCE]
    assert corruption_findings.total(reference).more["mce"] == pytest.approx(100)
