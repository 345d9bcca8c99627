"""What the release calls things: families of files, pretraining sets, search methods, models, data sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["zero-shot", "retrieval", "text-to-image"]

ZERO_SHOT: Final = "zero-shot"
RETRIEVAL: Final = "retrieval"
TEXT_TO_IMAGE: Final = "text-to-image"
FAMILIES: tuple[Family, ...] = (ZERO_SHOT, RETRIEVAL, TEXT_TO_IMAGE)
FAMILY_ALIASES = {"zeroshot": ZERO_SHOT, "zs": ZERO_SHOT, "t2i": TEXT_TO_IMAGE}
LET_IT_WAG = "letitwag"

PRETRAINING = {
    "cc3m": "CC-3M",
    "cc12m": "CC-12M",
    "yfcc15m": "YFCC-15M",
    "laion400m": "LAION-400M",
    "laion_aesthetics": "LAION-Aesthetics",
    "laion200m_train_test_sim_normalized": "LAION-200M, pruned of images similar to the tests",
    "synthci30m": "SynthCI-30M",
}
METHODS = {
    "integrated_tlemmatized_i0.7": "text and image (RAM++ 0.7)",
    "integrated_tlemmatized_i0.6": "text and image (RAM++ 0.6)",
    "integrated_tlemmatized_i0.5": "text and image (RAM++ 0.5)",
    "lemmatized": "text, lemmatised",
    "lowercased": "text, lower case only",
    "rampp0.7": "image (RAM++ 0.7)",
    "rampp0.65": "image (RAM++ 0.65)",
    "rampp0.6": "image (RAM++ 0.6)",
    "rampp0.55": "image (RAM++ 0.55)",
    "rampp0.5": "image (RAM++ 0.5)",
}
HEADLINE_METHOD = "integrated_tlemmatized_i0.7"
PROMPTS = ("class", "simple", "ensemble")
RETRIEVAL_METRICS = tuple(f"{way}_k={k}" for way in ("i2t", "t2i") for k in (1, 5, 10))
T2I_METRICS = (
    "exp_aesthetics", "exp_clip", "exp_lpips", "exp_psnr", "exp_ssim", "exp_uiqi",
    "human_aesthetics", "human_align", "max_aesthetics", "max_clip",
)  # fmt: skip
METRIC_WORDS = {
    **{f"{way}_k={k}": f"{words}, recall@{k}"
       for way, words in (("i2t", "image to text"), ("t2i", "text to image")) for k in (1, 5, 10)},
    "exp_aesthetics": "expected aesthetics", "exp_clip": "expected CLIPScore", "exp_lpips": "expected LPIPS",
    "exp_psnr": "expected PSNR", "exp_ssim": "expected SSIM", "exp_uiqi": "expected UIQI",
    "human_aesthetics": "human-rated aesthetics", "human_align": "human-rated alignment",
    "max_aesthetics": "best aesthetics", "max_clip": "best CLIPScore",
}  # fmt: skip
"""Metrics of retrieval and of text-to-image models in words."""
SKETCH = "imagenet-sketch"
ZERO_SHOT_SETS = (
    "imagenet", "cifar10", "cifar100", "caltech101", "caltech256", "sun397", "birdsnap", "country211", "cub", "dtd",
    "eurosat", "fgvcaircraft", "flowers102", "food101", SKETCH, "oxfordpets", "stanfordcars", "ucf101",
)  # fmt: skip
RETRIEVAL_SETS = ("coco", "flickr")
T2I_SETS = ("t2i",)
MORE_SETS = ("imagenet-r",)
"""Zero-shot sets that the release scores and counts but that its figures leave out."""

_COUNTS = re.compile(
    r"([a-z0-9\-]+?)_("
    + "|".join(PRETRAINING)
    + r")_(lemmatized|lowercased|rampp[0-9.]+|integrated_tlemmatized_i[0-9.]+)"
    r"_search_counts\.json"
)
_ZERO_SHOT = re.compile(r"([a-z0-9\-]+)_(class|simple|ensemble)_results\.json")
_RETRIEVAL = re.compile(r"(coco|flickr)_((?:i2t|t2i)_k=(?:1|5|10))_results\.json")
_T2I = re.compile(r"t2i_([a-z]+_[a-z]+)\.json")
_MISALIGNMENT = re.compile(r"([a-z0-9_]+)_misalignment_degree\.json")
_MODEL = re.compile(r"backbone(.+)_pretrained(.+)")


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file's place in the release says it holds.

    Attributes:
        kind: ``counts``, ``zero-shot``, ``retrieval``, ``text-to-image``, ``letitwag`` or ``misalignment``.
        dataset: downstream data set (``t2i`` for text-to-image), empty for misalignment.
        pretraining, method: of count and misalignment files, else empty.
        condition: prompt strategy or metric of result files, else empty.
    """

    kind: str
    dataset: str = ""
    pretraining: str = ""
    method: str = ""
    condition: str = ""


def parse_path(path: str) -> FileName | None:
    """What the file at this path (relative to the release) holds, or None when it is not one that is used."""
    folder, _, name = path.rpartition("/")
    if folder == "search_counts" and (match := _COUNTS.fullmatch(name)):
        return FileName("counts", dataset=match[1], pretraining=match[2], method=match[3])
    if folder == "zero_shot_evaluations" and (match := _ZERO_SHOT.fullmatch(name)):
        return FileName(ZERO_SHOT, dataset=match[1], condition=match[2])
    if folder == "retrieval_evaluations" and (match := _RETRIEVAL.fullmatch(name)):
        return FileName(RETRIEVAL, dataset=match[1], condition=match[2])
    if folder == "t2i_evaluations" and (match := _T2I.fullmatch(name)):
        return FileName(TEXT_TO_IMAGE, dataset="t2i", condition=match[1])
    if path == "let_it_wag_datasets/evaluations/let_it_wag_ensemble_results.json":
        return FileName(LET_IT_WAG, dataset="letitwag", condition="ensemble")
    if folder == "misalignment_metrics" and (match := _MISALIGNMENT.fullmatch(name)):
        return FileName("misalignment", pretraining=match[1])
    return None


def split_model(key: str) -> tuple[str, str]:
    """Backbone and pretraining set of a model key; text-to-image models have no pretraining set in theirs."""
    match = _MODEL.fullmatch(key)
    return (match[1], match[2]) if match else (key, "")


def is_text(method: str) -> bool:
    """Whether a search method looked at captions alone."""
    return method in ("lemmatized", "lowercased")


def kind_of_method(method: str) -> str:
    """``text``, ``image`` or ``integrated``, as a frequency table calls the columns."""
    if is_text(method):
        return "text"
    return "integrated" if method.startswith("integrated") else "image"


def threshold_of(method: str) -> float | None:
    """The RAM++ score that a search method asks of an image; None for searches of captions alone."""
    return None if is_text(method) else float(re.split("rampp|_i", method)[-1])


def default_sets(family: str, method: str) -> tuple[str, ...]:
    """The data sets that the release's figures pool: text methods leave ImageNet-Sketch out of the zero-shot ones."""
    if family == RETRIEVAL:
        return RETRIEVAL_SETS
    if family == TEXT_TO_IMAGE:
        return T2I_SETS
    return tuple(name for name in ZERO_SHOT_SETS if name != SKETCH or not is_text(method))
