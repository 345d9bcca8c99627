"""Which parts of a picture speak for a class: occlusion and gradients. An aid to explanation, not a proof.

``occlusion`` (Zeiler and Fergus, arXiv 1311.2901): each cell of a grid is covered with the picture's mean colour; the
map is the fall of the class's logit. ``gradient``: absolute input × gradient of the logit, summed over channels, mean
of each cell. Both read pixels only, so they work for any tower, and both depend on the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from PIL import Image

from core.errors import BadInput
from core.types import ImageSet, Lens, Progress, Report, silent

if TYPE_CHECKING:
    from core.supervised.scorer import Scorer

Method = Literal["occlusion", "gradient"]
METHODS: tuple[Method, ...] = get_args(Method)
CELLS = 8
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Parts:
    """One map.

    Attributes:
        method, label: the class asked about; logit: its logit on the whole picture.
        map: float32 [cells, cells], top row first; larger speaks more for the class. By occlusion a fall of the logit,
            negative where covering the cell helps.
        seen: uint8 [h, w, 3], the pixels that the model sees.
    """

    method: Method
    label: int
    logit: float
    map: np.ndarray
    seen: np.ndarray


def picture_parts(
    scorer: Scorer,
    picture: Image.Image,
    label: int,
    *,
    method: Method = "occlusion",
    cells: int = CELLS,
    report: Report = silent,
) -> Parts:
    """The map of one class on one picture.

    Raises:
        BadInput: the picture has fewer pixels than cells.
    """
    import torch

    pixels = scorer.batch([picture])
    height, width = pixels.shape[2:]
    if not 1 <= cells <= min(height, width):
        raise BadInput(f"A grid of {cells} cells a side does not fit the model's {width} x {height} pixels.")
    rows, columns = (np.linspace(0, side, cells + 1).round().astype(int) for side in (height, width))
    if method == "gradient":
        pixels = pixels.requires_grad_()
        logit = scorer.logits(pixels)[0, label]
        (slope,) = torch.autograd.grad(logit, [pixels])
        weight = (slope * pixels).abs().sum(1)[0].detach().cpu().numpy()
        found = [
            [weight[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean() for j in range(cells)]
            for i in range(cells)
        ]
        return Parts(method, label, float(logit.detach()), np.array(found, np.float32), scorer.pixels(picture))
    mean = pixels.mean((2, 3), keepdim=True)
    with torch.no_grad():
        whole = float(scorer.logits(pixels)[0, label])
        falls = []
        for start in range(0, cells * cells, _BATCH):
            report(Progress(start, cells * cells, "Covering parts of the picture"))
            places = [divmod(place, cells) for place in range(start, min(start + _BATCH, cells * cells))]
            covered = pixels.repeat(len(places), 1, 1, 1)
            for one, (i, j) in zip(covered, places, strict=True):
                one[:, rows[i] : rows[i + 1], columns[j] : columns[j + 1]] = mean[0]
            falls += (whole - scorer.logits(covered)[:, label]).cpu().tolist()
    found_map = np.array(falls, np.float32).reshape(cells, cells)
    return Parts(method, label, whole, found_map, scorer.pixels(picture))


def parts_of_lens(
    lens: Lens,
    *,
    image_set: ImageSet,
    index: int,
    of: int,
    method: Method = "occlusion",
    cells: int = CELLS,
    report: Report = silent,
) -> Parts:
    """``picture_parts`` of a picture of an open image set under a lens; ``of`` is the class asked about."""
    from core.supervised.scorer import scorer_for  # torch, which the pages do without until they answer

    scorer = scorer_for(lens.model, image_set, lens.prompts)
    return picture_parts(scorer, image_set.image(index), of, method=method, cells=cells, report=report)


def as_json(found: Parts) -> dict[str, Any]:
    """The map as a JSON object."""
    return {"method": found.method, "logit": found.logit, "map": found.map.tolist()}
