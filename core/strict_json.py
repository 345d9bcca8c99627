"""JSON that every reader takes: NaN and infinities as null, NumPy values as plain ones, files whole or absent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cache.files import write_bytes


def strict_json(value: object) -> str:
    """JSON text with NaN and infinities as null, NumPy scalars and arrays as plain numbers and lists."""
    return json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(value: object, path: Path) -> None:
    """Write strict JSON whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, (strict_json(value) + "\n").encode())
