"""Which models exist, what they are called, and whether their weights are on this disk.

A model's name is open_clip's own spelling. Nothing here asks the network or imports torch (the first listing of a new
open_clip version imports open_clip once, see ``core.models.open_clip_table``).
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from core import paths
from core.errors import UnknownName, UnreadableData, WeightsMissing
from core.models import weights
from core.models.names import typed_pair
from core.models.open_clip_table import Pair, table
from core.opening import regular

Kind = Literal["icon", "open_clip", "hf-hub", "local-dir", "checkpoint"]
ICON_MODELS = paths.ASSETS / "models"
_HUB, _LOCAL = "hf-hub:", "local-dir:"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that can be asked.

    Attributes:
        id: canonical name.
        available: the weights are on this disk.
        size_bytes: size of the weights file, None while it is not here.
        pretraining: what it was trained on: open_clip's tag, for icon models the corpus (also the name of their
            frequency source), empty when unknown.
        note: what a person should know before choosing it.
    """

    id: str
    kind: Kind
    available: bool
    size_bytes: int | None
    pretraining: str
    note: str = ""


def list_models() -> list[ModelInfo]:
    """Icon models, open_clip models fetched from the hub by repository, then every pair that open_clip releases."""
    return [*icon_models(), *_fetched_models(), *(_pair_info(pair) for pair in table().pairs.values())]


def icon_models() -> list[ModelInfo]:
    """The models that ship with Tailscope, largest pretraining corpus first; needs no open_clip."""
    return [*_icon_models(ICON_MODELS)]


@cache
def _icon_models(root: Path) -> tuple[ModelInfo, ...]:
    found = []
    for model_id, folder in _folders_in(root).items():
        card = _card(folder)
        note = f"Trained on {card.get('training_pairs', 0):,} icon-caption pairs."
        size = weights.find_in_folder(folder).weights.stat().st_size
        info = ModelInfo(model_id, "icon", True, size, model_id.partition(",")[2], note)
        found.append((-int(card.get("training_pairs", 0)), model_id, info))
    return tuple(info for _, _, info in sorted(found))


def icon_folder(model_id: str) -> Path:
    """The folder of an icon model under ``assets/models``; UnknownName when there is none of that name."""
    try:
        return _icon_folders()[model_id]
    except KeyError:
        raise UnknownName(_unknown(model_id)) from None


def kind(model_id: str) -> Kind:
    """What sort of address a canonical name is."""
    if model_id.startswith(_HUB):
        return "hf-hub"
    if model_id.startswith(_LOCAL):
        return "local-dir"
    if model_id in _icon_folders():
        return "icon"
    return "checkpoint" if Path(model_id.partition(",")[2]).is_absolute() else "open_clip"


def path_of(model_id: str) -> Path | None:
    """The folder or file that a ``local-dir:`` or ``ARCH,/file`` name leads to; None for every other model."""
    if kind(model_id) == "local-dir":
        return Path(model_id.removeprefix(_LOCAL))
    return Path(model_id.partition(",")[2]) if kind(model_id) == "checkpoint" else None


def typed_path(text: str) -> str:
    """The path in a model's name as a person typed it; empty for a name that leads to no file.

    Looks at no disk, so that servers can check it against their data roots first.
    """
    name = text.strip()
    if name in _icon_folders() or name.startswith((_HUB, "hf_clip:")):
        return ""
    if name.startswith(_LOCAL):
        return name.removeprefix(_LOCAL)
    _, pretrained = typed_pair(name)
    return pretrained if _looks_like_path(pretrained) else ""


def canonical(text: str) -> str:
    """The one spelling of a model that a person named.

    Takes ``ARCH,PRETRAINED`` (also ``ARCH/PRETRAINED`` and clip-retrieval's ``open_clip:ARCH/PRETRAINED``),
    ``hf-hub:org/repo`` (also ``hf_clip:``), ``local-dir:/path`` and ``ARCH,/path/to/checkpoint``.

    Raises:
        UnknownName: with the closest names that exist.
        UnreadableData: a path that leads nowhere.
    """
    name = text.strip()
    if name in _icon_folders():
        return name
    for prefix in (_HUB, "hf_clip:"):
        if name.startswith(prefix):
            return _canonical_repo(name.removeprefix(prefix))
    if name.startswith(_LOCAL):
        folder = _absolute(name.removeprefix(_LOCAL))
        weights.find_in_folder(folder)
        return f"{_LOCAL}{folder}"
    arch, pretrained = typed_pair(name)
    pair = table().pairs.get((arch, pretrained.lower().replace("-", "_")))
    if pair:
        return f"{pair.arch},{pair.tag}"
    if arch in table().architectures and _looks_like_path(pretrained):
        file = _absolute(pretrained)
        if not file.exists():
            raise UnreadableData(f"There is no file {file}; give the path of a checkpoint of {arch}.")
        return f"{arch},{regular(file)}"
    raise UnknownName(_unknown(text))


def source(model_id: str) -> weights.Source:
    """Where the files of a canonical model can be fetched; for one of this machine what its towers need besides."""
    match kind(model_id):
        case "hf-hub":
            return weights.hub_source(model_id.removeprefix(_HUB))
        case "open_clip":
            return weights.pair_source(pair_of(model_id))
        case "checkpoint":
            return weights.architecture_source(model_id.partition(",")[0])
        case "local-dir":
            return weights.folder_source(Path(model_id.removeprefix(_LOCAL)))
        case "icon":
            return weights.folder_source(icon_folder(model_id))


