"""Weights as training runs leave them: wrapped, prefixed, several to a folder, or not weights at all."""

from __future__ import annotations

import json
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from core.datasets import open_set
from core.errors import BadInput, TailscopeError, UnreadableData
from core.models import checkpoints, weights
from core.models.encoder import load_encoder
from core.robustness.attacks.runner import AttackRunner
from core.supervised.classifiers import load
from tests import tiny

State = dict[str, torch.Tensor]


def named(prefix: str) -> Callable[[State], State]:
    return lambda state: {prefix + name: tensor for name, tensor in state.items()}


def inside(*keys: str, **more: Any) -> Callable[[State], dict[str, Any]]:
    def wrap(state: State) -> dict[str, Any]:
        found: dict[str, Any] = dict(state)
        for key in reversed(keys):
            found = {key: found}
        return {**found, **more}

    return wrap


def then(*steps: Callable[[Any], Any]) -> Callable[[State], Any]:
    def wrap(state: State) -> Any:
        for step in steps:
            state = step(state)
        return state

    return wrap


OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
WRAPPED = {
    "as it is": inside(),
    "a training run of open_clip": then(named("module."), inside("state_dict", epoch=5, optimizer=OPTIMISER)),
    "compiled": then(named("_orig_mod."), inside("state_dict")),
    "compiled, then distributed": named("module._orig_mod."),
    "distributed, then compiled": named("_orig_mod.module."),
    "Lightning": then(named("model."), inside("state_dict", global_step=3, callbacks={})),
    "compiled in Lightning": then(named("model._orig_mod."), inside("state_dict")),
    "a word of one's own": then(named("student."), inside("state_dict")),
    "two words of one's own": named("trainer.clip."),
    "under model": inside("model", optimizer=OPTIMISER, iteration=7),
    "under model_state_dict": inside("model_state_dict", epoch=1),
    "an average alone": inside("state_dict_ema"),
    "DeepSpeed": inside("module", lr_scheduler={"last_epoch": 3}),
    "two levels": inside("checkpoint", "state_dict"),
    "under a name that nobody knows": inside("my_clip", seed=3),
    "with arguments of the run": inside("state_dict", args=Namespace(lr=0.1)),
    "with OpenAI's notes": inside(context_length=torch.tensor(24), input_resolution=torch.tensor(32)),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("models") / "plain")


@pytest.fixture(scope="module")
def state(folder: Path) -> State:
    from safetensors.torch import load_file

    return load_file(folder / "open_clip_model.safetensors")


