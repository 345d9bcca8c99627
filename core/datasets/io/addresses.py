"""Addresses with a scheme, and the Arrow file systems behind them.

``file://``, ``s3://``, ``gs://``, ``hdfs://`` are Arrow's own; every other scheme is asked of fsspec.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from core.errors import BadInput, ExtraMissing, UnreadableData

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ARROWS = ("s3", "gs", "gcs", "hdfs", "viewfs")
CREDENTIALS = (
    "Check the address, and that this process has the store's credentials: they come from the environment or the "
    "store's own settings (AWS_ACCESS_KEY_ID, AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS and the like)."
)


def is_url(text: str) -> bool:
    """Whether this is an address with a scheme rather than a path."""
    return bool(_SCHEME.match(text))


def short(error: BaseException) -> str:
    """The message of a driver, on one line of at most 200 characters."""
    return " ".join(str(error).split())[:200].rstrip(" .") or type(error).__name__


def is_shared(uri: str) -> bool:
    """Whether another process can open it too: fsspec's ``memory://`` lives in one process only."""
    return not uri.startswith("memory://")


@lru_cache(maxsize=64)
def _filesystem(root: str) -> Any:
    from pyarrow import ArrowException, fs

    scheme = root.partition("://")[0]
    try:
        return fs.FileSystem.from_uri(root)[0]
    except (ArrowException, ValueError, OSError) as error:
        if scheme in _ARROWS and isinstance(error, OSError):
            raise UnreadableData(f"{scheme}:// cannot be reached: {short(error)}. {CREDENTIALS}") from error
    try:
        import fsspec

        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme)))
    except ImportError as error:
        raise ExtraMissing(
            f"Reading {scheme}:// needs a package that is not installed ({str(error)[:120]}); "
            f"install fsspec's driver for it, for example `pip install 'fsspec[{scheme}]'`."
        ) from error
    except ValueError as error:
        raise BadInput(f"{scheme}:// is no file system that Arrow or fsspec knows.") from error


def locate(uri: str) -> tuple[Any, str]:
    """The Arrow file system of an address and the path on it.

    Raises:
        BadInput: nobody knows this scheme. ExtraMissing: its driver is not installed. UnreadableData: the store of
            the address does not answer, or not to this process.
    """
    if not is_url(uri):
        from pyarrow import fs

        return fs.LocalFileSystem(), uri
    scheme, _, rest = uri.partition("://")
    if scheme == "file":
        from pyarrow import fs

        return fs.LocalFileSystem(), rest if rest.startswith("/") else f"/{rest}"
    if scheme in ("http", "https"):
        return _filesystem(f"{scheme}://"), uri
    query = rest.partition("?")[2]
    bucket, _, path = rest.partition("?")[0].partition("/")
    root = f"{scheme}://{bucket}/" + (f"?{query}" if query else "")
    return _filesystem(root), f"{bucket}/{path}" if scheme != "memory" else f"/{bucket}/{path}".rstrip("/")
