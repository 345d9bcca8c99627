"""The encoder against open_clip itself: same weights, same preprocessing, same vectors."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import TailscopeError, UnreadableData
from core.models import encoder as encoder_module
from core.models import loading
from core.models.encoder import Encoder, load_encoder
from core.models.text_tower import text_lengths, trimmed_text_features
from tests import tiny

TEXTS = [
    "a photo of a cat.",
    "cat",
    "a bad, low-resolution photo of the great white shark swimming in the deep sea!",
    "itap of my Boeing 737, seen from far away in the rain, with a very long description that is cut off at the end",
    "",
    "a photo of a cat.",
]


def pictures() -> list[Image.Image]:
    random = np.random.default_rng(5)
    sizes = [(32, 32), (64, 40), (31, 77), (200, 190)]
    return [Image.fromarray(random.integers(0, 256, (h, w, 3), dtype=np.uint8)) for w, h in sizes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("models") / "tiny-clip")


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    return load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")


def reference(folder: Path):
    import open_clip

    name = f"local-dir:{folder}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    return model.eval(), transform, open_clip.get_tokenizer(name)


@pytest.mark.parametrize(
    "preprocess",
    [
        {"interpolation": "bicubic", "resize_mode": "shortest"},
        {"interpolation": "bilinear", "resize_mode": "squash"},
        {"interpolation": "bicubic", "resize_mode": "longest", "fill_color": 7},
    ],
    ids=lambda settings: settings["resize_mode"],
)
def test_images_equal_open_clip(tmp_path, preprocess):
    folder = tiny.save(tmp_path / "model", preprocess=preprocess)
    model, transform, _ = reference(folder)
    encoder = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    found = encoder.encode_images([encoder.preprocess(picture) for picture in pictures()])
    with torch.no_grad():
        expected = model.encode_image(torch.stack([transform(picture) for picture in pictures()]), normalize=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert (found @ found.T)[~np.eye(4, dtype=bool)].max() < 0.999, "the test model cannot tell pictures apart"
    assert encoder.fingerprint["preprocessing"]["resize_mode"] == preprocess["resize_mode"]
    assert encoder.fingerprint["preprocessing"]["interpolation"] == preprocess["interpolation"]


def test_golden_zero_shot_classifier(folder, encoder):
    import open_clip

    model, _, tokenizer = reference(folder)
    names, templates = ["cat", "great white shark", "Boeing 737"], open_clip.OPENAI_IMAGENET_TEMPLATES[:7]
    golden = open_clip.build_zero_shot_classifier(model, tokenizer, names, templates).numpy().T  # [c, d]
    vectors = encoder.encode_texts([template(name) for name in names for template in templates])
    means = vectors.reshape(len(names), len(templates), -1).mean(1)
    np.testing.assert_allclose(means / np.linalg.norm(means, axis=1, keepdims=True), golden, atol=2e-6)
    assert encoder.scale == pytest.approx(model.logit_scale.exp().item())
    assert (encoder.bias, encoder.sigmoid, encoder.context_length, encoder.dim) == (0.0, False, 24, 32)


def rows_seen_by(module: torch.nn.Module, run) -> list[tuple[int, int]]:
    """(texts, tokens) of every call of a text transformer during ``run``."""
    seen: list[tuple[int, int]] = []
    handle = module.register_forward_pre_hook(lambda _module, args: seen.append(tuple(args[0].shape[:2])))
    try:
        run()
    finally:
        handle.remove()
    return seen


@pytest.mark.parametrize(
    ("config", "pool"),
    [(tiny.CLIP, "argmax"), (tiny.CLIP, "eos"), (tiny.CUSTOM, "argmax"), (tiny.CUSTOM, "eos")],
    ids=["CLIP-argmax", "CLIP-eos", "CustomTextCLIP-argmax", "CustomTextCLIP-eos"],
)
def test_trimmed_texts_equal_the_full_context(config, pool):
    import open_clip

    model = tiny.build({**config, "text_cfg": {**config["text_cfg"], "pool_type": pool, "eos_id": 49407}})
    tokens = open_clip.SimpleTokenizer(context_length=24)(TEXTS[:3])
    tower = model.text if hasattr(model, "text") else model
    with torch.no_grad():
        full = model.encode_text(tokens, normalize=True)
        short = trimmed_text_features(model, tokens)
        seen = rows_seen_by(tower.transformer, lambda: trimmed_text_features(model, tokens))
        swap = tokens.clone()
        swap[0, 1] += 1
        changed = trimmed_text_features(model, swap)
    longest = int((tokens != 0).sum(1).max())
    assert longest < 24
    assert seen == [(3, longest)]
    assert text_lengths(model, tokens).tolist() == (tokens != 0).sum(1).tolist()
    torch.testing.assert_close(short, full, atol=3e-6, rtol=0)
    assert (changed[0] - full[0]).abs().max() > 1e-3, "the test model does not read its texts"
    assert tower.positional_embedding.shape[0] == 24, "the table was changed for good"


@pytest.mark.parametrize("config", [tiny.SIGLIP, tiny.COCA_TEXT], ids=["bidirectional", "class token at the end"])
def test_other_text_towers_run_at_full_length(config):
    import open_clip

    model = tiny.build(config)
    tokens = open_clip.SimpleTokenizer(context_length=24)(TEXTS[:3])
    with torch.no_grad():
        seen = rows_seen_by(model.text.transformer, lambda: trimmed_text_features(model, tokens))
        torch.testing.assert_close(trimmed_text_features(model, tokens), model.encode_text(tokens, normalize=True))
    assert seen == [(3, model.text.num_pos)]


def test_texts_are_encoded_once_sorted_and_returned_in_order(folder, encoder, monkeypatch):
    monkeypatch.setitem(encoder_module.TEXT_TOKENS, "cpu", 16)
    model, _, tokenizer = reference(folder)
    found: list[np.ndarray] = []
    seen = rows_seen_by(encoder._model.transformer, lambda: found.append(encoder.encode_texts(TEXTS)))
    assert sum(rows for rows, _ in seen) == len(set(TEXTS))
    assert [length for _, length in seen] == sorted(length for _, length in seen)
    assert all(rows == 1 or rows * length <= 16 for rows, length in seen)
    with torch.no_grad():
        expected = model.encode_text(tokenizer(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(found[0], expected, atol=3e-6)
    assert encoder.encode_texts([]).shape == (0, 32)


def test_token_counts_are_those_before_truncation(encoder):
    assert encoder.token_counts(["", "cat", "a photo of a cat."]) == [2, 3, 8]
    assert encoder.token_counts([TEXTS[3]])[0] > encoder.context_length


@pytest.mark.parametrize("config", [tiny.CLIP, tiny.RESNET, tiny.CUSTOM], ids=["ViT", "ResNet", "CustomTextCLIP"])
def test_half_precision_stays_close_to_float32(tmp_path, config):
    name = f"local-dir:{tiny.save(tmp_path / 'model', config)}"
    exact = load_encoder(name, precision="float32", device="cpu")
    half = load_encoder(name, precision="bf16", device="cpu")
    assert (exact.precision, half.precision) == ("float32", "bf16")
    pixels = [exact.preprocess(picture) for picture in pictures()]
    assert (exact.encode_images(pixels) * half.encode_images(pixels)).sum(1).min() > 0.998
    assert (exact.encode_texts(TEXTS) * half.encode_texts(TEXTS)).sum(1).min() > 0.998
    np.testing.assert_allclose(np.linalg.norm(half.encode_images(pixels), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("able", "expected"), [({}, "float32"), ({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16")]
)
def test_half_precision_only_where_the_processor_has_it(monkeypatch, able, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    assert loading.best_precision("cpu") == expected


def test_a_tower_that_fails_in_half_precision_runs_in_float32(folder, monkeypatch):
    real = loading.load

    def brittle(model_id, *, precision, device):
        loaded = real(model_id, precision="bf16" if precision == "auto" else precision, device=device)
        if loaded.precision == "bf16":
            loaded.model.visual.forward = lambda images: (_ for _ in ()).throw(RuntimeError("no kernel for BFloat16"))
        return loaded

    monkeypatch.setattr(encoder_module, "load", brittle)
    encoder = load_encoder(f"local-dir:{folder}", device="cpu")
    assert encoder.precision == encoder.fingerprint["precision"] == "float32"
    assert "no kernel for BFloat16" in encoder.fingerprint["warnings"][0]


class Hungry(torch.nn.Module):
    """Runs out of memory above ``room`` pictures; a picture's vector is made of its first pixel."""

    def __init__(self, inner: torch.nn.Module, room: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        super().__init__()
        self.inner, self.room, self.error, self.asked = inner, room, error, []

    def encode_image(self, images: torch.Tensor, normalize: bool) -> torch.Tensor:
        self.asked.append(len(images))
        if len(images) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 3 GiB")
        return torch.nn.functional.one_hot((images[:, 0, 0, 0] * 9).round().long(), 32).float()


def hungry(encoder: Encoder, room: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> Hungry:
    encoder._model = Hungry(encoder._model, room, error)
    encoder._mean, encoder._std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    return encoder._model


def test_out_of_memory_halves_the_batch_and_goes_on(encoder):
    model = hungry(encoder, room=3)
    batch = [np.full((4, 4, 3), round(255 * i / 9), np.uint8) for i in range(10)]
    vectors = encoder.encode_images(batch)
    assert vectors.argmax(1).tolist() == list(range(10))
    assert model.asked == [10, 5, 2, 2, 2, 2, 2]
    model.asked.clear()
    assert encoder.encode_images(batch).argmax(1).tolist() == list(range(10))
    assert model.asked == [2] * 5, "the size that fits was forgotten"


def test_a_model_that_cannot_hold_one_picture_says_so(encoder):
    hungry(encoder, room=0)
    with pytest.raises(TailscopeError, match="needs more memory than this cpu has"):
        encoder.encode_images([np.zeros((4, 4, 3), np.uint8)] * 3)


def test_other_runtime_errors_are_not_taken_for_out_of_memory(encoder):
    model = hungry(encoder, room=3, error=type("Other", (RuntimeError,), {}))
    with pytest.raises(RuntimeError, match="Tried to allocate"):
        encoder.encode_images([np.zeros((4, 4, 3), np.uint8)] * 10)
    assert model.asked == [10]


def test_vectors_that_are_not_finite_are_refused(encoder):
    with torch.no_grad():
        encoder._model.visual.proj.fill_(float("nan"))
    with pytest.raises(TailscopeError, match="not finite in float32: its weights are damaged"):
        encoder.encode_images([encoder.preprocess(picture) for picture in pictures()])


def test_a_sliver_is_refused_before_it_is_blown_up(encoder):
    with pytest.raises(UnreadableData, match="2 x 1000 pixels is too elongated"):
        encoder.preprocess(Image.new("RGB", (2, 1000)))
    assert encoder.preprocess(Image.new("RGB", (2, 200))).shape == (32, 32, 3)


@pytest.mark.slow
def test_a_real_architecture_through_the_same_path(tmp_path):
    import open_clip
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model("ViT-B-32", pretrained_text=False).eval()
    half = {name: value.half() for name, value in model.state_dict().items()}
    save_file(half, tmp_path / "open_clip_model.safetensors")
    config = {"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    encoder = load_encoder(f"local-dir:{tmp_path}", precision="float32", device="cpu")
    model.load_state_dict(half)
    tokens = open_clip.tokenize(["a photo of a cat.", "cat"])
    with torch.no_grad():
        expected = model.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(["a photo of a cat.", "cat"]), expected, atol=3e-6)
    vectors = encoder.encode_images([encoder.preprocess(picture) for picture in pictures()[:2]])
    assert vectors.shape == (2, encoder.dim) == (2, 512)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    if sys.platform == "linux":
        del model, half
        gc.collect()
        before = resident_bytes()
        encoder.close()
        assert before - resident_bytes() > 0.8 * 4 * 151_277_313, "the memory of its float32 weights did not come back"


def resident_bytes() -> int:
    """Memory of this process that no file backs."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
