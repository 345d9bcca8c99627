"""open_clip's own tables of architectures and released weights, read without importing it twice.

Importing open_clip takes seconds, so what it knows is kept as JSON in the cache folder, per open_clip version.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from cache import keys
from cache.files import write_bytes
from core.versions import version

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model configuration that ships with open_clip.

    Attributes:
        quick_gelu: the towers use QuickGELU instead of GELU.
        tokenizer: hub repository of its Hugging Face tokenizer, empty for open_clip's own.
        text_model: hub repository of the configuration of its Hugging Face text tower, empty for open_clip's own.
    """

    name: str
    quick_gelu: bool
    tokenizer: str
    text_model: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One released checkpoint of an architecture.

    Attributes:
        repo, filename: where it is on the hub; an empty file name stands for open_clip's default names.
        url: where it is outside the hub, empty for nowhere.
        quick_gelu: the weights were trained with QuickGELU.
    """

    arch: str
    tag: str
    repo: str
    filename: str
    url: str
    quick_gelu: bool


@dataclass(frozen=True, slots=True)
class Table:
    """What one version of open_clip knows."""

    architectures: dict[str, Architecture]
    pairs: dict[tuple[str, str], Pair]


def file_name() -> str:
    """Under which name the tables of the installed open_clip are kept in the cache folder."""
    return f"open_clip-{version('open_clip_torch')}-{_SCHEMA}.json"


@cache
def table() -> Table:
    """The tables of the installed open_clip: from the cache folder, else from open_clip itself (a few seconds)."""
    path = keys.root() / file_name()
    try:
        stored = keys.unsealed(path.read_bytes(), name=path.name)
        return _build(stored)
    except (OSError, ValueError, TypeError, KeyError):
        known = _read_open_clip()
    with suppress(OSError):  # read again next time
        write_bytes(path, keys.sealed(known, name=path.name))
    return _build(known)


def _build(known: dict[str, list[dict[str, Any]]]) -> Table:
    architectures = [Architecture(**record) for record in known["architectures"]]
    pairs = [Pair(**record) for record in known["pairs"]]
    return Table({arch.name: arch for arch in architectures}, {(pair.arch, pair.tag): pair for pair in pairs})


def _read_open_clip() -> dict[str, list[dict[str, Any]]]:
    import open_clip

    architectures = []
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        text = config["text_cfg"]
        architectures.append(
            Architecture(
                name,
                bool(config.get("quick_gelu")),
                text.get("hf_tokenizer_name") or "",
                text.get("hf_model_name") or "",
            )
        )
    pairs = []
    for arch, tag in open_clip.list_pretrained():
        released = open_clip.get_pretrained_cfg(arch, tag)
        repo, _, filename = released.get("hf_hub", "").rpartition("/")
        pairs.append(Pair(arch, tag, repo, filename, released.get("url", ""), bool(released.get("quick_gelu"))))
    return {"architectures": [asdict(arch) for arch in architectures], "pairs": [asdict(pair) for pair in pairs]}
