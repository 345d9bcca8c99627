"""Models fetched from a hub on loopback, and loaded by open_clip without asking again."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest
from huggingface_hub import constants

from core import downloads as fetch
from core.downloads import hub
from core.errors import DownloadFailed, Stopped, UnreadableData
from core.types import silent
from tests.helpers.models import is_available
from tests.hub import StandIn, stop_after


@pytest.fixture(scope="module")
def tiny_model() -> dict[str, bytes]:
    """A repository with a tiny open_clip model, saved as open_clip's own hub tools do."""
    import open_clip
    import torch
    from safetensors.torch import save

    model_cfg = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "patch_size": 16, "head_width": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    config = {"model_cfg": model_cfg, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    weights = save({name: value.half() for name, value in open_clip.CLIP(**model_cfg).state_dict().items()})
    return {"open_clip_config.json": json.dumps(config).encode(), "open_clip_model.safetensors": weights}


def test_open_clip_loads_what_was_fetched_without_asking_again(
    stand_in: StandIn, tiny_model: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip
    import torch
    from safetensors.torch import load

    stand_in.add("model", "org/tiny", tiny_model | {"README.md": b"not wanted"})
    plan = fetch.plan_model("hf_clip:org/tiny")
    assert (plan.id, plan.bytes) == ("hf-hub:org/tiny", sum(map(len, tiny_model.values())))
    assert not is_available("hf-hub:org/tiny")
    assert fetch.run(plan, report=silent) == plan.target
    assert is_available("hf-hub:org/tiny")
    assert fetch.plan_model("hf-hub:org/tiny").bytes == 0
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    stand_in.requests.clear()
    model, _, preprocess = open_clip.create_model_and_transforms("hf-hub:org/tiny")
    assert stand_in.requests == []
    kept = load(tiny_model["open_clip_model.safetensors"])
    assert torch.equal(model.visual.proj, kept["visual.proj"].float())
    assert preprocess.transforms[-1].mean == (0.5, 0.5, 0.5) or list(preprocess.transforms[-1].mean) == [0.5] * 3


def test_the_stand_in_is_hub_enough_for_open_clip_itself(stand_in: StandIn, tiny_model: dict[str, bytes]) -> None:
    import open_clip

    stand_in.add("model", "org/tiny", tiny_model)
    model, _, _ = open_clip.create_model_and_transforms("hf-hub:org/tiny")
    assert model.visual.proj.shape == (16, 8)
    assert is_available("hf-hub:org/tiny")


def test_a_stopped_model_goes_on_and_is_checked(stand_in: StandIn, tiny_model: dict[str, bytes]) -> None:
    stand_in.add("model", "org/tiny", tiny_model)
    plan = fetch.plan_model("hf-hub:org/tiny")
    with pytest.raises(Stopped):
        fetch.run(plan, report=stop_after(plan.bytes // 2))
    assert not is_available("hf-hub:org/tiny")
    again = fetch.plan_model("hf-hub:org/tiny")
    assert "arrived earlier" in again.sentence
    fetch.run(again, report=silent)
    continued = [request.range for request in stand_in.requests if request.sent and request.range]
    assert len(continued) == 1
    assert int(continued[0].removeprefix("bytes=").rstrip("-")) >= plan.bytes // 2
    assert is_available("hf-hub:org/tiny")


def test_a_pair_of_open_clip_comes_from_the_repository_it_names(
    stand_in: StandIn, tiny_model: dict[str, bytes]
) -> None:
    repository = "timm/vit_base_patch32_clip_224.laion400m_e32"
    stand_in.add("model", repository, tiny_model | {"open_clip_pytorch_model.bin": bytes(2000)})
    plan = fetch.plan_model("ViT-B-32-quickgelu/laion400m_e32")
    assert [file.path for file in plan.files] == ["open_clip_model.safetensors"]
    fetch.run(plan, report=silent)
    assert is_available("ViT-B-32-quickgelu,laion400m_e32")
    assert "commit" in plan.sentence
    assert repository in plan.sentence


def test_a_tokenizer_elsewhere_is_fetched_too(stand_in: StandIn, tiny_model: dict[str, bytes]) -> None:
    config = json.loads(tiny_model["open_clip_config.json"])
    config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] = "org/words"
    stand_in.add("model", "org/tiny", tiny_model | {"open_clip_config.json": json.dumps(config).encode()})
    stand_in.add("model", "org/words", {"tokenizer.json": b"{}", "pytorch_model.bin": bytes(5000)})
    plan = fetch.plan_model("hf-hub:org/tiny")
    assert [file.path for file in plan.files][2:] == ["tokenizer.json"]
    assert "as its configuration names it, from org/words (commit" in plan.sentence
    fetch.run(plan, report=silent)
    assert is_available("hf-hub:org/tiny")


def test_a_repository_that_open_clip_cannot_load_is_told(stand_in: StandIn, tiny_model: dict[str, bytes]) -> None:
    stand_in.add("model", "org/bert", {"model.safetensors": bytes(10)})
    with pytest.raises(DownloadFailed, match="no weights for open_clip"):
        fetch.plan_model("hf-hub:org/bert")
    stand_in.add("model", "org/odd", {"open_clip_model.safetensors": bytes(10), "open_clip_config.json": b"[1]"})
    with pytest.raises(UnreadableData, match="of org/odd cannot be read: it holds no JSON object"):
        fetch.plan_model("hf-hub:org/odd")


def test_weights_behind_a_plain_address_are_checked_by_their_name(stand_in: StandIn, tmp_path: Path) -> None:
    weights = random.Random(1).randbytes(50_000)
    stand_in.add("model", "org/release", {"x": weights})
    stand_in.signatures["0"] = 99
    digest = hashlib.sha256(weights).hexdigest()
    url = f"{stand_in.storage_url}/storage/model/org/release/-/x?signature=0"
    file = hub.plain(url, sha256=digest[:8])
    assert (file.size, file.path) == (50_000, "x")
    assert hub.download(file, tmp_path / "x", advance=lambda n: None).read_bytes() == weights
    with pytest.raises(DownloadFailed, match="another checksum"):
        hub.download(hub.plain(url, sha256="0" * 8), tmp_path / "y", advance=lambda n: None)
