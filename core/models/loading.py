"""From a model's name to its parts in memory, through open_clip and only from this disk.

Checkpoints are opened with ``weights_only``: a file that holds pickled objects is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from cache import keys
from core.errors import ExtraMissing, TailscopeError, UnreadableData, WeightsMissing
from core.models import registry as models
from core.models import weights
from core.models.open_clip_table import table
from core.models.weights import CONFIG, Found, sha256
from core.runtime.machine import cores, settled_precision
from core.versions import version


@dataclass(frozen=True, slots=True)
class Loaded:
    """The parts of one model.

    Attributes:
        model: open_clip's module in evaluation mode on ``device``.
        tokenizer: texts -> int64 [n, context].
        resize: RGB picture -> RGB picture of the model's size, as open_clip does it.
        mean, std: float32 [3, 1, 1] on ``device``, of pixels in 0..1.
        precision: ``float32``, ``bf16`` or ``fp16``.
        fingerprint: JSON object: ``model``, ``arch``, ``activation``, ``config`` (digest of the architecture's
            configuration), ``weights`` (SHA-256), ``preprocessing``, ``tokenizer``, ``precision``, ``device``,
            ``versions``, ``warnings``.
    """

    id: str
    model: Any
    tokenizer: Callable[[list[str]], torch.Tensor]
    context_length: int
    resize: Callable[[Image.Image], Image.Image]
    mean: torch.Tensor
    std: torch.Tensor
    precision: str
    device: str
    fingerprint: dict[str, Any]


def load(model_id: str, *, precision: str = "auto", device: str | None = None) -> Loaded:
    """Load a model; see ``core.models.encoder.load_encoder`` for the arguments and errors."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model_id = models.canonical(model_id)
    found = models.find(model_id)
    device = device or best_device()
    precision = settled_precision(precision)
    precision = best_precision(device) if precision == "auto" else precision
    _respect_cores()
    arch = f"local-dir:{found.folder}" if found.folder else model_id.partition(",")[0]
    config = _config(found, arch)
    preprocessing, warnings = _preprocessing(model_id, found)
    text = dict(config["text_cfg"])
    if text.get("hf_model_name"):
        text_model = found.text_model or weights.text_model_folder(text["hf_model_name"])
        text |= {"hf_model_name": str(_here(text_model, text["hf_model_name"], model_id)), "hf_model_pretrained": False}
    try:
        model = open_clip.create_model(
            arch,
            pretrained=None if found.folder else str(found.weights),
            precision={"float32": "fp32"}.get(precision, precision),
            device=device,
            force_preprocess_cfg=preprocessing,
            require_pretrained=True,
            weights_only=True,
            text_cfg=text,
        )
        tokenizer = _tokenizer(found, arch, text, model_id)
        *resizing, _, normalise = image_transform_v2(PreprocessCfg(**model.visual.preprocess_cfg), False).transforms
    except TailscopeError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TailscopeError(f"{model_id} needs more memory than this {device} has: use a smaller model.") from error
    except ImportError as error:
        raise ExtraMissing(f"{model_id} needs another package: pip install {error.name or 'transformers'}.") from error
    except Exception as error:  # four libraries raise nearly anything at a file that does not fit
        raise UnreadableData(_does_not_fit(model_id, found.weights, error)) from error
    if warning := models.quickgelu_warning(model_id):
        warnings.append(warning)
    context = text.get("context_length") or getattr(model, "context_length", 77)
    fingerprint = {
        "model": model_id,
        "arch": model_id.partition(",")[0].rpartition("/")[2],
        "activation": "QuickGELU" if config.get("quick_gelu") else "GELU",
        "config": keys.digest(config),
        "weights": sha256(found.weights),
        "preprocessing": json.loads(json.dumps(model.visual.preprocess_cfg)),
        "tokenizer": {"kind": type(tokenizer).__name__, "context_length": context},
        "precision": precision,
        "device": device,
        "versions": {name: version(name) for name in ("torch", "torchvision", "open_clip_torch", "timm", "pillow")},
        "warnings": warnings,
    }
    return Loaded(
        model_id,
        model.eval().requires_grad_(False),
        tokenizer,
        context,
        _Steps(resizing),
        torch.tensor(normalise.mean, device=device).view(3, 1, 1),
        torch.tensor(normalise.std, device=device).view(3, 1, 1),
        precision,
        device,
        fingerprint,
    )


