"""From a model's name to its parts in memory, through open_clip and only from this disk.

No library is given a name that it could look up elsewhere, nor a file that was not checked: configurations come from
``model_config``, Hugging Face files from ``hf_files``, weights from ``checkpoints``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image

from cache import keys
from core.errors import ExtraMissing, TailscopeError, UnreadableData
from core.models import building, checkpoints, model_config, weights
from core.models import registry as models
from core.models.clip_model import ClipModel, Tokenizer
from core.models.hf_files import tokenizer_copy
from core.models.model_config import ModelConfig
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
    model: ClipModel
    tokenizer: Tokenizer
    context_length: int
    resize: Callable[[Image.Image], Image.Image]
    mean: torch.Tensor
    std: torch.Tensor
    precision: str
    device: str
    fingerprint: dict[str, Any]


def load(model_id: str, *, precision: str = "auto", device: str | None = None) -> Loaded:
    """Load a model; see ``core.models.encoder.load_encoder`` for the arguments and errors."""
    from open_clip.transform import PreprocessCfg, image_transform_v2

    model_id = models.canonical(model_id)
    found = models.find(model_id)
    device = device or best_device()
    precision = settled_precision(precision)
    precision = best_precision(device) if precision == "auto" else precision
    _respect_cores()
    config = _config(found, model_id)
    preprocessing, warnings = _preprocessing(model_id, found, config)
    try:
        model, precision = _model(model_id, found, config, precision=precision, device=device, warnings=warnings)
        tokenizer = _tokenizer(found, config.text, model_id)
        preprocessing |= {"size": model.visual.image_size} if hasattr(model.visual, "image_size") else {}
        settings = PreprocessCfg(**preprocessing)
        *resizing, _, normalise = image_transform_v2(settings, is_train=False).transforms
    except TailscopeError:
        raise
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TailscopeError(f"{model_id} needs more memory than this {device} has: use a smaller model.") from error
    except ImportError as error:
        raise ExtraMissing(f"{model_id} needs another package: pip install {error.name or 'transformers'}.") from error
    except Exception as error:  # four libraries raise nearly anything at a file that does not fit
        raise UnreadableData(checkpoints.does_not_fit(model_id, found.weights, error)) from error
    if warning := models.quickgelu_warning(model_id):
        warnings.append(warning)
    context: int = config.text.get("context_length", 0) or getattr(model, "context_length", 77)
    fingerprint = {
        "model": model_id,
        "arch": model_id.partition(",")[0].rpartition("/")[2],
        "activation": "QuickGELU" if config.model.get("quick_gelu") else "GELU",
        "config": keys.digest(config.model),
        "weights": sha256(found.weights),
        "preprocessing": json.loads(json.dumps(asdict(settings))),
        "tokenizer": {
            "kind": type(tokenizer).__name__,
            "context_length": context,
            **({"files": weights.tokenizer_digests(found.tokenizer)} if found.tokenizer else {}),
        },
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
        able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return "bf16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"
    return "float32"


class _Steps:
    def __init__(self, steps: list[Callable[[Image.Image], Image.Image]]) -> None:
        self.steps = steps

    def __call__(self, picture: Image.Image) -> Image.Image:
        for step in self.steps:
            picture = step(picture)
        return picture


def _respect_cores() -> None:
    # torch counts the host's cores, not those that a container may use.
    if "OMP_NUM_THREADS" not in os.environ and torch.get_num_threads() > cores():
        torch.set_num_threads(cores())


def _config(found: Found, model_id: str) -> ModelConfig:
    """The checked configuration: a folder's own, else the one that open_clip ships for the architecture."""
    import open_clip

    if found.folder:
        return model_config.read(found.folder / CONFIG)
    arch = model_id.partition(",")[0]
    return ModelConfig(model_config.checked_model(open_clip.get_model_config(arch), name=f"open_clip's {arch}"), {})


def _preprocessing(model_id: str, found: Found, config: ModelConfig) -> tuple[dict[str, Any], list[str]]:
    """What the configuration says, or open_clip's tag, which it does not see because it is given the file."""
    import open_clip

    if found.folder:
        return dict(config.preprocess), []
    arch, _, tag = model_id.partition(",")
    released = [open_clip.get_pretrained_cfg(*pair) for pair in table().pairs if pair[0] == arch]
    if models.kind(model_id) == "open_clip":
        released = [open_clip.get_pretrained_cfg(arch, tag)]
    known = {json.dumps(_pixels(settings), sort_keys=True): _pixels(settings) for settings in released}
    if len(known) == 1:
        return dict(next(iter(known.values()))), []
    return {}, [
        f"How {arch} was shown its pictures depends on the training run: open_clip's default preprocessing is used. "
        "For another one save the model in a folder with its open_clip_config.json."
    ]


def _pixels(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("mean", "std", "interpolation", "resize_mode") if name in settings}


def _model(
    model_id: str, found: Found, config: ModelConfig, *, precision: str, device: str, warnings: list[str]
) -> tuple[Any, str]:
    """The model with its weights, and the precision that it runs in."""
    with building.prepared(config, found, model_id) as settings:
        state = None
        if found.weights.suffix in building.NUMPY:
            checkpoints.require_room(model_id, found.weights, lambda: building.build(settings))
        else:
            checkpoint = checkpoints.read(model_id, found.weights, lambda: building.build(settings))
            state = checkpoint.state
            warnings += checkpoint.warnings
        try:
            model = building.to_device(building.build(settings, precision), precision, device)
        except building.HalfPrecisionFails as error:
            warnings.append(runs_in_float32(precision, str(error)))
            precision = "float32"
            model = building.to_device(building.build(settings), precision, device)
    if state is None:
        building.fill_from_numpy(model, found.weights)
    else:
        building.fill(model, state)
    return model, precision


def runs_in_float32(precision: str, reason: str) -> str:
    """The warning of a model that could not be run in half precision."""
    return f"It runs in float32, because {precision} failed here ({reason})."


def _tokenizer(found: Found, text: dict[str, Any], model_id: str) -> Callable[[list[str]], torch.Tensor]:
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    options = dict(text.get("tokenizer_kwargs") or {})
    context = text.get("context_length", 77)
    if not text.get("hf_tokenizer_name"):
        return SimpleTokenizer(context_length=context, **options)
    repo = text["hf_tokenizer_name"]
    folder = building.here(found.tokenizer or weights.tokenizer_folder(repo), repo, model_id)
    with tokenizer_copy(folder) as copy:
        return HFTokenizer(
            str(copy),
            context_length=context,
            tokenizer_mode=text.get("tokenizer_mode"),
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
