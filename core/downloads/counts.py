"""Packs of concept counts at known addresses: size, licence and citation are stated before anything is fetched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from core.downloads.plan import in_words
from core.errors import UnknownName
from core.frequency import imported
from core.published.fetch import download
from core.published.manifest import Entry
from core.types import Progress, Report, silent

_REAL = "shubhamprshr27/NeglectedTailsVLM"
_REAL_COMMIT = "1ca33df119c1bfb48ae0738a7a12c6d4e65867e5"


@dataclass(frozen=True, slots=True)
class Pack:
    """Counts that can be fetched.

    Attributes:
        name: it becomes the source ``imported:NAME``; title, citation, licence: stated first.
        base: address under which the files lie, at a pinned commit; files: with size and git blob id, those that win
            where a concept is in several come first.
        method: what was counted.
    """

    name: str
    title: str
    citation: str
    licence: str
    base: str
    files: tuple[Entry, ...]
    method: str = "text"

    @property
    def sentence(self) -> str:
        """All of this in words."""
        size = f"{in_words(sum(file.size for file in self.files))} in {len(self.files)} files"
        return f"{self.name}: {self.title}; {size}. Licence: {self.licence}. {self.citation}."


def _real(pretraining: str, label: str, files: Mapping[str, tuple[int, str]]) -> Pack:
    return Pack(
        f"neglectedtails-{pretraining.lower()}",
        f"captions of {label} that name a class of nine image sets by any of its synonyms",
        "Parashar et al., “The Neglected Tails in Vision-Language Models”, CVPR 2024 (arXiv 2401.12425); "
        f"github.com/{_REAL}, commit {_REAL_COMMIT[:7]}",
        "none is stated in the authors' repository",
        f"https://raw.githubusercontent.com/{_REAL}/{_REAL_COMMIT}",
        tuple(Entry(f"analysis/laion/{path}", size, blob) for path, (size, blob) in files.items()),
    )


PACKS = {
    pack.name: pack
    for pack in (
        _real(
            "LAION2B", "LAION-2B",
            {
                "imagenet_1k/metrics-LAION2B.json": (319_761, "763207eda04078ccfded855ab25615e7ba8bc987"),
                "oxford_pets/metrics-LAION2B.json": (8_856, "c267c9b019214a3403362596d13333e637168543"),
                "food101/metrics-LAION2B.json": (27_337, "a1df6d18ca5de5d11e7837fc4ea59f3b46b86956"),
                "flowers102/metrics-LAION2B.json": (25_226, "4b5277856d2bd921545a1752d84ce25ed4e9e9ab"),
                "cub2011/metrics-LAION2B.json": (53_816, "944898ca561e53f2688c6bcdbfba48345514ba63"),
                "stanford_cars/metrics-LAION2B.json": (82_522, "8d88a95708d9273e1b81f32256e795092d313c14"),
                "fgvc_aircraft/metrics-LAION2B.json": (21_544, "e8575669ec585ae42ee0d93b31d20d77d6aa4777"),
                "dtd/metrics-LAION2B.json": (8_943, "3521bbc676998581c113de5e0e05a81c734ad4d8"),
                "eurosat/metrics-LAION2B-satellite.json": (2_113, "55b7918aa0e7b9fc2512b146052d20925b649f21"),
            },
        ),
        _real(
            "LAION400M", "LAION-400M",
            {
                "imagenet_1k/metrics-LAION400M.json": (313_700, "1c3f03558e67c5460ac66fa1d0038c15af3a8633"),
                "oxford_pets/metrics-LAION400M.json": (8_714, "2d0964e0b752e0de13c5c0a0c313166fac945a71"),
                "food101/metrics-LAION400M.json": (26_917, "63e398ba71e8a4f24b5152811b36bab7578f861f"),
                "flowers102/metrics-LAION400M.json": (24_912, "7bc6d9966bce9a6cab94d6b89f0421a5e85b443c"),
                "cub2011/metrics-LAION400M.json": (52_824, "ab2ec41b0331d26fb3bb5134d3c280ac17f31472"),
                "stanford_cars/metrics-LAION400M.json": (82_433, "7eb087833abb89a07be7d9f28e813669e9594d49"),
                "fgvc_aircraft/metrics-LAION400M.json": (21_449, "219e9447fe053b7f23425095d03bf0bf10bd07bb"),
                "dtd/metrics-LAION400M.json": (8_877, "7b0253471339fd050399b3fc434e729b8eecf70a"),
                "eurosat/metrics-LAION400M-satellite.json": (2_078, "cbfeae69f32ca026610f66098b58c9199d552489"),
            },
        ),
    )
}  # fmt: skip


def find(name: str) -> Pack:
    """A pack by name; raises UnknownName with those there are."""
    if name not in PACKS:
        raise UnknownName(f"There is no pack of counts called {name!r}; there are {', '.join(PACKS)}.")
    return PACKS[name]


def fetch(pack: Pack, *, report: Report = silent) -> imported.Imported:
    """Download a pack, every file checked against its digest, and keep it as ``imported:NAME``.

    Raises:
        DownloadFailed: a file could not be reached or is another one; nothing is kept.
    """
    base = os.environ.get("TAILSCOPE_COUNTS_BASE", pack.base).rstrip("/")
    files: dict[str, bytes] = {}
    for done, entry in enumerate(pack.files):
        report(Progress(done, len(pack.files), f"Downloading {pack.name}"))
        files[entry.path] = download(entry, base)
    return imported.keep_metrics(files, pack.name, method=pack.method, citation=f"{pack.title}; {pack.citation}")