def find(model_id: str) -> weights.Found:
    """The files of a canonical model on this disk.

    Raises:
        WeightsMissing: they must be fetched first; the message holds the command.
        UnreadableData: a local folder or file is not a model.
    """
    if kind(model_id) == "icon":
        return weights.find_in_folder(icon_folder(model_id))
    path = path_of(model_id)
    if path is None:
        found = weights.find(source(model_id))
    elif model_id.startswith(_LOCAL):
        found = weights.find_in_folder(path)
    else:
        found = weights.Found(regular(path)) if path.exists() else None
    if found is None:
        command = fetch_command(model_id)
        raise WeightsMissing(f"The weights of {model_id} are not on this disk; fetch them with: {command}")
    return found


def fetch_command(model_id: str) -> str:
    """The command that fetches the weights of a model."""
    return f"python -m core fetch model {shlex.quote(model_id)}"


def quickgelu_warning(model_id: str) -> str | None:
    """What is wrong with a pair whose weights were trained with the other activation, or None.

    The vectors are then silently worse: ``ViT-B-32,openai`` runs QuickGELU weights under a GELU configuration.
    """
    if kind(model_id) != "open_clip":
        return None
    pair = pair_of(model_id)
    arch = table().architectures[pair.arch]
    if pair.quick_gelu == arch.quick_gelu:
        return None
    names = ("QuickGELU", "GELU") if pair.quick_gelu else ("GELU", "QuickGELU")
    other = _other_activation(pair)
    remedy = f": use {other}." if other else "."
    return f"{model_id} runs {names[0]} weights under a {names[1]} configuration, which lowers its accuracy{remedy}"


def _other_activation(pair: Pair) -> str | None:
    """The same weights under the configuration of the activation that they were trained with, if open_clip lists it."""
    other = f"{pair.arch}-quickgelu" if pair.quick_gelu else pair.arch.removesuffix("-quickgelu")
    return f"{other},{pair.tag}" if (other, pair.tag) in table().pairs else None


def nearest(text: str, *, most: int = 3) -> list[str]:
    """Models that a misspelt or unfinished name may mean, best first; all with the activation their weights expect."""
    typed = text.strip().lower()
    names = [*_icon_folders(), *(f"{pair.arch},{pair.tag}" for pair in table().pairs.values())]
    of_lower: dict[str, list[str]] = {}
    for name in names:
        of_lower.setdefault(name.lower(), []).append(name)
    begun = [name for name in names if typed and name.lower().startswith(typed)]
    close = difflib.get_close_matches(typed, of_lower, n=most, cutoff=0.5)
    found = [*begun, *(name for lower in close for name in of_lower[lower])]
    return list(dict.fromkeys(filter(None, map(_fitting, found))))[:most]


def _fitting(model_id: str) -> str | None:
    return _other_activation(pair_of(model_id)) if quickgelu_warning(model_id) else model_id


def pair_of(model_id: str) -> Pair:
    """The released checkpoint of a canonical ``ARCH,PRETRAINED``; UnknownName when open_clip has none."""
    arch, _, tag = model_id.partition(",")
    try:
        return table().pairs[arch, tag]
    except KeyError:
        raise UnknownName(_unknown(model_id)) from None


def _pair_info(pair: Pair) -> ModelInfo:
    model_id = f"{pair.arch},{pair.tag}"
    found = weights.find(weights.pair_source(pair))
    size = found.weights.stat().st_size if found else None
    return ModelInfo(model_id, "open_clip", found is not None, size, pair.tag, quickgelu_warning(model_id) or "")


def _fetched_models() -> Iterator[ModelInfo]:
    from huggingface_hub import constants

    released = {pair.repo for pair in table().pairs.values()}
    for folder in sorted(Path(constants.HF_HUB_CACHE).glob("models--*--*")):
        repo = folder.name.removeprefix("models--").replace("--", "/", 1)
        if repo in released or weights.hub_file(repo, weights.CONFIG) is None:
            continue
        note = "Fetched from the hub by its repository."
        try:
            found = weights.find(weights.hub_source(repo))
        except UnreadableData as error:
            found, note = None, str(error)
        size = found.weights.stat().st_size if found else None
        yield ModelInfo(_HUB + repo, "hf-hub", found is not None, size, "", note)


@cache
def _folders_in(root: Path) -> dict[str, Path]:
    folders = {}
    for path in sorted(root.glob(f"*/{weights.CONFIG}")):
        name = _card(path.parent).get("name")
        if isinstance(name, str):
            folders[name] = path.parent
    return folders


def _icon_folders() -> dict[str, Path]:
    return _folders_in(ICON_MODELS)


def _card(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _canonical_repo(repo: str) -> str:
    parts = repo.strip().strip("/").split("/")
    if len(parts) != 2 or not all(parts):
        raise UnknownName(f"{repo!r} is not the name of a hub repository; write hf-hub:org/repo.")
    return _HUB + "/".join(parts)


def _absolute(text: str) -> Path:
    return Path(text.strip()).expanduser().absolute()


def _looks_like_path(text: str) -> bool:
    return "/" in text or text.startswith("~") or Path(text).suffix in (".pt", ".pth", ".bin", ".safetensors")


def _unknown(text: str) -> str:
    near = nearest(text)
    hint = f"did you mean {' or '.join(near)}?" if near else "`python -m core models` lists all of them."
    return f"No model is called {text.strip()!r}: {hint}"
