"""Counts that were made here, ``counted:NAME``, as a frequency source like any other; kept under the cache folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cache import keys
from cache.files import Damaged, file_version, require_checksum
from core.errors import BadInput, UnknownName, UnreadableData
from core.frequency.table import Records, SourceInfo
from core.strict_json import write_json
from core.types import METHODS, FrequencyTable

PREFIX, REQUEST = "counted:", "request.json"
COUNTS, PROVENANCE, REPORT = "counts.parquet", "provenance.json", "report.json"
"""Files that a count leaves behind."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SMALL = 64 << 20


def check_name(name: str) -> str:
    """The name, if it can be one of a source; BadInput otherwise."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"{name[:80]!r} cannot name counts; use at most 80 letters, digits, dots, hyphens and underscores."
        )
    return name


def folder(name: str) -> Path:
    """Where the counts of this name lie, whether they exist or not."""
    return keys.root() / "counted" / check_name(name.removeprefix(PREFIX))


def keep(out: Path, name: str) -> None:
    """Make the finished counts in ``out`` the source ``counted:NAME``, replacing one of that name."""
    target = folder(name)
    if out.resolve() == target.resolve():
        return
    target.mkdir(parents=True, exist_ok=True)
    (target / PROVENANCE).unlink(missing_ok=True)
    for file in sorted(out.iterdir(), key=lambda file: file.name == PROVENANCE):  # what stands for all comes last
        if file.is_file() and file.suffix in (".csv", ".parquet", ".json") and file.stat().st_size <= _SMALL:
            shutil.copyfile(file, target / file.name)


def delete(name: str) -> None:
    """Remove counts made here; UnknownName when there are none of this name."""
    target = folder(name)
    if not target.is_dir():
        raise UnknownName(f"No counts made here are called {name!r}.")
    (target / PROVENANCE).unlink(missing_ok=True)
    shutil.rmtree(target)


def begin(name: str, request: Mapping[str, Any]) -> Path:
    """The folder of counts that are about to be made, with what was asked, so that they can be resumed."""
    target = folder(name)
    target.mkdir(parents=True, exist_ok=True)
    write_json(request, target / REQUEST)
    return target


def begun(name: str) -> dict[str, Any]:
    """What was asked of counts that were begun here."""
    return _facts(folder(name), REQUEST)


def end(name: str) -> None:
    """These counts are finished: nothing is left to resume."""
    (folder(name) / REQUEST).unlink(missing_ok=True)


def unfinished() -> list[str]:
    """Names of counts that were begun here and did not end."""
    root = keys.root() / "counted"
    return sorted(place.name for place in root.iterdir() if (place / REQUEST).is_file()) if root.is_dir() else []


def provenance(name: str) -> dict[str, Any]:
    """How the counts were made; UnknownName when there are none of this name."""
    return _facts(folder(name), PROVENANCE)


def about(name: str) -> dict[str, Any]:
    """The report of the pass that counted them."""
    return _facts(folder(name), REPORT)


def _facts(place: Path, file: str) -> dict[str, Any]:
    try:
        require_checksum(place / file)
        value = json.loads((place / file).read_text(encoding="utf-8"))
    except (Damaged, OSError, ValueError, RecursionError) as error:
        raise UnknownName(f"No counts made here are called {place.name!r}, or their files are damaged.") from error
    if not isinstance(value, dict):
        raise UnknownName(f"The files of the counts {place.name!r} are damaged; count again.")
    return value


def infos() -> list[SourceInfo]:
    """The counts made here that are complete, by name."""
    root = keys.root() / "counted"
    found = []
    for place in sorted(root.iterdir()) if root.is_dir() else ():
        try:
            facts = _facts(place, PROVENANCE)
            methods = METHODS if facts["mode"] == "integrated" else ("text" if "text" in facts["mode"] else "image",)
            default = facts["mode"] if facts["mode"] in methods else methods[0]
            found.append(
                SourceInfo(
                    PREFIX + place.name, facts["source"], methods, facts["concepts"], default, digest=_digest(place)
                )
            )
        except (UnknownName, KeyError, TypeError, OSError):
            continue  # unfinished, or not ours
    return found


def _digest(place: Path) -> str:
    """Differs whenever the counts were written again."""
    status = (place / COUNTS).stat()
    return keys.digest([place.name, status.st_size, status.st_mtime_ns, status.st_ino])


def records(name: str) -> Records:
    """All concepts with their counts; None where this run did not count, or could not match."""
    return {row["concept"]: {method: row[method] for method in METHODS} for row in rows(name)}


def table(name: str, method: str) -> FrequencyTable:
    """Counts under one method, with the queries that were searched and what makes a concept ambiguous."""
    listed, facts = rows(name), about(name)
    flags: dict[str, tuple[str, ...]] = {}
    for flag, concepts in (
        ("homonym", [key for group in facts.get("homonyms", ()) for key in group]),
        ("contained", [row["concept"] for row in facts.get("contained", ())]),
        ("substring", [row["concept"] for row in listed if row["status"] == "substring"]),
    ):
        for key in dict.fromkeys(concepts):
            flags[key] = (*flags.get(key, ()), flag)
    counts = {row["concept"]: row[method] for row in listed if row[method] is not None}
    queries = {row["concept"]: row["query"] for row in listed if row["query"] and row["query"] != row["concept"]}
    return FrequencyTable(name, provenance(name)["source"], method, counts, queries, flags)


def families(name: str) -> Mapping[str, str]:
    """Counts made here know no families."""
    return {}


def rows(name: str) -> list[dict[str, Any]]:
    """Every concept with ``concept, count, status, query`` and its count by each method (None = unknown).

    Raises:
        UnknownName: there are no counts of this name. UnreadableData: their file is damaged.
    """
    place = folder(name) / COUNTS
    try:
        version = file_version(place)
    except OSError as error:
        raise UnknownName(f"No counts made here are called {name!r}.") from error
    return _read(str(place), version)


@lru_cache(maxsize=8)
def _read(path: str, _version: tuple[int, ...]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["concept", "count", "status", "query", *METHODS]
    try:
        require_checksum(Path(path))
        return pq.read_table(path, columns=columns, page_checksum_verification=True).to_pylist()
    except (Damaged, OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0][:120]
        raise UnreadableData(f"{path} is damaged ({reason}); count again, or delete these counts.") from error