def best_device() -> str:
    """CUDA, then Apple's GPU, then the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def best_precision(device: str) -> str:
    """The precision in which this device is fast: half where its matrix units have it, float32 elsewhere.

    Measured on a CPU with AVX-512-BF16: ViT-B-32 images 2.0 times as fast with converted weights, row cosines to
    float32 of 0.9999; without such units bf16 is emulated and slower. On Apple's GPU nothing was measured: float32.
    """
    if device == "cuda":
        return "bf16" if torch.cuda.get_device_capability() >= (8, 0) else "fp16"
    if device == "cpu":
        able = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"
    return "float32"


class _Steps:
    def __init__(self, steps: list[Callable]) -> None:
        self.steps = steps

    def __call__(self, picture: Image.Image) -> Image.Image:
        for step in self.steps:
            picture = step(picture)
        return picture


def _respect_cores() -> None:
    # torch counts the host's cores, not those that a container may use.
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > cores():
        torch.set_num_threads(cores())


def _config(found: Found, arch: str) -> dict[str, Any]:
    import open_clip

    if found.folder is None:
        return open_clip.get_model_config(arch)
    try:
        config = json.loads((found.folder / CONFIG).read_text(encoding="utf-8"))["model_cfg"]
        return {**config, "text_cfg": dict(config["text_cfg"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableData(f"{found.folder / CONFIG} is not an open_clip configuration ({error!r}).") from error


def _preprocessing(model_id: str, found: Found) -> tuple[dict[str, Any] | None, list[str]]:
    """What open_clip would take from the tag, which it does not see because it is given the file."""
    import open_clip

    if found.folder:
        return None, []
    arch, _, tag = model_id.partition(",")
    released = [open_clip.get_pretrained_cfg(*pair) for pair in table().pairs if pair[0] == arch]
    if models.kind(model_id) == "open_clip":
        released = [open_clip.get_pretrained_cfg(arch, tag)]
    known = {json.dumps(_pixels(settings), sort_keys=True): _pixels(settings) for settings in released}
    if len(known) == 1:
        return next(iter(known.values())), []
    return None, [
        f"How {arch} was shown its pictures depends on the training run: open_clip's default preprocessing is used. "
        "For another one save the model in a folder with its open_clip_config.json."
    ]


def _pixels(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("mean", "std", "interpolation", "resize_mode") if name in settings}


def _here(folder: Path | None, repo: str, model_id: str) -> Path:
    """A folder that must be on this disk: transformers would otherwise ask the network for it."""
    if folder is None:
        raise WeightsMissing(
            f"{model_id} needs files of {repo} that are not on this disk; fetching any released pair of its "
            "architecture brings them: python -m core fetch model ARCH,PRETRAINED"
        )
    return folder


def _tokenizer(found: Found, arch: str, text: dict[str, Any], model_id: str) -> Callable[[list[str]], torch.Tensor]:
    import open_clip

    if not text.get("hf_tokenizer_name"):
        return open_clip.get_tokenizer(arch)
    from open_clip.tokenizer import HFTokenizer

    folder = found.tokenizer or weights.tokenizer_folder(text["hf_tokenizer_name"])
    return HFTokenizer(
        str(_here(folder, text["hf_tokenizer_name"], model_id)),
        context_length=text.get("context_length", 77),
        tokenizer_mode=text.get("tokenizer_mode"),
        **text.get("tokenizer_kwargs", {}),
    )


def _does_not_fit(model_id: str, file: Path, error: Exception) -> str:
    if "weights_only" in str(error).lower() or "TorchScript" in str(error):
        return (
            f"{file} holds more than weights (objects that run code when opened) and was not opened; "
            "convert it to safetensors where you trust it."
        )
    reason = " ".join(str(error).split())[:300] or type(error).__name__
    return f"{model_id} could not be loaded from {file}: {reason}"
