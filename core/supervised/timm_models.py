"""timm's classifiers, from this disk only: the hub's cache, timm's own, or a checkpoint that is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cache import keys
from core.errors import BadInput, ExtraMissing, TailscopeError, UnknownName, UnreadableData, WeightsMissing
from core.models import checkpoints
from core.models.weights import hub_file, sha256
from core.opening import regular
from core.supervised.names import TIMM

if TYPE_CHECKING:
    from timm.models import PretrainedCfg
    from torch import nn

    from core.supervised.model import SupervisedModel

_FILES = ("model.safetensors", "pytorch_model.bin")


def find(model: str) -> Path:
    """The weights of a canonical ``timm:`` name.

    Raises:
        UnknownName: timm has no such architecture or no such weights. WeightsMissing: they are not on this disk.
        ExtraMissing: timm is not installed.
    """
    name, _, file = model.removeprefix(TIMM).partition(",")
    timm = _timm()
    if not timm.is_model(name):
        near = timm.list_models(f"*{name.partition('.')[0][:6]}*")[:3]
        raise UnknownName(f"timm has no model {name!r}: {'did you mean ' + ' or '.join(near) + '?' if near else ''}")
    if file:
        return regular(file)
    released = _released(name)
    repo = (released.hf_hub_id or "") if released else ""
    for filename in ((released.hf_hub_filename,) if released and released.hf_hub_filename else _FILES) if repo else ():
        if found := hub_file(repo, filename):
            return found
    if released and isinstance(released.url, str) and released.url:
        import torch

        found = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(released.url)
        if found.is_file():
            return found
    where = f"fetch them with: hf download {repo} {_FILES[0]}, or give" if repo else "give"
    own = f"timm:{name.partition('.')[0]},/path/to/checkpoint"
    raise WeightsMissing(f"The weights of {model} are not on this disk; {where} a file: {own}")


def load_timm(model: str, device: str) -> SupervisedModel:
    """Load a ``timm:`` classifier with its own preprocessing.

    Raises:
        BadInput: its outputs are not ImageNet's classes. UnreadableData: the file does not fit the architecture.
        UnknownName, WeightsMissing: as ``find``.
    """
    from torchvision.transforms import Compose

    from core.supervised.model import SupervisedModel

    file, timm = find(model), _timm()
    from timm.data import ImageNetInfo, create_transform, infer_imagenet_subset, resolve_model_data_config

    name = model.removeprefix(TIMM).partition(",")[0]
    try:
        checkpoint = checkpoints.read(
            model, file, lambda: timm.create_model(name, pretrained=False), containers=checkpoints.EMA_FIRST
        )
        # The tensors themselves, so that timm opens no file and asks no network.
        module = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={
            "state_dict": checkpoint.state, "file": None, "source": None, "custom_load": False,
        })  # fmt: skip
    except TailscopeError:
        raise
    except Exception as error:  # torch, safetensors and timm raise nearly anything at a file that does not fit
        raise UnreadableData(checkpoints.does_not_fit(model, file, error)) from error
    subset = infer_imagenet_subset(module)
    if subset is None:
        raise BadInput(
            f"{model} has {module.num_classes:,} outputs, which are not ImageNet's classes: which class each one means "
            "is not known. Choose a model with ImageNet-1k's 1,000."
        )
    settings = resolve_model_data_config(module)
    *resizing, _, _ = create_transform(**settings, is_training=False).transforms
    return SupervisedModel(
        model, module, tuple(ImageNetInfo(subset).label_names()), resize=Compose(resizing),
        mean=tuple(settings["mean"]), std=tuple(settings["std"]), device=device,
        fingerprint={
            "arch": name,
            "config": keys.digest({"arch": name, "timm": timm.__version__}),
            "weights": sha256(file),
            "preprocessing": json.loads(json.dumps(settings)),
            "warnings": list(checkpoint.warnings),
        },
    )  # fmt: skip


class _Timm(Protocol):
    """What is used of the module ``timm``, which need not be installed."""

    __version__: str

    def is_model(self, model_name: str) -> bool: ...
    def list_models(self, filter: str) -> list[str]: ...
    def create_model(self, model_name: str, **options: Any) -> nn.Module: ...


def _timm() -> _Timm:
    try:
        import timm
    except ImportError as error:
        raise ExtraMissing("Models of timm need the package timm: pip install timm.") from error
    return timm


def _released(name: str) -> PretrainedCfg | None:
    from timm.models import get_pretrained_cfg

    try:
        return get_pretrained_cfg(name)
    except RuntimeError as error:
        raise UnknownName(f"timm has no weights {name!r} ({' '.join(str(error).split())})") from error
