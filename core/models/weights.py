"""Where the files of a model are: on the hub, and on this disk. Never asks the network, never imports torch."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cache import keys
from core.errors import UnreadableData
from core.models.open_clip_table import Pair, table

CONFIG = "open_clip_config.json"
CONFIG_OF_TEXT_MODEL = "config.json"
DEFAULT_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
# open_clip's own order of preference in a folder; after these, any file of these kinds.
_FOLDER_NAMES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.txt",
    "vocab.json",
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's files can be fetched.

    Attributes:
        repo: hub repository, empty for none.
        filenames: weights in this repository, best first: one of them is enough.
        config: file of this repository that is needed too, empty for none.
        url: the weights outside the hub, empty for nowhere.
        tokenizer: hub repository whose tokenizer files are needed, empty for none.
        text_model: hub repository whose ``config.json`` is needed, empty for none.
    """

    repo: str
    filenames: tuple[str, ...]
    config: str = ""
    url: str = ""
    tokenizer: str = ""
    text_model: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A model's files on this disk.

    Attributes:
        weights: the checkpoint file.
        folder: the folder with ``open_clip_config.json``; None for an architecture that open_clip ships.
        tokenizer: folder of Hugging Face tokenizer files when those are somewhere else; None otherwise.
        text_model: folder of a Hugging Face text configuration; None otherwise.
    """

    weights: Path
    folder: Path | None = None
    tokenizer: Path | None = None
    text_model: Path | None = None


def pair_source(pair: Pair) -> Source:
    """Where the files of a released pair can be fetched."""
    arch = table().architectures[pair.arch]
    # OpenAI's own files are TorchScript archives, which cannot be opened without running what is in them.
    url = "" if "openaipublic" in pair.url else pair.url
    return Source(pair.repo, _with_safe_name(pair.filename), "", url, arch.tokenizer, arch.text_model)


def hub_source(repo: str) -> Source:
    """Where the files of an ``hf-hub:`` model can be fetched; tokenizer files may be in the same repository."""
    folder = hub_file(repo, CONFIG)
    tokenizer, text_model = _needs(folder) if folder else ("", "")
    return Source(repo, DEFAULT_NAMES, CONFIG, "", tokenizer, text_model)


def find(source: Source) -> Found | None:
    """The files of this source on this disk, or None while any of them is missing."""
    weights = next(_candidates(source), None)
    config = hub_file(source.repo, source.config) if source.config else None
    tokenizer = tokenizer_folder(source.tokenizer) if source.tokenizer else None
    text_model = hub_file(source.text_model, CONFIG_OF_TEXT_MODEL) if source.text_model else None
    if weights is None or any(
        wanted and not found
        for wanted, found in (
            (source.config, config),
            (source.tokenizer, tokenizer),
            (source.text_model, text_model),
        )
    ):
        return None
    return Found(weights, config and config.parent, tokenizer, text_model and text_model.parent)


def find_in_folder(folder: Path) -> Found:
    """The files of a ``local-dir:`` model.

    Raises:
        UnreadableData: with what is missing.
    """
    if not folder.is_dir():
        raise UnreadableData(f"There is no folder {folder}; local-dir: takes a folder with {CONFIG} and weights.")
    config = folder / CONFIG
    if not config.is_file():
        raise UnreadableData(f"{folder} holds no {CONFIG}; save the model in open_clip's folder layout.")
    names = sorted(path.name for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".pth"))
    names.sort(key=lambda name: not name.endswith(".safetensors"))
    chosen = next((name for name in _FOLDER_NAMES if name in names), None) or next(iter(names), None)
    if chosen is None:
        raise UnreadableData(f"{folder} holds a configuration but no weights (.safetensors, .bin or .pth).")
    tokenizer, text_model = _needs(config)
    own_text_model = text_model and (folder / CONFIG_OF_TEXT_MODEL).is_file()
    return Found(
        folder / chosen,
        folder,
        folder if tokenizer else None,
        folder if own_text_model else text_model_folder(text_model) if text_model else None,
    )


def hub_file(repo: str, filename: str) -> Path | None:
    """A file of a hub repository (its main revision) in huggingface_hub's cache, or None."""
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(repo, filename, cache_dir=constants.HF_HUB_CACHE)
    except HFValidationError:
        return None
    return Path(path) if isinstance(path, str) else None


def sha256(path: Path) -> str:
    """SHA-256 of a weights file, 64 hex characters; computed once and remembered by path, size and time of change."""
    real = path.resolve()
    status = real.stat()
    state = [str(real), status.st_size, status.st_mtime_ns]
    memory = keys.root() / "weights" / f"{keys.digest(state)}.txt"
    try:
        known = memory.read_text(encoding="ascii")
        if len(known) == 64 and int(known, 16) >= 0:
            return known
    except (OSError, ValueError):
        pass
    found = keys.file_digest(real)
    memory.parent.mkdir(mode=0o700, exist_ok=True)
    partial = memory.with_suffix(f".{os.getpid()}.tmp")
    partial.write_text(found, encoding="ascii")
    os.replace(partial, memory)
    return found


def _candidates(source: Source) -> Iterator[Path]:
    for filename in source.filenames if source.repo else ():
        if path := hub_file(source.repo, filename):
            yield path
    if source.url:
        # Where open_clip itself keeps what it downloads by URL.
        path = Path("~/.cache/clip").expanduser() / os.path.basename(source.url)
        if path.is_file():
            yield path


def _with_safe_name(filename: str) -> tuple[str, ...]:
    if not filename:
        return DEFAULT_NAMES
    stem, suffix = os.path.splitext(filename)
    return (f"{stem}.safetensors", filename) if suffix in (".bin", ".pth") else (filename,)


def text_model_folder(repo: str) -> Path | None:
    """Folder with the configuration of a Hugging Face text tower on this disk, or None."""
    path = hub_file(repo, CONFIG_OF_TEXT_MODEL)
    return path and path.parent


def tokenizer_folder(repo: str) -> Path | None:
    """Folder of a Hugging Face tokenizer's files on this disk, or None."""
    return next((path.parent for name in _TOKENIZER_FILES if (path := hub_file(repo, name))), None)


def _needs(config: Path) -> tuple[str, str]:
    """Names of the Hugging Face tokenizer and text tower that a folder's configuration asks for."""
    try:
        text = json.loads(config.read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
        return text.get("hf_tokenizer_name") or "", text.get("hf_model_name") or ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableData(f"{config} is not an open_clip configuration ({error!r}).") from error
