"""Encoding a batch of token rows at its longest real length instead of the full context."""

from __future__ import annotations

from typing import Any

import torch
from torch.func import functional_call


def trimmed_text_features(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Unit text vectors [n, d] of token rows [n, context], equal to the full-context forward.

    Exact for causal towers that pool at the end-of-text token: what follows that token cannot reach it, so the
    positional table and the mask are sliced for this call. Every other tower runs at full length.
    """
    tower, forward = (model.text, {}) if hasattr(model, "text") else (model, {"text": tokens})
    if not _trimmable(tower):
        return model.encode_text(tokens, normalize=True)
    length = int((tokens != 0).any(0).nonzero().max()) + 1
    swap = {"positional_embedding": tower.positional_embedding[:length], "attn_mask": tower.attn_mask[:length, :length]}
    short = tokens[:, :length]
    if forward:
        return functional_call(model, swap, kwargs={"text": short})[1]
    features = functional_call(tower, swap, (short,))
    return torch.nn.functional.normalize(features, dim=-1)


def _trimmable(tower: Any) -> bool:
    pool = getattr(tower, "text_pool_type", None) or getattr(tower, "pool_type", None)
    causal = getattr(tower, "attn_mask", None) is not None and getattr(tower, "cls_emb", None) is None
    return causal and pool in ("argmax", "eos") and not getattr(tower, "output_dict", False)
