"""A small release in the grammar of the real one, with its oddities, and the notebooks' loop to check against."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy import stats

from core.published.names import RETRIEVAL_METRICS, ZERO_SHOT_SETS

MODELS = {
    "cc3m": ("RN50", "ViT-B-16"),
    "laion400m": ("ViT-L-14",),
    "synthci30m": ("ViT-B-16",),
    "laion2b": ("ViT-H-14",),
}
COUNTED = ("cc3m", "laion400m", "synthci30m")
ALL_METHODS = ("lemmatized", "rampp0.7", "integrated_tlemmatized_i0.7")
T2I_MODELS = ("adobe_giga-gan", "craiyon_dalle-mini")
CLASSES = 14
SLICES = {"cc3m": slice(1, -1), "laion400m": slice(2, -1), "synthci30m": slice(0, -4)}


def write(root: Path, *, seed: int = 0) -> Path:
    """Write the release and return its folder."""
    rng = np.random.default_rng(seed)
    for dataset in (*ZERO_SHOT_SETS, "imagenet-r"):
        _zero_shot(root, dataset, rng)
    for dataset in ("coco", "flickr"):
        _retrieval(root, dataset, rng)
    _text_to_image(root, rng)
    _counts(root, "imagenet", "cc3m", "lowercased", ["a only"], rng)
    rates = {"misalignment_counts": 1000}
    for words, rate in (("extracted", 0.25), ("fixed conservative", 0.2)):
        rates[f"misalignment_degree (percent); {words} dataset size"] = rate
    _json(root / "misalignment_metrics" / "cc3m_misalignment_degree.json", rates)
    (root / "README.md").write_text("not a data file")
    return root


def _zero_shot(root: Path, dataset: str, rng: np.random.Generator) -> None:
    origin = "imagenet" if dataset == "imagenet-sketch" else dataset
    names = [f"{origin} {index:02d}" for index in range(CLASSES)]
    counted = [*names[:-1], "airplane"] if dataset == "cifar10" else names
    for pretraining in COUNTED:
        for method in ALL_METHODS:
            if method != "lemmatized" or dataset != "imagenet-sketch" or pretraining == "laion400m":
                spelled = (
                    [n.replace(" ", "_") for n in counted]
                    if (dataset, method) == ("imagenet-r", "lemmatized")
                    else counted
                )
                _counts(root, dataset, pretraining, method, spelled, rng)
    scored = [*names[:-1], "plane"] if dataset == "cifar10" else names
    if dataset == "imagenet-r":
        scored = [name.replace(" ", "_") for name in names]
    for prompts in ("class", "simple", "ensemble"):
        _results(root / "zero_shot_evaluations" / f"{dataset}_{prompts}_results.json", scored, "classwise", 100, rng)


def _retrieval(root: Path, dataset: str, rng: np.random.Generator) -> None:
    names = [f"thing {index:02d}" for index in range(40)]
    for pretraining in COUNTED:
        for method in ALL_METHODS:
            extra = [""] if dataset == "coco" and method == "rampp0.7" else []
            _counts(root, dataset, pretraining, method, names + extra, rng)
    for metric in RETRIEVAL_METRICS:
        path = root / "retrieval_evaluations" / f"{dataset}_{metric}_results.json"
        _results(path, [*names, ""] if dataset == "coco" else names, "conceptwise", 1, rng)


def _text_to_image(root: Path, rng: np.random.Generator) -> None:
    names = [f"prompt {index:02d}" for index in range(30)]
    for method in ALL_METHODS:
        _counts(root, "t2i", "laion_aesthetics", method, [*names[:-1], "counted only"], rng)
    for metric in ("human_align", "exp_lpips"):
        table = {
            model: {"full": 1.0, "classwise": {name: rng.uniform(-1, 5, rng.integers(1, 4)).tolist() for name in names}}
            for model in T2I_MODELS
        }
        _json(root / "t2i_evaluations" / f"t2i_{metric}.json", table)


def _counts(
    root: Path, dataset: str, pretraining: str, method: str, names: list[str], rng: np.random.Generator
) -> None:
    counts = np.where(rng.random(len(names)) < 0.3, 0, np.exp(rng.normal(5, 3, len(names)))).astype(int)
    table = {name: int(count) for name, count in zip(names, counts, strict=True)}
    _json(root / "search_counts" / f"{dataset}_{pretraining}_{method}_search_counts.json", table)


def _results(path: Path, names: list[str], inner: str, top: int, rng: np.random.Generator) -> None:
    table = {}
    for pretraining, models in MODELS.items():
        for model in models:
            values = rng.uniform(0, top, len(names)).tolist()
            key = f"backbone{model}_pretrained{pretraining}"
            table[key] = {"full": values[0], inner: dict(zip(names, values, strict=True))}
    _json(path, table)


def _json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def load(path: Path) -> dict:
    """One JSON file."""
    return json.loads(path.read_text())


def notebook(root: Path, record: dict) -> dict:
    """The released notebooks' loop for the combination that a record names: edges, means, r, p."""
    family, pretraining, method = record["family"], record["pretraining"], record["method"]
    counts, accuracies = [], []
    for dataset in record["datasets"]:
        table = load(root / "search_counts" / f"{dataset}_{pretraining}_{method}_search_counts.json")
        if family == "text-to-image":
            results = load(root / "t2i_evaluations" / f"t2i_{record['metric']}.json")[record["model"]]["classwise"]
            results = {name: np.mean(scores) for name, scores in results.items()}
        else:
            zero_shot = family == "zero-shot"
            folder, kind = ("zero_shot_evaluations", "prompts") if zero_shot else ("retrieval_evaluations", "metric")
            found = load(root / folder / f"{dataset}_{record[kind]}_results.json")
            model = found[f"backbone{record['model']}_pretrained{pretraining}"]
            results = dict(model["classwise" if zero_shot else "conceptwise"])
            if dataset == "cifar10":
                results["airplane"] = results.pop("plane")
        for key in sorted(set(table) & set(results)) if family == "text-to-image" else sorted(table):
            counts.append(table[key])
            accuracies.append(results[key])
    edges = 12 if family == "zero-shot" else 7
    x = np.log([count if count > 0 else 1 for count in counts])
    bins = np.linspace(min(x), max(x), num=edges)
    assigned = np.digitize(x, bins, right=True)
    means = np.zeros(edges)
    for index in range(edges):
        inside = [value for value, place in zip(accuracies, assigned, strict=True) if place == index]
        means[index] = np.mean(inside) if inside else 0
    cut = SLICES.get(pretraining, slice(1, -1)) if family == "zero-shot" else slice(3, None)
    r, p = stats.pearsonr(np.log(np.exp(bins))[cut], means[cut])
    return {"n_rows": len(counts), "n_zero": counts.count(0), "edges": np.exp(bins), "bin_mean": means, "r": r, "p": p}
