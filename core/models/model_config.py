"""What the configuration files of a model may contain: plain values that are listed here, and nothing else.

A configuration comes with the weights from whoever made them. Its values become keyword arguments of open_clip, timm
and transformers, some of which run code, open paths or ask the network. So every file is read here, only the settings
below reach a library, each within its bounds, and a file that asks for its author's code to be run is refused.

Nothing here imports torch. All errors are ``UnreadableData`` in one sentence that names the file and the setting.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UnreadableData
from core.opening import parse_object, read_regular

LARGEST = 4 << 20
"""Bytes of a configuration file; those of released models have up to 60 KB, with a thousand added tokens 200 KB."""

MOST_LAYERS = 256
MOST_WIDTH = 1 << 14
MOST_IDS = 1 << 21  # rows of a vocabulary: the largest released one (XLM-V) has 901,629
MOST_POSITIONS = 1 << 28  # patches x width of a computed positional table
CODE_KEYS = ("trust_remote_code", "auto_map", "custom_code", "custom_pipelines")

_REPO = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9][\w.-]{0,95}(?:/[A-Za-z0-9][\w.-]{0,95})?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_.+-]{0,80}", re.ASCII)
_TIMM = re.compile(r"[a-z0-9_]{1,80}(?:\.[a-z0-9_]{1,80})?", re.ASCII)

Check = Callable[[Any], str]
"""Returns what the value must be where it is not that, else an empty string."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A checked model configuration.

    Attributes:
        model: keyword arguments of an open_clip model (``embed_dim``, ``vision_cfg``, ``text_cfg`` ...).
        preprocess: settings of open_clip's ``PreprocessCfg`` that the file sets.
    """

    model: dict[str, Any]
    preprocess: dict[str, Any]

    @property
    def text(self) -> dict[str, Any]:
        """Settings of the text tower."""
        return self.model["text_cfg"]

    @property
    def tokenizer(self) -> str:
        """Hub repository of its Hugging Face tokenizer, empty for open_clip's own."""
        return self.text.get("hf_tokenizer_name") or ""

    @property
    def text_model(self) -> str:
        """Hub repository of the configuration of its Hugging Face text tower, empty for open_clip's own."""
        return self.text.get("hf_model_name") or ""


def read(path: Path) -> ModelConfig:
    """The configuration in an ``open_clip_config.json``."""
    return parse(read_regular(path, limit=LARGEST), name=str(path))


def parse(data: bytes | str, *, name: str) -> ModelConfig:
    """The configuration in the content of an ``open_clip_config.json``; ``name`` is what errors call the file."""
    content = parse_object(data, name=name)
    refuse_code(content, name=name)
    if not isinstance(content.get("model_cfg"), dict):
        raise UnreadableData(f"{name} is not an open_clip configuration: it has no object model_cfg.")
    preprocess = content.get("preprocess_cfg") or {}
    if not isinstance(preprocess, dict):
        raise UnreadableData(f"{name} is not an open_clip configuration: preprocess_cfg is no object.")
    # open_clip itself ignores other settings of its preprocessing.
    known = {key: value for key, value in preprocess.items() if key in _PREPROCESS and value is not None}
    model = checked_model(content["model_cfg"], name=name)
    return ModelConfig(model, _checked(known, _PREPROCESS, name, "preprocess_cfg"))


