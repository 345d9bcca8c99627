"""Reading the weights in a checkpoint file: tensors only, whatever a training run wrapped around them.

Checkpoints are opened with ``weights_only``, so that a file that holds objects which run code when opened is refused.
Training frameworks keep the weights under a name (``state_dict``, ``model`` ...) and put a word before every tensor's
own (``module.``, ``_orig_mod.`` ...); both are taken off where what remains is what the model expects.
"""

from __future__ import annotations

import struct
import zipfile
from argparse import Namespace
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from core.errors import TailscopeError, UnreadableData
from core.opening import open_regular, open_zip, regular
from core.runtime.machine import available_memory

State = dict[str, torch.Tensor]

CONTAINERS = (
    "state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "ema_state_dict", "ema", "module", "net",
    "network", "weights", "params",
)  # fmt: skip
"""Names under which training frameworks keep the weights, open_clip's own choice first."""
EMA_FIRST = tuple(dict.fromkeys(("state_dict_ema", "model_ema", *CONTAINERS)))
"""The same in timm's order of preference."""
_WRAPPERS = ("module.", "_orig_mod.")
_DEEPEST = 3
_LARGEST_LIST = 16 << 20
"""Bytes that name the tensors of a file: of the largest models some 100 KB."""
# open_clip reads these layouts as well: its older one for text towers of their own, and MobileCLIP's.
_OTHER_LAYOUTS = ("positional_embedding", "text_projection", "image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight",
                  "image_encoder.model.patch_emb.0.block.conv.weight")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tensors of a file, by their names in the model.

    Attributes:
        warnings: choices that a person should know of.
    """

    state: State
    warnings: tuple[str, ...] = ()


def read(
    model_id: str, file: Path, build: Callable[[], torch.nn.Module], *, containers: Sequence[str] = CONTAINERS
) -> Checkpoint:
    """The tensors of a safetensors or PyTorch file on the CPU, with their wrapping taken off.

    Nothing larger than the file is allocated before it is clear that the model of ``build`` can be the one in it.

    Args:
        build: makes the model with random weights; it is called on torch's ``meta`` device, which allocates nothing.
        containers: names under which to look for the weights, the preferred one first.

    Raises:
        UnreadableData: the file is no regular one, holds more than weights, or another model.
        TailscopeError: this machine has not the memory for it.
    """
    parameters, names = _described(build)
    _require_memory(model_id, regular(file).stat().st_size)
    found = _open(file)
    holders, warnings = _states(found, containers), []
    if not holders:
        kinds = ", ".join(map(repr, list(found)[:5])) if isinstance(found, Mapping) else type(found).__name__
        raise UnreadableData(f"{file} holds no weights of a model ({kinds or 'nothing'}); give a checkpoint's file.")
    (name, state), *others = holders
    if others:
        warnings.append(f"{file.name} holds weights under {', '.join(one for one, _ in holders)}: {name} was used.")
    _require_room(model_id, parameters, file)
    return Checkpoint(unwrapped(state, names, file=file), tuple(warnings))


def require_room(model_id: str, file: Path, build: Callable[[], torch.nn.Module]) -> None:
    """The checks of ``read`` for a file that a library reads by itself."""
    _require_room(model_id, _described(build)[0], regular(file))


def unwrapped(state: Mapping[str, torch.Tensor], expected: Collection[str], *, file: Path) -> State:
    """Tensors by the names that the model expects: words that stand before all of them are taken off.

    Raises:
        UnreadableData: only some names begin with a word after which the model's own follow; it is named.
    """
    known = {*expected, *_OTHER_LAYOUTS}
    plain = dict(state)
    while plain and not known & plain.keys():
        word = next(iter(plain)).partition(".")[0] + "."
        if not all(name.startswith(word) and len(name) > len(word) for name in plain):
            break
        plain = {name.removeprefix(word): tensor for name, tensor in plain.items()}
    if plain and known & plain.keys():
        return plain
    _name_the_prefix(state, known, file)
    plain = dict(state)
    for word in _WRAPPERS * 2:
        if plain and all(name.startswith(word) for name in plain):
            plain = {name.removeprefix(word): tensor for name, tensor in plain.items()}
    return plain


def does_not_fit(model_id: str, file: Path, error: Exception) -> str:
    """Why a file could not be loaded, in one sentence."""
    reason = " ".join(str(error).split())
    words = reason.lower()
    if "torchscript" in words or ("weights_only" in words and "unsupported operand" not in words):
        return (
            f"{file} holds more than weights (objects that run code when opened) and was not opened; "
            "convert it to safetensors where you trust it."
        )
    if isinstance(error, struct.error | EOFError | UnpicklingError):
        return f"{model_id} could not be loaded from {file}: the file is no checkpoint of PyTorch, or it is cut short."
    reason = reason[:300] or type(error).__name__
    return f"{model_id} could not be loaded from {file}: {reason}"


def _described(build: Callable[[], torch.nn.Module]) -> tuple[int, set[str]]:
    """How many parameters a model has and what its tensors are called, without allocating any of them."""
    with torch.device("meta"):
        module = build()
    return sum(parameter.numel() for parameter in module.parameters()), set(module.state_dict())


def _require_room(model_id: str, parameters: int, file: Path) -> None:
    size = file.stat().st_size
    if parameters > size:  # no released checkpoint has less than a byte a parameter
        raise UnreadableData(
            f"{model_id} could not be loaded from {file}: the model has {parameters:,} parameters, but the file only "
            f"{size:,} bytes, so it belongs to another model or is cut short."
        )
    _require_memory(model_id, 4 * parameters)


def _require_memory(model_id: str, needed: int) -> None:
    free = available_memory()
    if free is not None and needed > free:
        raise TailscopeError(
            f"{model_id} needs {needed / 1e9:.1f} GB of memory to be loaded, and {free / 1e9:.1f} GB are free: "
            "close other programs or use a smaller model."
        )


def _open(file: Path) -> Any:
    regular(file)
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        with open_regular(file) as opened:
            _require_list(file, int.from_bytes(opened.read(8), "little"))
        return load_file(file)
    if zipfile.is_zipfile(file):
        _refuse_bomb(file)
    with torch.serialization.safe_globals([Namespace]):  # the arguments of the run, in timm's checkpoints
        return torch.load(file, map_location="cpu", weights_only=True)


def _refuse_bomb(file: Path) -> None:
    """PyTorch stores its archives as they are; one that unpacks to more than it has could take any memory."""
    with open_regular(file) as opened, open_zip(opened, name=str(file)) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        _require_list(
            file, max((one.file_size for one in archive.infolist() if one.filename.endswith(".pkl")), default=0)
        )
    if unpacked > 2 * file.stat().st_size + (1 << 20):
        raise UnreadableData(
            f"{file} unpacks to {unpacked:,} bytes, many times its size, and was not opened; "
            "save the checkpoint again with torch.save."
        )


def _require_list(file: Path, size: int) -> None:
    if size > _LARGEST_LIST:
        raise UnreadableData(
            f"{file} lists its tensors in {size:,} bytes, more than any model needs, and was not opened: "
            f"{_LARGEST_LIST >> 20} MiB are allowed."
        )


def _states(found: object, containers: Sequence[str], depth: int = 0) -> list[tuple[str, State]]:
    """The dictionaries of tensors in a file, by where they are: the file itself, else under its known names."""
    if not isinstance(found, Mapping) or depth > _DEEPEST:
        return []
    tensors = {name: value for name, value in found.items() if isinstance(name, str) and torch.is_tensor(value)}
    inner = {name: value for name, value in found.items() if isinstance(value, Mapping)}
    named = [name for name in containers if name in inner]
    holders = []
    for name in named or inner:
        below = _states(inner[name], containers, depth + 1)
        holders += [(f"{name}.{place}" if place else str(name), state) for place, state in below]
    if named and holders:
        return holders
    if tensors:
        return [("", tensors)]
    return holders if len(holders) == 1 else []


def _name_the_prefix(state: Mapping[str, torch.Tensor], known: Collection[str], file: Path) -> None:
    """Name the word after which a part of the tensors have the model's names."""
    counts: dict[str, int] = {}
    for name in state:
        rest, prefix = name, ""
        while "." in rest:
            word, _, rest = rest.partition(".")
            prefix += f"{word}."
            if rest in known:
                counts[prefix] = counts.get(prefix, 0) + 1
                break
    if counts:
        prefix = max(counts, key=lambda one: counts[one])
        raise UnreadableData(
            f"{counts[prefix]} of the {len(state)} tensors in {file} have the model's names after {prefix!r}, the "
            f"others are something else: save those alone, without {prefix!r}."
        )
