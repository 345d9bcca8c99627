"""Real open_clip models of a few thousand parameters, saved in its ``local-dir:`` layout."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

CLIP = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
RESNET = {**CLIP, "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16}}
CUSTOM = {**CLIP, "custom_text": True}
COCA_TEXT = {**CUSTOM, "text_cfg": {**CLIP["text_cfg"], "embed_cls": True}}
SIGLIP = {
    **CUSTOM,
    "init_logit_bias": -10.0,
    "text_cfg": {**CLIP["text_cfg"], "no_causal_mask": True, "pool_type": "last", "proj_bias": True},
}


def build(config: dict[str, Any], *, seed: int = 0) -> Any:
    """A model of this configuration whose random weights tell pictures and texts well apart."""
    import torch
    from open_clip.model import CLIP as Native
    from open_clip.model import CustomTextCLIP

    torch.manual_seed(seed)
    settings = copy.deepcopy(config)
    model = (CustomTextCLIP if settings.pop("custom_text", False) else Native)(**settings)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim >= 2 or name.endswith("positional_embedding"):
                value.mul_(3)
    return model.eval()


def save(
    folder: Path, config: dict[str, Any] = CLIP, *, preprocess: dict[str, Any] | None = None, seed: int = 0
) -> Path:
    """Write a random model of this configuration; ``local-dir:FOLDER`` loads it."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous().clone() for name, value in build(config, seed=seed).state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors")
    settings = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3], **(preprocess or {})}
    written = {"model_cfg": config, "preprocess_cfg": settings}
    (folder / "open_clip_config.json").write_text(json.dumps(written), encoding="utf-8")
    return folder
