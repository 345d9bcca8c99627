"""Copies of a model's Hugging Face files in which nothing is left but plain values: all that transformers is shown.

transformers takes class names, paths and keyword arguments out of the JSON beside a tokenizer or a text tower, and
looks on the hub for what it is not given. A copy in a folder of its own, of the files it needs and the settings listed
here, leaves it nothing to run, to open elsewhere or to ask for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.errors import UnreadableData
from core.models.model_config import LARGEST, MOST_IDS, checked_text_model, refuse_code
from core.opening import read_object, read_regular

CONFIG = "config.json"
TOKENIZER_CONFIG, SPECIAL_TOKENS, ADDED_TOKENS = "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"
VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.json",
)  # fmt: skip
"""Files of which a tokenizer has at least one."""
TOKENIZER_FILES = (*VOCABULARIES, "merges.txt", CONFIG, TOKENIZER_CONFIG, SPECIAL_TOKENS, ADDED_TOKENS)
"""All that is read of a tokenizer."""
LARGEST_VOCABULARY = 128 << 20

_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_TOKEN_LISTS = ("additional_special_tokens", "extra_special_tokens")
_TOKEN_PARTS = {"content", "lstrip", "rstrip", "normalized", "single_word", "special"}
_FLAGS = (
    "add_prefix_space", "add_bos_token", "add_eos_token", "clean_up_tokenization_spaces", "do_basic_tokenize",
    "do_lower_case", "keep_accents", "legacy", "remove_space", "split_special_tokens", "spaces_between_special_tokens",
    "strip_accents", "tokenize_chinese_chars", "trim_offsets",
)  # fmt: skip
_SIDES = ("padding_side", "truncation_side")
_COUNTS, _MOST_MORE = ("extra_ids", "num_madeup_words"), 1000  # tokens that a vocabulary gets besides
_CLASSES = frozenset({
    "AlbertTokenizer", "BertTokenizer", "CLIPTokenizer", "CamembertTokenizer", "DebertaV2Tokenizer",
    "DistilBertTokenizer", "ElectraTokenizer", "GPT2Tokenizer", "GemmaTokenizer", "LlamaTokenizer", "M2M100Tokenizer",
    "MPNetTokenizer", "MT5Tokenizer", "NllbTokenizer", "PreTrainedTokenizer", "RobertaTokenizer", "SiglipTokenizer",
    "T5Tokenizer", "TokenizersBackend", "XLMRobertaTokenizer",
})  # fmt: skip
"""transformers' own tokenizers, without the ``Fast`` that some names end in."""
_MODEL_TYPES = frozenset({
    "albert", "bert", "camembert", "clip", "deberta-v2", "distilbert", "electra", "gemma", "gemma2", "gpt2", "llama",
    "m2m_100", "mpnet", "mt5", "roberta", "siglip", "t5", "xlm-roberta",
})  # fmt: skip
"""Model types by which transformers chooses a tokenizer of its own where none is named."""


@contextmanager
def tokenizer_copy(folder: Path) -> Iterator[Path]:
    """A folder with the checked copy of a tokenizer's files, for as long as the block runs.

    Raises:
        UnreadableData: the files ask for code to be run, name a tokenizer that is not transformers' own, or are not
            what they claim to be.
    """
    with TemporaryDirectory(prefix="tailscope-") as made:
        target = Path(made)
        for name in (*VOCABULARIES, "merges.txt"):
            if (folder / name).exists():
                (target / name).write_bytes(read_regular(folder / name, limit=LARGEST_VOCABULARY))
        _copy_settings(folder, target)
        yield target


@contextmanager
def text_model_copy(folder: Path) -> Iterator[Path]:
    """A folder with the checked ``config.json`` of a text tower, for as long as the block runs; errors as above."""
    settings = checked_text_model(read_object(folder / CONFIG, limit=LARGEST), name=str(folder / CONFIG))
    with TemporaryDirectory(prefix="tailscope-") as made:
        (Path(made) / CONFIG).write_text(json.dumps(settings), encoding="utf-8")
        yield Path(made)