def beside(folder: Path, target: Path, name: str, content: Any) -> str:
    """A folder with the same configuration and other weights, as the name of a model."""
    target.mkdir()
    (target / weights.CONFIG).write_bytes((folder / weights.CONFIG).read_bytes())
    torch.save(content, target / name)
    return f"local-dir:{target}"


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """What the model of ``folder`` makes of a text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAILSCOPE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return load_encoder(f"local-dir:{folder}", precision="float32", device="cpu").encode_texts(["a cat"])


@pytest.mark.parametrize("how", WRAPPED)
def test_weights_are_taken_out_of_their_wrapping(
    folder: Path, state: State, expected: np.ndarray, tmp_path: Path, how: str
) -> None:
    name = beside(folder, tmp_path / "model", "open_clip_pytorch_model.bin", WRAPPED[how](state))
    found = load_encoder(name, precision="float32", device="cpu")
    np.testing.assert_array_equal(found.encode_texts(["a cat"]), expected)
    assert found.fingerprint["warnings"] == []


def test_one_of_two_sets_of_weights_is_named(folder: Path, state: State, expected: np.ndarray, tmp_path: Path) -> None:
    both = {"state_dict": state, "state_dict_ema": {name: tensor + 1 for name, tensor in state.items()}}
    name = beside(folder, tmp_path / "model", "epoch_5.pt", both)
    found = load_encoder(name, precision="float32", device="cpu")
    np.testing.assert_array_equal(found.encode_texts(["a cat"]), expected)
    assert found.fingerprint["warnings"] == [
        "epoch_5.pt holds weights under state_dict, state_dict_ema: state_dict was used."
    ]


def test_a_word_before_some_of_the_names_is_told(folder: Path, state: State, tmp_path: Path) -> None:
    mixed = named("model.")(state) | {"teacher.head": torch.zeros(2), "loss.weight": torch.zeros(2)}
    name = beside(folder, tmp_path / "model", "open_clip_pytorch_model.bin", {"state_dict": mixed})
    problem = rf"{len(state)} of the {len(state) + 2} tensors .* have the model's names after 'model\.'"
    with pytest.raises(UnreadableData, match=problem):
        load_encoder(name, precision="float32", device="cpu")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"epoch": 3, "noise": "x" * 3_000_000}, "holds no weights of a model"),
        ([torch.zeros(3_000_000)], "holds no weights of a model"),
        (torch.zeros(3_000_000), "holds no weights of a model"),
        ({"a": {"x": torch.zeros(3_000_000)}, "b": {"x": torch.zeros(3)}}, "holds no weights of a model"),
        ({"other": torch.zeros(3_000_000)}, "could not be loaded from"),
    ],
)
def test_what_is_no_weights_is_told(folder: Path, tmp_path: Path, content: Any, problem: str) -> None:
    name = beside(folder, tmp_path / "model", "model.pth", content)
    with pytest.raises(UnreadableData, match=problem) as caught:
        load_encoder(name, precision="float32", device="cpu")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_that_unpacks_to_more_than_it_has_is_not_opened(folder: Path, tmp_path: Path) -> None:
    name = beside(folder, tmp_path / "model", "model.pth", {"x": torch.zeros(25_000_000)})
    file = tmp_path / "model" / "model.pth"
    with zipfile.ZipFile(file) as stored:
        members = {member.filename: stored.read(member) for member in stored.infolist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, data in members.items():
            packed.writestr(member, data)
    assert file.stat().st_size < 1_000_000
    with pytest.raises(UnreadableData, match=r"unpacks to 100,0.* many times its size, and was not opened"):
        load_encoder(name, precision="float32", device="cpu")


@pytest.mark.parametrize("content", [b"junk", b"", b"PK\x03\x04junk", b"\xff" * 100, b"version https://git-lfs.github"])
def test_a_file_that_is_no_checkpoint_is_told(folder: Path, tmp_path: Path, content: bytes) -> None:
    name = beside(folder, tmp_path / "model", "model.pth", {})
    (tmp_path / "model" / "model.pth").write_bytes(content)
    with pytest.raises(UnreadableData, match=r"could not be loaded from .*model\.pth"):
        load_encoder(name, precision="float32", device="cpu")


def test_the_only_checkpoint_of_a_run_is_the_weights(folder: Path, state: State, tmp_path: Path) -> None:
    beside(folder, tmp_path / "run", "epoch_5.pt", {"epoch": 5, "state_dict": named("module.")(state)})
    assert weights.find_in_folder(tmp_path / "run").weights.name == "epoch_5.pt"
    torch.save({}, tmp_path / "run" / "epoch_latest.pt")
    with pytest.raises(UnreadableData, match=r"holds 2 checkpoints \(epoch_5\.pt, epoch_latest\.pt\): leave one"):
        weights.find_in_folder(tmp_path / "run")
    save_file(state, tmp_path / "run" / "model.safetensors")
    assert weights.find_in_folder(tmp_path / "run").weights.name == "model.safetensors"


def test_big_vision_s_files_are_still_open_clip_s_to_convert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from open_clip import convert, factory

    asked = []
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-test", tiny.CLIP)
    monkeypatch.setattr(convert, "load_big_vision_weights", lambda model, path: asked.append(path))
    from core.models import open_clip_table as model_table

    model_table.table.cache_clear()
    file = tmp_path / "siglip.npz"
    np.savez(file, x=np.zeros(1_000_000))
    try:
        load_encoder(f"tiny-test,{file}", precision="float32", device="cpu")
    finally:
        model_table.table.cache_clear()
    assert asked == [str(file)]


# Half precision


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_tower_that_cannot_be_converted_runs_in_float32(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    name = f"local-dir:{tiny.save(tmp_path / 'model', tiny.SIGLIP)}"
    exact = load_encoder(name, precision="float32", device="cpu")
    monkeypatch.setenv("TAILSCOPE_PRECISION", precision)
    found = load_encoder(name, device="cpu")
    assert found.precision == found.fingerprint["precision"] == "float32"
    assert found.fingerprint["warnings"][0].startswith(f"It runs in float32, because {precision} failed here (")
    np.testing.assert_array_equal(found.encode_texts(["a cat"]), exact.encode_texts(["a cat"]))


def test_towers_of_timm_are_converted_as_open_clip_does(tmp_path: Path) -> None:
    import open_clip

    tower = {"timm_model_name": "test_vit", "timm_proj": "linear", "image_size": 160}
    folder = tiny.save(tmp_path / "model", {**tiny.CLIP, "vision_cfg": tower})
    ours = load_encoder(f"local-dir:{folder}", precision="bf16", device="cpu")._model
    theirs = open_clip.create_model(f"local-dir:{folder}", precision="bf16")
    for (name, own), (_, other) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert own.dtype == other.dtype, name
        assert torch.equal(own, other), name


# timm, the icon classifiers, and attacks

ARCH = "test_resnet"


@pytest.fixture(scope="module")
def timm_state() -> State:
    import timm

    torch.manual_seed(3)
    return timm.create_model(ARCH).state_dict()


@pytest.mark.parametrize(
    "wrap",
    [inside(), inside("state_dict"), inside("state_dict_ema"), inside("model"), inside("model_state_dict"),
     then(named("_orig_mod."), inside("state_dict")), then(named("module."), inside("model_ema")), named("model."),
     inside("state_dict", args=Namespace(model=ARCH))],
)  # fmt: skip
def test_timm_s_checkpoints_are_taken_out_of_their_wrapping(timm_state: State, tmp_path: Path, wrap: Any) -> None:
    torch.save(timm_state, tmp_path / "plain.pt")
    torch.save(wrap(timm_state), tmp_path / "wrapped.pt")
    pixels = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    plain, wrapped = (load(f"timm:{ARCH},{tmp_path / name}.pt", device="cpu") for name in ("plain", "wrapped"))
    assert torch.equal(plain.logits(pixels), wrapped.logits(pixels))


def test_timm_prefers_the_average_and_says_so(timm_state: State, tmp_path: Path) -> None:
    noisy = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in timm_state.items()}
    torch.save(timm_state, tmp_path / "plain.pt")
    torch.save({"state_dict": noisy, "state_dict_ema": timm_state}, tmp_path / "both.pt")
    plain, both = (load(f"timm:{ARCH},{tmp_path / name}.pt", device="cpu") for name in ("plain", "both"))
    pixels = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1))
    assert torch.equal(plain.logits(pixels), both.logits(pixels))
    (warning,) = both.fingerprint["warnings"]
    assert warning == "both.pt holds weights under state_dict_ema, state_dict: state_dict_ema was used."


def test_a_classifier_larger_than_its_file_is_never_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"x": torch.zeros(3)}, tmp_path / "small.pt")
    with pytest.raises(UnreadableData, match=r"the model has [\d,]+ parameters, but the file only"):
        load(f"timm:vit_giant_patch14_clip_224,{tmp_path / 'small.pt'}", device="cpu")


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ({"run": {"arch": "icon-RN", "width": 10**9}, "classes": ["a"]}, "its width is 1000000000"),
        ({"run": {"arch": "icon-RN", "width": 16_000}, "classes": ["a"]}, "parameters, but the file only"),
        ({"run": {"arch": "icon-RN", "width": "24"}, "classes": ["a"]}, "its width is 24, not"),
        ({"run": {"arch": "../x", "width": 24}, "classes": ["a"]}, "its arch is '../x'"),
        ({"run": {"arch": ["icon-RN"], "width": 24}, "classes": ["a"]}, "its arch is"),
        ({"run": [], "classes": ["a"]}, "no run or no classes"),
        ({"run": {"arch": "icon-RN", "width": 24}, "classes": "ab"}, "no run or no classes"),
        ([1], "holds no JSON object"),
    ],
)
def test_odd_cards_of_classifiers_are_refused(tmp_path: Path, card: Any, problem: str) -> None:
    (tmp_path / "card.json").write_text(json.dumps(card), encoding="utf-8")
    save_file({"x": torch.zeros(3)}, tmp_path / "model.safetensors")
    with pytest.raises(UnreadableData, match=problem):
        load(f"supervised:{tmp_path}", device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["timm:test_resnet,{junk}", "local-dir:{folder}"])
def test_attacks_tell_why_a_model_cannot_be_loaded(folder: Path, tmp_path: Path, model: str) -> None:
    for key in ("n01440764", "n01443537"):
        (tmp_path / "set" / key).mkdir(parents=True)
        Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "set" / key / "0.png")
    beside(folder, tmp_path / "model", "model.pth", {})
    for file in (tmp_path / "junk.pt", tmp_path / "model" / "model.pth"):
        file.write_bytes(b"junk")
    name = model.format(junk=tmp_path / "junk.pt", folder=tmp_path / "model")
    with pytest.raises(UnreadableData, match="could not be loaded from"):
        AttackRunner(name, open_set(str(tmp_path / "set")), [0, 1]).clean()


def test_attacks_tell_how_many_images_cannot_be_read_and_why(folder: Path, tmp_path: Path) -> None:
    for key in ("ant", "bee"):
        (tmp_path / "set" / key).mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(tmp_path / "set" / key / "0.png")
    opened = open_set(str(tmp_path / "set"))
    for file in (tmp_path / "set").rglob("*.png"):
        file.write_bytes(b"broken")
    with pytest.raises(BadInput, match=r"None of 2 sampled images of .* can be read: .*0\.png cannot be read"):
        AttackRunner(f"local-dir:{folder}", opened, [0, 1]).clean()


def test_memory_is_asked_for_before_the_weights_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.save(tmp_path / "model")
    monkeypatch.setattr(checkpoints, "available_memory", lambda: 10)
    monkeypatch.setattr(checkpoints, "_open", None)
    with pytest.raises(TailscopeError, match="of memory to be loaded"):
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
