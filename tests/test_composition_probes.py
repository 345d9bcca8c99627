"""Probes and few-shot curves over compositions, against closed forms and plain loops."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from core.composition import few_shot, probe
from core.errors import BadInput
from core.runtime.estimates import Estimate
from core.stats.shots import shuffled_ranks
from core.types import Lens
from tests.helpers.compositions import blobs


@pytest.mark.parametrize("method", probe.METHODS)
def test_a_probe_recovers_separable_classes(method):
    points = probe.probe(blobs(), shots=(1, 8), methods=(method,))
    assert {point.k: point.accuracy.value for point in points if point.group == "all"} == {
        1: pytest.approx(1, abs=0.03), 8: pytest.approx(1, abs=0.01)
    }  # fmt: skip
    assert {point.n for point in points} == {6 * 12}


def test_nearest_mean_is_the_largest_cosine_with_the_class_mean():
    data = blobs(noise=1.5)
    weights, bias = probe.fit("nearest mean", data.vectors, data.objects)
    means = np.stack([data.vectors[data.objects == c].mean(0) for c in range(6)])
    expected = (data.vectors @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(1)
    assert ((data.vectors @ weights.T + bias).argmax(1) == expected).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_linear_probe_minimises_its_loss(classes):
    data = blobs(classes=classes, each=9, d=4, noise=1.0)
    weights, bias = probe.fit("linear", data.vectors, data.objects)
    again, _ = probe.fit("linear", data.vectors, data.objects)
    assert np.array_equal(weights, again)
    x = data.vectors.astype(np.float64)
    scale = 1 / np.sqrt(((x - x.mean(0)) ** 2).mean())
    x, w = (x - x.mean(0)) * scale, weights / scale
    bias = bias + weights @ data.vectors.mean(0)

    logits = x @ w.T + bias
    odds = np.exp(logits - logits.max(1, keepdims=True))
    off = odds / odds.sum(1, keepdims=True) - np.eye(classes)[data.objects]
    # At the minimum the gradient vanishes in the weights and in the bias.
    assert np.abs(off.T @ x / len(x) + probe.L2 * w).max() < 2e-3
    assert np.abs(off.mean(0)).max() < 2e-3


def test_one_image_a_class_of_many_is_a_probe_too():
    data = blobs(classes=40, each=1)
    weights, bias = probe.fit("linear", data.vectors, data.objects)
    assert ((data.vectors @ weights.T + bias).argmax(1) == data.objects).all()


def test_support_and_test_images_never_overlap_and_seeds_differ():
    objects = np.repeat(np.arange(5), 20)
    ranks = [shuffled_ranks(objects, seed) for seed in (0, 0, 1)]
    assert np.array_equal(ranks[0], ranks[1])
    assert not np.array_equal(ranks[0], ranks[2])
    for rank in ranks:
        assert all(sorted(rank[objects == c]) == list(range(20)) for c in range(5))


def test_probe_groups_are_seen_never_seen_and_the_parts():
    support, other = blobs(), blobs(each=5, noise=3.0, seed=0)
    other = probe.Vectors(other.vectors, other.objects, np.zeros(len(other.objects)))
    points = probe.probe(support, other, parts={0: "head", 1: "tail", 2: "tail"}, shots=(4,), seeds=(0, 1))
    found = {(point.method, point.group): point for point in points}
    assert found["linear", "never seen"].n == 30
    assert found["linear", "seen"].n == found["linear", "all"].n == 6 * 16
    assert found["linear", "tail"].objects == 2
    assert found["linear", "never seen"].accuracy.value < found["linear", "seen"].accuracy.value
    one = found["linear", "never seen"]
    assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high
    assert one.low_seed <= one.accuracy.value <= one.high_seed


def test_a_probe_without_enough_images_says_how_many_it_needs():
    with pytest.raises(BadInput, match="17 images"):
        probe.probe(blobs(each=16))


def shown_pairs(*, rest: float, each: int = 3, seed: int = 0) -> few_shot.Shown:
    """Twenty pairs whose vectors are one axis an attribute and one an object, with noise; texts without noise."""
    rng = np.random.default_rng(seed)
    candidates = np.array([(a, o) for o in range(5) for a in range(4)])
    texts = np.concatenate([np.eye(4)[candidates[:, 0]], np.eye(5)[candidates[:, 1]]], 1)
    pairs = np.repeat(candidates, each, axis=0)
    vectors = np.repeat(texts, each, axis=0) + rest * rng.normal(size=(len(pairs), 9))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.arange(len(pairs)) % each < each - 1
    return few_shot.Shown(unit.astype(np.float32), pairs, own, candidates, (texts / 2**0.5).astype(np.float32))


def test_few_shot_heads_generalise_to_pairs_that_no_training_image_shows() -> None:
    shown = shown_pairs(rest=0.02)
    seen_by: list[np.ndarray] = []
    points = few_shot.few_shot(shown, shots=(1, 4), seeds=(0, 1), report=lambda p: seen_by.append(p.done))
    by = {(one.head, one.k, one.group, one.what): one for one in points}
    assert {one.group for one in points} == {"held out", "other set"}  # four images are all that may train
    assert by["zero-shot", 0, "held out", "composition"].accuracy.value == 1
    assert by["two probes", 4, "held out", "composition"].accuracy.value == 1
    assert by["mixed", 4, "held out", "composition"].accuracy.value == 1
    assert by["two probes", 1, "held out", "composition"].accuracy.value < 1  # one image says not which word is which
    held_out, other = by["two probes", 4, "held out", "composition"], by["two probes", 4, "other set", "composition"]
    assert (held_out.n, held_out.pictures, held_out.objects, other.n) == (20, 20, 5, 20)
    assert seen_by[-1] == 4


def test_few_shot_trains_on_half_of_the_compositions_of_an_object_and_agrees_with_plain_probes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.linear_model import LogisticRegression

    shown, trained = shown_pairs(rest=0.5), []
    real = few_shot._two_probes
    monkeypatch.setattr(few_shot, "_two_probes", lambda one, chosen: trained.append(chosen) or real(one, chosen))
    shown = replace(shown, texts=None)
    (point,) = [
        one for one in few_shot.few_shot(shown, shots=(4,), seeds=(3,))
        if (one.group, one.what) == ("held out", "composition")
    ]  # fmt: skip
    (chosen,) = trained
    assert shown.own[chosen].all()
    used = {tuple(pair) for pair in shown.pairs[chosen].tolist()}
    assert {o: sum(1 for pair in used if pair[1] == o) for o in range(5)} == dict.fromkeys(range(5), 2)
    tests = [row for row in np.flatnonzero(shown.own) if tuple(shown.pairs[row].tolist()) not in used]
    x, y = shown.vectors[chosen], shown.pairs[chosen]
    centre = x.mean(0)
    scale = 1 / np.sqrt(((x - centre) ** 2).mean())
    logs = []
    for part in range(2):
        model = LogisticRegression(C=1 / (probe.L2 * len(x)), max_iter=5000, tol=1e-8).fit(
            (x - centre) * scale, y[:, part]
        )
        every = np.full((len(tests), (4, 5)[part]), -1e9)
        every[:, model.classes_] = model.predict_log_proba((shown.vectors[tests] - centre) * scale)
        logs.append(every)
    total = logs[0][:, shown.candidates[:, 0]] + logs[1][:, shown.candidates[:, 1]]
    right = (shown.candidates[total.argmax(1)] == shown.pairs[tests]).all(1)
    assert point.accuracy.value == pytest.approx(right.mean())
    assert 0 < right.mean() < 1
    with pytest.raises(BadInput, match="two compositions"):
        few_shot.few_shot(replace(shown, own=shown.pairs[:, 0] == 0), shots=(1,))


def test_the_time_of_few_shot_heads_is_that_of_an_earlier_run(monkeypatch: pytest.MonkeyPatch) -> None:
    images = SimpleNamespace(parent=None, compositions=SimpleNamespace(pairs=np.zeros((40, 2))))
    asked = SimpleNamespace(images=images, partner=None, lens=Lens("m", "s", "simple"))
    left = [Estimate(500, "picture", 10.0), None, None]
    monkeypatch.setattr(few_shot.ask, "estimate", lambda *_, **__: left.pop(0))
    assert few_shot.estimate(asked, ["m"]) == Estimate(500, "picture", 10.0)  # type: ignore[arg-type]
    assert few_shot.estimate(asked, ["m"]) is None  # type: ignore[arg-type]
    few_shot.estimates.remember(few_shot._work(images), 0.25)  # type: ignore[arg-type]
    assert few_shot.estimate(asked, ["m", "n"]) == Estimate(24, "draw of images", 0.25)  # type: ignore[arg-type]
