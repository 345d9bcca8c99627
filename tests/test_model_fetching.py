"""Fetching brings all that a model needs, and loading asks nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import constants

from core import downloads as fetch
from core.downloads import hub
from core.errors import DownloadFailed, UnreadableData, WeightsMissing
from core.models.encoder import load_encoder
from tests import tiny
from tests.helpers.model_folders import CODE, KWARGS, ROBERTA, WITH_TOWER, change, model_folder, tokenizer_files
from tests.hub import StandIn, serve
from tests.offline import forbid_network

pytest.importorskip("transformers")


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A hub that answers only to the token, which this process has; models are looked for in an empty cache."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(hub, "PAUSE", 0.001)
    with serve() as running:
        running.token = "secret"
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        template = f"{running.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


def published(stand_in: StandIn, folder: Path) -> None:
    """A folder's model as ``org/model``, its tokenizer as ``org/words``, its text configuration as ``org/text``."""
    own = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("open_clip")}
    stand_in.add("model", "org/model", own)
    stand_in.add("model", "org/words", tokenizer_files() | {"pytorch_model.bin": bytes(5000)})
    stand_in.add("model", "org/text", {"config.json": json.dumps(ROBERTA).encode(), "model.safetensors": bytes(5000)})


def silent(_progress: object) -> None:
    pass


def test_fetching_brings_all_that_a_model_needs_and_loading_asks_nobody(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = model_folder(tmp_path / "made", WITH_TOWER)
    published(stand_in, folder)
    plan = fetch.plan_model("hf-hub:org/model")
    assert "as its configuration names it, from org/words (commit" in plan.sentence
    assert "org/text (commit" in plan.sentence
    fetch.run(plan, report=silent)
    assert stand_in.sent("pytorch_model.bin") == stand_in.sent("/org/text/-/model.safetensors") == 0
    storage = {request.token for request in stand_in.requests if request.path.startswith("/storage")}
    assert storage == {""}, "the token was sent to the hub's storage"
    stand_in.requests.clear()
    local = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    forbid_network(monkeypatch)
    fetched = load_encoder("hf-hub:org/model", precision="float32", device="cpu")
    np.testing.assert_array_equal(fetched.encode_texts(["a photo of a cat"]), local.encode_texts(["a photo of a cat"]))
    assert stand_in.requests == []


@pytest.mark.parametrize(
    ("repository", "file", "path"),
    [
        ("org/model", "open_clip_config.json", f"{KWARGS}/trust_remote_code"),
        ("org/words", "tokenizer_config.json", "auto_map"),
        ("org/text", "config.json", "auto_map"),
    ],
)
def test_a_model_of_the_hub_that_asks_for_code_is_not_fetched(
    stand_in: StandIn, tmp_path: Path, repository: str, file: str, path: str
) -> None:
    published(stand_in, model_folder(tmp_path / "made", WITH_TOWER))
    changed = tmp_path / "changed.json"
    changed.write_bytes(stand_in.repositories["model", repository][file])
    change(changed, path, CODE)
    stand_in.repositories["model", repository][file] = changed.read_bytes()
    with pytest.raises(UnreadableData, match=f"{file} of {repository} asks for code of its author to be run"):
        fetch.plan_model("hf-hub:org/model")
    assert stand_in.sent("safetensors") == 0


def test_a_model_of_this_disk_is_brought_its_tokenizer(stand_in: StandIn, tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "made", tokenizer=False)
    published(stand_in, folder)
    name = f"local-dir:{folder}"
    with pytest.raises(WeightsMissing, match=f"files of org/words .*: python -m core fetch model {name}"):
        load_encoder(name, precision="float32", device="cpu")
    assert stand_in.requests == [], "loading asked the hub"
    fetch.run(fetch.plan_model(name), report=silent)
    assert load_encoder(name, precision="float32", device="cpu").token_counts(["a cat"]) == [2]


def test_the_token_is_sent_to_no_host_that_the_hub_names(
    stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as elsewhere:
        stand_in.add("model", "org/model", {"open_clip_config.json": b"{}"})
        stand_in.without_sizes = True
        stand_in.next_page = f"{elsewhere.url}/api/models/org/model/tree/main"
        with pytest.raises(DownloadFailed, match="lists the files of org/model on another host"):
            hub.files("org/model", kind="model")
        stand_in.moved_to = elsewhere.url
        with pytest.raises(DownloadFailed):
            hub.files("org/model", kind="model")
        assert {request.token for request in elsewhere.requests} == {""}
        assert all(request.token == "Bearer secret" for request in stand_in.requests)


ROOT = Path(__file__).resolve().parents[1]


OFFLINE = """
import json, sys
from core.models.encoder import load_encoder
from core.errors import TailscopeError
for name in sys.argv[1:]:
    try:
        load_encoder(name, precision="float32", device="cpu")
        print("loaded")
    except TailscopeError as error:
        print(type(error).__name__)
"""


@pytest.mark.slow
def test_loading_tries_no_connection_even_with_a_token_and_a_hub_in_reach(tmp_path: Path) -> None:
    tower = {"timm_model_name": "test_resnet", "timm_proj": "linear", "image_size": 160}
    made = {
        "tokenizer": model_folder(tmp_path / "tokenizer"),
        "tower": model_folder(tmp_path / "tower", WITH_TOWER),
        "timm": tiny.save(tmp_path / "timm", {**tiny.CLIP, "vision_cfg": tower}),
        "none": model_folder(tmp_path / "none", tokenizer=False),
    }
    hub_tower = model_folder(tmp_path / "hub", WITH_TOWER)
    (hub_tower / "config.json").unlink()
    made["no text configuration"] = hub_tower
    with serve() as running:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_ENDPOINT": running.url, "HF_TOKEN": "secret", "HF_HOME": str(tmp_path / "hf")}
        done = subprocess.run(
            [sys.executable, "-c", OFFLINE, *(f"local-dir:{folder}" for folder in made.values())],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.split() == ["loaded", "loaded", "loaded", "WeightsMissing", "WeightsMissing"], done.stderr
        assert running.requests == []
