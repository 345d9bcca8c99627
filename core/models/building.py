"""open_clip's model of a checked configuration, and its weights put in: what ``open_clip.create_model`` does, without
its ways to other files, to the hub and to keyword arguments that nobody checked."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from core.errors import UnreadableData, WeightsMissing
from core.models import registry as models
from core.models import weights
from core.models.checkpoints import State
from core.models.clip_model import ClipModel
from core.models.hf_files import text_model_copy
from core.models.model_config import ModelConfig
from core.models.weights import Found

NUMPY = (".npz", ".npy")
"""Suffixes of Big Vision's checkpoints, which open_clip converts."""
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class HalfPrecisionFails(Exception):
    """A tower cannot be converted to half precision; the message is the reason."""


@contextmanager
def prepared(config: ModelConfig, found: Found, model_id: str) -> Iterator[dict[str, Any]]:
    """Keyword arguments of the model, in which no tower names a repository; valid until the block ends.

    Raises:
        WeightsMissing: the configuration of a Hugging Face text tower is not on this disk.
        UnreadableData: timm has no such architecture, or the text tower's configuration cannot be used.
    """
    settings = copy.deepcopy(config.model)
    vision, text = settings["vision_cfg"], settings["text_cfg"]
    with ExitStack() as stack:
        if name := vision.get("timm_model_name"):
            import timm

            if not timm.is_model(name):
                raise UnreadableData(f"{model_id} needs the architecture {name!r}, which the installed timm has not.")
            vision["timm_model_pretrained"] = False
        if name := config.text_model:
            folder = here(found.text_model or weights.text_model_folder(name), name, model_id)
            text |= {"hf_model_name": str(stack.enter_context(text_model_copy(folder))), "hf_model_pretrained": False}
        yield settings


def build(settings: dict[str, Any], precision: str = "float32") -> ClipModel:
    """A model with random weights on torch's current device, its layers ready for ``precision``."""
    import open_clip

    settings = copy.deepcopy(settings)
    custom = settings.pop("custom_text", False) or settings["text_cfg"].get("hf_model_name")
    kind = open_clip.CLIP
    if custom:
        kind = open_clip.CoCa if "multimodal_cfg" in settings else open_clip.CustomTextCLIP
    return kind(**settings, cast_dtype=_HALF.get(precision))


def to_device(model: ClipModel, precision: str, device: str) -> ClipModel:
    """Move a model and convert it as open_clip does: its own towers layer by layer, timm's as a whole.

    Raises:
        HalfPrecisionFails: it has layers that open_clip cannot convert.
    """
    from open_clip.timm_model import TimmModel
    from open_clip.transformer import LayerNormFp32

    model = model.to(device)
    if precision not in _HALF:
        return model
    if isinstance(model.visual, TimmModel):
        model = model.to(dtype=_HALF[precision])
        for module in model.modules():
            if isinstance(module, LayerNormFp32):
                module.float()
        return model
    from open_clip import convert_weights_to_lp

    try:
        convert_weights_to_lp(model, dtype=_HALF[precision])
    except (AttributeError, RuntimeError, TypeError) as error:
        raise HalfPrecisionFails(" ".join(str(error).split())[:200]) from error
    return model


def fill(model: ClipModel, state: State) -> None:
    """Load tensors into a model, with open_clip's conversions of older layouts and sizes; all of them must fit."""
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict, resize_pos_embed, resize_text_pos_embed

    expected = model.state_dict().keys()
    state = convert_state_dict(model, dict(state))
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    for name in ("logit_scale", "logit_bias"):
        parameter = getattr(model, name, None)
        if name in state and parameter is not None and state[name].numel() == 1:
            state[name] = state[name].reshape(parameter.shape)
    if "logit_bias" not in state and model.logit_bias is not None:
        state["logit_bias"] = torch.zeros_like(model.logit_bias)
    for name in ("text.transformer.embeddings.position_ids", "input_resolution", "context_length", "vocab_size"):
        if name not in expected:  # OpenAI's and older transformers' notes on the architecture
            state.pop(name, None)
    resize_pos_embed(state, model)
    resize_text_pos_embed(state, model)
    model.load_state_dict(state, strict=True)


def fill_from_numpy(model: ClipModel, file: Path) -> None:
    """Load a checkpoint of Big Vision."""
    from open_clip.convert import load_big_vision_weights

    load_big_vision_weights(model, str(file))


def here(folder: Path | None, repo: str, model_id: str) -> Path:
    """A folder of a repository's files that must be on this disk: transformers is given no name to look for."""
    if folder is None:
        command = models.fetch_command(model_id)
        raise WeightsMissing(f"{model_id} needs files of {repo} that are not on this disk; fetch them with: {command}")
    return folder
