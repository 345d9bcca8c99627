"""Writing the two small Let It Wag! tables that Tailscope carries, from an imported release and the paper's text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cache.files import write_bytes
from core.published.letitwag import ASSETS, COLUMNS
from core.published.names import HEADLINE_METHOD, LET_IT_WAG, ZERO_SHOT
from core.published.pool import scores_of
from core.published.store import Store, open_store
from core.text.tables import csv_text

SOURCES = (
    "birdsnap", "cub", "fgvcaircraft", "flowers102", "ucf101", "cifar100", "dtd", "imagenet", "imagenet-sketch",
    "oxfordpets", "imagenet-r",
)  # fmt: skip
"""Data sets that the concepts come from; the first that has a concept, spelled exactly, gives its counts."""
ALIASES = {"stratified_texture": "stratified"}
_METHODS = {"text": "lemmatized", "image": "rampp0.7", "integrated": HEADLINE_METHOD}
_PRETRAINING = {"laion200m": "laion200m_train_test_sim_normalized"}
_FAMILY_OF_SOURCE = {
    "birdsnap": "bird", "cub": "bird", "fgvcaircraft": "aircraft", "flowers102": "flower", "ucf101": "action",
    "cifar100": "fish", "dtd": "texture",
}  # fmt: skip
_FAMILY_OF_CONCEPT = {
    "bird": "dowitcher partridge ptarmigan",
    "snake": "African_rock_python Indian_cobra eastern_diamondback_rattlesnake eastern_hog-nosed_snake green_mamba "
    "kingsnake night_snake sea_snake sidewinder_rattlesnake vine_snake water_snake worm_snake",
    "primate": "gibbon guenon langur patas_monkey",
    "fungus": "bolete earth_star_fungus gyromitra",
    "fish": "eel gar_fish",
    "invertebrate": "chiton flatworm isopod sea_cucumber",
    "insect or arachnid": "barn_spider dung_beetle",
    "food": "consomme eggnog",
    "object": "dust_jacket guillotine ladle letter_opener",
    "amphibian": "newt",
    "scene": "lakeshore",
}
"""ImageNet concepts by hand; those not named here are dogs."""
_FAMILIES = {
    "openai": "OpenAI-WIT", "yfcc15m": "YFCC-15M", "cc12m": "CC-12M", "cc3m": "CC-3M", "siglip": "WebLI",
    "datacomp": "DataComp", "dfn": "DataComp", "commonpool": "CommonPool", "laion400m": "LAION", "laion2b": "LAION",
    "metaclip400m": "MetaCLIP", "metaclip2.5b": "MetaCLIP", "synthci30m": "SynthCI-30M",
}  # fmt: skip
"""Families as the paper's scatter colours them."""
_PARAMETERS = {
    "RN50": 102.01, "RN101": 119.69, "ViT-B-16": 149.62, "ViT-B-32": 151.28, "ViT-L-14": 427.62, "ViT-L-16": 652.15,
    "SO400M": 877.36, "ViT-H-14": 986.11, "ViT-g-14": 1366.68, "ViT-bigG-14": 2539.57,
}  # fmt: skip
_PARAMETERS_OF = {("ViT-B-16", "siglip"): 203.79}
_OPEN_CLIP_IMAGENET = {
    ("RN50", "openai"): 59.82, ("RN101", "openai"): 62.28, ("ViT-B-32", "openai"): 63.32,
    ("ViT-B-16", "siglip"): 78.49, ("ViT-B-16", "openai"): 68.34, ("ViT-L-14", "openai"): 75.54,
    ("SO400M", "siglip"): 83.44, ("ViT-L-16", "siglip"): 82.07, ("ViT-B-32", "metaclip400m"): 65.58,
    ("ViT-B-32", "commonpool"): 23.04, ("ViT-B-16", "dfn"): 76.24, ("ViT-B-16", "commonpool"): 57.77,
    ("ViT-L-14", "commonpool"): 76.37, ("ViT-H-14", "dfn"): 83.44, ("ViT-B-32", "metaclip2.5b"): 67.66,
    ("ViT-B-16", "metaclip400m"): 70.80, ("ViT-B-16", "metaclip2.5b"): 72.12, ("ViT-L-14", "metaclip400m"): 76.20,
    ("ViT-L-14", "metaclip2.5b"): 79.17, ("ViT-H-14", "metaclip2.5b"): 80.51,
}  # fmt: skip
"""ImageNet accuracies that the authors' notebook (let_it_wag_eval.ipynb) copies from open_clip's results table."""
_NOTES = {
    ("ViT-B-32", "laion400m"): (
        "Suspected configuration slip: this checkpoint was trained with QuickGELU; open_clip reports 62.94 % on "
        "ImageNet for ViT-B-32-quickgelu,laion400m_e32, against 60.24 % here, as if run under the GELU configuration."
    )
}


