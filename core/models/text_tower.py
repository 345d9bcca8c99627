"""Encoding a batch of token rows at its longest real length instead of the full context."""

from __future__ import annotations

from typing import Any

import torch
from torch.func import functional_call

from core.models.clip_model import ClipModel


def text_lengths(model: ClipModel, tokens: torch.Tensor) -> torch.Tensor:
    """How many leading tokens of each row [n, context] decide its vector: int64 [n].

    In a causal tower that pools at the end-of-text token nothing after that token can reach it. Every other tower
    needs the full context.
    """
    tower = _tower(model)
    if not _trimmable(tower):
        return torch.full((len(tokens),), tokens.shape[1], dtype=torch.long)
    if _pool(tower) == "eos":
        eos = tower.eos_id if hasattr(tower, "eos_id") else tower.text_eos_id
        return (tokens == eos).int().argmax(-1) + 1
    return tokens.argmax(-1) + 1


def trimmed_text_features(model: ClipModel, tokens: torch.Tensor) -> torch.Tensor:
    """Unit text vectors [n, d] of token rows [n, context], equal to the full-context forward.

    The tokens are cut at the longest of ``text_lengths``, the positional table and the mask with them, for this call.
    """
    length = int(text_lengths(model, tokens).max())
    if length == tokens.shape[1]:
        return model.encode_text(tokens, normalize=True)
    tower, short = _tower(model), tokens[:, :length]
    swap = {"positional_embedding": tower.positional_embedding[:length], "attn_mask": tower.attn_mask[:length, :length]}
    if tower is model:
        return functional_call(model, swap, kwargs={"text": short})[1]
    return torch.nn.functional.normalize(functional_call(tower, swap, (short,)), dim=-1)


def _tower(model: ClipModel) -> Any:
    return model.text if hasattr(model, "text") else model


def _pool(tower: object) -> str | None:
    return getattr(tower, "text_pool_type", None) or getattr(tower, "pool_type", None)


def _trimmable(tower: object) -> bool:
    causal = getattr(tower, "attn_mask", None) is not None and getattr(tower, "cls_emb", None) is None
    single = not getattr(tower, "output_dict", False) and not getattr(tower, "output_tokens", False)
    return causal and single and _pool(tower) in ("argmax", "eos")
