"""The release's own class descriptions: what GPT-4 wrote of every class, with which RAM++ tagged images.

Per class "a photo of a NAME." and five questions with ten answers each (51 sentences; 12 templates for ImageNet-R, 26
to 30 sketches for ImageNet-Sketch). The files (29 MB without the largest six) are not part of Tailscope: one is fetched
by name, checked against its git blob id at the pinned commit, and is then a prompt file like any other.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from cache.files import write_bytes
from core.errors import DownloadFailed, UnknownName
from core.faults import require_space
from core.paths import ASSETS
from core.prompts import files
from core.published import manifest
from core.published.fetch import announced_size, base, download, target
from core.published.manifest import Entry

LIST = ASSETS / "published" / "descriptions.csv"
"""Path, bytes (0 where only the server tells them) and git blob id of every file, from the release's tree."""
MAX_BYTES = 64 * 2**20
_SUFFIX = "_descriptions.json"


@cache
def known() -> dict[str, Entry]:
    """Data set, as the release calls it -> its file."""
    return {Path(one.path).name.removesuffix(_SUFFIX).removesuffix(".json"): one for one in manifest.read(LIST)}


def find(dataset: str) -> Entry:
    """The file of a data set; raises UnknownName with those there are."""
    if dataset not in known():
        raise UnknownName(f"The release has no descriptions of {dataset!r}; there are {', '.join(known())}.")
    return known()[dataset]


def title(dataset: str) -> str:
    """What the file holds."""
    return f"Descriptions of the classes of {dataset} by GPT-4"


def announced(dataset: str) -> Entry:
    """The file with its size, asked of the server where the list does not know it.

    Raises:
        UnknownName: no such file.
        DownloadFailed: the server is not reached, tells no size, or announces more than a prompt file has.
    """
    entry = find(dataset)
    entry = entry if entry.size else replace(entry, size=announced_size(entry.path, base()))
    if entry.size > MAX_BYTES:
        raise DownloadFailed(f"{entry.path} is announced with {entry.size:,} bytes; no prompt file is that large.")
    return entry


def fetch(entry: Entry) -> Path:
    """Download one file, unless it is here, and return its path once it reads as a prompt file.

    Raises:
        DownloadFailed: it could not be reached or is another file; nothing is kept.
        UnreadableData: it is no prompt file.
    """
    path = target() / entry.path
    if not (path.is_file() and manifest.blob_id(path.read_bytes()) == entry.blob):
        require_space(target(), entry.size, "Fetching descriptions")
        content = download(entry, base())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    files.read_lists(path)
    return path