def check_tokenizer(name: str, content: Mapping[str, Any], *, where: str) -> None:
    """Refuse one of a tokenizer's small JSON files that asks for code, or for a class that is not transformers' own."""
    refuse_code(content, name=where)
    if name in (TOKENIZER_CONFIG, CONFIG):
        _tokenizer_class(content, where=where)


def _copy_settings(folder: Path, target: Path) -> None:
    def content_of(name: str) -> dict[str, Any]:
        if not (folder / name).exists():
            return {}
        content = read_object(folder / name, limit=LARGEST)
        check_tokenizer(name, content, where=str(folder / name))
        return content

    def write(name: str, value: dict[str, Any]) -> None:
        if value:
            (target / name).write_text(json.dumps(value), encoding="utf-8")

    config, settings = content_of(CONFIG), content_of(TOKENIZER_CONFIG)
    kept = _tokens(settings, where=str(folder / TOKENIZER_CONFIG))
    kept |= {key: settings[key] for key in _FLAGS if isinstance(settings.get(key), bool)}
    kept |= {key: settings[key] for key in _SIDES if settings.get(key) in ("left", "right")}
    if chosen := _tokenizer_class(settings, where=str(folder / TOKENIZER_CONFIG)):
        kept["tokenizer_class"] = chosen
    for key in ("src_lang", "tgt_lang"):
        if isinstance(settings.get(key), str) and settings[key].replace("_", "").isalnum():
            kept[key] = settings[key]
    kept |= {key: settings[key] for key in _COUNTS if _is_id(settings.get(key)) and settings[key] <= _MOST_MORE}
    write(TOKENIZER_CONFIG, kept)
    known = isinstance(config.get("model_type"), str) and config["model_type"] in _MODEL_TYPES
    kind = {"model_type": config["model_type"]} if known else {}
    named = _tokenizer_class(config, where=str(folder / CONFIG)) if kind else ""
    write(CONFIG, kind | ({"tokenizer_class": named} if named else {}))
    write(SPECIAL_TOKENS, _tokens(content_of(SPECIAL_TOKENS), where=str(folder / SPECIAL_TOKENS)))
    added = content_of(ADDED_TOKENS)
    write(ADDED_TOKENS, {text: number for text, number in added.items() if _is_id(number)})


def _tokenizer_class(content: Mapping[str, Any], *, where: str) -> str:
    named = content.get("tokenizer_class")
    if named is None:
        return ""
    plain = named.removesuffix("Fast") if isinstance(named, str) else ""
    if plain not in _CLASSES:
        raise UnreadableData(
            f"{where} names the tokenizer {str(named)[:60]!r}, which is none that Tailscope passes on to transformers "
            f"({', '.join(sorted(_CLASSES))})."
        )
    return str(named)


def _tokens(content: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """The settings that say which tokens are special, each a text or its parts."""
    kept: dict[str, Any] = {key: _token(content[key], where) for key in _TOKENS if content.get(key) is not None}
    for key in _TOKEN_LISTS:
        if isinstance(content.get(key), list):
            kept[key] = [_token(value, where) for value in content[key]]
        elif isinstance(content.get(key), dict):
            kept[key] = {str(name): _token(value, where) for name, value in content[key].items()}
    numbered = content.get("added_tokens_decoder")
    if isinstance(numbered, dict):
        kept["added_tokens_decoder"] = {
            number: _token(value, where) for number, value in numbered.items() if number.isdecimal() and len(number) < 8
        }
    return kept


def _token(value: object, where: str) -> str | dict[str, Any]:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        parts = {key: value[key] for key in _TOKEN_PARTS & set(value)}
        if all(isinstance(part, str if key == "content" else bool) for key, part in parts.items()):
            return parts | ({"__type": "AddedToken"} if value.get("__type") == "AddedToken" else {})
    raise UnreadableData(f"{where} holds a special token that is neither text nor its parts: {repr(value)[:60]}.")


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_IDS
