"""Attacks on a real (tiny) open_clip model: what is counted, what is kept, what is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from core.cli.app import app
from core.datasets.sampling import sample_rows
from core.errors import BadInput, Stopped, UnknownName
from core.robustness.attacks import ATTACKS, find, settings_of
from core.robustness.attacks.figures import guard, median, on_grid, shares
from core.robustness.attacks.findings import DIRECT
from core.robustness.attacks.plan import Plan
from core.robustness.attacks.run import Question, attack_records, estimate, transfer_records
from core.robustness.attacks.runner import BATCH, TOP, AttackRunner
from core.robustness.attacks.typographic import overlay
from core.robustness.committed import committed
from core.robustness.records import read_records, write_records
from core.runtime import estimates
from core.types import FrequencyTable, Progress
from tests.fakes import FakeImageSet
from tests.tiny import RESNET, save

N = BATCH + 6


class Noise(FakeImageSet):
    """Smooth random pictures; the labels are given once the model has been asked."""

    def image(self, index: int) -> Image.Image:
        super().image(index)
        rng = np.random.default_rng(index)
        return Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((32, 32), Image.BICUBIC)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{save(tmp_path_factory.mktemp('tiny') / 'a', RESNET)}"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"local-dir:{save(tmp_path_factory.mktemp('tiny') / 'b', RESNET, seed=1)}"


@pytest.fixture
def images(model: str) -> Noise:
    """Labels are what the model says, but for every fifth image."""
    found = Noise(classes=10, n=N)
    said = AttackRunner(model, found, np.arange(N)).clean()["said"]
    found.labels = np.where(np.arange(N) % 5 == 0, (said + 1) % 10, said)
    return found


@pytest.mark.slow
def test_time_is_estimated_for_what_is_not_attacked_yet(model: str, other: str, images: Noise) -> None:
    question = Question(images, n=N, attacks=("fgsm", "bim", "letters"), eps=(1.0, 2.0), guarded=False)
    bench = AttackRunner(model, images, question.rows())
    found = estimate([(model, "simple")], question)
    assert found is not None
    assert found.units == 5 * N  # two attacks at two strengths, and the letters
    gradients = bench._passes()  # kept from the calibration
    assert found.seconds == pytest.approx(N * (2 * (1 + 10) + 1) / gradients)  # FGSM asks once, BIM ten times
    bench.attacked(question.plan("bim", 1.0))
    bench.written(question.plan("letters", None))
    for attack, rate in (("fgsm", 0.5), ("bim", 0.25)):  # as measured on long runs
        estimates.remember(bench._work(question.plan(attack, 1.0)), rate)
    left = estimate([(model, "simple")], question)
    assert left is not None
    assert left.units == 3 * N
    assert left.seconds == pytest.approx(2 * N / 0.5 + N / 0.25)
    bench.attacked(question.plan("bim", 2.0))
    assert estimate([(model, "simple")], replace(question, attacks=("bim",))) is None
    both, fast = [(model, "simple"), (other, "simple")], replace(question, attacks=("fgsm",), eps=(1.0,))
    crafted = estimate(both, fast, surrogates=[model], direct=False)
    assert crafted is not None
    assert crafted.units == 3 * N  # for the other model, and noise on both
    others = [AttackRunner(one, images, question.rows())._passes() for one in (model, other)]
    assert crafted.seconds == pytest.approx(N / 0.5 + sum(N / rate for rate in others))
    transfer_records([model, other], fast, surrogates=[model])
    assert estimate(both, fast, surrogates=[model], direct=False) is None


@pytest.mark.slow
def test_counts_of_any_source_tell_head_from_tail(model: str, images: Noise) -> None:
    shown = np.unique(images.labels)
    order = [shown[0], *(at for at in range(10) if at not in (shown[0], shown[-1])), shown[-1]]  # rarest first
    counts = FrequencyTable("t", "made", "text", {images.keys[at]: 10**place for place, at in enumerate(order)})
    own = {"tail": order[:2], "head": order[-2:]}
    question = Question(images, n=N, attacks=("fgsm",), eps=(1.0,), frequency=counts)
    clean, attacked = attack_records(model, question)
    for row in (clean, attacked):
        assert row.more["frequency"] == "t"
        for part, keys in own.items():
            assert row.more[f"{part}_n"] == np.isin(images.labels, keys).sum()
    for part, keys in own.items():
        inside = np.isin(images.labels, keys)
        assert clean.more[part] == pytest.approx((inside & (np.arange(N) % 5 != 0)).sum() / inside.sum())
    assert "head" not in attack_records(model, Question(images, n=N, attacks=("fgsm",), eps=(1.0,)))[0].more


@pytest.mark.slow
def test_robust_accuracy_counts_images_that_are_right_before_and_after(model: str, images: Noise) -> None:
    question = Question(images, n=N, attacks=("bim", "typographic"), eps=(0.25, 24.0), bisect=("bim",))
    clean, weak, strong, *_, written = attack_records(model, question)
    right = int((np.arange(N) % 5 != 0).sum())
    assert (clean.condition, clean.acc1, clean.n) == ("clean", right / N, N)
    assert clean.acc1 >= weak.acc1 > strong.acc1
    for one in (weak, strong):
        assert one.more["clean"] == clean.acc1
        assert one.more["clean_right"] == right
        assert one.acc1 == pytest.approx(clean.acc1 - one.more["success"] * right / N)
        assert one.more["margin_acc1"] <= one.acc1
        assert one.units == "pixel/255"
    assert written.eps is None
    assert 0 <= written.more["said_word"] <= 1


@pytest.mark.slow
def test_a_loss_is_climbed_by_the_attacks_that_can(model: str, images: Noise) -> None:
    question = Question(images, n=4, attacks=("fgsm", "apgd", "deepfool"), eps=(2.0,), loss="dlr")
    assert [one.more["loss"] for one in attack_records(model, question)[1:]] == ["ce", "dlr", "logits"]


@pytest.mark.slow
def test_minimal_eps_is_where_the_attack_begins_to_succeed(model: str, images: Noise) -> None:
    bench = AttackRunner(model, images, np.arange(N))
    plan = Plan("bim", 1.0)
    needed = bench.minimal(plan)["eps"]
    assert np.isnan(needed).tolist() == (np.arange(N) % 5 == 0).tolist()
    reachable = np.isfinite(needed)
    assert reachable.any()
    at_median = float(np.median(needed[reachable]))
    after = bench.attacked(Plan("bim", at_median))
    broken = after["said"] != after["labels"]
    assert (broken == (needed <= at_median))[reachable].mean() >= 0.9  # a signed attack is not quite monotone in ε
    nearest = bench.minimal(Plan("deepfool", 1.0))["eps"]
    assert needed[reachable].max() <= TOP
    assert np.nanmedian(nearest[reachable]) == pytest.approx(at_median, rel=0.6)


def test_normalised_units_are_smaller_by_the_standard_deviation(model: str, images: Noise) -> None:
    bench = AttackRunner(model, images, np.arange(4))
    x, _, _ = bench.batch(0)
    for units, factor in (("pixel", (1, 1, 1)), ("normalised", (0.2, 0.25, 0.3))):
        change = (bench.perturbed(Plan("fgsm", 2.0, units), 0) - x).abs().amax((0, 2, 3))
        assert (255 * change).tolist() == pytest.approx([2 * part for part in factor], abs=1e-3)


def test_what_was_answered_is_not_asked_again_and_a_stopped_run_goes_on(
    model: str, images: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, rows = Plan("fgsm", 2.0), np.arange(N)

    def stop(progress: Progress) -> None:
        if progress.done:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        AttackRunner(model, images, rows, report=stop).attacked(plan)
    asked = []
    watched = AttackRunner(model, images, rows)
    original = watched.perturbed
    monkeypatch.setattr(watched, "perturbed", lambda *given: asked.append(given[1]) or original(*given))
    first = watched.attacked(plan)
    assert asked == [BATCH]  # the first batch was kept
    again = AttackRunner(model, images, rows)
    second = again.attacked(plan)
    assert again._scorer is None
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.slow
def test_pixels_crafted_elsewhere_are_judged_here(model: str, other: str, images: Noise) -> None:
    question = Question(images, n=N, attacks=("bim", "deepfool"), eps=(24.0,))
    found = transfer_records([model, other], question)
    noise = [one for one in found if one.condition == "noise"]
    assert [one.model for one in noise] == [model, other]
    assert [(one.more["surrogate"], one.model) for one in found[:2]] == [(model, other), (other, model)]
    assert len(found) == 4
    direct = attack_records(model, Question(images, n=N, attacks=("bim",), eps=(24.0,)))[1]
    assert direct.acc1 <= found[1].acc1 <= direct.more["clean"]


@pytest.mark.parametrize("attack", ["nes", "spsa", "noise"])
def test_what_is_asked_beside_an_image_changes_nothing_where_draws_are_its_own(
    attack: str, model: str, images: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"alpha": 0.15, "queries": 4, "steps": 2, "sigma": 1e-3} if attack != "noise" else {}
    monkeypatch.setattr("core.robustness.attacks.settings_of", lambda *asked: settings)
    together, turned, alone = (AttackRunner(model, images, rows) for rows in ([1, 2, 3], [3, 2, 1], [2]))
    of_all, of_turned, of_one = (one.perturbed(Plan(attack, 2.0), 0) for one in (together, turned, alone))
    assert torch.equal(of_all[1], of_one[0])
    assert torch.equal(of_all, of_turned.flip(0))
    chosen = together.perturbed(Plan(attack, 2.0), 0, torch.tensor([False, True, True]))
    assert torch.equal(chosen, of_all[1:])
    moved = [one.perturbed(Plan(attack, 2.0, seed=seed), 0) for seed in (0, 1) for one in (alone,)]
    assert not torch.equal(*moved)


def test_the_control_writes_as_much_and_names_nothing(
    model: str, images: Noise, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def watched(pixels: np.ndarray, text: str, **options: object) -> tuple[np.ndarray, int]:
        drawn.append((text, options))
        return overlay(pixels, text, **options)

    monkeypatch.setattr("core.robustness.attacks.runner.overlay", watched)
    bench = AttackRunner(model, images, np.arange(4))
    words = bench.written(Plan("typographic"))["word"]
    assert (bench.written(Plan("letters"))["word"] == words).all()
    for row in range(4):
        (word, as_word), (letters, as_letters) = drawn[row], drawn[row + 4]
        assert word == images.names[words[row]]
        assert len(letters) == len(word)
        assert letters not in images.names
        assert as_letters == as_word


@pytest.mark.slow
def test_unreadable_images_are_left_out(model: str, images: Noise) -> None:
    images.broken = {1}
    assert attack_records(model, Question(images, n=N, attacks=("fgsm",), eps=(1.0,)))[1].n == N - 1


def test_the_sample_is_even_seeded_and_grows() -> None:
    labels = np.repeat(np.arange(7), 5)
    twelve = sample_rows(labels, 12, seed=1)
    assert set(np.bincount(labels[twelve], minlength=7).tolist()) == {1, 2}
    assert sample_rows(labels, 20, seed=1)[:12].tolist() == twelve.tolist()
    assert sample_rows(labels, 12, seed=2).tolist() != twelve.tolist()
    assert sorted(sample_rows(labels, 99).tolist()) == list(range(35))
    assert len(sample_rows(np.array([-1, 0, 1]), 9)) == 2


def test_figures_by_hand() -> None:
    clean, right = np.array([1, 1, 1, 1, 0], bool), np.array([1, 0, 0, 0, 0], bool)
    found = shares(clean, right)
    assert (found["clean"], found["clean_right"], found["success"]) == (0.8, 4, 0.75)
    unattacked = {"said": np.array([0, 0, 0, 1]), "labels": np.zeros(4, int)}
    weak, strong = ({"said": np.array(said), "labels": np.zeros(4, int)} for said in ([0, 0, 1, 1], [0, 1, 1, 1]))
    needed = on_grid(unattacked, [weak, strong], (1.0, 2.0))
    assert needed[:3].tolist() == [np.inf, 2.0, 1.0]
    assert np.isnan(needed[3])
    assert median(needed) == {"minimal_eps": 2.0, "unbroken": 1}
    assert median(np.array([np.inf, np.inf, 1.0]))["minimal_eps"] is None
    assert median(np.array([np.nan]))["minimal_eps"] is None


def test_masking_is_warned_of() -> None:
    labels = np.zeros(40, int)
    clean = right = np.ones(40, bool)
    fine = {"saturated": np.zeros(40, bool), "flat": np.zeros(40, bool)}
    sure = {**fine, "saturated": np.arange(40) < 4}
    assert guard(fine, clean, right, {"said": labels, "labels": labels})["warning"] is None
    assert "10 %" in guard(sure, clean, right, {"said": labels, "labels": labels})["warning"]
    fooled = {"said": labels, "labels": labels, "margin_said": (np.arange(40) < 5).astype(int)}
    found = guard(fine, clean, right, fooled)
    assert found["margin_acc1"] == 35 / 40
    assert "5 more of 40" in found["warning"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"attacks": ("cw",)}, "No attack is called"),
        ({"eps": (0.0,)}, "255ths"),
        ({"eps": (float("nan"),)}, "255ths"),
        ({"presets": {"bim": "mine"}}, "no preset"),
        ({"attacks": ()}, "at least one"),
    ],
)
def test_what_cannot_be_asked_is_told(options: dict, told: str) -> None:
    with pytest.raises((BadInput, UnknownName), match=told):
        Question(FakeImageSet(), **options)


def test_one_class_cannot_be_attacked() -> None:
    with pytest.raises(BadInput, match="another one"):
        AttackRunner("icon-RN,icons-10k", FakeImageSet(classes=1), [0])


@pytest.mark.slow
def test_the_command_writes_what_a_rerun_reads(tmp_path: Path) -> None:
    out = tmp_path / "attacks.json"
    command = [
        "robustness", "attacks", "icon-RN,icons-200k", "icons", "--n", "6", "--attack", "fgsm", "--attack", "mim",
        "--eps", "2", "--surrogate", "icon-RN,icons-50k", "--out", str(out),
    ]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    rows = json.loads(out.read_text())
    assert [(row["condition"], row.get("surrogate")) for row in rows] == [
        ("clean", None), ("fgsm", None), ("mim", None), ("fgsm", "icon-RN,icons-50k"), ("mim", "icon-RN,icons-50k"),
        ("noise", None),
    ]  # fmt: skip
    again = tmp_path / "again.json"
    write_records(read_records(out), again)
    assert again.read_text() == out.read_text()
    assert {"model", "set", "condition", "severity", "eps", "units", "prompts", "n", "acc1", "low", "high"} <= set(
        rows[1]
    )
    assert "mim" in done.output


def test_the_bench_gives_float32_pixels_in_the_box(model: str, images: Noise) -> None:
    x, _, rows = AttackRunner(model, images, [3, 1]).batch(0)
    assert x.dtype == torch.float32
    assert 0 <= float(x.min()) <= float(x.max()) <= 1
    assert rows.tolist() == [3, 1]


@pytest.mark.parametrize("table", [*DIRECT, "attacks-prompts", "attacks-tail", "attacks-transfer"])
def test_the_tables_that_ship_say_what_they_may(table: str) -> None:
    records = committed("icons", table)
    assert records
    for one in records:
        assert one.low <= one.acc1 <= one.high
        assert one.acc1 <= one.more["clean"]
        assert one.acc1 == pytest.approx((1 - (one.more["success"] or 0)) * one.more["clean_right"] / one.n)
        assert one.condition in ("clean", *ATTACKS)
        assert (one.eps is None) == (one.condition in ("clean", "typographic", "letters"))
        assert one.condition == "clean" or one.more["settings"] == settings_of(find(one.condition), one.more["preset"])
