"""Embedding runs: what is computed, what is kept, and what happens when they are interrupted."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from subprocess import Popen

import numpy as np
import pytest

from cache import keys
from cache.matrices import MatrixStore
from cache.results import Results
from core.errors import BadInput, Stopped, UnreadableData
from core.evaluation import embed
from core.evaluation.embed import embed_images, embed_texts, image_key
from core.types import LeftOut, Progress
from tests.fakes import FakeEncoder, FakeImageSet
from tests.helpers.processes import PATIENCE, ended, go_on, python, told


@pytest.fixture
def store() -> MatrixStore:
    return MatrixStore(keys.root() / "embeddings")


@pytest.fixture
def results() -> Results:
    found = Results(keys.root() / "results")
    yield found
    found.close()


def expected(image_set: FakeImageSet) -> np.ndarray:
    """The vectors of all readable pictures, each encoded alone."""
    encoder = FakeEncoder()
    good = [row for row in range(len(image_set.labels)) if row not in image_set.broken]
    return np.concatenate([encoder.encode_images([encoder.preprocess(image_set.image(row))]) for row in good])


class Stop:
    """A report that ends the run once ``after`` images are done."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, progress: Progress) -> None:
        if progress.done >= self.after:
            raise Stopped("enough")


@pytest.mark.parametrize(("batch", "shard_rows", "workers"), [(64, 2048, None), (8, 32, 3), (7, 10, 1), (1, 1, 2)])
def test_every_picture_has_its_vector(store, batch, shard_rows, workers):
    image_set, encoder = FakeImageSet(n=45), FakeEncoder()
    seen: list[Progress] = []
    found = embed_images(
        encoder, image_set, store, report=seen.append, batch=batch, shard_rows=shard_rows, workers=workers
    )
    np.testing.assert_array_equal(found.vectors, expected(image_set))
    assert found.rows.tolist() == list(range(45))
    assert found.left_out == ()
    assert isinstance(found.vectors, np.memmap)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, 45, 45)


def test_a_second_run_encodes_nothing(store):
    image_set, encoder = FakeImageSet(), FakeEncoder()
    first = embed_images(encoder, image_set, store)
    again = FakeEncoder()
    second = embed_images(again, image_set, MatrixStore(store.folder))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert again.images_encoded == 0
    assert first.key == second.key == image_key(encoder, image_set)


def test_bad_pictures_are_left_out_with_their_reason(store):
    image_set = FakeImageSet(n=30, broken=(0, 13, 29))
    for found in (embed_images(FakeEncoder(), image_set, store, batch=4, shard_rows=10) for _ in range(2)):
        np.testing.assert_array_equal(found.vectors, expected(image_set))
        assert found.rows.tolist() == [row for row in range(30) if row not in (0, 13, 29)]
        assert [item.item for item in found.left_out] == [image_set.image_ids[row] for row in (0, 13, 29)]
        assert found.left_out[1] == LeftOut("key1/13", "key1/13 is cut short; it was left out.")
    assert embed.left_out(store.meta(found.key)) == found.left_out


def test_a_set_without_one_good_picture_is_an_error(store):
    with pytest.raises(UnreadableData, match="None of the 3 images of fake-6-3 can be read: key0/0 is cut short"):
        embed_images(FakeEncoder(), FakeImageSet(n=3, broken=range(3)), store)
    with pytest.raises(UnreadableData, match="holds no images"):
        embed_images(FakeEncoder(), FakeImageSet(n=0), store)


