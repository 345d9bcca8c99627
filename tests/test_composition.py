"""Compositions: folder names taken apart, hand-made numbers for every metric, probes against closed forms."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.composition import answers, association, few_shot, measure, probe, rivals, scores, sets
from core.composition import generalisation as generalisation_module
from core.composition.additive import additivity, pair_means
from core.composition.answers import Composed, Parts
from core.composition.composer import nearest
from core.composition.counts import PairCounts, icon_counts, nmi, pmi, read_counts
from core.composition.folders import by_folded_name, folder_compositions, object_names, read_overrides, split_name
from core.composition.generalisation import ModelResult, generalisation
from core.composition.pairs import composed as composed_set
from core.composition.pairs import compositions, joined
from core.composition.seen import headline, seen_gap
from core.datasets import open_set
from core.errors import BadInput, UnreadableData
from core.icons.concepts import held_out
from core.robustness.records import Record
from core.stats.intervals import wilson
from core.stats.shots import shuffled_ranks
from core.types import Answer, Classifier, Embeddings, FrequencyTable, ImageSet, Interval, Report
from tests.answers import make_answer
from tests.fakes import FakeImageSet

OBJECTS = {"1": "goldfish", "2": "garbage truck", "3": "truck", "4": "sea lion", "5": "lion", "6": "Tench"}


def split(folder: str) -> tuple[str, str] | None:
    found = split_name(folder, by_folded_name(OBJECTS))
    return None if found is None else (found.attribute, found.object)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("red goldfish", ("red", "1")),
        ("moss_covered_goldfish", ("moss covered", "1")),
        ("heart shaped garbage truck", ("heart shaped", "2")),
        ("rusty truck", ("rusty", "3")),
        ("wet sea lion", ("wet", "4")),
        ("WET  tench", ("wet", "6")),
        ("sea lion", None),
        ("goldfish", None),
        ("red", None),
        ("", None),
        ("red goldfishes", None),
        ("../../etc/passwd", None),
        ("<script>alert(1)</script> lion", ("<script>alert(1)</script>", "5")),
        ("a" * 5000 + " lion", None),
        ("garbage  truck", None),
    ],
)
def test_the_longest_object_name_at_the_end_is_the_object(folder, expected):
    assert split(folder) == expected


def test_imagenet_names_are_the_default_objects():
    names = object_names()
    assert len(names) == 1000
    assert names["0"] == "tench"
    assert split_name("purple great white shark", by_folded_name(names)).object == "2"


def image_set(*keys: str, each: int = 1) -> SimpleNamespace:
    labels = np.repeat(np.arange(len(keys)), each)
    return SimpleNamespace(
        id="ao", kind="folders", keys=list(keys), names=list(keys), labels=labels, image_ids=[], templates=(),
        left_out=(), fingerprint="x", has_images=True, note="", drawn=False,
    )  # fmt: skip


def test_overrides_win_and_unmatched_folders_are_listed(tmp_path: Path):
    table = tmp_path / "o.csv"
    table.write_text(
        "folder,attribute,object,imagenet_index\nshiny thing,shiny,Goldfish,\nodd one,odd,whatever,3\n"
        "red goldfish,bright red,goldfish,\nnew kind,new,unicorn,\n"
    )
    images = image_set("red goldfish", "shiny thing", "odd one", "new kind", "nothing here", each=2)
    found = folder_compositions(images, objects=OBJECTS, overrides=read_overrides(table))
    assert found.names == ["bright red goldfish", "shiny goldfish", "odd truck", "new unicorn"]
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, -1, -1]
    assert [item.item for item in found.left_out] == ["nothing here"]


def test_a_bare_object_is_not_called_unknown():
    found = folder_compositions(image_set("red goldfish", "goldfish", "red unicorn"), objects=OBJECTS)
    assert {item.item: item.reason.partition(";")[0] for item in found.left_out} == {
        "goldfish": "its name is an object without an attribute",
        "red unicorn": "its name ends with no known object",
    }


def test_a_set_without_compositions_says_what_to_do():
    with pytest.raises(BadInput, match="attribute object"):
        folder_compositions(image_set("cat", "dog"), objects=OBJECTS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("folder,object\na,b\n", "no column 'attribute'"),
        ("folder,attribute,object,imagenet_index\na,,c,\n", "row 2"),
        ("folder,attribute,object,imagenet_index\na,b,c,1000\n", "0 to 999"),
    ],
)
def test_a_bad_table_of_overrides_is_named(tmp_path: Path, text, said):
    (tmp_path / "o.csv").write_text(text)
    with pytest.raises(UnreadableData, match=said):
        read_overrides(tmp_path / "o.csv")


NAMES = {"ant": "ant", "bee": "bee"}


def test_joined_sets_choose_among_the_compositions_of_both():
    a = compositions(["red", "blue"], ["ant", "bee"], NAMES)
    b = compositions(["green", None], ["ant", "ant"], NAMES)
    first, second = joined(a, b)
    assert first.names == second.names == ["green ant", "red ant", "blue bee"]
    assert first.labels.tolist() == [1, 2]
    assert second.labels.tolist() == [0, -1]


def test_icon_compositions_are_what_was_drawn():
    images = sets.composition_set(open_set("icons-composition"))
    found = images.compositions
    assert {(found.attributes[a], found.objects[o]) for a, o in found.pairs.tolist()} == set(held_out())
    for index in (0, 777, 5859):
        a, o = found.pairs[found.labels[index]]
        assert found.attributes[a] == images.details(index)["colour"]
        assert images.image_ids[index].startswith(f"{found.objects[o]}/")


# Three compositions: 0 red ant, 1 blue ant, 2 red bee. Said: right, wrong attribute, wrong object, both wrong.
PAIRS = np.array([[1, 0], [0, 0], [1, 1]])


def composed(labels, said, **parts) -> Composed:
    n = len(labels)
    zero = np.zeros(n, np.int32)
    fields = ("object_max", "object_mean", "attribute_max", "attribute_mean", "object_given", "attribute_given")
    answer = make_answer(labels, said, keys=["a", "b", "c"])
    return Composed(answer, Parts(**{name: np.asarray(parts.get(name, zero), np.int32) for name in fields}), PAIRS)


def test_errors_are_split_by_what_was_right():
    found = composed([0, 0, 0, 1], [0, 1, 2, 2])
    assert scores.errors(found) == scores.Errors(1, 1, 1, 1)
    assert scores.attribute_confusion(found).tolist() == [[0, 1], [1, 2]]


def test_shares_and_their_chance_levels():
    found = composed([0, 0, 2, 1], [0, 0, 2, 0], object_max=[0, 1, 1, 0], attribute_given=[1, 0, 1, 0])
    told = scores.shares(found)
    assert (told["composition"].right, told["composition"].n, told["composition"].chance) == (3, 4, 1 / 3)
    assert told["object"].right == 3  # objects are 0 0 1 0
    assert told["attribute|object"].right == 3  # attributes are 1 1 1 0
    assert told["object"].chance == 0.5
    # The ant has two attributes, the bee one: three images at one half, one at 1.
    assert told["attribute|object"].chance == pytest.approx((3 * 0.5 + 1) / 4)
    assert "composition top-5" not in told
    assert told["composition"].interval == wilson(3, 4)


def test_parts_of_a_score_matrix_by_hand():
    found = compositions(["blue", "red", "red"], ["ant", "ant", "bee"], NAMES)
    # Columns: blue ant, red ant, red bee. The vectors are the scores themselves.
    vectors = np.array([[0.9, 0.0, 0.8], [0.1, 0.3, 0.35]], np.float32)
    classifier = Classifier(np.eye(3, dtype=np.float32), np.arange(3), "embedding", 1.0)
    said = answers.parts(vectors, classifier, found, np.array([1, 0]))
    assert said.object_max.tolist() == [0, 1]
    assert said.object_mean.tolist() == [1, 1]  # 0.45 against 0.8, 0.2 against 0.35
    assert said.attribute_max.tolist() == [0, 1]
    assert said.attribute_mean.tolist() == [0, 1]  # 0.9 against 0.4, 0.1 against 0.325
    assert said.object_given.tolist() == [1, 0]  # red: bee 0.8 over ant 0; blue: only the ant
    assert said.attribute_given.tolist() == [0, 1]  # ant: blue 0.9; red 0.3


def test_parts_agree_with_a_loop_over_random_scores():
    rng = np.random.default_rng(0)
    shown = [(a, o) for a in "pqrs" for o in ("ant", "bee", "cat", "dog") if rng.random() < 0.7]
    found = compositions([a for a, _ in shown], [o for _, o in shown], {o: o for _, o in shown})
    table = rng.normal(size=(50, len(found.pairs))).astype(np.float32)
    labels = rng.integers(0, len(found.pairs), 50)
    identity = Classifier(np.eye(len(found.pairs), dtype=np.float32), np.arange(len(found.pairs)), "embedding", 1.0)
    said = answers.parts(table, identity, found, labels)
    for row, (line, label) in enumerate(zip(table, labels, strict=True)):
        a, o = found.pairs[label]
        objects = {k: line[found.pairs[:, 1] == k] for k in range(len(found.objects))}
        assert said.object_max[row] == max(objects, key=lambda k: objects[k].max())
        assert said.object_mean[row] == max(objects, key=lambda k: objects[k].mean())
        known = {int(p[1]): s for p, s in zip(found.pairs, line, strict=True) if p[0] == a}
        assert said.object_given[row] == max(known, key=known.get)
        known = {int(p[0]): s for p, s in zip(found.pairs, line, strict=True) if p[1] == o}
        assert said.attribute_given[row] == max(known, key=known.get)


def test_additive_vectors_have_r2_of_one_and_interaction_lowers_it():
    rng = np.random.default_rng(1)
    pairs = np.array([(a, o) for a in range(6) for o in range(9) if (a + o) % 4])
    u, v = rng.normal(size=(6, 5)), rng.normal(size=(9, 5))
    exact = u[pairs[:, 0]] + v[pairs[:, 1]] + 3
    found = additivity(exact, pairs)
    assert found.r2 == pytest.approx(1)
    assert found.factors == 6 + 9 - 2
    noisy = additivity(rng.normal(size=exact.shape), pairs)
    assert abs(noisy.adjusted) < 0.35 < 0.6
    assert noisy.r2 > noisy.adjusted


def test_additivity_is_the_share_that_a_dense_regression_explains():
    rng = np.random.default_rng(2)
    pairs = rng.integers(0, [4, 5], (40, 2))
    vectors = rng.normal(size=(40, 3))
    design = np.column_stack([np.eye(4)[pairs[:, 0]], np.eye(5)[pairs[:, 1]]])
    fitted = design @ np.linalg.pinv(design) @ vectors
    expected = 1 - ((vectors - fitted) ** 2).sum() / ((vectors - vectors.mean(0)) ** 2).sum()
    assert additivity(vectors, pairs).r2 == pytest.approx(expected)


def test_vectors_that_do_not_vary_have_no_r2():
    assert np.isnan(additivity(np.ones((4, 2)), np.array([[0, 0], [0, 1], [1, 0], [1, 1]])).r2)


def test_pair_means_average_the_images_of_a_pair():
    means, present = pair_means(np.array([[1.0, 0], [3, 0], [0, 5]]), np.array([2, 2, 7]))
    assert present.tolist() == [2, 7]
    assert means.tolist() == [[2, 0], [0, 5]]


def counts(table: dict, absent: str = "never") -> PairCounts:
    return PairCounts("t", "text", table, absent)


def test_nmi_is_0_when_independent_1_when_identical_and_known_between():
    assert nmi({("r", "x"): 2, ("r", "y"): 4, ("b", "x"): 3, ("b", "y"): 6}) == pytest.approx(0, abs=1e-12)
    assert nmi({("r", "x"): 5, ("b", "y"): 7}) == pytest.approx(1)
    # p = [[1/2, 0], [1/4, 1/4]]: in bits H(A) = 1, H(O) = 0.811278, H(A,O) = 1.5, I = 0.311278.
    assert nmi({("r", "x"): 2, ("b", "x"): 1, ("b", "y"): 1}) == pytest.approx(2 * 0.311278 / 1.811278, abs=1e-6)
    assert np.isnan(nmi({}))
    assert np.isnan(nmi({("r", "x"): 3}))


def test_pmi_by_hand_with_never_and_unknown_told_apart():
    found = compositions(["r", "b", "r", "b"], ["ant", "ant", "bee", "bee"], NAMES)
    table = {("r", "ant"): 4, ("b", "ant"): 2, ("b", "bee"): 2}
    values = dict(zip(found.names, pmi(counts(table), found), strict=True))
    assert values["r ant"] == pytest.approx(np.log2(4 * 8 / (4 * 6)))
    assert values["b bee"] == pytest.approx(np.log2(2 * 8 / (4 * 2)))
    assert np.isneginf(values["r bee"])
    assert np.isnan(pmi(counts(table, "unknown"), found)[found.names.index("r bee")])


def test_a_table_of_counts_is_read_and_bad_ones_are_named(tmp_path: Path):
    file = tmp_path / "c.csv"
    file.write_text("attribute,object,count\nRed,ant,3\nred,ant,2\nblue,bee,0\n")
    found = read_counts(file)
    assert found.counts == {("red", "ant"): 5, ("blue", "bee"): 0}
    assert found.absent == "unknown"
    file.write_text("attribute,object,count\nred,ant,-1\n")
    with pytest.raises(UnreadableData, match="row 2"):
        read_counts(file)
    file.write_text("attribute,object\nred,ant\n")
    with pytest.raises(UnreadableData, match="'count'"):
        read_counts(file)


def test_counted_captions_tell_never_from_unknown(tmp_path: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"attribute": ["r", "b"], "concept": ["ant", "bee"], "together": [5, 3], "pmi": [1.0, 0.5]}
    pq.write_table(pa.table(columns), tmp_path / "pairs.parquet")
    found = compositions(["r", "r", "g"], ["ant", "bee", "ant"], NAMES)
    known = dict(zip(found.names, read_counts(tmp_path / "pairs.parquet").of(found).tolist(), strict=True))
    assert known["r ant"] == 5
    assert known["r bee"] == 0
    assert np.isnan(known["g ant"])


def test_no_corpus_draws_a_held_out_pair_and_the_margins_are_the_icon_counts():
    from core.frequency.icons import table

    for name in ("icons-10k", "icons-200k"):
        drawn = icon_counts(name, "image")
        assert not set(held_out()) & {pair for pair, count in drawn.counts.items() if count}
        images = sets.composition_set(open_set("icons-composition")).compositions
        _, seen = drawn.margins(images)
        known = table(name, "image").counts
        assert [int(n) for n in seen] == [known[key] for key in images.objects]


def test_committed_pair_counts_are_those_of_the_corpus():
    from core.composition.counts import count_icons

    counted = count_icons("icons-10k")
    for kind, place in (("text", 0), ("image", 1)):
        assert dict(icon_counts("icons-10k", kind).counts) == {pair: both[place] for pair, both in counted.items()}


def gap(right, seen, attributes, objects, attribute_counts, object_counts):
    arrays = (np.asarray(values) for values in (right, np.asarray(seen, bool), attributes, objects))
    return seen_gap(*arrays, attribute_counts=np.asarray(attribute_counts), object_counts=np.asarray(object_counts))


def test_the_matched_gap_by_hand():
    # Object 0 is common and easy, object 1 rare and hard; seen images are mostly of the easy one.
    objects = [0] * 6 + [1] * 6
    seen = [1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0]
    right = [1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 1, 0]
    found = gap(right, seen, [0] * 12, objects, [5], [100, 2])
    assert found.seen.value == pytest.approx(5 / 6)
    assert found.unseen.value == pytest.approx(2 / 6)
    # Strata: (1 - 1/2) with weight 2, (1/2 - 1/4) with weight 4.
    assert found.matched.value == pytest.approx((2 * 0.5 + 4 * 0.25) / 6)
    assert (found.strata, found.unmatched, found.n_seen, found.n_unseen) == (2, 0, 6, 6)


def test_a_stratum_without_seen_pairs_is_counted_not_used():
    found = gap([1, 0, 0, 1], [1, 0, 0, 0], [0] * 4, [0, 0, 1, 1], [1], [100, 2])
    assert found.matched.value == pytest.approx(1)
    assert found.unmatched == 2


def test_the_within_gap_is_the_coefficient_of_a_dense_regression():
    rng = np.random.default_rng(3)
    n = 400
    attributes, objects = rng.integers(0, 5, n), rng.integers(0, 12, n)
    seen = rng.random((5, 12))[attributes, objects] < 0.6
    right = rng.random(n) < 0.2 + 0.3 * seen + 0.04 * attributes
    found = gap(right, seen, attributes, objects, np.arange(5) + 1, np.arange(12) + 1)
    design = np.column_stack([seen, np.eye(5)[attributes], np.eye(12)[objects]])
    expected = np.linalg.lstsq(design, right.astype(float), rcond=None)[0][0]
    assert found.within.value == pytest.approx(expected)
    assert found.within.low < found.within.value < found.within.high


def test_a_confounded_gap_vanishes_when_matched():
    """Accuracy depends on the object's frequency alone, and seen pairs are those of frequent objects."""
    rng = np.random.default_rng(4)
    objects = np.repeat(np.arange(200), 30)
    frequency = 10.0 ** (np.arange(200) / 50)
    rate = np.arange(200) / 200
    seen = rng.random(len(objects)) < 0.1 + 0.8 * rate[objects]
    right = rng.random(len(objects)) < rate[objects]
    found = gap(right, seen, np.zeros(len(objects), int), objects, [1], frequency)
    assert found.raw.low > 0.2
    assert abs(found.matched.value) < 0.06
    assert found.within.low < 0 < found.within.high


