"""Where the files of a model are: on the hub, and on this disk. Never asks the network, never imports torch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache import keys
from cache.files import remembered_digest
from core.errors import UnreadableData
from core.models import model_config
from core.models.hf_files import CONFIG as CONFIG_OF_TEXT_MODEL
from core.models.hf_files import TOKENIZER_FILES, VOCABULARIES
from core.models.open_clip_table import Pair, table
from core.opening import regular

CONFIG = "open_clip_config.json"
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
    file = hub_file(repo, CONFIG)
    needs = model_config.read(file) if file else None
    return Source(repo, DEFAULT_NAMES, CONFIG, "", needs.tokenizer if needs else "", needs.text_model if needs else "")


def folder_source(folder: Path) -> Source:
    """What a ``local-dir:`` model's configuration needs from the hub beside its own files."""
    needs, found = model_config.read(folder / CONFIG), find_in_folder(folder)
    tokenizer = "" if found.tokenizer == folder else needs.tokenizer
    return Source("", (), "", "", tokenizer, "" if found.text_model == folder else needs.text_model)


def architecture_source(arch: str) -> Source:
    """What one of open_clip's architectures needs from the hub beside weights."""
    known = table().architectures[arch]
    return Source("", (), "", "", known.tokenizer, known.text_model)


def find(source: Source) -> Found | None:
    """The files of this source on this disk, or None while any of them is missing."""
    weights = next(_candidates(source), None)
    config = hub_file(source.repo, source.config) if source.config else None
    tokenizer = tokenizer_folder(source.tokenizer) if source.tokenizer else None
    text_model = hub_file(source.text_model, CONFIG_OF_TEXT_MODEL) if source.text_model else None
    if weights is None or any(
        wanted and not found
        for wanted, found in ((source.config, config), (source.tokenizer, tokenizer), (source.text_model, text_model))
    ):
        return None
    return Found(weights, config and config.parent, tokenizer, text_model and text_model.parent)


def find_in_folder(folder: Path) -> Found:
    """The files of a ``local-dir:`` model; its tokenizer and text configuration may be in the hub's cache instead.

    Raises:
        UnreadableData: with what is missing, or is no regular file.
    """
    if not folder.is_dir():
        raise UnreadableData(f"There is no folder {folder}; local-dir: takes a folder with {CONFIG} and weights.")
    config = folder / CONFIG
    if not config.exists():
        raise UnreadableData(f"{folder} holds no {CONFIG}; save the model in open_clip's folder layout.")
    chosen = _weights_in(folder)
    needs = model_config.read(config)
    own_tokenizer = any((folder / name).is_file() for name in VOCABULARIES)
    own_text_model = (folder / CONFIG_OF_TEXT_MODEL).is_file()
    return Found(
        regular(chosen),
        folder,
        (folder if own_tokenizer else tokenizer_folder(needs.tokenizer)) if needs.tokenizer else None,
        (folder if own_text_model else text_model_folder(needs.text_model)) if needs.text_model else None,
    )


def _weights_in(folder: Path) -> Path:
    """The file that open_clip would take, else the only checkpoint of a training run (``epoch_5.pt``)."""
    found = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".pth"))
    found.sort(key=lambda path: path.suffix != ".safetensors")
    by_name = {path.name: path for path in found}
    chosen = next((by_name[name] for name in _FOLDER_NAMES if name in by_name), None) or next(iter(found), None)
    if chosen:
        return chosen
    trained = sorted(path for path in folder.iterdir() if path.suffix == ".pt")
    if not trained:
        raise UnreadableData(f"{folder} holds a configuration but no weights (.safetensors, .bin, .pth or .pt).")
    if len(trained) > 1:
        some = ", ".join(path.name for path in trained[:3]) + (" ..." if len(trained) > 3 else "")
        raise UnreadableData(
            f"{folder} holds {len(trained)} checkpoints ({some}): leave one of them beside {CONFIG}, so that it is "
            "clear which one is meant."
        )
    return trained[0]


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
    return remembered_digest(regular(path), kind="weights")


def digests(found: Found) -> dict[str, Any]:
    """SHA-256 of every file that decides what a model computes: its weights, configuration, tokenizer, text tower."""
    more: dict[str, Any] = {}
    if found.tokenizer:
        more["tokenizer"] = tokenizer_digests(found.tokenizer)
    if found.text_model:
        more["text_model"] = sha256(found.text_model / CONFIG_OF_TEXT_MODEL)
    config = keys.file_digest(found.folder / CONFIG) if found.folder else None
    return {"weights": sha256(found.weights), "config": config, **more}


def tokenizer_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a tokenizer, by name."""
    return {name: sha256(folder / name) for name in TOKENIZER_FILES if (folder / name).is_file()}


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
    return next((path.parent for name in VOCABULARIES if (path := hub_file(repo, name))), None)
