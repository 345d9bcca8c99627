"""Digests of values by what they hold, so that a key changes when, and only when, something that decides did.

A value is digested by its type: plain values and containers by their items, arrays by their bytes, a path by the state
of the file behind it, an image set by its pictures and classes, a dataclass by its fields. A type that stands for more
than its fields (a model's name stands for weights on disk) registers its own digest with ``content.register``; one that
cannot be digested is refused.
"""

from __future__ import annotations

import enum
import hashlib
import os
import struct
import types
import weakref
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import ReadFailed
from core.types import ImageSet

_IMAGE_SET = ("fingerprint", "image_ids", "labels", "keys", "names", "templates")
_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Types whose ``repr`` tells every two values apart, and is quick."""
_KEPT: dict[tuple[int, Callable[[Any], bytes]], tuple[weakref.ref[Any], bytes]] = {}


def digest_of(value: object) -> str:
    """Digest of a value's content: 32 hex characters.

    Raises:
        TypeError: the value's type has no digest (a file, a lambda, an object with hidden state).
    """
    return content(value).hex()


@singledispatch
def content(value: object) -> bytes:
    """16 bytes that stand for a value; register other types here."""
    own = getattr(value, "digest", None)
    if isinstance(own, str):
        return _hash(type(value).__qualname__, [own.encode()])
    if all(hasattr(value, name) for name in _IMAGE_SET):
        return remembered(value, _image_set)
    if is_dataclass(value) and not isinstance(value, type):
        return remembered(value, _dataclass)
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no content digest")


def remembered(value: object, compute: Callable[[Any], bytes]) -> bytes:
    """The digest of a read-only object, computed once while the object lives."""
    at = id(value), compute
    known = _KEPT.get(at)
    if known is not None and known[0]() is value:
        return known[1]
    made = compute(value)
    with suppress(TypeError):  # slots without __weakref__: small values, quick to digest again
        _KEPT[at] = (weakref.ref(value, lambda _gone: _KEPT.pop(at, None)), made)
    return made


def _image_set(value: Any) -> bytes:
    """What an image set is: its pictures, their classes, and what the classes are called."""
    pictures = pictures_digest(value)
    parts = (pictures, tuple(value.keys), tuple(value.names), np.asarray(value.labels), tuple(value.templates))
    return _hash("image set", map(content, parts))


def pictures_digest(image_set: ImageSet) -> str:
    """What stands for the pictures of an open set as they were when it was first called with it.

    The set's fingerprint samples its files; this one also holds size and time of change of every file, so that a
    picture edited anywhere is another one. It is the fingerprint itself where the pictures are no files.

    Returns:
        Letters and digits.
    """
    if not image_set.has_images:
        return image_set.fingerprint
    states = remembered(image_set, _file_states)
    return _hash("pictures", [image_set.fingerprint.encode(), states]).hex() if states else image_set.fingerprint


def _file_states(image_set: ImageSet) -> bytes:
    """Digest of the state of every picture's file, read without opening it; empty where there are none."""
    made, files = hashlib.blake2b(digest_size=16), 0
    for index in range(len(image_set.labels)):
        try:
            state = image_set.state(index)
        except ReadFailed:
            made.update(b"gone;")
            continue
        files += state is not None
        made.update(b";" if state is None else f"{state.size} {state.changed};".encode())
    return made.digest() if files else b""


def _dataclass(value: Any) -> bytes:
    parts = [part for field in fields(value) if field.compare for part in (field.name, getattr(value, field.name))]
    return _hash(f"{type(value).__module__}.{type(value).__qualname__}", [content(parts)])


def _hash(kind: str, parts: Iterable[bytes]) -> bytes:
    made = hashlib.blake2b(kind.encode(), digest_size=16)
    for part in parts:
        made.update(struct.pack("<Q", len(part)))
        made.update(part)
    return made.digest()


@content.register
def _(value: None) -> bytes:
    return _hash("none", ())


@content.register(bool)
@content.register(int)
@content.register(float)
@content.register(np.generic)
def _(value: object) -> bytes:
    # 1 and True are one dictionary key in Python; here they are not.
    return _hash(type(value).__name__, [repr(value).encode()])


@content.register
def _(value: str) -> bytes:
    return _hash("str", [value.encode("utf-8", "surrogatepass")])


@content.register(bytes)
@content.register(bytearray)
def _(value: bytes) -> bytes:
    return _hash("bytes", [bytes(value)])


@content.register(list)
@content.register(tuple)
def _(value: Any) -> bytes:
    if _PLAIN.issuperset(map(type, value)):
        return _hash("plain", [repr([*value]).encode()])  # a thousand class names at once
    return _hash("sequence", map(content, value))


@content.register(Set)
def _(value: Any) -> bytes:
    return _hash("set", sorted(map(content, value)))


@content.register(Mapping)
def _(value: Any) -> bytes:
    # Order counts: many mappings here are shown in their order.
    return _hash("mapping", map(content, ([*value], [*value.values()])))


@content.register
def _(value: np.ndarray) -> bytes:
    if value.dtype.hasobject:
        return _hash("objects", [content(list(value.shape)), *map(content, value.ravel().tolist())])
    shape = f"{value.dtype.str}{value.shape}".encode()
    return _hash("array", [shape, np.ascontiguousarray(value).tobytes()])


@content.register
def _(value: Image.Image) -> bytes:
    return _hash("image", [f"{value.mode}{value.size}".encode(), value.tobytes()])


@content.register
def _(value: enum.Enum) -> bytes:
    return _hash(type(value).__qualname__, [value.name.encode()])


@content.register
def _(value: Path) -> bytes:
    try:
        state = os.stat(value)
    except (OSError, ValueError):
        return _hash("path", [os.fsencode(value)])
    mark = f"{state.st_size} {state.st_mtime_ns} {state.st_ino}"
    return _hash("path", [os.fsencode(value), mark.encode()])


@content.register(types.FunctionType)
@content.register(type)
def _(value: Any) -> bytes:
    name = f"{value.__module__}.{value.__qualname__}"
    if "<" in value.__qualname__ or getattr(value, "__closure__", None):
        raise TypeError(f"{name} holds values of its own; pass a function of a module and give the values as arguments")
    return _hash("function", [name.encode()])
