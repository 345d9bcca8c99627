"""The released models under open_clip's names: which weights the release ran, and what else they are called.

An id is open_clip's where it releases the same weights, else the authors' pair (``RN50,cc3m``). The authors' pair is
an alias everywhere, with or without ``-quickgelu``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from core.models.names import typed_pair
from core.published.names import LET_IT_WAG, ZERO_SHOT
from core.published.store import Store, open_store

QUICKGELU = "-quickgelu"
_SLIP = "Weights from the SLIP repository, which open_clip does not release."
_IDS = {
    ("RN50", "cc12m"): ("RN50-quickgelu,cc12m",),
    ("RN50", "yfcc15m"): ("RN50-quickgelu,yfcc15m",),
    ("RN101", "yfcc15m"): ("RN101-quickgelu,yfcc15m",),
    ("ViT-B-32", "laion400m"): ("ViT-B-32,laion400m_e32",),
    ("ViT-B-16", "laion400m"): ("ViT-B-16,laion400m_e32",),
    ("ViT-L-14", "laion400m"): ("ViT-L-14,laion400m_e32",),
    ("ViT-B-32", "laion2b"): ("ViT-B-32,laion2b_s34b_b79k",),
    ("ViT-B-16", "laion2b"): ("ViT-B-16,laion2b_s34b_b88k",),
    ("ViT-L-14", "laion2b"): ("ViT-L-14,laion2b_s32b_b82k",),
    ("ViT-H-14", "laion2b"): ("ViT-H-14,laion2b_s32b_b79k",),
    ("ViT-g-14", "laion2b"): ("ViT-g-14,laion2b_s34b_b88k",),
    ("ViT-bigG-14", "laion2b"): ("ViT-bigG-14,laion2b_s39b_b160k",),
    ("ViT-B-32", "datacomp"): ("ViT-B-32,datacomp_xl_s13b_b90k",),
    ("ViT-B-16", "datacomp"): ("ViT-B-16,datacomp_xl_s13b_b90k",),
    ("ViT-L-14", "datacomp"): ("ViT-L-14,datacomp_xl_s13b_b90k",),
    ("RN50", "openai"): ("RN50-quickgelu,openai",),
    ("RN101", "openai"): ("RN101-quickgelu,openai",),
    ("ViT-B-32", "openai"): ("ViT-B-32-quickgelu,openai",),
    ("ViT-B-16", "openai"): ("ViT-B-16-quickgelu,openai",),
    ("ViT-L-14", "openai"): ("ViT-L-14-quickgelu,openai",),
    ("ViT-B-32", "metaclip400m"): ("ViT-B-32-quickgelu,metaclip_400m",),
    ("ViT-B-16", "metaclip400m"): ("ViT-B-16-quickgelu,metaclip_400m",),
    ("ViT-L-14", "metaclip400m"): ("ViT-L-14-quickgelu,metaclip_400m",),
    ("ViT-B-32", "metaclip2.5b"): ("ViT-B-32-quickgelu,metaclip_fullcc",),
    ("ViT-B-16", "metaclip2.5b"): ("ViT-B-16-quickgelu,metaclip_fullcc",),
    ("ViT-L-14", "metaclip2.5b"): ("ViT-L-14-quickgelu,metaclip_fullcc",),
    ("ViT-H-14", "metaclip2.5b"): ("ViT-H-14-quickgelu,metaclip_fullcc",),
    ("ViT-B-16", "dfn"): ("ViT-B-16,dfn2b",),
    ("ViT-H-14", "dfn"): ("ViT-H-14-quickgelu,dfn5b",),
    ("ViT-B-32", "commonpool"): ("ViT-B-32,commonpool_m_laion_s128m_b4k",),
    ("ViT-B-16", "commonpool"): ("ViT-B-16,commonpool_l_clip_s1b_b8k",),
    ("ViT-L-14", "commonpool"): ("ViT-L-14,commonpool_xl_clip_s13b_b90k",),
    ("ViT-B-16", "siglip"): ("ViT-B-16-SigLIP-384,webli",),
    ("ViT-L-16", "siglip"): ("ViT-L-16-SigLIP-384,webli",),
}
"""(backbone, pretraining) of the release -> open_clip's ids, found by architecture and ImageNet accuracy."""
_NOTES = {
    ("RN50", "cc3m"): "Weights from CyCLIP, which open_clip does not release.",
    ("RN50", "cc12m"): (
        "The release ran thaottn/OpenCLIP-resnet50-CC12M (33.1 % on ImageNet with 80 templates), another training run "
        "than the weights that open_clip calls cc12m (36.5 %)."
    ),
    ("RN50", "yfcc15m"): (
        "The release ran thaottn/OpenCLIP-resnet50-YFCC15M, another training run than open_clip's yfcc15m."
    ),
    ("RN101", "yfcc15m"): "The release ran these weights without QuickGELU.",
    ("ViT-B-16", "cc3m"): _SLIP,
    ("ViT-B-16", "cc12m"): _SLIP,
    ("ViT-B-16", "yfcc15m"): _SLIP,
    ("ViT-B-32", "laion400m"): (
        "The release ran these weights without QuickGELU (60.2 % on ImageNet); with it open_clip reports 62.9 %."
    ),
    ("ViT-B-16", "synthci30m"): "Weights from SynthCLIP, which open_clip does not release.",
    ("ViT-B-32", "laion200m_train_test_sim_normalized"): "Weights from Mayilvahanan et al., not released by open_clip.",
    ("SO400M", "siglip"): "The release does not say which resolution of SigLIP it ran.",
}


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One model of the release.

    Attributes:
        backbone, pretraining: as the release spells them; id: open_clip's, else the authors' pair.
        families: families with per-class scores (``zero-shot``, ``letitwag``); note: which weights they are of.
    """

    backbone: str
    pretraining: str
    id: str
    families: tuple[str, ...]
    note: str


def published_models(store: Store | None = None) -> tuple[PublishedModel, ...]:
    """Every model with per-class scores, in the release's order; zero-shot ones first."""
    return _models(store or open_store())


@cache
def _models(store: Store) -> tuple[PublishedModel, ...]:
    rows = store.rows("SELECT DISTINCT family, model, pretraining, min(rowid) AS r FROM totals GROUP BY ALL ORDER BY r")
    families: dict[tuple[str, str], list[str]] = {}
    for family, backbone, pretraining, _ in rows:
        if family in (ZERO_SHOT, LET_IT_WAG):
            families.setdefault((backbone, pretraining), []).append(family)
    return tuple(
        PublishedModel(*key, _IDS.get(key, (",".join(key),))[0], tuple(dict.fromkeys(found)), _NOTES.get(key, ""))
        for key, found in families.items()
    )


def find_model(text: str, store: Store | None = None) -> PublishedModel | None:
    """The released model of this id or alias, or None."""
    return _aliases(store or open_store()).get(_plain(text))


@cache
def _aliases(store: Store) -> dict[str, PublishedModel]:
    found: dict[str, PublishedModel] = {}
    for model in _models(store):
        for name in (*_IDS.get((model.backbone, model.pretraining), ()), f"{model.backbone},{model.pretraining}"):
            arch, _, pretrained = name.partition(",")
            bare = arch.removesuffix(QUICKGELU)
            for spelled in (name, f"{bare},{pretrained}", f"{bare}{QUICKGELU},{pretrained}"):
                found.setdefault(_plain(spelled), model)
    return found


def _plain(text: str) -> str:
    """Without case and prefix, one spelling of every pair."""
    arch, tag = typed_pair(text)
    return f"{arch.casefold()},{tag.casefold().replace('-', '_')}"
