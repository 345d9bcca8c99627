"""Opening a model runs nothing of its author's, opens nothing else, asks nobody, and allocates nothing unchecked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from core import downloads as fetch
from core.downloads import hub
from core.errors import DownloadFailed, TailscopeError, UnreadableData, WeightsMissing
from core.models import building, model_config, weights
from core.models import registry as models
from core.models.encoder import load_encoder
from core.models.hf_files import text_model_copy, tokenizer_copy
from tests import tiny
from tests.helpers.models import is_available
from tests.helpers.pages import launched
from tests.hub import StandIn, serve
from tests.offline import forbid_network

pytest.importorskip("transformers")
Files = dict[str, Any]

WORDS = {"<pad>": 0, "<unk>": 1, "<s>": 2, "</s>": 3, "a": 4, "photo": 5, "of": 6, "cat": 7}
TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<s>",
    "eos_token": "</s>", "model_max_length": 24,
}  # fmt: skip
ROBERTA = {
    "model_type": "roberta", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 40, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
WITH_TOKENIZER = {**tiny.CLIP, "text_cfg": {**tiny.CLIP["text_cfg"], "hf_tokenizer_name": "org/words"}}
WITH_TOWER = {
    **tiny.CLIP,
    "text_cfg": {
        "hf_model_name": "org/text", "hf_tokenizer_name": "org/words", "hf_proj_type": "linear", "context_length": 24,
        "hf_pooler_type": "mean_pooler", "vocab_size": 64,
    },
}  # fmt: skip


def tokenizer_files(**changes: Any) -> dict[str, bytes]:
    """A word-level tokenizer; ``changes`` go into its configuration."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    made = Tokenizer(WordLevel(WORDS, unk_token="<unk>"))
    made.pre_tokenizer = Whitespace()
    config = {**TOKENIZER_CONFIG, **changes}
    return {"tokenizer.json": made.to_str().encode(), "tokenizer_config.json": json.dumps(config).encode()}


def model_folder(folder: Path, config: dict[str, Any] = WITH_TOKENIZER, *, tokenizer: bool = True) -> Path:
    """A tiny model with a Hugging Face tokenizer, and the configuration of its text tower where it has one."""
    if "hf_model_name" in config["text_cfg"]:
        text = folder / "text"
        text.mkdir(parents=True)
        (text / "config.json").write_text(json.dumps(ROBERTA), encoding="utf-8")
        shown = {**config["text_cfg"], "hf_model_name": str(text), "hf_model_pretrained": False}
        state = tiny.build({**config, "custom_text": True, "text_cfg": shown}).state_dict()
        save_file({name: value.contiguous() for name, value in state.items()}, folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(ROBERTA), encoding="utf-8")
    else:
        tiny.save(folder, config)
    for name, content in (tokenizer_files() if tokenizer else {}).items():
        (folder / name).write_bytes(content)
    return folder


def change(file: Path, path: str, value: Any) -> None:
    """Set one setting of a JSON file, in an object that is made where it is missing."""
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    *above, last = path.split("/")
    inner = content
    for key in above:
        inner = inner.setdefault(key, {})
    inner[last] = value
    file.write_text(json.dumps(content), encoding="utf-8")


def trap(folder: Path, sprung: Path) -> None:
    """Python beside the weights that leaves a file when it is imported."""
    code = f"open({str(sprung)!r}, 'w').close()\nfrom transformers import PreTrainedTokenizerFast as Tok\n"
    (folder / "code.py").write_text(code, encoding="utf-8")


