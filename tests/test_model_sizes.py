"""Configurations that are odd or too large are refused before anything is allocated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import constants

from core.errors import TailscopeError, UnreadableData
from core.models import building, weights
from core.models import registry as models
from core.models.encoder import load_encoder
from tests import tiny
from tests.helpers.model_folders import TEXT, change
from tests.helpers.models import is_available

pytest.importorskip("transformers")


# Configurations that describe too much, or nonsense


def nested(depth: int) -> str:
    return '{"model_cfg": ' + '{"a":' * depth + "1" + "}" * depth + "}"


VISION = "model_cfg/vision_cfg"


ODD: dict[str, tuple[str, Any]] = {
    "a million layers": (f"{VISION}/layers", 1_000_000),
    "a million texts' layers": (f"{TEXT}/layers", 1_000_000),
    "a million blocks": (f"{VISION}/layers", [1_000_000, 1, 1, 1]),
    "no layers": (f"{VISION}/layers", 0),
    "five stages": (f"{VISION}/layers", [1] * 5),
    "a wide model": (f"{VISION}/width", 10**9),
    "no width": (f"{VISION}/width", -1),
    "a large vocabulary": (f"{TEXT}/vocab_size", 10**10),
    "a long context": (f"{TEXT}/context_length", 10**7),
    "a large picture": (f"{VISION}/image_size", 10**6),
    "a number of 4,000 digits": (f"{VISION}/image_size", 10**4000),
    "one side": (f"{VISION}/image_size", [224]),
    "a fraction": (f"{TEXT}/heads", 2.5),
    "a truth": (f"{VISION}/width", True),
    "a text": (f"{VISION}/patch_size", "8; import os"),
    "a list for an object": (TEXT, [1]),
    "no tower": (VISION, None),
    "two means": ("preprocess_cfg/mean", [0.5, 0.5]),
    "a mean of lists": ("preprocess_cfg/mean", [[0.5]] * 3),
    "a mean of words": ("preprocess_cfg/mean", ["a", "b", "c"]),
    "an infinite mean": ("preprocess_cfg/mean", [float("inf")] * 3),
    "no number": ("preprocess_cfg/std", [float("nan")] * 3),
    "no spread": ("preprocess_cfg/std", [0.5, 0, 0.5]),
    "an unknown interpolation": ("preprocess_cfg/interpolation", "lanczos"),
    "an odd fill": ("preprocess_cfg/fill_color", [1, 2]),
    "settings that are none": ("preprocess_cfg", [1]),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_sizes_and_shapes_are_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    folder = tiny.save(tmp_path / "model")
    change(folder / "open_clip_config.json", *ODD[what])
    monkeypatch.setattr(building, "build", None)
    with pytest.raises(UnreadableData) as caught:
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert str(folder / "open_clip_config.json") in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "content",
    [nested(100_000), "[" * 100_000, '{"model_cfg": ' + "1" * 5000 + "}", "\xff", '{"a": {}} x', "3", "", "null"],
    ids=["deep objects", "deep lists", "5,000 digits", "not UTF-8", "more after it", "a number", "empty", "null"],
)
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, content: str) -> None:
    folder = tiny.save(tmp_path / "model")
    (folder / "open_clip_config.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(UnreadableData, match=r"open_clip_config\.json"):
        models.canonical(f"local-dir:{folder}")
    assert not is_available(f"local-dir:{folder}")


@pytest.mark.parametrize(
    ("path", "value"), [(f"{VISION}/width", 16_384), (f"{TEXT}/vocab_size", 2_000_000), (f"{VISION}/layers", 200)]
)
def test_a_model_larger_than_its_weights_is_never_allocated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, value: int
) -> None:
    folder, real, devices = tiny.save(tmp_path / "model"), building.build, []

    def build(*arguments: Any) -> Any:
        devices.append(torch.empty(0).device.type)
        return real(*arguments)

    change(folder / "open_clip_config.json", path, value)
    monkeypatch.setattr(building, "build", build)
    with pytest.raises(UnreadableData, match=r"the model has [\d,]+ parameters, but the file only [\d,]+ bytes"):
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert devices == ["meta"]


@pytest.mark.slow
def test_a_model_larger_than_memory_is_never_allocated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny.save(tmp_path / "model")
    monkeypatch.setattr("core.models.checkpoints.available_memory", lambda: 1_000_000)
    with pytest.raises(TailscopeError, match=r"needs 0\.0 GB of memory to be loaded, and 0\.0 GB are free"):
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")


def test_a_hub_model_with_a_bad_configuration_spoils_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--org--bad" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--org--bad" / "refs").mkdir()
    (tmp_path / "models--org--bad" / "refs" / "main").write_text("c0ffee")
    (snapshot / weights.CONFIG).write_text("[", encoding="utf-8")
    (bad,) = [model for model in models.list_models() if model.kind == "hf-hub"]
    assert not bad.available
    assert "it is not JSON" in bad.note
    assert not is_available("hf-hub:org/bad")
