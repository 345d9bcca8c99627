"""One lens, one answer: what is computed, what is kept, what is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.analysis.curve import curve
from core.errors import BadInput
from core.evaluation import evaluate as evaluation
from core.evaluation.concept_retrieval import concept_retrieval
from core.evaluation.reports import clip_benchmark
from core.models import registry as models
from core.models.weights import Found
from core.prompts import prompt_set
from core.strict_json import strict_json
from core.types import FrequencyTable, Lens, Progress, PromptSet
from tests.fakes import FakeEncoder, FakeImageSet

LENS = Lens("fake,fake", "fake-6-30", "a {c}")


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeEncoder]:
    """A fake encoder in the pool, with a weights file of its own."""
    fake, file = FakeEncoder(), tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    fake.fingerprint |= {"config": "c", "preprocessing": {}, "tokenizer": {}, "precision": "float32"}
    monkeypatch.setattr(evaluation, "encoders", lambda: SimpleNamespace(get=lambda *_: fake))
    monkeypatch.setattr(models, "find", lambda _: Found(file))
    yield fake
    evaluation._matrices.cache_clear()
    evaluation._results.cache_clear()


def test_an_answer_is_right_and_costs_nothing_the_second_time(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    first = evaluation.evaluate(LENS, image_set=images)
    assert first.acc1 == 1.0
    assert first.mean_per_class_recall == 1.0
    np.testing.assert_array_equal(first.top[:, 0], images.labels)
    assert (first.margin > 0).all()
    seen = encoder.images_encoded, encoder.texts_encoded
    again = evaluation.evaluate(LENS, image_set=images)
    assert (encoder.images_encoded, encoder.texts_encoded) == seen
    np.testing.assert_array_equal(again.margin, first.margin)
    assert again.fingerprint == first.fingerprint


def test_a_prompt_switch_embeds_no_image_again(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    evaluation.evaluate(LENS, image_set=images)
    before = encoder.images_encoded
    swapped = PromptSet("swapped", tuple((f"a {name}",) for name in reversed(images.names)))
    answer = evaluation.evaluate(LENS, image_set=images, prompts=swapped)
    assert encoder.images_encoded == before
    assert answer.acc1 == 0.0
    np.testing.assert_array_equal(answer.top[:, 0], 5 - images.labels)


def test_unreadable_images_are_counted_not_fatal(encoder: FakeEncoder) -> None:
    images = FakeImageSet(broken=(3, 7))
    for answer in (evaluation.evaluate(LENS, image_set=images) for _ in range(2)):
        assert len(answer.rows) == 28
        assert answer.n_images == 30
        assert [item.item for item in answer.left_out] == [images.image_ids[3], images.image_ids[7]]
        np.testing.assert_array_equal(answer.labels, images.labels[answer.rows])


def test_corrected_names_are_another_question(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    evaluation.evaluate(LENS, image_set=images)
    images.names = ["word1", "word0", *images.names[2:]]
    assert evaluation.evaluate(LENS, image_set=images).acc1 == pytest.approx(20 / 30)


def test_moved_labels_are_another_question(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    evaluation.evaluate(LENS, image_set=images)
    images.labels = (images.labels + 1) % 6
    assert evaluation.evaluate(LENS, image_set=images).acc1 == 0.0


def test_the_report_is_in_clip_benchmarks_schema(encoder: FakeEncoder) -> None:
    report = clip_benchmark(evaluation.evaluate(LENS, image_set=FakeImageSet(classes=4, n=8)))
    assert report["metrics"] == {"acc1": 1.0, "acc5": None, "mean_per_class_recall": 1.0}
    assert (report["model"], report["pretrained"], report["task"]) == ("fake", "fake", "zeroshot_classification")
    assert report["classwise"]["key2"] == {"name": "word2", "accuracy": 1.0, "n": 2}
    assert "NaN" not in strict_json({"value": float("nan"), "array": np.array([1.0, np.inf])})


def test_own_pictures_are_scored_against_concepts_or_typed_texts(
    encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = FakeImageSet()
    cosines, names, probabilities = evaluation.score_pictures(LENS, [images.image(2)], image_set=images)
    assert names[int(cosines[0].argmax())] == "word2"
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    corrected = FakeImageSet()
    corrected.names = ["word9", *images.names[1:]]
    _, names, _ = evaluation.score_pictures(LENS, [images.image(2)], image_set=corrected)
    assert names == tuple(corrected.names)
    cosines, names, _ = evaluation.score_pictures(LENS, [images.image(2)], image_set=images, texts=["word4", "word2"])
    assert names[int(cosines[0].argmax())] == "word2"


def test_retrieval_needs_captions(encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    images = FakeImageSet(n=6)
    with pytest.raises(BadInput, match="captions"):
        evaluation.evaluate_retrieval(LENS, image_set=images)
    images.captions = [(row, f"a word{row}") for row in range(6)]
    found = evaluation.evaluate_retrieval(LENS, image_set=images)
    assert found.metrics["image_retrieval_recall@1"] == found.metrics["text_retrieval_recall@1"] == 1.0
    assert (found.images, found.used, len(found.captions), found.left_out) == (6, 6, 6, ())


@pytest.mark.parametrize("metric", ["t2i_k=1", "i2t_k=1"])
def test_retrieval_by_concept_is_the_mean_over_the_captions_that_name_it(
    encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    images = FakeImageSet(n=12)  # two pictures a class, so that only the first of them is found by its caption
    images.captions = [(row, f"a word{row % 6}") for row in range(12)] + [(0, "two word1s and a word0")]
    table = FrequencyTable("t", "made", "text", {"word0": 5, "word1": 50, "word9": 1})
    found = concept_retrieval(LENS, image_set=images, table=table, metric=metric)
    hits = evaluation.evaluate_retrieval(LENS, image_set=images).hits[found.metric]
    queries = (
        {"word0": [0, 6, 12], "word1": [1, 7, 12]} if metric == "t2i_k=1" else {"word0": [0, 6], "word1": [0, 1, 7]}
    )
    assert {one.key: one.n for one in found.classes} == {key: len(rows) for key, rows in queries.items()}
    for one in found.classes:
        assert one.accuracy == pytest.approx(hits[queries[one.key]].mean())
    rows = curve(found, table).rows
    assert [(row.key, row.count) for row in rows] == [("word0", 5), ("word1", 50)]
    with pytest.raises(BadInput, match="t2i_k=10"):
        concept_retrieval(LENS, image_set=images, table=table, metric="recall")
    with pytest.raises(BadInput, match="No caption"):
        concept_retrieval(LENS, image_set=images, table=FrequencyTable("t", "", "text", {"moon": 1}))


def test_progress_names_the_work(encoder: FakeEncoder) -> None:
    seen: list[Progress] = []
    evaluation.evaluate(LENS, image_set=FakeImageSet(), report=seen.append)
    assert seen[-1].done == seen[-1].total
    assert all(progress.message for progress in seen)


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x7F
    path.write_bytes(data)


@pytest.mark.parametrize("noticed_by", ["verify", "another question"])
def test_an_answer_falls_with_the_vectors_it_was_made_from(encoder: FakeEncoder, noticed_by: str) -> None:
    images = FakeImageSet()
    first = evaluation.evaluate(LENS, image_set=images)
    store = evaluation.matrices()
    (entry,) = store.entries()
    asked = evaluation.results().get_json(f"about:{evaluation.answer_key(LENS, images, simple(images))}")
    assert asked["made_from"] == {"key": entry.key, "version": store.version(entry.key)}
    # As if it had been damaged before: the answer in the cache is wrong.
    wrong, about = evaluation._compute(LENS, images, simple(images), lambda progress: None)
    wrong["top"] = wrong["top"][:, ::-1].copy()
    key = evaluation.answer_key(LENS, images, simple(images))
    evaluation.results().put_arrays(f"answer:{key}", wrong)
    other_version = {"key": entry.key, "version": f"{'0' * 64}:0"}
    evaluation.results().put_json(f"about:{key}", {**about, "made_from": other_version})
    assert evaluation.evaluate(LENS, image_set=images).acc1 == 1.0

    evaluation.results().put_arrays(f"answer:{key}", wrong)
    assert evaluation.evaluate(LENS, image_set=images).acc1 == 0.0, "the cache is what answers"
    for offset in range(-64, 0):
        flip(store.path(entry.key, ".npy"), offset)
    if noticed_by == "verify":
        assert list(store.verify_all()) == [entry.key]
    else:
        other = PromptSet("other", tuple((f"one {name}",) for name in images.names))
        assert evaluation.evaluate(LENS, image_set=images, prompts=other).acc1 == 1.0
    encoded = encoder.images_encoded
    again = evaluation.evaluate(LENS, image_set=images)
    np.testing.assert_array_equal(again.top, first.top)
    np.testing.assert_array_equal(again.margin, first.margin)
    assert encoder.images_encoded == encoded + (30 if noticed_by == "verify" else 0)


def simple(images: FakeImageSet) -> PromptSet:
    return prompt_set(LENS.prompts, images)


def test_damaged_vectors_are_not_used_in_silence(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    evaluation.evaluate(LENS, image_set=images)
    store = evaluation.matrices()
    (entry,) = store.entries()
    for offset in range(200, 200 + 64 * 4, 4):
        flip(store.path(entry.key, ".npy"), offset)
    other = PromptSet("other", tuple((f"one {name}",) for name in images.names))
    assert evaluation.evaluate(LENS, image_set=images, prompts=other).acc1 == 1.0
    assert "checksum" in store.damaged[0]
    assert encoder.images_encoded == 60


def test_an_answer_of_an_older_version_is_computed_again(encoder: FakeEncoder) -> None:
    images = FakeImageSet()
    evaluation.evaluate(LENS, image_set=images)
    key = evaluation.answer_key(LENS, images, simple(images))
    stored, about = evaluation.results().get_arrays(f"answer:{key}"), evaluation.results().get_json(f"about:{key}")
    stored["top"] = stored["top"][:, ::-1].copy()
    del about["made_from"]
    evaluation.results().put_arrays(f"answer:{key}", stored)
    evaluation.results().put_json(f"about:{key}", about)
    assert evaluation.evaluate(LENS, image_set=images).acc1 == 1.0
    assert encoder.images_encoded == 30