CODE = {"AutoTokenizer": [None, "code.Tok"], "AutoConfig": "code.Tok"}
TEXT, KWARGS = "model_cfg/text_cfg", "model_cfg/text_cfg/tokenizer_kwargs"
HOSTILE: dict[str, tuple[list[tuple[str, str, Any]], str]] = {
    "asked for by the model, code named by the tokenizer": (
        [("open_clip_config.json", f"{KWARGS}/trust_remote_code", True), ("tokenizer_config.json", "auto_map", CODE)],
        "asks for code of its author to be run",
    ),
    "as a number": ([("open_clip_config.json", f"{KWARGS}/trust_remote_code", 1)], "asks for code"),
    "at the top": ([("open_clip_config.json", "trust_remote_code", True)], "asks for code"),
    "named by the tokenizer alone": ([("tokenizer_config.json", "auto_map", CODE)], "asks for code"),
    "named by the list of special tokens": ([("special_tokens_map.json", "auto_map", CODE)], "asks for code"),
    "named by the tokenizer's model": ([("config.json", "auto_map", CODE)], "asks for code"),
    "passed on as an argument": ([("open_clip_config.json", f"{KWARGS}/auto_map", CODE)], "asks for code"),
    "a revision of code": ([("open_clip_config.json", f"{KWARGS}/code_revision", "main")], "not passed on"),
    "a vocabulary elsewhere": ([("open_clip_config.json", f"{KWARGS}/tokenizer_file", "/etc/passwd")], "not passed on"),
    "a cache elsewhere": ([("open_clip_config.json", f"{KWARGS}/cache_dir", "/tmp")], "not passed on"),
    "a token": ([("open_clip_config.json", f"{KWARGS}/token", True)], "not passed on"),
    "not offline": ([("open_clip_config.json", f"{KWARGS}/local_files_only", False)], "not passed on"),
    "a tokenizer of several": ([("tokenizer_config.json", "tokenizer_class", "RagTokenizer")], "names the tokenizer"),
    "a tokenizer that is no name": ([("tokenizer_config.json", "tokenizer_class", ["x"])], "names the tokenizer"),
    "a special token that is none": ([("tokenizer_config.json", "pad_token", 3)], "neither text nor its parts"),
    "a repository that climbs": ([("open_clip_config.json", f"{TEXT}/hf_tokenizer_name", "../../etc")], "must be"),
    "a path as repository": ([("open_clip_config.json", f"{TEXT}/hf_tokenizer_name", "/etc")], "must be"),
    "an address as repository": ([("open_clip_config.json", f"{TEXT}/hf_model_name", "https://x.org/y")], "must be"),
    "timm's way to the hub": (
        [("open_clip_config.json", "model_cfg/vision_cfg/timm_model_name", "hf-hub:org/evil")], "must be the name",
    ),
    "timm's way to a folder": (
        [("open_clip_config.json", "model_cfg/vision_cfg/timm_model_name", "local-dir:/tmp")], "must be the name",
    ),
    "a setting that nobody knows": ([("open_clip_config.json", f"{TEXT}/pretrained_path", "/etc")], "not passed on"),
    "a class": ([("open_clip_config.json", "model_cfg/vision_cfg/act_kwargs/cls", "os.system")], "not passed on"),
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_a_local_folder_runs_nothing_and_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    changes, problem = HOSTILE[how]
    folder, sprung = model_folder(tmp_path / "model"), tmp_path / "sprung"
    trap(folder, sprung)
    for file, path, value in changes:
        change(folder / file, path, value)
    forbid_network(monkeypatch)
    with pytest.raises(UnreadableData, match=problem) as caught:
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not sprung.exists()


def test_the_settings_of_a_text_tower_run_nothing(tmp_path: Path) -> None:
    folder, sprung = model_folder(tmp_path / "model", WITH_TOWER), tmp_path / "sprung"
    trap(folder, sprung)
    change(folder / "config.json", "auto_map", CODE)
    with pytest.raises(UnreadableData, match="asks for code of its author to be run"):
        load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    change(folder / "config.json", "auto_map", None)
    for kind, named in (("custom", "'custom'"), (["bert"], r'"\[\'bert\'\]"')):
        change(folder / "config.json", "model_type", kind)
        with pytest.raises(UnreadableData, match=f"text tower of type {named}"):
            load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert not sprung.exists()


def test_plain_settings_arrive_and_a_refusal_of_code_is_no_request_for_it(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model")
    plain = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    change(folder / "open_clip_config.json", f"{KWARGS}/trust_remote_code", False)
    change(folder / "open_clip_config.json", f"{KWARGS}/clean", "canonicalize")
    cleaned = load_encoder(f"local-dir:{folder}", precision="float32", device="cpu")
    assert plain._tokenizer(["A photo of a CAT!"])[0, :5].tolist() == [1, 5, 6, 4, 1]
    assert cleaned._tokenizer(["A photo of a CAT!"])[0, :5].tolist() == [4, 5, 6, 4, 7]


def test_transformers_is_shown_plain_values_only(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "model", WITH_TOWER)
    more = {"vocab_file": "/etc/passwd", "name_or_path": "org/evil", "extra_special_tokens": ["<x>"]}
    for key, value in more.items():
        change(folder / "tokenizer_config.json", key, value)
    change(folder / "special_tokens_map.json", "merges_file", "/etc/passwd")
    change(folder / "config.json", "_attn_implementation", "org/kernels")
    change(folder / "config.json", "quantization_config", {"quant_method": "x"})
    (folder / "code.py").write_text("raise SystemExit", encoding="utf-8")
    with tokenizer_copy(folder) as copy:
        assert {path.name for path in copy.iterdir()} == {"tokenizer.json", "tokenizer_config.json", "config.json"}
        assert set(json.loads((copy / "tokenizer_config.json").read_text())) == {
            "tokenizer_class", "pad_token", "unk_token", "bos_token", "eos_token", "extra_special_tokens",
        }  # fmt: skip
        assert json.loads((copy / "config.json").read_text()) == {"model_type": "roberta"}
    with text_model_copy(folder) as copy:
        assert json.loads((copy / "config.json").read_text()) == ROBERTA


def trained(kind: str, folder: Path) -> None:
    """Files of a small tokenizer of transformers' own, as its ``save_pretrained`` writes them."""
    from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
    from transformers import BertTokenizer, CLIPTokenizer, RobertaTokenizer, XLMRobertaTokenizer

    texts = ["a photo of a Cat, with café and 3 Dogs", "the quick brown fox jumps over it"] * 5
    made = BertWordPieceTokenizer() if kind == "bert" else ByteLevelBPETokenizer()
    made.train_from_iterator(texts, vocab_size=300, special_tokens=[
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>",
    ])  # fmt: skip
    folder.mkdir()
    made.save_model(str(folder))
    if kind == "unigram":
        pieces = [(word, 0.0) for word in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")] + [("▁a", -1.0), ("▁", -2.0)]
        pieces += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyzCD3é,"]
        tokenizer = XLMRobertaTokenizer(vocab=pieces)
    elif kind == "bert":
        tokenizer = BertTokenizer.from_pretrained(folder, do_lower_case=False, strip_accents=True)
    else:
        tokenizer = (RobertaTokenizer if kind == "roberta" else CLIPTokenizer).from_pretrained(folder)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(folder)
    if kind != "unigram":
        (folder / "config.json").write_text(json.dumps({"model_type": kind, "architectures": ["X"]}), encoding="utf-8")


@pytest.mark.parametrize("kind", ["bert", "roberta", "clip", "unigram"])
def test_the_copy_of_a_tokenizer_reads_texts_as_the_original(tmp_path: Path, kind: str) -> None:
    from transformers import AutoTokenizer

    trained(kind, tmp_path / kind)
    texts = ["a photo of a Cat", "café, 3 Dogs <new> it", "", "<mask> the  quick"]
    original = AutoTokenizer.from_pretrained(tmp_path / kind)
    with tokenizer_copy(tmp_path / kind) as folder:
        copy = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    assert type(copy) is type(original)
    assert len({len(ids) for ids in original(texts).input_ids}) > 1
    assert copy(texts).input_ids == original(texts).input_ids
    settings = {"padding": "max_length", "truncation": True, "max_length": 12}
    assert copy(texts, **settings).input_ids == original(texts, **settings).input_ids


def test_every_architecture_of_open_clip_is_allowed() -> None:
    import open_clip

    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        assert model_config.checked_model(config, name=name) == config


# A visitor's link, and the hub


def test_a_link_on_a_server_open_to_others_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sprung = model_folder(tmp_path / "model"), tmp_path / "sprung"
    trap(folder, sprung)
    change(folder / "open_clip_config.json", f"{KWARGS}/trust_remote_code", True)
    change(folder / "tokenizer_config.json", "auto_map", CODE)
    monkeypatch.setenv("TAILSCOPE_DATA_ROOTS", str(tmp_path))
    monkeypatch.setattr("pages.ui.jobs.is_local", lambda: False)
    app = launched("explore", model=f"local-dir:{folder}")
    assert not app.exception
    told = " ".join(str(getattr(item, "value", "")) for item in [*app.warning, *app.markdown, *app.info])
    assert "asks for code of its author to be run" in told.replace("\\", "")
    assert not sprung.exists()


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
