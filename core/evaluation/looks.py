"""A first look at a large set: an answer on a stratified sample, refined while more of the pictures are embedded.

Samples are nested, and what is embedded for one is reused by the next and by the run over the whole set, so that a
look costs nothing that would not be computed anyway.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from core.datasets.coverage import require_classes
from core.datasets.sampling import sample_rows
from core.errors import BadInput, UnreadableData
from core.evaluation import embed, evaluate
from core.evaluation.embedding_run import work_of
from core.prompts import prompt_set
from core.runtime import estimates
from core.runtime.estimates import Estimate
from core.runtime.machine import cores
from core.stats.format import percent, span
from core.stats.intervals import wilson
from core.types import Answer, ImageEncoder, ImageSet, Interval, Lens, Progress, Report, silent

GROWTH = 4
_TRIED, _SECONDS = (4, 16, 48), 2.0


def look(lens: Lens, *, image_set: ImageSet, pictures: int, seed: int = 0, report: Report = silent) -> Answer:
    """The answer of a lens on a sample spread evenly over the classes; on the whole set where that is no larger.

    ``rows`` are those of the sample and ``n_images`` is of the whole set. Samples of one seed are nested.

    Args:
        pictures: how many of the set's images.
    """
    require_classes(image_set)
    if pictures < 1:
        raise BadInput(f"A first look at {pictures} pictures shows nothing; ask for at least one of each class.")
    if pictures >= len(image_set.labels):
        return evaluate.evaluate(lens, image_set=image_set, report=report)
    prompts = prompt_set(lens.prompts, image_set)
    rows = np.sort(sample_rows(image_set.labels, pictures, seed=seed))
    encoder = evaluate.encoders().get(lens.model, lens.precision)
    found = embed.embed_sample(encoder, image_set, evaluate.matrices(), rows, report=report)
    stored, about = evaluate.answer_of(lens, image_set, prompts, found, report=report)
    about["fingerprint"] = {**about["fingerprint"], "look": {"images": len(rows), "seed": seed}}
    return evaluate.assemble(lens, image_set, stored, about=about, prompts=prompts)


def is_look(answer: Answer) -> bool:
    """Whether an answer is a first look, on a sample."""
    return "look" in answer.fingerprint


def words(answer: Answer) -> str:
    """What a first look is, with its interval."""
    share = _top1(answer)
    return (
        f"First look at {len(answer.rows):,} of {answer.n_images:,} pictures, spread evenly over the classes: top-1 "
        f"{percent(share.value)} (95 % {span(share)})."
    )


def as_json(answer: Answer) -> dict[str, Any]:
    """A first look as JSON: ``images``, ``of``, ``seed``, and ``acc1`` with its interval (Wilson)."""
    told = {"images": len(answer.rows), "of": answer.n_images, "seed": answer.fingerprint["look"]["seed"]}
    return {**told, "acc1": asdict(_top1(answer))}


def _top1(answer: Answer) -> Interval:
    return wilson(int((answer.top[:, 0] == answer.labels).sum()), len(answer.rows))


def after(pictures: int, n: int) -> int:
    """How many pictures the look after this one is at, of n in all: ``n`` once that is half of them."""
    more = pictures * GROWTH
    return more if 2 * more < n else n


def estimate(lens: Lens, *, image_set: ImageSet, report: Report = silent) -> Estimate | None:
    """How long embedding what is missing of a set takes here; None when nothing is missing.

    The rate is that of the latest run of this model on this set, else of a calibration of a few seconds.
    """
    return time_to_embed(evaluate.encoders().get(lens.model, lens.precision), image_set, report=report)


def time_to_embed(encoder: ImageEncoder, image_set: ImageSet, *, report: Report = silent) -> Estimate | None:
    """The same of a model that is loaded; of a view, for the set it looks at, which is embedded as a whole."""
    image_set = embed.whole_of(image_set)
    left = embed.left_to_embed(encoder, image_set, evaluate.matrices())
    if not left:
        return None
    work = work_of(encoder, image_set)
    rate = estimates.known(work)
    if rate is None:
        rate = calibrate(encoder, image_set.image, len(image_set.labels), report=report)
        estimates.remember(work, rate)
    return Estimate(left, "picture", rate)


def calibrate(
    encoder: ImageEncoder, picture: Callable[[int], Image.Image], n: int, *, report: Report = silent
) -> float:
    """Pictures a second of a model, of n that ``picture`` opens: decoded in threads, encoded in growing batches."""
    rate, began = 0.0, time.perf_counter()
    on_cpu = encoder.fingerprint.get("device", "cpu") == "cpu"

    def decoded(row: int) -> np.ndarray | None:
        try:
            return encoder.preprocess(picture(row))
        except UnreadableData:
            return None

    with ThreadPoolExecutor(cores(), thread_name_prefix="calibrate") as pool:
        for number, size in enumerate(_TRIED):
            report(Progress(number, len(_TRIED), f"Measuring how fast {encoder.id} is here"))
            rows = np.linspace(0, n - 1, size).astype(int).tolist()
            start = time.perf_counter()
            pictures = [one for one in pool.map(decoded, rows) if one is not None]
            middle = time.perf_counter()
            if pictures:
                encoder.encode_images(pictures)
            end = time.perf_counter()
            # On a CPU decoding and the model share the cores; an accelerator works while the CPU decodes.
            taken = end - start if on_cpu else max(middle - start, end - middle)
            rate = size / max(taken, 1e-9)
            if end - began > _SECONDS:
                break
    return rate
