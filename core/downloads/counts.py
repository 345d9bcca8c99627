"""Packs of concept counts at known addresses: size, licence and citation are stated before anything is fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from cache import keys
from core.downloads.plan import Meter, Plan, in_words
from core.errors import DownloadFailed, UnknownName
from core.frequency import imported
from core.published.fetch import announced_size, download
from core.published.manifest import Entry
from core.types import Report, silent

_REAL = "shubhamprshr27/NeglectedTailsVLM"
_REAL_COMMIT = "1ca33df119c1bfb48ae0738a7a12c6d4e65867e5"
_META = "facebookresearch/MetaCLIP"
_META_COMMIT = "f47f7841f6a91cc5676729a3d125519393d87d1e"


@dataclass(frozen=True, slots=True)
class Pack:
    """Counts that can be fetched.

    Attributes:
        name: it becomes the source ``imported:NAME``; title, citation, licence: stated first.
        base: address under which the files lie, at a pinned commit; files: with git blob id and size (0 where only the
            server tells it, see :func:`announced`), those that win where a concept is in several come first.
        method: what was counted; field: which of the counts in the files, empty for the one found by itself.
    """

    name: str
    title: str
    citation: str
    licence: str
    base: str
    files: tuple[Entry, ...]
    method: str = "text"
    field: str = ""

    @property
    def bytes(self) -> int:
        """What fetching it transfers."""
        return sum(file.size for file in self.files)

    @property
    def size(self) -> str:
        """What it weighs in words, as far as it is known without asking the server."""
        files = f"{len(self.files)} files" if len(self.files) > 1 else "one file"
        return f"{in_words(self.bytes)} in {files}" if all(file.size for file in self.files) else files

    @property
    def sentence(self) -> str:
        """All of this in words."""
        return f"{self.name}: {self.title}; {self.size}. Licence: {self.licence}. {self.citation}."


def _real(pretraining: str, label: str, files: Mapping[str, tuple[int, str]]) -> tuple[Pack, Pack]:
    """The counts of all captions that name a class, and of those that a language model took to mean it."""
    name = f"neglectedtails-{pretraining.lower()}"
    named = Pack(
        name,
        f"captions of {label} that name a class of nine image sets by any of its synonyms",
        "Parashar et al., “The Neglected Tails in Vision-Language Models”, CVPR 2024 (arXiv 2401.12425); "
        f"github.com/{_REAL}, commit {_REAL_COMMIT[:7]}",
        "none is stated in the authors' repository",
        f"https://raw.githubusercontent.com/{_REAL}/{_REAL_COMMIT}",
        tuple(Entry(f"analysis/laion/{path}", size, blob) for path, (size, blob) in files.items()),
    )
    relevant = replace(
        named,
        name=f"{name}-relevant",
        title=f"captions of {label} that name a class of eight image sets and mean it (LLaMA 2 judged a sample), the "
        "frequency in the paper",
        files=tuple(file for file in named.files if "/eurosat/" not in file.path),
        field="relevant_total",
    )
    return named, relevant


def _meta(name: str, title: str, file: str, blob: str) -> Pack:
    return Pack(
        f"metaclip-{name}",
        f"{title} that contain an entry of MetaCLIP's 500,000 (WordNet and Wikipedia, spelled as there)",
        f"Xu et al., “Demystifying CLIP Data”, ICLR 2024 (arXiv 2309.16671); github.com/{_META}, "
        f"commit {_META_COMMIT[:7]}",
        "CC BY-NC 4.0, so no commercial use",
        f"https://raw.githubusercontent.com/{_META}/{_META_COMMIT}",
        (Entry(f"metaclip/metaclip1/{file}", 0, blob),),
    )


PACKS = {
    pack.name: pack
    for pack in (
        _meta(
            "400m", "texts of the 400 million pairs that MetaCLIP's 400M models were trained on",
            "datacard_400m.json", "2676712c259385085b7f4feb8d8fe1513e3e2ee6",
        ),
        _meta(
            "1b", "texts of the one billion pairs that MetaCLIP curated from the full Common Crawl",
            "datacard_fullcc1b.json", "6afb4f21a307684f05f53c6603ae5fd165f6af2d",
        ),
        _meta(
            "2.5b", "texts of the 2.5 billion pairs that MetaCLIP's full Common Crawl models were trained on",
            "datacard_fullcc2.5b.json", "3c32e7f5b55d83e5f01f174cde21c55ae5ae6fca",
        ),
        _meta(
            "pool", "texts of the 1.6 billion pairs from which MetaCLIP's 400 million were balanced",
            "entry_counts_400m.json", "a3d56641cefee199e082d00d7b58ecb42656f1c3",
        ),
        *_real(
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
        *_real(
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


def announced(pack: Pack) -> Pack:
    """The pack with the sizes that its server announces, where they are not known without asking it.

    Raises:
        DownloadFailed: the server is not reached, tells no size, or announces more than a table of counts has.
    """
    files = tuple(
        entry if entry.size else replace(entry, size=announced_size(entry.path, _base(pack))) for entry in pack.files
    )
    for entry in files:
        if entry.size > imported.MAX_BYTES:
            raise DownloadFailed(
                f"{entry.path} is announced with {in_words(entry.size)}; no table of counts is that large."
            )
    return replace(pack, files=files)


def plan_counts(name: str, *, report: Report = silent) -> Plan:
    """Plan a pack; its server is asked only for the sizes that are not known here.

    Raises:
        UnknownName: there is no such pack. DownloadFailed: as of ``announced``.
    """
    pack = announced(find(name))

    def work(advance: Meter) -> None:
        fetch(pack, advance=advance)

    target = keys.root() / "imported" / f"{pack.name}.parquet"
    return Plan(f"counts/{pack.name}", "counts", (), pack.bytes, target, pack.sentence, work=work)


def fetch(pack: Pack, *, advance: Callable[[int], None] = lambda arrived: None) -> imported.Imported:
    """Download a pack, every file checked against its digest, and keep it as ``imported:NAME``.

    Raises:
        DownloadFailed: a file could not be reached or is another one; nothing is kept.
        UnreadableData: a file is no table of counts; nothing is kept.
    """
    pack = announced(pack)
    files = {entry.path: download(entry, _base(pack), advance=advance) for entry in pack.files}
    return imported.keep_metrics(
        files, pack.name, method=pack.method, citation=f"{pack.title}; {pack.citation}", count_column=pack.field
    )


def _base(pack: Pack) -> str:
    return os.environ.get("TAILSCOPE_COUNTS_BASE", pack.base).rstrip("/")
