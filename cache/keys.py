"""Names for content: the cache folder, strict JSON, and digests of values and files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn

from platformdirs import user_cache_path

_CODE = Path(__file__).resolve().parents[1]


def root() -> Path:
    """The folder of everything cached, created for its owner only (0700).

    ``$TAILSCOPE_CACHE``, else ``cache/data`` of a checkout, else the person's cache folder (of an installed package).
    """
    folder = Path(os.environ.get("TAILSCOPE_CACHE") or _usual_root()).expanduser().absolute()
    if not folder.is_dir():  # asked for many times by each page
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _usual_root() -> Path:
    is_checkout = (_CODE / "pyproject.toml").is_file()
    return _CODE / "cache" / "data" if is_checkout else user_cache_path("tailscope", appauthor=False)


def embeddings() -> Path:
    """The folder of embedding matrices: ``$TAILSCOPE_EMBEDDINGS`` (it may be shared by machines), else in ``root``."""
    named = os.environ.get("TAILSCOPE_EMBEDDINGS")
    return Path(named).expanduser().absolute() if named else root() / "embeddings"


def to_json(value: object) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8, so that equal values give equal bytes and different ones do not.

    Takes str, int, float, bool, None, dicts with string keys, lists and tuples (a tuple is written as a list).
    TypeError for anything else, ValueError for NaN and infinities.
    """
    _require_json(value)
    text = json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # Paths that are not UTF-8 reach us with lone surrogates: they must be digested, not refused.
    return text.encode("utf-8", "surrogatepass")


def from_json(data: bytes) -> Any:
    """The value of strict JSON bytes; ValueError for anything else, NaN and infinities included."""
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def sealed(value: object, *, name: str) -> bytes:
    """JSON bytes of a value with a digest of it and of the name it is kept under; ``unsealed`` reads them."""
    return to_json({_SEAL: digest([name, value]), "value": value})


def unsealed(data: bytes, *, name: str, known: bool = False) -> Any:
    """The value of ``sealed`` bytes, or of plain JSON as earlier versions wrote it.

    Args:
        known: this version of the file was compared with its digest before.

    ValueError for anything else: also when the value was changed, or was kept under another name.
    """
    found = from_json(data)
    if not isinstance(found, dict) or found.keys() != {_SEAL, "value"}:
        return found
    if not known and found[_SEAL] != digest([name, found["value"]]):
        raise ValueError("it is not what was written under this name")
    return found["value"]


_SEAL = "digest"


def digest(value: object) -> str:
    """Content key of a JSON value: 32 hex characters of the SHA-256 of its canonical JSON (see ``to_json``)."""
    return hashlib.sha256(to_json(value)).hexdigest()[:32]


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a whole file, 64 hex characters, as hubs publish it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_json(value: object) -> None:
    # json.dumps would turn a key 1 into "1" and give two values one key.
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"JSON keys are strings, not {type(key).__name__}: {key!r}")
            _require_json(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _require_json(item)
    elif not (value is None or isinstance(value, str | int | float)):
        raise TypeError(f"{type(value).__name__} is not a JSON value: {value!r}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