def checked_model(config: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Settings of a model that open_clip may be given, copied."""
    found = _checked(config, _MODEL, name, "model_cfg")
    for key in ("vision_cfg", "text_cfg"):
        if not isinstance(found.get(key), dict):
            raise UnreadableData(f"{name} is not an open_clip configuration: model_cfg has no object {key}.")
    if found.get("embed_dim") is None:
        raise UnreadableData(f"{name} is not an open_clip configuration: model_cfg has no embed_dim.")
    for key, settings in (("vision_cfg", _VISION), ("text_cfg", _TEXT), ("multimodal_cfg", _MULTIMODAL)):
        if isinstance(found.get(key), dict):
            found[key] = _checked(found[key], settings, name, f"model_cfg.{key}")
    for key in ("act_kwargs", "norm_kwargs", "tokenizer_kwargs"):
        for tower in ("vision_cfg", "text_cfg", "multimodal_cfg"):
            if isinstance(found.get(tower), dict) and isinstance(found[tower].get(key), dict):
                found[tower][key] = _checked(found[tower][key], _NESTED[key], name, f"model_cfg.{tower}.{key}")
    _refuse_large_tables(found["vision_cfg"], name)
    return found


def checked_text_model(content: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Settings of a Hugging Face text tower's ``config.json`` that transformers may be given.

    Only the towers that open_clip can hold are known; settings that no such tower has are not passed on.
    """
    refuse_code(content, name=name)
    kind = content.get("model_type")
    if kind not in TEXT_MODELS:
        raise UnreadableData(
            f"{name} describes a text tower of type {str(kind)[:40]!r}, which open_clip cannot hold; "
            f"it knows {', '.join(TEXT_MODELS)}."
        )
    return _checked({key: value for key, value in content.items() if key in _TEXT_MODEL}, _TEXT_MODEL, name, "")


def refuse_code(content: object, *, name: str) -> None:
    """Refuse a configuration that asks, anywhere, for code that comes with the model to be run."""
    waiting = [("", content)]
    while waiting:
        place, value = waiting.pop()
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in items:
            if key in CODE_KEYS and inner:
                raise UnreadableData(
                    f"{name} asks for code of its author to be run ({place}{key}); Tailscope never does that: "
                    "use a model that open_clip can load without it."
                )
            if isinstance(inner, dict | list):
                waiting.append((f"{place}{str(key)[:60]}.", inner))


def _checked(found: Mapping[str, Any], settings: Mapping[str, Check], name: str, place: str) -> dict[str, Any]:
    kept = {}
    for key, value in found.items():
        where = f"{place}.{str(key)[:60]}" if place else str(key)[:60]
        if key in CODE_KEYS:
            continue  # refused above unless it is false
        if key not in settings:
            raise UnreadableData(f"{name} sets {where}, which is not passed on to a library; take it out of the file.")
        if value is not None and (problem := settings[key](value)):
            shown = repr(value)
            shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
            raise UnreadableData(f"{name} sets {where} to {shown}; it must be {problem}.")
        kept[key] = value
    return kept


def _refuse_large_tables(vision: Mapping[str, Any], name: str) -> None:
    """open_clip computes the other kind of positional table in numpy before anything can be counted."""
    sides, patch = vision.get("image_size") or 224, vision.get("patch_size") or 16
    sides = sides if isinstance(sides, list) else [sides, sides]
    patches = math.prod(max(1, side // patch) for side in sides)
    if patches * (vision.get("width") or 768) > MOST_POSITIONS:
        raise UnreadableData(
            f"{name} describes pictures of {sides[0]} x {sides[1]} pixels in patches of {patch}: "
            "the table of their positions would not fit into memory."
        )


def _whole(low: int, high: int) -> Check:
    def check(value: object) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return "" if fits else f"a whole number from {low:,} to {high:,}"

    return check


def _number(low: float, high: float) -> Check:
    def check(value: Any) -> str:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if plain and low <= value <= high else f"a number from {low:g} to {high:g}"

    return check


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _one_of(*words: str) -> Check:
    def check(value: object) -> str:
        return "" if isinstance(value, str) and value in words else f"one of {', '.join(map(repr, words))}"

    return check


def _matching(pattern: re.Pattern[str], what: str) -> Check:
    def check(value: object) -> str:
        return "" if isinstance(value, str) and pattern.fullmatch(value) else what

    return check


def _each(check: Check, *lengths: int, alone: bool = True) -> Check:
    """A list of so many values, or one value that stands for all of them."""

    def every(value: object) -> str:
        if not isinstance(value, list):
            return check(value) if alone else f"a list of {lengths[0]} values"
        if len(value) not in lengths:
            return f"a list of {' or '.join(map(str, lengths))} values"
        problem = next(filter(None, map(check, value)), "")
        return problem and f"a list in which each is {problem}"

    return every


def _either(*checks: Check) -> Check:
    def check(value: object) -> str:
        problems = [check(value) for check in checks]
        return "" if "" in problems else " or ".join(problems)

    return check


def _object(value: object) -> str:
    return "" if isinstance(value, dict) else "an object"


_layers, _width, _ids = _whole(1, MOST_LAYERS), _whole(1, MOST_WIDTH), _whole(0, MOST_IDS)
_side, _plain_word = _whole(1, 4096), _matching(_WORD, "a plain word")
_repo = _either(_one_of(""), _matching(_REPO, "the name of a hub repository (org/name)"))

_BLOCKS: dict[str, Check] = {
    "block_type": _one_of("default", "custom"),
    "qk_norm": _flag,
    "scaled_cosine_attn": _flag,
    "scale_heads": _flag,
    "scale_attn_inner": _flag,
    "scale_attn": _flag,
    "scale_fc": _flag,
    "act_kwargs": _object,
    "norm_kwargs": _object,
    "mlp_ratio": _number(0.01, 64),
    "ls_init_value": _number(0, 1e6),
    "final_ln_after_pool": _flag,
    "output_tokens": _flag,
    "width": _width,
}
_VISION: dict[str, Check] = _BLOCKS | {
    "layers": _either(_layers, _each(_layers, 4, alone=False)),
    "head_width": _width,
    "patch_size": _side,
    "image_size": _each(_side, 2),
    "patch_dropout": _number(0, 0.99),
    "attentional_pool": _either(_flag, _one_of("parallel", "cascade")),
    "attn_pooler_queries": _whole(1, 1 << 14),
    "attn_pooler_heads": _whole(1, 1024),
    "no_ln_pre": _flag,
    "pos_embed_type": _one_of("learnable", "sin_cos_2d"),
    "pool_type": _one_of("tok", "avg", "none"),
    "timm_model_name": _matching(_TIMM, "the name of an architecture of timm"),
    "timm_model_pretrained": _flag,
    "timm_pool": _plain_word,
    "timm_proj": _one_of("linear", "mlp", "none", ""),
    "timm_proj_bias": _flag,
    "timm_drop": _number(0, 1),
    "timm_drop_path": _number(0, 1),
}
_TEXT: dict[str, Check] = _BLOCKS | {
    "context_length": _whole(1, 1 << 13),
    "vocab_size": _whole(1, MOST_IDS),
    "heads": _whole(1, 1024),
    "layers": _layers,
    "embed_cls": _flag,
    "pad_id": _ids,
    "eos_id": _ids,
    "no_causal_mask": _flag,
    "pool_type": _one_of("first", "last", "argmax", "eos", "none"),
    "proj_bias": _flag,
    "proj_type": _one_of("linear", "none"),
    "hf_model_name": _repo,
    "hf_model_pretrained": _flag,
    "hf_proj_type": _one_of("linear", "mlp", ""),
    "hf_pooler_type": _one_of("mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler"),
    "hf_tokenizer_name": _repo,
    "tokenizer_mode": _one_of("clips", ""),
    "tokenizer_kwargs": _object,
}
_MULTIMODAL: dict[str, Check] = _TEXT | {
    "dim_head": _width,
    "n_queries": _whole(1, 1 << 14),
    "attn_pooler_heads": _whole(1, 1024),
}
_MODEL: dict[str, Check] = {
    "embed_dim": _width,
    "vision_cfg": _object,
    "text_cfg": _object,
    "multimodal_cfg": _object,
    "quick_gelu": _flag,
    "custom_text": _flag,
    "init_logit_scale": _number(-1e3, 1e3),
    "init_logit_bias": _number(-1e6, 1e6),
    "nonscalar_logit_scale": _flag,
    "pad_id": _ids,
}
_NESTED: dict[str, dict[str, Check]] = {
    "act_kwargs": {"approximate": _one_of("none", "tanh")},
    "norm_kwargs": {"eps": _number(0, 1), "elementwise_affine": _flag, "bias": _flag},
    "tokenizer_kwargs": {
        "clean": _one_of("canonicalize", "lower", "whitespace"),
        "strip_sep_token": _flag,
        "add_prefix_space": _flag,
        "do_lower_case": _flag,
        "strip_accents": _flag,
        "tokenize_chinese_chars": _flag,
        "legacy": _flag,
        "language": _plain_word,
        "src_lang": _plain_word,
        "padding_side": _one_of("left", "right"),
        "truncation_side": _one_of("left", "right"),
    },
}
_PREPROCESS: dict[str, Check] = {
    "size": _each(_side, 2),
    "mode": _one_of("RGB"),
    "mean": _each(_number(-1e3, 1e3), 3),
    "std": _each(_number(1e-6, 1e3), 3),
    "interpolation": _one_of("bicubic", "bilinear", "random"),
    "resize_mode": _one_of("shortest", "longest", "squash"),
    "fill_color": _each(_whole(0, 255), 3),
}

TEXT_MODELS = ("bert", "roberta", "xlm-roberta", "mt5", "m2m_100")
"""Types of Hugging Face text towers that open_clip can hold."""
_fraction, _small = _number(0, 1), _number(0, 1e3)
_TEXT_MODEL: dict[str, Check] = {
    "model_type": _one_of(*TEXT_MODELS),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "num_decoder_layers"), _layers),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), _layers),
    **dict.fromkeys(("hidden_size", "d_model", "d_kv"), _width),
    **dict.fromkeys(("intermediate_size", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim"), _whole(1, 1 << 17)),
    **dict.fromkeys(
        ("num_attention_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads"), _whole(1, 1024)
    ),
    **dict.fromkeys(("vocab_size", "type_vocab_size"), _whole(1, MOST_IDS)),
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), _ids),
    "max_position_embeddings": _whole(1, 1 << 17),
    **dict.fromkeys(("relative_attention_num_buckets", "relative_attention_max_distance"), _whole(1, 1 << 16)),
    **dict.fromkeys(("hidden_act", "activation_function", "feed_forward_proj", "dense_act_fn"), _plain_word),
    "position_embedding_type": _one_of("absolute", "relative_key", "relative_key_query"),
    **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"), _fraction),
    **dict.fromkeys(("dropout_rate", "dropout", "attention_dropout", "activation_dropout"), _fraction),
    **dict.fromkeys(("encoder_layerdrop", "decoder_layerdrop"), _fraction),
    **dict.fromkeys(("initializer_range", "initializer_factor", "init_std"), _small),
    **dict.fromkeys(("layer_norm_eps", "layer_norm_epsilon"), _fraction),
    **dict.fromkeys(("is_encoder_decoder", "is_gated_act", "scale_embedding", "tie_word_embeddings"), _flag),
}
