"""Zero-shot numbers against open_clip, SciPy and few-line computations of their own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from core.errors import BadInput, Stopped
from core.evaluation import zeroshot


def unit(rng: np.random.Generator, n: int, d: int = 24) -> np.ndarray:
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def one_row_a_class(weights: np.ndarray, **options):
    return zeroshot.build_classifier(weights, np.arange(len(weights)), **{"scale": 50.0, **options})


def test_classifier_equals_open_clip():
    torch = pytest.importorskip("torch")
    import open_clip

    torch.manual_seed(0)
    text = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    vision = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
    model = open_clip.CLIP(embed_dim=16, vision_cfg=vision, text_cfg=text).eval()
    tokenizer = open_clip.SimpleTokenizer(context_length=32)
    names, templates = ["tree frog", "tailed frog", "axolotl"], ["a photo of a {}.", "a sketch of the {}.", "{}"]
    golden = open_clip.build_zero_shot_classifier(model, tokenizer, names, templates).T.numpy()
    sentences = [template.format(name) for name in names for template in templates]
    with torch.no_grad():
        vectors = model.encode_text(tokenizer(sentences)).numpy()
    built = zeroshot.build_classifier(vectors, np.repeat(np.arange(3), 3), scale=1.0)
    np.testing.assert_allclose(built.weights, golden, atol=1e-6)


@pytest.mark.parametrize("aggregation", ["embedding", "similarity", "max"])
def test_classify_equals_a_full_sort(aggregation):
    rng = np.random.default_rng(0)
    images, sentences = unit(rng, 500), unit(rng, 60)
    owners = rng.permutation(np.r_[np.arange(20), rng.integers(0, 20, 40)])
    labels = rng.integers(0, 20, 500)
    classifier = zeroshot.build_classifier(sentences, owners, aggregation=aggregation, scale=37.0)
    found = zeroshot.classify(images, classifier, labels, k=7, block=64)

    groups = [sentences[owners == c] for c in range(20)]
    if aggregation == "embedding":
        means = [group.mean(0) / np.linalg.norm(group.mean(0)) for group in groups]
        cosines = images @ np.stack(means).T
    else:
        fold = {"similarity": np.mean, "max": np.max}[aggregation]
        cosines = np.stack([fold(images @ group.T, axis=1) for group in groups], axis=1)
    order = np.argsort(-cosines, axis=1)
    np.testing.assert_array_equal(found.top, order[:, :7])
    np.testing.assert_allclose(found.scores, np.take_along_axis(cosines, order[:, :7], 1), atol=1e-6)
    np.testing.assert_allclose(found.probability, softmax(37.0 * cosines, axis=1).max(1), rtol=1e-4)
    true = cosines[np.arange(500), labels]
    others = cosines.copy()
    others[np.arange(500), labels] = -np.inf
    np.testing.assert_allclose(found.margin, true - others.max(1), atol=1e-6)
    np.testing.assert_array_equal(zeroshot.predict(images, classifier, block=100), order[:, 0])
    np.testing.assert_allclose(zeroshot.similarities(images[:9], classifier), cosines[:9], atol=1e-6)


def test_sigmoid_probabilities_are_per_class():
    rng = np.random.default_rng(1)
    images, weights = unit(rng, 40), unit(rng, 8)
    classifier = one_row_a_class(weights, scale=20.0, bias=-3.0, sigmoid=True)
    found = zeroshot.classify(images, classifier, np.zeros(40, int))
    logits = 20.0 * images @ weights.T - 3.0
    np.testing.assert_allclose(found.probability, expit(logits.max(1)), rtol=1e-4)
    np.testing.assert_allclose(zeroshot.probabilities(images @ weights.T, classifier), expit(logits), atol=1e-6)


def test_softmax_probabilities_sum_to_one():
    rng = np.random.default_rng(2)
    images, weights = unit(rng, 5), unit(rng, 30)
    classifier = one_row_a_class(weights, scale=100.0)
    found = zeroshot.probabilities(images @ weights.T, classifier)
    np.testing.assert_allclose(found, softmax(100.0 * images @ weights.T, axis=1), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), block=st.integers(1, 70), k=st.integers(1, 6), scale=st.floats(0.5, 200))
def test_block_size_scale_and_permutation_change_nothing(seed, block, k, scale):
    rng = np.random.default_rng(seed)
    images, weights, labels = unit(rng, 50), unit(rng, 9), rng.integers(0, 9, 50)
    plain = zeroshot.classify(images, one_row_a_class(weights, scale=1.0), labels, k=k)
    other = zeroshot.classify(images, one_row_a_class(weights, scale=scale), labels, k=k, block=block)
    np.testing.assert_array_equal(other.top, plain.top)
    np.testing.assert_allclose(other.margin, plain.margin, atol=1e-6)

    shuffle = rng.permutation(9)
    shuffled = zeroshot.classify(images, one_row_a_class(weights[shuffle]), np.argsort(shuffle)[labels], k=k)
    np.testing.assert_array_equal(shuffle[shuffled.top], plain.top)
    np.testing.assert_allclose(shuffled.scores, plain.scores, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_ties_go_to_the_lower_class_and_have_margin_zero(seed):
    rng = np.random.default_rng(seed)
    weights = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 12)]  # Many classes share one exact vector.
    images = np.eye(4, dtype=np.float32)[rng.integers(0, 4, 30)]
    labels = rng.integers(0, 12, 30)
    found = zeroshot.classify(images, one_row_a_class(weights), labels, k=12)
    np.testing.assert_array_equal(found.top, np.argsort(-(images @ weights.T), axis=1, kind="stable"))
    tied = (weights[labels] * images).sum(1) == 1
    shared = np.array([(weights @ image).sum() > 1 for image in images])
    np.testing.assert_array_equal(found.margin[tied & shared], 0)


def test_float16_slices_are_computed_in_float32():
    rng = np.random.default_rng(3)
    images, weights = unit(rng, 300).astype(np.float16), unit(rng, 15)
    labels = np.zeros(300, int)
    half = zeroshot.classify(images, one_row_a_class(weights), labels)
    full = zeroshot.classify(images.astype(np.float32), one_row_a_class(weights), labels)
    np.testing.assert_array_equal(half.top, full.top)
    np.testing.assert_array_equal(half.scores, full.scores)
    assert half.scores.dtype == half.margin.dtype == half.probability.dtype == np.float32
    assert half.top.dtype == np.int32


def test_few_classes_and_no_images():
    rng = np.random.default_rng(4)
    alone = zeroshot.classify(unit(rng, 3), one_row_a_class(unit(rng, 1)), np.zeros(3, int))
    assert alone.top.shape == (3, 1)
    assert np.isnan(alone.margin).all()
    np.testing.assert_allclose(alone.probability, 1)
    none = zeroshot.classify(np.empty((0, 24), np.float16), one_row_a_class(unit(rng, 7)), np.empty(0, int))
    assert none.top.shape == (0, 5)


def test_report_sees_every_image_and_can_stop():
    rng = np.random.default_rng(5)
    images, classifier = unit(rng, 100), one_row_a_class(unit(rng, 6))
    seen = []
    zeroshot.classify(images, classifier, np.zeros(100, int), block=30, report=seen.append)
    assert [(progress.done, progress.total) for progress in seen] == [(30, 100), (60, 100), (90, 100), (100, 100)]

    def stop(_progress):
        raise Stopped("enough")

    with pytest.raises(Stopped):
        zeroshot.predict(images, classifier, block=10, report=stop)


def test_unusable_sentences_are_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(BadInput, match="Class 1 has no sentence"):
        zeroshot.build_classifier(unit(rng, 2), [0, 2], scale=1.0)
    with pytest.raises(BadInput, match="no usable text vector"):
        zeroshot.build_classifier(np.zeros((2, 4)), [0, 1], scale=1.0)
    with pytest.raises(ValueError, match="class indices below 2"):
        zeroshot.classify(unit(rng, 2), one_row_a_class(unit(rng, 2)), np.array([0, 2]))


def test_class_scores_count_and_bound():
    labels, right = np.array([0, 0, 0, 0, 2]), np.array([True, True, False, True, False])
    first, empty, last = zeroshot.class_scores(["a", "b", "c"], ["A", "B", "C"], labels, right)
    assert (first.key, first.name, first.accuracy, first.n) == ("a", "A", 0.75, 4)
    assert first.low < 0.75 < first.high
    assert empty.n == 0
    assert np.isnan(empty.accuracy)
    assert (last.accuracy, last.low) == (0.0, 0.0)


def test_neighbours_leave_the_query_out():
    rng = np.random.default_rng(7)
    vectors = unit(rng, 50)
    vectors[31] = vectors[4]
    rows, cosines = zeroshot.neighbours(vectors.astype(np.float16), 4, 6, block=16)
    expected = np.argsort(-(vectors @ vectors[4]))
    assert rows[0] == 31
    assert set(rows) == set(expected[expected != 4][:6])
    assert (np.diff(cosines) <= 0).all()
    assert len(zeroshot.neighbours(vectors[:3], 0, 10)[0]) == 2


def test_numbers_do_not_load_torch():
    modules = (
        "core.evaluation.zeroshot, core.stats.intervals, core.prompts, core.evaluation.retrieval, core.analysis.curve, "
        "core.frequency.sources"
    )
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'open_clip' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
