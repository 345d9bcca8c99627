"""Learned contexts: swapped token vectors against a full forward pass, learning, and use as a strategy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from core.datasets import open_set
from core.errors import BadInput, UnknownName, UnreadableData
from core.evaluation import evaluate
from core.models.encoder import load_encoder
from core.models.learned_context import learn, start_context, text_function, with_placeholders
from core.prompts import prompt_set
from core.supervised.scorer import zero_shot_scorer
from core.types import LearnedContext, Lens
from tests.helpers.commands import MODEL, output

NAMES = ["apple", "raised hand", "crow"]


@pytest.fixture(scope="module")
def encoder():
    found = load_encoder(MODEL, precision="float32")
    yield found
    found.close()


def test_the_words_a_photo_of_a_as_context_give_the_vectors_of_that_sentence(encoder) -> None:
    context = encoder.start_context(4, 0).numpy()
    learned = LearnedContext(tuple(map(tuple, context.tolist())), encoder.fingerprint["weights"])
    texts = [with_placeholders(name, 4) for name in NAMES]
    assert texts[1] == "X X X X raised hand."
    plain = encoder.encode_texts([f"a photo of a {name}." for name in NAMES])
    np.testing.assert_allclose(encoder.encode_in_context(texts, learned), plain, atol=1e-5)
    with pytest.raises(BadInput, match="another model"):
        encoder.encode_in_context(texts, LearnedContext(learned.vectors, "0" * 64))


def test_a_context_equals_a_forward_pass_over_swapped_embeddings(encoder) -> None:
    context = torch.randn(3, 128, generator=torch.Generator().manual_seed(1))
    texts = [with_placeholders(name, 3) for name in NAMES]
    found = encoder.in_context(texts, 3)(context)
    model, tokens = encoder._model, encoder._tokenizer(texts)
    # The tower by hand, at full length and from the embeddings on.
    x = model.token_embedding(tokens)
    x = torch.cat([x[:, :1], context.expand(3, -1, -1), x[:, 4:]], dim=1) + model.positional_embedding
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask))
    by_hand = x[torch.arange(3), tokens.argmax(-1)] @ model.text_projection
    np.testing.assert_allclose(
        found.detach().numpy(), torch.nn.functional.normalize(by_hand, dim=-1).detach().numpy(), atol=1e-5
    )


def test_learning_lowers_the_loss_repeats_and_touches_no_weight(encoder) -> None:
    before = {name: value.clone() for name, value in encoder._model.state_dict().items()}
    features = encoder.in_context([with_placeholders(name, 2) for name in NAMES], 2)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(24, 128)).astype(np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    labels = np.arange(24) % 3
    runs = [
        learn(features, encoder.start_context(2, 7), images, labels, scale=20.0, epochs=12, batch=8, rate=0.05, seed=3)
        for _ in range(2)
    ]
    assert runs[0][1][-1] < runs[0][1][0]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    assert not np.allclose(runs[0][0], encoder.start_context(2, 7).numpy())
    assert all(torch.equal(value, before[name]) for name, value in encoder._model.state_dict().items())


def test_models_that_cannot_are_told_apart() -> None:
    class Tower(torch.nn.Module):
        pass

    with pytest.raises(BadInput, match="table of token vectors"):
        start_context(Tower(), lambda _: torch.zeros(1, 4), 4, 0)
    split = torch.nn.Module()
    split.token_embedding = torch.nn.Embedding(9, 4)
    with pytest.raises(BadInput, match="placeholder words one by one"):
        text_function(split, lambda texts: torch.tensor([[0, 3, 4, 5, 6]] * len(texts)), ["X X a"], 2)


@pytest.mark.slow
def test_the_command_makes_strategies_that_every_classifier_use_takes(folder: Path, tmp_path: Path) -> None:
    found = output(
        "prompts", "learn", MODEL, str(folder), "--out", str(tmp_path / "ctx"), "--shots", "2", "--seeds", "2",
        "--epochs", "3", "--rate", "0.01",
    )  # fmt: skip
    first = found["seeds"][0]
    assert first["strategy"] == f"learned:{tmp_path}/ctx-0.json"
    assert first["pictures"] == 20
    assert found["against"]["simple"][0]["n"] == 20
    # The same accuracy by the ordinary path, over the test images and all of them.
    image_set = open_set(str(folder))
    lens = Lens(MODEL, str(folder), first["strategy"], precision="float32")
    answer = evaluate.evaluate(lens, image_set=image_set)
    assert "20 pictures" in answer.prompt_notes[0]
    from core.stats.shots import TEST, pool

    tests = pool(answer.labels, most=2, seed=0) == TEST
    right = answer.top[:, 0] == answer.labels
    assert first["acc1"] == pytest.approx(right[tests].mean())
    scorer = zero_shot_scorer(lens, image_set)
    logits = scorer.logits(scorer.batch([image_set.image(row) for row in range(6)]))
    assert (logits.argmax(1).numpy() == answer.top[:6, 0]).all()
    assert any("learned" in one["id"] for one in output("prompts", "list", "--json"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({"kind": "else"}, UnreadableData, "no learned context"),
        ({"kind": "learned context", "weights": "x", "context": [["a"]]}, UnreadableData, "no context of numbers"),
        ({"kind": "learned context", "weights": "x", "context": [[1.0]] * 99}, UnreadableData, "shape"),
        (
            {"kind": "learned context", "weights": "x", "context": [[1, 2], [3]]},
            UnreadableData,
            "no context of numbers",
        ),
        (None, UnknownName, "prompts learn"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path: Path, content, error, words: str) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(json.dumps(content))
    with pytest.raises(error, match=words):
        prompt_set(f"learned:{path}", open_set("icons-tail"))
    with pytest.raises(BadInput, match="is a file"):
        prompt_set("learned", open_set("icons-tail"))
