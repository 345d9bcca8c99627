"""A supervised classifier in memory, and its logits over the classes of a set."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.datasets.matching import imagenet_groups
from core.datasets.names import imagenet_classes
from core.errors import BadInput, TailscopeError
from core.evaluation import zeroshot
from core.runtime.machine import return_freed_memory
from core.supervised.names import ICON
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
