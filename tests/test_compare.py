"""Lenses side by side: summaries, paired tests and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

from core.analysis import compare as comparing
from core.cli.app import app
from core.errors import BadInput
from core.evaluation import evaluate as evaluation
from core.models import registry as models
from core.models.weights import Found
from core.stats.calibration import ece, reliability
from core.stats.intervals import wilson
from core.stats.paired import class_difference, holm, mcnemar, mean_change, pair, sign_flips
from core.types import FrequencyTable, Interval
from tests.answers import make_answer
from tests.fakes import FakeEncoder, FakeImageSet

KEYS = tuple("abcdefghij")


def simulated(rng: np.random.Generator, *, gain: float = 0.0, classes: int = 60, n: int = 10):
    """Two answers whose true mean class difference is ``gain``: classes differ, and images of one class go together."""
    base = rng.beta(2, 2, classes)
    shift = np.clip(base + gain + rng.normal(0, 0.15, classes), 0, 1)
    labels = np.repeat(np.arange(classes), n)
    keys = [str(i) for i in range(classes)]
    said = [np.where(rng.random(len(labels)) < p[labels], labels, (labels + 1) % classes) for p in (base, shift)]
    return *(make_answer(labels, one, keys=keys) for one in said), float((shift - base).mean())


@pytest.mark.parametrize(("fixed", "broken"), [(0, 0), (1, 0), (3, 9), (9, 3), (8, 8), (40, 61), (500, 400), (0, 90)])
def test_mcnemar_is_the_exact_binomial_test(fixed, broken):
    expected = binomtest(fixed, fixed + broken).pvalue if fixed + broken else 1.0
    assert mcnemar(fixed, broken) == pytest.approx(expected, rel=1e-9)


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04: times 4, 3, 2, 1, never falling.
    for order in permutations((0.01, 0.02, 0.03, 0.04)):
        expected = {0.01: 0.04, 0.02: 0.06, 0.03: 0.06, 0.04: 0.06}
        assert holm(order) == pytest.approx([expected[p] for p in order])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.slow
def test_the_interval_over_classes_covers_as_it_says():
    rng = np.random.default_rng(5)
    covered = []
    for trial in range(250):
        a, b, _ = simulated(rng, gain=0.03)
        # Clipping makes the mean shift of the superpopulation slightly less than the gain: simulate it once, large.
        covered.append((a, b, trial))
    truth = np.mean([simulated(rng, gain=0.03, classes=4000, n=1)[2] for _ in range(40)])
    inside = [(found := class_difference(pair(a, b), seed=trial)).low <= truth <= found.high for a, b, trial in covered]
    assert 0.90 <= np.mean(inside) <= 0.99


def test_the_difference_is_the_mean_over_classes():
    a = make_answer([0, 0, 0, 1, 2], [0, 1, 1, 1, 0], keys="abcd")
    b = make_answer([0, 0, 0, 1, 2], [0, 0, 1, 0, 0], keys="abcd")
    found = class_difference(pair(a, b))
    assert found.value == pytest.approx(((2 / 3 - 1 / 3) + (0 - 1) + 0) / 3)
    assert found.low <= found.value <= found.high


def test_only_shared_images_are_compared():
    a = make_answer([0, 0, 1, 1], [0, 1, 1, 0], keys="ab")
    b = make_answer([0, 0, 1, 1], [0, 0, 0, 0], keys="ab")
    some = np.array([0, 1, 3])
    b = replace(b, rows=b.rows[some], labels=b.labels[some], top=b.top[some], margin=b.margin[some])
    found = pair(a, b)
    assert found.rows.tolist() == [0, 1, 3]
    assert (found.fixed.tolist(), found.broken.tolist()) == ([False, True, False], [False] * 3)
    with pytest.raises(BadInput, match="same images"):
        pair(a, make_answer([0, 1], [0, 1], keys="xy"))
    with pytest.raises(BadInput, match="labels"):
        pair(a, make_answer([1, 0, 1, 1], [0, 0, 0, 0], keys="ab"))


def test_a_comparison_by_hand():
    labels = np.repeat(np.arange(10), 2)
    wrong = (labels + 1) % 10
    a = make_answer(labels, np.where(np.arange(20) % 2, labels, wrong), keys=KEYS)
    b = make_answer(labels, np.where(np.arange(20) < 6, wrong, labels), keys=KEYS)
    table = FrequencyTable("counts", "", "image", {key: 10 * i for i, key in enumerate(KEYS)})
    found = comparing.compare({"A": a, "B": b}, tables={"B": table})
    assert found.lenses["A"].acc1 == 0.5
    assert np.isnan(found.lenses["A"].tail)
    two = found.lenses["B"]
    assert (two.acc1, two.tail, two.torso, two.head) == (0.7, 0.0, pytest.approx(5 / 6), 1.0)
    assert two.margin == pytest.approx(0.1 * 0.7 - 0.1 * 0.3, abs=1e-7)
    assert two.ece == pytest.approx(0.3)  # always sure, right 70 % of the time
    (pair_found,) = found.pairs
    assert sorted(pair_found.fixed) == [6, 8, 10, 12, 14, 16, 18]
    assert sorted(pair_found.broken) == [1, 3, 5]
    assert pair_found.delta.value == pytest.approx(0.2)
    assert pair_found.p == pair_found.p_holm == pytest.approx(binomtest(3, 10).pvalue)
    assert "may be noise" in comparing.headline(pair_found, names={"A": "one", "B": "two"})
    changes = comparing.class_changes(a, b)
    assert [one.change for one in changes] == sorted(one.change for one in changes)
    assert (changes[0].key, changes[0].before, changes[0].after, changes[0].n) == ("a", 0.5, 0.0, 2)
    result = comparing.as_json(found, [f"image {i}" for i in range(20)])
    assert set(result["lenses"]["A"]) >= {"acc1", "mean_per_class_recall", "head", "torso", "tail", "ece", "margin"}
    assert "image 6" in result["pairs"][0]["fixed"]
    assert result["pairs"][0]["mcnemar"] == {"b01": 7, "b10": 3, "p": pair_found.p}


def test_a_clear_difference_is_called_one():
    a, b, _ = simulated(np.random.default_rng(1), gain=0.3)
    (found,) = comparing.compare({"A": a, "B": b}).pairs
    assert found.delta.low > 0
    assert comparing.headline(found).startswith("B is ")
    assert "after Holm" in comparing.headline(found)
    (same,) = comparing.compare({"A": a, "again": a}).pairs
    assert comparing.headline(same) == "again and A answer all 600 images alike."
    assert (same.p, same.delta.value, len(same.fixed)) == (1.0, 0.0, 0)


def _verdict(delta: Interval, p_holm: float) -> str:
    found = comparing.compare(dict(zip("AB", simulated(np.random.default_rng(0), gain=0.1)[:2], strict=True))).pairs[0]
    return comparing.headline(replace(found, delta=delta, p_holm=p_holm))


def test_a_verdict_agrees_with_its_test_or_says_why_not():
    assert _verdict(Interval(0.02, 0.01, 0.03), 0.001).endswith("p = 0.001 after Holm).")
    assert "which may be noise" in _verdict(Interval(0.02, -0.01, 0.03), 0.2)
    by_images = _verdict(Interval(-0.011, -0.023, 0.0015), 0.0004)
    assert "noise" not in by_images
    assert "p < 0.001" in by_images
    assert "More images change one way than chance allows, but classes differ so much" in by_images
    by_classes = _verdict(Interval(0.02, 0.01, 0.03), 0.2)
    assert "but not more images than chance allows" in by_classes


def test_no_change_has_an_interval_of_its_own():
    reach = wilson(0, 30).high
    assert mean_change(np.zeros(30)) == Interval(0.0, -reach, reach)
    up, down = mean_change(np.full(30, 0.2)), mean_change(np.full(30, -0.2))
    assert up.low < 0.2 < up.high
    assert (down.low, down.high) == (-up.high, -up.low)


def test_random_signs_are_the_exact_test_of_few_classes():
    rng = np.random.default_rng(1)
    changes = rng.normal(0.03, 0.05, 10)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1)
    exact = np.mean(np.abs(changes @ signs) >= abs(changes.sum()) - 1e-12)
    assert sign_flips(changes) == pytest.approx(exact, abs=0.01)
    assert sign_flips(np.r_[changes, np.zeros(50)]) == pytest.approx(exact, abs=0.01)
    assert sign_flips(np.zeros(5)) == 1


def test_three_lenses_make_three_pairs_and_five_are_too_many():
    a, b, _ = simulated(np.random.default_rng(2))
    found = comparing.compare({"A": a, "B": b, "C": b})
    assert [(one.a, one.b) for one in found.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    assert all(one.p_holm >= one.p for one in found.pairs)
    with pytest.raises(BadInput, match="one to 4"):
        comparing.compare({str(i): a for i in range(5)})


def test_calibration_by_hand():
    bins = reliability(np.array([0.05, 0.1, 0.55, 0.6, 1.0]), np.array([False, True, True, False, True]), bins=10)
    assert [(part.low, part.high, part.n) for part in bins] == [(0.0, 0.1, 2), (0.5, 0.6, 2), (0.9, 1.0, 1)]
    assert ece(bins) == pytest.approx(2 / 5 * abs(0.5 - 0.075) + 2 / 5 * abs(0.5 - 0.575) + 0)
    assert np.isnan(ece(()))


@pytest.fixture
def fake_world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The command line on a fake encoder and a fake image set."""
    fake, file, images = FakeEncoder(), tmp_path / "weights.bin", FakeImageSet()
    file.write_bytes(b"weights")
    fake.fingerprint |= {"config": "c", "preprocessing": {}, "tokenizer": {}, "precision": "float32"}
    monkeypatch.setattr(evaluation, "encoders", lambda: SimpleNamespace(get=lambda *_: fake))
    monkeypatch.setattr(models, "find", lambda _: Found(file))
    monkeypatch.setattr(models, "canonical", lambda text: text)
    monkeypatch.setattr("core.datasets.open_set", lambda *_, **__: images)
    yield fake
    evaluation._matrices.cache_clear()
    evaluation._results.cache_clear()