def test_only_one_kind_of_pair_leaves_the_gap_undefined():
    found = gap([1, 0], [1, 1], [0, 0], [0, 1], [1], [1, 1])
    assert np.isnan(found.matched.value)
    assert found.seen.value == 0.5
    assert "unknown" in headline(found)


def test_generalisation_is_the_residual_of_a_line_in_logits():
    def model(known: float, composed: float) -> ModelResult:
        return ModelResult("m", Interval(known, known, known), Interval(composed, composed, composed))

    def shifted(p: float) -> float:
        return 1 / (1 + np.exp(-(np.log(p / (1 - p)) - 1)))

    exact = generalisation([model(p, shifted(p)) for p in (0.2, 0.5, 0.8)])
    assert exact.fit.slope == pytest.approx(1)
    assert exact.fit.intercept == pytest.approx(-1)
    assert [one.value for one in exact.residual] == pytest.approx([0, 0, 0], abs=1e-12)
    assert generalisation([model(0.2, 0.1)] * 2).fit is None


def vectors(points, objects, seen=1.0) -> probe.Vectors:
    points = np.asarray(points, np.float32)
    return probe.Vectors(
        points / np.linalg.norm(points, axis=1, keepdims=True), np.asarray(objects), np.full(len(points), float(seen))
    )


