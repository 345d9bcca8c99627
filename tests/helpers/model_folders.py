"""Folders of models with a tokenizer, changed file by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from tests import tiny

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


CODE = {"AutoTokenizer": [None, "code.Tok"], "AutoConfig": "code.Tok"}


TEXT, KWARGS = "model_cfg/text_cfg", "model_cfg/text_cfg/tokenizer_kwargs"
