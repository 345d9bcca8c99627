"""First looks at a large set, and estimates of long work."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from cache import keys
from cache.matrices import MatrixStore
from core.datasets.sampling import sample_rows
from core.datasets.subset import renamed
from core.evaluation import embed, evaluate, looks
from core.evaluation.embedding_run import work_of
from core.evaluation.reports import clip_benchmark
from core.evaluation.similar import vector_of
from core.robustness.corruptions import run
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.runtime.jobs import Engine
from core.supervised import ask
from core.types import Lens, Progress, silent
from tests.fakes import FakeEncoder, FakeImageSet
from tests.helpers.pages import Endless, Stub, answered, opened, words


def test_looks_are_nested_and_no_picture_is_embedded_twice() -> None:
    images, store, encoder = FakeImageSet(n=120, broken=(7,)), MatrixStore(keys.root() / "embeddings"), FakeEncoder()
    few, more = (np.sort(sample_rows(images.labels, n)) for n in (18, 60))
    assert set(few) <= set(more)
    assert np.bincount(images.labels[few]).tolist() == [3] * 6
    first = embed.embed_sample(encoder, images, store, few)
    assert encoder.images_encoded == len(first.rows) == 18 - (7 in few)
    second = embed.embed_sample(encoder, images, store, more)
    readable = encoder.images_encoded
    assert readable == len(second.rows) == 60 - (7 in more)
    assert embed.left_to_embed(encoder, images, store) == 120 - readable
    whole = embed.embed_images(encoder, images, store, batch=16, shard_rows=50)
    assert encoder.images_encoded == 119
    assert [item.item for item in whole.left_out] == [images.image_ids[7]]
    np.testing.assert_array_equal(whole.vectors, embed.embed_images(FakeEncoder(), images, store).vectors)
    alone = MatrixStore(keys.root() / "alone")
    np.testing.assert_array_equal(whole.vectors, embed.embed_images(FakeEncoder(), images, alone).vectors)
    assert [entry.key for entry in store.entries()] == [whole.key]  # the looks are gone
    again = embed.embed_sample(encoder, images, store, few)
    np.testing.assert_array_equal(again.vectors, first.vectors)
    assert (encoder.images_encoded, again.rows.tolist()) == (119, first.rows.tolist())


def test_a_look_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "encoders", lambda: SimpleNamespace(get=lambda *_: FakeEncoder()))
    images, lens = FakeImageSet(n=120), Lens("fake,fake", "fake", "simple")
    found = looks.look(lens, image_set=images, pictures=30)
    assert looks.is_look(found)
    assert (found.n_images, len(found.rows), found.acc1) == (120, 30, 1.0)
    assert looks.words(found) == (
        "First look at 30 of 120 pictures, spread evenly over the classes: top-1 100 % (95 % 89–100 %)."
    )
    told = clip_benchmark(found)["look"]
    assert (told["images"], told["of"], told["acc1"]["value"]) == (30, 120, 1.0)
    assert told["acc1"]["low"] == pytest.approx(30 / (30 + 1.959964**2))  # Wilson at n of n
    assert [looks.after(n, 50_000) for n in (1000, 4000, 16_000)] == [4000, 16_000, 50_000]


def test_an_estimate_is_of_what_is_missing_at_the_rate_measured_here(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, images, lens = FakeEncoder(), FakeImageSet(n=60), Lens("fake,fake", "fake")
    monkeypatch.setattr(evaluate, "encoders", lambda: SimpleNamespace(get=lambda *_: encoder))
    first = looks.estimate(lens, image_set=images)
    assert first is not None
    assert (first.units, first.rate) == (60, estimates.known(work_of(encoder, images)))
    calibrated = encoder.images_encoded
    estimates.remember(work_of(encoder, images), 0.5)
    assert looks.estimate(lens, image_set=images) == Estimate(60, "picture", 0.5)
    assert encoder.images_encoded == calibrated
    (alone,) = vector_of(lens, image_set=images, index=5, report=silent)
    assert encoder.images_encoded == calibrated + 1
    assert vector_of(lens, image_set=FakeImageSet(n=60, broken=(5,)), index=5, report=silent) == (None,)
    whole = embed.embed_images(encoder, images, evaluate.matrices())
    np.testing.assert_allclose(alone, whole.vectors[5], atol=1e-3)
    (again,) = vector_of(lens, image_set=images, index=5, report=silent)
    np.testing.assert_array_equal(again, whole.vectors[5])
    assert encoder.images_encoded == calibrated + 1 + 60  # it came from the cache
    assert looks.estimate(lens, image_set=images) is None


def test_corruptions_are_estimated_by_what_is_not_embedded_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = FakeEncoder()
    monkeypatch.setattr(evaluate, "encoders", lambda: SimpleNamespace(get=lambda *_: encoder))
    views = [FakeImageSet(n=n) for n in (30, 60, 90)]
    source = SimpleNamespace(
        conditions=[0, 1, 2], labels=views[0].labels, view=lambda one: views[one], id="fake", keys=(), names=(), made=""
    )
    embed.embed_images(encoder, views[0], evaluate.matrices())
    estimates.remember(work_of(encoder, views[2]), 9.0)
    monkeypatch.setattr(looks, "calibrate", lambda *_, **__: 2.0)
    found = run.estimate(["fake,fake"], source, report=silent)
    assert found is not None
    assert (found.units, found.seconds) == (150, pytest.approx(60 / 2 + 90 / 9))


def test_models_are_estimated_on_what_each_has_not_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, images = FakeEncoder(), FakeImageSet(n=40)
    pool = SimpleNamespace(get=lambda *_: encoder)
    monkeypatch.setattr(evaluate, "encoders", lambda: pool)
    monkeypatch.setattr(ask.answers, "pool", lambda: pool)
    monkeypatch.setattr(ask.answers, "answer_key", lambda *_: "supervised")
    monkeypatch.setattr(ask, "answer_key", lambda *_: "zero-shot")
    monkeypatch.setattr(ask.supervised, "canonical", lambda name: name)
    estimates.remember(work_of(encoder, images), 2.0)
    view = renamed(images, {images.keys[0]: "other"})
    found = ask.estimate(["fake,fake", "supervised:other"], [images, view], report=silent)
    assert found == Estimate(80, "picture", 2.0)  # a view costs its whole set, which is embedded once
    monkeypatch.setattr(ask, "is_answered", lambda key, _: key == "zero-shot")
    monkeypatch.setattr(evaluate, "encoders", lambda: None)  # what is answered needs no model
    assert ask.estimate(["fake,fake"], [images]) is None


def test_estimates_in_words() -> None:
    assert Estimate(50_000, "picture", 7.0).words(look=1000) == (
        "about 2.0 h for 50,000 pictures on this machine; 1,000 first give a look in 2 min"
    )
    assert Estimate(500, "picture", 7.0).words(look=1000) == "about 71 s for 500 pictures on this machine"
    assert Estimate(50, "picture", 7.0).words() == ""
    both = estimates.total([Estimate(100, "picture", 10), None, Estimate(300, "picture", 10)])
    assert both == Estimate(400, "picture", 10)
    assert estimates.total([None]) is None


def test_work_refines_its_own_rate_and_damage_costs_a_calibration() -> None:
    now = iter([0.0, 30.0, 31.0, 34.0, 40.0, 41.0])
    seen: list[Progress] = []
    told = estimates.measuring(seen.append, "work", clock=lambda: next(now))
    for done in (0, 10, 20, 50, 110, 0):
        told(Progress(done, 120))
    # The first step took 30 s, because a model warms up; then 100 units in 10 s.
    assert estimates.known("work") == pytest.approx(10.0)
    assert [progress.done for progress in seen] == [0, 10, 20, 50, 110, 0]
    (keys.root() / "rates.json").write_text("no JSON")
    assert estimates.known("work") is None


def test_a_long_evaluation_offers_a_first_look(page_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless()
    monkeypatch.setattr(evaluate, "evaluate", endless)
    monkeypatch.setattr(looks, "estimate", Stub(lambda lens, *, image_set: Estimate(11_720, "picture", 10.0)))
    monkeypatch.setattr(looks, "GROWTH", 40)

    def look(lens, *, image_set, pictures):
        found = answered(lens, image_set=image_set, report=silent)
        found.fingerprint["look"] = {"images": pictures, "seed": 0}
        return found

    monkeypatch.setattr(looks, "look", Stub(look))
    app = opened("explore", prompts="class")
    assert "About 20 min for 11,720 pictures on this machine; 1,000 first give a look in 2 min" in words(app)
    assert not page_engine.jobs() or not endless.begun.is_set()
    app.button(key="look-first").click().run()
    for _ in range(3):
        app.run()
    assert "First look at 11,720 of 11,720 pictures" in words(app)
    assert endless.begun.wait(10)
    assert not app.exception
