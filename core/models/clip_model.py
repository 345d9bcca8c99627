"""What is used of open_clip's models and tokenizers, which carry no types."""

from __future__ import annotations

from typing import Protocol

import torch


class Tokenizer(Protocol):
    """Texts to token rows, int64 [n, context]; open_clip's own, or one around a tokenizer of transformers."""

    def __call__(self, texts: list[str], /) -> torch.Tensor: ...


class ClipModel(torch.nn.Module):
    """The interface that ``open_clip.CLIP``, ``CustomTextCLIP`` and ``CoCa`` share; none of them derives from it.

    Attributes:
        visual: the image tower. logit_scale: logarithm of what cosines are multiplied by.
        logit_bias: what is added to them; None for models of a softmax loss.
    """

    visual: torch.nn.Module
    logit_scale: torch.nn.Parameter
    logit_bias: torch.nn.Parameter | None

    def encode_image(self, image: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        """Image vectors [n, d] of pixels [n, 3, h, w]."""
        raise NotImplementedError

    def encode_text(self, text: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        """Text vectors [n, d] of token rows [n, context]."""
        raise NotImplementedError