def write_assets(folder: Path = ASSETS, store: Store | None = None) -> None:
    """Write ``letitwag_concepts.csv`` and ``letitwag_models.csv``."""
    store = store or open_store()
    table = scores_of(store, LET_IT_WAG, "ensemble")
    units = [unit for unit, dataset in enumerate(store.dataset) if dataset == LET_IT_WAG]
    units.sort(key=lambda unit: store.concept[unit])
    _write_concepts(folder / "letitwag_concepts.csv", store, units, table)
    _write_models(folder / "letitwag_models.csv", store, units, table)


def _write_concepts(path: Path, store: Store, units: list[int], table: Mapping[tuple[str, str], np.ndarray]) -> None:
    counts = _counts(store)
    rows = []
    for unit in units:
        key = store.concept[unit]
        name = ALIASES.get(key, key)
        source = next(s for s in SOURCES if any((s, name) in column for column in counts.values()))
        row = [next(column[s, name] for s in SOURCES if (s, name) in column) for column in counts.values()]
        mean = sum(values[unit] for values in table.values()) / len(table)
        rows.append((key, _family(key, source), source, *row, f"{mean:.4f}"))
    write_bytes(path, csv_text(("concept", "family", "source", *COLUMNS, "mean_accuracy"), rows).encode())


def _counts(store: Store) -> dict[str, dict[tuple[str, str], int]]:
    """Column -> (data set, concept with underscores) -> count."""
    result = {}
    for column in COLUMNS:
        pretraining, kind = column.split("/")
        rows = store.rows(
            "SELECT dataset, replace(concept, ' ', '_'), count FROM counts JOIN units USING (unit) "
            "WHERE pretraining = ? AND method = ?",
            [_PRETRAINING.get(pretraining, pretraining), _METHODS[kind]],
        )
        result[column] = {(dataset, concept): count for dataset, concept, count in rows}
    return result


def _family(key: str, source: str) -> str:
    named = next((family for family, keys in _FAMILY_OF_CONCEPT.items() if key in keys.split()), None)
    return named or _FAMILY_OF_SOURCE.get(source, "dog")


def _write_models(path: Path, store: Store, units: list[int], table: Mapping[tuple[str, str], np.ndarray]) -> None:
    totals = "SELECT model, pretraining, score FROM totals WHERE family = ? AND dataset = ? AND condition = 'ensemble'"
    tail = {(m, p): full for m, p, full in store.rows(totals, [LET_IT_WAG, "letitwag"])}
    imagenet = {(m, p): full for m, p, full in store.rows(totals, [ZERO_SHOT, "imagenet"])}
    rows = []
    for model, pretraining in sorted(tail, key=lambda key: -tail[key]):
        key = (model, pretraining)
        values = table[key][units]
        copied = key in _OPEN_CLIP_IMAGENET
        rows.append(
            (
                model, pretraining, _FAMILIES[pretraining], _PARAMETERS_OF.get(key, _PARAMETERS.get(model, "")),
                _OPEN_CLIP_IMAGENET[key] if copied else imagenet[key], "open_clip" if copied else "release",
                repr(tail[key]), int((values == 0).sum()), int((values < 10).sum()), _NOTES.get(key, ""),
            )
        )  # fmt: skip
    header = (
        "model", "pretraining", "family", "parameters_millions", "imagenet", "imagenet_source", "letitwag",
        "classes_at_zero", "classes_below_ten", "note",
    )  # fmt: skip
    write_bytes(path, csv_text(header, rows).encode())


if __name__ == "__main__":
    write_assets()