def test_a_failure_that_is_no_bad_picture_is_not_hidden(store, monkeypatch):
    image_set = FakeImageSet()
    monkeypatch.setattr(image_set, "image", lambda index: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed_images(FakeEncoder(), image_set, store)


@pytest.mark.parametrize("after", [0, 4, 12, 20, 28])
def test_a_stopped_run_goes_on_where_it_was(store, after):
    image_set = FakeImageSet(n=30, broken=(1, 13))
    stopped, resumed = FakeEncoder(), FakeEncoder()
    with pytest.raises(Stopped):
        embed_images(stopped, image_set, store, report=Stop(after), batch=4, shard_rows=10)
    seen: list[Progress] = []
    found = embed_images(resumed, image_set, MatrixStore(store.folder), report=seen.append, batch=4, shard_rows=10)
    assert seen[0].done >= after
    assert stopped.images_encoded + resumed.images_encoded == 28, "something was computed twice"
    np.testing.assert_array_equal(found.vectors, expected(image_set))
    assert [item.item for item in found.left_out] == [image_set.image_ids[row] for row in (1, 13)]


def in_another_process(body: str) -> AbstractContextManager[Popen[str]]:
    script = f"""
import os
from cache import keys
from cache.matrices import MatrixStore
from core.evaluation.embed import embed_images
from tests.fakes import FakeEncoder, FakeImageSet
store, image_set, encoder = MatrixStore(keys.root() / "embeddings"), FakeImageSet(n=40, broken=(7,)), FakeEncoder()
{body}
"""
    return python(script)


def test_a_kill_loses_at_most_the_shard_in_flight(store):
    body = """
def report(progress):
    if progress.done == 35:
        os._exit(9)
embed_images(encoder, image_set, store, report=report, batch=5, shard_rows=10)
"""
    with in_another_process(body) as other:
        assert other.wait(PATIENCE) == 9
    encoder, image_set = FakeEncoder(), FakeImageSet(n=40, broken=(7,))
    found = embed_images(encoder, image_set, store, batch=5, shard_rows=10)
    assert encoder.images_encoded == 10
    np.testing.assert_array_equal(found.vectors, expected(image_set))


def test_two_processes_share_one_run(store):
    body = """
real = encoder.encode_images
def paused(batch):
    if not encoder.images_encoded:
        print("working", flush=True)
        input()
    return real(batch)
encoder.encode_images = paused
embed_images(encoder, image_set, store, batch=10, shard_rows=10)
"""
    encoder, image_set, said = FakeEncoder(), FakeImageSet(n=40, broken=(7,)), []
    with in_another_process(body) as other:

        def report(progress):
            if not said:
                go_on(other)
            said.append(progress.message)

        told(other, "working")
        found = embed_images(encoder, image_set, store, report=report, batch=10, shard_rows=10)
        ended(other)
    assert encoder.images_encoded == 0
    assert set(said) == {"Another process is embedding these images; waiting for it"}
    np.testing.assert_array_equal(found.vectors, expected(image_set))


def test_waiting_for_another_run_can_be_stopped(store):
    image_set, encoder = FakeImageSet(), FakeEncoder()
    with store.lock(image_key(encoder, image_set)), pytest.raises(Stopped):
        embed_images(encoder, image_set, MatrixStore(store.folder), report=Stop(0))
    assert len(embed_images(encoder, image_set, store).rows) == 30


def test_decoding_overlaps_with_the_forward_pass(store, monkeypatch):
    image_set, encoder = FakeImageSet(n=30), FakeEncoder()
    ahead = threading.Event()
    load, encode = image_set.image, encoder.encode_images

    def image(index):
        if index == 10:
            ahead.set()
        return load(index)

    def encode_images(batch):
        assert ahead.wait(PATIENCE), "the next batch is not decoded while this one is encoded"
        return encode(batch)

    monkeypatch.setattr(image_set, "image", image)
    monkeypatch.setattr(encoder, "encode_images", encode_images)
    embed_images(encoder, image_set, store, batch=10, workers=1)


def test_pictures_waiting_for_the_model_are_bounded(store, monkeypatch):
    image_set, encoder = FakeImageSet(n=400), FakeEncoder()
    lock, decoded, most = threading.Lock(), [0], [0]
    load, encode = image_set.image, encoder.encode_images

    def image(index):
        with lock:
            decoded[0] += 1
        return load(index)

    def encode_images(batch):
        most[0] = max(most[0], decoded[0] - encoder.images_encoded)
        return encode(batch)

    monkeypatch.setattr(image_set, "image", image)
    monkeypatch.setattr(encoder, "encode_images", encode_images)
    embed_images(encoder, image_set, store, batch=10, shard_rows=100, workers=2)
    assert most[0] <= 10 + 10 + 4 * 2 + 10


def test_a_damaged_matrix_is_computed_again_and_reported(store):
    image_set, encoder = FakeImageSet(), FakeEncoder()
    key = embed_images(encoder, image_set, store).key
    path = store.folder / f"{key}.npy"
    path.write_bytes(path.read_bytes()[:-8])
    found = embed_images(encoder, image_set, store)
    np.testing.assert_array_equal(found.vectors, expected(image_set))
    assert encoder.images_encoded == 60
    assert key in store.damaged[0]


@pytest.mark.parametrize(("precision", "dtype"), [("float32", np.float32), ("bf16", np.float16), ("fp16", np.float16)])
def test_vectors_are_kept_as_precisely_as_they_were_computed(store, results, precision, dtype):
    encoder, image_set = FakeEncoder(), FakeImageSet()
    encoder.precision = precision
    found = embed_images(encoder, image_set, store, batch=7, shard_rows=10)
    assert found.vectors.dtype == dtype
    np.testing.assert_array_equal(found.vectors, expected(image_set).astype(dtype))
    first = embed_texts(encoder, image_set.names, results)
    second = embed_texts(encoder, image_set.names, results)
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, FakeEncoder().encode_texts(image_set.names).astype(dtype))


