"""Opening a model runs nothing of its author's and opens nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import UnreadableData
from core.models import model_config
from core.models.encoder import load_encoder
from core.models.hf_files import text_model_copy, tokenizer_copy
from tests.helpers.model_folders import CODE, KWARGS, ROBERTA, TEXT, WITH_TOWER, change, model_folder
from tests.helpers.pages import launched
from tests.offline import forbid_network

pytest.importorskip("transformers")


Files = dict[str, Any]


def trap(folder: Path, sprung: Path) -> None:
    """Python beside the weights that leaves a file when it is imported."""
    code = f"open({str(sprung)!r}, 'w').close()\nfrom transformers import PreTrainedTokenizerFast as Tok\n"
    (folder / "code.py").write_text(code, encoding="utf-8")


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