@pytest.mark.slow
def test_the_command_writes_the_agreed_json(fake_world: FakeEncoder, tmp_path: Path):
    out = tmp_path / "c.json"
    done = CliRunner().invoke(
        app, ["compare", "fake,fake", "fake-6-30", "--prompts", "class", "--prompts", "{c} x", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert "fixed" in done.output
    found = json.loads(out.read_text())
    first, second = found["lenses"]
    assert (first, second) == ("fake,fake::fake-6-30::class", "fake,fake::fake-6-30::{c} x")
    assert found["lenses"][first]["acc1"] == 1.0
    assert found["lenses"][first]["tail"] is None
    (one,) = found["pairs"]
    assert (one["a"], one["b"], one["mcnemar"]["b01"]) == (first, second, 0)
    # Every sentence ends in the same word, so every class looks the same and the first one wins.
    assert one["mcnemar"]["b10"] == len(one["broken"]) == 25
    assert one["delta"] == pytest.approx(-25 / 30)
    assert fake_world.images_encoded == 30
    lenses = CliRunner().invoke(app, ["compare", "--lens", first, "--lens", second])
    assert json.loads(lenses.stdout)["pairs"] == found["pairs"]


def test_a_waffle_lens_brings_its_band(fake_world: FakeEncoder):
    done = CliRunner().invoke(app, ["compare", "--lens", "fake,fake::fake-6-30::waffle", "--seeds", "3"])
    band = json.loads(done.stdout)["lenses"]["fake,fake::fake-6-30::waffle"]["seeds"]
    assert len(band["acc1"]) == 3
    assert band["mean"] == pytest.approx(np.mean(band["acc1"]))
    assert band["sd"] == pytest.approx(np.std(band["acc1"], ddof=1))


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["m", "s"],
        ["m", "--prompts", "class"],
        ["m", "s", "--lens", "m::s::class"],
        ["--lens", "m::s"],
        ["--lens", "m::s::class", "--lens", "m::s::class"],
        [*(part for i in range(5) for part in ("--lens", f"m::s::{{c}} {i}"))],
    ],
)
def test_lenses_that_cannot_be_meant(fake_world: FakeEncoder, arguments: list[str]):
    done = CliRunner().invoke(app, ["compare", *arguments])
    assert isinstance(done.exception, BadInput)
