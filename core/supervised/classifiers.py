"""A supervised classifier in memory, and its logits over the classes of a set."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from cache import keys
from core.datasets.matching import imagenet_groups
from core.datasets.names import imagenet_classes
from core.errors import BadInput, TailscopeError, UnreadableData
from core.evaluation import zeroshot
from core.models import checkpoints
from core.models.loading import best_device
from core.models.model_config import MOST_WIDTH
from core.models.weights import sha256
from core.opening import read_object
from core.runtime.machine import return_freed_memory
from core.supervised.answers import CARD, ICON, MOST_OF_CARD, WEIGHTS, folder_of
from core.types import Classifier, ImageSet
from core.versions import version


class SupervisedModel:
    """One classifier in memory, with the face of an encoder whose vectors are logits.

    Attributes:
        id: canonical name; outputs: what its logits stand for: icon keys or WordNet ids; dim: how many they are.
        std: what the three channels are divided by.
        precision: ``float32``; fingerprint: what decides the logits (JSON, as an encoder's).
    """

    precision = "float32"

    def __init__(
        self,
        id: str,
        module: torch.nn.Module,
        outputs: tuple[str, ...],
        *,
        resize: Callable[[Image.Image], Image.Image],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: str,
        fingerprint: Mapping[str, Any],
    ) -> None:
        self.id, self.outputs, self.dim, self.device = id, outputs, len(outputs), torch.device(device)
        self._module: Any = module.eval().requires_grad_(False).to(self.device)
        self._resize, self.std = resize, tuple(std)
        self._mean, self._std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (mean, std))
        self.fingerprint = {
            "model": id,
            "precision": self.precision,
            "device": device,
            "versions": {name: version(name) for name in ("torch", "torchvision", "open_clip_torch", "timm", "pillow")},
            "warnings": [],
            **fingerprint,
        }

    def preprocess(self, picture: Image.Image) -> np.ndarray:
        """The pixels that the model sees of an RGB picture: uint8 [h, w, 3]."""
        return np.asarray(self._resize(picture))

    def logits(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits float32 [n, dim] of float32 [n, 3, h, w] in [0, 1]; gradients flow to the pixels."""
        return self._module((pixels - self._mean) / self._std).float()

    @torch.no_grad()
    def encode_images(self, batch: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """Logits float32 [n, dim] of preprocessed pictures uint8 [n, h, w, 3]."""
        pixels = torch.from_numpy(np.stack(list(batch))).to(self.device).permute(0, 3, 1, 2).float().div_(255)
        logits = self.logits(pixels).cpu().numpy()
        if not np.isfinite(logits).all():
            raise TailscopeError(f"{self.id} gives logits that are not finite: its weights are damaged.")
        return logits

    def columns(self, image_set: ImageSet) -> np.ndarray:
        """For every class of a set the outputs that mean it, int64 [c, g]; ``dim`` where none does.

        A class of several outputs has its strongest one, rows are filled up by repeating the first.

        Raises:
            BadInput: the classifier knows none of the classes.
        """
        place = {key: index for index, key in enumerate(self.outputs)}
        if self.id.startswith(ICON):
            groups: list[tuple[str, ...]] = [(key,) for key in image_set.keys]
        else:
            wnids = [wnid for wnid, _ in imagenet_classes()]
            groups = [tuple(wnids[index] for index in group) for group in imagenet_groups(image_set)]
        found = [[place[key] for key in group if key in place] or [self.dim] for group in groups]
        if all(group == [self.dim] for group in found):
            knows = "the concepts of the icons" if self.id.startswith(ICON) else "ImageNet's classes"
            raise BadInput(
                f"{self.id} can only say {knows}, and {image_set.id} has none of them: choose a set with such classes, "
                "or a zero-shot model."
            )
        widest = max(map(len, found))
        return np.array([group + group[:1] * (widest - len(group)) for group in found], np.int64)

    def close(self) -> None:
        """Drop the model and give its memory back."""
        self._module = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return_freed_memory()


def project(logits: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Logits [n, dim] as scores of a set's classes [n, c]: the strongest of each class's outputs.

    A class without outputs (``columns`` = dim) scores one below the weakest output, so that it is never said.
    """
    nothing = logits.amin(1, keepdim=True) - 1
    return torch.cat([logits, nothing], 1)[:, columns].amax(2)


def ranked(scores: torch.Tensor, labels: np.ndarray, *, k: int = 5) -> dict[str, np.ndarray]:
    """``top``, ``scores``, ``margin`` and ``probability`` of class scores [n, c], as in ``core.types.Answer``."""
    classes = scores.shape[1]
    # The identity as a classifier: products with it are exact, and the ranking is the zero-shot one.
    identity = Classifier(np.eye(classes, dtype=np.float32), np.arange(classes), "embedding", scale=1.0)
    found = zeroshot.classify(scores.numpy(), identity, labels, k=k)
    return {"top": found.top, "scores": found.scores, "margin": found.margin, "probability": found.probability}


def load(model: str, *, precision: str = "float32", device: str | None = None) -> SupervisedModel:
    """Load a supervised classifier by its canonical name, always in float32.

    Raises:
        UnknownName, WeightsMissing, UnreadableData: as the weights are found and opened.
    """
    device = device or best_device()
    if model.startswith(ICON):
        return _load_icons(model, device)
    from core.supervised.timm_models import load_timm

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