def blobs(classes: int = 6, each: int = 20, d: int = 12, noise: float = 0.15, seed: int = 0):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, d))
    objects = np.repeat(np.arange(classes), each)
    return vectors(centres[objects] + noise * rng.normal(size=(len(objects), d)), objects)


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


def test_the_composer_returns_the_nearest_images_with_the_scores_of_the_parts():
    images = np.eye(3, dtype=np.float32)
    texts = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0]], np.float32)
    found = nearest(Embeddings(images, np.array([4, 5, 6]), (), "k"), texts, ("red", "ant", "red ant"), k=2)
    assert found.rows.tolist() == [5, 4]
    assert np.allclose(found.cosines, [[0, 1, 0.8], [1, 0, 0.6]])
    assert found.alone == (pytest.approx(0.6), pytest.approx(0.8))
    assert found.additive == pytest.approx(1.4 / np.sqrt(2))


def test_a_composition_set_passes_the_pictures_on():
    images = open_set("icons-composition")
    view = composed_set(images, sets.composition_set(images).compositions)
    assert view.fingerprint == images.fingerprint
    assert view.image_ids == images.image_ids
    assert len(view.keys) == len(set(view.keys)) == 1055
    assert measure.Question


def test_association_joins_pmi_with_the_accuracy_of_each_pair():
    found = compositions(["r", "b", "r", "b"], ["ant", "ant", "bee", "bee"], NAMES)
    order = [found.names.index(name) for name in ("r ant", "b ant", "b bee", "r bee")]
    table = counts({("r", "ant"): 4, ("b", "ant"): 2, ("b", "bee"): 2})
    labels = np.repeat(order, [4, 2, 2, 3])
    tied = association.association(table, found, labels, np.array([1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0]))
    assert [found.names[c] for c in tied.composition] == [found.names[c] for c in sorted(order[:3])]
    rates = dict(zip(tied.composition.tolist(), tied.accuracy.tolist(), strict=True))
    assert [rates[c] for c in order[:3]] == [0.75, 0.5, 0]
    assert tied.never == (3, 1)
    assert tied.captions == 8
    # log2 of 4/3, 2/3 and 2: the best pair is the middle one of PMI, so three ranks correlate with minus one half.
    assert tied.spearman.value == pytest.approx(-0.5)
    assert "over 8 mentions of a pair in t" in association.headline(tied, "t")


def test_sentences_tell_what_is_chance():
    wide = Interval(0.3, 0.1, 0.5)
    exact = [ModelResult(name, Interval(p, p, p), wide) for name, p in (("a,b", 0.2), ("c,d", 0.5), ("e,f", 0.8))]
    assert "which may be chance" in generalisation_module.headline(generalisation(exact))
    assert "three models" in generalisation_module.headline(generalisation(exact[:2]))
    found = gap(
        [1, 1, 1, 1, 0, 0, 0, 0] * 9, [1, 1, 1, 1, 0, 0, 0, 0] * 9, [0] * 72, np.repeat(np.arange(9), 8), [1], [5] * 9
    )
    assert "seen pairs are correct 100.0 points more often" in headline(found)
    assert "does worse on pairs it never saw" in headline(found)
    foreign = headline(found, counted_in="icons-10k")
    assert "does worse on pairs never counted in icons-10k" in foreign
    assert not re.search(r"\b(seen|saw|pretraining)\b", foreign)
    points = probe.probe(blobs(), shots=(4,), methods=("linear",))
    assert probe.headline(points, ["all"]) == "With 4 images a class a linear probe reaches 100.0 % on all (96 images)."


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
