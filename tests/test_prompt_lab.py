"""One class's sentences edited, images that flip, pairs that are confused: each against plain recomputation."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from core.analysis import confusable, flips
from core.analysis import prompt_inspection as inspect_prompts
from core.errors import BadInput, UnknownName
from core.evaluation import evaluate, sentences, zeroshot
from core.evaluation.sentences import Sentences
from core.types import Answer, Lens, PromptSet
from tests.answers import make_answer
from tests.fakes import FakeEncoder

LENS = Lens("fake,fake", "fake")


def unit(rng: np.random.Generator, n: int, d: int = 12) -> np.ndarray:
    rows = rng.normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def world(classes: int = 7, m: int = 400, *, aggregation="embedding", seed: int = 0):
    """Image vectors, labels, and sentences of unequal number about ``classes`` classes."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 5, classes)
    texts = tuple(tuple(f"word{c} sentence {i}" for i in range(n)) for c, n in enumerate(counts))
    vectors = unit(rng, counts.sum())
    found = Sentences(
        PromptSet("made", texts, aggregation), vectors, np.repeat(np.arange(classes), counts),
        tuple(range(counts.sum())), 77, 50.0, 0.0, False,
    )  # fmt: skip
    return unit(rng, m), rng.integers(0, classes, m), found


def answer_of(images: np.ndarray, labels: np.ndarray, found: Sentences) -> Answer:
    scores = zeroshot.classify(images, found.classifier(), labels)
    keys = [f"k{i}" for i in range(len(found.prompts.sentences))]
    made = make_answer(labels, scores.top[:, 0], keys=keys, names=[f"word{i}" for i in range(len(keys))])
    return replace(made, **{name: getattr(scores, name) for name in ("top", "scores", "margin", "probability")})


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch):
    fake = FakeEncoder()
    fake.fingerprint |= {"config": "c", "preprocessing": {}, "tokenizer": {}, "precision": "float32"}
    pool = SimpleNamespace(get=lambda *_: fake)
    for module in (evaluate, sentences, confusable):
        monkeypatch.setattr(module, "encoders", lambda: pool)
    yield fake
    evaluate._matrices.cache_clear()
    evaluate._results.cache_clear()


@pytest.mark.parametrize("aggregation", ["embedding", "similarity", "max"])
@pytest.mark.parametrize("classes", [2, 3, 7, 12])
def test_a_changed_class_is_rescored_as_if_everything_were(aggregation, classes):
    images, labels, before = world(classes, aggregation=aggregation)
    answer = answer_of(images, labels, before)
    for index in range(classes):
        place = before.of(index)
        vectors = before.vectors.copy()
        vectors[place] = unit(np.random.default_rng(index + 9), place.stop - place.start)
        after = replace(before, vectors=vectors)
        whole = zeroshot.classify(images, after.classifier(), labels)
        found = inspect_prompts.rescore(answer, images, after, index)
        np.testing.assert_array_equal(found.said, whole.top[:, 0])
        np.testing.assert_allclose(found.margin, whole.margin, atol=2e-6)
        assert found.acc1 == pytest.approx(np.mean(whole.top[:, 0] == labels))
        recalls = [np.mean(whole.top[labels == c, 0] == c) for c in range(classes)]
        assert found.mean_per_class_recall == pytest.approx(np.mean(recalls))
        was, now = answer.top[:, 0] == labels, whole.top[:, 0] == labels
        assert found.fixed.tolist() == np.flatnonzero(~was & now).tolist()
        assert found.broken.tolist() == np.flatnonzero(was & ~now).tolist()


def test_an_edit_encodes_new_sentences_only(encoder):
    prompts = PromptSet("made", (("a word0", "the word0"), ("a word1",), ("a word2",)))
    read = sentences.read_sentences(LENS, prompts)
    assert read.tokens == (4, 4, 4, 4)
    assert encoder.texts_encoded == 4
    edited = sentences.edit(LENS, read, 0, ["a word0", "a  green\nword9", "the word0"])
    assert encoder.texts_encoded == 5
    assert edited.prompts.sentences == (("a word0", "a green word9", "the word0"), ("a word1",), ("a word2",))
    assert edited.owners.tolist() == [0, 0, 0, 1, 2]
    assert edited.tokens == (4, 5, 4, 4, 4)
    np.testing.assert_array_equal(edited.vectors[3:], read.vectors[2:])
    fresh = sentences.read_sentences(LENS, edited.prompts)
    np.testing.assert_array_equal(edited.vectors, fresh.vectors)
    np.testing.assert_array_equal(
        sentences.edit(LENS, edited, 2, ["word5"]).vectors[4], encoder.encode_texts(["word5"])[0]
    )
    for texts in ([], ["a", " "]):
        with pytest.raises(BadInput, match="at least one sentence"):
            sentences.edit(LENS, read, 0, texts)


