"""Loading supervised classifiers from this disk: those in Tailscope's own layout, and timm's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cache import keys
from core.errors import TailscopeError, UnreadableData
from core.models import checkpoints
from core.models.loading import best_device
from core.models.model_config import MOST_WIDTH
from core.models.weights import sha256
from core.opening import read_object
from core.supervised.model import SupervisedModel
from core.supervised.names import CARD, ICON, MOST_OF_CARD, WEIGHTS, folder_of
from core.supervised.timm_models import load_timm


def load(model: str, *, precision: str = "float32", device: str | None = None) -> SupervisedModel:
    """Load a supervised classifier by its canonical name, always in float32.

    Raises:
        UnknownName, WeightsMissing, UnreadableData: as the weights are found and opened.
    """
    device = device or best_device()
    if model.startswith(ICON):
        return _load_icons(model, device)
    return load_timm(model, device)


def _load_icons(model: str, device: str) -> SupervisedModel:
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from torchvision.transforms import Compose

    from core.icons.training.classifier import build
    from core.icons.training.train import ARCHITECTURES, PREPROCESS

    folder = folder_of(model)
    run, classes = _card(folder)
    try:
        checkpoint = checkpoints.read(
            model, folder / WEIGHTS, lambda: build(run["arch"], width=run["width"], classes=len(classes))
        )
        module = build(run["arch"], width=run["width"], classes=len(classes))
        module.load_state_dict({key: value.float() for key, value in checkpoint.state.items()})
    except TailscopeError:
        raise
    except Exception as error:  # safetensors and torch each raise kinds of their own at a file that does not fit
        raise UnreadableData(checkpoints.does_not_fit(model, folder / WEIGHTS, error)) from error
    size = ARCHITECTURES[run["arch"]]["vision_cfg"]["image_size"]
    *resizing, _, normalise = image_transform_v2(PreprocessCfg(size=size, **PREPROCESS), False).transforms
    return SupervisedModel(
        model, module, classes, resize=Compose(resizing), mean=normalise.mean, std=normalise.std, device=device,
        fingerprint={
            "arch": run["arch"],
            "config": keys.digest({"arch": run["arch"], "width": run["width"], "classes": list(classes)}),
            "weights": sha256(folder / WEIGHTS),
            "preprocessing": {"size": size, **PREPROCESS},
        },
    )  # fmt: skip


def _card(folder: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Architecture and width of an icon classifier, and the keys of its classes."""
    from core.icons.training.train import ARCHITECTURES

    card = read_object(folder / CARD, limit=MOST_OF_CARD)
    run, classes = card.get("run"), card.get("classes")
    if not isinstance(run, dict) or not isinstance(classes, list) or not classes:
        raise UnreadableData(f"{folder} is not a classifier of the icon world (its {CARD} has no run or no classes).")
    if not isinstance(run.get("arch"), str) or run["arch"] not in ARCHITECTURES:
        raise UnreadableData(
            f"{folder} is not a classifier of the icon world (its arch is {str(run.get('arch'))[:60]!r}, "
            f"not one of {', '.join(ARCHITECTURES)})."
        )
    width = run.get("width")
    if not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= MOST_WIDTH:
        raise UnreadableData(
            f"{folder} is not a classifier of the icon world (its width is {str(width)[:60]}, not 1 to {MOST_WIDTH:,})."
        )
    return run, tuple(str(key) for key in classes)
