"""Loading a model: fingerprints, files that are not one, and the pool that keeps few of them."""

from __future__ import annotations

import gc
import json
import pickle
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import UnknownName, UnreadableData
from core.models import registry, weights
from core.models.encoder import Encoder, EncoderPool, load_encoder
from tests import tiny
from tests.offline import forbid_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    return load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")


def test_sigmoid_models_with_their_own_tokenizer_load_offline(tmp_path, monkeypatch):
    pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    config = {**tiny.SIGLIP, "text_cfg": {**tiny.SIGLIP["text_cfg"], "hf_tokenizer_name": "someone/elsewhere"}}
    folder = tiny.save(tmp_path / "siglip", config)
    words = {"<pad>": 0, "<unk>": 1, "a": 2, "photo": 3, "of": 4, "cat": 5}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    forbid_network(monkeypatch)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    encoder = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert (encoder.sigmoid, encoder.bias) == (True, -10.0)
    tokens = encoder._tokenizer(["a photo of a cat", "a dog"])
    assert tokens[:, :6].tolist() == [[2, 3, 4, 2, 5, 0], [2, 1, 0, 0, 0, 0]]
    with torch.no_grad():
        expected = encoder._model.encode_text(tokens, normalize=True)
    np.testing.assert_allclose(encoder.encode_texts(["a photo of a cat", "a dog"]), expected, atol=1e-6)
    assert encoder.token_counts(["a photo of a cat", "a dog"]) == [5, 2]


def test_fingerprint_says_what_decides_the_vectors(folder, encoder, tmp_path):
    import hashlib

    found = encoder.fingerprint
    weights = hashlib.sha256((folder / "open_clip_model.safetensors").read_bytes()).hexdigest()
    assert found["weights"] == weights
    assert found["preprocessing"]["mean"] == [0.5, 0.4, 0.3]
    assert (found["activation"], found["precision"], found["device"]) == ("GELU", "float32", "cpu")
    assert found["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert json.loads(json.dumps(found)) == found
    other = load_encoder(f"local-dir:{tiny.save(tmp_path / 'quick', {**tiny.CLIP, 'quick_gelu': True})}", device="cpu")
    assert other.fingerprint["activation"] == "QuickGELU"
    assert other.fingerprint["weights"] == weights
    assert other.fingerprint["config"] != found["config"], "the same weights under another activation"


class Trap:
    """Unpickling it would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_checkpoint_that_runs_code_is_not_opened(folder, tmp_path):
    sprung = tmp_path / "sprung"
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "open_clip_config.json").write_bytes((folder / "open_clip_config.json").read_bytes())
    torch.save({"state_dict": {"logit_scale": Trap(sprung)}}, bad / "open_clip_pytorch_model.bin")
    with pytest.raises(UnreadableData, match="holds more than weights"):
        load_encoder(f"local-dir:{bad}", device="cpu")
    (bad / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(UnreadableData, match=r"holds more than weights|could not be loaded"):
        load_encoder(f"local-dir:{bad}", device="cpu")
    assert not sprung.exists()


@pytest.mark.parametrize("damage", ["cut short", "another model", "not safetensors", "not a configuration"])
def test_files_that_are_not_the_model_are_refused_in_one_sentence(folder, tmp_path, damage):
    bad = tiny.save(tmp_path / "bad", {**tiny.CLIP, "embed_dim": 48} if damage == "another model" else tiny.CLIP)
    weights, config = bad / "open_clip_model.safetensors", bad / "open_clip_config.json"
    if damage == "cut short":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "another model":
        config.write_bytes((folder / "open_clip_config.json").read_bytes())
    elif damage == "not safetensors":
        weights.write_bytes(b"\xff" * 4096)
    else:
        config.write_text('{"model_cfg": {"text_cfg": 3}}', encoding="utf-8")
    with pytest.raises(UnreadableData) as caught:
        load_encoder(f"local-dir:{bad}", device="cpu")
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)


def on_cpu(name, *, precision):
    return load_encoder(name, precision=precision, device="cpu")


def state_of(name):
    return weights.digests(registry.find(name))


@pytest.mark.slow
def test_a_model_whose_files_changed_is_loaded_again(tmp_path):
    folder = tiny.save(tmp_path / "model")
    name, pool = f"local-dir:{folder}", EncoderPool(on_cpu, state=state_of)
    first = pool.get(name, "float32")
    before = first.encode_texts(["a cat"])
    assert pool.get(name, "float32") is first
    tiny.save(folder, seed=1)
    after = pool.get(name, "float32").encode_texts(["a cat"])
    np.testing.assert_array_equal(after, on_cpu(name, precision="float32").encode_texts(["a cat"]))
    assert np.abs(after - before).max() > 0.01
    settings = json.loads((folder / "open_clip_config.json").read_text())
    settings["preprocess_cfg"]["mean"] = [0.0, 0.0, 0.0]
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    assert pool.get(name, "float32").fingerprint["preprocessing"]["mean"] == [0.0, 0.0, 0.0]
    assert pool.held() == [name]


@pytest.mark.slow
def test_the_pool_frees_the_model_used_longest_ago(folder, tmp_path):
    names = [f"local-dir:{folder}", *(f"local-dir:{tiny.save(tmp_path / str(seed), seed=seed)}" for seed in (1, 2))]
    pool = EncoderPool(on_cpu, state=state_of, limit=2)
    first = pool.get(names[0], "float32")
    second = pool.get(names[1], "float32")
    assert pool.get(names[0], "float32") is first
    leaving = weakref.ref(second._model)
    staying = weakref.ref(first._model)
    pool.get(names[2], "float32")
    assert pool.held() == [names[0], names[2]]
    assert leaving() is None, "the model is still in memory, although its encoder is still referred to"
    assert staying() is not None
    assert pool.get(names[1], "float32") is not second
    pool.clear()
    gc.collect()
    assert staying() is None


def test_a_load_that_fails_leaves_the_pool_usable(folder):
    pool = EncoderPool(load_encoder, state=state_of, limit=1)
    with pytest.raises(UnknownName):
        pool.get("ViT-B-32,nonsense")
    assert pool.held() == []
    assert pool.get(f"local-dir:{folder}").dim == 32