def test_the_key_is_what_decides_the_vectors():
    full = {
        "model": "a,b",
        "config": "c",
        "weights": "w",
        "preprocessing": {"mean": [0.5], "interpolation": "bicubic"},
        "precision": "float32",
        "device": "cpu",
        "versions": {"torch": "2.6"},
        "warnings": [],
    }

    def key(images: FakeImageSet | None = None, **changes: object) -> str:
        encoder = FakeEncoder()
        encoder.fingerprint = {**full, **changes}
        return image_key(encoder, images or FakeImageSet())

    assert key(model="x,y", device="cuda", versions={"torch": "3"}, warnings=["!"], tokenizer="t") == key()
    renamed = FakeImageSet()
    renamed.id, renamed.names = "elsewhere", ["other"] * 6
    assert key(renamed) == key()
    others = [
        key(FakeImageSet(n=31)),
        key(config="quickgelu"),
        key(weights="v"),
        key(precision="bf16"),
        key(preprocessing={"mean": [0.5], "interpolation": "bilinear"}),
    ]
    assert len({key(), *others}) == 6


class Precomputed(FakeImageSet):
    kind = "embeddings"
    has_images = False

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__(n=len(vectors))
        self.vectors = vectors


def test_precomputed_vectors_are_taken_as_they_are(store):
    vectors = expected(FakeImageSet(n=9)).astype(np.float16)
    encoder = FakeEncoder()
    found = embed_images(encoder, Precomputed(vectors), store)
    assert found.vectors is vectors
    assert found.rows.tolist() == list(range(9))
    assert encoder.images_encoded == 0
    with pytest.raises(BadInput, match="have 12 numbers, those of fake,fake 16: choose the model that made them"):
        embed_images(encoder, Precomputed(vectors[:, :12]), store)


def test_precomputed_vectors_of_another_model_give_way_to_the_pictures(store):
    image_set = Precomputed(np.ones((9, 12), np.float32))
    image_set.has_images = True
    found = embed_images(FakeEncoder(), image_set, store)
    np.testing.assert_array_equal(found.vectors, expected(FakeImageSet(n=9)))


def test_every_sentence_is_encoded_once_ever(results):
    encoder = FakeEncoder()
    sentences = ["a photo of a cat", "a dog", "a photo of a cat", "naïve café", "\udcff broken name"]
    first = embed_texts(encoder, sentences, results)
    assert encoder.texts_encoded == 4
    np.testing.assert_array_equal(first, FakeEncoder().encode_texts(sentences))
    again = Results(results.folder)
    more = embed_texts(encoder, ["a new one", *reversed(sentences)], again)
    again.close()
    assert encoder.texts_encoded == 5
    np.testing.assert_array_equal(more[1:], first[::-1])
    assert embed_texts(encoder, [], results).shape == (0, 16)


def test_sentences_of_different_models_are_kept_apart(results):
    encoders = [FakeEncoder() for _ in range(3)]
    encoders[1].fingerprint = {**encoders[1].fingerprint, "weights": "1" * 64}
    encoders[2].fingerprint = {**encoders[2].fingerprint, "precision": "bf16"}
    for encoder in encoders:
        embed_texts(encoder, ["a cat"], results)
    assert [encoder.texts_encoded for encoder in encoders] == [1, 1, 1]


def test_a_stopped_text_run_keeps_what_it_encoded(results, monkeypatch):
    monkeypatch.setattr(embed, "_SENTENCES_AT_ONCE", 10)
    sentences = [f"sentence {'x' * i} {i}" for i in range(95)]
    encoder = FakeEncoder()
    with pytest.raises(Stopped):
        embed_texts(encoder, sentences, results, report=Stop(70))
    assert encoder.texts_encoded == 70
    found = embed_texts(encoder, sentences, results)
    assert encoder.texts_encoded == 95
    np.testing.assert_array_equal(found, FakeEncoder().encode_texts(sentences))


def test_a_damaged_block_of_sentences_is_computed_again(results):
    encoder = FakeEncoder()
    sentences = [f"word{i}" for i in range(300)]
    first = embed_texts(encoder, sentences, results)
    identity = keys.digest({"schema": embed.SCHEMA, "encoder": {"weights": encoder.fingerprint["weights"]}})
    name = f"sentences:{identity}:5"
    lost = len(results.get_arrays(name)["digests"])
    results.put_arrays(name, {"digests": np.zeros((2, 32), np.uint8), "vectors": np.zeros((2, 3), np.float32)})
    np.testing.assert_array_equal(embed_texts(encoder, sentences, results), first)
    assert encoder.texts_encoded == 300 + lost
    assert lost > 0