def test_the_inspector_sees_flaws():
    rng = np.random.default_rng(3)
    texts = (("A tree-frog.", "a tree  frog", "green thing", "a tree frog so long"), ("newt", "wet newt"))
    vectors = unit(rng, 6)
    found = Sentences(
        PromptSet("made", texts), vectors, np.array([0, 0, 0, 0, 1, 1]), (5, 5, 4, 78, 3, 4), 77, 1.0, 0.0, False
    )
    checks = inspect_prompts.inspect_class(found, 0, ["tree_frog", "newt"])
    mean = vectors[:4].mean(0)
    other = vectors[4:].mean(0)
    for row, check in enumerate(checks):
        assert check.cosine == pytest.approx(float(vectors[row] @ mean / np.linalg.norm(mean)), abs=1e-6)
        assert check.nearest == 1
        assert check.nearest_cosine == pytest.approx(float(vectors[row] @ other / np.linalg.norm(other)), abs=1e-6)
    assert [check.duplicate_of for check in checks] == [None, 0, None, None]
    assert [check.cut for check in checks] == [False, False, False, True]
    assert [check.name_missing for check in checks] == [False, False, True, False]
    told = inspect_prompts.flagged(checks, ["tree frog", "newt"])
    assert "repeats sentence 1" in told[1]
    assert "does not name the class" in told[2]
    counts = inspect_prompts.lint(found.prompts, ["tree frog", "newt"], tokens=found.tokens)
    assert counts == inspect_prompts.Lint(6, 1, 0, 1, 1)
    both = PromptSet("made", (("a thing",), ("a thing.", "newt")))
    assert inspect_prompts.lint(both, ["frog", "newt"]) == inspect_prompts.Lint(3, 0, 2, 0, 2)


def test_accuracy_by_count_ends_at_the_whole():
    images, labels, found = world(5, seed=4)
    points = inspect_prompts.accuracy_by_count(images, labels, found, [1, 2, 9], draws=4)
    whole = np.mean(zeroshot.predict(images, found.classifier()) == labels)
    assert [point.n for point in points] == [1, 2, 9]
    assert points[-1].values == (whole,)
    assert len(points[0].values) == 4
    assert points[0].mean == pytest.approx(np.mean(points[0].values))
    assert points[0].sd == pytest.approx(np.std(points[0].values, ddof=1))
    assert points == inspect_prompts.accuracy_by_count(images, labels, found, [1, 2, 9], draws=4)


def test_equal_lists_are_drawn_at_the_same_places():
    rng = np.random.default_rng(0)
    # Sentence 0 of each class is the image itself, sentence 1 that of the next class: places must go together.
    rows = unit(rng, 4)
    vectors = np.stack([rows[(c + i) % 4] for c in range(4) for i in range(2)])
    found = Sentences(
        PromptSet("made", (("a", "b"),) * 4), vectors, np.repeat(np.arange(4), 2), (1,) * 8, 77, 1.0, 0.0, False
    )
    (point,) = inspect_prompts.accuracy_by_count(rows, np.arange(4), found, [1], draws=12)
    assert set(point.values) == {0.0, 1.0}


def test_flips_are_sorted_by_how_far_the_margin_moved():
    a = make_answer([0, 0, 1, 1, 2, 2], [0, 1, 1, 0, 0, 0], keys="abc")
    b = make_answer([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 0], keys="abc")
    b = replace(b, margin=np.array([0.1, 0.1, -0.1, 0.9, -0.1, -0.1], np.float32))
    found = flips.flips(a, b)
    assert found.fixed.tolist() == [3, 1]
    assert found.broken.tolist() == [2]
    assert found.both_wrong.tolist() == [4]
    assert found.same.tolist() == [0, 5]


