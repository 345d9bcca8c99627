"""Confusions, suspect labels and names that cannot work, each against a few plain lines that share no code with it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from core.analysis import failures, name_audit
from core.charts.failures import confusion_figure
from core.errors import BadInput
from core.evaluation.similar import Search
from core.types import Answer
from tests.answers import make_answer


def random_answer(seed: int, *, classes: int = 9, n: int = 400, right: float = 0.6) -> Answer:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    said = np.where(rng.random(n) < right, labels, rng.integers(0, classes, n))
    made = make_answer(labels, said, keys=[f"k{i}" for i in range(classes)])
    return replace(made, margin=rng.normal(size=n).astype(np.float32), probability=rng.random(n).astype(np.float32))


def counted(answer: Answer) -> Counter[tuple[int, int]]:
    pairs = zip(answer.labels.tolist(), answer.top[:, 0].tolist(), strict=True)
    return Counter((true, said) for true, said in pairs if true != said)


@pytest.mark.parametrize("seed", range(3))
def test_cells_are_the_wrong_answers_counted_one_by_one(seed):
    answer = random_answer(seed)
    found, expected = failures.cells(answer), counted(answer)
    listed = {(int(t), int(s)): v for t, s, v in zip(found.true, found.said, found.value, strict=True)}
    assert listed == expected
    assert (np.diff(found.value) <= 0).all()
    images = Counter(answer.labels.tolist())
    shares = [value / images[int(true)] for true, value in zip(found.true, found.value, strict=True)]
    np.testing.assert_allclose(found.share, shares)


def test_a_difference_of_two_runs_is_cell_by_cell_and_only_about_shared_images():
    a, b = random_answer(0), random_answer(1)
    b = replace(b, labels=a.labels)
    kept = np.flatnonzero(np.arange(400) % 3)
    b = replace(b, **{name: getattr(b, name)[kept] for name in ("rows", "labels", "top", "margin", "probability")})
    first = Counter(
        (int(a.labels[i]), int(a.top[i, 0])) for i in kept.tolist() if a.labels[i] != a.top[i, 0]
    )  # fmt: skip
    second = counted(b)
    found = failures.cell_differences(a, b)
    listed = {(int(t), int(s)): v for t, s, v in zip(found.true, found.said, found.value, strict=True)}
    assert listed == {
        pair: second[pair] - first[pair] for pair in first.keys() | second.keys() if second[pair] != first[pair]
    }
    assert (np.diff(np.abs(found.value)) <= 0).all()
    images = Counter(b.labels.tolist())
    np.testing.assert_allclose(found.share, [v / images[int(t)] for t, v in zip(found.true, found.value, strict=True)])
    with pytest.raises(BadInput, match="same images"):
        failures.cell_differences(a, make_answer([0, 1], [1, 0], keys="ab"))


@pytest.mark.parametrize("difference", [False, True])
def test_both_directions_are_merged_into_one_cell(difference):
    a, b = random_answer(5), replace(random_answer(6), labels=random_answer(5).labels)
    found = failures.cell_differences(b, a) if difference else failures.cells(a)
    expected: Counter[tuple[int, int]] = Counter()
    for (true, said), n in counted(a).items():
        expected[min(true, said), max(true, said)] += n
    for (true, said), n in counted(b).items() if difference else ():
        expected[min(true, said), max(true, said)] -= n
    one = failures.merged(found, a.labels)
    listed = {(int(t), int(s)): v for t, s, v in zip(one.true, one.said, one.value, strict=True)}
    assert listed == {pair: n for pair, n in expected.items() if n}
    images = Counter(a.labels.tolist())
    shares = [n / (images[x] + images[y]) for (x, y), n in listed.items()]
    np.testing.assert_allclose(one.share, shares)
    assert (np.diff(np.abs(one.value)) <= 0).all()
    none = make_answer([0, 1], [0, 1], keys="ab")
    assert len(failures.merged(failures.cells(none), none.labels).true) == 0


def test_pictures_of_a_cell_are_those_of_one_run_only():
    a, b = random_answer(7), replace(random_answer(8), labels=random_answer(7).labels)
    for true, said in ((0, 1), (3, 2)):
        mine = [i for i in range(400) if a.labels[i] == true and a.top[i, 0] == said]
        new = [i for i in mine if b.top[i, 0] != said]
        by_margin = sorted(mine, key=lambda i: a.margin[i])
        assert failures.exchanged(a, true, said).tolist() == by_margin
        assert failures.exchanged(a, true, said, other=b).tolist() == [i for i in by_margin if i in new]


def test_the_order_puts_classes_that_are_taken_for_each_other_side_by_side():
    rng = np.random.default_rng(4)
    groups = rng.permutation(12).reshape(4, 3)
    labels, said = [], []
    for group in groups:
        for true in group:
            for other in group:
                labels += [true] * 5
                said += [other] * 5
    answer = make_answer(labels, said, keys=[f"k{i}" for i in range(14)])
    order = failures.cluster_order(failures.cells(answer), 14)
    assert sorted(order) == list(range(14))
    assert order[12:].tolist() == [12, 13]
    place = {int(c): i for i, c in enumerate(order)}
    assert all(np.ptp([place[int(c)] for c in group]) == 2 for group in groups)
    none = make_answer([0, 1], [0, 1], keys="ab")
    assert failures.cluster_order(failures.cells(none), 2).tolist() == [0, 1]


def test_confident_mistakes_are_wrong_and_sorted():
    answer = random_answer(2)
    wrong = [i for i in range(400) if answer.top[i, 0] != answer.labels[i]]
    expected = sorted(wrong, key=lambda i: -answer.probability[i])[:20]
    assert failures.confident_mistakes(answer, top=20).tolist() == expected


def test_attractors_are_counted_one_by_one():
    answer = random_answer(3)
    for one in failures.attractors(answer, top=9):
        called = [int(t) for t, s in zip(answer.labels, answer.top[:, 0], strict=True) if s == one.label]
        others = [true for true in called if true != one.label]
        assert (one.n, one.classes) == (len(others), len(set(others)))
        assert one.precision == pytest.approx(1 - len(others) / len(called))


def test_attractors_come_by_the_images_they_attract():
    answer = make_answer([0, 0, 0, 0, 1, 1, 2, 2, 3], [0, 2, 2, 1, 2, 1, 2, 2, 0], keys="abcd")
    greedy, *rest = failures.attractors(answer, top=9)
    assert (greedy.label, greedy.n, greedy.classes, greedy.precision) == (2, 3, 2, pytest.approx(2 / 5))
    assert [one.label for one in rest] == [0, 1]


def clouds(seed: int, *, k: int = 10) -> tuple[Answer, np.ndarray, list[int]]:
    """Three tight clouds of images; a few labels inside each are flipped, and the model says what the cloud is."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, 24))
    truth = np.repeat(np.arange(3), 40)
    vectors = centres[truth] + 0.2 * rng.normal(size=(120, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    labels = truth.copy()
    flipped = rng.choice(120, 6, replace=False)
    labels[flipped] = (truth[flipped] + 1) % 3
    said = truth.copy()
    # The model also errs on its own: these labels are right and the neighbours say so.
    honest = np.setdiff1d(np.arange(120), flipped)[:5]
    said[honest] = (truth[honest] + 1) % 3
    return make_answer(labels, said, keys="abc"), vectors, sorted(flipped.tolist())


@pytest.mark.parametrize("seed", range(4))
def test_suspects_are_the_labels_that_were_flipped(seed):
    answer, vectors, flipped = clouds(seed)
    found = failures.label_suspects(answer, Search(vectors))
    assert sorted(found.tolist()) == flipped
    agree = []
    for place in found.tolist():
        near = [i for i in np.argsort(-(vectors @ vectors[place])) if i != place][:10]
        agree.append(np.mean([answer.labels[i] == answer.top[place, 0] for i in near]))
    assert min(agree) > 0.5
    assert (np.diff(agree) <= 0).all()
    assert len(failures.label_suspects(answer, Search(vectors), top=2)) == 2


def test_nothing_is_suspect_without_neighbours_or_mistakes():
    alone = make_answer([0], [1], keys="ab")
    assert len(failures.label_suspects(alone, Search(np.ones((1, 4), np.float32)))) == 0
    right = make_answer([0, 1], [0, 1], keys="ab")
    assert len(failures.label_suspects(right, Search(np.eye(2, dtype=np.float32)))) == 0


def test_names_are_audited_as_a_person_would_with_a_pencil():
    names = ["box", "open box", "Open-Box", "fox", "open", "box office", "boxer"]
    labels = [0, 0, 1, 1, 3, 3, 6]
    said = [1, 0, 0, 1, 0, 3, 3]
    answer = make_answer(labels, said, keys=[f"k{i}" for i in range(7)], names=names)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(7, 5)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = name_audit.audit(answer, rows, top=21)
    assert found.repeated == ((1, 2),)
    assert set(found.contained) == {(0, 1), (0, 2), (4, 1), (4, 2), (0, 5)}
    expected = sorted(
        ((float(rows[a] @ rows[b]), a, b) for a in range(7) for b in range(a + 1, 7)), key=lambda one: -one[0]
    )
    assert [(one.a, one.b) for one in found.near] == [(a, b) for _, a, b in expected]
    np.testing.assert_allclose([one.cosine for one in found.near], [cosine for cosine, _, _ in expected], atol=1e-6)
    pairs = counted(answer)
    assert all(one.exchanged == pairs[one.a, one.b] + pairs[one.b, one.a] for one in found.near)
    assert next(one.exchanged for one in found.near if (one.a, one.b) == (0, 1)) == 2
    assert len(name_audit.audit(answer, rows, top=3).near) == 3


def test_correct_images_are_counted_by_class_and_drawn_on_the_diagonal():
    answer = random_answer(3, classes=60)
    correct, images = failures.correct_of(answer)
    for label in range(60):
        mine = answer.labels == label
        assert images[label] == mine.sum()
        assert correct[label] == (answer.top[mine, 0] == label).sum()
    found, order = failures.cells(answer), np.random.default_rng(0).permutation(60)
    names = ["same" if label < 2 else f"name {label}" for label in range(60)]
    figure = confusion_figure(found, order, names, correct=correct, images=images)
    wrong, diagonal = figure.data
    assert diagonal.name == "correct"
    assert list(diagonal.x) == list(diagonal.y)
    assert len(set(diagonal.x)) == (images > 0).sum()
    place = {label: f"same #{label}" if label < 2 else f"name {label}" for label in range(60)}
    assert list(figure.layout.yaxis.categoryarray) == [place[label] for label in order]
    assert list(wrong.y) == [place[label] for label in found.true]
    assert list(wrong.x) == [place[label] for label in found.said]
    assert wrong.customdata.tolist() == np.stack([found.true, found.said, found.value], axis=1).tolist()