def test_one_image_under_several_lenses():
    images, labels, found = world()
    first = answer_of(images, labels, found)
    second = replace(
        first, **{n: getattr(first, n)[5:] for n in ("rows", "labels", "top", "scores", "margin", "probability")}
    )
    seen = flips.views({"A": first, "B": second}, 7)
    assert [view.lens for view in seen] == ["A", "B"]
    assert seen[0].top[0].index == first.top[7, 0]
    assert seen[0].top == seen[1].top
    assert seen[0].right == bool(first.top[7, 0] == labels[7])
    assert seen[0].margin == pytest.approx(float(first.margin[7]))
    assert len(flips.views({"A": first, "B": second}, 2)) == 1
    with pytest.raises(UnknownName):
        flips.views({"B": second}, 2)


@pytest.mark.parametrize("aggregation", ["embedding", "similarity", "max"])
def test_bars_add_up_to_the_class_score(aggregation):
    images, labels, found = world(aggregation=aggregation)
    answer = answer_of(images, labels, found)
    chosen = [int(i) for i in answer.top[0, :2]]
    seen = flips.bars(images[0], found, chosen, answer.names)
    for one, score in zip(seen, answer.scores[0], strict=False):
        assert one.score == pytest.approx(float(score), abs=1e-6)
        np.testing.assert_allclose(one.cosines, found.vectors[found.of(one.index)] @ images[0], atol=1e-6)
        assert one.texts == found.prompts.sentences[one.index]
    if aggregation == "similarity":
        assert seen[0].score == pytest.approx(np.mean(seen[0].cosines))


def test_confusions_are_merged_both_ways():
    #       a->b twice, b->a once, c->a three times
    answer = make_answer([0, 0, 0, 1, 1, 2, 2, 2, 2], [1, 1, 0, 0, 1, 0, 0, 0, 2], keys="abc")
    found = confusable.mistaken(answer)
    assert found[0] == confusable.Mistaken(0, 1, 2, 1, 3 / 5)
    assert found[1] == confusable.Mistaken(0, 2, 0, 3, 3 / 7)
    assert confusable.most_confusable(answer) == found[0]
    answer = replace(answer, margin=np.arange(9, dtype=np.float32))
    assert confusable.close_calls(answer, found[0]).tolist() == [0, 1, 3]
    assert confusable.most_confusable(make_answer([0, 1], [0, 1], keys="ab")) is None


def test_the_published_pair_is_found_by_its_names_where_a_set_has_it():
    names = ["newt", "tailed_frog", "Tree-Frog"]
    answer = make_answer([0, 1, 1, 2, 2], [2, 1, 2, 2, 2], keys="abc", names=names)
    found = confusable.published_pair(answer)
    assert found == confusable.Mistaken(1, 2, 1, 0, 1 / 4)
    assert confusable.close_calls(answer, found).tolist() == [2]
    right = replace(
        make_answer([1, 1, 2, 2], [1, 1, 2, 2], keys="abc", names=names), margin=np.array([3, 2, 1, 4], np.float32)
    )
    found = confusable.published_pair(right)
    assert found == confusable.Mistaken(1, 2, 0, 0, 0.0)
    assert confusable.close_calls(right, found).tolist() == [2, 1, 0, 3]
    assert confusable.published_pair(make_answer([0, 2], [0, 2], keys="abc", names=names)) is None
    assert confusable.published_pair(make_answer([0], [0], keys="ab", names=["tree frog", "toad"])) is None


def test_a_handful_of_names_side_by_side(encoder):
    picture = Image.new("RGB", (4, 4), (3, 0, 0))
    columns = confusable.side_by_side(LENS, ["word2", "word3"], ["class", "{c} a word2"], [picture])
    assert columns[0].cosines.argmax(1).tolist() == [1]
    expected = encoder.encode_texts(["word2", "word3"]) @ encoder.encode_images([encoder.preprocess(picture)])[0]
    np.testing.assert_allclose(columns[0].cosines[0], expected, atol=1e-6)
    assert columns[0].margins[0] == pytest.approx(abs(expected[1] - expected[0]), abs=1e-6)
    np.testing.assert_allclose(columns[0].probabilities.sum(1), 1, rtol=1e-5)
    assert columns[1].margins[0] == pytest.approx(0, abs=1e-6)
    for names in (["one"], ["same", " same "], ["a", ""], [str(i) for i in range(30)]):
        with pytest.raises(BadInput):
            confusable.NamedClasses(names)


def test_icon_names_find_their_texts():
    from core.prompts import prompt_set

    made = prompt_set("dclip", confusable.NamedClasses(["frog", "anchor"]))
    assert made.sentences[0][0].startswith("frog, which ")
